"""The bucket's probe: the first sweep, polls of what is new, and when it looks at everything again."""

import gzip
import os
import random

import pytest
import zstandard

from tests.data.facts import wal_disk
from tests.unit.bucket_bench import MIB, Bench, head, name, names
from tests.unit.memory_bucket import MemoryBucket, refusal
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.round_trips import ObjectContent
from walconsole.domain.wal import Segment
from walconsole.errors import ObjectStoreError
from walconsole.observe.bucket.probe import CHECK_EVERY_S
from walconsole.observe.bucket.sweep import SWEEP_AGAIN_S, SWEEP_EVERY_S


async def test_the_facts_of_a_small_bucket() -> None:
    bench = Bench(
        MemoryBucket([*names(3, 4, 6, 7), "00000001.history", "verify.probe", "wal_005/" + name(2)])
    )
    facts = await bench.settle()
    assert facts.complete
    assert (facts.objects, facts.stored_bytes, facts.segments, facts.foreign_objects) == (7, 7 * 16, 1, 1)
    assert facts.layout.startswith("WAL-G")  # MemoryBucket's times rise with the keys
    assert facts.other_archives == (": NAME",)


async def test_gaps_newest_and_oldest() -> None:
    facts = await Bench(MemoryBucket([*names(3, 4, 6, 9), "00000001.history"])).take()
    assert [(gap.first, gap.last, gap.segments) for gap in facts.gaps] == [
        (name(5), name(5), 1),
        (name(7), name(8), 2),
    ]
    assert (facts.gap_count, facts.missing_segments) == (2, 3)
    assert (facts.oldest_segment, facts.newest_segment, facts.newest_key) == (name(3), name(9), name(9))
    assert facts.newest_at == 4.0
    assert facts.histories == ("00000001.history",)
    assert facts.store_clock_offset_s == 0.0


async def test_an_empty_bucket_is_no_failure_and_one_request() -> None:
    bench = Bench(MemoryBucket())
    facts = await bench.take()
    assert (facts.objects, facts.newest_segment, facts.newest_at, facts.complete) == (0, None, None, True)
    assert await bench.requests() == [("", 1000)]
    bench.bucket.add(name(1))
    assert (await bench.take()).newest_segment == name(1)


async def test_nothing_new_is_one_request() -> None:
    bench = Bench(MemoryBucket(name(number) for number in range(1, 5001)))
    first = await bench.settle()
    assert await bench.requests() == [(name(5000 - 32), 200)]
    assert await bench.take() == first


@pytest.mark.parametrize("tail", [(), ("notes.txt",), tuple(f"zz/{n}" for n in range(500))])
async def test_new_segments_are_found_whatever_lies_behind_them(tail: tuple[str, ...]) -> None:
    bench = Bench(MemoryBucket([*(name(number) for number in range(1, 2001)), *tail]))
    before = await bench.take()
    bench.bucket.add(*(name(number) for number in range(2001, 4001)))
    after = await bench.take()
    assert (after.segments, after.newest_segment) == (4000, name(4000))
    assert after.objects == before.objects + 2000
    assert after.stored_bytes == before.stored_bytes + 2000 * 16
    assert after.gap_count == 0


async def test_a_segment_that_comes_late_closes_its_gap() -> None:
    bench = Bench(MemoryBucket(names(1, 2, 3, 5, 6)))
    assert (await bench.take()).missing_segments == 1
    bench.bucket.add(name(4))
    facts = await bench.take()
    assert (facts.gap_count, facts.segments, facts.objects, facts.repeated_segments) == (0, 6, 6, 0)


async def test_a_new_timeline_is_found_by_a_poll() -> None:
    bench = Bench(MemoryBucket(names(1, 2, 3)))
    await bench.take()
    bench.bucket.add("00000002.history", name(3, 2), name(4, 2))
    facts = await bench.take()
    assert (facts.newest_segment, facts.segments, facts.gap_count) == (name(4, 2), 5, 0)
    assert facts.histories == ("00000002.history",)


async def test_a_history_beside_the_folders_of_logs_is_found_by_a_poll() -> None:
    bench = Bench(MemoryBucket(f"{name(n)[:16]}/{name(n)}" for n in (1, 2, 3)))
    await bench.settle()
    bench.bucket.add("00000002.history", f"{name(3, 2)[:16]}/{name(3, 2)}")
    facts = await bench.take()
    assert facts.continuity is not None
    assert (facts.newest_segment, facts.continuity.unreachable) == (name(3, 2), ())
    assert (await bench.take()).objects == 5


async def test_the_dated_layout_is_polled_across_midnight() -> None:
    bench = Bench(MemoryBucket([f"2026/08/31/{name(1)}", f"2026/08/31/{name(2)}"]))
    await bench.take()
    bench.bucket.add(f"2026/09/01/{name(2)}", f"2026/09/01/{name(3)}")
    facts = await bench.take()
    assert (facts.segments, facts.repeated_segments, facts.newest_key) == (3, 1, f"2026/09/01/{name(3)}")


async def test_a_long_first_sweep_is_shown_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("walconsole.observe.bucket.probe.SLICE_S", 0.001)
    bench = Bench(MemoryBucket(name(number) for number in range(1, 200_001)))
    facts = await bench.take()
    assert not facts.complete
    assert bench.woken == ["S3 LIST shithub-wal"]
    while not facts.complete:
        seen, facts = facts.objects, await bench.take()
        assert facts.objects >= seen
    assert (facts.objects, facts.segments, facts.gap_count) == (200_000, 200_000, 0)


async def test_a_long_sweep_lets_nothing_fall_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(MemoryBucket((name(number) for number in range(1, 20_001)), page_keys=100))
    await bench.settle()
    monkeypatch.setattr("walconsole.observe.bucket.probe.SLICE_S", 0.0)
    bench.probe.refresh()
    shown = []
    for number in range(20_001, 20_007):
        bench.bucket.add(name(number))
        bench.clock.at += 60
        shown.append((await bench.take()).newest_segment)
    assert shown == [name(number) for number in range(20_001, 20_007)]
    monkeypatch.undo()
    await bench.take()
    bench.bucket.add(name(20_007))
    assert (await bench.settle()).newest_segment == name(20_007)


async def test_a_finished_sweep_knows_what_came_while_it_ran() -> None:
    backups = (f"base/{number:05d}" for number in range(5000))
    bench = Bench(MemoryBucket([*(name(number) for number in range(1, 2001)), *backups]))

    def archive_meanwhile() -> None:
        if any(after > "base/02" for after, _ in bench.bucket.requests):
            bench.bucket.add(name(2001), name(2002))

    bench.bucket.on_page = archive_meanwhile
    assert (await bench.take()).newest_segment == name(2002)


async def test_a_fact_is_as_old_as_its_newest_keys() -> None:
    bench = Bench(MemoryBucket(name(number) for number in range(1, 300) if number % 20))
    await bench.settle()
    bench.clock.at += CHECK_EVERY_S

    def slowly() -> None:
        bench.clock.at += 2.0

    began, bench.bucket.on_page = bench.clock.at, slowly
    (fact,) = await bench.probe.take()
    assert bench.clock.at > began + 20  # each known gap is looked at
    assert fact.read_at == began + 2


@pytest.mark.parametrize("why", ["a day", "refresh"])
async def test_a_deletion_far_below_is_seen_by_the_next_sweep(why: str) -> None:
    bench = Bench(MemoryBucket(name(number) for number in range(1, 101)))
    await bench.settle()
    bench.bucket.keys.remove(name(20))
    bench.clock.at += CHECK_EVERY_S
    assert (await bench.settle()).gap_count == 0
    if why == "a day":
        bench.clock.at += SWEEP_EVERY_S
    else:
        bench.probe.refresh()
    assert (await bench.settle()).gap_count == 1


async def test_an_emptied_bucket_is_seen_by_the_next_poll_and_asked_once_from_then_on() -> None:
    bench = Bench(MemoryBucket(name(number) for number in range(1, 101)))
    await bench.settle()
    bench.bucket.keys = ["notes.txt"]
    bench.clock.at += 5
    assert (await bench.settle()).segments == 0
    bench.clock.at += 5
    assert await bench.requests() == [("", 1000)]


async def test_what_contradicts_again_and_again_asks_for_a_sweep_now_and_then() -> None:
    bench = Bench(MemoryBucket(name(number) for number in range(1, 101)), archived=name(101))
    await bench.settle()
    for _ in range(25):
        bench.clock.at += CHECK_EVERY_S
        await bench.settle()
    sweeps = [request for request in bench.bucket.requests if request[0] == ""]
    assert len(sweeps) == 1 + 1 + 25 * CHECK_EVERY_S // SWEEP_AGAIN_S


@pytest.mark.parametrize("deleted", [1, 97, 100])
async def test_a_deletion_at_either_end_asks_for_a_sweep(deleted: int) -> None:
    bench = Bench(MemoryBucket(name(number) for number in range(1, 101)))
    await bench.settle()
    bench.bucket.keys.remove(name(deleted))
    bench.clock.at += SWEEP_AGAIN_S
    await bench.settle()
    facts = await bench.settle()
    assert (facts.segments, facts.objects) == (99, 99)


@pytest.mark.parametrize("layout", ["{0}", "{1}/{0}", "2026/08/{2}/{0}", "wal_005/{0}.lz4"])
async def test_nothing_deleted_asks_for_no_sweep(layout: str) -> None:
    keys = (layout.format(name(n), name(n)[:16], 1 + n // 40) for n in range(200, 300))
    bench = Bench(MemoryBucket(keys))
    await bench.settle()
    for _ in range(3):
        bench.clock.at += SWEEP_AGAIN_S
        await bench.settle()
    assert [request for request in bench.bucket.requests if request[0] == ""] == [("", 1000)]


async def test_what_postgresql_archived_and_nobody_sees_asks_for_a_sweep() -> None:
    bench = Bench(MemoryBucket(name(n) for n in range(1, 10)), archived=name(11))
    await bench.settle()
    bench.bucket.add(*(f"wal_005/{name(n)}.zst" for n in (10, 11)))  # the command was changed
    assert (await bench.take()).newest_segment == name(9)
    bench.clock.at += SWEEP_AGAIN_S
    await bench.settle()
    facts = await bench.settle()
    assert (facts.layout[:5], facts.newest_segment) == ("WAL-G", name(11))
    assert facts.other_archives == (": NAME",)


async def test_a_gap_that_is_filled_far_below_is_closed_within_a_minute() -> None:
    bench = Bench(MemoryBucket(name(n) for n in range(1, 1000) if n not in (100, 101, 102)))
    facts = await bench.settle()
    assert (facts.gap_count, facts.missing_segments) == (1, 3)
    assert facts.gaps[0].until_at == float(99)  # MemoryBucket's times are positions
    bench.bucket.add(name(101))
    bench.clock.at += CHECK_EVERY_S
    facts = await bench.settle()
    assert [(gap.first, gap.last) for gap in facts.gaps] == [(name(100), name(100)), (name(102), name(102))]
    assert facts.objects == 997


async def test_an_accepted_gap_is_no_open_gap() -> None:
    bench = Bench(MemoryBucket(names(1, 2, 5, 6, 8)))
    facts = await bench.settle()
    bench.reader.accept(facts.gaps[0], "lost with the old disk")
    facts = await bench.settle()
    assert [(gap.first, gap.last) for gap in facts.gaps] == [(name(7), name(7))]
    assert (facts.gap_count, facts.missing_segments) == (1, 1)
    (known,) = facts.accepted_gaps
    assert (known.first, known.last, known.reason, known.by) == (
        name(3),
        name(4),
        "lost with the old disk",
        "tester",
    )
    bench.reader.withdraw(known)
    assert (await bench.settle()).gap_count == 2


async def test_a_gap_is_accepted_while_a_sweep_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(MemoryBucket(name(n) for n in range(1, 5000) if n != 70))
    facts = await bench.settle()
    monkeypatch.setattr("walconsole.observe.bucket.probe.SLICE_S", 0.0)
    bench.probe.refresh()
    assert (await bench.take()).progress is not None
    bench.reader.accept(facts.gaps[0], "lost with the old disk")
    facts = await bench.take()
    assert (facts.gap_count, len(facts.accepted_gaps), facts.progress is None) == (0, 1, False)


async def test_an_archive_that_began_after_a_promotion_is_not_swept_for_ever() -> None:
    bench = Bench(MemoryBucket(name(n, 2) for n in range(100, 200)))
    await bench.settle()
    for _ in range(3):
        bench.clock.at += SWEEP_AGAIN_S
        await bench.settle()
    assert [request for request in bench.bucket.requests if request[0] == ""] == [("", 1000)]


async def test_histories_are_read_and_followed() -> None:
    bucket = MemoryBucket([*names(1, 2, 3), "00000002.history", name(3, 2), name(5, 2)])
    bucket.contents["00000002.history"] = b"1\t0/3000028\tno recovery target specified\n"
    facts = await Bench(bucket).settle()
    assert facts.histories_read[2].switches[0].lsn == 0x3000028
    assert facts.continuity is not None
    assert [(leg.timeline, leg.first, leg.last) for leg in facts.continuity.path] == [(1, 1, 2), (2, 3, None)]
    assert [(gap.first, gap.last) for gap in facts.gaps] == [(name(4, 2), name(4, 2))]


async def test_what_cannot_be_read_is_said() -> None:
    bucket = MemoryBucket([*names(1, 2, 3), "00000002.history", name(3, 2)])
    bucket.contents["00000002.history"] = b"what is this"
    facts = await Bench(bucket).settle()
    assert any("00000002.history" in line for line in facts.unread)
    assert any(name(3, 2) in line for line in facts.unread)
    assert all(identity.header is None and identity.problem for identity in facts.identities)


async def test_a_compressed_segment_that_unpacks_to_more_is_told_by_its_head() -> None:
    """PostgreSQL refuses a file of another size than a segment's."""
    whole = head(7, MIB) + bytes(MIB - len(head(7, MIB)))
    keys = [f"{name(number)}.zst" for number in (1, 2, 3)]
    bucket = MemoryBucket(keys)
    pack = zstandard.ZstdCompressor().compress
    bucket.contents = {keys[0]: pack(whole), keys[2]: pack(whole + b"one more")}
    bench = Bench(bucket)
    bench.segment_bytes = MIB
    facts = await bench.settle()
    told = {identity.key: identity.problem for identity in facts.identities}
    assert told == {keys[0]: "", keys[2]: "it unpacks to more than a segment, 1,048,576 bytes"}
    assert all(identity.header is not None for identity in facts.identities), "whose it is can be told"


async def test_a_compressed_segments_head_is_asked_for_once() -> None:
    noise = random.Random(1).randbytes(64 * 1024)  # noqa: S311  # no secret: a block, of which 4 kB tell nothing
    bucket = MemoryBucket([f"{name(1)}.zst"])
    whole = head(1, MIB) + noise + bytes(MIB - len(noise) - len(head(1, MIB)))
    bucket.contents = {f"{name(1)}.zst": zstandard.ZstdCompressor().compress(whole)}
    bench = Bench(bucket, segment_bytes=MIB)
    asked: list[int] = []
    read = bucket.read

    async def note(key: str, count: int) -> ObjectContent:
        asked.append(count)
        return await read(key, count)

    bucket.read = note  # type: ignore[method-assign]
    facts = await bench.settle()
    assert facts.identities[0].header is not None
    assert len(asked) == 2, "as the newest and as the oldest"


async def test_another_segment_size_is_another_look(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(MemoryBucket(Segment(1, n).name(64 * MIB) for n in range(1, 200)))
    assert (await bench.take()).gap_count == 3
    bench.segment_bytes = 64 * MIB
    monkeypatch.setattr("walconsole.observe.bucket.probe.SLICE_S", 0.0)
    assert not (await bench.take()).complete
    monkeypatch.undo()
    facts = await bench.take()
    assert facts.complete
    assert (facts.gap_count, facts.segment_bytes) == (0, 64 * MIB)


async def test_names_tell_the_segment_size_while_the_server_is_silent() -> None:
    bench = Bench(MemoryBucket(Segment(1, n).name(64 * MIB) for n in range(1, 400)), segment_bytes=None)
    await bench.take()
    facts = await bench.take()
    assert (facts.gap_count, facts.segment_bytes) == (0, 64 * MIB)


@pytest.mark.parametrize("size", [1, 4, 64, 1024])
async def test_a_segment_tells_its_size_while_the_server_is_silent(size: int) -> None:
    first = 4096 // size  # of the second log
    bucket = MemoryBucket(Segment(1, n).name(size * MIB) for n in range(first - 2, first + 3))
    bucket.contents = dict.fromkeys(bucket.keys, head(111, size * MIB))
    bench = Bench(bucket, segment_bytes=None)
    facts = await bench.settle()
    assert (facts.segments, facts.gap_count, facts.segment_bytes) == (5, 0, size * MIB)
    assert await bench.requests() == [(Segment(1, max(0, first - 30)).name(size * MIB), 200)]


async def test_segments_that_tell_different_sizes_are_no_endless_look() -> None:
    bucket = MemoryBucket(names(1, 2, 3, 256, 257, 258))
    bucket.contents = {each: head(111, (64 if at % 2 else 1) * MIB) for at, each in enumerate(bucket.keys)}
    bench = Bench(bucket, segment_bytes=None)
    await bench.settle()
    for _ in range(3):
        bench.clock.at += CHECK_EVERY_S
        await bench.settle()
    assert len(await bench.requests()) == 1


async def test_a_bucket_that_was_deleted_and_made_anew_is_not_the_old_one() -> None:
    bench = Bench(MemoryBucket(names(1, 2)))
    await bench.take()
    bench.bucket.failures = [refusal("NoSuchBucket")]
    with pytest.raises(ObjectStoreError, match="NoSuchBucket"):
        await bench.take()
    bench.bucket.keys = []
    assert (await bench.take()).objects == 0


async def test_an_unreachable_store_forgets_nothing() -> None:
    bench = Bench(MemoryBucket(names(1, 2)))
    await bench.settle()
    bench.bucket.failures = [refusal("Unreachable")]
    with pytest.raises(ObjectStoreError):
        await bench.take()
    bench.bucket.add(name(3))
    assert await bench.requests() == [(name(0), 200)]


async def test_a_dated_copy_that_was_made_later_is_found_by_its_folders() -> None:
    days = [f"2026/{month:02d}/{day:02d}" for month in (1, 3, 5) for day in (1, 2, 28)]
    keys = [f"{day}/{name(10 * at + n)}" for at, day in enumerate(days, 1) for n in range(10)]
    bench = Bench(MemoryBucket(keys))  # all of them were stored in 1970
    await bench.settle()
    for number in (10, 14, 35, 99):
        stored = await bench.reader.locate(Segment(1, number))
        assert stored is not None
        assert stored.key.endswith(name(number))
    for _ in range(2):
        bench.clock.at += SWEEP_AGAIN_S
        await bench.settle()
    assert [request for request in bench.bucket.requests if request[0] == ""] == [("", 1000)]


@pytest.mark.parametrize("began", [20, 95])
async def test_the_label_of_a_backup_is_found_when_it_ends(began: int) -> None:
    bench = Bench(MemoryBucket(name(number) for number in range(1, 101)))
    await bench.settle()
    label = f"{name(began)}.00000028.backup"
    bench.bucket.add(label)
    bench.archived = label
    facts = await bench.take()
    assert facts.holding is not None
    assert facts.holding.labels == (Segment(1, began),)
    assert (facts.objects, facts.backup_labels) == (101, 1)
    assert (await bench.take()).backup_labels == 1


async def test_segments_in_two_places_are_told() -> None:
    keys = [*(f"wal/{name(n)}" for n in range(1, 10)), *(f"old/{name(n)}" for n in range(4, 12))]
    bench = Bench(MemoryBucket(keys))
    facts = await bench.settle()
    (shared,) = facts.shared
    assert (shared.place, shared.segments, shared.newest) == ("old/: FOLDER/NAME", 6, name(9))
    assert shared.identical is None  # MemoryBucket has no ETags, and one size
    bench.bucket.requests.clear()
    bench.clock.at += CHECK_EVERY_S
    await bench.settle()
    assert not [request for request in bench.bucket.requests if request[0].startswith("old/")]


async def test_what_could_not_be_read_does_not_pile_up() -> None:
    bench = Bench(MemoryBucket(f"{name(n)}.gpg" for n in range(1, 10)))
    facts = await bench.settle()
    for number in range(10, 30):
        bench.bucket.add(f"{name(number)}.gpg")
        bench.clock.at += CHECK_EVERY_S
        facts = await bench.settle()
        assert len(facts.unread) == 2
    assert [name(29) in line or name(1) in line for line in facts.unread] == [True, True]


def systems(facts: BucketFacts) -> set[str]:
    return {identity.header.system_identifier for identity in facts.identities if identity.header}


async def test_a_bucket_that_was_emptied_is_no_more_of_the_cluster_that_it_held() -> None:
    bench = Bench(MemoryBucket(names(1, 2, 3)))
    bench.bucket.contents = dict.fromkeys(names(1, 3), head(111))
    assert systems(await bench.settle()) == {"111"}
    bench.bucket.keys = []
    bench.probe.refresh()
    assert systems(await bench.settle()) == set()
    bench.bucket.add(*names(1, 2, 3))
    bench.bucket.contents = dict.fromkeys(names(1, 3), head(222))
    assert systems(await bench.settle()) == {"222"}


def two_clusters() -> MemoryBucket:
    """The other one's folder comes last, and so was written to last: MemoryBucket's times are positions."""
    bucket = MemoryBucket([f"{server}/wals/{each}" for server in "ab" for each in names(1, 2, 3)])
    bucket.contents = {key: head(111 if key[0] == "a" else 222) for key in bucket.keys}
    return bucket


async def test_of_two_clusters_in_one_bucket_the_servers_own_counts() -> None:
    bench = Bench(two_clusters(), system="111")
    assert not (await bench.take()).complete  # whose is it?
    facts = await bench.settle()
    assert (facts.complete, facts.folder, systems(facts)) == (True, "a/wals/", {"111"})
    bench.bucket.add(f"a/wals/{name(4)}")
    bench.bucket.contents[f"a/wals/{name(4)}"] = head(111)
    assert (await bench.take()).newest_segment == name(4)
    bench.probe.refresh()
    assert (await bench.settle()).folder == "a/wals/"


async def test_the_servers_own_archive_is_found_when_the_server_is_known() -> None:
    bench = Bench(two_clusters())
    assert (await bench.settle()).folder == "b/wals/"
    bench.system = "111"
    assert (await bench.settle()).folder == "a/wals/"
    bench.bucket.keys = [key for key in bench.bucket.keys if key[0] == "b"]
    bench.probe.refresh()
    assert (await bench.settle()).folder == "b/wals/"


async def test_where_no_archive_is_the_servers_it_is_not_sought_all_the_time() -> None:
    bench = Bench(two_clusters(), system="333")
    assert systems(await bench.settle()) == {"222"}
    assert len(await bench.requests()) == 1


async def test_what_objects_say_is_read_again_after_a_sweep() -> None:
    bench = Bench(MemoryBucket([*names(1, 2, 3), "00000002.history"]))
    bench.bucket.contents = dict.fromkeys(names(1, 3), head(111))
    bench.bucket.contents["00000002.history"] = b"1\t0/3000028\tno recovery target specified\n"
    await bench.settle()
    bench.bucket.contents = dict.fromkeys(names(1, 3), head(222))
    bench.bucket.contents["00000002.history"] = b"1\t0/2000028\tno recovery target specified\n"
    bench.probe.refresh()
    facts = await bench.take()
    assert (systems(facts), facts.histories_read[2].switches[0].lsn) == ({"111"}, 0x3000028)
    facts = await bench.settle()
    assert (systems(facts), facts.histories_read[2].switches[0].lsn) == ({"222"}, 0x2000028)


async def test_a_copy_that_differed_and_was_deleted_is_told_no_more() -> None:
    bench = Bench(MemoryBucket([name(1), name(2), f"{name(2)}.gz"]))
    facts = await bench.settle()
    assert [each.name for each in facts.repeats] == [name(2)]
    bench.bucket.keys.remove(f"{name(2)}.gz")
    bench.probe.refresh()
    assert (await bench.settle()).repeats == ()


async def test_histories_that_cannot_be_read_keep_no_other_from_its_turn() -> None:
    histories = [f"{timeline:08X}.history" for timeline in range(2, 32)]
    bucket = MemoryBucket([name(1), *histories, name(1, 31)])
    bucket.contents |= dict.fromkeys(histories[:-1], b"what is this")
    bucket.contents[histories[-1]] = b"1\t0/1000028\tpromoted\n"
    bench = Bench(bucket)
    await bench.settle()
    bench.clock.at += CHECK_EVERY_S
    facts = await bench.settle()
    assert list(facts.histories_read) == [31]
    assert facts.histories_read[31].switches[0].parent == 1


async def test_a_segment_size_that_is_known_with_the_first_page_is_no_second_sweep() -> None:
    bench = Bench(MemoryBucket(Segment(1, n).name(64 * MIB) for n in range(1, 200)), segment_bytes=None)

    def host_has_answered() -> None:
        bench.segment_bytes = 64 * MIB

    bench.bucket.on_page = host_has_answered
    facts = await bench.settle()
    assert (facts.complete, facts.gap_count, facts.segment_bytes) == (True, 0, 64 * MIB)
    assert bench.bucket.requests.count(("", 1000)) == 1


@pytest.mark.parametrize(
    ("wal_bytes", "files", "size"),
    [(6 * MIB, 6, MIB), (48 * MIB, 3, 16 * MIB), (0, 0, None), (None, None, None), (40, 2, None)],
)
def test_a_file_of_pg_wal_tells_the_segment_size(
    wal_bytes: int | None, files: int | None, size: int | None
) -> None:
    assert wal_disk(wal_bytes=wal_bytes, wal_files=files).segment_bytes == size


CUT = "its beginning is whole, and then: it is cut off: the end of what was compressed is not there"

BEGUN = "it is cut off: all its 30 bytes unpack to no page header"


@pytest.mark.parametrize("packed", ["whole", "half", "short", "begun"])
async def test_a_segment_in_the_midst_is_seen_to_its_end(packed: str) -> None:
    """Three of the archive's are, by chance: here there are no more, but its ends."""
    begins = head(7000000000000000001)
    segment = begins + bytes(16 * MIB - len(begins))
    whole = zstandard.compress(segment)
    contents = {
        "whole": whole,
        "half": whole[: len(whole) // 2],
        "short": zstandard.compress(segment[: 4 * MIB]),
        "begun": whole[:30],
    }
    bucket = MemoryBucket(f"{name(number)}.zst" for number in range(1, 4))
    bucket.contents = dict.fromkeys(bucket.keys, whole) | {f"{name(2)}.zst": contents[packed]}
    facts = await Bench(bucket).settle()
    found = facts.sampled[0]
    assert {each.key for each in facts.sampled} == {f"{name(2)}.zst"}
    assert (found.name, found.header is None) == (name(2), packed == "begun")
    short = f"it unpacks to {4 * MIB:,} bytes, and a segment has {16 * MIB:,}"
    assert found.problem == {"whole": "", "half": CUT, "short": short, "begun": BEGUN}[packed]
    assert facts.unread == ()


@pytest.mark.parametrize(
    ("number", "noise", "told"), [(1, 900_000, True), (3, 90_000, True), (3, 900_000, False)]
)
async def test_the_ends_of_an_archive_are_seen_to_their_end_where_they_are_small(
    number: int, noise: int, told: bool
) -> None:
    """A pipe whose compressor was killed leaves such a file, and says yes. The newest is read often."""
    begins = head(7000000000000000001)
    segment = begins + os.urandom(noise) + bytes(16 * MIB - len(begins) - noise)
    whole = gzip.compress(segment, 1)
    bucket = MemoryBucket(f"{name(each)}.gz" for each in range(1, 4))
    cut = {f"{name(number)}.gz": whole[: len(whole) * 2 // 3]}
    bucket.contents = dict.fromkeys(bucket.keys, whole) | cut
    facts = await Bench(bucket).settle()
    problems = {each.name: each.problem for each in facts.identities}
    assert problems == {name(each): CUT if told and each == number else "" for each in (1, 3)}


@pytest.mark.parametrize("count", [1, 2])
async def test_nothing_lies_between_the_ends_of_a_small_archive(count: int) -> None:
    bucket = MemoryBucket(name(number) for number in range(1, count + 1))
    bucket.contents = dict.fromkeys(bucket.keys, head(7000000000000000001))
    facts = await Bench(bucket).settle()
    assert (len(facts.identities), facts.sampled) == (2, ())
