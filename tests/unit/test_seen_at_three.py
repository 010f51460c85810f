"""What real servers showed to be told wrongly, as tables: the kinds, not the cases.

Each was brought about on servers first (test_failures_three_am.py, test_failures_units.py).
"""

from dataclasses import replace
from typing import Any

import pytest

from tests.data.archiver_log import failing_with, root_of, stamp
from tests.data.facts import NOW, archiver, backup, broken, bucket, healthy, holding, host, server, settings
from walconsole.domain.facts.evidence import ChildProcess, CommandFacts, ProgramFacts
from walconsole.domain.facts.folders import ArchiveFolder, FolderFacts
from walconsole.domain.facts.snapshot import Reading, Snapshot
from walconsole.domain.failures import Diagnosis, Finding, diagnose
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import Completeness, Writer
from walconsole.domain.standing.model import Certainty, Level, Severity
from walconsole.observe.host.host_script import script_named

WAITING: dict[str, Any] = {"archiver": archiver(last_archived_at=NOW - 600, ready_count=2)}


def command(**facts: Any) -> Reading[CommandFacts]:
    return Reading(Snapshot.command, "/proc", CommandFacts("/usr/local/bin/push %p %f", **facts), NOW)


def process(state: str, pid: int = 7, line: str = "push x") -> ChildProcess:
    return ChildProcess(pid, NOW - 5, line, state)


def named(diagnosis: Diagnosis, rule: str) -> Finding | None:
    return next((each for each in diagnosis.findings if each.rule == rule), None)


# -- A process that is held still.

SLEEPS, STOPPED, TRACED = "sleeping", "stopped by a signal", "stopped by a debugger"
HELD = [
    ("all sleep", process(SLEEPS), (process(SLEEPS, 8),), 2, ""),
    ("the archiver is stopped", process(STOPPED), (), 2, "the archiver's own process is stopped by a signal"),
    ("a debugger holds it", process(TRACED), (), 1, "the archiver's own process is stopped by a debugger"),
    ("the command is stopped", process(SLEEPS), (process(STOPPED, 8),), 1, ""),
    ("nothing waits", process(STOPPED), (), 0, ""),
    ("it is not seen", None, (), 2, ""),
]


@pytest.mark.cases("Processes that are held still")
@pytest.mark.parametrize(("what", "own", "below", "waiting", "title"), HELD, ids=[row[0] for row in HELD])
def test_a_process_that_is_held_still_is_told_while_something_waits(
    what: str, own: ChildProcess | None, below: tuple[ChildProcess, ...], waiting: int, title: str
) -> None:
    facts = archiver(last_archived_at=NOW - 600, ready_count=waiting)
    snapshot = healthy(archiver=facts, command=command(archiver=own, children=below))
    found = named(diagnose(snapshot, NOW), "archiver-held-still")
    assert (found.title if found else "").startswith(title)
    assert (found is not None) is bool(title)
    if found is not None:
        assert found.certainty is Certainty.PROVED
        assert "kill -CONT 7" in found.fixes[0].commands


@pytest.mark.parametrize("read", [True, False], ids=["was read", "never read"])
def test_a_server_that_is_held_is_told_though_nothing_of_it_can_be_read(read: bool) -> None:
    cluster = host().cluster
    assert cluster is not None
    cluster = replace(cluster, held=True)
    silent = broken(Snapshot.archiver, "it did not answer", previous=healthy().archiver if read else None)
    told = diagnose(healthy(host=host(cluster=cluster), archiver=silent), NOW)
    assert root_of(told).rule == "archiver-held-still"
    assert (told.verdict.level, told.verdict.text.partition(":")[0]) == (
        Level.CRITICAL,
        "PostgreSQL is HELD STILL",
    )
    well = diagnose(healthy(host=host(cluster=replace(cluster, held=False)), archiver=silent), NOW)
    assert named(well, "archiver-held-still") is None


# -- A program that is there, and that the shell says it did not find.

BARRED = ProgramFacts("/usr/local/bin/push", "/usr/local/bin/push", executable=False)
CRLF = replace(BARRED, why_not="its first line ends in a carriage return (CRLF line ends)")
GONE = replace(BARRED, why_not="its interpreter /opt/py/bin/python is not there, or may not be run")
MODE = replace(BARRED, why_not="it has no execute permission")
UNRUN = [
    ("dash", CRLF, "sh: 1: /usr/local/bin/push: not found", 127, "sed -i 's/\\r$//' /usr/local/bin/"),
    ("bash", CRLF, "sh: line 1: /usr/local/bin/push: No such file or directory", 127, "sed -i"),
    (
        "dash, interpreter",
        GONE,
        "sh: 1: /usr/local/bin/push: not found",
        127,
        "head -n 1 /usr/local/bin/push",
    ),
    (
        "bash, interpreter",
        GONE,
        "sh: /usr/local/bin/push: /opt/py/bin/python: bad interpreter: No such file or directory",
        126,
        "head -n 1",
    ),
    (
        "its mode",
        MODE,
        "sh: 1: /usr/local/bin/push: Permission denied",
        126,
        "chmod 0755 /usr/local/bin/push",
    ),
]


@pytest.mark.cases("Programs that are there and do not run")
@pytest.mark.parametrize(("shell", "program", "said", "code", "fix"), UNRUN, ids=[row[0] for row in UNRUN])
def test_what_is_there_is_not_told_as_not_found(
    shell: str, program: ProgramFacts, said: str, code: int, fix: str
) -> None:
    lines = (said, f"{stamp(3)} [7] FATAL:  archive command failed with exit code {code}")
    told = failing_with(
        *lines, **WAITING, evidence=[(Snapshot.command, CommandFacts(BARRED.name, (program,)))]
    )
    assert root_of(told).rule == "command-not-executable"
    assert named(told, "command-not-found") is None
    assert root_of(told).fixes[0].commands[0].startswith(fix)
    assert "archiving works" not in told.verdict.text


def test_the_reasons_are_worded_as_the_script_words_them() -> None:
    script = script_named("command.sh")
    assert "carriage return" in script
    assert "its interpreter $first is" in script


def test_what_another_program_misses_is_not_found_all_the_same() -> None:
    lines = (
        "env: 'node': No such file or directory",
        f"{stamp(3)} [7] FATAL:  archive command failed with exit code 127",
    )
    told = failing_with(*lines, **WAITING, evidence=[(Snapshot.command, CommandFacts(BARRED.name, (CRLF,)))])
    assert named(told, "command-not-found") is not None


# -- A command that stores nothing.


@pytest.mark.parametrize("text", [" ", "\t", ":", "#cp %p /mnt/%f"])
def test_a_command_that_does_nothing_stores_nothing(text: str) -> None:
    unread = broken(Snapshot.primary, "its key is not here")
    told = diagnose(healthy(settings=settings(archive_command=text), primary=unread), NOW)
    assert named(told, "stores-nothing") is not None
    assert told.verdict.level is Level.CRITICAL


def test_a_command_that_was_seen_to_fail_does_not_say_yes_to_everything() -> None:
    lines = ("Killed", f"{stamp(3)} [7] FATAL:  archive command failed with exit code 137")
    facts = {
        **WAITING,
        "settings": settings(archive_command=":"),
        "primary": broken(Snapshot.primary, "no key"),
    }
    assert named(failing_with(*lines, **facts), "stores-nothing") is None
    assert named(failing_with(**facts), "stores-nothing") is not None


# -- Words of ssh behind an end that PostgreSQL does not count.

SSH = [
    ("Host key verification failed.", "take a changed host key for an attack"),
    ("root@10.0.0.2: Permission denied (publickey).", "its public key is not in that host's authorized_keys"),
]


@pytest.mark.cases("What ssh says, and what helps")
@pytest.mark.parametrize(("said", "remedy"), SSH, ids=["host key", "key"])
def test_what_helps_against_ssh_is_told(said: str, remedy: str) -> None:
    end = f"{stamp(3)} [7] FATAL:  archive command failed with exit code 255"
    told = root_of(failing_with(said, "scp: Connection closed", end, **WAITING))
    assert told.rule == "archiver-crash-loop"
    assert said in told.title
    assert remedy in told.remedy


# -- Who denies.

OF_NO_FILE = [
    (
        "vault",
        (
            "Error reading secret/data/wal: Error making API request.",
            "URL: GET https://vault:8200/v1/secret/data/wal",
            "Code: 403. Errors:",
            "* permission denied",
        ),
        "Error reading secret/data/wal",
    ),
    ("vault, one line", ("vault: Code: 403. Errors: * permission denied",), "Code: 403"),
    ("psql", ("ERROR:  permission denied for table ledger",), "permission denied for table ledger"),
]
OF_A_FILE = [
    "cp: cannot create regular file '/mnt/wal/x': Permission denied",
    "open /mnt/wal/x: permission denied",
    "PermissionError: [Errno 13] Permission denied: '/mnt/wal/x'",
    "/mnt/wal/x: Operation not permitted",
]
END = "{0} [7] LOG:  archive command failed with exit code 1"


@pytest.mark.cases("Who denies: a file system, or a service")
@pytest.mark.parametrize(("who", "said", "title"), OF_NO_FILE, ids=[row[0] for row in OF_NO_FILE])
def test_what_a_service_denies_is_no_file(who: str, said: tuple[str, ...], title: str) -> None:
    told = failing_with(*said, END.format(stamp(3)))
    assert named(told, "permission") is None
    assert title in root_of(told).title


@pytest.mark.cases("Who denies: a file system, or a service")
@pytest.mark.parametrize("said", OF_A_FILE)
def test_what_the_system_denies_is_a_file(said: str) -> None:
    assert root_of(failing_with(said, END.format(stamp(3)))).rule == "permission"


# -- A server with file systems of its own.

GOOD = ArchiveFolder(
    "/srv/wal", owner="postgres:postgres", mode="750", writable=True, mount_point="/srv/wal",
    filesystem="ext2/ext3", total_bytes=100 << 30, free_bytes=50 << 30, beside_data=False,
)  # fmt: skip
APART = [
    ("well, apart", {"apart": True, "writable_here": True}, "", ""),
    (
        "its own /tmp",
        {"path": "/tmp/wal", "apart": True},
        "folder-in-memory",
        "it is gone when the server's unit stops",
    ),
    ("a /tmp of all", {"path": "/tmp/wal"}, "", ""),
    (
        "read-only for it alone",
        {"apart": True, "writable": False, "read_only": True, "writable_here": True},
        "folder-not-writable",
        "whose unit keeps it from that",
    ),
    (
        "read-only for all",
        {"apart": True, "writable": False, "read_only": True},
        "folder-not-writable",
        "is mounted read-only",
    ),
    ("barred though it is its own", {"writable": False}, "folder-not-writable", "neither owner nor mode is"),
    ("root's", {"writable": False, "owner": "root:root"}, "folder-not-writable", "may not be written to by"),
    ("hidden from it", {"apart": True, "why": "No such file or directory"}, "folder-missing", "is not there"),
]


@pytest.mark.cases("Folders of a server with file systems of its own")
@pytest.mark.parametrize(("what", "changes", "rule", "title"), APART, ids=[row[0] for row in APART])
def test_a_folder_is_judged_as_the_server_sees_it(
    what: str, changes: dict[str, Any], rule: str, title: str
) -> None:
    facts = Reading(Snapshot.folders, "stat", FolderFacts((replace(GOOD, **changes),)), NOW)
    found = diagnose(healthy(folders=facts), NOW).findings
    assert [each.rule for each in found] == ([rule] if rule else [])
    assert title in "".join(each.title for each in found)
    barred = "neither" in title
    assert (
        any(command.startswith("lsattr") for each in found for fix in each.fixes for command in fix.commands)
        is barred
    )


COMMANDS = [
    ("the same", "cp %p /srv/wal/%f", "cp %p /srv/wal/%f", True),
    ("another folder", "cp %p /srv/wal/%f", "cp %p /mnt/other/%f", False),
    ("another command, that folder", "cp %p /srv/wal/%f", "cp -n %p /srv/wal/%f", True),
    ("a store instead", "cp %p /srv/wal/%f", "rclone copyto %p r:b/%f", False),
]


@pytest.mark.cases("Folders of a command that is no more")
@pytest.mark.parametrize(("what", "before", "now", "told"), COMMANDS, ids=[row[0] for row in COMMANDS])
def test_of_a_folder_that_only_an_older_command_named_nothing_is_said(
    what: str, before: str, now: str, told: bool
) -> None:
    gone = replace(GOOD, why="No such file or directory")
    facts = Reading(Snapshot.folders, "stat", FolderFacts((gone,), named_by=before), NOW)
    found = diagnose(healthy(folders=facts, settings=settings(archive_command=now)), NOW)
    assert (named(found, "folder-missing") is not None) is told


# -- Labels alone.

LABELS = [("WAL from it on", 2, False), ("from the next on", 4, True), ("much later", 0x30, True)]


@pytest.mark.cases("WAL that a .backup label needs")
@pytest.mark.parametrize(("what", "oldest", "told"), LABELS, ids=[row[0] for row in LABELS])
def test_a_label_whose_wal_is_gone(what: str, oldest: int, told: bool) -> None:
    size = server().segment_bytes
    label = backup(
        writer=Writer.LABEL, id="000000010000000000000003.00000028", place="", start_lsn=3 * size + 40,
        completeness=Completeness.UNKNOWN, keys=(), label="nightly",
    )  # fmt: skip
    held = holding(first=oldest)
    changes: dict[str, Any] = {
        "holding": held, "backups": (label,), "oldest_segment": f"0000000100000000000000{oldest:02X}",
    }  # fmt: skip
    both = {"primary": bucket(**changes), "dr": bucket(BucketRole.DR, **changes)}
    found = named(diagnose(healthy(**both), NOW), "wal-before-backup-gone")
    assert (found is not None) is told
    assert found is None or found.severity is Severity.CRITICAL


# -- The archiver's own key is refused while PostgreSQL counts successes.

KEYS = [
    ("its own, unknown", True, "InvalidAccessKeyId", Severity.CRITICAL),
    ("its own, another secret", True, "SignatureDoesNotMatch", Severity.CRITICAL),
    ("its own, which may not list", True, "AccessDenied", Severity.WARNING),
    ("the console's, unknown", False, "InvalidAccessKeyId", Severity.WARNING),
    ("its own, and the store is slow", True, "SlowDown", None),
]


@pytest.mark.cases("The archiver's own key is refused, and PostgreSQL counts successes")
@pytest.mark.parametrize(("what", "own", "code", "severity"), KEYS, ids=[row[0] for row in KEYS])
def test_a_refused_key_of_the_archivers_is_a_loss_until_proved_otherwise(
    what: str, own: bool, code: str, severity: Severity | None
) -> None:
    snapshot = healthy(primary=broken(Snapshot.primary, "refused", code))
    snapshot = replace(snapshot, told=replace(snapshot.told, archivers_key=own))
    told = diagnose(snapshot, NOW)
    found = [each.severity for each in told.findings if each.slot is Snapshot.primary and "key" in each.rule]
    assert found == ([] if severity is None else [severity])
    assert (told.verdict.level is Level.CRITICAL) is (severity is Severity.CRITICAL)
