"""A saved index is taken up again only where the bucket still is what it says."""

from collections.abc import Callable

import pytest

from tests.unit.bucket_bench import Bench, KeptShelf, head, name, names
from tests.unit.memory_bucket import MemoryBucket, MemoryListing
from walconsole.domain.archive.listing import StoredObject
from walconsole.observe.bucket.sweep import SWEEP_EVERY_S


async def saved(bucket: MemoryBucket) -> KeptShelf:
    """What a session on `bucket` leaves."""
    bench = Bench(bucket)
    await bench.settle()
    await bench.probe.save()
    assert bench.shelf.document is not None
    return bench.shelf


def many() -> MemoryBucket:
    return MemoryBucket(name(number) for number in range(1, 10_001) if number != 5000)


async def test_what_was_saved_is_taken_up_without_a_sweep() -> None:
    bucket = many()
    before = Bench(bucket)
    await before.settle()
    await before.probe.save()
    bucket.add(name(10_001), name(10_002))
    again = Bench(bucket, shelf=before.shelf)
    bucket.requests.clear()
    facts = await again.take()
    assert facts.remembered
    assert facts.complete
    assert len(bucket.requests) < 12
    assert (facts.segments, facts.newest_segment, facts.gap_count) == (10_001, name(10_002), 1)
    assert (facts.objects, facts.swept_at) == (10_001, before.clock.now())


async def test_a_look_goes_on_from_the_one_before_and_reads_nothing_again() -> None:
    """What was read of objects holds while their listing says the same; one that was replaced is read."""
    bucket, ours = many(), head(7)
    for key in (name(1), name(10_000)):
        bucket.contents[key], bucket.etags[key] = ours, '"one"'
    before = Bench(bucket, system="7")
    facts = await before.settle()
    bucket.requests.clear()
    again = Bench(bucket, system="7", picture=before.probe.picture)
    assert await again.settle() == facts
    assert [after.rstrip("~") for after, _ in bucket.requests] == [
        "000000010000000000000000",  # is the oldest there?
        name(0x26F0),  # what is new? from 32 below the newest on
        "base/",
        "walconsole/drills/",
        name(4_999),  # was the gap filled?
    ]
    assert again.shelf.saves == 0
    bucket.etags[name(10_000)] = '"two"'
    bucket.contents[name(10_000)] = head(8)
    third = Bench(bucket, system="7", picture=again.probe.picture)
    assert (await third.settle()).identities != facts.identities


async def test_a_look_that_goes_on_from_another_sees_that_the_oldest_is_gone() -> None:
    bucket = many()
    before = Bench(bucket)
    await before.settle()
    bucket.keys.remove(name(1))
    facts = await Bench(bucket, picture=before.probe.picture).settle()
    assert (facts.segments, facts.remembered) == (9_998, False), "it was listed anew"


async def test_a_session_saves_when_it_ends_and_not_again_without_news() -> None:
    bench = Bench(many())
    await bench.settle()
    await bench.probe.save()
    first = bench.shelf.saves
    await bench.probe.save()
    assert bench.shelf.saves == first
    bench.bucket.add(name(10_001))
    await bench.take()
    await bench.probe.save()
    assert bench.shelf.saves == first + 1


def _remove(*numbers: int) -> Callable[[MemoryBucket], None]:
    def change(bucket: MemoryBucket) -> None:
        for number in numbers:
            bucket.keys.remove(name(number))

    return change


def _empty(bucket: MemoryBucket) -> None:
    bucket.keys = []


def _other(bucket: MemoryBucket) -> None:
    bucket.keys = names(1, 2, 3)


def _every_tile(bucket: MemoryBucket) -> None:
    bucket.keys = [key for at, key in enumerate(bucket.keys) if at % 100 or at in (0, len(bucket.keys) - 1)]


@pytest.mark.parametrize("change", [_remove(10_000), _remove(1), _empty, _other, _every_tile])
async def test_a_bucket_that_changed_is_swept(change: Callable[[MemoryBucket], None]) -> None:
    shelf = await saved(many())
    bucket = many()
    change(bucket)
    bench = Bench(bucket, shelf=shelf)
    facts = await bench.take()
    assert not facts.remembered
    assert facts.objects == len(bucket.keys)


@pytest.mark.parametrize("deleted", [2, 250, 498])
async def test_a_small_bucket_is_compared_whole(deleted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryListing, "modified_at", lambda *_: 7.0)
    monkeypatch.setattr(MemoryListing, "__getitem__", lambda page, at: StoredObject(page.keys[at], 16, 7.0))
    bucket = MemoryBucket(name(number) for number in range(1, 500))
    shelf = await saved(bucket)
    assert (await Bench(bucket, shelf=shelf).settle()).remembered
    bucket.keys.remove(name(deleted))
    bucket.add(name(500))
    facts = await Bench(bucket, shelf=shelf).settle()
    assert (facts.remembered, facts.missing_segments) == (False, 1)


@pytest.mark.parametrize("document", [b"", b"{}", b"\x00\xff", b'{"version": 99}'])
async def test_what_cannot_be_read_is_swept(document: bytes) -> None:
    bench = Bench(many(), shelf=KeptShelf(document))
    facts = await bench.take()
    assert (facts.remembered, facts.segments) == (False, 9999)


async def test_what_was_saved_for_another_bucket_is_not_taken() -> None:
    shelf = await saved(many())
    bench = Bench(many(), shelf=shelf, name="elsewhere")
    assert not (await bench.take()).remembered


async def test_an_old_one_is_shown_until_the_sweep_that_is_due_is_done() -> None:
    bucket = many()
    shelf = await saved(bucket)
    bench = Bench(bucket, shelf=shelf)
    bench.clock.at += SWEEP_EVERY_S + 1
    facts = await bench.take()
    assert facts.complete
    assert facts.segments == 9999
    assert not (await bench.settle()).remembered


async def test_one_from_the_future_is_swept_within_a_day() -> None:
    bucket = many()
    before = Bench(bucket)
    before.clock.at += 365 * SWEEP_EVERY_S
    await before.settle()
    await before.probe.save()
    bench = Bench(bucket, shelf=before.shelf)
    assert (await bench.settle()).remembered
    bench.clock.at += SWEEP_EVERY_S
    assert not (await bench.settle()).remembered


async def test_what_was_listed_a_moment_ago_is_not_listed_again() -> None:
    bucket = many()
    again = Bench(bucket, shelf=await saved(bucket))
    await again.take()
    bucket.requests.clear()
    again.system = "7000000000000000001"  # the server answers: of one archive it is no other look
    await again.take()
    asked = len(bucket.requests)
    assert 4 <= asked <= 10, (
        "two segments' heads, where the oldest one is, at the gap; and of up to three more"
    )
    assert again.probe.picture is not None
    assert again.probe.picture.checked_at == again.clock.now()
    again.system = "7000000000000000002"
    await again.take()
    assert len(bucket.requests) == asked + 1, "the poll"


async def test_what_was_listed_long_ago_is_listed_again() -> None:
    bucket = many()
    again = Bench(bucket, shelf=await saved(bucket))
    await again.take()
    again.clock.at += 60.0  # paused meanwhile
    bucket.add(name(10_001))
    bucket.requests.clear()
    facts = await again.take()
    assert facts.newest_segment == name(10_001)
    assert ("base/", 1000) in bucket.requests
