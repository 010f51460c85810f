"""A restore command that says yes for a file that it does not bring."""

import re
from collections.abc import Iterator

from walconsole.domain.archivers.ending import by_its_words
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.redaction import safe
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Severity
from walconsole.domain.standing.proofs import setting_row
from walconsole.domain.standing.recovery import restoring
from walconsole.domain.standing.remedies import RELOAD

_MAKES_A_FILE = re.compile(r">\s*[\"']?%p|\bcurl\b")
"""What then lies at %p is empty, or a store's page of an error: of a .history file no size is checked."""


def restore_says_yes(assessment: Assessment) -> Iterator[Finding]:
    """By the words of the server's own restore_command."""
    snapshot = assessment.snapshot
    command, own = restoring(snapshot)
    if not own or not command:
        return
    ending = by_its_words(command)
    if ending.stores_nothing:
        title = "a recovery here would fetch nothing: by its own words restore_command brings no file"
        severity = Severity.WARNING
    elif ending.hiding is None:
        return
    else:
        severity = Severity.WARNING if _MAKES_A_FILE.search(command) else Severity.NOTE
        title = f"restore_command says yes for a file that is not there ({safe(ending.hiding.what)[:60]})"
    yield Finding(
        "restore-says-yes",
        severity,
        title,
        (
            f"restore_command = {safe(command)}",
            "a recovery asks for files that need not be there (the next .history, the next segment), and "
            "takes a failure for the archive's end",
        ),
        "have it end with a failure where it brings no file: without what makes it succeed, `curl -f`",
        Snapshot.settings,
        "restore_command",
        proof=tuple(setting_row(snapshot, "restore_command")),
        fixes=(Fix("correct restore_command in the file that sets it, and reload", (RELOAD,)),),
        certainty=Certainty.LIKELY,
        surer="walconsole drill recovers with it",
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "restore-says-yes",
        Page(
            title="the restore command says yes for a file that it does not bring",
            symptom=(
                "Nothing, until the next recovery: it stops with `archive file … has wrong size` or `syntax "
                "error in history file`, looks for ever newer timelines, or restores nothing at all."
            ),
            cause=(
                "`|| true` behind it, `curl` without `-f` (which stores the error's page), a `/bin/true` "
                "that was set for the time being."
            ),
            signal=(
                "The words of the server's restore_command, followed as a shell does; what a script does is "
                "not looked at."
            ),
            fix="Let it fail where there is no such file: PostgreSQL asks for such files, and goes by that.",
            never="Do not take a recovery that ends early for the end of the archive.",
            source="access/transam/xlogarchive.c (RestoreArchivedFile), timeline.c (findNewestTimeLine)",
        ),
        look=restore_says_yes,
    ),
)
