"""The first line about recovery: from when to when can be restored, or what is in the way."""

from datetime import UTC, datetime

from walconsole.domain.records import record
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Writer
from walconsole.domain.recovery.doubts import made_at
from walconsole.domain.recovery.held import HeldBackup, Stop, StopKind
from walconsole.domain.recovery.ours import ID, LABELLED
from walconsole.domain.recovery.recoverability import BackupReach, Recoverability, Window
from walconsole.domain.standing.model import Level, Verdict
from walconsole.domain.units import bytes_text, duration_text, plural, whole_duration_text

DAY_S = 86_400.0
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


NOT_EXPECTED = "no base backup is expected here (expect_base_backups = false)"


@record
class Limits:
    """What is worth a warning where a restore works: the newest usable backup's age, the WAL to replay.

    A backup without its last object may still be running for `running_s`.
    """

    oldest_backup_s: float = 8 * DAY_S
    most_replay_bytes: int | None = None
    running_s: float = DAY_S


@record
class Drill:
    """The newest restore that was tried and passed: when (seconds since the epoch), and how long it took."""

    at: float
    took_s: float


def recovery_verdict(
    found: Recoverability | None,
    now: float,
    *,
    behind_s: float | None = None,
    idle: bool = False,
    expected: bool = True,
    coming: bool = False,
    drill: Drill | None = None,
    limits: Limits | None = None,
) -> Verdict:
    """The line. `now` is by the store's clock, `behind_s` how far the archive is behind the server's writes.

    `idle`: all that an idle server wrote is archived. `expected`: the profile says that base backups are
    made; where it says no, the line says so. `coming`: what ends the window is being stored at this moment.
    """
    if found is None:
        return Verdict(Level.UNKNOWN, "cannot tell what can be restored: the archive is still being read")
    if not expected and all(each.backup.writer is Writer.LABEL for each in found.backups):
        return Verdict(Level.OK, NOT_EXPECTED)
    if found.window is None:
        return _nothing(found)
    limits = limits or Limits()
    return (
        (None if coming else _ends_early(found, found.window, now))
        or _newest_unusable(found, found.window, now, limits)
        or stale(found, now, limits)
        or _elsewhere(found, found.window, now)
        or _restorable(found.window, now, _behind(found.window, now, behind_s, idle), drill)
    )


def moment_text(at: float, now: float) -> str:
    """`14:02Z` for today, `21 Nov 03:10Z`, `21 Nov 2025 03:10Z` for another year: always UTC."""
    told, today = (datetime.fromtimestamp(each, UTC) for each in (at, now))
    clock = f"{told:%H:%M}Z"
    if told.date() == today.date():
        return clock
    year = "" if told.year == today.year else f" {told.year}"
    return f"{told.day} {_MONTHS[told.month - 1]}{year} {clock}"


def not_taken_here(tablespaces: int) -> str:
    """Why the installed script takes no base backup of a cluster with so many tablespaces of its own."""
    if not tablespaces:
        return ""
    counted = plural(tablespaces, "tablespace")
    return f"the cluster has {counted} of its own, which the installed script cannot store"


def _nothing(found: Recoverability) -> Verdict:
    if not found.listed:
        return Verdict(Level.UNKNOWN, "cannot tell what can be restored: the archive is still being listed")
    if not found.backups:
        if found.unreadable:
            first = found.unreadable[0]
            return Verdict(
                Level.UNKNOWN, f"cannot tell what can be restored: {first.key} cannot be read: {first.why}"
            )
        return Verdict(Level.CRITICAL, "NOTHING can be restored: there is no base backup")
    if all(each.backup.writer is Writer.LABEL for each in found.backups) and not found.unreadable:
        id = gone(found)
        if id:
            text = f"there is no base backup, and the newest that was made, {id}, does not lie here"
            return Verdict(Level.CRITICAL, f"NOTHING can be restored: {text}")
        made = plural(len(found.backups), "base backup was", "base backups were")
        text = f"{made} made (.backup labels), and none lies here"
        return Verdict(Level.UNKNOWN, f"cannot tell what can be restored: {text}")
    nearest = nearest_stop(found)
    if nearest is None:
        return Verdict(Level.CRITICAL, "NOTHING can be restored: no base backup can be replayed")
    reach, stop = nearest
    if stop.kind in (StopKind.NOT_KNOWN, StopKind.HISTORY_UNREAD) or found.unreadable:
        return Verdict(
            Level.UNKNOWN, f"cannot tell what can be restored: {_of(reach.held, found)}: {stop.text}"
        )
    return Verdict(Level.CRITICAL, f"NOTHING can be restored: {_of(reach.held, found)}: {stop.text}")


def gone(found: Recoverability) -> str:
    """The id of the newest base backup that was made, where only its label is left of it; else empty.

    Of the installed script alone, which stores its backups below this prefix and nowhere else.
    """
    if any(each.backup.writer is not Writer.LABEL for each in found.backups):
        return ""
    labels = (each.backup for each in found.backups)
    newest = max(labels, key=lambda each: (each.start_lsn or 0, each.timeline or 0), default=None)
    if newest is None or not newest.label.startswith(LABELLED):
        return ""
    id = newest.label.removeprefix(LABELLED)
    return id if ID.fullmatch(id) else ""


def nearest_stop(found: Recoverability) -> tuple[BackupReach, Stop] | None:
    """The newest backup with what stops it: one that may be of use, before those that are surely not."""
    stopped = [(reach, reach.stop) for reach in found.reach[found.target].reaches if reach.stop is not None]
    order = (Completeness.COMPLETE, Completeness.UNKNOWN, Completeness.INCOMPLETE)
    for completeness in order:
        of_that = [each for each in stopped if each[0].held.backup.completeness is completeness]
        if of_that:
            return of_that[-1]
    return None


def _of(held: HeldBackup, found: Recoverability) -> str:
    which = "the only base backup" if len(found.backups) == 1 else "the newest base backup"
    return f"{which} {held.backup.id}"


def _ends_early(found: Recoverability, window: Window, now: float) -> Verdict | None:
    stop = window.stop
    if stop is None:
        return None
    after = "" if window.until is None else f" after {moment_text(window.until, now)}"
    text = f"nothing{after or ' later'} can be restored: {stop.text}"
    if not found.listed:
        return Verdict(Level.UNKNOWN, f"cannot tell yet: as far as it is listed, {text}")
    return Verdict(Level.CRITICAL, text)


def _newest_unusable(found: Recoverability, window: Window, now: float, limits: Limits) -> Verdict | None:
    newest = newest_unusable(found, window, now, limits)
    if newest is None:
        return None
    reach, stop = newest
    text = f"the newest base backup {reach.held.backup.id} cannot be used: {stop.text}"
    return Verdict(Level.WARNING, f"{text}; restorable{_since(window, now)}")


def newest_unusable(
    found: Recoverability, window: Window, now: float, limits: Limits
) -> tuple[BackupReach, Stop] | None:
    """A newer backup than all that can be used, which was finished and cannot be used, and why.

    Of the same place: another cluster's may lie beside it.
    """
    last = window.backups[-1].held.backup
    for reach in reversed(found.reach[found.target].reaches):
        backup, stop = reach.held.backup, reach.stop
        if reach.usable or stop is None or stop.kind in (StopKind.NOT_KNOWN, StopKind.OTHER_BRANCH):
            continue
        begun = made_at(backup.id)
        if backup.start_lsn is None and begun is not None and abs(now - begun) < limits.running_s:
            continue
        if (backup.writer, backup.place) == (last.writer, last.place) and backup.id > last.id:
            return reach, stop
    return None


def stale(found: Recoverability, now: float, limits: Limits) -> Verdict | None:
    """The warning where a restore works, and would take long, or may; None where it would not."""
    newest, window = found.newest_usable, found.window
    if newest is None or window is None:
        return None
    backup = newest.held.backup
    stopped = _stopped(backup)
    age = None if stopped is None else now - stopped
    old = too_old(backup, now, limits)
    if old and age is not None and age < 0:
        return Verdict(Level.WARNING, f"the newest base backup {backup.id}{old}")
    replay = max(0, window.until_lsn - (backup.start_lsn or 0))
    long = limits.most_replay_bytes is not None and replay > limits.most_replay_bytes
    if not old and not long:
        return None
    made = "" if age is None else f" is {_age(age)} old"
    text = f"the newest base backup{made}: a restore would replay {bytes_text(replay)} of WAL"
    return Verdict(Level.WARNING, text)


def too_old(backup: BaseBackup, now: float, limits: Limits) -> str:
    """What its age says against it, in words that follow its name; else empty."""
    stopped = _stopped(backup)
    if stopped is None:
        return ""
    if stopped > now + DAY_S:  # less may be the zone of a writer that tells none
        text = f" says that it ended at {moment_text(stopped, now)}"
        return f"{text}, which is yet to come: how old it is nobody can tell"
    return f" is {_age(now - stopped)} old" if now - stopped > limits.oldest_backup_s else ""


def _stopped(backup: BaseBackup) -> float | None:
    return made_at(backup.id) if backup.stopped is None else backup.stopped


def _age(seconds: float) -> str:
    return f"{int(seconds // DAY_S)} d" if seconds >= 2 * DAY_S else whole_duration_text(max(0.0, seconds))


def _elsewhere(found: Recoverability, window: Window, now: float) -> Verdict | None:
    """`latest` would follow another branch than the server's."""
    if found.latest == found.target or found.target != found.cluster.timeline:
        return None
    return Verdict(
        Level.WARNING,
        f"restorable{_since(window, now)}, but only with recovery_target_timeline = {found.target}: "
        f"'latest' would go to timeline {found.latest}, which is not the server's",
    )


def _behind(window: Window, now: float, behind_s: float | None, idle: bool) -> str:
    if idle:
        return "; idle, nothing is behind"
    if behind_s is None and window.until is not None:
        behind_s = max(0.0, now - window.until)
    return "" if behind_s is None else f", {whole_duration_text(behind_s)} behind"


def _restorable(window: Window, now: float, behind: str, drill: Drill | None) -> Verdict:
    proof = ""
    if drill is not None:
        ago = _age(max(0.0, now - drill.at))
        proof = f"; proved {ago} ago in {_took(drill.took_s)}"
    return Verdict(Level.OK, f"restorable{_since(window, now)}{behind}{proof}")


def _since(window: Window, now: float) -> str:
    if window.since is None:
        return f" from {plural(len(window.backups), 'base backup')} on"
    return f" to any moment since {moment_text(window.since, now)}"


def _took(seconds: float) -> str:
    """`4 min` for what takes minutes: seconds of a drill prove nothing."""
    return f"{round(seconds / 60)} min" if 60 <= seconds < 3600 else duration_text(seconds)
