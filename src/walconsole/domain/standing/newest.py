"""Which segments of the archive are compared with pg_wal while nothing fails."""

from walconsole.domain.archive.page_header import SegmentIdentity
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.archiver import is_failing
from walconsole.domain.standing.whose import beyond_server


def to_compare(snapshot: Snapshot) -> tuple[SegmentIdentity, ...]:
    """The primary bucket's newest segment, where it seems to be this server's, and those of the midst that
    were read: pg_wal may have them still.

    Two servers of one system identifier on one timeline (a clone, a split brain) write the same names, and
    most clients overwrite without a word: the content alone tells whose it is.
    """
    server, bucket, archiver = snapshot.server.value, snapshot.primary.value, snapshot.archiver.value
    if server is None or bucket is None or archiver is None or server.in_recovery:
        return ()
    if snapshot.primary.problem is not None or is_failing(archiver) or beyond_server(snapshot) is not None:
        return ()
    newest = (each for each in bucket.identities if each.name == bucket.newest_segment)
    return tuple(
        each
        for each in (*newest, *bucket.sampled)
        if each.begins and each.header is not None
        if each.header.system_identifier == server.system_identifier
    )
