"""Compressed segments read to their ends as somebody asked: one that is cut begins as a whole one does."""

import random
from dataclasses import replace

import pytest

from tests.unit.bucket_bench import MIB, Bench, head, names
from tests.unit.memory_bucket import MemoryBucket, MemoryListing
from walconsole.adapters.decompress import PLAIN
from walconsole.domain.archive.listing import ReadThrough, StoredObject
from walconsole.domain.round_trips import Page
from walconsole.observe.bucket.reading_through import read_through

SIZE = 4 * MIB
COUNT, CUT = 12, 5


class Sized(MemoryBucket):
    """Whose listing tells the sizes of what it holds."""

    async def page(self, *, start_after: str = "", max_keys: int = 1000) -> Page:
        page = await super().page(start_after=start_after, max_keys=max_keys)
        sizes, first = self.contents, page.objects[0].modified_at if len(page.objects) else 0.0

        class Listing(MemoryListing):
            def __getitem__(self, position: int) -> StoredObject:  # type: ignore[override]  # no slices
                key = self.keys[position]
                return StoredObject(key, len(sizes[key]), first + position)

        return replace(page, objects=Listing(page.objects.keys, 0, {}))


def stored() -> Sized:
    """Segments that do not compress, one of them cut short behind the first MiB."""
    chance = random.Random(7)  # noqa: S311  # no secret
    bucket = Sized()
    for number, name in enumerate(names(*range(1, COUNT + 1)), 1):
        body = PLAIN.packed("zst", head(9, SIZE) + chance.randbytes(SIZE - 40))
        bucket.contents[f"{name}.zst"] = body[: 2 * MIB] if number == CUT else body
    bucket.add(*bucket.contents)
    return bucket


async def test_one_that_is_cut_behind_its_first_mib_is_named_and_stays_so() -> None:
    bench = Bench(stored(), segment_bytes=SIZE)
    before = await bench.settle()
    assert not [each for each in before.sampled if each.problem], "no sample reads so far"
    read = await bench.reader.read_through()
    (bad,) = names(CUT)
    assert (read.segments, read.stored, read.unfit) == (COUNT, COUNT, (bad,))
    assert f"1 NOT whole, the first {bad}" in read.text
    for _ in range(2):
        bench.probe.refresh()
        told = [each for each in (await bench.settle()).sampled if each.problem]
        assert [each.name for each in told] == [bad]
        assert "cut off" in told[0].problem


@pytest.mark.parametrize(("budget", "segments", "too_large"), [(1, 0, 8), (9 * MIB, 2, 8), (64 * MIB, 12, 0)])
async def test_no_more_is_read_than_may_be(budget: int, segments: int, too_large: int) -> None:
    bench = Bench(stored(), segment_bytes=SIZE)
    await bench.settle()
    holding = bench.probe.picture.holding if bench.probe.picture is not None else None
    assert holding is not None
    read, _ = await read_through(holding, bench.bucket, PLAIN, 0.0, budget)
    assert read.stored_bytes <= budget
    assert (read.segments, read.too_large) == (segments, too_large)


def test_how_it_is_told() -> None:
    assert ReadThrough(12, 3 * MIB, 400).text == "12 segments of 400 read to the end, 3.00 MiB: all whole"
    assert ReadThrough(1, MIB, 9, (), 3).text.endswith("; 3 too large for the rest of what may be read")
