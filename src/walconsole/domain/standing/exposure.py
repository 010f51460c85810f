"""Whether the bucket holds what PostgreSQL says it archived, and what would be lost now."""

from dataclasses import replace

from walconsole.domain.archive.times import age_s
from walconsole.domain.facts.folders import ArchiveFolder
from walconsole.domain.facts.history import History
from walconsole.domain.facts.observed import ArchiverFacts, BucketFacts, ServerFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import folder_place, is_folder
from walconsole.domain.records import record
from walconsole.domain.standing.archiver import IDLE_NOISE_BYTES, Lag, is_off, lag, server_age
from walconsole.domain.standing.folders import folder_at, folders_in_force
from walconsole.domain.standing.streaming import holds_what_is_written, received
from walconsole.domain.standing.whose import holds_others_newest, own_newest
from walconsole.domain.wal import Segment, WalNameKind, wal_name

LISTING_GRACE_S = 2.0
"""A store may list an object this much after its PUT was answered, and clocks differ by as much."""


@record
class Agreement:
    """Whether the bucket holds what PostgreSQL says it archived. `behind` is in segments.

    `beside` is another folder that the command stores into, in which the last archived one lies instead.
    """

    ok: bool | None
    text: str
    behind: int | None = None
    beside: ArchiveFolder | None = None


def exposure(snapshot: Snapshot, now: float) -> Lag | None:
    """What would be lost now with the droplet's disk: the RPO as it stands.

    Where the bucket proves to hold less than PostgreSQL says it archived, the bucket decides.
    None when nothing is known to be in the archive: then everything would be lost.
    """
    behind = lag(snapshot, now)
    archiver, server = snapshot.archiver.value, snapshot.server.value
    if behind is None or archiver is None or server is None:
        return behind
    return exposed(snapshot, now, behind, agreement(archiver, server, snapshot))


def exposed(snapshot: Snapshot, now: float, behind: Lag | None, answer: Agreement) -> Lag | None:
    """The same, where the lag and what the bucket says of it are known already."""
    archiver, server, bucket = snapshot.archiver.value, snapshot.server.value, snapshot.primary.value
    if behind is None or archiver is None or server is None or bucket is None:
        return behind
    if answer.ok is not False:
        return _unconfirmed(snapshot, behind)
    newest = wal_name(own_newest(snapshot), server.segment_bytes)
    if newest is None or newest.segment is None:
        return None
    lost = max(0, archiver.lsn - newest.segment.next().start_lsn(server.segment_bytes))
    age = None if bucket.newest_at is None else age_s(bucket.newest_at, now, bucket.store_clock_offset_s)
    return Lag(lost // server.segment_bytes, lost, age, idle=False)


def _unconfirmed(snapshot: Snapshot, behind: Lag) -> Lag:
    """Where WAL is streamed, what its receiver lacks: its .partial has of the current segment what it got."""
    stream = received(snapshot)
    if not is_off(snapshot) or stream is None or stream.behind_bytes is None or behind.segments:
        return behind
    if not holds_what_is_written(snapshot):
        return behind
    return Lag(0, stream.behind_bytes, None, idle=stream.behind_bytes <= IDLE_NOISE_BYTES)


def agreement(archiver: ArchiverFacts, server: ServerFacts, snapshot: Snapshot) -> Agreement:
    """Whether the primary bucket's newest segment is the last one that PostgreSQL archived.

    A listing is older than the statistics by up to a few seconds: one that ended before the
    segment was archived proves nothing. The bucket may be one ahead: a clean shutdown archives
    without counting (observed). A .partial, which a promoted server archives last until it fills a
    segment, is none: the whole segment of that number is on the new timeline. Where WAL is streamed instead,
    what the archiver counted once says nothing of what the receiver keeps.
    """
    bucket = snapshot.primary.value
    if bucket is None or snapshot.primary.problem is not None:
        return Agreement(None, "the bucket was not read")
    if is_off(snapshot) and received(snapshot) is not None:
        return Agreement(None, "archive_mode is off: what PostgreSQL counted is of the past")
    claimed = wal_name(archiver.last_archived_wal, server.segment_bytes)
    if claimed is None or claimed.segment is None or claimed.kind is WalNameKind.PARTIAL:
        return Agreement(None, "PostgreSQL names no archived segment")
    if alike_holds(bucket, claimed.segment, server.segment_bytes) and bucket.alike is not None:
        return Agreement(None, f"the bucket holds {bucket.alike.text}")
    if holds_others_newest(snapshot):
        return Agreement(None, f"the bucket's newest, {bucket.newest_segment}, is not this server's")
    newest = wal_name(bucket.newest_segment, server.segment_bytes)
    if newest is None or newest.segment is None:
        return _unless_in_flight(snapshot, archiver, Agreement(False, "the bucket holds no segment", None))
    behind = claimed.segment.number - newest.segment.number
    if behind == 0:
        return Agreement(True, "the bucket's newest is the last archived", 0)
    if behind < 0:
        return Agreement(True, "the bucket is ahead of PostgreSQL's count", behind)
    word = "segment" if behind == 1 else "segments"
    return _unless_in_flight(
        snapshot, archiver, Agreement(False, f"the bucket lacks the last {behind} {word}", behind)
    )


def _unless_beside(snapshot: Snapshot, answer: Agreement) -> Agreement:
    """`answer`, unless what is lacking lies in another folder: the data's own disk is no second place."""
    beside = _held_beside(snapshot)
    if beside is None:
        return answer
    text = f"{answer.text}, which lie in {beside.path}"
    return replace(answer, ok=False if beside.beside_data else None, text=text, beside=beside)


def _held_beside(snapshot: Snapshot) -> ArchiveFolder | None:
    """Another folder that the archive command names, in which the newest archived segment lies."""
    facts, archiver, primary = snapshot.folders.value, snapshot.archiver.value, snapshot.primary.value
    if facts is None or archiver is None or primary is None or not is_folder(primary.bucket):
        return None
    own = folder_at(snapshot, folder_place(primary.bucket)[1])
    if own is None or own.holds or facts.segment != archiver.last_archived_wal:
        return None
    copies = {folder_place(each.value.bucket)[1] for each in snapshot.copies if each.value is not None}
    others = (each for each in folders_in_force(snapshot) if each.path not in copies)
    return next((each for each in others if each.holds and each.identity != own.identity), None)


def alike_holds(bucket: BucketFacts, claimed: Segment, segment_bytes: int) -> bool:
    """Whether `claimed` is no segment there, and what it is named for goes as far: nothing is proved then."""
    alike = wal_name(bucket.alike.newest, segment_bytes) if bucket.alike is not None else None
    newest = wal_name(bucket.newest_segment, segment_bytes)
    held = newest is not None and newest.segment is not None and newest.segment >= claimed
    return not held and alike is not None and alike.segment is not None and alike.segment >= claimed


def archived_when_listed(snapshot: Snapshot) -> Segment | None:
    """What PostgreSQL had archived for certain when the primary bucket was listed; None: not known.

    What it archived since is taken off its count, labels and histories too: it may have been a few more.
    """
    archiver, server = snapshot.archiver.value, snapshot.server.value
    listed_at = snapshot.primary.read_at
    if archiver is None or server is None or listed_at is None or archiver.last_archived_at is None:
        return None
    claimed = wal_name(archiver.last_archived_wal, server.segment_bytes)
    if claimed is None or claimed.segment is None or claimed.kind is not WalNameKind.SEGMENT:
        return None
    if server_age(snapshot, archiver.last_archived_at, listed_at) > LISTING_GRACE_S:
        return claimed.segment
    since = _archived_since(snapshot.history, listed_at - LISTING_GRACE_S)
    return None if since is None else Segment(claimed.timeline, max(0, claimed.segment.number - since))


def _unless_in_flight(snapshot: Snapshot, archiver: ArchiverFacts, answer: Agreement) -> Agreement:
    """`answer`, unless what is lacking was archived after the bucket was listed, or is not listed yet."""
    bucket = snapshot.primary.value
    if bucket is not None and not bucket.complete:
        return Agreement(None, "the bucket is still being listed", answer.behind)
    listed_at, archived_at = snapshot.primary.read_at, archiver.last_archived_at
    if listed_at is None or archived_at is None:
        return Agreement(None, answer.text, answer.behind)
    if server_age(snapshot, archived_at, listed_at) > LISTING_GRACE_S:
        return _unless_beside(snapshot, answer)
    since = _archived_since(snapshot.history, listed_at - LISTING_GRACE_S)
    if since is None:
        return Agreement(None, "the bucket was listed before the last one was archived", answer.behind)
    if answer.behind is None or answer.behind > since:
        return _unless_beside(snapshot, answer)
    return Agreement(True, "the bucket held all that was archived when it was listed", answer.behind)


def _archived_since(history: History, at: float) -> int | None:
    """How many were archived since the last look before `at`; None when the console came later."""
    before = [sample.archived for sample in history.archiver if sample.at <= at]
    return history.archived - before[-1] if before else None
