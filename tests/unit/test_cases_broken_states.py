"""What people really break, each as an operator sees it: first line, first cause, advice."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.data.archiver_log import FAILING, log_of, stamp
from tests.data.facts import (
    MIB,
    NOW,
    SEGMENT,
    archiver,
    bucket,
    healthy,
    host,
    read,
    server,
    settings,
    wal_disk,
)
from walconsole.domain.archive.page_header import PageHeader, SegmentIdentity
from walconsole.domain.facts.evidence import (
    CommandFacts,
    ComparedFacts,
    ProgramFacts,
    ReplicationSlot,
    RetentionFacts,
)
from walconsole.domain.facts.folders import ArchiveFolder, FolderFacts
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.domain.failures import Diagnosis, diagnose
from walconsole.domain.standing.model import Certainty, Level

pytestmark = pytest.mark.cases("States that people really break")

WAITS = "000000010000000000000042"
COPY = "cp %p /mnt/wal/%f"
ONTO = "rsync -a %p wal@store:/wal/%f"
GIB = 1 << 30


def line(text: str) -> str:
    return f"{stamp(3)} [801] {text}"


def ends(code: int) -> str:
    return line(f"{'FATAL' if code > 125 else 'LOG'}:  archive command failed with exit code {code}")


@dataclass(frozen=True)
class Broken:
    """`lines` are the log's, `command` in force; `facts` by slot are what else was read.

    Then the root's `rule`, words of its title, of its remedy and of all that it shows, and of the first line.
    """

    lines: tuple[str, ...] = ()
    command: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    rule: str = ""
    title: str = ""
    remedy: str = ""
    shows: str = ""
    verdict: str = ""
    level: Level = Level.CRITICAL
    certainty: Certainty | None = None

    def diagnosis(self) -> Diagnosis:
        facts: dict[str, Any] = {"archiver": archiver(**FAILING)} if self.lines else {}
        if self.command:
            facts |= {
                "settings": settings(archive_command=self.command),
                "command": CommandFacts(self.command),
            }
        snapshot: Snapshot = healthy(**(facts | self.facts))
        if self.lines:
            slot, log = log_of(self.lines)
            snapshot = fold(snapshot, read(slot, log), NOW)
        return diagnose(snapshot, NOW)


def of_mode(text: str, **folder: Any) -> dict[str, Any]:
    """The archive's folder is there."""
    usual = ArchiveFolder(
        text, owner="postgres:postgres", mode="750", writable=True, mount_point="/mnt", filesystem="xfs",
        total_bytes=90 * GIB, free_bytes=50 * GIB, free_inodes=10**6,
    )  # fmt: skip
    return {"folders": FolderFacts((replace(usual, **folder),))}


def slot(name: str, *, active: bool) -> dict[str, Any]:
    """One that keeps 72 of 80 GiB."""
    row = ReplicationSlot(name, "logical", active, "extended", 72 * GIB, reader="sub1" if active else "")
    disk = wal_disk(free_bytes=6 * GIB, wal_bytes=72 * GIB, wal_files=4608)
    return {"retention": RetentionFacts((row,), max_wal_bytes=GIB), "wal_disk": disk}


def behind(**changes: Any) -> dict[str, Any]:
    """The server writes 0x31; the bucket holds 0x41."""
    at = archiver(
        last_archived_wal="000000010000000000000030",
        current_wal="000000010000000000000031",
        lsn=0x31 * SEGMENT,
    )
    return {"archiver": at, "server": server(**changes)}


def headed(system: str) -> dict[str, Any]:
    held = bucket()
    name = held.newest_segment or ""
    header = PageHeader(0xD110, 15, 1, 0, system, 1 << 24, 8192)
    return {"primary": replace(held, identities=(SegmentIdentity(name, name, NOW, header),))}


def compared(*, identical: bool) -> dict[str, Any]:
    return {"compared": ComparedFacts(WAITS, f"wal/{WAITS}", identical, "aa", "aa" if identical else "bb")}


def not_counted(**disk: Any) -> dict[str, Any]:
    """What exits above 125 leaves of the counters: a backlog, and no failure."""
    waits = wal_disk(ready_count=2, oldest_ready=WAITS, oldest_ready_at=NOW - 5, **disk)
    return {"archiver": archiver(ready_count=2, last_archived_at=NOW - 200), "wal_disk": waits}


PUSH = ProgramFacts("push", "/usr/local/bin/push", True, mode=0o755, owner="root")
DENIED = f"cp: cannot create regular file '/mnt/wal/{WAITS}': Permission denied"
STATES: dict[str, Broken] = {
    "a folder above the archive may not be entered": Broken(
        (DENIED, ends(1)), COPY, {"folders": FolderFacts((ArchiveFolder("/mnt/wal",
        why="Permission denied"),))},
        "folder-not-writable", "cannot be entered by postgres", "folders above it",
        certainty=Certainty.PROVED),
    "SELinux denies what the mode allows": Broken(
        (DENIED, ends(1)), COPY, of_mode("/mnt/wal"), "permission", "is denied a file", "SELinux or AppArmor",
        "may write to /mnt/wal by its mode"),
    "a folder that may not be written": Broken(
        (DENIED, ends(1)), COPY, of_mode("/mnt/wal", writable=False, owner="root:root"),
        "folder-not-writable",
        certainty=Certainty.PROVED),
    "AppArmor denies a program that may be run": Broken(
        ("sh: 1: push: Permission denied", ends(126)), "push %p",
        {"command": CommandFacts("push %p", (PUSH,))}, "command-not-executable", "may not run",
        "SELinux or AppArmor", "may run each of its programs by its mode", certainty=Certainty.LIKELY),
    "a date's % in the command, 16": Broken(
        (line('ERROR:  invalid value for parameter "archive_command": "cp %p /mnt/$(date +%Y)/%f"'),
         line('DETAIL:  String contains unexpected placeholder "%Y".')), "cp %p /mnt/$(date +%Y)/%f", {},
        "archiver-crash-loop", 'cannot run what is set: String contains unexpected placeholder "%Y"',
        "write %%"),
    "a date's %% in the command, 15": Broken(
        (f"cp: cannot create regular file '/mnt/2026Y/{WAITS}': No such file or directory", ends(1)),
        "cp %p /mnt/$(date +%%Y)/%f", {}, "failing", "/mnt/2026Y/"),
    "ssh cannot reach the host": Broken(
        ("ssh: connect to host store port 22: Connection timed out", ends(255)), ONTO, not_counted(),
        "endpoint-wrong", "cannot be reached by ssh: store", "sshd", "ssh -v -o BatchMode=yes"),
    "ssh does not know the host's name": Broken(
        ("ssh: Could not resolve hostname store: Temporary failure in name resolution",
         "rsync error: unexplained error (code 255) at io.c(231) [sender=3.2.7]", ends(255)), ONTO,
        not_counted(),
        "endpoint-wrong", "cannot be reached by ssh: store", shows="getent hosts store"),
    "the host's key changed": Broken(
        ("Host key verification failed.", "rsync: connection unexpectedly closed (0 bytes received so far)",
         "rsync error: unexplained error (code 255) at io.c(231) [sender=3.2.7]", ends(255)), ONTO,
        not_counted(),
        "archiver-crash-loop", "says: Host key verification failed.", "|| exit 1",
        certainty=Certainty.PROVED),
    "the host refuses the user's key": Broken(
        ("wal@store: Permission denied (publickey).", ends(255)), ONTO, not_counted(),
        "archiver-crash-loop", "Permission denied (publickey)"),
    "the other host's disk is full": Broken(
        (f'rsync: [receiver] write failed on "/wal/{WAITS}": No space left on device (28)',
         "rsync error: error in file IO (code 11) at receiver.c(380)", ends(11)), ONTO, {},
        "disk-full", "on the host that it archives to", "make room there", certainty=Certainty.LIKELY),
    "the kernel kills the compressor": Broken(
        ("Killed", ends(137), "Killed", ends(137)), "zstd -19 %p -o /mnt/%f", not_counted(),
        "archiver-crash-loop", "exits with 137", "memory is short", "oom-kill", certainty=Certainty.PROVED),
    "the program crashes": Broken(
        (line("FATAL:  archive command was terminated by signal 11: Segmentation fault"),), "push %p",
        not_counted(), "archiver-crash-loop", "signal 11", "itself crashed", "segfault"),
    "it exits above 125 by itself": Broken(
        ("fatal: no upstream", ends(128), ends(128)), "push %p", not_counted(), "archiver-crash-loop",
        "exits with 128", "1 to 125"),
    "its time is up": Broken(
        (ends(143), ends(143)), "timeout -k 5 push %p", not_counted(), "archiver-crash-loop",
        "143 (signal 15"),
    "never overwrite, and not a word": Broken(
        (ends(1),), f"test ! -f /mnt/wal/%f && {COPY}", {}, "failing", f"archiving fails at {WAITS}", "",
        f"cmp /mnt/wal/{WAITS}"),
    "a days-old open segment on a quiet server": Broken(
        (), "", {"settings": settings(archive_timeout="0"),
        "archiver": archiver(last_archived_at=NOW - 3 * 86400)},
        "no-archive-timeout", "the last 3 d 00 h is in no archive", verdict="3 d 00 h behind",
        level=Level.WARNING),
    "the clock is an hour ahead": Broken(
        (), "", {"host": host(clock=NOW + 3600), "server": server(clock=NOW + 3600)}, "clock-skew",
        "1 h 00 min ahead of the store's", "NTP", level=Level.WARNING),
    "the clock is an hour ahead, and the store minds": Broken(
        ("rclone: RequestTimeTooSkewed: The difference is too large", ends(1)), "rclone copyto %p s:b/%f",
        {"host": host(clock=NOW + 3600), "server": server(clock=NOW + 3600)}, "clock-skew",
        "refuses the archiver's clock", "NTP", "1 h 00 min ahead of the store's", certainty=Certainty.PROVED),
    "the store's certificate has expired": Broken(
        ("curl: (60) SSL certificate problem: certificate has expired", ends(60)),
        "curl -T %p https://store/%f",
        {}, "endpoint-wrong", "by TLS", "dates and issuer"),
    "two clusters, one prefix": Broken(
        (), "", headed("6999999999999999999"), "foreign-writer", "another cluster's WAL", "prefix of its own",
        verdict="ANOTHER cluster's WAL"),
    "a clone writes on in the same prefix": Broken(
        (), "", behind(), "foreign-writer", "someone else writes", "find the clone", verdict="SOMEONE ELSE",
        certainty=Certainty.PROVED),
    "a clone wrote this very segment": Broken(
        ("exists already, and differs", ends(1)), "push %p", compared(identical=False),
        "same-name-different-content", "another 000000010000000000000042", "overwrite nothing"),
    "a standby was promoted, and this is the old primary": Broken(
        (), "", {"primary": replace(bucket(), newest_segment="000000020000000000000041")}, "foreign-writer",
        "timeline 2, where this server never was", "this is the old primary",
        verdict="ANOTHER server was promoted"),
    "the disk was put back to a snapshot": Broken(
        (), "", behind(started_at=NOW - 5), "foreign-writer", "older state of itself", "a new prefix",
        verdict="which went back", certainty=Certainty.LIKELY),
    "a .done was removed by hand": Broken(
        ("exists already", ends(1)), "push %p", compared(identical=True), "stuck-on-existing",
        "in the bucket already", "never delete the .ready file"),
    "pg_wal lies on a disk of its own, which is full": Broken(
        (line('PANIC:  could not write to file "pg_wal/xlogtemp.77": No space left on device'),), "",
        not_counted(free_bytes=0, directory="/wal/pg_wal", total_bytes=10 * GIB), "disk-filling",
        "has 0 B left", "never delete from pg_wal"),
    "an abandoned slot holds nearly all of the disk": Broken(
        (), "", slot("old_standby", active=False), "slot-retention", "nobody reads, 90% of its file system",
        "drop the slot", level=Level.WARNING),
    "a slow subscriber's slot does": Broken(
        (), "", slot("slow_sub", active=True), "slot-retention", "read too slowly, 90% of its file system",
        "reader sub1", level=Level.WARNING),
    "a mount went stale": Broken(
        (f"cp: cannot stat '/mnt/wal/{WAITS}': Stale file handle", ends(1)), COPY, {}, "failing",
        "Stale file handle"),
    "the disk below pg_wal fails": Broken(
        (f"cp: error reading 'pg_wal/{WAITS}': Input/output error", ends(1)), COPY, {}, "failing",
        "Input/output error"),
    "no process may be started any more": Broken(
        ("sh: 0: cannot fork: Resource temporarily unavailable", ends(2)), COPY, {}, "failing",
        "cannot fork"),
    "a library of the tool's is gone": Broken(
        ('  File "/usr/bin/barman-cloud-wal-archive", line 5, in <module>',
         "ModuleNotFoundError: No module named 'boto3'", ends(1)),
        "barman-cloud-wal-archive s3://b/p main %p",
        {}, "failing", "No module named 'boto3'"),
    "another pgBackRest holds the lock": Broken(
        ("P00  ERROR: [050]: unable to acquire lock on file '/tmp/pgbackrest/main-archive-1.lock'", ends(50)),
        "pgbackrest --stanza=main archive-push %p", {}, "failing", "unable to acquire lock"),
    "a variable of the script is not set": Broken(
        ("/usr/local/bin/push: line 3: BUCKET: unbound variable", ends(1)), "/usr/local/bin/push %p", {},
        "failing", "BUCKET: unbound variable"),
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
def test_what_an_operator_reads_first(name: str) -> None:
    state = STATES[name]
    diagnosis = state.diagnosis()
    root = diagnosis.stories[0].root
    assert root.rule == state.rule, [story.root.title for story in diagnosis.stories]
    assert diagnosis.verdict.level is state.level, diagnosis.verdict.text
    assert state.title in root.title
    assert state.remedy in root.remedy
    shown = f"{root.evidence} {[proof.text for proof in root.proof]} {root.fixes}"
    assert state.shows in shown
    assert state.verdict in diagnosis.verdict.text
    assert state.certainty in (None, root.certainty)


@pytest.mark.parametrize("name", STATES)
def test_nothing_is_said_twice(name: str) -> None:
    """A cause is one story, and whatever else is told follows from it or is another matter."""
    diagnosis = STATES[name].diagnosis()
    rules = [finding.rule for finding in diagnosis.findings]
    assert len(rules) == len(set(rules))
    if STATES[name].lines:
        critical = [story.root.rule for story in diagnosis.stories if story.severity.name == "CRITICAL"]
        assert critical == [STATES[name].rule]


def test_an_active_slot_that_keeps_little_of_the_disk_is_nothing() -> None:
    row = ReplicationSlot("standby", "physical", True, "reserved", 300 * MIB, reader="standby1")
    state = Broken(facts={"retention": RetentionFacts((row,), max_wal_bytes=256 * MIB)})
    assert "slot-retention" not in [finding.rule for finding in state.diagnosis().findings]


def test_an_idle_server_without_a_timeout_is_no_alarm() -> None:
    idle = archiver(last_archived_at=NOW - 3 * 86400, lsn=0x42 * SEGMENT + 96)
    state = Broken(facts={"settings": settings(archive_timeout="0"), "archiver": idle})
    assert state.diagnosis().verdict.level is Level.OK
