"""Who else writes to the archive: another cluster's WAL, and what this server cannot have archived."""

from collections.abc import Iterator

from walconsole.domain.archive.page_header import SegmentIdentity
from walconsole.domain.archive.times import age_s
from walconsole.domain.facts.observed import BucketFacts, ServerFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.recovery.backups import Completeness, Unreadable
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.copies import copies, timeline_beyond
from walconsole.domain.standing.mode import FailureMode, Page, Risk
from walconsole.domain.standing.model import Certainty, Finding, Proof, Severity
from walconsole.domain.standing.proofs import archiver_row
from walconsole.domain.standing.whose import (
    Ahead,
    ahead,
    another_cluster,
    beyond_server,
    left_behind,
    writing,
)
from walconsole.domain.units import age_text
from walconsole.domain.wal import wal_name


def foreign_writer(assessment: Assessment) -> Iterator[Finding]:
    """Another cluster's WAL, or WAL that this server has not written yet, lies in the archive."""
    found = next(_others_wal(assessment), None)
    yield from _ahead_of_server(assessment) if found is None else (found,)
    if found is None:
        yield from _not_followed(assessment)


def _others_wal(assessment: Assessment) -> Iterator[Finding]:
    """By the page headers: another system identifier than the server's."""
    snapshot = assessment.snapshot
    server = snapshot.server.value
    if server is None:
        return
    for copy, reading in copies(snapshot):
        bucket = reading.value
        found = another_cluster(bucket, server.system_identifier) if bucket is not None else None
        if bucket is not None and found is not None and found.header is not None:
            newer = _newer_base_backup(bucket, found, server)
            upgraded = newer is None and bucket.newest_segment in _ours(bucket, server)
            yield Finding(
                "foreign-writer",
                Severity.NOTE if newer is not None else Severity.CRITICAL,
                f"the {copy} bucket holds older WAL of another cluster, as after an upgrade, and no base "
                "backup of this one since"
                if upgraded
                else f"the {copy} bucket holds another cluster's WAL"
                if newer is None
                else f"the {copy} bucket still holds older WAL of another cluster, as after an upgrade",
                (
                    f"{found.name} was written by system {found.header.system_identifier} (its page header), "
                    f"this server is {server.system_identifier} (pg_control_system)",
                    *([f"{newer} is a base backup of this server's, and newer than that"] if newer else []),
                ),
                "where this server was made from that one (pg_upgrade), take a base backup now: nothing "
                "older is of use to it; else give each cluster a bucket or a prefix of its own first"
                if upgraded
                else "give each cluster a bucket or a prefix of its own, then take a new base backup"
                if newer is None
                else "nothing is needed of it for this server: let retention take it, or move it to a "
                "prefix of its own",
                reading.slot,
                proof=(
                    Proof(
                        f"{found.key}: system identifier {found.header.system_identifier}",
                        "S3 GET, the page header",
                        found.read_at,
                    ),
                    Proof(
                        f"system identifier {server.system_identifier}",
                        "pg_control_system",
                        snapshot.server.read_at,
                    ),
                ),
            )
            return


def _ours(bucket: BucketFacts, server: ServerFacts) -> set[str]:
    """The segments whose page header was read, and names this server's system."""
    return {
        each.name
        for each in bucket.identities
        if each.header is not None and each.header.system_identifier == server.system_identifier
    }


def _newer_base_backup(bucket: BucketFacts, found: SegmentIdentity, server: ServerFacts) -> str | None:
    """A whole base backup of this server's from after another cluster's WAL, None where there is none.

    Its newest segment must be seen to be this server's: else the other one writes on.
    """
    last = wal_name(found.name, server.segment_bytes)
    if last is None or last.segment is None or bucket.newest_segment not in _ours(bucket, server):
        return None
    for backup in bucket.backups or ():
        if isinstance(backup, Unreadable) or backup.completeness is not Completeness.COMPLETE:
            continue
        first = backup.first_segment(server.segment_bytes)
        own = str(backup.system_identifier) == server.system_identifier
        if own and first is not None and first > last.segment:
            return backup.id
    return None


def _ahead_of_server(assessment: Assessment) -> Iterator[Finding]:
    """By the names: what this server cannot have archived."""
    snapshot = assessment.snapshot
    server, archiver = snapshot.server.value, snapshot.archiver.value
    if server is None:
        return
    beyond = beyond_server(snapshot)
    timeline = timeline_beyond(snapshot)
    if beyond is None and timeline is not None:
        yield Finding(
            "foreign-writer",
            Severity.CRITICAL,
            f"a restore to the latest would follow timeline {timeline}, where this server never was",
            (
                f"{timeline:08X}.history lies in the archive (S3 LIST)",
                f"the server writes {archiver.current_wal if archiver else 'n/a'} (pg_walfile_name)",
            ),
            "find the restored server that archived it; until it is gone, restore with "
            f"recovery_target_timeline = {server.timeline}",
            Snapshot.primary,
        )
    how = ahead(snapshot)
    if beyond is not None and how is not None:
        newest, current = (segment.name(server.segment_bytes) for segment in beyond)
        title, remedy = _AHEAD[how]
        yield Finding(
            "foreign-writer",
            Severity.CRITICAL,
            title.format(timeline=beyond[0].timeline),
            (
                f"newest in the bucket = {newest} (S3 LIST)",
                f"the server writes {current} (pg_current_wal_lsn)",
            ),
            remedy,
            Snapshot.primary,
            proof=(
                Proof(f"newest {newest}", snapshot.primary.source, snapshot.primary.read_at),
                Proof(f"writes {current}", "pg_current_wal_lsn", snapshot.archiver.read_at),
                *archiver_row(snapshot),
            ),
            certainty=Certainty.LIKELY if how is Ahead.WENT_BACK else Certainty.PROVED,
            surer="was this server's disk put back to a snapshot? else another one wrote it"
            if how is Ahead.WENT_BACK
            else "",
        )


_LONG_AGO_S = 86400.0
"""Who stored nothing for a day has stopped, or archives elsewhere: what he left there harms nothing."""


def _not_followed(assessment: Assessment) -> Iterator[Finding]:
    """The old primary of before a promotion, which archives on: by this archive's history and its listing."""
    snapshot, now = assessment.snapshot, assessment.now
    server, archiver = snapshot.server.value, snapshot.archiver.value
    if server is None or archiver is None or server.in_recovery:
        return
    for _, reading in copies(snapshot):
        bucket = reading.value
        timeline = writing(archiver, server).timeline
        found = left_behind(bucket, timeline) if bucket is not None else None
        if bucket is None or found is None:
            continue
        since = age_s(found.stored_at, now, bucket.store_clock_offset_s)
        if since > _LONG_AGO_S:
            continue
        size = server.segment_bytes
        newest, fork = found.newest.name(size), found.fork.name(size)
        yield Finding(
            "foreign-writer",
            Severity.WARNING,
            f"another server still archives on timeline {found.newest.timeline}, which this one left: the "
            f"old primary writes on, last {age_text(since)}",
            (
                f"{found.child:08X}.history says that timeline {found.newest.timeline} was left in {fork}",
                f"{newest} is beyond that, and was stored after the first segment of timeline {found.child}",
                "what is written there is on no path that a restore of this server follows: it is lost to it",
            ),
            "find the old primary, and let nobody write to it: stop it, or set its archive_command = 'false' "
            "until it is looked at; then pg_rewind it, or make it anew, as a standby of this one",
            reading.slot,
            proof=(
                Proof(
                    f"timeline {found.newest.timeline} left in {fork}",
                    f"{found.child:08X}.history",
                    reading.read_at,
                ),
                Proof(
                    f"newest of timeline {found.newest.timeline}: {newest}", reading.source, reading.read_at
                ),
            ),
        )
        return


_AHEAD = {
    Ahead.PROMOTED: (
        "the archive goes on on timeline {timeline}, where this server never was: another one was promoted",
        "find out which of the two is the primary. Where the other one was promoted on purpose, this is "
        "the old "
        "primary: let nobody write to it, and stop it. Stop the other one only where it is a restore or "
        "a test",
    ),
    Ahead.WENT_BACK: (
        "the archive is ahead of this server, which began anew from an older state of itself",
        "let it archive nothing over its own history: set archive_command = 'false', find out how far "
        "back it is, "
        "then archive to a new prefix, with a new base backup",
    ),
    Ahead.ANOTHER: (
        "someone else writes to the archive: it is ahead of this server",
        "find the clone or the restored server that kept this archive_command, and stop it",
    ),
}
"""What is said, and what is to be done: the advice for the one would destroy what the other needs."""


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "foreign-writer",
        Page(
            title="somebody else writes to the archive",
            symptom="The bucket is ahead of the server, or holds segments of another system identifier.",
            cause=(
                "A clone, a restored server or a test kept the archive_command; a standby was promoted, "
                "and this "
                "is the old primary; or this server's disk was put back to a snapshot, so that what it "
                "archived "
                "itself is ahead of it."
            ),
            signal=(
                "The page header of the newest and oldest segments (system identifier), and names beyond "
                "the write position. Older WAL of another system identifier is a note where a whole base "
                "backup of "
                "this server's is newer: so an upgrade leaves it. A later timeline means a promotion; "
                "what was "
                "all stored before this server started, that it went back. On the promoted server: segments "
                "of the timeline that it left, beyond where its history says that it was left, and stored "
                "after its own first one."
            ),
            fix=(
                "Find out first which server is the primary. Stop the other writer; give each cluster a "
                "prefix "
                "of its own; take a base backup. A server that went back archives to a new prefix."
            ),
            never="Delete nothing before it is known whose it is.",
            source="wal-e#350; pgbackrest#1908",
        ),
        look=foreign_writer,
        explains=("same-name-different-content", "stuck-on-existing", "gap", "failing", "stalled"),
        risk=Risk.REPLAY,
    ),
)
