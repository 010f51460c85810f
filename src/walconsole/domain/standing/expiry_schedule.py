"""Retention by a schedule: whether a run is due, what it waits for, and what the screen says of it."""

from collections.abc import Iterable, Mapping

from walconsole.domain.facts.expiry_schedule import ExpirySchedule
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.expiry import newest_complete
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.domain.redaction import safe
from walconsole.domain.standing.backup_runs import BackupRuns
from walconsole.domain.units import age_text

LATE_S = 3 * 86_400.0
"""A timer fires every six hours: after three days without a run that did what it should, all is not well."""
_NAMES = {BucketRole.PRIMARY: "primary", BucketRole.DR: "DR"}


def not_due(copies: Iterable[ArchiveCopy], after: Mapping[str, str]) -> str:
    """Why nothing is to be judged yet; empty where each copy has a base backup that it had not then.

    `after` are the ids of the newest then, by their copy's role. Whether the newest now is verified and
    reaches now is asked by the plan itself (`doubts`). Ids of ours are times in UTC, and compare as such.
    """
    for copy in copies:
        before, newest = after.get(copy.role), newest_complete(copy)
        if before is not None and (newest is None or newest.id <= before):
            return f"no base backup was completed in the {_NAMES[copy.role]} copy since {before}"
    return ""


def running_now(runs: BackupRuns | None) -> str:
    """Which base backup runs, or why that is not known; empty where none does."""
    if runs is not None and runs.running:
        first = runs.running[0]
        return f"a base backup runs ({first.who}: {first.phase})"
    if runs is None or runs.blind:
        why = runs.unseen[0] if runs is not None and runs.unseen else "not all was read"
        return f"it is not known whether a base backup runs ({why})"
    return ""


def schedule_line(schedule: ExpirySchedule | None, now: float) -> str:
    """Who does it: `a schedule on this machine does it after each base backup; …`, or a hand."""
    if schedule is None:
        return ""
    last = schedule.last
    ended = ""
    if last is not None:
        sign = "FAILED, " if last.failed else ""
        ended = f"; last {sign}{age_text(max(0.0, now - last.at))}: {safe(last.line)}"
    if not schedule.timer:
        return f"by hand (D){ended}"
    if not schedule.enabled:
        return f"by hand (D): {schedule.timer} is installed, and not enabled{ended}"
    if schedule.of_system and last is None:
        ended = f"; how it ended tells journalctl -u {schedule.timer.removesuffix('.timer')}"
    return f"a schedule on this machine does it after each base backup{ended}"
