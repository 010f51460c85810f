"""What is damaged in the cluster itself: base backups copy it, and no archive mends it."""

from collections.abc import Iterator
from shlex import quote

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.redaction import safe
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Finding, Fix, Proof, Severity
from walconsole.domain.standing.remedies import as_server
from walconsole.domain.units import age_text, plural

_MOST_NAMED = 5
_FRESH_S = 86400.0
"""So long ago and it is CRITICAL: the page is read, and copied by base backups, now."""


def checksum_failures(assessment: Assessment) -> Iterator[Finding]:
    """Pages whose checksum was wrong: counted by the server itself until its statistics are reset."""
    server, reading = assessment.snapshot.server.value, assessment.snapshot.server
    if server is None or not server.damaged_pages:
        return
    at = None
    if server.damaged_at is not None:
        at = server.damaged_at - server.clock + server.clock_read_at
    last = "" if at is None else f", the last one {age_text(max(0.0, assessment.now - at))}"
    fresh = at is not None and assessment.now - at < _FRESH_S
    names = server.damaged_databases[:_MOST_NAMED]
    where = ", ".join(safe(name) or "what all databases share" for name in names)
    again = tuple(
        as_server(assessment.snapshot, f"psql -d {quote(name)} -c 'SELECT pg_stat_reset()'")
        for name in names
        if name and safe(name) == name
    )
    yield Finding(
        "checksum-failures",
        Severity.CRITICAL if fresh else Severity.WARNING,
        f"{plural(server.damaged_pages, 'damaged page was', 'damaged pages were')} read{last}: {where}",
        (
            "checksum_failures and checksum_last_failure (pg_stat_database): each read of such a page counts",
            "base backups copy the page as it is; the one from before it was damaged, and WAL, bring it back",
        ),
        "keep the base backups that there are, find the relation in the server's log, and restore it from "
        "before; what is on the disk mends nothing",
        Snapshot.server,
        since=at,
        proof=(
            Proof(
                f"checksum_failures = {server.damaged_pages}, in {where}", "pg_stat_database", reading.read_at
            ),
        ),
        fixes=(
            Fix(
                "let no base backup from before it expire, and try a recovery to a moment before it",
                ("walconsole drill",),
            ),
            Fix(
                "once it is mended, count anew",
                again,
                risk="every other statistic of that database begins anew, too",
            ),
        ),
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "checksum-failures",
        Page(
            title="pages of the cluster are damaged",
            symptom=(
                "Queries end with `invalid page in block N of relation …`, base backups with `checksum "
                "verification failure`; or nothing is seen at all, for nobody reads the page."
            ),
            cause=(
                "A disk, a controller or a file system gave back other bytes than were written. Archiving "
                "works all the while: WAL has no part in it."
            ),
            signal=(
                "`checksum_failures` and `checksum_last_failure` in pg_stat_database, which count since "
                "their last reset. Without data checksums (`initdb -k`, on by itself from 18 on) nobody "
                "counts."
            ),
            fix=(
                "The log names the relation and the block. An index is made anew (`REINDEX`). A table is "
                "brought back from a base backup of before it was damaged, restored elsewhere up to now: WAL "
                "carries the whole page again after each checkpoint. Count anew when it is mended:\n\n```\n"
                "SELECT pg_stat_reset();\n```"
            ),
            never=(
                "Do not set `ignore_checksum_failure` or `zero_damaged_pages` before there is a copy: what "
                "they let go is gone. Do not let retention take the base backups from before it."
            ),
            source="PostgreSQL's documentation, 28.2 Data Checksums; pg_stat_database",
        ),
        look=checksum_failures,
    ),
)
