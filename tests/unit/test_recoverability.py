"""To which moments a restore can go, against a server that is restored segment by segment over plain sets."""

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.recovery import (
    CLUSTER,
    DAY_S,
    MIB,
    NOW,
    SIZE,
    SYSTEM,
    PlainCopy,
    backup_id,
    base,
    copy_of,
    history,
    label,
    replayed,
)
from tests.examples import some_of
from walconsole.domain.archive.continuity import continuity
from walconsole.domain.archive.runs import Runs
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import Completeness, Unreadable
from walconsole.domain.recovery.held import StopKind
from walconsole.domain.recovery.recoverability import Recoverability, recoverability
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.domain.wal import Segment

DR = BucketRole.DR
PRIMARY = BucketRole.PRIMARY
OTHER = 7_000_000_000_000_000_001


def windows(found: Recoverability, timeline: int | None = None) -> list[tuple[int, int]]:
    """First position, as a segment's number, and the number of the segment after the last."""
    reach = found.reach[found.target if timeline is None else timeline]
    return [(each.since_lsn // SIZE, each.until_lsn // SIZE) for each in reach.windows]


def stop_of(found: Recoverability, at: int = -1) -> tuple[StopKind, str]:
    """Kind and words of what stops that backup."""
    stop = found.reach[found.target].reaches[at].stop
    assert stop is not None
    return stop.kind, stop.text


CASES: list[tuple[str, list[ArchiveCopy], list[tuple[int, int]]]] = [
    ("no backup", [copy_of({1: range(1, 9)})], []),
    ("nothing at all", [copy_of({})], []),
    ("all there", [copy_of({1: range(1, 9)}, base(3))], [(3, 9)]),
    ("a backup over several segments", [copy_of({1: range(1, 9)}, base(3, 6))], [(6, 9)]),
    ("WAL from before it does not matter", [copy_of({1: [1, 3, 4]}, base(3))], [(3, 5)]),
    ("its own start missing", [copy_of({1: [1, 2, 4, 5, 6]}, base(3, 4))], []),
    ("WAL within it missing", [copy_of({1: [3, 5, 6]}, base(3, 5))], []),
    ("its end not archived yet", [copy_of({1: [3, 4]}, base(3, 5))], []),
    ("a hole after it", [copy_of({1: [3, 4, 6, 7]}, base(3))], [(3, 5)]),
    (
        "a hole, and a backup after it",
        [copy_of({1: [3, 4, 6, 7]}, base(3), base(6, day=0.5))],
        [(3, 5), (6, 8)],
    ),
    (
        "a hole in one copy",
        [copy_of({1: [3, 4, 6, 7]}, base(3)), copy_of({1: [3, 5]}, base(3), role=DR)],
        [(3, 8)],
    ),
    (
        "a hole in both",
        [copy_of({1: [3, 4, 6, 7]}, base(3)), copy_of({1: [3, 4, 6]}, base(3), role=DR)],
        [(3, 5)],
    ),
    (
        "a hole in the one that is read",
        [copy_of({1: [3, 4, 6, 7]}, base(3)), copy_of({1: range(1, 9)}, role=DR, read_by_restore=False)],
        [(3, 5)],
    ),
    ("the backup in DR alone", [copy_of({1: range(1, 9)}), copy_of({}, base(3), role=DR)], [(3, 9)]),
    (
        "incomplete",
        [
            copy_of(
                {1: range(1, 9)}, base(3, completeness=Completeness.INCOMPLETE, why="base.tar.zst is missing")
            )
        ],
        [],
    ),
    (
        "incomplete in the primary alone",
        [
            copy_of({1: range(1, 9)}, base(3, completeness=Completeness.INCOMPLETE)),
            copy_of({}, base(3), role=DR),
        ],
        [(3, 9)],
    ),
    ("a label alone", [copy_of({1: range(1, 9)}, label(3))], []),
    ("another cluster's", [copy_of({1: range(1, 9)}, base(3, system_identifier=OTHER))], []),
    ("another major version's", [copy_of({1: range(1, 9)}, base(3, server_version_num=140020))], []),
    ("another minor version's", [copy_of({1: range(1, 9)}, base(3, server_version_num=150001))], [(3, 9)]),
    ("another segment size", [copy_of({1: range(1, 9)}, base(3, segment_bytes=MIB))], []),
    ("a damaged segment", [copy_of({1: range(1, 9)}, base(3), damaged={1: [6]})], [(3, 6)]),
    (
        "damaged in one copy, sound in the other",
        [copy_of({1: range(1, 9)}, base(3), damaged={1: [6]}), copy_of({1: [6]}, role=DR)],
        [(3, 9)],
    ),
    ("an incremental", [copy_of({1: range(1, 9)}, base(2, day=2), base(5, parent=backup_id(2)))], [(2, 9)]),
    ("an incremental without its parent", [copy_of({1: range(1, 9)}, base(5, parent=backup_id(2)))], []),
    (
        "an incremental with its parent in the other copy",
        [copy_of({1: range(4, 9)}, base(5, parent=backup_id(2))), copy_of({}, base(2, day=2), role=DR)],
        [(5, 9)],
    ),
    ("from a standby", [copy_of({1: range(1, 9)}, base(3, 4, from_standby=True))], [(4, 9)]),
]


@pytest.mark.parametrize(
    ("copies", "expected"), [each[1:] for each in CASES], ids=[each[0] for each in CASES]
)
def test_windows(copies: list[ArchiveCopy], expected: list[tuple[int, int]]) -> None:
    assert windows(recoverability(copies, CLUSTER)) == expected


LEFT = 6 * SIZE + 4096
BEFORE = {1: [3, 4, 5, 6], 2: [6, 7, 8]}
ON_2 = replace(CLUSTER, timeline=2)
TIMELINES: list[tuple[str, ArchiveCopy, int, list[tuple[int, int]]]] = [
    ("promoted, with its history", copy_of(BEFORE, base(3), histories=[history(2, (1, LEFT))]), 2, [(3, 9)]),
    ("promoted, without", copy_of(BEFORE, base(3)), 2, []),
    ("promoted, history not read", copy_of(BEFORE, base(3), known=[2]), 2, []),
    ("the old timeline needs no history", copy_of(BEFORE, base(3)), 1, [(3, 7)]),
    ("a backup on the new one needs none", copy_of({2: [7, 8]}, base(7, timeline=2)), 2, [(7, 9)]),
    (
        "the parent's segment after the switch is another branch's",
        copy_of({1: [3, 4, 5, 6, 7, 8], 2: [6, 8]}, base(3), histories=[history(2, (1, LEFT))]),
        2,
        [(3, 7)],
    ),
    (
        "the child's first segment missing",
        copy_of({1: [3, 4, 5, 6], 2: [7, 8]}, base(3), histories=[history(2, (1, LEFT))]),
        2,
        [(3, 6)],
    ),
    (
        "a backup that ended after the switch is on another branch",
        copy_of({1: range(3, 9), 2: [6, 7, 8]}, base(5, 7), histories=[history(2, (1, LEFT))]),
        2,
        [],
    ),
    (
        "a backup during which the standby's upstream was promoted",
        copy_of(BEFORE, base(4, 7, stop_timeline=2), histories=[history(2, (1, LEFT))]),
        2,
        [(7, 9)],
    ),
    (
        "a grandchild by way of its parent",
        copy_of(
            {1: [3, 4, 5], 2: [6, 7], 3: [8, 9]},
            base(3),
            histories=[history(2, (1, LEFT)), history(3, (1, LEFT), (2, 8 * SIZE))],
        ),
        3,
        [(3, 10)],
    ),
    (
        "a sibling's WAL is of no use",
        copy_of(
            {1: [3, 4, 5], 2: [6, 7], 3: [6]},
            base(6, timeline=2),
            histories=[history(2, (1, LEFT)), history(3, (1, LEFT))],
        ),
        3,
        [],
    ),
    ("an older timeline than the backup's", copy_of(BEFORE, base(7, timeline=2)), 1, []),
    (
        "a recovery towards 2 ended before 2 began: its history's places do not rise",
        copy_of(
            {1: [3, 4, 5, 6], 2: [6, 7], 3: [5, 6, 7, 8]},
            base(5, timeline=3),
            histories=[history(2, (1, LEFT)), history(3, (1, LEFT), (2, 5 * SIZE + 8))],
        ),
        3,
        [(5, 9)],
    ),
    (
        "and from a backup before it",
        copy_of(
            {1: [3, 4, 5, 6], 2: [6, 7], 3: [5, 6, 7, 8]},
            base(3),
            histories=[history(2, (1, LEFT)), history(3, (1, LEFT), (2, 5 * SIZE + 8))],
        ),
        3,
        [(3, 9)],
    ),
]


@pytest.mark.parametrize(
    ("copy", "timeline", "expected"), [each[1:] for each in TIMELINES], ids=[each[0] for each in TIMELINES]
)
def test_windows_over_timelines(copy: ArchiveCopy, timeline: int, expected: list[tuple[int, int]]) -> None:
    assert windows(recoverability([copy], CLUSTER, timeline)) == expected


@pytest.mark.parametrize(
    ("copies", "timeline", "kind", "text"),
    [
        (
            [copy_of({1: [3, 4, 7]}, base(3)), copy_of({1: [3]}, role=DR)],
            1,
            StopKind.SEGMENT_MISSING,
            "000000010000000000000005 is missing in both copies, with 1 segment after it",
        ),
        (
            [copy_of({1: [3]}, base(3, 4))],
            1,
            StopKind.SEGMENT_MISSING,
            "000000010000000000000004 is missing in the primary",
        ),
        (
            [copy_of({1: [3, 5]}, base(3)), copy_of({1: [4]}, role=DR, read_by_restore=False)],
            1,
            StopKind.SEGMENT_MISSING,
            "000000010000000000000004 is missing in the primary; "
            "DR has it, which the restore command does not read",
        ),
        (
            [copy_of({1: [3, 4, 5]}, base(3), damaged={1: [4]})],
            1,
            StopKind.SEGMENT_DAMAGED,
            "000000010000000000000004 is damaged in the primary",
        ),
        (
            [copy_of(BEFORE, base(3))],
            2,
            StopKind.HISTORY_MISSING,
            "00000002.history is missing, without which timeline 1 does not lead to 2",
        ),
        (
            [copy_of({1: [3, 4, 5, 6], 2: [7, 8]}, base(3), histories=[history(2, (1, LEFT))])],
            2,
            StopKind.SEGMENT_MISSING,
            "000000020000000000000006 is missing in the primary; "
            "a server would go on in 000000010000000000000006, and onto another branch",
        ),
        ([copy_of(BEFORE, base(3), known=[2])], 2, StopKind.HISTORY_UNREAD, "00000002.history was not read"),
        (
            [copy_of({1: [3]}, base(3, system_identifier=OTHER))],
            1,
            StopKind.OTHER_SYSTEM,
            f"it is another cluster's: its system identifier is {OTHER}, not {SYSTEM}",
        ),
        (
            [copy_of({1: [3]}, base(3, server_version_num=90624))],
            1,
            StopKind.OTHER_VERSION,
            "it is PostgreSQL 9.6's, and the server is 15",
        ),
        (
            [copy_of({1: [3]}, base(3, segment_bytes=MIB))],
            1,
            StopKind.OTHER_SEGMENT_SIZE,
            "its WAL has segments of 1.00 MiB, the archive's 16.0 MiB",
        ),
        (
            [copy_of({1: [3]}, base(3, parent="20260101T000000Z"))],
            1,
            StopKind.PARENT_MISSING,
            "it builds upon 20260101T000000Z, which is missing or of no use",
        ),
        (
            [copy_of({1: [3]}, label(3))],
            1,
            StopKind.NOT_KNOWN,
            "it is not known to be complete: a .backup label says that it was made, not where it is",
        ),
        (
            [copy_of({1: range(3, 9), 2: [6]}, base(7), histories=[history(2, (1, LEFT))])],
            2,
            StopKind.OTHER_BRANCH,
            "timeline 2 does not descend from it, which is on 1",
        ),
    ],
)
def test_what_stops_it_is_said(copies: list[ArchiveCopy], timeline: int, kind: StopKind, text: str) -> None:
    assert stop_of(recoverability(copies, CLUSTER, timeline)) == (kind, text)


@pytest.mark.parametrize("size", [MIB, 64 * MIB])
def test_other_segment_sizes(size: int) -> None:
    copy = copy_of({1: range(1, 9)}, base(3, 4, size=size))
    found = recoverability([copy], replace(CLUSTER, segment_bytes=size))
    assert found.window is not None
    assert (found.window.since_lsn, found.window.until_lsn) == (4 * size + 312, 9 * size)


def test_a_partial_segment_is_no_segment() -> None:
    """The index keeps them apart: none is among the runs, so that the old timeline ends before it."""
    copy = copy_of({1: [3, 4, 5], 2: [6, 7]}, base(3), histories=[history(2, (1, LEFT))])
    found = recoverability([copy], ON_2)
    assert windows(found, 1) == [(3, 6)]
    assert windows(found) == [(3, 8)]


def test_times_and_what_would_be_lost() -> None:
    stored = {number: NOW - 100.0 * (9 - number) for number in range(1, 9)}
    later = {number: at + 7_000 for number, at in stored.items()}
    copies = [
        copy_of({1: range(1, 9)}, base(3), times=stored),
        copy_of({1: range(1, 9)}, base(3), role=DR, times=later),
    ]
    found = recoverability(copies, replace(CLUSTER, lsn=9 * SIZE + 5000))
    assert found.window is not None
    assert (found.window.since, found.window.until) == (NOW - DAY_S + 60.0, NOW - 100.0)
    lost = found.lost(NOW)
    assert (lost.wal_bytes, lost.seconds) == (5000, 100.0)
    assert found.reaches_newest


def test_where_the_writer_says_no_time_the_store_does() -> None:
    copy = copy_of({1: range(1, 9)}, base(3, 4, stopped=None), times={1: NOW - 800, 8: NOW - 100})
    window = recoverability([copy], CLUSTER).window
    assert window is not None
    assert window.since == NOW - 500


def test_a_route_takes_the_newest_backup_that_had_stopped_and_says_whence_its_segments_come() -> None:
    copies = [
        copy_of({1: [2, 3, 4, 5, 6]}, base(2, day=2), base(5, parent=backup_id(2))),
        copy_of({1: [5, 6, 7]}, base(2, day=2), role=DR),
    ]
    found = recoverability(copies, CLUSTER)
    route = found.route(8 * SIZE)
    assert route is not None
    assert [each.backup.id for each in route.chain] == [backup_id(2), backup_id(1)]
    assert [each.complete_in for each in route.chain] == [(PRIMARY, DR), (PRIMARY,)]
    assert (route.first, route.last) == (Segment(1, 5).name(), Segment(1, 7).name())
    assert route.sources.segments == 3
    assert route.sources.held == {PRIMARY: 2, DR: 3}
    assert route.sources.only == {PRIMARY: 0, DR: 1}
    early = found.route(3 * SIZE)
    assert early is not None
    assert [each.backup.id for each in early.chain] == [backup_id(2)]
    assert early.sources.only == {PRIMARY: 1, DR: 0}
    assert found.route(2 * SIZE) is None
    assert found.route(8 * SIZE + 1) is None


def test_a_route_by_time_begins_at_a_backup_from_before() -> None:
    stored = {number: NOW - 86_400.0 * (8 - number) / 2 for number in range(1, 9)}
    found = recoverability(
        [copy_of({1: range(1, 9)}, base(3, day=2.2), base(5, day=1.2), times=stored)], CLUSTER
    )
    for days, id in ((2.1, backup_id(2.2)), (1.1, backup_id(1.2)), (0.1, backup_id(1.2))):
        route = found.route_at(NOW - days * DAY_S)
        assert route is not None
        assert route.chain[-1].backup.id == id
    assert found.route_at(NOW - 3 * DAY_S) is None
    assert found.route_at(NOW + 1) is None


def test_latest_is_told_where_it_leaves_the_server() -> None:
    copy = copy_of({1: range(3, 9), 2: [6]}, base(3), histories=[history(2, (1, LEFT))])
    found = recoverability([copy], CLUSTER)
    assert (found.target, found.latest) == (1, 2)
    assert windows(found) == [(3, 9)]
    assert windows(found, 2) == [(3, 7)]


def test_one_name_with_other_positions_is_another_backup() -> None:
    copies = [copy_of({1: range(1, 9)}, base(3)), copy_of({}, base(5, id=backup_id(1)), role=DR)]
    assert len(recoverability(copies, CLUSTER).backups) == 2


@pytest.mark.parametrize("read", [True, False])
def test_a_label_that_a_known_backup_left_is_no_backup_of_its_own(read: bool) -> None:
    left = label(3) if read else label(3, start_lsn=3 * SIZE, segment_bytes=SIZE)
    found = recoverability([copy_of({1: range(1, 9)}, base(3), left, label(5))], CLUSTER)
    assert {each.backup.id for each in found.backups} == {backup_id(1), "label-1-5"}


def test_unreadable_and_unlisted_are_carried_on() -> None:
    copy = copy_of({}, unreadable=(Unreadable("base/x/backup.json", "it is not JSON"),), listed=False)
    found = recoverability([copy], CLUSTER)
    assert (len(found.unreadable), found.listed) == (1, False)


def test_a_copy_is_needed() -> None:
    with pytest.raises(ValueError, match="at least one copy"):
        recoverability([], CLUSTER)


# -- Against the model.

_NUMBERS = st.just(set(range(1, 15))) | st.sets(st.integers(1, 14), max_size=14)


@st.composite
def archives(draw: st.DrawFn) -> tuple[list[ArchiveCopy], int]:
    """Two copies of up to four timelines with gaps, and up to five backups; and a target."""
    lineages: dict[int, list[tuple[int, int]]] = {1: []}
    for timeline in range(2, draw(st.integers(1, 4)) + 1):
        parent = draw(st.sampled_from(sorted(lineages)))
        before = lineages[parent]
        lowest = before[-1][1] if before else SIZE
        at = draw(st.integers(lowest // SIZE, 14)) * SIZE + draw(st.sampled_from([0, 4096, SIZE - 8]))
        lineages[timeline] = [*before, (parent, max(lowest, at))]
    backups = []
    for number in range(draw(st.integers(0, 5))):
        first = draw(st.integers(1, 12))
        timeline = draw(st.sampled_from(sorted(lineages)))
        parents = st.none() | st.sampled_from([backup_id(day) for day in range(6)])
        id = backup_id(number)
        parent_id = draw(st.one_of(st.none(), st.none(), parents))
        backups.append(
            base(
                first,
                first + draw(st.integers(0, 2)),
                day=number,
                timeline=timeline,
                stop_timeline=draw(st.just(timeline) | st.sampled_from(sorted(lineages))),
                parent=parent_id if parent_id != id else None,
                system_identifier=draw(st.sampled_from([SYSTEM] * 5 + [OTHER])),
                completeness=draw(st.sampled_from([Completeness.COMPLETE] * 5 + [Completeness.INCOMPLETE])),
            )
        )
    copies = [
        copy_of(
            {timeline: draw(_NUMBERS) for timeline in lineages},
            *[each for each in backups if draw(st.integers(0, 3))],
            role=role,
            histories=[
                history(timeline, *switches)
                for timeline, switches in lineages.items()
                if switches and draw(st.integers(0, 3)) > 0
            ],
            damaged={1: draw(st.sets(st.integers(1, 14), max_size=1))},
        )
        for role in (PRIMARY, DR)[: draw(st.integers(1, 2))]
    ]
    return copies, draw(st.sampled_from(sorted(lineages)))


def judged(found: Recoverability, timeline: int) -> dict[str, tuple[int, int]]:
    """First and last position by backup, as Recoverability says it."""
    return {
        reach.held.backup.id: (reach.held.backup.stop_lsn or 0, (reach.last + 1) * SIZE)
        for reach in found.reach[timeline].reaches
        if reach.last is not None
    }


def modelled(copies: Sequence[ArchiveCopy], timeline: int) -> dict[str, tuple[int, int]]:
    """The same, as the model's server finds out."""
    plain = [PlainCopy.of(copy) for copy in copies]
    ids = {id for copy in plain for id in copy.backups}
    return {id: reached for id in ids if (reached := replayed(plain, id, timeline)) is not None}


@settings(max_examples=some_of(200))
@given(archives())
def test_every_backup_reaches_what_a_server_would(made: tuple[list[ArchiveCopy], int]) -> None:
    copies, timeline = made
    found = recoverability(copies, CLUSTER, timeline)
    for each in found.reach:
        assert judged(found, each) == modelled(copies, each)


@settings(max_examples=some_of(120))
@given(archives())
def test_the_windows_are_every_position_and_no_other(made: tuple[list[ArchiveCopy], int]) -> None:
    copies, timeline = made
    found = recoverability(copies, CLUSTER, timeline)
    reached = modelled(copies, timeline)
    ends = {lsn + step for ends in reached.values() for lsn in ends for step in (-1, 0, 1)}
    for lsn in sorted(ends | {number * SIZE for number in range(16)}):
        within = any(each.since_lsn <= lsn <= each.until_lsn for each in found.windows)
        assert within == any(first <= lsn <= last for first, last in reached.values()), lsn
        route = found.route(lsn)
        assert (route is not None) == within
        if route is not None:
            best = max(first for first, last in reached.values() if first <= lsn <= last)
            assert route.chain[-1].backup.stop_lsn == best


# -- It must not be felt.


def million(gaps: int) -> Runs:
    """A million segments with so many gaps, evenly."""
    runs = Runs()
    step = 1_000_000 // (gaps + 1)
    firsts = [1 + at * step for at in range(gaps + 1)]
    lasts = [first + step - 2 for first in firsts]
    runs.extend(firsts, lasts)
    return runs


@pytest.mark.parametrize("gaps", [0, 1000])
def test_a_million_segments_and_a_hundred_backups_take_no_time(gaps: int) -> None:
    runs = million(gaps)
    backups = [base(1 + at * 10_000, day=at / 10, id=f"b{at:04d}") for at in range(100)]
    copies = [
        ArchiveCopy(PRIMARY, {1: runs}, tuple(backups)),
        ArchiveCopy(DR, {1: runs.copy()}, tuple(backups)),
    ]
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        found = recoverability(copies, CLUSTER)
        took.append(time.perf_counter() - begun)
        assert found.windows
    assert min(took) <= 0.1
    assert continuity({1: runs}, {}, SIZE).gap_count == gaps


def test_copies_that_complement_each_other_segment_by_segment_are_followed() -> None:
    even, odd = Runs(), Runs()
    even.extend(range(2, 100_000, 2), range(2, 100_000, 2))
    odd.extend(range(1, 100_000, 2), range(1, 100_000, 2))
    copies = [ArchiveCopy(PRIMARY, {1: even}, (base(3),)), ArchiveCopy(DR, {1: odd})]
    found = recoverability(copies, CLUSTER)
    assert windows(found) == [(3, 100_000)]
    route = found.route(100_000 * SIZE)
    assert route is not None
    assert route.sources.only == {PRIMARY: 49_998, DR: 49_999}
