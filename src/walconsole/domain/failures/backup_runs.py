"""Whether base backups are still taken: what the installed script says of its last run."""

from collections.abc import Iterator

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import Writer
from walconsole.domain.recovery.recoverability import Recoverability
from walconsole.domain.recovery.running import end_words
from walconsole.domain.recovery.words import moment_text
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.backup_runs import ScriptEnd
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Finding, Fix, Proof, Severity
from walconsole.domain.standing.remedies import base_backup
from walconsole.domain.units import age_text, whole_duration_text

_LATE_S = 28 * 3600.0
"""The schedule is nightly, with an hour of jitter: above this a night's base backup is not there."""
_ONE_COPY = 5


def last_run_failed(assessment: Assessment) -> Iterator[Finding]:
    """The script's last run ended badly, and no base backup has come since the night before."""
    snapshot, restorable = assessment.snapshot, assessment.recovery
    last = assessment.backup_runs.last
    if last is None or not last.failed or restorable is None or not snapshot.told.expect_base_backups:
        return
    newest = _newest(restorable.found, last)
    if newest is not None and (newest > last.at or assessment.now - newest <= _LATE_S):
        return
    means, remedy = end_words(last.exit_status)
    said = f"{last.message or means}"
    since = (
        "there is none"
        if newest is None
        else f"the newest is {whole_duration_text(assessment.now - newest)} old"
    )
    where = " in one of the copies" if last.exit_status == _ONE_COPY else ""
    name = snapshot.profile_name
    status = "no exit status" if last.exit_status is None else f"exit status {last.exit_status}"
    age = age_text(max(0.0, assessment.now - last.at))
    yield Finding(
        "backup-failed",
        Severity.WARNING,
        f"the last base backup was {means}, and {since}{where}: {said}",
        (
            f"{name}-base-backup ended {age} ({status}, {means}): {said}",
            f"{since}{where}",
        ),
        remedy,
        Snapshot.backup_script,
        since=last.at,
        proof=(
            Proof(
                f"{moment_text(last.at, assessment.now)} {last.id or 'no id yet'}, {status}: {said}",
                snapshot.backup_script.source,
                snapshot.backup_script.read_at,
            ),
        ),
        fixes=(
            base_backup(snapshot),
            Fix("see what its runs said", (f"journalctl -t {name}-wal-archive -n 50",)),
        ),
    )


def _newest(found: Recoverability, last: ScriptEnd) -> float | None:
    """When the newest usable one had stopped; where one copy alone has it, in the copy that is behind."""
    usable = found.window.backups if found.window is not None else ()
    if last.exit_status != _ONE_COPY:
        return max((each.held.backup.stopped or 0.0 for each in usable), default=None)
    ours = [each.held for each in usable if each.held.backup.writer is Writer.OURS]
    copies = [
        max((held.backup.stopped or 0.0 for held in ours if role in held.complete_in), default=None)
        for role in BucketRole
    ]
    known = [at for at in copies if at is not None]
    return min(known) if len(known) == len(copies) else None


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "backup-failed",
        Page(
            title="the base backup fails, night after night",
            symptom="The timer runs, and no new base backup comes; a week later the newest is old.",
            cause=(
                "Each run of the installed script ends badly: a key that may not write, a bucket that is "
                "full or gone, archiving that fails, a tablespace that cannot be streamed, too little memory."
            ),
            signal=(
                "The script's own last word (`status.json` in its state folder): an exit status that is not "
                "0, or none where its process is gone; and the newest usable base backup (for exit status 5: "
                "in the copy that lacks it) is more than 28 hours old."
            ),
            fix=(
                "Its message says what was in the way; docs/recovery.md has its exit statuses. Mend that, "
                "then take one by hand:\n\n```\n"
                "sudo -u postgres /usr/local/bin/NAME-base-backup --fast\n```"
            ),
            never="Do not wait for the next night: what fails once a night is a day older each time.",
            source="exit statuses 1 to 5 of the installed script, each brought about in its tests",
        ),
        look=last_run_failed,
        explains=("backup-stale", "no-base-backup"),
    ),
)
