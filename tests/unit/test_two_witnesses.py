"""PROVED takes two witnesses: what a program says in the log, and a look of the console's own that agrees."""

import ast
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import walconsole.domain.failures
from tests.data.archiver_log import FAILING, failing_with, root_of, stamp
from tests.data.facts import NOW, archiver, bucket, healthy, read, server, wal_disk
from tests.data.tools import TOOLS, on_host_of
from walconsole.domain.archive.page_header import PageHeader, SegmentIdentity
from walconsole.domain.facts.evidence import (
    CommandFacts,
    FileSystemRoom,
    LogEntry,
    LogFacts,
    LogKind,
    ProgramFacts,
)
from walconsole.domain.facts.snapshot import Problem, Snapshot, failed, fold
from walconsole.domain.failures import Finding, diagnose
from walconsole.domain.recovery.whereabouts import Whereabouts
from walconsole.domain.standing.model import Certainty
from walconsole.observe.command.command import read_room
from walconsole.observe.host.host_script import all_records, assignment, script_that_follows

pytestmark = pytest.mark.cases("Proved by two witnesses alone")

FAILURES = Path(walconsole.domain.failures.__file__).parent
WORDS = frozenset(
    {"newest_words", "newest_lines", "since_success", "since_change", "spool_words", "programs_words"}
    | {"words_of_refusal", "last_words", "_said", "_exit_lines"}
)
"""What a look takes from the log, from an archiver's spool, or from what is made of them."""
WORDS_AS_EVIDENCE_ALONE = frozenset({("folder.py", "_full"), ("running.py", "orphan_ready"),
                                     ("running.py", "log_unreadable"), ("pgbackrest.py", "stanza_missing"),
                                     ("pgbackrest.py", "stanza_mismatch"),
                                     ("pgbackrest.py", "archiver_stopped")})  # fmt: skip
"""Found by a look of their own, which the words only accompany; or made by `_finding`, which is told."""


def _names(function: ast.AST) -> set[str]:
    return {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)} | {
        node.id for node in ast.walk(function) if isinstance(node, ast.Name)
    }


def test_whoever_reads_words_says_how_sure_it_is() -> None:
    """A finding is proved by default: that may not happen to one that a log's words alone make."""
    silent = []
    for path in sorted(FAILURES.glob("*.py")):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(function, ast.FunctionDef) or not WORDS & _names(function):
                continue
            made = [
                node
                for node in ast.walk(function)
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding"
            ]
            told = all(any(word.arg == "certainty" for word in call.keywords) for call in made)
            if not told and (path.name, function.name) not in WORDS_AS_EVIDENCE_ALONE:
                silent.append((path.name, function.name))
    assert silent == []


SAID = (
    ("cp: error writing '/mnt/wal/x': No space left on device", "disk-full"),
    ("gzip: stdout: No space left on device", "disk-full"),
    ("cp: error writing '/mnt/wal/x': Disk quota exceeded", "disk-full"),
    ("sh: 1: pushwal: not found", "command-not-found"),
    ("rclone: AccessDenied: Access Denied", "key-403"),
    ("rclone: NoSuchBucket: The specified bucket does not exist", "bucket-404"),
    ("curl: (6) Could not resolve host: store.example.net", "endpoint-wrong"),
    ("rclone: SlowDown: Please reduce your request rate.", "throttled"),
    ("rclone: RequestTimeTooSkewed: The difference is too large.", "clock-skew"),
    ("rclone: QuotaExceeded: no more", "store-error"),
    ("cp: cannot create regular file '/mnt/wal/x': Permission denied", "permission"),
)


def words(text: str, code: int = 1) -> Any:
    failure = f"{stamp(3)} [801] LOG:  archive command failed with exit code {code}"
    return failing_with(text, failure)


@pytest.mark.parametrize(("text", "rule"), SAID)
def test_words_alone_prove_nothing(text: str, rule: str) -> None:
    code = 127 if rule == "command-not-found" else 1
    (found,) = [each for each in words(text, code).findings if each.rule == rule]
    assert found.certainty is not Certainty.PROVED, found.title
    assert found.surer, "it says what would prove it"


MIB = 1 << 20
ROOT = FileSystemRoom("/", 9 << 30, 40 << 30, 1_000_000)


def full(text: str, *rooms: FileSystemRoom, **facts: Any) -> Finding:
    evidence = ((Snapshot.command, CommandFacts("cp %p /mnt/wal/%f", room=(ROOT, *rooms))),)
    failure = f"{stamp(3)} [801] LOG:  archive command failed with exit code 1"
    found = failing_with(text, failure, evidence=evidence, **facts)
    return next(each for each in found.findings if each.rule == "disk-full")


@pytest.mark.parametrize(
    ("text", "rooms", "where"),
    [
        ("cp: error writing '/mnt/wal/x': No space left on device",
         (FileSystemRoom("/mnt/wal", 0, 90 << 30, 5),), "no space left on /mnt/wal"),
        ("cp: error writing '/mnt/wal/x': No space left on device",
         (FileSystemRoom("/mnt/wal", 3 * MIB, 90 << 30, 5),), "no space left on /mnt/wal"),
        ("cp: cannot create '/mnt/wal/x': No space left on device",
         (FileSystemRoom("/mnt/wal", 50 << 30, 90 << 30, 0),), "no inode left on /mnt/wal"),
        ("gzip: stdout: No space left on device", (FileSystemRoom("/tmp", 0, 512 * MIB),),
         "no space left on /tmp"),
        ("tee: /var/log/wal/push.log: No space left on device",
         (FileSystemRoom("/var", 0, 9 << 30, 12), FileSystemRoom("/var/lib", 5 << 30, 9 << 30, 12)),
         "no space left on /var"),
    ],
)  # fmt: skip
def test_a_full_file_system_that_is_seen_proves_it(
    text: str, rooms: tuple[FileSystemRoom, ...], where: str
) -> None:
    found = full(text, *rooms)
    assert found.certainty is Certainty.PROVED
    assert found.title.startswith(where)
    assert any("bytes" in proof.text and proof.source == "df, as the server's user" for proof in found.proof)


@pytest.mark.parametrize(
    ("text", "rooms"),
    [
        ("cp: error writing '/mnt/wal/x': Disk quota exceeded", ()),
        ("cp: error writing '/mnt/wal/x': No space left on device",
         (FileSystemRoom("/boot", 0, 1 << 30, 9), FileSystemRoom("/mnt/wal", 50 << 30, 90 << 30, 9))),
        ("gzip: stdout: No space left on device", (FileSystemRoom("/snap/core", 0, 60 * MIB, 0),)),
        ("gzip: stdout: No space left on device", (FileSystemRoom("/run/lock", 5 * MIB, 5 * MIB, 900),)),
        ("gzip: stdout: No space left on device", (FileSystemRoom("/tmp", 5 * MIB, 5 * MIB, 900),)),
    ],
)  # fmt: skip
def test_another_file_system_that_is_full_proves_nothing(
    text: str, rooms: tuple[FileSystemRoom, ...]
) -> None:
    found = full(text, *rooms)
    assert found.certainty is Certainty.LIKELY
    assert "quota" in found.surer


def test_a_full_pg_wal_is_seen_by_its_own_numbers() -> None:
    found = full("ERROR:  could not write to file: No space left on device", wal_disk=wal_disk(free_bytes=0))
    assert found.certainty is Certainty.PROVED


def test_a_program_that_the_shell_misses_is_proved_where_the_console_does_not_find_it() -> None:
    lines = (
        f"{stamp(3)} [7] sh: 1: pushwal: not found",
        f"{stamp(3)} [801] FATAL:  archive command failed with exit code 127",
    )
    seen = CommandFacts("pushwal %p", programs=(ProgramFacts("pushwal", None),))
    there = CommandFacts("pushwal %p", programs=(ProgramFacts("pushwal", "/usr/bin/pushwal", True),))
    for facts, certainty in ((seen, Certainty.PROVED), (there, Certainty.LIKELY)):
        root = root_of(failing_with(*lines, evidence=((Snapshot.command, facts),)))
        assert (root.rule, root.certainty) == ("command-not-found", certainty)


NO_STANZA = (
    "P00  ERROR: [103]: unable to find a valid repository: repo1: [FileMissingError] unable to load info "
    "file '/repo/archive/main/archive.info' or '/repo/archive/main/archive.info.copy'"
)
OTHERS = "P00  ERROR: [044]: version 15, system-id 77 do not match repo1 stanza version 15, system-id 78"
STOPPED = "P00  ERROR: [062]: stop file exists for stanza main"


def pgbackrest(text: str, command: CommandFacts | None = None, **facts: Any) -> Finding:
    found = told_of(text, command, **facts)
    return next(found[rule] for rule in found if rule.startswith(("stanza", "archiver-stopped")))


def told_of(text: str, command: CommandFacts | None = None, **facts: Any) -> dict[str, Finding]:
    snapshot: Snapshot = healthy(**({"archiver": archiver(**FAILING)} | facts))
    entries = (
        LogEntry(text, LogKind.PROGRAM, at=NOW - 3),
        LogEntry("archive command failed with exit code 1", LogKind.FAILED, at=NOW - 3, exit_code=1),
    )
    snapshot = fold(snapshot, read(Snapshot.log, LogFacts("the log", entries)), NOW)
    if command is not None:
        snapshot = fold(snapshot, read(Snapshot.command, command), NOW)
    return {each.rule: each for each in diagnose(on_host_of(TOOLS[0], snapshot), NOW).findings}


def test_a_stanza_is_missing_where_the_listing_has_none_of_that_name() -> None:
    assert pgbackrest(NO_STANZA).certainty is Certainty.PROVED
    there = pgbackrest(NO_STANZA, primary=replace(bucket(), stanzas=("main",)))
    assert (there.certainty, "archive.info" in there.surer) == (Certainty.LIKELY, True)
    other = pgbackrest(NO_STANZA, primary=replace(bucket(), stanzas=("prod",)))
    assert other.certainty is Certainty.PROVED
    assert "prod" in str(other.proof)
    unfinished = pgbackrest(NO_STANZA, primary=replace(bucket(), complete=False))
    assert unfinished.certainty is Certainty.LIKELY


def test_a_stanza_is_anothers_where_a_segment_in_the_bucket_says_so() -> None:
    assert pgbackrest(OTHERS).certainty is Certainty.LIKELY
    held = bucket()
    name = held.newest_segment or ""
    header = PageHeader(0xD110, 15, 1, 0, "6999999999999999999", 1 << 24, 8192)
    theirs = replace(held, identities=(SegmentIdentity(name, name, NOW, header),))
    found = told_of(OTHERS, primary=theirs)["stanza-mismatch"]
    assert found.certainty is Certainty.PROVED
    assert str(server().system_identifier) in str(found.proof)


def test_a_stop_is_proved_by_its_file() -> None:
    assert pgbackrest(STOPPED).certainty is Certainty.LIKELY
    for name, certainty in (("main", Certainty.PROVED), ("all", Certainty.PROVED), ("x", Certainty.LIKELY)):
        facts = CommandFacts("pgbackrest", stop_files=(f"/tmp/pgbackrest/{name}.stop",))
        assert pgbackrest(STOPPED, facts).certainty is certainty


def test_a_store_that_slows_the_console_down_proves_it_and_the_log_alone_does_not() -> None:
    slow = Problem("503 SlowDown", "", "SlowDown")
    snapshot = healthy()
    asked = fold(snapshot, failed(snapshot.primary, slow, NOW, "S3 LIST", 1.0), NOW)
    (found,) = [each for each in diagnose(asked, NOW).findings if each.rule == "throttled"]
    assert found.certainty is Certainty.PROVED


def test_a_listing_notes_the_stanzas_of_a_repository() -> None:
    seen = Whereabouts()
    for key in ("archive/main/archive.info", "archive/main/archive.info.copy", "r/archive/b/archive.info",
                "archive/main/15-1/archive.infox", "backup/main/backup.info"):  # fmt: skip
        seen.note(key, 300)
    assert seen.stanzas == {"main", "b"}


def looked_at(**assigned: str) -> dict[str, str]:
    """The command's script, run here."""
    names = ("programs", "configs", "pgbackrest")
    values = dict.fromkeys(names, "") | {"token": "t0", "data": "/", "path": "/usr/bin:/bin", "waiting": "1"}
    values |= assigned
    script = "".join(assignment(name, value.encode()) for name, value in values.items())
    answer = subprocess.run(
        ["/bin/sh", "-c", script + script_that_follows("command.sh")],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert answer.stderr == b""
    return {key: value.decode() for key, value in all_records(answer.stdout, "t0")}


def test_the_host_is_asked_for_its_room_only_while_something_waits(tmp_path: Path) -> None:
    rooms = read_room(looked_at()["room"])
    assert all(room.total_bytes >= room.free_bytes and room.path.startswith("/") for room in rooms)
    assert any(room.free_bytes and (room.free_inodes is None or room.free_inodes) for room in rooms)
    assert "room" not in looked_at(waiting="0")


def test_stop_files_are_found_where_the_configuration_has_its_locks(tmp_path: Path) -> None:
    locks = tmp_path / "locks of it"
    locks.mkdir()
    (locks / "main.stop").touch()
    conf = tmp_path / "pgbackrest.conf"
    conf.write_text(f"[global]\nlock-path = {locks}\n")
    assert looked_at(pgbackrest=str(conf))["stops"] == f"{locks}/main.stop"
    (locks / "main.stop").unlink()
    assert looked_at(pgbackrest=str(conf))["stops"] == ""


def test_what_df_says_is_read_with_its_odd_mount_points() -> None:
    text = "100\t200\t/mnt/my disk\n7\t9\t/\ni5\t9\t/mnt/my disk\ni0\t0\t/\nnonsense\ni3\t4\t/gone"
    assert read_room(text) == (
        FileSystemRoom("/", 7 * 1024, 9 * 1024),
        FileSystemRoom("/mnt/my disk", 100 * 1024, 200 * 1024, 5),
    )
