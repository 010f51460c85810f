"""WAL that leaves the server by streaming, to a program that keeps it: pg_receivewal, Barman, pghoard, WAL-G.

Such a server needs no archive_mode. A receiver confirms by its slot what it has on its disk
(PostgreSQL's documentation, pg_receivewal): what the slot keeps is what the receiver lacks.
"""

from walconsole.domain.facts.evidence import ReplicationSlot
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.records import record
from walconsole.domain.redaction import safe
from walconsole.domain.standing.whose import writing
from walconsole.domain.wal import wal_name

_RECEIVERS = ("barman_receive_wal", "pg_receivewal", "pg_receivexlog", "pghoard", "wal-g")
"""application_name of what stores the WAL that is streamed to it; a standby's is another."""
_WITHOUT_BACKUPS = ("pg_receivewal", "pg_receivexlog")
"""What pg_basebackup makes beside them lies anywhere, under any name."""
MOST_BEHIND_SEGMENTS = 2
"""A receiver confirms every ten seconds, and as a segment ends: more than this behind is no interval."""


@record
class Stream:
    """One that is received now. `behind_bytes` is what its receiver has not confirmed, None: not known."""

    receiver: str
    slot: str
    behind_bytes: int | None
    host: str = ""
    """Its address where it is another host's, as far as that may be seen."""

    def __str__(self) -> str:
        at = f" at {self.host}" if self.host else ""
        return f"{self.receiver}{at}, by the slot {self.slot}"


def received(snapshot: Snapshot) -> Stream | None:
    """Who receives WAL by streaming and keeps it; of several the one that is least behind."""
    facts = snapshot.retention.value
    found = [_stream(slot) for slot in (facts.slots if facts is not None else ()) if _is_read(slot)]
    return min(found, key=lambda each: (each.behind_bytes is None, each.behind_bytes or 0), default=None)


def _is_read(slot: ReplicationSlot) -> bool:
    return slot.active and slot.kind == "physical" and slot.reader.startswith(_RECEIVERS)


def _stream(slot: ReplicationSlot) -> Stream:
    here = slot.reader_host.startswith(("127.", "::1"))
    return Stream(slot.reader, slot.name, slot.retained_bytes, "" if here else safe(slot.reader_host))


def holds_what_is_written(snapshot: Snapshot) -> bool:
    """Whether the primary copy has a .partial of what the server writes now: it is where a stream is kept.

    A slot says that somebody receives, and not where. A listing is older than the position by some seconds.
    """
    archiver, server, bucket = snapshot.archiver.value, snapshot.server.value, snapshot.primary.value
    if archiver is None or server is None or bucket is None:
        return False
    partial = wal_name(bucket.newest_partial, server.segment_bytes)
    if partial is None or partial.segment is None:
        return False
    current = writing(archiver, server)
    behind = current.number - partial.segment.number
    return partial.segment.timeline == current.timeline and behind <= MOST_BEHIND_SEGMENTS


def keeps_wal_alone(snapshot: Snapshot) -> str:
    """The receiver that knows of no base backup, in words; empty for one that has its own, and for none.

    Where the server archives itself, too, that archive is judged.
    """
    found, settings = received(snapshot), snapshot.settings.value
    if settings is None or settings.value("archive_mode") != "off":
        return ""
    return str(found) if found is not None and found.receiver.startswith(_WITHOUT_BACKUPS) else ""


def streamed_to(snapshot: Snapshot) -> str:
    """The same in words; empty where nobody is seen to."""
    found = received(snapshot)
    return "" if found is None else str(found)
