"""Where the seconds of a segment go: the arithmetic of what was measured."""

from dataclasses import replace

import pytest

from walconsole.domain.archive.segment_time import (
    CopySeconds,
    SegmentSeconds,
    conclusion,
    table,
    what_helps,
)

MIB = 1 << 20
PRIMARY = CopySeconds("spaces-prod:wal", 3.2, 3.3, 3.2)
DR = CopySeconds("spaces-dr:wal-dr", 3.2, 3.3, 3.2)
SLOW_START = SegmentSeconds(
    16 * MIB, 3.0, 0.1, "zstd", MIB, packs=True, copies=(PRIMARY, DR), side_by_side=True, due_s=3.0
)
"""As in the demo's `slow`: each call of rclone takes three seconds before it does anything."""
UPLOAD = SegmentSeconds(
    16 * MIB,
    0.1,
    0.2,
    "zstd",
    4 * MIB,
    packs=False,
    copies=(CopySeconds("a:b", 0.2, 8.1, 4.1), CopySeconds("c:d", 0.2, 8.1, 4.1)),
    side_by_side=False,
    due_s=20.0,
)


def test_copies_at_once_take_as_long_as_the_slower_one() -> None:
    assert SLOW_START.total_s == pytest.approx(3.2 + 3.0 + 0.3 + 0.2)
    slower = replace(SLOW_START, copies=(PRIMARY, replace(DR, upload_s=13.3)))
    assert slower.total_s == pytest.approx(SLOW_START.total_s + 10.0)


def test_copies_in_turn_take_their_sum_and_each_call_its_start() -> None:
    assert UPLOAD.total_s == pytest.approx(2 * (0.2 + 8.1 + 4.1))
    assert UPLOAD.fits is False
    assert replace(UPLOAD, due_s=25.0).fits is True
    assert replace(UPLOAD, due_s=None).fits is None


def test_a_slow_start_is_named_with_what_would_be_left() -> None:
    first, *others = what_helps(SLOW_START)
    assert "rclone's start is 90% of it" in first
    assert "about 0.7 s a segment" in first
    assert any("process-max=3" in text for text in others)
    assert any("at most 9.0 segments a minute instead of 20.0" in text for text in others)
    assert not any("compress before" in text for text in others)


def test_what_helps_most_comes_first_and_what_does_not_is_left_out() -> None:
    helped = what_helps(UPLOAD)
    assert helped[0].startswith("compress before the transfer, with zstd: about 7.0 s")
    assert helped[1].startswith("send the copies at once: about 12.4 s")
    assert not any("start" in text for text in helped)
    keeps_up = replace(UPLOAD, due_s=None)
    assert len(what_helps(keeps_up)) == 2


def test_it_is_told_part_by_part() -> None:
    lines = list(table(SLOW_START))
    assert [line.split()[0] for line in lines] == [
        "start", "compress", "ask", "upload", "read", "ask", "upload", "read",
    ]  # fmt: skip
    assert "spaces-dr:wal-dr: 1.00 MiB" in lines[6]
    assert conclusion(SLOW_START) == (
        "a segment takes about 6.7 s, the copies at once; one is due every 3.0 s: it falls behind"
    )
    assert conclusion(replace(UPLOAD, due_s=None)).endswith("just now nobody writes")
    assert "which the command does not do" in "".join(table(UPLOAD))


def test_nothing_that_was_measured_as_zero_divides() -> None:
    nothing = SegmentSeconds(0, 0.0, 0.0, "", None, packs=False, copies=(), side_by_side=True, due_s=0.5)
    assert nothing.total_s == 0.0
    assert what_helps(nothing) == ()
    assert conclusion(nothing).endswith("it keeps up")
