"""Whether retention still does what its schedule on the operator's machine is for."""

from collections.abc import Iterator

from walconsole.domain.facts.expiry_schedule import ExpirySchedule
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.recovery.words import moment_text
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.expiry_schedule import LATE_S
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Finding, Fix, Proof, Severity
from walconsole.domain.units import age_text


def retention_undone(assessment: Assessment) -> Iterator[Finding]:
    """The schedule's last run failed, or none has judged anything for days."""
    snapshot, now = assessment.snapshot, assessment.now
    schedule = snapshot.expiry.value
    if schedule is None or not schedule.enabled or schedule.last is None or snapshot.told.keep is None:
        return
    last = schedule.last
    age = age_text(max(0.0, now - last.at))
    why = last.line or "it said nothing"
    if last.failed:
        title = f"retention by the schedule FAILED {age}: {why}"
    elif last.waited and now - last.since_at > LATE_S:
        title = f"retention by the schedule waits: {why}"
    elif now - last.at > LATE_S:
        title = f"retention by the schedule has not run: its last run was {age}"
    else:
        return
    yield Finding(
        "expire-failed",
        Severity.WARNING,
        title,
        tuple(_evidence(schedule, now)),
        "see what it says; nothing is lost by it, but the copies grow",
        Snapshot.expiry,
        since=last.since_at,
        proof=(
            Proof(
                f"{moment_text(last.at, now)} exit {last.exit_code}: {why}",
                snapshot.expiry.source,
                snapshot.expiry.read_at,
            ),
        ),
        fixes=(_by_hand(schedule, snapshot.profile_name),),
    )


def _evidence(schedule: ExpirySchedule, now: float) -> Iterator[str]:
    yield f"{schedule.timer} is enabled on this machine, and starts it every six hours"
    last = schedule.last
    if last is not None and last.after:
        yield f"it last did what it should {age_text(max(0.0, now - last.since_at))}"


def _by_hand(schedule: ExpirySchedule, name: str) -> Fix:
    """What an operator types, on this machine."""
    manager = "" if schedule.of_system else "--user "
    unit = schedule.timer.removesuffix(".timer")
    return Fix(
        "see what it said, and what it would do, on this machine",
        (
            f"journalctl {manager}-u {unit} -n 50",
            f"systemctl {manager}list-timers {schedule.timer}",
            f"walconsole expire {name} --plan",
        ),
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "expire-failed",
        Page(
            title="retention by the schedule fails, waits for long, or does not run",
            symptom="Old base backups and their WAL stay; the bill grows.",
            cause=(
                "A key that may not write, a copy about which something is in doubt (its newest base backup "
                "was not verified or does not reach now, a clock, another cluster's backup), a recovery that "
                "was left at its pause, no new base backup, or a machine that is mostly off."
            ),
            signal=(
                "What the last run on this machine noted (`~/.local/state/walconsole/expiry`), where its "
                "timer is enabled: an exit code that is not 0; for three days no run, or none that judged "
                "anything."
            ),
            fix=(
                "Its line says what is in the way; `walconsole expire PROFILE --plan` says it anew, and "
                "docs/recovery.md what each doubt means. A recovery at its pause goes on with `--promote` or "
                "`--give-up`."
            ),
            never=(
                "Do not delete by hand, nor by a lifecycle rule: what is kept back may be the last good one."
            ),
        ),
        look=retention_undone,
        untried="its timer is the operator's own; tests/integration/test_expire.py has its runs fail",
    ),
)
