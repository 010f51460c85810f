"""What can be restored, as numbers, as a document, and as lines of a report."""

from collections import Counter
from collections.abc import Iterator

from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Writer
from walconsole.domain.recovery.recoverability import BackupReach, Recoverability, Window
from walconsole.domain.recovery.running import end_words
from walconsole.domain.redaction import safe
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.backup_runs import RunningBackup
from walconsole.domain.standing.recovery import Restorable
from walconsole.domain.units import bytes_text, plural
from walconsole.domain.wal import format_lsn
from walconsole.report.metric import Metric, known
from walconsole.report.parts import Document, iso

BACKUPS_TOLD = 100
"""In a document: the newest."""
_STATES = {
    Completeness.COMPLETE: "complete",
    Completeness.INCOMPLETE: "incomplete",
    Completeness.UNKNOWN: "unknown",
}


def recovery_metrics(assessment: Assessment) -> Iterator[Metric]:
    """The window's ends, the newest usable backup, how many there are."""
    for reading in (assessment.snapshot.primary, assessment.snapshot.dr):
        if reading.value is not None and reading.value.backups is not None:
            yield from _counts(reading.value)
    restorable = assessment.recovery
    if restorable is None:
        return
    found, now = restorable.found, _store_clock(assessment)
    yield Metric(
        "recovery_reaches_now",
        int(found.reaches_newest),
        "1: a restore comes to the newest segment that is stored.",
    )
    window, newest = found.window, found.newest_usable
    if window is None or newest is None:
        return
    backup = newest.held.backup
    age = None if backup.stopped is None else max(0.0, now - backup.stopped)
    replay = max(0, window.until_lsn - (backup.start_lsn or 0))
    yield from known("recovery_window_start_timestamp_seconds", window.since, "A restore goes back to then.")
    yield from known("recovery_window_end_timestamp_seconds", window.until, "And forward to then.")
    yield from known("base_backup_age_seconds", age, "Since the newest usable base backup was finished.")
    yield from known("base_backup_stored_bytes", backup.stored_bytes, "What it takes in one copy.")
    yield Metric("recovery_replay_bytes", replay, "WAL that a restore from it to the end replays.")


def _counts(bucket: BucketFacts) -> Iterator[Metric]:
    backups = bucket.backups or ()
    counted = Counter(
        _STATES[each.completeness] if isinstance(each, BaseBackup) else "unreadable"
        for each in backups
        if not (isinstance(each, BaseBackup) and each.writer is Writer.LABEL)
    )
    for state in (*_STATES.values(), "unreadable"):
        labels = (("copy", bucket.role.value), ("state", state))
        yield Metric("base_backups", counted[state], "Base backups in it.", labels=labels)


def running_metrics(assessment: Assessment) -> Iterator[Metric]:
    """What runs now, and how the script's last run ended. Where nobody could look there is no number."""
    runs = assessment.backup_runs
    if runs.running or not runs.blind:
        yield Metric("base_backups_running", len(runs.running), "Base backups that are being taken now.")
    for backup in runs.running[:1]:
        yield from known("base_backup_running_sent_bytes", backup.sent_bytes, "What was sent of it.")
        yield from known("base_backup_running_total_bytes", backup.total_bytes, "Of so much, estimated.")
        yield Metric("base_backup_running_stuck", int(bool(backup.stuck)), "1: it does not go on.")
    last = runs.last
    if last is not None:
        yield Metric("base_backup_last_run_failed", int(last.failed), "1: the script's last run ended badly.")
        yield Metric("base_backup_last_run_timestamp_seconds", last.at, "When it ended.")
        yield from known("base_backup_last_run_exit_status", last.exit_status, "With what.")


def running_document(assessment: Assessment) -> Document:
    """The same for whoever reads JSON; `unseen` says what could not be looked at."""
    runs = assessment.backup_runs
    last = runs.last
    return {
        "running": [_running(each, assessment.now) for each in runs.running],
        "known": bool(runs.running) or not runs.blind,
        "unseen": list(runs.unseen),
        "last_run": None
        if last is None
        else {
            "id": last.id,
            "at": iso(last.at),
            "exit_status": last.exit_status,
            "failed": last.failed,
            "message": last.message,
        },
    }


def _running(backup: RunningBackup, now: float) -> Document:
    return {
        "who": backup.who,
        "id": backup.id or None,
        "subject": backup.subject,
        "client": backup.client or None,
        "since": iso(backup.since),
        "phase": backup.phase,
        "sent_bytes": backup.sent_bytes,
        "total_bytes": backup.total_bytes,
        "bytes_per_second": None if backup.rate is None else round(backup.rate),
        "ends": None if backup.left_s is None else iso(now + backup.left_s),
        "stuck": backup.stuck or None,
    }


def recovery_document(assessment: Assessment) -> Document | None:
    """What can be restored; None while that is not known."""
    restorable = assessment.recovery
    if restorable is None:
        return None
    found = restorable.found
    reaches = [
        each for each in found.reach[found.target].reaches if each.held.backup.writer is not Writer.LABEL
    ]
    return {
        "verdict": safe(assessment.recovery_verdict.text),
        "level": assessment.recovery_verdict.level.value,
        "timeline": found.target,
        "reaches_now": found.reaches_newest,
        "restore_reads": [role.value for role in found.read],
        "not_read": [reading.slot.name for reading in restorable.left_out],
        "windows": [_window(each) for each in found.windows],
        "backups": [_backup(each) for each in reaches[-BACKUPS_TOLD:]],
    }


def _window(window: Window) -> Document:
    return {
        "timeline": window.timeline,
        "since": iso(window.since),
        "until": iso(window.until),
        "since_lsn": format_lsn(window.since_lsn),
        "until_lsn": format_lsn(window.until_lsn),
        "stop": safe(window.stop.text) if window.stop is not None else None,
    }


def _backup(reach: BackupReach) -> Document:
    backup = reach.held.backup
    return {
        "id": safe(backup.id),
        "writer": backup.writer.value,
        "place": safe(backup.place),
        "state": _STATES[backup.completeness],
        "verified": backup.verified,
        "usable": reach.usable,
        "why_not": safe(reach.stop.text) if reach.stop is not None and not reach.usable else None,
        "started": iso(backup.started),
        "stopped": iso(backup.stopped),
        "stored_bytes": backup.stored_bytes,
        "complete_in": [role.value for role in reach.held.complete_in],
    }


def recovery_lines(assessment: Assessment) -> Iterator[str]:
    """For people: the windows, newest first, and what stops each."""
    restorable = assessment.recovery
    yield from _runs_now(assessment)
    if restorable is None:
        yield "not known: the buckets were not read to their end"
        return
    yield assessment.recovery_verdict.text
    yield from _windows(restorable.found)
    yield _assumed(restorable)


def _windows(found: Recoverability) -> Iterator[str]:
    for window in reversed(found.windows):
        newest = window.backups[-1].held.backup
        size = "" if newest.stored_bytes is None else f" ({bytes_text(newest.stored_bytes)} stored)"
        stop = "" if window.stop is None else f"; it ends there: {window.stop.text}"
        yield (
            f"timeline {window.timeline}: {iso(window.since) or 'n/a'} to {iso(window.until) or 'n/a'} "
            f"({format_lsn(window.since_lsn)} to {format_lsn(window.until_lsn)}), from "
            f"{plural(len(window.backups), 'base backup')}, the newest {newest.id}{size}{stop}"
        )


def _runs_now(assessment: Assessment) -> Iterator[str]:
    """Base backups that run, and a last run that failed; nothing where all is as ever."""
    runs = assessment.backup_runs
    for backup in runs.running:
        far = "" if backup.share is None else f", {backup.share:.0%} of {bytes_text(backup.total_bytes)}"
        stuck = f"; {backup.stuck}" if backup.stuck else ""
        yield f"runs now: {backup.who} {backup.id}".rstrip() + f", {backup.phase}{far}{stuck}"
    if runs.last is not None and runs.last.failed:
        means = end_words(runs.last.exit_status)[0]
        yield f"the last base backup was {means} ({iso(runs.last.at)}): {runs.last.message}"


def _assumed(restorable: Restorable) -> str:
    read = " and ".join(role.value for role in restorable.found.read) or "no"
    sure = "the server's restore_command" if restorable.configured else "assumed: the restore command"
    return f"{sure} reads the {read} {'copies' if restorable.reads_both else 'copy'}"


def _store_clock(assessment: Assessment) -> float:
    bucket = assessment.snapshot.primary.value
    return assessment.now + ((bucket.store_clock_offset_s or 0.0) if bucket is not None else 0.0)
