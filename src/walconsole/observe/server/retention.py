"""What keeps WAL in pg_wal besides the archiver: replication slots, WAL summaries."""

import json
from collections.abc import Sequence

from walconsole.domain.facts.evidence import ReplicationSlot, RetentionFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.postgres_versions import OLDEST_VERSION_NUM
from walconsole.domain.redaction import safe
from walconsole.domain.round_trips import Row
from walconsole.errors import DatabaseError
from walconsole.observe.poller.probe import Fact
from walconsole.observe.server.statements import integer, query, text
from walconsole.ports import Database

SOURCE = "pg_replication_slots"
SUMMARIES_SINCE = 170000


class RetentionProbe:
    """Fills RETENTION: rarely, for slots do not come and go."""

    name = SOURCE
    slots = (Snapshot.retention,)
    cadence_s = 5.0
    timeout_s = 18.0

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self) -> Sequence[Fact]:
        """One statement. Raises errors.DatabaseError and what the connection raises."""
        version_num = await self._database.version_num()
        if version_num < OLDEST_VERSION_NUM:
            return ()
        answer = await self._database.fetch(
            query("retention_17" if version_num >= SUMMARIES_SINCE else "retention")
        )
        if len(answer.rows) != 1:
            why = f"it answered with {len(answer.rows)} rows instead of one"
            raise DatabaseError("read pg_replication_slots", why, "is this a PostgreSQL server?")
        at = (answer.sent_at + answer.answered_at) / 2
        return [Fact(Snapshot.retention, read_retention(answer.rows[0]), at, SOURCE)]


def read_retention(row: Row) -> RetentionFacts:
    """The answer of queries/retention.sql. Raises errors.DatabaseError where it is another's."""
    try:
        slots = tuple(
            ReplicationSlot(**{**slot, "name": safe(slot["name"])})
            for slot in json.loads(text(row, "slots") or "[]")
        )
    except (ValueError, TypeError, KeyError) as error:
        why = f"its rows are not what pg_replication_slots has ({type(error).__name__})"
        raise DatabaseError("read pg_replication_slots", why, "is this a PostgreSQL server?") from error
    return RetentionFacts(
        slots,
        integer(row, "max_wal_bytes"),
        integer(row, "keep_bytes"),
        integer(row, "summarizer_behind_bytes"),
    )
