"""An archive command that copies pg_wal as it lies there, and not the segment that it is called for."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from walconsole.domain.archivers.discovery import Settings, discover
from walconsole.domain.archivers.look import Seen
from walconsole.domain.archivers.target import UnreadStore
from walconsole.domain.facts.evidence import DiscoveryFacts, FoundCopy
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.facts.whole_folder import Whole, WholeFolder
from walconsole.domain.redaction import safe
from walconsole.domain.standing.archiver import is_enabled
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import FailureMode, Page, Risk
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import setting_row
from walconsole.domain.standing.remedies import RELOAD, command_in_force
from walconsole.domain.units import plural

_MORE = 2
"""So many segments more than pg_wal has may have come between two listings."""


def whole_folder(assessment: Assessment) -> Iterator[Finding]:
    """By the words of the command and its scripts, and by what the archive and pg_wal hold."""
    snapshot = assessment.snapshot
    settings, found = snapshot.settings.value, snapshot.discovery.value
    if settings is None or not is_enabled(settings.value("archive_mode")):
        return
    copies = _followed(found, command_in_force(snapshot))
    others = [copy for copy in copies if copy.whole is None and not copy.unread]
    for whole in [copy.whole for copy in copies if copy.whole is not None][:1]:
        if whole.how is Whole.MIRRORS:
            yield _mirrors(snapshot, whole, others)
        else:
            yield _copies(snapshot, whole, others)


def _followed(found: DiscoveryFacts | None, command: str) -> tuple[FoundCopy, ...]:
    """Where the command stores to: with its scripts, where those were read, else by its words alone."""
    if found is not None and found.judged == safe(command):
        return found.copies
    return _by_words(command)


@cache
def _by_words(command: str) -> tuple[FoundCopy, ...]:
    return tuple(
        FoundCopy("", "", "unread" if isinstance(each.store, UnreadStore) else "", whole=each.whole)
        for each in discover(Settings(command), Seen())[0].targets
    )


def _mirrors(snapshot: Snapshot, whole: WholeFolder, others: list[FoundCopy]) -> Finding:
    gone, kept = _gone(snapshot, whole), _kept(snapshot, whole)
    spared = bool(others) or bool(kept)
    finding = Finding(
        "mirror-eats-wal",
        Severity.WARNING if spared else Severity.CRITICAL,
        f"the archive command deletes in the archive what PostgreSQL removes from pg_wal: {whole.into}",
        (
            f"{whole.words} ({whole.at}) makes it what {whole.folder} is now",
            "PostgreSQL removes or renames a segment once it is archived and no checkpoint needs it: then no "
            "base backup can be brought forward by it",
            *(each.text for each in (*gone, *kept)),
            *(f"{each.place or 'another place'} has what is archived, too" for each in others[:1]),
        ),
        _remedy(whole) + ", and take a base backup: what is gone stays gone",
        Snapshot.settings,
        "archive_command",
        proof=(*gone, *kept, *setting_row(snapshot, "archive_command")),
        fixes=_fixes(whole),
        certainty=Certainty.PROVED if gone and not kept else Certainty.LIKELY,
    )
    surer = f"list both: has {whole.into} any segment that {whole.folder} has no more?"
    return finding if finding.certainty is Certainty.PROVED else replace(finding, surer=surer)


def _copies(snapshot: Snapshot, whole: WholeFolder, others: list[FoundCopy]) -> Finding:
    stays = whole.how is Whole.KEEPS
    return Finding(
        "whole-folder-copied",
        Severity.CRITICAL if stays and not others else Severity.WARNING,
        f"the archive command {'keeps in' if stays else 'copies all of pg_wal to'} {whole.into}"
        f"{' what it first copied of a segment' if stays else ' each time'}, finished or not",
        (
            f"{whole.words} ({whole.at})",
            "the segment that is written now is among it, half of it from before, and old segments that wait "
            "under the names of WAL to come",
            "what was copied first is never replaced: under that name the archive has no whole segment"
            if stays
            else "a restore that comes upon one of them ends there; a later run puts the finished one in its "
            "place",
        ),
        _remedy(whole) + (", and take a base backup" if stays else ""),
        Snapshot.settings,
        "archive_command",
        proof=tuple(setting_row(snapshot, "archive_command")),
        fixes=_fixes(whole),
        certainty=Certainty.LIKELY,
        surer=f"compare the newest segments of {whole.into} with those of {whole.folder}: cmp",
    )


def _gone(snapshot: Snapshot, whole: WholeFolder) -> tuple[Proof, ...]:
    """The archive holds no more than pg_wal does, though PostgreSQL counts more as archived."""
    disk, archiver, bucket = snapshot.wal_disk.value, snapshot.archiver.value, _listed(snapshot, whole)
    if disk is None or archiver is None or bucket is None or not disk.wal_files:
        return ()
    if bucket.segments > disk.wal_files + _MORE or archiver.archived_count <= bucket.segments + _MORE:
        return ()
    return (
        Proof(
            f"{plural(bucket.segments, 'segment')} in {bucket.bucket}, {disk.wal_files} in pg_wal, and "
            f"{archiver.archived_count} archived",
            f"the listings of both; pg_stat_archiver{_since(archiver.stats_reset_at)}",
            snapshot.primary.read_at,
        ),
    )


def _listed(snapshot: Snapshot, whole: WholeFolder) -> BucketFacts | None:
    """That copy, where it is the one that is read as the primary one, and was listed whole."""
    bucket = snapshot.primary.value
    return bucket if bucket is not None and bucket.complete and bucket.bucket in whole.into else None


def _since(at: float | None) -> str:
    return " since its last reset" if at is not None else ""


def _kept(snapshot: Snapshot, whole: WholeFolder) -> tuple[Proof, ...]:
    """The archive holds more than pg_wal does: something keeps it from deleting, or it has not run yet."""
    disk, bucket = snapshot.wal_disk.value, _listed(snapshot, whole)
    if disk is None or bucket is None or not disk.wal_files:
        return ()
    if bucket.segments <= 2 * disk.wal_files + _MORE:
        return ()
    told = f"{bucket.bucket} still has {plural(bucket.segments, 'segment')}, pg_wal {disk.wal_files}"
    return (Proof(told, "the listings of both", snapshot.primary.read_at),)


def _remedy(whole: WholeFolder) -> str:
    return "have it store the one segment that it is called for" + (
        f": {whole.instead}" if whole.instead else ""
    )


def _fixes(whole: WholeFolder) -> tuple[Fix, ...]:
    where = "in that script" if whole.at.startswith("/") else "in the file that sets it, and reload"
    words = f": {whole.instead}, with the options that say where" if whole.instead else ""
    return (
        Fix(
            f"have it store the one segment, {where}{words}",
            () if whole.at.startswith("/") else (RELOAD,),
        ),
    )


_FIX = (
    "Store %p under the name %f, and nothing else; reload. Retention is for what knows of base backups.\n\n"
    "```\n"
    "archive_command = 'rclone copyto %p REMOTE:BUCKET/wal/%f'\n"
    "archive_command = 'rsync -a %p HOST:/wal/%f'\n"
    "archive_command = 'aws s3 cp %p s3://BUCKET/wal/%f'\n"
    "```"
)

MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "mirror-eats-wal",
        Page(
            title="the archive is a mirror of pg_wal: what PostgreSQL removes there is deleted here",
            symptom=(
                "All works, and the archive never grows. It holds the last few segments alone, and no base "
                "backup that is older than them can be restored to a later moment."
            ),
            cause=(
                "`rclone sync pg_wal REMOTE`, `rsync --delete`, `aws s3 sync --delete`, `s3cmd sync "
                "--delete-removed`, `mc mirror --remove` and the like make the destination what the source "
                "is. PostgreSQL removes segments from pg_wal as soon as they are archived. The same comes of "
                "a sync of a folder that the command itself empties."
            ),
            signal=(
                "The words of archive_command in force and of the shell scripts that it calls. PROVED where "
                "the archive's listing has no more segments than pg_wal's, though pg_stat_archiver counts "
                "more as archived. WARNING where another copy is made as well, or where the archive holds "
                "far more than pg_wal: then something keeps it from deleting. What cron runs is not looked "
                "at: what is gone shows in the archive."
            ),
            fix=_FIX + "\n\nThen take a base backup: what was deleted is gone.",
            never="Do not restart the server, or force a checkpoint, before it is mended: that removes more.",
            source="the manuals of rclone sync, rsync --delete, aws s3 sync --delete, mc mirror --remove",
        ),
        look=whole_folder,
        explains=(
            "foreign-writer",
            "archive-shrunk",
            "gap",
            "wal-before-backup-gone",
            "backup-broken",
            "silent-loss",
            "history-missing",
        ),
        risk=Risk.REPLAY,
    ),
    FailureMode(
        "whole-folder-copied",
        Page(
            title="all of pg_wal is copied each time, what is half written, too",
            symptom=(
                "Archiving takes longer the more lies in pg_wal. The archive has segments that the server "
                "has not written yet, or half of one under its final name."
            ),
            cause=(
                "`cp -r pg_wal`, `rclone copy pg_wal`, `aws s3 sync pg_wal`, `rsync -a pg_wal/` instead of "
                "%p. In pg_wal lie the segment that is written now and old ones that wait under the names "
                "of WAL to come. With `--ignore-existing`, `--size-only` or `cp -n` what was copied first "
                "stays: every segment has the same size."
            ),
            signal=(
                "The words of archive_command in force and of the shell scripts that it calls. CRITICAL "
                "where what was copied first is never replaced, and no other copy is made; else WARNING."
            ),
            fix=_FIX,
            source="PostgreSQL's documentation, 26.3.1 (archive_command), 28.5 (WAL configuration)",
        ),
        look=whole_folder,
        explains=("damaged-object", "foreign-writer", "too-slow", "torn-copy"),
        risk=Risk.REPLAY,
    ),
)
