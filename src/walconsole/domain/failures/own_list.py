"""The archiver's own list of base backups beside what its store holds."""

from collections.abc import Iterator

from walconsole.domain.facts.own_list import OwnList
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Writer
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Finding, Proof, Severity
from walconsole.domain.standing.remedies import asking_the_tool

_WRITERS = {"pgBackRest": Writer.PGBACKREST, "barman-cloud": Writer.BARMAN}
_SLACK_S = 10.0
"""Two readings are never of one moment: what ended about then is in one, and not in the other."""
_NAMED = 3


def own_list_differs(assessment: Assessment) -> Iterator[Finding]:
    """A base backup that the tool lists and the store lacks, or that lies there unknown to the tool."""
    snapshot = assessment.snapshot
    told, bucket = snapshot.own_list.value, snapshot.primary.value
    if told is None or told.why or bucket is None or bucket.backups is None or not bucket.complete:
        return
    if snapshot.primary.problem is not None or snapshot.own_list.problem is not None:
        return
    read = [each for each in bucket.backups if isinstance(each, BaseBackup)]
    if len(read) < len(bucket.backups):
        return  # what cannot be read is told as such
    lines = (*_lacking(told, read, snapshot.primary.read_at or 0.0), *_unknown(told, read, snapshot))
    if not lines:
        return
    yield Finding(
        "own-list-differs",
        Severity.NOTE,
        f"{told.tool}'s own list of base backups is not what its store holds",
        lines,
        f"see what {told.tool} itself says of them; trust a backup that both know",
        Snapshot.own_list,
        proof=(
            Proof(
                f"{told.tool} lists {', '.join(each.id for each in told.backups[-_NAMED:]) or 'none'}",
                snapshot.own_list.source,
                snapshot.own_list.read_at,
            ),
        ),
        fixes=asking_the_tool(snapshot),
    )


def _lacking(told: OwnList, read: list[BaseBackup], read_at: float) -> Iterator[str]:
    whole = {each.id for each in read if each.completeness is Completeness.COMPLETE}
    known = {each.id: each for each in read}
    for own in told.backups:
        if own.failed or own.id in whole or (own.stopped or 0.0) > read_at - _SLACK_S:
            continue
        found = known.get(own.id)
        why = (
            f"the store has it incomplete: {found.why}" if found is not None else "the store does not hold it"
        )
        yield f"{told.tool} lists {own.id}, and {why}"


def _unknown(told: OwnList, read: list[BaseBackup], snapshot: Snapshot) -> Iterator[str]:
    writer, listed = _WRITERS.get(told.tool), {each.id for each in told.backups}
    asked_at = snapshot.own_list.read_at or 0.0
    for each in read:
        complete = each.writer is writer and each.completeness is Completeness.COMPLETE
        if complete and each.id not in listed and (each.stopped or asked_at) < asked_at - _SLACK_S:
            yield f"the store holds {each.place}{each.id}, which {told.tool} does not list"


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "own-list-differs",
        Page(
            title="the archiver's own list of base backups is not what its store holds",
            symptom=(
                "The tool lists a backup that the store lacks or has in part, or does not list one that is "
                "there."
            ),
            cause=(
                "Objects were deleted by hand or by the bucket's lifecycle, a list was restored from an "
                "older state, or the tool on the host reads another repository, stanza or server name than "
                "the archive command writes to."
            ),
            signal=(
                "`pgbackrest info --output=json` or `barman-cloud-backup-list --format json`, run on the "
                "host as the server's user every five minutes, beside what is read from the store itself. "
                "Backups that ended about when either was read are left out."
            ),
            fix=(
                "See what the tool says, and let it verify what it holds. Trust a backup that both know.\n\n"
                "```\n"
                "pgbackrest --stanza=STANZA info\n"
                "pgbackrest --stanza=STANZA verify\n"
                "```"
            ),
            source="pgbackrest#2502; brought about with 2.45",
        ),
        look=own_list_differs,
    ),
)
