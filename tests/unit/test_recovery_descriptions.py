"""What every writer says of its base backups: real descriptions, and hostile ones that are refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.recovery.backups import BackupObject, BaseBackup, Completeness, Unreadable, Writer
from walconsole.domain.recovery.barman import read_barman
from walconsole.domain.recovery.hostile import LONGEST
from walconsole.domain.recovery.label import read_label
from walconsole.domain.recovery.ours import read_ours
from walconsole.domain.recovery.pgbackrest import read_pgbackrest
from walconsole.domain.recovery.wal_g import read_wal_g

REAL = Path(__file__).parents[1] / "data" / "backups"
"""Written by pgBackRest 2.45, barman-cloud-backup 3.4 and PostgreSQL 15.18."""
SYSTEM = 7713494323926734301
MIB = 1024 * 1024
ID = "20261129T031000Z"
KEY = f"base/{ID}/backup.json"
WAL_G_ID = "base_000000010000000000000002"

OURS: dict[str, Any] = {
    "format": 1,
    "id": ID,
    "label": "walconsole main",
    "system_identifier": str(SYSTEM),
    "server_version_num": 150018,
    "timeline": 1,
    "start_lsn": "0/2000028",
    "start_wal": "000000010000000000000002",
    "stop_lsn": "0/2000138",
    "stop_wal": "000000010000000000000002",
    "checkpoint_lsn": "0/2000060",
    "started": "2026-11-29T03:10:00Z",
    "stopped": "2026-11-29T03:11:30Z",
    "wal_segment_size": 16 * MIB,
    "from_standby": False,
    "kind": "full",
    "parent": None,
    "objects": [
        {"name": "base.tar.zst", "bytes": 4711, "sha256": "0" * 64, "unpacked_bytes": 99_000, "files": 970},
        {"name": "backup_manifest", "bytes": 140_000, "sha256": "1" * 64},
    ],
    "compression": "zstd",
    "encryption": None,
    "tools": {"pg_basebackup": "15.18", "zstd": "1.5.4", "rclone": "1.60.1"},
    "verified": {"read_back": True, "manifest": True, "wal": True},
}


def ours(**changes: object) -> BaseBackup | Unreadable:
    return read_ours(KEY, "base/", ID, json.dumps({**OURS, **changes}).encode())


def one_of_pgbackrest(content: bytes, *manifests: str) -> BaseBackup | Unreadable:
    (read,) = read_pgbackrest("backup/main/backup.info", "backup/main/", content, manifests)
    return read


def backup(read: BaseBackup | Unreadable) -> BaseBackup:
    assert isinstance(read, BaseBackup), read
    return read


def test_our_own_says_all_that_a_restore_needs() -> None:
    assert ours() == BaseBackup(
        Writer.OURS,
        ID,
        "base/",
        timeline=1,
        start_lsn=0x2000028,
        stop_lsn=0x2000138,
        stop_timeline=1,
        system_identifier=SYSTEM,
        server_version_num=150018,
        segment_bytes=16 * MIB,
        checkpoint_lsn=0x2000060,
        started=1795921800.0,
        stopped=1795921890.0,
        stored_bytes=144_711,
        unpacked_bytes=99_000,
        from_standby=False,
        label="walconsole main",
        completeness=Completeness.COMPLETE,
        verified=True,
        objects=(BackupObject("base.tar.zst", 4711), BackupObject("backup_manifest", 140_000)),
    )


def test_a_newer_script_may_say_more_and_be_read() -> None:
    assert backup(ours(surprise={"deep": [1, 2]})) == ours()


@pytest.mark.parametrize("verified", [None, {}, {"read_back": True, "manifest": True}, {"wal": "yes"}])
def test_only_what_passed_every_check_is_verified(verified: object) -> None:
    assert backup(ours(verified=verified)).verified is False


def test_an_identifier_with_a_sign_is_the_same_64_bits() -> None:
    assert backup(ours(system_identifier="-2")).system_identifier == 2**64 - 2


def test_an_incremental_names_its_parent() -> None:
    assert backup(ours(kind="incremental", parent="20261128T031000Z")).parent == "20261128T031000Z"


def test_a_stop_on_a_segments_end_is_named_by_either_segment() -> None:
    for name in ("000000010000000000000002", "000000010000000000000003"):
        assert backup(ours(stop_lsn="0/3000000", stop_wal=name)).stop_lsn == 0x3000000


REFUSED: list[tuple[dict[str, object], str]] = [
    ({"format": 2}, "newer format, 2"),
    ({"format": 0}, "which no version writes"),
    ({"format": "1"}, "its 'format' is wrong"),
    ({"format": True}, "its 'format' is wrong"),
    ({"id": "20261129T031001Z"}, "not its folder's name"),
    ({"system_identifier": 7}, "its 'system_identifier' is wrong"),
    ({"system_identifier": "0"}, "no system identifier"),
    ({"system_identifier": "9" * 30}, "no system identifier"),
    ({"system_identifier": str(-(2**63) - 1)}, "no system identifier"),
    ({"timeline": 0}, "no timeline"),
    ({"timeline": 2**32}, "no timeline"),
    ({"timeline": 2}, "'start_wal' is not the segment"),
    ({"start_lsn": "0/2"}, "'start_wal' is not the segment"),
    ({"start_lsn": 33554472}, "its 'start_lsn' is wrong"),
    ({"start_lsn": "0/9000028"}, "stops before it starts"),
    ({"stop_lsn": "0/4000138"}, "'stop_wal' is not the segment"),
    ({"stop_wal": "../../etc/passwd"}, "'stop_wal' is no segment"),
    ({"wal_segment_size": 3 * MIB}, "no wal_segment_size"),
    ({"wal_segment_size": 1.6e7}, "its 'wal_segment_size' is wrong"),
    ({"started": "yesterday"}, "its 'started' is no time"),
    ({"stopped": "0001-01-01T00:00:00Z"}, "its 'stopped' is no time"),
    ({"stopped": None}, "its 'stopped' is missing"),
    ({"kind": "differential"}, "neither full nor incremental"),
    ({"kind": "incremental"}, "incremental backup has a parent"),
    ({"parent": "20261128T031000Z"}, "incremental backup has a parent"),
    ({"kind": "incremental", "parent": "../x"}, "no other backup's id"),
    ({"kind": "incremental", "parent": ID}, "no other backup's id"),
    ({"objects": []}, "its 'objects' are none"),
    ({"objects": ["base.tar.zst"]}, "no JSON object"),
    ({"objects": [{"name": "../base.tar.zst", "bytes": 1}]}, "no plain file name"),
    ({"objects": [{"name": "backup_manifest", "bytes": 1}]}, "no tar of the data directory"),
    ({"objects": [{"name": "base.tar.zst", "bytes": 0}]}, "no tar of the data directory"),
    ({"objects": [{"name": "a/b", "bytes": 1}]}, "no plain file name"),
    ({"objects": [{"name": "..", "bytes": 1}]}, "no plain file name"),
    ({"objects": [{"name": "x\n", "bytes": 1}]}, "no plain file name"),
    ({"objects": [{"name": "x", "bytes": -1}]}, "its 'bytes' is out of range"),
    ({"objects": [{"name": "x", "bytes": 1}, {"name": "x", "bytes": 2}]}, "one name"),
    ({"objects": [{"name": "x", "bytes": 1}] * 10_001}, "far too many"),
    ({"label": ["x"]}, "its 'label' is wrong"),
    ({"from_standby": 0}, "its 'from_standby' is wrong"),
    ({"verified": "all"}, "its 'verified' is wrong"),
]


@pytest.mark.parametrize(("changes", "why"), REFUSED)
def test_what_is_wrong_is_said(changes: dict[str, object], why: str) -> None:
    read = ours(**changes)
    assert isinstance(read, Unreadable)
    assert read.key == KEY
    assert why in read.why


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not JSON"),
        (b"[]", "no JSON object"),
        (b'{"format": NaN}', "not JSON"),
        (b'{"format": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 150_000, "nested too deeply"),
        (b"\xff\xfe{}", "no UTF-8"),
        (b" " * (LONGEST + 1), "larger than"),
    ],
)
def test_what_is_no_description_is_refused(content: bytes, why: str) -> None:
    for read in (read_ours(KEY, "base/", ID, content), read_wal_g("k", "b/", WAL_G_ID, content)):
        assert isinstance(read, Unreadable)
        assert why in read.why


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(field=st.sampled_from(sorted(OURS)), value=_JSON)
def test_nothing_in_a_field_raises(field: str, value: object) -> None:
    read = ours(**{field: value})
    assert isinstance(read, BaseBackup | Unreadable)
    assert not isinstance(read, BaseBackup) or read.timeline == 1


@given(content=st.binary(max_size=300))
def test_no_bytes_raise(content: bytes) -> None:
    for read in (
        read_ours(KEY, "base/", ID, content),
        read_barman("k", "base/", "x", content),
        read_label("k", "x", "", content),
        read_wal_g("k", "b/", WAL_G_ID, content),
    ):
        assert isinstance(read, Unreadable)


@given(
    name=st.sampled_from(["pgbackrest-2.45.info", "barman-cloud-3.4.info", "postgresql-15.backup"]),
    at=st.integers(0, 3000),
    junk=st.binary(max_size=8),
    cut=st.integers(0, 40),
)
def test_a_real_one_that_was_spoilt_is_read_or_refused(name: str, at: int, junk: bytes, cut: int) -> None:
    content = (REAL / name).read_bytes()
    spoilt = content[:at] + junk + content[at + cut :]
    read: list[BaseBackup | Unreadable] = [
        *read_pgbackrest("k", "backup/main/", spoilt, ()),
        read_barman("k", "base/", "x", spoilt),
        read_label("k", "x", "", spoilt),
    ]
    assert all(isinstance(each, BaseBackup | Unreadable) for each in read)


def test_barman_says_all_of_it_in_backup_info() -> None:
    read = read_barman("k", "server/base/", "20261129T073824", (REAL / "barman-cloud-3.4.info").read_bytes())
    assert read == BaseBackup(
        Writer.BARMAN,
        "20261129T073824",
        "server/base/",
        timeline=1,
        start_lsn=0x8000028,
        stop_lsn=0x8000100,
        stop_timeline=1,
        system_identifier=SYSTEM,
        server_version_num=150018,
        segment_bytes=16 * MIB,
        checkpoint_lsn=0x8000060,
        started=1795937904.761245,
        stopped=1795937905.652291,
        from_standby=False,
        completeness=Completeness.COMPLETE,
    )


def test_barmans_with_a_tablespace_is_read_as_well() -> None:
    content = (REAL / "barman-cloud-3.4-tablespace.info").read_bytes()
    assert backup(read_barman("k", "base/", "20261129T073831", content)).start_lsn == 0xA000028


@pytest.mark.parametrize(
    ("status", "completeness"),
    [
        ("DONE", Completeness.COMPLETE),
        ("WAITING_FOR_WALS", Completeness.COMPLETE),
        ("FAILED", Completeness.INCOMPLETE),
        ("STARTED", Completeness.INCOMPLETE),
        ("EMPTY", Completeness.INCOMPLETE),
    ],
)
def test_barmans_status_says_whether_it_is_complete(status: str, completeness: Completeness) -> None:
    content = (REAL / "barman-cloud-3.4.info").read_bytes().replace(b"=DONE", f"={status}".encode())
    read = backup(read_barman("k", "base/", "x", content))
    assert read.completeness is completeness
    assert completeness is Completeness.COMPLETE or status in read.why


def test_barmans_incremental_names_its_parent() -> None:
    content = (REAL / "barman-cloud-3.4.info").read_bytes()
    for told, parent in (("20261128T073824", "20261128T073824"), ("None", None)):
        more = content + f"parent_backup_id={told}\n".encode()
        assert backup(read_barman("k", "base/", "x", more)).parent == parent
    refused = read_barman("k", "base/", "x", content + b"parent_backup_id=../x\n")
    assert isinstance(refused, Unreadable)


def test_barmans_label_is_no_code() -> None:
    content = (REAL / "barman-cloud-3.4.info").read_bytes()
    spoilt = content.replace(b"backup_label='START", b"backup_label=__import__('os').system('false')#")
    assert backup(read_barman("k", "base/", "x", spoilt)).checkpoint_lsn is None


def test_pgbackrest_says_all_of_a_stanza_in_one_file() -> None:
    full, diff, incr = (
        "20261129-073730F",
        "20261129-073730F_20261129-073737D",
        "20261129-073730F_20261129-073734I",
    )
    content = (REAL / "pgbackrest-2.45.info").read_bytes()
    read = read_pgbackrest("k", "backup/main/", content, [full, diff, incr, "20261129-080000F"])
    found = {backup(each).id: backup(each) for each in read}
    assert found[full] == BaseBackup(
        Writer.PGBACKREST,
        full,
        "backup/main/",
        timeline=1,
        start_lsn=0x2000028,
        stop_lsn=0x2000100,
        stop_timeline=1,
        system_identifier=SYSTEM,
        server_version_num=150000,
        started=1795937850.0,
        stopped=1795937853.0,
        stored_bytes=3048731,
        unpacked_bytes=23033573,
        from_standby=False,
        completeness=Completeness.COMPLETE,
    )
    assert (found[incr].parent, found[diff].parent) == (full, full)
    assert found[incr].start_lsn == 0x40000D8
    assert found["20261129-080000F"].completeness is Completeness.INCOMPLETE
    assert "was not finished" in found["20261129-080000F"].why


def test_pgbackrests_manifest_must_be_there() -> None:
    content = (REAL / "pgbackrest-2.45.info").read_bytes()
    read = [backup(each) for each in read_pgbackrest("k", "backup/main/", content, ())]
    assert {each.completeness for each in read} == {Completeness.INCOMPLETE}
    assert all("backup.manifest is missing" in each.why for each in read)


def test_what_newer_pgbackrests_write_besides_is_passed_over() -> None:
    """2.46 and later: annotations, and the size of a block map where a repository's size is not known."""
    content = (REAL / "pgbackrest-2.45.info").read_bytes()
    plain = read_pgbackrest("r/backup/main/backup.info", "r/backup/main/", content, [])
    newer = re.sub(rb'"backup-info-repo-size":\d+', b'"backup-info-repo-size-map":92', content)
    newer = newer.replace(b'"backup-error"', b'"backup-annotation":{"source":"timer"},"backup-error"')
    newer = newer.replace(b'"2.45"', b'"2.57.0"')
    assert newer != content
    assert read_pgbackrest("r/backup/main/backup.info", "r/backup/main/", newer, []) == plain
    assert all(isinstance(each, BaseBackup) for each in plain)


def test_pgbackrests_wrong_page_checksums_are_told() -> None:
    content = (REAL / "pgbackrest-2.45.info").read_bytes().replace(b'error":false', b'error":true')
    read = [backup(each) for each in read_pgbackrest("k", "backup/main/", content, ["20261129-073730F"])]
    assert read[0].completeness is Completeness.INCOMPLETE
    assert "page checksums" in read[0].why


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"Salted__12345678", "encrypts it"),
        (b"[backup:current]\n", "no [db:history]"),
        (b"[backup:current]\n../x={}\n[db:history]\n1={}\n", "no backup's"),
        (b'[backup:current]\n20261129-073730F={"db-id":1}\n[db:history]\n', "'backup-lsn-start' is missing"),
        (b'[backup:current]\n20261129-073730F={"option-online":false}\n[db:history]\n', "stopped server"),
    ],
)
def test_pgbackrests_file_is_refused_in_words(content: bytes, why: str) -> None:
    read = one_of_pgbackrest(content)
    assert isinstance(read, Unreadable)
    assert why in read.why


def test_a_label_says_when_and_where_it_began_and_never_more_than_that() -> None:
    read = read_label(
        "k", "000000010000000000000004.000000D8.backup", "", (REAL / "postgresql-15.backup").read_bytes()
    )
    assert read == BaseBackup(
        Writer.LABEL,
        "000000010000000000000004.000000D8.backup",
        timeline=1,
        start_lsn=0x40000D8,
        stop_lsn=0x40001B0,
        stop_timeline=1,
        checkpoint_lsn=0x4000110,
        started=1795937855.0,
        stopped=1795937856.0,
        from_standby=False,
        label="pgBackRest backup started at 2026-11-29 07:37:34.869399+00",
        completeness=Completeness.UNKNOWN,
        why="a .backup label says that it was made, not where it is",
    )


def test_a_labels_local_time_is_not_guessed() -> None:
    content = (REAL / "postgresql-15.backup").read_bytes().replace(b" UTC", b" CET")
    assert backup(read_label("k", "x", "", content)).stopped is None


SENTINEL = {
    "LSN": 0x2000028,
    "PgVersion": 150018,
    "FinishLSN": 0x2000100,
    "SystemIdentifier": SYSTEM,
    "UncompressedSize": 31_284_471,
    "CompressedSize": 5_018_120,
    "Spec": None,
    "Version": 2,
    "StartTime": "2026-11-29T07:37:30.123456789Z",
    "FinishTime": "2026-11-29T07:37:33.5Z",
    "IsPermanent": False,
}


def wal_g(metadata: bytes | None = None, **changes: object) -> BaseBackup | Unreadable:
    return read_wal_g(
        "k", "basebackups_005/", WAL_G_ID, json.dumps({**SENTINEL, **changes}).encode(), metadata
    )


def test_wal_g_says_it_in_the_sentinel() -> None:
    read = backup(wal_g())
    assert (read.timeline, read.start_lsn, read.stop_lsn) == (1, 0x2000028, 0x2000100)
    assert (read.system_identifier, read.server_version_num) == (SYSTEM, 150018)
    assert read.completeness is Completeness.COMPLETE
    assert read.stopped == 1795937853.5


def test_an_older_wal_g_says_the_times_elsewhere() -> None:
    metadata = b'{"start_time":"2026-11-29T07:37:30Z","finish_time":"2026-11-29T07:37:33Z"}'
    assert backup(wal_g(StartTime=None, FinishTime=None)).stopped is None
    assert backup(wal_g(metadata, StartTime=None, FinishTime=None)).stopped == 1795937853.0


def test_a_delta_of_wal_g_needs_its_parent() -> None:
    assert backup(wal_g(DeltaFrom="base_000000010000000000000001")).parent == "base_000000010000000000000001"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"LSN": None}, "it has no LSN"),
        ({"LSN": "0/2000028"}, "its 'LSN' is wrong"),
        ({"FinishLSN": 1}, "stops before it starts"),
        ({"DeltaFrom": "../x"}, "no other backup"),
    ],
)
def test_wal_gs_sentinel_is_refused_in_words(changes: dict[str, object], why: str) -> None:
    read = wal_g(None, **changes)
    assert isinstance(read, Unreadable)
    assert why in read.why
