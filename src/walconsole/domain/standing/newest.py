"""Which segment of the archive is compared with pg_wal while nothing fails."""

from walconsole.domain.archive.page_header import SegmentIdentity
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.archiver import is_failing
from walconsole.domain.standing.whose import beyond_server


def newest_to_compare(snapshot: Snapshot) -> SegmentIdentity | None:
    """The primary bucket's newest segment, where it seems to be this server's: pg_wal may have it still.

    Two servers of one system identifier on one timeline (a clone, a split brain) write the same names, and
    most clients overwrite without a word: the content alone tells whose it is.
    """
    server, bucket, archiver = snapshot.server.value, snapshot.primary.value, snapshot.archiver.value
    if server is None or bucket is None or archiver is None or server.in_recovery:
        return None
    if snapshot.primary.problem is not None or is_failing(archiver) or beyond_server(snapshot) is not None:
        return None
    for each in bucket.identities:
        if each.name == bucket.newest_segment and each.begins and each.header is not None:
            return each if each.header.system_identifier == server.system_identifier else None
    return None
