"""Would it replay: against a restore that is played segment by segment over a plain set."""

import time
from collections.abc import Mapping
from itertools import groupby
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.archive.continuity import Continuity, Leg, continuity
from walconsole.domain.archive.gaps import AcceptedGap, AcceptedRanges, Gap
from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.timelines import Switch, TimelineHistory
from walconsole.domain.wal import Segment

MIB = 1024 * 1024
SEGMENT = 16 * MIB
Numbers = set[int]
Missing = tuple[int, int, int, bool]
"""Timeline, first, last, at a switch."""


def runs_of(numbers: Numbers) -> Runs:
    """Those numbers as runs."""
    runs = Runs()
    for number in sorted(numbers):
        runs.add(number, number)
    return runs


def history(timeline: int, *switches: tuple[int, int]) -> TimelineHistory:
    """Each ancestor was left at that LSN."""
    return TimelineHistory(timeline, tuple(Switch(parent, lsn) for parent, lsn in switches))


def judged(
    stored: Mapping[int, Numbers],
    *histories: TimelineHistory,
    known: tuple[int, ...] = (),
    accepted: tuple[AcceptedGap, ...] = (),
    most: int = 1000,
    segment_bytes: int = SEGMENT,
) -> Continuity:
    """The answer about those numbers."""
    timelines = {timeline: runs_of(numbers) for timeline, numbers in stored.items()}
    contents = {each.timeline: each for each in histories}
    return continuity(timelines, contents, segment_bytes, known=known, most=most, accepted=accepted)


def missing(gaps: tuple[Gap, ...], segment_bytes: int = SEGMENT) -> list[Missing]:
    """The gaps as numbers."""
    found = []
    for gap in gaps:
        first, last = Segment.parse(gap.first, segment_bytes), Segment.parse(gap.last, segment_bytes)
        assert first.timeline == last.timeline == gap.timeline
        assert gap.segments == last.number - first.number + 1
        found.append((gap.timeline, first.number, last.number, gap.at_switch))
    return found


def lost(timeline: int, first: int, last: int, root: str = "") -> AcceptedGap:
    """Those segments are accepted as lost."""
    names = [Segment(timeline, number).name() for number in (first, last)]
    return AcceptedGap("https://nyc3", "wal", root, names[0], names[1], "power cut", 0.0)


def span(first: int, last: int, *without: int) -> Numbers:
    """Numbers `first` to `last` but those."""
    return set(range(first, last + 1)) - set(without)


LEFT_IN_10 = 10 * SEGMENT + 4096
LEFT_AT_10 = 10 * SEGMENT


@pytest.mark.parametrize(
    ("stored", "histories", "gaps", "run"),
    [
        pytest.param({1: span(1, 9)}, (), [], (1, 1, 1, 9), id="all there"),
        pytest.param({1: span(5, 9, 7)}, (), [(1, 7, 7, False)], (1, 8, 1, 9), id="one missing"),
        pytest.param({1: {4}}, (), [], (1, 4, 1, 4), id="a single one"),
        pytest.param(
            {1: span(1, 9), 2: span(10, 12)},
            (history(2, (1, LEFT_IN_10)),),
            [],
            (1, 1, 2, 12),
            id="left within",
        ),
        pytest.param(
            {1: span(1, 9), 2: span(10, 12)},
            (history(2, (1, LEFT_AT_10)),),
            [],
            (1, 1, 2, 12),
            id="left between",
        ),
        pytest.param(
            {1: span(1, 14), 2: span(10, 12)},
            (history(2, (1, LEFT_IN_10)),),
            [],
            (1, 1, 2, 12),
            id="unfenced parent",
        ),
        pytest.param(
            {1: span(1, 7), 2: span(10, 12)},
            (history(2, (1, LEFT_IN_10)),),
            [(1, 8, 9, True)],
            (2, 10, 2, 12),
            id="parent lacks its end",
        ),
        pytest.param(
            {1: span(1, 14), 2: span(11, 12)},
            (history(2, (1, LEFT_IN_10)),),
            [(2, 10, 10, True)],
            (2, 11, 2, 12),
            id="child lacks its beginning",
        ),
        pytest.param(
            {1: span(1, 8, 5), 2: span(11, 14, 13)},
            (history(2, (1, LEFT_IN_10)),),
            [(1, 5, 5, False), (1, 9, 9, True), (2, 10, 10, True), (2, 13, 13, False)],
            (2, 14, 2, 14),
            id="both, and in mid-chain",
        ),
        pytest.param(
            {2: span(12, 14)}, (history(2, (1, LEFT_IN_10)),), [], (2, 12, 2, 14), id="the parent has expired"
        ),
        pytest.param(
            {1: span(12, 20), 2: span(12, 14)},
            (history(2, (1, LEFT_IN_10)),),
            [],
            (2, 12, 2, 14),
            id="of the parent only what came after",
        ),
        pytest.param(
            {1: span(1, 14), 3: span(10, 12)},
            (history(3, (1, LEFT_IN_10)), history(2, (1, LEFT_IN_10))),
            [],
            (1, 1, 3, 12),
            id="3 from 1",
        ),
        pytest.param(
            {1: span(1, 9), 3: span(15, 17)},
            (history(3, (1, LEFT_IN_10), (2, 15 * SEGMENT)), history(2, (1, LEFT_IN_10))),
            [(2, 10, 14, True)],
            (3, 15, 3, 17),
            id="nothing of the one between",
        ),
        pytest.param(
            {1: span(1, 9), 2: {10}, 3: span(10, 12)},
            (history(3, (1, LEFT_IN_10), (2, LEFT_IN_10 + 99)), history(2, (1, LEFT_IN_10))),
            [],
            (1, 1, 3, 12),
            id="left twice in one segment",
        ),
        pytest.param(
            {1: span(1, 8)}, (history(2, (1, LEFT_IN_10)),), [], (1, 1, 1, 8), id="nothing of the child yet"
        ),
    ],
)
def test_gaps_and_the_unbroken_run(
    stored: dict[int, Numbers],
    histories: tuple[TimelineHistory, ...],
    gaps: list[Missing],
    run: tuple[int, int, int, int],
) -> None:
    found = judged(stored, *histories)
    assert missing(found.gaps) == gaps
    assert found.gap_count == len(gaps)
    assert found.missing_segments == sum(last - first + 1 for _, first, last, _ in gaps)
    assert found.run is not None
    assert (found.run.oldest, found.run.newest) == (Segment(*run[:2]), Segment(*run[2:]))
    assert found.run.segments == run[3] - run[1] + 1


@pytest.mark.parametrize(
    ("stored", "histories", "known", "target", "lacking", "unreachable", "branches"),
    [
        pytest.param({}, (), (), 1, (), (), (), id="nothing at all"),
        pytest.param({1: {5}}, (), (), 1, (), (), (), id="timeline 1 has none"),
        pytest.param({1: {5}, 2: {6}}, (), (), 1, (2,), (2,), (), id="the child's is missing"),
        pytest.param(
            {1: {5}, 2: {6}, 3: {7}},
            (history(3, (1, 6 * SEGMENT), (2, 7 * SEGMENT)),),
            (3,),
            1,
            (2,),
            (2, 3),
            (),
            id="one between is missing",
        ),
        pytest.param({1: {5}, 4: {7}}, (), (4,), 1, (2, 3), (4,), (), id="two between are missing"),
        pytest.param({1: {5}}, (), (3,), 1, (2,), (), (), id="one between, and no WAL beyond"),
        pytest.param({1: {5}, 2: {6}}, (), (2,), 2, (), (), (1,), id="exists, but was not read"),
        pytest.param(
            {1: span(1, 9), 2: {9}, 3: {9}},
            (history(3, (1, 9 * SEGMENT)),),
            (2, 3),
            3,
            (),
            (),
            (2,),
            id="a branch",
        ),
        pytest.param({5: {50}}, (), (), 5, (5,), (), (), id="begins at 5, descent unknown"),
        pytest.param(
            {5: {50}, 6: {51}}, (history(6, (5, 51 * SEGMENT)),), (), 6, (), (), (), id="5's stands in 6's"
        ),
        pytest.param(
            {5: {50}, 6: {51}},
            (history(6, (4, 51 * SEGMENT)),),
            (),
            6,
            (5,),
            (),
            (5,),
            id="5 is a branch of what",
        ),
        pytest.param(
            {1: {5}, 2**32 - 1: {7}}, (), (), 1, (2, 3, 4, 5, 6, 7, 8, 9), (2**32 - 1,), (), id="far beyond"
        ),
    ],
)
def test_which_timelines_a_restore_reaches(
    stored: dict[int, Numbers],
    histories: tuple[TimelineHistory, ...],
    known: tuple[int, ...],
    target: int,
    lacking: tuple[int, ...],
    unreachable: tuple[int, ...],
    branches: tuple[int, ...],
) -> None:
    found = judged(stored, *histories, known=known)
    assert found.target == target
    assert found.missing_histories == lacking
    assert found.unreachable == unreachable
    assert found.branches == branches


def test_the_path_is_what_is_read() -> None:
    three = history(3, (1, LEFT_IN_10), (2, 15 * SEGMENT))
    found = judged({1: {3}}, three, history(2, (1, LEFT_IN_10)))
    assert found.path == (Leg(1, 1, 9), Leg(2, 10, 14), Leg(3, 15, None))
    again = judged({1: {3}}, three, known=(2,), segment_bytes=64 * MIB)
    assert again.path == (Leg(1, 1, 1), Leg(2, 2, 2), Leg(3, 3, None))


def test_an_archive_without_wal_has_no_run() -> None:
    assert judged({}).run is None
    assert judged({1: set()}).run is None


def test_an_impossible_segment_size_is_refused() -> None:
    with pytest.raises(ValueError, match="wal_segment_size"):
        judged({1: {1}}, segment_bytes=12345)


class TestAccepted:
    """What an operator knows to be lost."""

    stored: ClassVar = {1: span(1, 30, 5, 6, 12, 20)}

    def test_it_is_not_open_and_still_ends_the_run(self) -> None:
        found = judged(self.stored, accepted=(lost(1, 20, 20), lost(1, 4, 7)))
        assert missing(found.gaps) == [(1, 12, 12, False)]
        assert (found.gap_count, found.missing_segments) == (1, 1)
        assert missing(found.accepted_gaps) == [(1, 5, 6, False), (1, 20, 20, False)]
        assert [gap.accepted for gap in found.accepted_gaps] == [lost(1, 4, 7), lost(1, 20, 20)]
        assert found.accepted_segments == 3
        assert found.run is not None
        assert found.run.oldest == Segment(1, 21)

    def test_one_that_has_grown_is_open_in_full(self) -> None:
        found = judged({1: span(1, 30, 5, 6, 7)}, accepted=(lost(1, 5, 6), lost(1, 7, 7)))
        assert missing(found.gaps) == [(1, 5, 7, False)]
        assert found.accepted_gaps == ()

    def test_another_timelines_is_another(self) -> None:
        assert judged(self.stored, accepted=(lost(2, 1, 30),)).gap_count == 3

    def test_names_that_are_no_range_cover_nothing(self) -> None:
        odd = [
            AcceptedGap("", "", "", first, last, "", 0.0)
            for first, last in (
                ("", "~"),
                ("0" * 24, "F" * 24),
                (Segment(1, 30).name(), Segment(1, 1).name()),
                (Segment(1, 1).name(), Segment(1, 30).name().lower()[:-1] + "z"),
            )
        ]
        assert judged(self.stored, accepted=tuple(odd)).gap_count == 3


ranges = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(0, 12)).map(
        lambda ends: (ends[0], ends[1], ends[1] + ends[2])
    ),
    max_size=8,
)


@given(ranges, st.integers(1, 3), st.integers(1, 45), st.integers(0, 10))
def test_a_range_is_covered_when_one_accepted_range_covers_all_of_it(
    accepted: list[tuple[int, int, int]], timeline: int, first: int, more: int
) -> None:
    covered = AcceptedRanges([lost(*each) for each in accepted])
    names = [int(Segment(timeline, number).name(), 16) for number in (first, first + more)]
    by = covered.covering(names[0], names[1])
    fitting = [
        lost(*each)
        for each in accepted
        if each[0] == timeline and each[1] <= first <= first + more <= each[2]
    ]
    assert (by in fitting) if fitting else by is None


@st.composite
def archives(
    draw: st.DrawFn,
) -> tuple[dict[int, Numbers], tuple[TimelineHistory, ...], tuple[AcceptedGap, ...]]:
    """Up to four timelines of segments around 250 (a log's end), each child left anywhere in its parent."""
    size = draw(st.sampled_from([MIB, SEGMENT, 64 * MIB]))
    descents: dict[int, list[tuple[int, int]]] = {1: []}
    for timeline in range(2, draw(st.integers(1, 4)) + 1):
        parent = draw(st.integers(1, timeline - 1))
        lsn = draw(st.integers(250, 272)) * SEGMENT + draw(st.sampled_from([0, 1, SEGMENT - 1, size]))
        descents[timeline] = [*descents[parent], (parent, lsn)]
    numbers = st.sets(st.integers(250, 275), max_size=26)
    stored = {timeline: draw(numbers) for timeline in descents}
    histories = tuple(history(timeline, *switches) for timeline, switches in descents.items() if switches)
    some = st.tuples(st.integers(1, 4), st.integers(250, 275), st.integers(0, 5))
    accepted = tuple(
        lost(timeline, first, first + more) for timeline, first, more in draw(st.lists(some, max_size=4))
    )
    return stored, histories, accepted


@given(archives(), st.integers(0, 5))
def test_it_is_what_a_restore_finds_segment_by_segment(
    drawn: tuple[dict[int, Numbers], tuple[TimelineHistory, ...], tuple[AcceptedGap, ...]], most: int
) -> None:
    stored, histories, accepted = drawn
    found = judged(stored, *histories, accepted=accepted)
    oldest = min((timeline for timeline, numbers in stored.items() if numbers), default=1)
    target = max([oldest, *(each.timeline for each in histories)])
    assert found.target == target
    descent = next((each.switches for each in histories if each.timeline == target), ())
    begun = [0, *(switch.lsn // SEGMENT for switch in descent)]
    line = list(zip((*(switch.parent for switch in descent), target), begun, strict=True))

    def read_from(number: int) -> int:
        """XLogFileReadAnyTLI: the newest timeline that had begun by then."""
        return next(timeline for timeline, beginning in reversed(line) if beginning <= number)

    wanted = [(read_from(number), number) for number in range(1, 300)]
    there = [at for at, (timeline, number) in enumerate(wanted) if number in stored.get(timeline, set())]
    if not there:
        assert (found.run, found.gaps, found.accepted_gaps) == (None, (), ())
        return
    chain = wanted[there[0] : there[-1] + 1]
    absent = [(timeline, number) for timeline, number in chain if number not in stored.get(timeline, set())]
    expected = _grouped(absent, [timeline for timeline, _ in wanted])
    known = {each[:3] for each in expected if any(_covers(one, each) for one in accepted)}
    assert missing(found.gaps) == [each for each in expected if each[:3] not in known]
    assert missing(found.accepted_gaps) == [each for each in expected if each[:3] in known]
    assert found.missing_segments + found.accepted_segments == len(absent)
    assert found.run is not None
    unbroken = chain[chain.index(absent[-1]) + 1 :] if absent else chain
    assert (found.run.oldest, found.run.newest) == (Segment(*unbroken[0]), Segment(*unbroken[-1]))
    assert found.run.segments == len(unbroken)
    _check_cut(found, judged(stored, *histories, accepted=accepted, most=most), most)


def _grouped(absent: list[tuple[int, int]], read_from: list[int]) -> list[Missing]:
    """Neighbours on one timeline as one gap. `read_from` has the timeline of each number from 1 on."""
    gaps = []
    by_run = groupby(enumerate(absent), lambda each: (each[1][0], each[1][1] - each[0]))
    for (timeline, _), group in by_run:
        numbers = [number for _, (_, number) in group]
        first, last = numbers[0], numbers[-1]
        around = (read_from[first - 2], read_from[last])
        gaps.append((timeline, first, last, around != (timeline, timeline)))
    return gaps


def _covers(accepted: AcceptedGap, gap: Missing) -> bool:
    first, last = (Segment.parse(name) for name in (accepted.first, accepted.last))
    return first.timeline == gap[0] and first.number <= gap[1] and gap[2] <= last.number


def _check_cut(whole: Continuity, cut: Continuity, most: int) -> None:
    """Of many gaps both ends, and every count as before."""
    assert (cut.gap_count, cut.missing_segments) == (whole.gap_count, whole.missing_segments)
    assert (cut.accepted_segments, cut.run) == (whole.accepted_segments, whole.run)
    for kept, every in ((cut.gaps, whole.gaps), (cut.accepted_gaps, whole.accepted_gaps)):
        first = min(len(every), most // 2)
        last = min(len(every) - first, most - most // 2)
        assert kept == every[:first] + every[len(every) - last :]


@pytest.mark.parametrize("gaps", [4_000, 100_000])
def test_continuity_costs_by_its_gaps(gaps: int) -> None:
    runs, every = Runs(), 10**10 // gaps
    firsts = range(1, 10**10, every)
    runs.extend(firsts, [first + every - 2 for first in firsts])
    begun = time.process_time()
    found = continuity({1: runs}, {}, SEGMENT, accepted=[lost(1, 500, 1000)])
    spent = time.process_time() - begun
    assert found.gap_count + len(found.accepted_gaps) == len(runs) - 1
    assert len(found.gaps) == 1000
    assert spent < 5.0, "by the segment it would take hours"
