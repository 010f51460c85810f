"""Whose WAL the primary bucket holds: this server's own, as far as its page headers and positions tell.

Several clusters may be given one bucket, or one console may be shown another cluster of its host: what the
first one archived saves nothing of what the second one writes.
"""

from enum import StrEnum

from walconsole.domain.archive.page_header import SegmentIdentity
from walconsole.domain.archive.times import CLOCKS_AGREE_S
from walconsole.domain.facts.observed import ArchiverFacts, BucketFacts, ServerFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.records import record
from walconsole.domain.wal import Segment, wal_name


def another_cluster(bucket: BucketFacts, system_identifier: str | None) -> SegmentIdentity | None:
    """The newest segment, else the oldest, that belongs to another cluster than the server's."""
    if system_identifier is None:
        return None
    for identity in bucket.identities:
        if identity.header is not None and identity.header.system_identifier != system_identifier:
            return identity
    return None


def beyond_server(snapshot: Snapshot) -> tuple[Segment, Segment] | None:
    """The bucket's newest segment and the server's current one, where the bucket's is the newer.

    The server cannot have archived what it has not finished writing: somebody else writes there. Only
    a position that was read after the listing counts, for the server writes on meanwhile.
    """
    archiver, server, bucket = snapshot.archiver.value, snapshot.server.value, snapshot.primary.value
    read_at, listed_at = snapshot.archiver.read_at, snapshot.primary.read_at
    if archiver is None or server is None or bucket is None or read_at is None or listed_at is None:
        return None
    newest = wal_name(bucket.newest_segment, server.segment_bytes)
    if newest is None or newest.segment is None or read_at < listed_at or server.in_recovery:
        return None
    current = writing(archiver, server)
    return (newest.segment, current) if newest.segment > current else None


class Ahead(StrEnum):
    """How the archive came to hold what this server has not written."""

    PROMOTED = "promoted"
    """On a later timeline: another server was promoted, or was restored."""
    WENT_BACK = "went back"
    """On its own timeline, all from before this server started: it began anew from an older state."""
    ANOTHER = "another"
    """On its own timeline, and while this server runs: somebody else writes."""


def ahead(snapshot: Snapshot) -> Ahead | None:
    """Why the bucket is beyond the server; None where it is not. All times are the console's."""
    beyond = beyond_server(snapshot)
    server, bucket = snapshot.server.value, snapshot.primary.value
    if beyond is None or server is None or bucket is None:
        return None
    newest, current = beyond
    if newest.timeline > current.timeline:
        return Ahead.PROMOTED
    if bucket.newest_at is None or bucket.store_clock_offset_s is None:
        return Ahead.ANOTHER
    stored_at = bucket.newest_at - bucket.store_clock_offset_s
    started_at = server.started_at - (server.clock - server.clock_read_at)
    return Ahead.WENT_BACK if stored_at < started_at - _CLOCKS_DIFFER_S else Ahead.ANOTHER


_CLOCKS_DIFFER_S = 30.0


def writing(archiver: ArchiverFacts, server: ServerFacts) -> Segment:
    """The segment that the server writes. pg_walfile_name knows its timeline before the next checkpoint."""
    named = wal_name(archiver.current_wal, server.segment_bytes)
    timeline = server.timeline if named is None or named.segment is None else named.segment.timeline
    return Segment.at(timeline, archiver.lsn, server.segment_bytes)


@record
class LeftBehind:
    """`newest` was stored `stored_at`, beyond `fork`, in which its timeline was left, and after `began_at`,
    when the first segment of `child` was: whoever wrote it never followed. Times are the store's.
    """

    child: int
    fork: Segment
    newest: Segment
    stored_at: float
    began_at: float


def left_behind(bucket: BucketFacts, timeline: int) -> LeftBehind | None:
    """What an old primary still stores of an ancestor of `timeline`; None where nothing is seen of that.

    By the timeline's history and the listing alone. What the old one had stored before the promotion (it was
    ahead of its standby) is nothing of that kind, nor is the segment in which the timeline was left: a clean
    shutdown ends and stores it.
    """
    holding, history = bucket.holding, bucket.histories_read.get(timeline)
    if holding is None or history is None:
        return None
    children = [*(switch.parent for switch in history.switches[1:]), timeline]
    for switch, child in reversed(list(zip(history.switches, children, strict=True))):
        parents, own = holding.timelines.get(switch.parent), holding.timelines.get(child)
        if not parents or not parents.count or not own or not own.count:
            continue
        fork = switch.lsn // holding.segment_bytes
        stored_at = holding.times.about(switch.parent, parents.last)
        began_at = holding.times.about(child, own.first)
        if parents.last <= fork or stored_at is None or began_at is None:
            continue
        if stored_at > began_at + CLOCKS_AGREE_S:
            newest = Segment(switch.parent, parents.last)
            return LeftBehind(child, Segment(switch.parent, fork), newest, stored_at, began_at)
    return None


def own_newest(snapshot: Snapshot) -> str | None:
    """The primary bucket's newest segment where it may be this server's; None where it is seen not to be.

    Seen: its page header names another system, or the server has not written that far.
    """
    server, bucket = snapshot.server.value, snapshot.primary.value
    if bucket is None or bucket.newest_segment is None:
        return None
    if server is not None and beyond_server(snapshot) is not None:
        return None
    for identity in bucket.identities:
        if identity.name == bucket.newest_segment and identity.header is not None and server is not None:
            return identity.name if identity.header.system_identifier == server.system_identifier else None
    return bucket.newest_segment


def holds_others_newest(snapshot: Snapshot) -> bool:
    """Whether the primary bucket has a newest segment, and it is another server's."""
    bucket = snapshot.primary.value
    return bucket is not None and bucket.newest_segment is not None and own_newest(snapshot) is None
