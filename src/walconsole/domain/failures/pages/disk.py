"""Failure modes that end with a full disk."""

from walconsole.domain.standing.page import Page

PAGES = (
    Page(
        "disk-filling",
        "the file system of pg_wal is filling up",
        symptom="pg_wal grows; at the end PostgreSQL stops with PANIC.",
        cause=(
            "Archiving fails or is too slow, a replication slot keeps WAL, or something else fills the disk."
        ),
        signal="Free bytes and their trend: the time that is left.",
        fix=("Mend the archive: PostgreSQL frees the segments by itself. If time is short, grow the disk."),
        never=(
            "Never delete from pg_wal, and never delete .ready files: both lose WAL, the first the cluster."
        ),
        source="openlibrary#13549 (39 hours, 55,435 segments)",
    ),
    Page(
        "slot-retention",
        "a replication slot keeps WAL that nobody reads",
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
            "Bring the reader back, else drop the slot. Bound what slots may keep.\n\n```\n"
            "SELECT pg_drop_replication_slot('NAME');\n"
            "ALTER SYSTEM SET max_slot_wal_keep_size = '10GB';\n```"
        ),
        never="A dropped slot's standby or subscriber must be made anew: ask first whose it is.",
        source="zalando postgres-operator#2012",
    ),
)
