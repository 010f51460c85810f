"""What archiving writes to has no room: a file system, a quota, another host's disk."""

import re
from collections.abc import Iterator, Sequence
from shlex import quote

from walconsole.domain.facts import log_languages as languages
from walconsole.domain.facts.evidence import LogEntry, LogKind
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.records import record
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.failure_log import why_ended
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import log_lines
from walconsole.domain.standing.remedies import is_ours, ours_in_force, server_user
from walconsole.domain.standing.room import Full, seen_full
from walconsole.domain.standing.unreachable import is_down

_NEVER = "never delete from pg_wal"
_QUOTA = re.compile(languages.QUOTA, re.IGNORECASE)
_ON_ANOTHER_HOST = re.compile(r"\[receiver\]|receiver\.c|^(?:scp|sftp): .*(?:remote|write remote)")
"""rsync's receiving side, and what scp and sftp say of the other host."""


_PG_WAL = re.compile(r"[\"'«“]pg_wal/")


def disk_full(assessment: Assessment) -> Iterator[Finding]:
    """The log says that a file system is full, and nothing has been archived since."""
    snapshot = assessment.snapshot
    lines = [entry for entry in assessment.newest_lines if entry.kind is LogKind.DISK_FULL]
    ended = why_ended(snapshot) if is_down(snapshot) else None
    if ended is not None and ended.kind is LogKind.DISK_FULL:
        lines = [ended]
    elif not lines or not assessment.troubled:
        return
    told = _told_full(snapshot, lines)
    full = told.seen
    yield Finding(
        "disk-full",
        Severity.CRITICAL,
        told.title,
        (lines[-1].text, *((full.proof.text,) if full is not None else ())),
        f"{told.remedy}; {_NEVER}",
        Snapshot.wal_disk,
        since=lines[0].at,
        proof=(
            *log_lines(snapshot, lines),
            *((full.proof,) if full is not None else _pg_wal_room(snapshot)),
        ),
        fixes=(
            told.fix,
            *(() if is_ours(snapshot) else ours_in_force(snapshot, "which keeps nothing on the disk")),
        ),
        certainty=Certainty.PROVED if full is not None else Certainty.LIKELY,
        surer=""
        if full is not None
        else "nothing that was looked at is full: df -h and df -i on the droplet, and the user's quota",
    )


@record
class _ToldFull:
    """Which file system the words mean, as far as that is known. `seen`: a look agrees."""

    title: str
    remedy: str
    fix: Fix
    seen: Full | None = None


def _told_full(snapshot: Snapshot, lines: Sequence[LogEntry]) -> _ToldFull:
    if any(_ON_ANOTHER_HOST.search(entry.text) for entry in lines):
        return _ToldFull(
            "no space left on the host that it archives to",
            "make room there, or grow its disk; of the archive delete only what no base backup needs",
            _fillers("find what is full there, and what fills it"),
        )
    full = seen_full(snapshot, " ".join(entry.text for entry in lines))
    if full is None and _QUOTA.search(lines[-1].text) is not None:
        user = server_user(snapshot)
        asking = (f"quota -v -u {quote(user)}", "repquota -a", "xfs_quota -x -c 'report -h'")
        return _ToldFull(
            "a quota on a file system that archiving needs is used up: df shows room all the same",
            f"raise the quota of {user} there, or make room among its files",
            Fix("see the quotas, of the user, its groups and the folder's project", asking),
        )
    if full is None and _PG_WAL.search(lines[-1].text) is not None:
        disk = snapshot.wal_disk.value
        where = quote(disk.directory) if disk is not None else ""
        return _ToldFull(
            "no space or no inode left for pg_wal: PostgreSQL cannot write, and stops",
            "see which of the two its file system lacks, and make room there or grow it",
            Fix(
                "see what its file system lacks",
                (f"df -h {where}".rstrip(), f"df -i {where}".rstrip()),
                risk="never delete anything in pg_wal: the server cannot start without it",
            ),
        )
    return _ToldFull(
        f"no {full.what} left on {full.path}, which archiving needs"
        if full is not None
        else "no space left on a file system that archiving needs",
        "find which one (df -h; the command's temporary folder, its log, pg_wal) and make room",
        _fillers("find what is full, and what fills it"),
        full,
    )


def _fillers(title: str) -> Fix:
    return Fix(
        title,
        ("df -h", "df -i", "du -xh --max-depth=2 / | sort -h | tail"),
        risk="never delete anything in pg_wal: the server cannot start without it",
    )


def _pg_wal_room(snapshot: Snapshot) -> tuple[Proof, ...]:
    disk = snapshot.wal_disk.value
    if disk is None:
        return ()
    return (Proof(f"{disk.directory}: {disk.free_bytes:,} bytes free", "df", snapshot.wal_disk.read_at),)


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "disk-full",
        Page(
            title="no space left for what archiving needs",
            symptom="`No space left on device` in the log.",
            cause=(
                "The file system of the command's temporary files, of its log, or of pg_wal itself is full "
                "(or has no inodes)."
            ),
            signal=(
                "The line in the log since the last success. It is proved where the file system of the path "
                "that it names (else of pg_wal, /tmp, /var/tmp or /var/log) is seen to be full for the "
                "server's user; a quota is not seen."
            ),
            fix=(
                "Find which one, and make room.\n\n"
                "```\n"
                "df -h; df -i\n"
                "du -xh --max-depth=2 / | sort -h | tail\n"
                "```"
            ),
            never="Never delete anything in pg_wal: the server cannot start without it.",
            source="openlibrary#13549",
        ),
        look=disk_full,
        explains=("failing", "stalled", "permission", "archiver-crash-loop", "postgres-unreachable"),
    ),
)
