"""An object that is replaced under its key is read again: by what a poll's own listing says of it."""

import pytest

from tests.unit.bucket_bench import Bench, head, name, names
from tests.unit.memory_bucket import MemoryBucket, refusal
from walconsole.domain.facts.observed import BucketFacts
from walconsole.errors import ObjectStoreError
from walconsole.observe.bucket.probe import CHECK_EVERY_S

NEWEST, OLDEST = name(9), name(1)


def systems(facts: BucketFacts) -> list[str]:
    """Of the newest segment's head, then the oldest's; or why it could not be read."""
    return [each.header.system_identifier if each.header else each.problem for each in facts.identities]


async def settled(contents: dict[str, bytes]) -> Bench:
    """A bucket with nine segments and these contents, looked at."""
    bucket = MemoryBucket(names(*range(1, 10)))
    bucket.contents = {key: head(111) for key in names(*range(1, 10))} | contents
    bucket.etags = dict.fromkeys(bucket.keys, "one")
    bench = Bench(bucket)
    await bench.settle()
    return bench


def replace(bench: Bench, key: str, content: bytes, etag: str) -> None:
    bench.bucket.contents[key], bench.bucket.etags[key] = content, etag


async def test_the_newest_segment_is_read_again_at_the_next_poll() -> None:
    bench = await settled({NEWEST: b"<html>502 Bad Gateway</html>" * 40})
    facts = await bench.take()
    assert facts.identities[0].problem
    replace(bench, NEWEST, head(111), "two")
    facts = await bench.take()
    assert systems(facts) == ["111", "111"]
    assert facts.unread == ()


async def test_a_good_one_that_is_spoilt_is_told_too() -> None:
    bench = await settled({})
    replace(bench, NEWEST, head(222), "two")
    assert systems(await bench.take()) == ["222", "111"]


async def test_it_costs_nothing_while_nothing_is_replaced_and_one_reading_when_it_is() -> None:
    bench = await settled({})
    assert len(await bench.requests()) == 1
    replace(bench, NEWEST, head(222), "two")
    asked = await bench.requests()
    assert [request for request in asked if request[0] == NEWEST] != []
    assert len(await bench.requests()) == 1
    assert len(await bench.requests()) == 1


async def test_one_that_is_replaced_right_after_it_was_listed() -> None:
    """The listing of the poll is older than what is read: the next one tells."""
    bucket = MemoryBucket(names(*range(1, 10)))
    bucket.contents = dict.fromkeys(bucket.keys, b"nothing of WAL" * 9)
    bucket.etags = dict.fromkeys(bucket.keys, "one")
    bench = Bench(bucket)
    facts = await bench.settle()
    assert facts.identities[0].problem
    replace(bench, NEWEST, head(111), "two")
    assert systems(await bench.take())[0] == "111"


async def test_the_oldest_is_looked_at_once_a_minute() -> None:
    bench = await settled({OLDEST: head(222)})
    replace(bench, OLDEST, head(111), "two")
    bench.clock.at += CHECK_EVERY_S
    await bench.take()
    assert systems(await bench.take()) == ["111", "111"]


@pytest.mark.parametrize("etag", ["one", "two"])
async def test_what_two_archives_share_is_compared_again_when_it_is_replaced(etag: str) -> None:
    bucket = MemoryBucket([*names(*range(1, 10)), f"old/{NEWEST}", f"old/{name(8)}"])
    bucket.contents = dict.fromkeys(bucket.keys, head(111))
    bucket.etags = dict.fromkeys(bucket.keys, "one")
    bench = Bench(bucket)
    (shared,) = (await bench.settle()).shared
    assert shared.identical is True
    replace(bench, f"old/{NEWEST}", head(111), etag)  # of the archive that was written to last
    (shared,) = (await bench.take()).shared
    assert shared.identical is (etag == "one")


async def test_the_same_name_with_different_content_is_the_same_again_at_once() -> None:
    bucket = MemoryBucket([*(f"2026/08/01/{each}" for each in names(1, 2, 3)), f"2026/08/02/{name(3)}"])
    bucket.contents = dict.fromkeys(bucket.keys, head(111))
    bucket.etags = dict.fromkeys(bucket.keys, "one") | {f"2026/08/02/{name(3)}": "other"}
    bench = Bench(bucket)
    (repeat,) = (await bench.settle()).repeats
    assert repeat.identical is False
    replace(bench, f"2026/08/02/{name(3)}", head(111), "one")
    (repeat,) = (await bench.take()).repeats
    assert repeat.identical is True


async def test_without_etags_its_time_tells() -> None:
    bench = await settled({})
    bench.bucket.etags = {}
    await bench.take()
    assert len(await bench.requests()) == 1
    bench.bucket.contents[NEWEST] = head(222)
    bench.bucket.keys.insert(0, "!")  # MemoryBucket's times are positions
    assert systems(await bench.take())[0] == "222"


async def test_a_store_that_fails_while_it_is_read_again_is_asked_again() -> None:
    bench = await settled({})
    replace(bench, NEWEST, head(222), "two")
    bench.bucket.reading_fails = [refusal("SlowDown")]
    with pytest.raises(ObjectStoreError, match="SlowDown"):
        await bench.take()
    assert systems(await bench.take())[0] == "222"
