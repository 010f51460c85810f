"""Base backups in a bucket: found by listing, read once, read again when they are others."""

import json
from pathlib import Path

import pytest

from tests.unit.bucket_bench import Bench, names
from tests.unit.memory_bucket import MemoryBucket, refusal
from tests.unit.test_recovery_descriptions import ID, OURS
from tests.unit.test_recovery_whereabouts import content, nights
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Unreadable, Writer
from walconsole.errors import ObjectStoreError
from walconsole.observe.bucket.backups import KnownBackups
from walconsole.observe.bucket.probe import CHECK_EVERY_S, REFUSED_AGAIN_S

WAL = names(*range(1, 60))
FOLDER = f"base/{ID}/"
MARKER = f"{FOLDER}backup.json"
DESCRIPTION = json.dumps(
    {**OURS, "objects": [{**each, "bytes": 16} for each in OURS["objects"]]}
).encode()  # an object in memory has 16 bytes


def bench(*keys: str) -> Bench:
    return Bench(MemoryBucket([*WAL, *keys]))


def back_up(at: Bench, content: bytes = DESCRIPTION) -> None:
    at.bucket.add(MARKER, f"{FOLDER}backup_manifest", f"{FOLDER}base.tar.zst")
    at.bucket.contents[MARKER] = content


def only(facts: BucketFacts) -> BaseBackup:
    assert facts.backups is not None
    (backup,) = facts.backups
    assert isinstance(backup, BaseBackup), backup
    return backup


def whole(facts: BucketFacts) -> list[BaseBackup]:
    return [
        each
        for each in facts.backups or ()
        if isinstance(each, BaseBackup) and each.completeness is Completeness.COMPLETE
    ]


async def test_that_there_is_none_is_known_with_the_first_listing_and_before_it_is_not() -> None:
    assert KnownBackups().found is None
    at = bench()
    assert (await at.take()).backups == ()
    assert (await at.settle()).backups == ()


async def test_the_first_look_reads_what_the_listing_brought() -> None:
    at = bench()
    back_up(at)
    facts = await at.take()
    assert facts.complete
    assert only(facts).id == ID


async def test_an_empty_bucket_has_none_and_takes_no_further_request() -> None:
    at = Bench(MemoryBucket())
    assert (await at.settle()).backups == ()
    assert await at.requests() == [("", 1000)]


async def test_one_is_read_once() -> None:
    at = bench()
    back_up(at)
    facts = await at.settle()
    assert (only(facts).id, only(facts).completeness) == (ID, Completeness.COMPLETE)
    at.clock.at += CHECK_EVERY_S + 1
    requests = await at.requests()
    assert (MARKER, 1024 * 1024 + 1) not in requests
    assert ("base/", 1000) in requests
    assert (await at.settle()).backups is facts.backups


async def test_a_first_one_is_seen_within_a_minute_where_nothing_lay_before() -> None:
    at = bench()
    await at.settle()
    back_up(at)
    at.clock.at += CHECK_EVERY_S - 1
    assert (await at.settle()).backups == ()
    at.clock.at += 2
    assert only(await at.settle()).id == ID


async def test_it_is_seen_at_once_when_its_label_was_archived() -> None:
    at = bench()
    await at.settle()
    back_up(at)
    at.archived = f"{WAL[-1]}.00000028.backup"
    at.clock.at += 5
    assert only(await at.settle()).id == ID


async def test_wal_that_was_stored_before_it_is_listed_with_it() -> None:
    """Else it would be said for a moment that its own WAL is missing."""
    at = bench()
    await at.settle()
    at.clock.at += CHECK_EVERY_S + 1
    late = names(60)[0]
    at.bucket.requests.clear()

    def finish() -> None:
        if ("base/", 1000) in at.bucket.requests and late not in at.bucket.keys:
            at.bucket.add(late)
            back_up(at)

    at.bucket.on_page = finish
    facts = await at.take()
    assert only(facts).id == ID
    assert facts.newest_segment == late


async def test_one_that_is_deleted_is_gone_within_a_minute() -> None:
    at = bench()
    back_up(at)
    await at.settle()
    at.bucket.keys = list(WAL)
    at.clock.at += CHECK_EVERY_S + 1
    assert (await at.settle()).backups == ()


async def test_the_newest_of_very_many_are_gone_within_a_minute_too() -> None:
    """There a check lists no whole place any more."""
    names = ("backup.json", "backup_manifest", "base.tar.zst")
    at = bench(*(f"base/{id}/{name}" for id in nights(1400) for name in names))
    back_up(at)
    assert [each.id for each in whole(await at.settle())] == [ID]
    at.bucket.keys = [key for key in at.bucket.keys if not key.startswith(FOLDER)]
    at.clock.at += CHECK_EVERY_S + 1
    assert whole(await at.settle()) == []


async def test_its_wal_that_is_deleted_is_gone_within_a_minute() -> None:
    """The newest keys are listed with every poll, the oldest is looked at: it lies between them."""
    at = bench()
    back_up(at)
    await at.settle()
    at.bucket.keys.remove(WAL[1])
    at.clock.at += CHECK_EVERY_S + 1
    assert (await at.take()).doubted
    (gap,) = (await at.settle()).gaps
    assert gap.first == WAL[1]


async def test_an_object_of_it_that_goes_makes_it_incomplete() -> None:
    at = bench()
    back_up(at)
    await at.settle()
    at.bucket.keys.remove(f"{FOLDER}base.tar.zst")
    at.clock.at += CHECK_EVERY_S + 1
    backup = only(await at.settle())
    assert (backup.completeness, backup.why) == (Completeness.INCOMPLETE, "base.tar.zst is missing")


async def test_a_label_of_another_archive_tells_nothing_of_this_one() -> None:
    label = f"{WAL[1]}.00000028.backup"
    at = bench(*(f"!old/{each}" for each in WAL[:20]), f"!old/{label}")
    at.bucket.contents[f"!old/{label}"] = content("postgresql-15.backup")
    facts = await at.settle()
    assert (facts.folder, len(facts.other_archives), facts.backups) == ("", 1, ())
    own = bench(label)
    own.bucket.contents[label] = content("postgresql-15.backup")
    assert only(await own.settle()).writer is Writer.LABEL


async def test_one_that_was_not_finished_is_known_to_be_that() -> None:
    at = bench(f"{FOLDER}base.tar.zst")
    backup = only(await at.settle())
    assert (backup.completeness, backup.why) == (
        Completeness.INCOMPLETE, "its backup.json is missing: it was not finished",
    )  # fmt: skip


async def test_a_description_that_was_replaced_is_read_again() -> None:
    at = bench()
    at.bucket.etags[MARKER] = "1"
    back_up(at, b"{}")
    assert (await at.settle()).backups == (Unreadable(MARKER, "its 'format' is missing"),)
    at.bucket.contents[MARKER] = DESCRIPTION
    at.bucket.etags[MARKER] = "2"
    at.clock.at += CHECK_EVERY_S + 1
    assert only(await at.settle()).id == ID


async def test_one_that_may_not_be_read_is_told_and_tried_again() -> None:
    at = bench()
    at.bucket.add(MARKER)
    facts = await at.settle()
    assert facts.backups is not None
    (unread,) = facts.backups
    assert isinstance(unread, Unreadable)
    assert unread.key == MARKER
    back_up(at)
    at.clock.at += CHECK_EVERY_S + 1
    assert only(await at.settle()).id == ID


async def test_a_session_that_takes_up_an_index_sees_what_came_since() -> None:
    at = bench()
    await at.settle()
    await at.probe.save()
    back_up(at)
    later = Bench(at.bucket, shelf=at.shelf)
    facts = await later.take()
    assert facts.remembered
    assert only(facts).id == ID


async def test_a_trouble_of_the_whole_bucket_is_the_readings() -> None:
    at = bench()
    back_up(at)
    await at.take()
    at.bucket.failures.append(refusal("SlowDown"))
    with pytest.raises(ObjectStoreError, match="SlowDown"):
        await at.take()
    assert only(await at.settle()).id == ID


async def test_what_pgbackrest_took_since_the_last_sweep_is_whole() -> None:
    """Its manifest lies among a thousand files, and is looked at by itself."""
    info = (Path(__file__).parents[1] / "data" / "backups" / "pgbackrest-2.45.info").read_bytes()
    named = (line.partition("=")[0] for line in info.decode().splitlines())
    full, *others = [name for name in named if name[:8].isdecimal() and "F" in name]
    key = "backup/main/backup.info"
    first = info.decode().splitlines(keepends=True)
    without = "".join(line for line in first if not line.startswith((full, *others))).encode()
    at = bench(key)
    at.bucket.contents[key], at.bucket.etags[key] = without, "1"
    assert (await at.settle()).backups == ()
    at.bucket.contents[key], at.bucket.etags[key] = info, "2"
    at.bucket.add(*(f"backup/main/{full}/pg_data/base/1/{number}" for number in range(2000)))
    at.bucket.add(*(f"backup/main/{id}/backup.manifest" for id in (full, *others)))
    at.clock.at += CHECK_EVERY_S + 1
    found = (await at.settle()).backups
    assert found is not None
    assert {each.completeness for each in found if isinstance(each, BaseBackup)} == {Completeness.COMPLETE}
    assert len(found) == 1 + len(others)


async def test_what_a_key_was_refused_is_asked_for_again_soon() -> None:
    """The grant may be given back any moment: the warning must not stay for a minute."""
    at = bench()
    back_up(at)
    at.bucket.reading_fails += [refusal("AccessDenied")] * 20
    refused = await at.settle()
    assert refused.backups is not None
    assert any(isinstance(each, Unreadable) for each in refused.backups)
    at.bucket.reading_fails.clear()
    at.clock.at += REFUSED_AGAIN_S + 1
    assert only(await at.settle()).id == ID
