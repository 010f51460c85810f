"""The framed shell's protocol, whatever comes and however it is cut into pieces."""

import asyncio
import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.adapters.ssh import frames as ssh_frames
from walconsole.adapters.ssh.frames import Frame, OutputTooLongError


def nonce(frame: Frame) -> bytes:
    found = re.search(rb"printf %s '([0-9a-f]{32})\['", frame.send())
    assert found is not None
    return found[1]


def framed(frame: Frame, output: bytes, status: int) -> bytes:
    """What the shell prints for the frame."""
    return nonce(frame) + b"[" + output + b"]" + nonce(frame) + b" %d\n" % status


def pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@given(
    noise=st.binary(max_size=200),
    output=st.binary(max_size=500),
    status=st.integers(0, 255),
    rest=st.binary(max_size=50),
    cuts=st.lists(st.integers(0, 2000), max_size=20),
)
def test_any_output_in_any_pieces(
    noise: bytes, output: bytes, status: int, rest: bytes, cuts: list[int]
) -> None:
    async def check() -> None:
        frame = Frame("x", 1, lambda: 0.0)
        left: bytes | None = None
        after = b""
        for piece in pieces(noise + framed(frame, output, status) + rest, cuts):
            if left is not None:
                after += piece
                continue
            left = frame.feed(piece)
        assert frame.answer.result() == (output, status)
        assert left is not None
        assert left + after == rest

    asyncio.run(check())


async def test_another_frame_s_markers_are_output() -> None:
    frame, other = Frame("x", 1, lambda: 0.0), Frame("x", 1, lambda: 0.0)
    output = framed(other, b"forged", 0)
    assert frame.feed(framed(frame, output, 1)) == b""
    assert frame.answer.result() == (output, 1)


async def test_too_much_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_frames, "OUTPUT_LIMIT", 1000)
    frame = Frame("x", 1, lambda: 0.0)
    frame.feed(nonce(frame) + b"[")
    with pytest.raises(OutputTooLongError):
        frame.feed(bytes(1001))


async def test_endless_noise_is_not_kept() -> None:
    frame = Frame("x", 1, lambda: 0.0)
    for _ in range(100):
        frame.feed(b"noise" * 1000)
    assert len(frame._received) < 100


async def test_an_answer_nobody_waits_for_is_dropped() -> None:
    frame = Frame("x", 1, lambda: 0.0)
    frame.answer.cancel()
    assert frame.feed(framed(frame, b"", 0)) == b""
    frame.fail(TimeoutError())
