"""Where base backups lie, what must be read of them, and what a listing alone says."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.test_recovery_descriptions import ID, OURS, SENTINEL, WAL_G_ID
from walconsole.domain.archive.layouts import archived_name, holds_base_backup, split_key
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Unreadable, Writer
from walconsole.domain.recovery.whereabouts import (
    FOLDERS_KEPT,
    Folder,
    Whereabouts,
    label_backup,
    read_folder,
)
from walconsole.domain.wal import Segment

REAL = Path(__file__).parents[1] / "data" / "backups"
MIB = 1024 * 1024
LABEL = "000000010000000000000004.000000D8.backup"
OUR_SIZES = {"base.tar.zst": 4711, "backup_manifest": 140_000, "backup.json": 900}


def folders(sizes: Mapping[str, int]) -> tuple[Folder, ...]:
    found = Whereabouts()
    for key, size in sizes.items():
        found.note(key, size)
    return found.folders()


def read(sizes: Mapping[str, int], contents: Mapping[str, bytes]) -> tuple[BaseBackup | Unreadable, ...]:
    return tuple(each for folder in folders(sizes) for each in read_folder(folder, contents))


def only(reads: Iterable[BaseBackup | Unreadable]) -> BaseBackup:
    (backup,) = reads
    assert isinstance(backup, BaseBackup), backup
    return backup


def content(name: str) -> bytes:
    return (REAL / name).read_bytes()


def our_sizes(**changes: int | None) -> dict[str, int]:
    sizes = {**OUR_SIZES, **{name.replace("_TAR", ".tar.zst"): size for name, size in changes.items()}}
    return {f"main/base/{ID}/{name}": size for name, size in sizes.items() if size is not None}


def our_json() -> dict[str, bytes]:

    return {f"main/base/{ID}/backup.json": json.dumps(OURS).encode()}


@pytest.mark.parametrize(
    ("keys", "writer", "wanted"),
    [
        (our_sizes(), Writer.OURS, [f"main/base/{ID}/backup.json"]),
        ({f"base/{ID}/base.tar.zst": 1}, Writer.OURS, []),
        (
            {
                "barman/server/base/20261129T073824/backup.info": 1,
                "barman/server/base/20261129T073824/data.tar": 1,
            },
            Writer.BARMAN,
            ["barman/server/base/20261129T073824/backup.info"],
        ),
        (
            {
                "repo/backup/main/backup.info": 1,
                "repo/backup/main/backup.info.copy": 1,
                "repo/backup/main/20261129-073730F/backup.manifest": 1,
                "repo/backup/main/20261129-073730F/pg_data/PG_VERSION.gz": 1,
            },
            Writer.PGBACKREST,
            ["repo/backup/main/backup.info"],
        ),
        ({"repo/backup/main/backup.info.copy": 1}, Writer.PGBACKREST, ["repo/backup/main/backup.info.copy"]),
        (
            {
                f"pg/basebackups_005/{WAL_G_ID}{rest}": 1
                for rest in (
                    "_backup_stop_sentinel.json",
                    "/metadata.json",
                    "/tar_partitions/part_001.tar.lz4",
                )
            },
            Writer.WAL_G,
            [
                f"pg/basebackups_005/{WAL_G_ID}_backup_stop_sentinel.json",
                f"pg/basebackups_005/{WAL_G_ID}/metadata.json",
            ],
        ),
        ({"site/basebackup/2026-11-29_03-10_0": 1}, Writer.PGHOARD, []),
        ({f"wal/{LABEL}.gz": 1}, Writer.LABEL, [f"wal/{LABEL}.gz"]),
    ],
)
def test_every_writers_backup_is_found_and_what_to_read(
    keys: dict[str, int], writer: Writer, wanted: list[str]
) -> None:
    (folder,) = folders(keys)
    assert folder.writer is writer
    assert list(folder.wanted) == wanted


def test_wal_and_what_is_anybodys_is_passed_over() -> None:
    assert (
        folders({"000000010000000000000001": 1, "base/notes.txt": 1, "db/backup.sql": 1, "backup.info": 1})
        == ()
    )


def test_the_index_counts_our_backups_among_the_base_backups() -> None:
    assert holds_base_backup(split_key(f"main/base/{ID}/base.tar.zst")[0])


def test_our_backup_is_complete_when_its_objects_are_there() -> None:
    backup = only(read(our_sizes(), our_json()))
    assert backup.completeness is Completeness.COMPLETE
    assert backup.keys == tuple(f"main/base/{ID}/{name}" for name in sorted(OUR_SIZES))
    assert backup.place == "main/base/"


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        (our_sizes(base_TAR=None), "base.tar.zst is missing"),
        (our_sizes(base_TAR=4710), "base.tar.zst has 4,710 bytes, and 4,711 were stored"),
        (our_sizes(backup_manifest=None), "its backup_manifest is missing"),
    ],
)
def test_our_backup_without_an_object_is_not(sizes: dict[str, int], why: str) -> None:
    backup = only(read(sizes, our_json()))
    assert (backup.completeness, backup.why) == (Completeness.INCOMPLETE, why)


def test_what_was_not_finished_is_incomplete_and_what_was_not_read_is_unknown() -> None:
    unfinished = {key: size for key, size in our_sizes().items() if not key.endswith(".json")}
    backup = only(read(unfinished, {}))
    assert (backup.completeness, backup.why) == (
        Completeness.INCOMPLETE,
        "its backup.json is missing: it was not finished",
    )
    unread = only(read(our_sizes(), {}))
    assert (unread.completeness, unread.why) == (Completeness.UNKNOWN, "its backup.json was not read yet")


def test_barmans_needs_its_data() -> None:
    info = "s/base/20261129T073824/backup.info"
    contents = {info: content("barman-cloud-3.4.info")}
    for left in ({}, {"s/base/20261129T073824/data.tar.gz": 0}):
        assert only(read({info: 1, **left}, contents)).why == "it has neither data.tar nor a data directory"
    whole = only(read({info: 1, "s/base/20261129T073824/data.tar.gz": 1}, contents))
    assert whole.completeness is Completeness.COMPLETE
    unfinished = only(read({"s/base/20261129T073824/data.tar.gz": 1}, {}))
    assert unfinished.completeness is Completeness.INCOMPLETE


def test_what_barmans_own_server_keeps_is_a_data_directory() -> None:
    folder, contents = "base/20261129T073824/", content("barman-cloud-3.4.info")
    names = ("backup.info", "data/PG_VERSION", "data/base/5/1259", "data/global/pg_control")
    backup = only(read({f"{folder}{name}": 1 for name in names}, {f"{folder}backup.info": contents}))
    assert backup.completeness is Completeness.COMPLETE
    assert "base/20261129T073824/data/base/5/1259" not in backup.keys
    torn = only(read({f"{folder}{name}": 1 for name in names[:3]}, {f"{folder}backup.info": contents}))
    assert (torn.completeness, torn.why) == (
        Completeness.INCOMPLETE,
        "its data/global/pg_control is missing",
    )


def test_a_stanza_is_read_as_one() -> None:
    sizes = {"r/backup/main/backup.info": 1, "r/backup/main/20261129-073730F/backup.manifest": 1}
    contents = {"r/backup/main/backup.info": content("pgbackrest-2.45.info")}
    reads = read(sizes, contents)
    assert len(reads) == 3
    assert isinstance(reads[0], BaseBackup)
    assert reads[0].completeness is Completeness.COMPLETE
    assert read(sizes, {}) == (Unreadable("r/backup/main/backup.info", "it was not read yet"),)


def test_a_stanzas_manifest_without_any_list_was_not_finished() -> None:
    backup = only(read({"r/backup/main/20261129-073730F/backup.manifest": 1}, {}))
    assert backup.completeness is Completeness.INCOMPLETE


def test_wal_gs_parts_without_a_sentinel_were_not_finished() -> None:

    parts = {f"basebackups_005/{WAL_G_ID}/tar_partitions/part_001.tar.lz4": 1}
    assert only(read(parts, {})).completeness is Completeness.INCOMPLETE
    sentinel = f"basebackups_005/{WAL_G_ID}_backup_stop_sentinel.json"
    whole = only(read({**parts, sentinel: 1}, {sentinel: json.dumps(SENTINEL).encode()}))
    assert whole.completeness is Completeness.COMPLETE
    for left in ({}, dict.fromkeys(parts, 0)):
        bare = only(read({**left, sentinel: 1}, {sentinel: json.dumps(SENTINEL).encode()}))
        assert (bare.completeness, bare.why) == (Completeness.INCOMPLETE, "its tar_partitions are missing")


def test_a_label_promises_nothing_read_or_not() -> None:
    sizes = {f"wal/{LABEL}": 300}
    told = only(read(sizes, {f"wal/{LABEL}": content("postgresql-15.backup")}))
    assert (told.completeness, told.start_lsn) == (Completeness.UNKNOWN, 0x40000D8)
    untold = only(read(sizes, {}))
    assert (untold.completeness, untold.start_lsn) == (Completeness.UNKNOWN, None)
    indexed = label_backup("wal/", Segment(1, 4), 16 * MIB)
    assert (indexed.completeness, indexed.start_lsn) == (Completeness.UNKNOWN, 0x4000000)


def test_pghoards_are_known_to_be_there_and_no_more() -> None:
    backup = only(read({"site/basebackup/2026-11-29_03-10_0": 1}, {}))
    assert (backup.completeness, backup.why) == (Completeness.UNKNOWN, "pghoard's backups are not read")


def nights(count: int) -> list[str]:
    begun = (datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(count))
    return [f"{at:%Y%m%dT%H%M%SZ}" for at in begun]


@pytest.mark.parametrize("backwards", [False, True])
def test_of_very_many_the_newest_are_kept(backwards: bool) -> None:
    found, ids = Whereabouts(), nights(FOLDERS_KEPT + 5)
    for id in reversed(ids) if backwards else ids:
        for name in ("backup.json", "base.tar.zst"):
            found.note(f"base/{id}/{name}", 1)
    assert [folder.id for folder in found.folders()] == ids[5:]
    assert found.passed_over == 10


def test_very_many_labels_take_no_backups_place() -> None:
    """Each base backup leaves one in the WAL, which is listed before `base/`."""
    found = Whereabouts()
    for number in range(1, FOLDERS_KEPT + 5):
        found.note(f"{Segment(1, number).name()}.00000028.backup", 300)
    found.note(f"base/{ID}/backup.json", 1)
    assert [folder.id for folder in found.folders() if folder.writer is Writer.OURS] == [ID]


def test_what_was_listed_anew_from_one_on_leaves_those_before_it() -> None:
    found, ids = Whereabouts(), nights(4)
    for id in ids:
        found.note(f"base/{id}/backup.json", 1)
    found.relist(Writer.OURS, "base/", [(f"base/{ids[3]}/backup.json", 1)], since=ids[2])
    assert [folder.id for folder in found.folders()] == [*ids[:2], ids[3]]


def test_an_unreadable_marker_is_told_by_its_key() -> None:
    key = f"main/base/{ID}/backup.json"
    assert read(our_sizes(), {key: b"{}"}) == (Unreadable(key, "its 'format' is missing"),)


def test_behind_a_crypt_that_leaves_names_as_they_are_it_is_there_and_cannot_be_read() -> None:
    """rclone crypt with filename_encryption = off adds `.bin` to each name. It is no unfinished backup."""
    sizes = {f"main/base/{ID}/{name}.bin": size for name, size in OUR_SIZES.items()}
    (found,) = read(sizes, {})
    assert isinstance(found, Unreadable)
    assert (found.key, "rclone crypt" in found.why) == (f"main/base/{ID}/backup.json.bin", True)
    begun = {key: size for key, size in sizes.items() if "json" not in key}
    assert only(read(begun, {})).completeness is Completeness.INCOMPLETE
    directory, name = split_key("main/000000010000000000000004.zst.bin")
    archived = archived_name(name, 16 * MIB)
    assert (directory, archived is not None and archived.suffix) == ("main/", ".zst.bin")
