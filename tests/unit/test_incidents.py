"""What is remembered of an incident: when it opens, what is its worst, when it is over, how it is told."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.facts import NOW
from tests.data.snapshots import STATES
from walconsole.domain.failures import diagnose
from walconsole.domain.incidents.follow import combined, follow, look_of
from walconsole.domain.incidents.model import (
    BRIEF_S,
    HOLD_S,
    MOST_CAUSES,
    MOST_CHANGES,
    MOST_CLOSED,
    MOST_RUNS,
    AccessChange,
    IncidentLog,
    Look,
    Note,
    Run,
    RunResult,
    Seen,
    TakenBack,
)
from walconsole.domain.incidents.time_line import remembered_events
from walconsole.domain.incidents.words import closed_line, open_line, told
from walconsole.domain.incidents.written import NewerError, document_of, log_of
from walconsole.domain.standing.event_times import Event, EventKind, folded
from walconsole.domain.standing.model import Level
from walconsole.report.incident import report_document, report_markdown

FAILING = Seen("key-403/primary/", "key-403", "critical", "the store refuses the key")
DISK = Seen("disk-filling/wal_disk/", "disk-filling", "warning", "the disk fills")


def bad(at: float, *causes: Seen, level: Level = Level.CRITICAL, waiting: int | None = 3) -> Look:
    many = waiting or 0
    return Look(
        at, level, "archiving FAILS", causes or (FAILING,), waiting, many * 10.0, many, many << 24, 60.0
    )


def good(at: float, waiting: int | None = 0) -> Look:
    return Look(at, Level.OK, "restorable", (), waiting, None, 0, 0, 0.0)


def blind(at: float) -> Look:
    return Look(at, Level.UNKNOWN, "cannot tell")


def when(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"


def run(began: float, title: str = "Give the grant back", result: RunResult = RunResult.DONE) -> Run:
    return Run("grants", title, began, result, began + 5)


def test_a_healthy_server_is_nothing_to_remember() -> None:
    log = follow(IncidentLog(), [good(1000), blind(1001), good(2000)])
    assert (log.open, log.closed) == (None, ())


def test_it_opens_with_the_first_bad_look_and_closes_when_ok_has_held() -> None:
    log = follow(IncidentLog(), [bad(1000), bad(1010, FAILING, DISK), good(1020), good(1020 + HOLD_S - 1)])
    assert log.open is not None
    assert (log.open.opened_at, log.open.bad_at, log.open.ok_since) == (1000, 1010, 1020)
    log = follow(log, [good(1020 + HOLD_S)])
    assert log.open is None
    assert log.last is not None
    assert [(cause.rule, cause.first_at, cause.last_at) for cause in log.last.causes] == [
        ("key-403", 1000, 1010),
        ("disk-filling", 1010, 1010),
    ]


def test_a_fault_that_comes_and_goes_is_one_incident() -> None:
    looks: list[Look] = []
    for turn in range(20):
        looks += [bad(1000 + 100 * turn), good(1050 + 100 * turn)]
    log = follow(IncidentLog(), looks)
    assert log.closed == ()
    assert log.open is not None
    assert log.open.opened_at == 1000
    assert log.open.ok_since == 1050 + 100 * 19


def test_who_cannot_tell_neither_ends_it_nor_opens_one() -> None:
    log = follow(IncidentLog(), [blind(10), bad(1000), good(1010), blind(1010 + HOLD_S)])
    assert log.open is not None
    assert log.open.ok_since == 1010
    assert follow(log, [good(1011 + HOLD_S)]).last is not None


def test_the_worst_is_kept_of_each_number_by_itself_with_its_time() -> None:
    log = follow(IncidentLog(), [bad(1000, waiting=412), replace(bad(1010, waiting=3), lost_s=9000.0)])
    assert log.open is not None
    worst = log.open.worst
    assert worst.waiting is not None
    assert worst.lost_s is not None
    assert (worst.waiting.value, worst.waiting.at) == (412, 1000)
    assert (worst.lost_s.value, worst.lost_s.at) == (9000, 1010)


def test_it_is_drained_when_nothing_waits_and_not_before_anything_did() -> None:
    log = follow(IncidentLog(), [bad(1000, waiting=None), bad(1001, waiting=0)])
    assert log.open is not None
    assert log.open.drained_at is None
    log = follow(log, [bad(1002, waiting=5), good(1003, waiting=2)])
    assert log.open is not None
    assert log.open.drained_at is None
    log = follow(log, [good(1004), good(1005)])
    assert log.open is not None
    assert log.open.drained_at == 1004


def test_a_passing_warning_is_not_kept_but_one_that_something_was_run_for() -> None:
    brief = [bad(1000, level=Level.WARNING), good(1000 + BRIEF_S - 1), good(1000 + BRIEF_S + HOLD_S)]
    assert follow(IncidentLog(), brief).closed == ()
    assert len(follow(IncidentLog(), [brief[0], run(1001), *brief[1:]]).closed) == 1
    assert len(follow(IncidentLog(), [replace(brief[0], level=Level.CRITICAL), *brief[1:]]).closed) == 1
    apart = [brief[0], good(1300), good(1300 + HOLD_S)]  # a check every five minutes saw no more of it
    assert len(follow(IncidentLog(), apart).closed) == 1


def test_the_same_notes_twice_change_nothing() -> None:
    notes: list[Note] = [
        bad(1000), run(1001), AccessChange("grants", "grant", "b@e", "", "readwrite", 1002.0), bad(1003),
    ]  # fmt: skip
    once = follow(IncidentLog(), notes)
    assert follow(once, notes[1:]) == once


def test_a_clock_that_goes_back_ends_nothing_and_is_said() -> None:
    log = follow(IncidentLog(), [bad(10_000), good(10_100), good(2_800)])
    assert log.open is not None
    assert log.open.ok_since == 2_800
    assert log.open.clock_back_s == 7_300
    assert any("went back by 2 h 01 min" in line for line in told(log, log.open, when))
    log = follow(log, [good(2_800 + HOLD_S)])
    assert log.last is not None
    assert closed_line(log, when)


def test_looks_taken_together_keep_their_worst() -> None:
    both = combined(bad(1000, FAILING, waiting=412), bad(1001, DISK, waiting=3))
    assert (both.at, both.waiting, both.lost_segments) == (1001, 412, 412)
    assert {cause.rule for cause in both.causes} == {"key-403", "disk-filling"}
    assert combined(good(1000), bad(1001)).level is Level.CRITICAL
    assert combined(bad(1000), blind(1001)).level is Level.CRITICAL


def test_nothing_grows_without_bound() -> None:
    log = IncidentLog()
    for turn in range(MOST_CLOSED + 5):
        start = 1000 + turn * 10_000
        causes = [Seen(f"x{at}/y/", "gap", "critical", "t" * 400) for at in range(MOST_CAUSES + 5)]
        log = follow(log, [bad(start, *causes), good(start + 100), good(start + 100 + HOLD_S)])
    for turn in range(max(MOST_RUNS, MOST_CHANGES) + 5):
        change = AccessChange("keys", "key", f"K{turn}", "", "readwrite", float(turn))
        log = follow(log, [run(float(turn), "x" * 10_000), change])
    assert len(log.closed) == MOST_CLOSED
    assert {len(one.causes) for one in log.closed} == {MOST_CAUSES}
    assert (len(log.runs), len(log.changes)) == (MOST_RUNS, MOST_CHANGES)
    assert len(json.dumps(document_of(log))) < 512 * 1024


@pytest.mark.parametrize("state", sorted(STATES))
def test_every_state_can_be_looked_at_and_remembered(state: str) -> None:
    snapshot = STATES[state]()
    said = diagnose(snapshot, NOW)
    log = follow(IncidentLog(), [look_of(snapshot, said, NOW)])
    assert (log.open is not None) == (said.verdict.level in (Level.WARNING, Level.CRITICAL))
    assert log_of(json.loads(json.dumps(document_of(log)))) == log
    assert "\x1b" not in json.dumps(document_of(log))


# -- Written and read again.


times = st.floats(0, 4e9)
looks = st.builds(
    Look,
    times,
    st.sampled_from(Level),
    st.text(max_size=20),
    st.lists(st.sampled_from([FAILING, DISK]), max_size=2).map(tuple),
    st.none() | st.integers(0, 1 << 40),
    st.none() | times,
    st.none() | st.integers(0, 1 << 40),
    st.none() | st.integers(0, 1 << 50),
    st.none() | times,
    st.booleans(),
)
runs = st.builds(
    Run, st.text(max_size=9), st.text(max_size=9), times, st.sampled_from(RunResult), st.none() | times
)
changes = st.builds(
    AccessChange, st.text(max_size=5), st.sampled_from(["key", "grant"]), *[st.text(max_size=9)] * 3, times
)
notes = st.lists(looks | runs | changes | st.builds(TakenBack, st.text(max_size=5), times), max_size=12)


@given(notes)
def test_whatever_was_noted_is_read_again_and_told(made: list[Note]) -> None:
    log = follow(IncidentLog(), made)
    assert log_of(json.loads(json.dumps(document_of(log)))) == log
    assert len(open_line(log, when).splitlines()) <= 1
    for incident in (*log.closed, *([log.open] if log.open else [])):
        assert list(told(log, incident, when))
    assert all(event.text for event in remembered_events(log))


@pytest.mark.parametrize(
    "document",
    [
        None, [], {}, {"document": "walconsole incidents"},
        {"document": "walconsole incidents", "version": "1"},
        {"document": "walconsole incidents", "version": 1, "more": 1},
        {"document": "walconsole incidents", "version": 1, "problem": "x"},
        {"document": "walconsole incidents", "version": 1, "open": {"opened_at": 1}},
        {"document": "walconsole incidents", "version": 1, "looked_at": "now"},
        {"document": "walconsole incidents", "version": 1, "looked_at": True},
        {"document": "walconsole incidents", "version": 1, "looked_at": 1e300},
        {"document": "walconsole incidents", "version": 1, "looked_at": float("nan")},
        {"document": "walconsole incidents", "version": 1, "closed": "x"},
        {"document": "walconsole incidents", "version": 1, "runs": [{}]},
        {"document": "walconsole incidents", "version": 1, "runs": [[]] * 2000},
    ],
)  # fmt: skip
def test_what_is_odd_is_not_believed(document: object) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        log_of(document)


def test_what_a_newer_console_wrote_is_not_taken_for_damaged() -> None:
    with pytest.raises(NewerError):
        log_of({"document": "walconsole incidents", "version": 2, "whatever": 1})


# -- Told.


def mended() -> IncidentLog:
    """A key that was refused for a while, mended by a step, closed."""
    start = NOW - 3000
    return follow(
        IncidentLog(),
        [
            bad(start, waiting=2), bad(start + 600, FAILING, DISK, waiting=412), run(start + 700),
            AccessChange("grants", "grant", "walls@nyc3", "read", "readwrite", start + 702),
            replace(bad(start + 710), causes=()), good(start + 720), good(start + 720 + HOLD_S),
        ],
    )  # fmt: skip


def test_the_open_one_in_a_line() -> None:
    start = float(14 * 3600 + 120)
    log = follow(IncidentLog(), [bad(start, waiting=412), bad(start + 60, FAILING, DISK), run(start + 2280)])
    assert open_line(log, when) == (
        "incident since 14:02:00, at worst 412 segments waiting, 2 causes seen,"
        " “Give the grant back” done at 14:40:05"
    )
    failed = replace(run(start + 3000), result=RunResult.FAILED)
    assert open_line(follow(log, [failed]), when).endswith(
        "2 causes seen, “Give the grant back” done at 14:40:05, “Give the grant back” failed at 14:52:05"
    )
    more = [run(start + 3100 + turn) for turn in range(3)]
    assert open_line(follow(log, [failed, *more]), when).endswith(" and 3 steps before")
    assert "OK again since 15:00:00" in open_line(follow(log, [good(15 * 3600.0)]), when)


def test_one_whose_end_nobody_saw_is_not_said_to_have_mended_anything() -> None:
    begun = Run("grants", "Give the grant back", 1001.0, RunResult.BEGUN)
    log = follow(IncidentLog(), [bad(1000), begun, good(1100), good(1100 + HOLD_S)])
    assert closed_line(log, when).endswith("mended by nothing that walconsole ran")
    assert "its end was not seen" in "\n".join(told(log, log.closed[0], when))


def test_the_report_names_what_was_and_what_mended_it() -> None:
    snapshot, log = STATES["healthy"](), mended()
    report = "\n".join(report_markdown("x", snapshot, diagnose(snapshot, NOW), NOW, log))
    assert report.startswith("# WAL archiving of x: OK")
    part = report.partition("## The last incident")[2].partition("## What can be restored")[0]
    for words in (
        "(12 min 00 s), at worst CRITICAL", "the store refuses the key (key-403, critical)",
        "segments that waited: 412 ", "“Give the grant back” done at", "mended after",
        "grant walls@nyc3 changed by walconsole: from read to readwrite",
    ):  # fmt: skip
        assert words in part, part
    line = report.partition("## Time line")[2]
    assert "access: grant walls@nyc3" in line
    assert "console: incident opened" in line
    assert "console: step “Give the grant back” done" in line
    document = report_document("x", snapshot, diagnose(snapshot, NOW), NOW, log)
    assert json.loads(json.dumps(document))["incidents"]["closed"][0]["steps"][0]["result"] == "done"


def test_nothing_remembered_is_nothing_told() -> None:
    snapshot = STATES["healthy"]()
    report = "\n".join(report_markdown("x", snapshot, diagnose(snapshot, NOW), NOW))
    assert "incident" not in report.partition("## What can be restored")[0].lower()
    assert report_document("x", snapshot, diagnose(snapshot, NOW), NOW)["incidents"] is None


def test_equal_failures_are_one_row_with_their_count_and_span() -> None:
    def failure(at: float) -> Event:
        return Event(at, EventKind.FAILED, "archive command failed with exit code 1", "log")

    turn = Event(120.0, EventKind.CONFIGURATION, "configuration loaded", "log")
    other = Event(105.0, EventKind.FAILED, "another", "log")
    rows = folded(
        [*map(failure, range(100, 105)), other, *map(failure, range(106, 110)), turn, failure(130.0)]
    )
    assert [(row.text[:7], row.at, row.until, row.count) for row in rows] == [
        ("archive", 100, 109, 9),
        ("another", 105, None, 1),
        ("configu", 120, None, 1),
        ("archive", 130, None, 1),
    ]


def test_no_text_is_remembered_that_may_not_be_shown() -> None:
    said = "aws_secret_access_key=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY \x1b[31m"
    hostile = Seen("gap/primary/", "gap", "critical", "x")
    made = follow(
        IncidentLog(),
        [
            bad(1000, hostile), Run("a", said, 1001.0, RunResult.FAILED, 1002.0, said),
            AccessChange("a", "grant", said, said, said, 1003.0),
        ],
    )  # fmt: skip
    text = json.dumps(document_of(made))
    assert "wJalrXUtnFEMI" not in text
    assert "\\u001b" not in text


def test_what_was_taken_back_is_told_as_such() -> None:
    change = AccessChange("limited-key", "key", "walconsole-x", "", "readwrite of b", 1000.0)
    log = follow(IncidentLog(), [change, TakenBack("other", 1001.0), TakenBack("limited-key", 1002.0)])
    assert log.changes[0].taken_back_at == 1002
    assert [(event.kind, event.text) for event in remembered_events(log)] == [
        (EventKind.ACCESS, "key walconsole-x made by walconsole: readwrite of b"),
        (EventKind.ACCESS, "key walconsole-x deleted by walconsole"),
    ]
    grant = AccessChange("grants", "grant", "walls@nyc3", "read", "readwrite", 1000.0, 1005.0)
    assert [event.text for event in remembered_events(IncidentLog(changes=(grant,)))] == [
        "grant walls@nyc3 changed by walconsole: from read to readwrite",
        "grant walls@nyc3 taken back by walconsole",
    ]
