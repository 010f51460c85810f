"""Histories as PostgreSQL writes and reads them, and the timeline that `latest` means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.archive.timelines import (
    Switch,
    TimelineHistory,
    ancestry,
    latest_timeline,
    parse_history,
)
from walconsole.domain.wal import format_lsn


@pytest.mark.parametrize(
    ("timeline", "text", "switches"),
    [
        (2, "1\t0/3000000\tno recovery target specified\n", [(1, 0x3000000)]),
        (2, "1\t0/3000000\tno recovery target specified", [(1, 0x3000000)]),
        (3, "1\t0/A000198\tno recovery target specified\n\n", [(1, 0xA000198)]),
        (3, "1\t0/3000000\tbefore 2026-05-10\n\n2\t1/5000060\t\n", [(1, 0x3000000), (2, 0x105000060)]),
        (3, "# a comment\n  # another\n1 FFFFFFFF/FFFFFFFF reached\r\n", [(1, 2**64 - 1)]),
        (7, '  4 0/03000000\tat restore point "x"\n', [(4, 0x3000000)]),
    ],
)
def test_a_history_is_its_switches(timeline: int, text: str, switches: list[tuple[int, int]]) -> None:
    history = parse_history(timeline, text)
    assert history.timeline == timeline
    assert [(switch.parent, switch.lsn) for switch in history.switches] == switches


def test_the_reason_is_what_follows_the_position() -> None:
    history = parse_history(2, "1\t0/3000000\tbefore transaction 741\tat noon \n")
    assert history.switches == (Switch(1, 0x3000000, "before transaction 741\tat noon"),)


@pytest.mark.parametrize(
    ("timeline", "text", "said"),
    [
        (2, "", "00000002.history names no ancestor"),
        (2, "# nothing else\n\n", "names no ancestor"),
        (2, "hello\n", "line 1 is not a timeline and the LSN"),
        (3, "1\t0/3000000\tx\n2\n", "line 2 is not a timeline and the LSN"),
        (2, "1\t000000010000000000000003\tx\n", "line 1 is not a timeline"),  # as before PostgreSQL 9.3
        (2, "1\t0/30000000000\tx\n", "line 1 is not a timeline"),
        (2, "1\t0/3000000x\n", "line 1 is not a timeline"),
        (3, "2\t0/3000000\tx\n1\t0/4000000\tx\n", "line 2 is not above timeline 2 before it"),
        (4, "1\t0/3000000\tx\n\n1\t0/4000000\tx\n", "line 3 is not above timeline 1 before it"),
        (2, "2\t0/3000000\tx\n", "line 1 names no ancestor of timeline 2"),
        (2, "0\t0/3000000\tx\n", "line 1 names no ancestor of timeline 2"),
        (2, "\x1b[2J\x00" * 200, r"line 1 is not a timeline and the LSN at which it was left: '\x1b[2J\x00"),
    ],
)
def test_what_no_server_would_read_is_refused(timeline: int, text: str, said: str) -> None:
    with pytest.raises(ValueError, match="history") as refused:
        parse_history(timeline, text)
    assert said in str(refused.value)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 400


pairs_of_parent_and_lsn = st.lists(
    st.tuples(st.integers(1, 99), st.integers(0, 2**64 - 1)),
    min_size=1,
    max_size=8,
    unique_by=lambda pair: pair[0],
)


@given(
    pairs_of_parent_and_lsn,
    st.sampled_from(["\t", " ", "\t \t"]),
    st.sampled_from(["\n", "\r\n", "\n\n", "\n#\n"]),
)
def test_what_is_written_is_read(pairs: list[tuple[int, int]], blank: str, end: str) -> None:
    pairs = sorted(pairs)
    text = end.join(blank.join((str(parent), format_lsn(lsn), "why")) for parent, lsn in pairs)
    assert parse_history(100, text) == TimelineHistory(
        100, tuple(Switch(parent, lsn, "why") for parent, lsn in pairs)
    )


@given(st.integers(1, 9), st.text(max_size=80))
def test_any_text_is_a_history_or_a_plain_refusal(timeline: int, text: str) -> None:
    said = ""
    try:
        parse_history(timeline, text)
    except ValueError as error:
        said = str(error)
    assert said == "" or said.startswith(f"{timeline:08X}.history")


@pytest.mark.parametrize(
    ("start", "known", "newest"),
    [
        (1, [], 1),
        (1, [2], 2),
        (1, [2, 3, 4], 4),
        (1, [3], 1),  # 3's history exists, 2's does not: never looked for
        (1, [2, 4], 2),
        (5, [6], 6),
        (5, [2, 3], 5),
        (2**32 - 2, [2**32 - 1, 2**32], 2**32 - 1),
    ],
)
def test_latest_counts_up_to_the_first_that_is_missing(start: int, known: list[int], newest: int) -> None:
    assert latest_timeline(start, known) == newest


def test_ancestry_is_what_the_history_says() -> None:
    histories = {3: parse_history(3, "1\t0/3000000\tx\n")}
    assert ancestry(3, histories) == (1, 3)
    assert ancestry(2, histories) == (2,)
