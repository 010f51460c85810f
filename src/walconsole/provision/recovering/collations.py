"""What this host's C library or ICU sorts otherwise than the one by which the indexes were built."""

from walconsole.domain.recovery.recover_state import Seen
from walconsole.domain.redaction import safe
from walconsole.provision.recovering.recovery import Recovery

_COLLATIONS = """SELECT format('the collation %s: its indexes are of version %s, and here is %s', collname,
    collversion, pg_collation_actual_version(oid)) FROM pg_collation
WHERE collversion <> pg_collation_actual_version(oid)
    AND oid IN (SELECT unnest(indcollation) FROM pg_index) ORDER BY 1"""
_DATABASES = """SELECT format('the database %s: its indexes are of version %s, and here is %s', datname,
    datcollversion, pg_database_collation_actual_version(oid)) FROM pg_database
WHERE datcollversion <> pg_database_collation_actual_version(oid) ORDER BY 1"""
_FIRST_WITH_DATABASES = 15
MOST_ROWS = 40
SORTED_OTHERWISE = (
    "text is sorted otherwise here than where these indexes were built: REINDEX, then REFRESH "
    "COLLATION VERSION, once it is opened; until then they may miss rows, and hold what they refuse"
)
NOT_ASKED = "whether text is sorted here as where the indexes were built"


async def sorted_otherwise(recovery: Recovery, database: str) -> Seen | None:
    """The collations that some index of `database` uses, and the databases, whose version is another here.

    None where there are none; a Seen with a fault where the copy could not be asked. Before PostgreSQL 15
    none is kept of a database's own collation (release notes of 15, "pg_database.datcollversion").
    """
    status, said = await recovery.ask_copy("SHOW server_version_num")
    major = int(said) // 10_000 if status == 0 and said.strip().isdigit() else 0
    rows = list[str]()
    for sql in (_COLLATIONS, *([_DATABASES] if major >= _FIRST_WITH_DATABASES else [])):
        status, said = await recovery.ask_copy(sql, database=database)
        lines = [safe(line)[:400] for line in said.splitlines() if line.strip()]
        if status != 0:
            return Seen(NOT_ASKED, fault="; ".join(lines[:2]) or "the copy did not answer")
        rows += lines
    return Seen(SORTED_OTHERWISE, tuple(rows[:MOST_ROWS]), len(rows) > MOST_ROWS) if rows else None
