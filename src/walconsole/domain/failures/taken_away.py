"""An archive command that takes the segment away, or stores a link to it: PostgreSQL still needs the file."""

import re
from collections.abc import Iterator
from functools import lru_cache

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.redaction import safe
from walconsole.domain.standing.archiver import is_enabled
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import FailureMode, Page, Risk
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import setting_row
from walconsole.domain.standing.remedies import RELOAD, command_in_force
from walconsole.domain.units import plural

_PARTS = re.compile(r"&&|\|\||[;&|\n(){}]|\b(?:then|do|else)\b")
_QUOTES = str.maketrans("", "", "'\"")
_MOVERS = re.compile(
    r"(?:\S*/)?(?:mv\s|rsync\s(?=.*--remove-source-files)|rclone\s(?=.*\bmove(?:to)?\s)|aws\s.*\bs3\s+mv\s"
    r"|(?:mc|s5cmd)\s.*\bmv\s|(?:gzip|xz|bzip2|lzma)\s(?!.*(?:-\w*[ck]|--stdout|--keep|--to-stdout|>|<))"
    r"|zstd\s(?=.*--rm\b)|gsutil\s.*\bmv\s|(?:rm|unlink)\s|shred\s(?=.*-\w*u))"
)
_LINKS = re.compile(r"(?:\S*/)?(?:ln\s|link\s|cp(?=\s)(?=.*(?:\s-[a-zA-Z]*[ls]|--link|--symbolic-link)))")
_SEGMENT = re.compile(r"(?:%p|(?<![\w./-])(?:\./)?pg_(?:wal|xlog)/%f)(?![\w.])")
_WRAPPED = re.compile(r"(?:(?:exec|nice|ionice|sudo|timeout|env|time|!|sh|bash|-\S+|\d\S*|\w+=\S*)\s+)*")


def taken_away(assessment: Assessment) -> Iterator[Finding]:
    """By the words of archive_command itself, and by pg_wal's listing, whatever a script does."""
    snapshot = assessment.snapshot
    settings = snapshot.settings.value
    if settings is None or not is_enabled(settings.value("archive_mode")):
        return
    seen = tuple(_seen_gone(snapshot))
    command, facts = command_in_force(snapshot), snapshot.command.value
    script = facts.script if facts is not None and facts.command == command else ""
    taking = _taking(command, script)
    if taking is not None:
        words, links = taking
        title, why = _LINKED if links else _MOVED
        yield _finding(snapshot, f"{title} ({safe(words)[:60]})", why, () if links else seen)
    elif seen:
        yield _finding(snapshot, _MOVED[0], _MOVED[1], seen)


@lru_cache(maxsize=1024)
def _taking(command: str, script: str) -> tuple[str, bool] | None:
    """The first words that take the segment away, and whether they link it; each look asks of the same."""
    for part in (*_PARTS.split(command), *_PARTS.split(_called(script, command))):
        words = _WRAPPED.sub("", part.translate(_QUOTES).strip(), count=1)
        links = bool(_LINKS.match(words))
        if (links or _MOVERS.match(words)) and _SEGMENT.search(words):
            return words, links
    return None


_ASSIGNS = re.compile(
    r"^[ \t]*(?:local[ \t]+|readonly[ \t]+|export[ \t]+)?(\w+)=[\"']?(%[pf])[\"']?[ \t]*$", re.MULTILINE
)


def _called(script: str, command: str) -> str:
    """The script with %p and %f for what the command gives it, as far as plain words and variables tell."""
    given = [word.translate(_QUOTES) for word in command.split()][1:]
    for at, word in enumerate(given[:9], start=1):
        if word in ("%p", "%f"):
            script = re.sub(rf"\$(?:{at}(?!\d)|\{{{at}\}})", word, script)
    for name, word in _ASSIGNS.findall(script):
        script = re.sub(rf"\$(?:{name}\b|\{{{name}\}})", word, script)
    return "\n".join(line for line in script.splitlines() if not line.lstrip().startswith("#"))


_LEAST_GONE = 2
"""Of one segment the mark may be there still in the moment in which PostgreSQL itself takes it away."""


def _seen_gone(snapshot: Snapshot) -> Iterator[Proof]:
    """Segments that are marked as archived and are not there: PostgreSQL takes both away together.

    Among them the last that was archived: what somebody deleted once leaves its marks for good.
    """
    disk, reading, archiver = snapshot.wal_disk.value, snapshot.wal_disk, snapshot.archiver.value
    if disk is None or reading.problem is not None or disk.gone_count < _LEAST_GONE or archiver is None:
        return
    if not archiver.last_archived_wal or disk.newest_gone < archiver.last_archived_wal[:24]:
        return
    marked = f"{plural(disk.gone_count, 'segment is', 'segments are')} marked as archived and not there"
    yield Proof(
        f"{marked}, the newest {disk.newest_gone}", f"the listing of {disk.directory}", reading.read_at
    )


_MOVED = (
    "the archive command takes segments away from pg_wal: after a crash the server may not start",
    "crash recovery reads the segments since the last checkpoint from pg_wal, and they are not there",
)
_LINKED = (
    "the archive command stores links to pg_wal's own files: their bytes become other segments'",
    "PostgreSQL renames a segment that it needs no more, and writes another over it: the link shows that",
)


def _finding(snapshot: Snapshot, title: str, why: str, seen: tuple[Proof, ...]) -> Finding:
    return Finding(
        "segment-taken-away",
        Severity.CRITICAL,
        title,
        (
            *(each.text for each in seen),
            why,
            "archive_command is to copy: PostgreSQL itself removes what it needs no more",
        ),
        "have it copy (cp, rsync without --remove-source-files, a client's copy), and reload; then take a "
        "new base backup",
        Snapshot.settings,
        "archive_command",
        proof=(*seen, *setting_row(snapshot, "archive_command")),
        fixes=(Fix("set one that copies, in the file that sets it, and reload", (RELOAD,)),),
        certainty=Certainty.PROVED if seen else Certainty.LIKELY,
        surer=""
        if seen
        else "is what the archive holds a file of its own? stat -c %h on it says how many names it has",
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "segment-taken-away",
        Page(
            title="the archive command moves or links segments instead of copying them",
            symptom=(
                "Archiving is fast and never fails. After a crash the server does not start (`could not "
                "locate a valid checkpoint record`); or a restore finds other WAL "
                "in the archive than the names say."
            ),
            cause=(
                "`mv %p`, `rsync --remove-source-files`, `rclone move`, `gzip %p` (which replaces the "
                "file), `&& rm %p`: the segment is gone from pg_wal, where crash recovery, standbys and "
                "slots need it. `ln %p`, `cp -l`: the archive's file is pg_wal's own, which is renamed and "
                "written over."
            ),
            signal=(
                "Segments that are marked as archived (.done) and are not in pg_wal: PostgreSQL takes a "
                "segment away together with its mark. And the words of archive_command in force and of the "
                "script that it calls, up to the first such program."
            ),
            fix="Copy: `cp %p /mnt/wal/%f`. Take a base backup, for what was linked is worth nothing.",
            never="Do not restart the server in immediate mode before it copies and a checkpoint has ended.",
            source="PostgreSQL's documentation, 26.3.1; access/transam/xlog.c (RemoveXlogFile)",
        ),
        look=taken_away,
        risk=Risk.REPLAY,
    ),
)
