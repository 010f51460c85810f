"""A sweep sees every key once, whatever the keys are, in however many ranges."""

import asyncio
from collections import Counter
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.memory_bucket import MemoryBucket, refusal
from walconsole.domain.archive.index import ArchiveIndex
from walconsole.domain.round_trips import Page
from walconsole.domain.wal import Segment
from walconsole.errors import ObjectStoreError
from walconsole.observe.bucket.sweep import Sweep

MIB = 1024 * 1024


class Seen:
    """What the sweep told, key by key."""

    def __init__(self) -> None:
        self.keys: Counter[str] = Counter()
        self.after = True

    def page(self, page: Page, count: int, after: str) -> None:
        keys = page.objects.keys[:count]
        self.after = self.after and all(key > after for key in keys)
        self.keys.update(keys)


def sweep_of(bucket: MemoryBucket, prefix: str = "") -> tuple[Sweep, Seen]:
    seen = Seen()
    return Sweep(bucket, ArchiveIndex(prefix), seen.page), seen


def assert_all_seen_once(bucket: MemoryBucket, sweep: Sweep, seen: Seen) -> None:
    assert seen.keys == Counter(bucket.keys)
    assert seen.after  # every page begins after the key that it is said to
    naive = ArchiveIndex()
    naive.fold(bucket.keys)
    assert _runs(sweep.index) == _runs(naive)
    assert (sweep.index.foreign, sweep.index.impossible) == (naive.foreign, naive.impossible)


def _runs(index: ArchiveIndex) -> object:
    return {
        place: {timeline: list(runs) for timeline, runs in archive.timelines.items()}
        for place, archive in index.archives.items()
    }


def flat(number: int) -> str:
    return Segment(1 + number // 5000, number).name() + ".zst"


def dated(number: int) -> str:
    return f"2026/{1 + number // 2800 % 12:02d}/{1 + number // 100 % 28:02d}/{Segment(1, number).name()}"


def barman(number: int) -> str:
    name = Segment(1, number).name()
    return f"main/wals/{name[:16]}/{name}.gz"


segments = st.sets(st.integers(1, 10_000), max_size=300)
stretches = st.tuples(st.integers(1, 9_000), st.integers(0, 900)).map(lambda p: set(range(p[0], p[0] + p[1])))
others = st.sets(
    st.sampled_from(["00000002.history", "0", "NOTES.txt", "zz/top", "base/x", "wal_005/q", "~"])
)


@settings(deadline=None)
@given(
    st.one_of(segments, stretches, st.builds(set.union, segments, stretches)),
    st.sampled_from([flat, dated, barman]),
    others,
    st.integers(3, 50),
    st.sampled_from([0.0, 0.02, 0.5]),
)
def test_every_key_is_seen_once(
    numbers: set[int], key: object, strange: set[str], page_keys: int, seconds: float
) -> None:
    assert callable(key)
    bucket = MemoryBucket({key(number) for number in numbers} | strange, page_keys, seconds)
    sweep, seen = sweep_of(bucket)
    assert asyncio.run(sweep.advance())
    assert_all_seen_once(bucket, sweep, seen)


async def test_over_fetch_is_bounded() -> None:
    bucket = MemoryBucket((Segment(1, n).name() for n in range(1, 100_001)), seconds=0.1)
    sweep, seen = sweep_of(bucket)
    await sweep.advance()
    assert_all_seen_once(bucket, sweep, seen)
    full_pages = [request for request in bucket.requests if request[1] == 1000]
    assert len(full_pages) <= 100 + 64 + 1
    assert len(bucket.requests) - len(full_pages) <= 32


async def test_a_bucket_of_one_page_is_one_request() -> None:
    bucket = MemoryBucket(flat(number) for number in range(1, 900))
    sweep, _ = sweep_of(bucket)
    assert await sweep.advance()
    assert bucket.requests == [("", 1000)]


async def test_a_sweep_goes_on_where_a_failure_or_the_time_stopped_it() -> None:
    bucket = MemoryBucket((Segment(1, n).name() for n in range(1, 40_001)), seconds=0.05)

    answers = count(1)

    def fail_now_and_then() -> None:
        if next(answers) in (1, 11, 60):  # the first page, a survey's request, one of many ranges
            bucket.failures = [refusal("InternalError")]

    bucket.on_page = fail_now_and_then
    sweep, seen = sweep_of(bucket)
    stops = 0
    while not sweep.complete:
        try:
            await sweep.advance(0.002)
        except ObjectStoreError:
            stops += 1
    assert stops == 3
    assert_all_seen_once(bucket, sweep, seen)


async def test_a_cancelled_sweep_can_be_taken_up_again() -> None:
    bucket = MemoryBucket((Segment(1, n).name() for n in range(1, 40_001)), seconds=0.05)
    sweep, seen = sweep_of(bucket)
    task = asyncio.create_task(sweep.advance())

    def cancel_in_the_middle() -> None:
        if len(bucket.requests) >= 20:
            task.cancel()

    bucket.on_page = cancel_in_the_middle
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await sweep.advance()
    assert_all_seen_once(bucket, sweep, seen)


async def test_a_store_that_ignores_start_after_does_not_hold_the_sweep_for_ever() -> None:
    class Deaf(MemoryBucket):
        async def page(self, *, start_after: str = "", max_keys: int = 1000) -> Page:
            return await super().page(max_keys=max_keys)

    sweep, _ = sweep_of(Deaf((flat(number) for number in range(1, 3000)), page_keys=100))
    async with asyncio.timeout(10):
        assert await sweep.advance()
