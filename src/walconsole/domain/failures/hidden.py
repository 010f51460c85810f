"""An archive command that says yes whatever became of the segment."""

from collections.abc import Iterator

from walconsole.domain.archivers.ending import hides_failure
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.redaction import safe
from walconsole.domain.standing.archiver import is_enabled
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Finding, Fix, Severity
from walconsole.domain.standing.proofs import setting_row
from walconsole.domain.standing.remedies import RELOAD, command_in_force, is_ours


def failure_hidden(assessment: Assessment) -> Iterator[Finding]:
    """By its words alone: nothing has failed yet, as far as PostgreSQL can know."""
    snapshot = assessment.snapshot
    settings = snapshot.settings.value
    if settings is None or not is_enabled(settings.value("archive_mode")) or is_ours(snapshot):
        return
    hiding = safe(hides_failure(command_in_force(snapshot)))[:60]
    if not hiding:
        return
    how = "it goes on in the background" if hiding == "&" else "it ends well whatever failed before"
    yield Finding(
        "failure-hidden",
        Severity.WARNING,
        f"the archive command says yes whatever happens: {how} ({hiding})",
        ("PostgreSQL lets go of a segment as soon as the command ends with 0, stored or not",),
        "take that out of archive_command, so that it fails where storing fails, and reload: a segment that "
        "could not be stored is kept and tried again",
        Snapshot.settings,
        "archive_command",
        proof=tuple(setting_row(snapshot, "archive_command")),
        fixes=(Fix("set it without that, in the file that sets it, and reload", (RELOAD,)),),
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "failure-hidden",
        Page(
            title="the archive command says yes whatever happens",
            symptom="All works, and failed_count never moves, also where nothing is stored.",
            cause=(
                "`|| true`, `|| exit 0`, a `&` at its end, or `store it; something else`: the command ends "
                "well whatever became of the segment. Often it was put there to have an alarm end."
            ),
            signal=(
                "The words of archive_command in force, also within `sh -c`. What a script does at its end, "
                "and what blocks and subshells do, is not judged."
            ),
            fix=(
                "Take it out, and reload. A segment that could not be stored is then kept and tried again."
                "\n\n```\narchive_command = 'cp %p /mnt/wal/%f'\n```"
            ),
            never="Do not have it end well to make a backlog go away: each segment that it let go is a gap.",
        ),
        look=failure_hidden,
        explains=("silent-loss",),
    ),
)
