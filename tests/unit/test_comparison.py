"""What a copy lacks, against plain sets."""

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.data.facts import NOW, SEGMENT, holding
from walconsole.domain.archive.comparison import Lacking, lacking
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.layouts import Layout, Place
from walconsole.domain.archive.runs import Runs
from walconsole.domain.wal import Segment


def held(stored: Mapping[int, set[int]], each: int = SEGMENT) -> Holding:
    """Those segments by timeline, each of that size in the store."""
    timelines = {}
    for timeline, numbers in stored.items():
        timelines[timeline] = Runs()
        for number in sorted(numbers):
            timelines[timeline].add(number, number)
    count = sum(len(numbers) for numbers in stored.values())
    return replace(holding(), timelines=timelines, stored_bytes=count * each, suffixes={"": count})


archives = st.dictionaries(st.integers(1, 3), st.sets(st.integers(1, 30)))


@given(archives, archives)
def test_it_lacks_the_difference_of_the_sets(one: dict[int, set[int]], other: dict[int, set[int]]) -> None:
    found = lacking(held(one, 1000), held(other))
    missing = sorted(
        Segment(timeline, number)
        for timeline, numbers in one.items()
        for number in numbers - other.get(timeline, set())
    )
    assert found.segments == len(missing)
    assert found.bytes == 1000 * len(missing)
    assert (found.oldest, found.newest) == ((missing[0], missing[-1]) if missing else (None, None))


def test_a_whole_copy_lacks_nothing() -> None:
    assert lacking(holding(), holding()) == Lacking(0)
    assert lacking(holding(), holding(last=0x50)) == Lacking(0)  # of a DR copy, more is not less


def test_the_oldest_that_is_lacking_has_its_time() -> None:
    found = lacking(holding(), holding(without=(0x3F, 0x41)))
    assert found == Lacking(2, 2 * SEGMENT, Segment(1, 0x3F), Segment(1, 0x41), NOW - 40 - 2 * 41)


def test_without_samples_the_time_is_not_known() -> None:
    assert lacking(held({2: {1}}), None) == Lacking(1, SEGMENT, Segment(2, 1), Segment(2, 1), None)


def test_an_empty_or_another_archive_lacks_all() -> None:
    whole = holding()
    assert lacking(whole, None).segments == whole.segments
    assert lacking(whole, held({})).segments == whole.segments
    assert lacking(whole, replace(whole, segment_bytes=4 * SEGMENT)).segments == whole.segments


def test_layouts_and_compression_may_differ() -> None:
    """The bytes are what the primary stores: a copy takes as much."""
    primary = holding(stored_bytes=65 * 1000, suffixes={".zst": 65})
    dr = holding(without=(7,), place=Place(Layout.DATED, "wal/"), suffixes={".gz": 64})
    assert lacking(primary, dr) == Lacking(1, 1000, Segment(1, 7), Segment(1, 7), NOW - 40 - 41 * (0x41 - 7))


def test_a_segment_that_is_stored_twice_counts_once() -> None:
    primary = holding(stored_bytes=130 * SEGMENT, suffixes={"": 130}, repeated_count=65)
    assert lacking(primary, holding(without=(7,))).bytes == SEGMENT
