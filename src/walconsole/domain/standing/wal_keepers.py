"""Everything that keeps WAL in pg_wal, each with how much and until when.

PostgreSQL's KeepLogSegs (xlog.c) asks wal_keep_size, slots and, from 17 on, WAL summaries; what is not
archived yet is kept besides. A prepared transaction keeps none by itself: each checkpoint copies it out of
WAL (CheckPointTwoPhase). A logical slot cannot go past one, and keeps WAL for it.
"""

from collections.abc import Iterator

from walconsole.domain.facts.evidence import ReplicationSlot, RetentionFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.archiver import ready_count
from walconsole.domain.units import age_text, bytes_text, duration_text, plural

LOST, UNRESERVED = "lost", "unreserved"
_WATCHED_S, _AT_LEAST_S = 600.0, 30.0


def keepers(snapshot: Snapshot, now: float) -> tuple[str, ...]:
    """One line each; nothing of what was not read."""
    facts, server = snapshot.retention.value, snapshot.server.value
    if facts is None or server is None:
        return ()
    return tuple(_keepers(snapshot, facts, server.segment_bytes, now))


def written_per_s(snapshot: Snapshot, now: float) -> float | None:
    """WAL by what was archived in the last minutes, bytes a second; None where that was not watched."""
    samples = [sample for sample in snapshot.history.archiver if now - sample.at <= _WATCHED_S]
    if len(samples) < 2 or samples[-1].at - samples[0].at < _AT_LEAST_S:
        return None
    segments = samples[-1].archived - samples[0].archived
    return segments * snapshot.history.segment_bytes / (samples[-1].at - samples[0].at)


def slot_text(slot: ReplicationSlot, rate: float | None, now: float) -> str:
    """What a slot keeps, until when, and what bounds it."""
    if slot.wal_status == LOST:
        return f"slot {slot.name} is lost (wal_status): it keeps nothing, and its reader must be made anew"
    until = "its reader confirms more" if slot.active else "its reader comes back, or it is dropped"
    since = slot.inactive_since
    lasted = "" if since is None else f" for {duration_text(max(0.0, now - since))}"
    idle = "" if slot.active else f"inactive{lasted}, "
    kept = bytes_text(slot.retained_bytes)
    text = f"slot {slot.name} ({slot.kind}, {idle}{slot.wal_status or 'n/a'}) keeps {kept} until {until}"
    return f"{text}; {_bound(slot, rate)}"


def _bound(slot: ReplicationSlot, rate: float | None) -> str:
    if slot.wal_status == UNRESERVED:
        return "max_slot_wal_keep_size is exceeded: it is lost with the next checkpoint"
    if slot.safe_wal_bytes is None:
        return "nothing bounds that (max_slot_wal_keep_size)"
    left = max(0, slot.safe_wal_bytes)
    when = f", in about {duration_text(left / rate)}" if rate else ""
    return f"it is lost after {bytes_text(left)} more{when} (max_slot_wal_keep_size)"


def _keepers(snapshot: Snapshot, facts: RetentionFacts, segment_bytes: int, now: float) -> Iterator[str]:
    rate = written_per_s(snapshot, now)
    waiting = ready_count(snapshot) or 0
    if waiting:
        count = plural(waiting, "segment waits", "segments wait")
        yield f"{count} for the archiver, {bytes_text(waiting * segment_bytes)}, until they are archived"
    yield from (slot_text(slot, rate, now) for slot in facts.slots)
    if facts.keep_bytes:
        yield f"wal_keep_size keeps the newest {bytes_text(facts.keep_bytes)}, for as long as it is set"
    if facts.summarizer_behind_bytes:
        behind = bytes_text(facts.summarizer_behind_bytes)
        yield f"summarize_wal keeps {behind} until they are summarized"
    if facts.prepared:
        since = facts.prepared_since
        oldest = "" if since is None else f", the oldest {age_text(now - since)}"
        held = any(slot.kind == "logical" for slot in facts.slots)
        then = "a logical slot keeps WAL from there on" if held else "they keep no WAL without a logical slot"
        count = plural(facts.prepared, "prepared transaction")
        yield f"{count}{oldest}, until COMMIT PREPARED or ROLLBACK PREPARED: {then}"
