"""What `/` understands on the archive screen, and where it leads."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.bucket_reader import KeysReader, plain_object, segment_keys
from tests.data.facts import SEGMENT
from tests.unit.test_ui_browser import holding
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.listing import StoredObject
from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.wal import Segment, format_lsn
from walconsole.ui.archive.navigation import find, parse_target

TODAY = datetime(2026, 5, 10, 15, 30, tzinfo=UTC)
NOW = TODAY.timestamp()


def meant(text: str, segment_bytes: int = SEGMENT, timeline: int = 1, near: Segment | None = None) -> object:
    return parse_target(text, NOW, segment_bytes, timeline, near)


@pytest.mark.parametrize(
    ("text", "segment"),
    [
        ("000000010000000000000041", Segment(1, 0x41)),
        (" 00000002000000030000000a ", Segment(2, 0x30A)),
        ("000000010000000000000041.zst", Segment(1, 0x41)),
        ("2026/05/10/000000010000000000000041", Segment(1, 0x41)),
        ("a/b/000000010000000000000041-0123abcd.gz", Segment(1, 0x41)),
        ("0/3000000", Segment(1, 3)),
        ("1/41", Segment(1, 0x100)),
        ("16/B374D848", Segment(1, 0x16B3)),
        ("1/0/41", Segment(1, 0x41)),
        ("2/a/ff", Segment(2, 0xAFF)),
        ("41", Segment(1, 0x41)),
        ("0000000200000041", Segment(1, 0x241)),
    ],
)
def test_segments_and_positions(text: str, segment: Segment) -> None:
    assert meant(text) == segment


def test_the_end_of_a_name_is_completed_by_the_segment_that_is_looked_at() -> None:
    near = Segment(2, 0x3_52)
    assert meant("41", near=near) == Segment(2, 0x341)
    assert meant("0000000041", near=near) == Segment(2, 0x41)
    assert meant("0/3000000", timeline=2, near=near) == Segment(2, 3)


def test_an_lsn_follows_the_segment_size() -> None:
    assert meant("0/4000000", segment_bytes=64 * 1024 * 1024) == Segment(1, 1)
    assert meant("0/4000000", segment_bytes=1024 * 1024, timeline=3) == Segment(3, 64)


@given(st.integers(1, 0xFFFF), st.integers(0, 2**64 - 1))
def test_every_lsn_leads_to_the_segment_that_holds_it(timeline: int, lsn: int) -> None:
    assert parse_target(format_lsn(lsn), NOW, SEGMENT, timeline) == Segment(timeline, lsn // SEGMENT)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-10", datetime(2026, 5, 10, tzinfo=UTC)),
        ("2026-05-10 14:00", datetime(2026, 5, 10, 14, tzinfo=UTC)),
        ("2026-05-10T14:00:59Z", datetime(2026, 5, 10, 14, 0, 59, tzinfo=UTC)),
        ("2026-05-10 14:00 UTC", datetime(2026, 5, 10, 14, tzinfo=UTC)),
        ("14:00", datetime(2026, 5, 10, 14, tzinfo=UTC)),
        ("15:30", TODAY),
        ("15:31", datetime(2026, 5, 9, 15, 31, tzinfo=UTC)),
        ("9:05:30z", datetime(2026, 5, 10, 9, 5, 30, tzinfo=UTC)),
        ("-2h", datetime(2026, 5, 10, 13, 30, tzinfo=UTC)),
        ("-30m", datetime(2026, 5, 10, 15, 0, tzinfo=UTC)),
        ("-1d12h", datetime(2026, 5, 9, 3, 30, tzinfo=UTC)),
    ],
)
def test_times_are_utc_and_the_latest_past_one(text: str, moment: datetime) -> None:
    assert meant(text) == moment.timestamp()


@pytest.mark.parametrize("text", ["", "yesterday", "-2", "0/", "1/2/3/4", "123456789/0", "2026-05", "x"])
def test_what_is_not_understood_says_what_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"go to a segment .* an LSN .* a time"):
        meant(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-02-30", "not a date and time of the calendar"),
        ("24:00", "not a date and time of the calendar"),
        ("000000010000000000000141", "its last field is at most 000000FF"),
        ("1/0/141", "its last field is at most 000000FF"),
    ],
)
def test_what_cannot_be_says_why(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        meant(text)


class Timed(StoredTimes):
    """Samples that name the nearest segment, whatever the real ones do."""

    def __init__(self, near: Segment | None) -> None:
        super().__init__()
        self.near = near

    def segment_near(self, at: float) -> Segment | None:  # the real one's signature
        return self.near


def archive(count: int, near: int | None, stored_at: Callable[[int], float]) -> tuple[KeysReader, Holding]:
    """Segments 1 to `count`, each stored at `stored_at(number)`; the samples point at `near`."""

    def stored(key: str) -> StoredObject:
        return replace(plain_object(key), modified_at=stored_at(Segment.parse(key[:24]).number))

    times = Timed(None if near is None else Segment(1, near))
    return KeysReader(segment_keys(count), stored=stored), replace(holding(1, count), times=times)


@pytest.mark.parametrize(("near", "most"), [(2_500, 1), (2_700, 1), (1_000, 4), (3_990, 4), (None, 4)])
async def test_a_time_leads_to_what_was_stored_at_or_after_it(near: int | None, most: int) -> None:
    reader, held = archive(5_000, near, lambda number: 60.0 * number)
    assert await find(reader, held, 60.0 * 2_500 - 59) == Segment(1, 2_500).name()
    assert len(reader.requests) <= most


async def test_a_time_at_a_page_s_edge_is_found_on_either_side() -> None:
    for wanted in (2_000, 2_001):
        for near in (1_990, 2_010):
            reader, held = archive(5_000, near, lambda number: 60.0 * number)
            assert await find(reader, held, 60.0 * wanted) == Segment(1, wanted).name()


async def test_times_beyond_the_ends_lead_to_the_ends() -> None:
    reader, held = archive(5_000, 10, lambda number: 60.0 * number)
    assert await find(reader, held, 0.0) == Segment(1, 1).name()
    reader, held = archive(5_000, 5_000, lambda number: 60.0 * number)
    assert await find(reader, held, 1e9) == Segment(1, 5_000).name()


async def test_parallel_writers_that_store_out_of_order_are_not_misread() -> None:
    reader, held = archive(900, 450, lambda number: 60.0 * (number ^ 1))
    assert await find(reader, held, 60.0 * 400) == Segment(1, 401).name()


async def test_the_search_gives_up_after_a_few_pages() -> None:
    reader, held = archive(50_000, 1, lambda number: 60.0 * number)
    key = await find(reader, held, 60.0 * 49_000)
    assert key == Segment(1, 4_000).name()
    assert len(reader.requests) == 4


async def test_a_missing_segment_leads_to_what_is_stored_after_it() -> None:
    runs = Runs()
    runs.add(1, 9)
    runs.add(20, 30)
    held = replace(holding(1, 30), timelines={1: runs})
    numbers = [*range(1, 10), *range(20, 31)]
    reader = KeysReader([Segment(1, number).name() for number in numbers])
    for asked, found in ((5, 5), (10, 20), (19, 20), (40, 30)):
        assert await find(reader, held, Segment(1, asked)) == Segment(1, found).name()
    assert await find(reader, held, Segment(7, 1)) is None


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=60), st.integers(0, 10_000))
async def test_on_one_page_the_nearest_time_at_or_after_is_found(stored: list[int], at: int) -> None:
    reader, held = archive(len(stored), 1, lambda number: float(stored[number - 1]))
    key = await find(reader, held, float(at))
    assert key is not None
    times = sorted(stored)
    place = bisect_left(times, at)
    best = times[place] if place < len(times) else times[-1]
    assert stored[Segment.parse(key).number - 1] == best
