"""What keeps WAL in pg_wal though it is archived: replication slots, WAL summaries."""

from collections.abc import Iterator

from walconsole.domain.facts.evidence import ReplicationSlot, RetentionFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.archiver import ready_count
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import FailureMode, Page, Risk
from walconsole.domain.standing.model import Finding, Fix, Proof, Severity
from walconsole.domain.standing.wal_keepers import LOST, UNRESERVED, keepers
from walconsole.domain.units import bytes_text, duration_text, plural

_LOW_BACKLOG = 3
"""With more than these waiting, it is the archiver that keeps WAL."""
_RETURNS_IN_S = 60.0
"""A standby that is restarted is back by then."""
_RETAINED_SEGMENTS = 32
"""Without max_wal_size known: half a GiB of a default cluster."""


def slot_retention(assessment: Assessment) -> Iterator[Finding]:
    """An inactive replication slot, or a WAL summarizer that stands still, keeps WAL without end."""
    snapshot = assessment.snapshot
    facts, server = snapshot.retention.value, snapshot.server.value
    if facts is None or server is None:
        return
    limit = facts.max_wal_bytes or _RETAINED_SEGMENTS * server.segment_bytes
    held = [slot for slot in facts.slots if not slot.active and _keeps(slot, limit)]
    held = held or [slot for slot in facts.slots if _far_behind(slot, limit, snapshot)]
    if not held and (facts.summarizer_behind_bytes or 0) <= limit:
        return
    if (ready_count(snapshot) or 0) > _LOW_BACKLOG and not held:
        return
    yield _by_slot(assessment, facts, held) if held else _by_summaries(assessment, facts)


def _keeps(slot: ReplicationSlot, limit: int) -> bool:
    if slot.wal_status in ("extended", "unreserved"):
        return True
    return (slot.retained_bytes or 0) > limit


def _far_behind(slot: ReplicationSlot, limit: int, snapshot: Snapshot) -> bool:
    """Whether it is read, and keeps so much all the same that the disk is in danger by it."""
    disk = snapshot.wal_disk.value
    kept = slot.retained_bytes or 0
    return slot.active and disk is not None and kept > limit and kept > _LARGE_SHARE * disk.total_bytes


_LARGE_SHARE = 0.25


def _share(snapshot: Snapshot, kept: int | None) -> str:
    """How much of pg_wal's file system that is, where it is much of it."""
    disk = snapshot.wal_disk.value
    if disk is None or not disk.total_bytes or not kept or kept < _LARGE_SHARE * disk.total_bytes:
        return ""
    return f", {kept / disk.total_bytes:.0%} of its file system"


def _urgency(assessment: Assessment) -> Severity:
    outlook = assessment.outlook
    return Severity.CRITICAL if outlook is not None and outlook.urgent else Severity.WARNING


def _by_slot(assessment: Assessment, facts: RetentionFacts, held: list[ReplicationSlot]) -> Finding:
    snapshot, now = assessment.snapshot, assessment.now
    worst = max(held, key=lambda slot: slot.retained_bytes or 0)
    since = worst.inactive_since
    lasted = "" if since is None else f", inactive for {duration_text(max(0.0, now - since))}"
    kept = keepers(snapshot, now)
    told = any(each.startswith(f"slot {worst.name} ") for each in kept)
    status = worst.wal_status or "n/a"
    active = "active" if worst.active else "not active"
    row = f"{worst.kind} slot, {active}, wal_status {status}{lasted} (pg_replication_slots)"
    return Finding(
        "slot-retention",
        _urgency(assessment),
        f"replication slot {worst.name} keeps {bytes_text(worst.retained_bytes)} of WAL that "
        f"{'is read too slowly' if worst.active else 'nobody reads'}{_share(snapshot, worst.retained_bytes)}",
        (
            *([] if told else [row]),
            f"{plural(ready_count(snapshot) or 0, 'segment waits', 'segments wait')} for the archiver: "
            "it is not what keeps WAL",
            *kept,
        ),
        f"see why its reader {worst.reader or 'is slow'} does not keep up (pg_stat_replication, its own "
        f"log); "
        "max_slot_wal_keep_size bounds what a slot may keep"
        if worst.active
        else "bring its reader back, else drop the slot; max_slot_wal_keep_size bounds what a slot may keep",
        Snapshot.retention,
        since=since,
        proof=tuple(_row(snapshot, slot) for slot in facts.slots),
        fixes=(
            *(() if worst.active else (_drop(worst),)),
            Fix(
                "bound what slots may keep",
                ("ALTER SYSTEM SET max_slot_wal_keep_size = '10GB';", "SELECT pg_reload_conf();"),
                risk="a slot that falls further behind is lost",
            ),
        ),
    )


def _drop(slot: ReplicationSlot) -> Fix:
    return Fix(
        f"drop the slot, where its reader will not come back: {slot.name}",
        (f"SELECT pg_drop_replication_slot('{slot.name}');",),
        risk="a standby or subscriber that still needs it must be made anew",
        subject=slot.name,
    )


def idle_slots(assessment: Assessment) -> Iterator[Finding]:
    """Slots that nobody reads while they keep little yet, and those that are lost, or about to be."""
    snapshot, now = assessment.snapshot, assessment.now
    facts, server = snapshot.retention.value, snapshot.server.value
    if facts is None or server is None:
        return
    limit = facts.max_wal_bytes or _RETAINED_SEGMENTS * server.segment_bytes
    told = [slot for slot in facts.slots if _is_told(slot, limit, now)]
    if not told:
        return
    worst = max(told, key=lambda slot: (slot.wal_status in (LOST, UNRESERVED), slot.retained_bytes or 0))
    title = f"replication slot {worst.name} is not read: it keeps {bytes_text(worst.retained_bytes)} so far"
    if worst.wal_status == LOST:
        title = f"replication slot {worst.name} is LOST: its reader must be made anew"
    elif worst.wal_status == UNRESERVED:
        title = f"replication slot {worst.name} is lost with the next checkpoint, unless its reader hurries"
    yield Finding(
        "slot-idle",
        Severity.NOTE,
        title,
        keepers(snapshot, now),
        "bring its reader back, or drop the slot where it will not come back"
        if worst.wal_status != LOST
        else "make its standby or subscriber anew, and drop the slot",
        Snapshot.retention,
        since=worst.inactive_since,
        proof=tuple(_row(snapshot, slot) for slot in told),
    )


def _is_told(slot: ReplicationSlot, limit: int, now: float) -> bool:
    if slot.wal_status == LOST:
        return True
    if slot.active:
        return slot.wal_status == UNRESERVED
    just_left = slot.inactive_since is not None and now - slot.inactive_since < _RETURNS_IN_S
    return not _keeps(slot, limit) and not just_left


def _row(snapshot: Snapshot, slot: ReplicationSlot) -> Proof:
    kept = "NULL" if slot.retained_bytes is None else f"{slot.retained_bytes:,}"
    active, status = str(slot.active).lower(), slot.wal_status
    text = f"{slot.name} {slot.kind} active={active} wal_status={status} retained={kept} bytes"
    if slot.safe_wal_bytes is not None:  # max_slot_wal_keep_size bounds it
        text += f", lost after {max(0, slot.safe_wal_bytes):,} bytes more"
    return Proof(text, "pg_replication_slots", snapshot.retention.read_at)


def _by_summaries(assessment: Assessment, facts: RetentionFacts) -> Finding:
    snapshot = assessment.snapshot
    behind = facts.summarizer_behind_bytes
    return Finding(
        "slot-retention",
        _urgency(assessment),
        f"WAL summaries are {bytes_text(behind)} behind, and pg_wal keeps what they lack",
        (f"summarize_wal is on, and its summarizer lacks {behind:,} bytes (pg_get_wal_summarizer_state)",),
        "look for the summarizer's error in the log; summarize_wal = off gives the WAL free at once",
        Snapshot.retention,
        proof=(
            Proof(
                f"summarizer behind {behind:,} bytes",
                "pg_get_wal_summarizer_state",
                snapshot.retention.read_at,
            ),
        ),
        fixes=(
            Fix(
                "turn the summaries off",
                ("ALTER SYSTEM SET summarize_wal = off;", "SELECT pg_reload_conf();"),
                risk="the next backup must be a full one",
            ),
        ),
    )


_IDLE = FailureMode(
    "slot-idle",
    Page(
        title="a replication slot is not read, or lost",
        symptom="Nothing yet: pg_wal grows from now on, or a standby cannot go on.",
        cause=(
            "A standby or subscriber is gone and its slot was left; or it fell behind by more than "
            "max_slot_wal_keep_size allows."
        ),
        signal=(
            "pg_replication_slots: active, wal_status, safe_wal_size, for more than a minute. It is a note, "
            "and becomes `slot-retention` where it keeps more than max_wal_size. Everything that keeps WAL "
            "is told with it, how much and until when: what waits for the archiver, each slot, "
            "wal_keep_size, WAL summaries, prepared transactions (which keep WAL only where a logical slot "
            "waits for them)."
        ),
        fix=(
            "Bring the reader back. Where it will not come back, drop the slot:\n\n"
            "```\n"
            "SELECT slot_name, active, wal_status, restart_lsn FROM pg_replication_slots;\n"
            "```"
        ),
        never="A dropped slot's standby or subscriber must be made anew: ask first whose it is.",
        source="PostgreSQL's documentation of pg_replication_slots",
    ),
    look=idle_slots,
)
MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "slot-retention",
        Page(
            title="a replication slot keeps WAL that nobody reads",
            symptom="pg_wal grows although .ready stays low.",
            cause=(
                "An inactive slot (a standby or subscriber that is gone), or a WAL summarizer (17 and "
                "later) that stands still."
            ),
            signal=(
                "pg_replication_slots: active, wal_status, the distance from restart_lsn; "
                "pg_get_wal_summarizer_state()."
            ),
            fix=(
                "Bring the reader back, else drop the slot. Bound what slots may keep.\n\n"
                "```\n"
                "SELECT pg_drop_replication_slot('NAME');\n"
                "ALTER SYSTEM SET max_slot_wal_keep_size = '10GB';\n"
                "```"
            ),
            never="A dropped slot's standby or subscriber must be made anew: ask first whose it is.",
            source="zalando postgres-operator#2012",
        ),
        look=slot_retention,
        explains=("disk-filling",),
        risk=Risk.DISK,
    ),
    _IDLE,
)
