"""Runs and the index, against sets of numbers that are counted one by one."""

import time
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.archive.index import ArchiveIndex, segment_bytes_by_names
from walconsole.domain.archive.layouts import Layout, Place
from walconsole.domain.archive.runs import Runs
from walconsole.domain.wal import Segment

MIB = 1024 * 1024
FLAT = Place(Layout.FLAT)
Intervals = list[tuple[int, int]]

intervals = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda pair: (pair[0], pair[0] + pair[1]))
)


def naive_runs(numbers: set[int]) -> Intervals:
    """The intervals of a set, by looking at every number."""
    groups = groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0])
    runs = [[number for _, number in group] for _, group in groups]
    return [(run[0], run[-1]) for run in runs]


@given(intervals)
def test_runs_are_the_set_of_what_was_added(added: Intervals) -> None:
    runs, numbers = Runs(), set[int]()
    for first, last in added:
        before = len(numbers)
        numbers.update(range(first, last + 1))
        assert runs.add(first, last) == len(numbers) - before
    assert list(runs) == naive_runs(numbers)
    assert runs.count == len(numbers)
    assert {number for number in range(80) if number in runs} == numbers
    if numbers:
        assert (runs.first, runs.last) == (min(numbers), max(numbers))
        missing = set(range(min(numbers), max(numbers) + 1)) - numbers
        assert list(runs.gaps()) == naive_runs(missing)


@given(st.lists(st.sets(st.integers(0, 60), min_size=1)))
def test_many_runs_at_once_are_the_set_of_what_was_added(added: list[set[int]]) -> None:
    runs, numbers = Runs(), set[int]()
    for more in added:
        firsts, lasts = zip(*naive_runs(more), strict=True)
        assert runs.extend(firsts, lasts) == len(more - numbers)
        numbers |= more
    assert list(runs) == naive_runs(numbers)
    assert runs.count == len(numbers)


@given(st.sets(st.integers(1, 90), min_size=1), st.sampled_from(["", ".zst", f"-{'a' * 40}.lz4"]))
def test_a_page_of_any_gaps_is_its_runs(numbers: set[int], suffix: str) -> None:
    """Across logs (64 segments of 64 MiB each), with few gaps and with many."""
    index = ArchiveIndex("", 64 * MIB)
    index.fold([Segment(1, number).name(64 * MIB) + suffix for number in sorted(numbers)])
    (archive,) = index.archives.values()
    assert list(archive.timelines[1]) == naive_runs(numbers)


segments = st.tuples(st.integers(1, 2), st.integers(250, 270), st.sampled_from(["", ".gz"]))
pages = st.lists(st.lists(segments, max_size=60, unique=True), max_size=6)


@given(pages, st.sampled_from(["", "wal/", "p/2026/08/01/"]), st.randoms(use_true_random=False))
def test_the_index_is_the_set_of_its_keys(
    listed: list[list[tuple[int, int, str]]], directory: str, chance: object
) -> None:
    index = ArchiveIndex("p/" if directory.startswith("p/") else "")
    seen: dict[int, set[int]] = {}
    noted = 0
    for page in listed:
        keys = sorted(directory + Segment(tl, n).name() + suffix for tl, n, suffix in page)
        index.fold(keys)
        noted += len(keys)
        for timeline, number, _ in page:
            seen.setdefault(timeline, set()).add(number)
    if not seen:
        assert not index.archives
        return
    (archive,) = index.archives.values()
    assert {timeline: list(runs) for timeline, runs in archive.timelines.items()} == {
        timeline: naive_runs(numbers) for timeline, numbers in seen.items()
    }
    assert archive.segments + archive.repeated == noted
    newest = max(seen)
    assert archive.newest == Segment(newest, max(seen[newest]))
    assert archive.newest_key.startswith(directory + Segment(newest, max(seen[newest])).name())
    assert (index.foreign, index.impossible) == (0, 0)


other_keys = st.one_of(
    st.text(alphabet="0123456789ABCDEF./\nz", max_size=30),
    st.sampled_from([
        "0000000100000000000001FF", "000000010000000000000000", "00000002.history", "a/b", "NOTES.txt",
        "000000010000000000000102.00000028.backup", "000000010000000000000003.partial.gz",
    ]),
)  # fmt: skip


@given(st.lists(other_keys, unique=True), st.lists(st.integers(1, 300), unique=True))
def test_strange_keys_hide_no_segment_and_add_none(strange: list[str], numbers: list[int]) -> None:
    index = ArchiveIndex()
    keys = {Segment(1, number).name() for number in numbers} | set(strange)
    index.fold(sorted(keys))
    alone = ArchiveIndex()
    for key in keys:
        alone.fold((key,))
    assert _summary(index) == _summary(alone)


def _summary(index: ArchiveIndex) -> object:
    archives = {
        place: (
            {timeline: list(runs) for timeline, runs in archive.timelines.items()},
            archive.histories, archive.backups, archive.partials, archive.last_key,
        )
        for place, archive in index.archives.items()
    }  # fmt: skip
    return archives, index.foreign, index.impossible


def test_a_page_in_disorder_or_with_a_key_twice_counts_the_same() -> None:
    names = [Segment(1, number).name() for number in (5, 3, 4, 4, 9)]
    index = ArchiveIndex()
    index.fold(names)
    assert list(index.archives[FLAT].timelines[1]) == [(3, 5), (9, 9)]


def test_gaps_are_within_a_timeline_and_not_at_its_switch() -> None:
    index = ArchiveIndex()
    index.fold([Segment(1, n).name() for n in (1, 2, 5)] + ["00000002.history"])
    index.fold([Segment(2, n).name() for n in (5, 6, 7)])
    archive = index.archives[FLAT]
    gaps = list(archive.gaps(16 * MIB))
    assert [(gap.timeline, gap.first, gap.last, gap.segments) for gap in gaps] == [
        (1, Segment(1, 3).name(), Segment(1, 4).name(), 2)
    ]
    assert (archive.gap_count, archive.missing) == (1, 2)
    assert archive.histories == {"00000002.history"}
    assert archive.oldest == Segment(1, 1)


@given(st.lists(st.sets(st.integers(1, 20), min_size=1), min_size=1, max_size=3), st.integers(0, 12))
def test_of_many_gaps_both_ends_are_kept(timelines: list[set[int]], most: int) -> None:
    index = ArchiveIndex()
    index.fold([Segment(tl, number).name() for tl, numbers in enumerate(timelines, 1) for number in numbers])
    (archive,) = index.archives.values()
    every = list(archive.gaps(index.segment_bytes))
    assert archive.gap_count == len(every)
    assert archive.missing == sum(gap.segments for gap in every)
    kept = every if len(every) <= most else every[: most // 2] + every[len(every) - most + most // 2 :]
    assert list(archive.gaps(index.segment_bytes, most)) == kept


def test_two_places_are_never_joined() -> None:
    index = ArchiveIndex()
    index.fold([f"archive/demo/15-{n}/0000000100000000/{Segment(1, n).name()}-{'a' * 40}" for n in (1, 2)])
    assert {place.root for place in index.archives} == {"archive/demo/15-1/", "archive/demo/15-2/"}


def test_a_segment_stored_under_two_dates_is_repeated() -> None:
    name = Segment(1, 7).name()
    index = ArchiveIndex()
    index.fold([f"2026/08/01/{name}", f"2026/08/02/{name}"])
    (archive,) = index.archives.values()
    assert (archive.segments, archive.repeated) == (1, 1)


def test_names_tell_a_larger_segment_size() -> None:
    index = ArchiveIndex()
    index.fold([Segment(1, number).name(64 * MIB) for number in range(1, 400)])
    (archive,) = index.archives.values()
    assert archive.gap_count
    assert segment_bytes_by_names(index, archive) == 64 * MIB


def test_names_tell_a_smaller_segment_size() -> None:
    index = ArchiveIndex()
    index.fold([Segment(1, number).name(4 * MIB) for number in range(1, 3000)])
    (archive,) = index.archives.values()
    assert segment_bytes_by_names(index, archive) == 4 * MIB


def test_gaps_alone_tell_no_other_segment_size() -> None:
    index = ArchiveIndex()
    index.fold([Segment(1, number).name() for number in range(1, 5000) if number % 100])
    (archive,) = index.archives.values()
    assert segment_bytes_by_names(index, archive) == 16 * MIB


def test_a_hundred_thousand_segments_fold_in_no_time() -> None:
    keys = [Segment(1, number).name() for number in range(1, 100_001) if number % 997]
    began = time.process_time()
    index = ArchiveIndex()
    for at in range(0, len(keys), 1000):
        index.fold(keys[at : at + 1000])
    (archive,) = index.archives.values()
    assert archive.gap_count == 100
    assert time.process_time() - began < 0.3  # ten times what it may take where nothing else runs


def test_every_other_segment_missing_costs_no_more_than_its_names() -> None:
    keys = [Segment(1, number).name() for number in range(2, 200_001, 2)]
    began = time.process_time()
    index = ArchiveIndex()
    for at in range(0, len(keys), 1000):
        index.fold(keys[at : at + 1000])
    (archive,) = index.archives.values()
    assert (archive.gap_count, archive.missing) == (99_999, 99_999)
    assert segment_bytes_by_names(index, archive) == 16 * MIB
    assert time.process_time() - began < 0.8  # ten times what it may take where nothing else runs
