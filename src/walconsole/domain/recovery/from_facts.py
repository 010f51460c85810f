"""What probes found, as recovery asks for it."""

from collections.abc import Iterable

from walconsole.domain.archive.layouts import Layout, Place
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.facts.observed import ArchiverFacts, BucketFacts, ServerFacts
from walconsole.domain.recovery.backups import BaseBackup, Unreadable, Writer
from walconsole.domain.recovery.held import Cluster
from walconsole.domain.recovery.hostile import RefusedError, identifier_of
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.domain.recovery.whereabouts import label_backup
from walconsole.domain.wal import DEFAULT_SEGMENT_BYTES, Segment

_OURS = Place(Layout.FLAT)
"""Where the installed script stores WAL."""


def archive_copy(
    bucket: BucketFacts, found: Iterable[BaseBackup | Unreadable] = (), *, read_by_restore: bool = True
) -> ArchiveCopy:
    """One copy: the bucket's own archive, and the base backups that were `found` in it.

    Labels of which only the index knows are added; a segment without a byte, or of another size than a
    segment, is of no use. Whose WAL it is is known where every head that was read says the same.
    """
    every = tuple(found)
    backups = [each for each in every if isinstance(each, BaseBackup)]
    holding = bucket.holding
    if holding is not None:
        backups += _labels(holding.labels, backups, holding.place.root, holding.segment_bytes)
    return ArchiveCopy(
        bucket.role,
        holding.timelines if holding is not None else {},
        tuple(backups),
        histories=bucket.histories_read,
        known_histories=tuple(holding.history_keys) if holding is not None else (),
        times=holding.times if holding is not None else StoredTimes(),
        damaged=holding.damaged() if holding is not None else {},
        unreadable=tuple(each for each in every if isinstance(each, Unreadable)),
        read_by_restore=read_by_restore,
        listed=bucket.complete and not bucket.doubted,
        system_identifier=_system_identifier(bucket),
        clock_offset_s=bucket.store_clock_offset_s,
        stored_as="" if holding is None or holding.place == _OURS else f"{holding.place.root}{bucket.layout}",
    )


def cluster_of(
    server: ServerFacts | None, archiver: ArchiverFacts | None, segment_bytes: int | None = None
) -> Cluster:
    """The server's cluster; where it was not read, `segment_bytes` is what its archive suggests."""
    if server is None:
        return Cluster(segment_bytes or DEFAULT_SEGMENT_BYTES)
    return Cluster(
        server.segment_bytes,
        _identifier(server.system_identifier),
        server.version_num,
        server.timeline,
        archiver.lsn if archiver is not None else None,
    )


def _labels(
    labels: Iterable[Segment], read: Iterable[BaseBackup], place: str, segment_bytes: int
) -> list[BaseBackup]:
    known = {each.first_segment(segment_bytes) for each in read if each.writer is Writer.LABEL}
    return [label_backup(place, each, segment_bytes) for each in labels if each not in known]


def _system_identifier(bucket: BucketFacts) -> int | None:
    told = {
        _identifier(identity.header.system_identifier)
        for identity in bucket.identities
        if identity.header is not None
    }
    return told.pop() if len(told) == 1 else None


def _identifier(told: str | None) -> int | None:
    """The same 64 bits without a sign; None for what is no identifier."""
    try:
        return None if told is None else identifier_of(told, "system identifier")
    except RefusedError:
        return None
