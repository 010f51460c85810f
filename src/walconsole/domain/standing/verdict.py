"""The first line of the screen: does archiving work, and what would be lost now."""

from collections.abc import Sequence

from walconsole.domain.facts.host import ServerState
from walconsole.domain.facts.snapshot import Problem, Snapshot
from walconsole.domain.patience import OVERDUE
from walconsole.domain.redaction import safe
from walconsole.domain.standing.archiver import (
    ArchiverState,
    Lag,
    last_failure_age,
    last_success_age,
    nothing_arrives,
    nothing_due_yet,
    ready_count,
    state,
    success_is_to_come,
)
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.copies import settled, stored_age, unusable
from walconsole.domain.standing.model import Level, Severity, Story, Verdict
from walconsole.domain.standing.streaming import (
    MOST_BEHIND_SEGMENTS,
    holds_what_is_written,
    received,
)
from walconsole.domain.standing.unreachable import (
    CANNOT_CONNECT_NOW,
    LINK_CODES,
    is_down,
    is_held,
    link_problem,
    server_state,
    started_for_s,
    starts_too_long,
    unanswered,
)
from walconsole.domain.standing.unseen import proved
from walconsole.domain.standing.whose import holds_others_newest, own_newest
from walconsole.domain.units import age_text, bytes_text, lasting_text, plural, whole_duration_text

_SHORT = 40
"""A command of so many characters finds room in the line."""


def verdict(assessment: Assessment) -> Verdict:
    """One line, worst first: what cannot be seen, what is broken, what is late, what works."""
    return (
        _unseen(assessment)
        or _broken(assessment)
        or _thrown_away(assessment)
        or _let_go(assessment)
        or _contradicted(assessment)
        or _late(assessment)
        or _working(assessment)
    )


_LEVELS = {Severity.CRITICAL: Level.CRITICAL, Severity.WARNING: Level.WARNING}
_ORDER = (Level.OK, Level.UNKNOWN, Level.WARNING, Level.CRITICAL)


def at_least(said: Verdict, told: Sequence[Story], snapshot: Snapshot) -> Verdict:
    """The verdict, never better than the worst story: the first line and the findings agree.

    Where the server cannot be seen it stays unknown, for what is still known of the rest proves no more
    than that; but for what a bucket itself shows now.
    """
    if said.level is Level.UNKNOWN:
        told = [story for story in told if proved(story, snapshot)]
    worst = max(told, key=lambda story: story.severity, default=None)
    level = _LEVELS.get(worst.severity) if worst is not None else None
    if worst is None or level is None:
        return said
    if _ORDER.index(said.level) >= _ORDER.index(level):
        return said
    return Verdict(level, f"{worst.root.title}; {said.text}")


def _unseen(assessment: Assessment) -> Verdict | None:
    """The verdict where the server itself cannot be seen."""
    snapshot, now = assessment.snapshot, assessment.now
    link = link_problem(snapshot)
    if link is not None:
        since = snapshot.link.failing_since or snapshot.host.failing_since
        text = f"cannot tell: the droplet cannot be reached{_for(since, now)}: {link.reason}"
        return Verdict(Level.UNKNOWN, text + _last_known(snapshot, now))
    problem = snapshot.archiver.problem
    if is_held(snapshot) and (problem is not None or snapshot.archiver.value is None):
        return _HELD_STILL
    if problem is not None and problem.code not in LINK_CODES:
        since = snapshot.archiver.failing_since
        disk = snapshot.wal_disk.value
        if disk is not None and disk.read_only and snapshot.wal_disk.problem is None:
            text = f"the file system of pg_wal is READ-ONLY, and PostgreSQL does not answer{_for(since, now)}"
            return Verdict(Level.CRITICAL, f"{text}: nothing can be written")
        if server_state(snapshot) is ServerState.SINGLE_USER:
            lasts = _lasts(started_for_s(snapshot, now))
            text = (
                f"PostgreSQL runs in single-user mode{lasts}: nothing is archived, and nobody else is let in"
            )
            return Verdict(Level.CRITICAL, text)
        if is_down(snapshot):
            return _down(snapshot, _for(since, now))
        if problem.code == CANNOT_CONNECT_NOW:
            return _lets_nobody_in(assessment, problem)
        text = f"cannot tell: {unanswered(problem, snapshot)}{_for(since, now)}: {problem.reason}"
        late = problem.code == OVERDUE
        return Verdict(Level.UNKNOWN, text + (_last_known(snapshot, now) if late else ""))
    if snapshot.archiver.value is None or snapshot.settings.value is None:
        failure = snapshot.host.problem or snapshot.settings.problem
        if failure is not None:
            return Verdict(Level.UNKNOWN, f"cannot tell: {failure.reason}")
        unreached = snapshot.link.value is None and snapshot.host.value is None
        what = "the droplet did not answer yet" if unreached else "PostgreSQL was not read yet"
        return Verdict(Level.UNKNOWN, f"looking: {what}")
    return None


def _down(snapshot: Snapshot, lasts: str) -> Verdict:
    host = snapshot.host.value
    text = f"PostgreSQL is DOWN{lasts}: nothing is written and nothing is archived"
    if host is not None and host.running_beside:  # one on a port of its own, beside Debian's idle one
        beside = f"{host.cluster}; {host.running_beside[0]} runs beside it"
        text = f"PostgreSQL is DOWN{lasts}: {beside}"
    return Verdict(Level.CRITICAL, text)


_HELD_STILL = Verdict(
    Level.CRITICAL,
    "PostgreSQL is HELD STILL: its first process is stopped by a signal or a debugger; nobody is let in",
)


def _lets_nobody_in(assessment: Assessment, problem: Problem) -> Verdict:
    """The verdict where the server runs, and starts, stops or recovers: by its state, as its words may be
    in any language.
    """
    snapshot, now = assessment.snapshot, assessment.now
    if server_state(snapshot) is ServerState.STANDBY:
        text = "cannot tell: this is a standby that lets nobody in (hot_standby = off): look at its primary"
        return Verdict(Level.UNKNOWN, text)
    if starts_too_long(snapshot, now):
        lasts = f"{_lasts(started_for_s(snapshot, now))}, and lets nobody in"
        return Verdict(
            Level.CRITICAL, f"PostgreSQL has been STARTING{lasts}: nothing is written and nothing is archived"
        )
    since = snapshot.archiver.failing_since
    text = f"cannot tell: {unanswered(problem, snapshot)}{_for(since, now)}: {problem.reason}"
    return Verdict(Level.UNKNOWN, text + _last_known(snapshot, now))


def _for(since: float | None, now: float) -> str:
    return _lasts(None if since is None else now - since)


def _lasts(seconds: float | None) -> str:
    return "" if seconds is None else lasting_text(seconds)


def _last_known(snapshot: Snapshot, now: float) -> str:
    age = snapshot.archiver.age_s(now)
    return "" if age is None else f"; last seen {age_text(age)}: {state(snapshot, now - age).value}"


def _broken(assessment: Assessment) -> Verdict | None:
    """The verdict where nothing reaches the archive."""
    snapshot, now = assessment.snapshot, assessment.now
    match assessment.state:
        case ArchiverState.STREAMED:
            return _streamed(assessment)
        case ArchiverState.OFF:
            return Verdict(Level.CRITICAL, f"archiving is OFF: {_off_since(snapshot, now)}")
        case ArchiverState.NO_COMMAND:
            return Verdict(
                Level.CRITICAL,
                "archiving has no command: nothing is archived, and pg_wal grows until the disk is full",
            )
        case ArchiverState.FAILING:
            return Verdict(
                Level.CRITICAL, f"archiving FAILS{_failing_since(snapshot, now)}: {_lost(assessment)}"
            )
        case ArchiverState.STALLED:
            return Verdict(
                Level.CRITICAL,
                f"archiving stands STILL, last success {age_text(last_success_age(snapshot, now))}: "
                f"{_lost(assessment)}",
            )
    return None


def _streamed(assessment: Assessment) -> Verdict | None:
    """The verdict where WAL is streamed away, and what keeps it cannot be seen, or is behind."""
    snapshot = assessment.snapshot
    stream, server, bucket = received(snapshot), snapshot.server.value, snapshot.primary.value
    if stream is None or server is None:
        return None
    text, problem = f"archive_mode is off, and WAL is streamed to {stream}", snapshot.primary.problem
    if bucket is None or problem is not None:
        why = f": {problem.reason}" if problem is not None else ""
        return Verdict(Level.UNKNOWN, f"cannot tell: {text}: what is kept there is not read here{why}")
    if not bucket.complete:
        return Verdict(Level.UNKNOWN, f"looking: {text}; what is kept there is being read")
    if assessment.lag is None:
        return Verdict(Level.UNKNOWN, f"cannot tell: {text}: no segment of this server is seen there")
    if not holds_what_is_written(snapshot):
        unseen = "no .partial of what the server writes is seen there"
        return Verdict(Level.UNKNOWN, f"cannot tell: {text}: {unseen}: is it the stream's place?")
    if stream.behind_bytes is None:
        return Verdict(Level.UNKNOWN, f"cannot tell: {text}: how far that is behind the slot does not say")
    if max(stream.behind_bytes // server.segment_bytes, assessment.lag.segments) >= MOST_BEHIND_SEGMENTS:
        return Verdict(Level.WARNING, f"WAL is streamed to {stream}, which is BEHIND: {_lost(assessment)}")
    return None


def _off_since(snapshot: Snapshot, now: float) -> str:
    bucket, newest = snapshot.primary.value, own_newest(snapshot)
    if bucket is not None and newest is not None and bucket.newest_at is not None:
        age = age_text(stored_age(bucket, bucket.newest_at, now))
        return f"nothing written after {newest} ({age}) would survive a lost disk"
    if holds_others_newest(snapshot):
        return "what the archive holds is another cluster's; nothing of this one would survive a lost disk"
    return "nothing written since the server began would survive a lost disk"


def _failing_since(snapshot: Snapshot, now: float) -> str:
    success = last_success_age(snapshot, now)
    if success is not None:
        return f", last success {age_text(success)}"
    if success_is_to_come(snapshot):
        return ", since when is not known (its last success is to come: the server's clock was set back)"
    failure = last_failure_age(snapshot, now)
    return "" if failure is None else f", and never succeeded (last try {age_text(failure)})"


def _lost(assessment: Assessment) -> str:
    """What a lost disk would cost, in segments, bytes and time."""
    snapshot = assessment.snapshot
    lost = assessment.exposure
    if lost is None:
        waiting = ready_count(snapshot)
        wait = "" if not waiting else f"{plural(waiting, 'segment waits', 'segments wait')}; "
        return f"{wait}nothing written so far would survive a lost disk"
    waiting = ready_count(snapshot)
    count = lost.segments if waiting is None else waiting
    return (
        f"{plural(count, 'segment waits', 'segments wait')}, "
        f"{bytes_text(lost.bytes)}{_span(lost)} would be lost with the disk"
    )


def _span(lost: Lag) -> str:
    return "" if lost.seconds is None else f" or {whole_duration_text(lost.seconds)} of writes"


def _thrown_away(assessment: Assessment) -> Verdict | None:
    """The archive command itself says that it stores nothing: where the bucket shows it, that is told."""
    command = assessment.thrown_away_by
    if not command or assessment.agreement.ok is False:
        return None
    shown = f" ({safe(command)})" if len(command) <= _SHORT else ""
    lost = "nothing written now would survive a lost disk"
    return Verdict(Level.CRITICAL, f"the archive command stores NOTHING{shown}: {lost}")


def _let_go(assessment: Assessment) -> Verdict | None:
    """The archive command hides that it fails, and what it stores into refuses it."""
    why = assessment.let_go_by
    if not why:
        return None
    hidden = "WAL is THROWN AWAY: the archive command says yes whatever happens"
    return Verdict(Level.CRITICAL, f"{hidden}, and the store takes nothing: {why}")


def _contradicted(assessment: Assessment) -> Verdict | None:
    """PostgreSQL says it works, and the bucket says it does not."""
    snapshot, now = assessment.snapshot, assessment.now
    archiver, server, bucket = snapshot.archiver.value, snapshot.server.value, snapshot.primary.value
    if archiver is None or server is None or bucket is None or snapshot.primary.problem is not None:
        return None
    if not bucket.complete:
        return None
    answer = assessment.agreement
    if answer.ok is False:
        return Verdict(Level.CRITICAL, f"PostgreSQL says archived, and {answer.text}: those would be lost")
    found = unusable(snapshot, bucket, now)
    if found is not None and settled(snapshot, bucket, now) is not None:
        said = assessment.recovery_line  # a hole: it says what follows from it
        return said if said.level is Level.CRITICAL else found
    return found


def _late(assessment: Assessment) -> Verdict | None:
    """The verdict where it works and may not much longer."""
    outlook = assessment.outlook
    if outlook is not None and outlook.urgent:
        when = "very soon" if outlook.full_in_s is None else f"in {outlook.full_in_text} at this rate"
        return Verdict(Level.CRITICAL, f"the disk of pg_wal is FULL {when}")
    if assessment.state is not ArchiverState.BEHIND:
        return None
    falls = " and falls further behind" if assessment.falling_behind else ""
    direction = " and catches up" if assessment.catching_up else falls
    if nothing_arrives(assessment.snapshot, assessment.now):
        success = age_text(last_success_age(assessment.snapshot, assessment.now))
        return Verdict(Level.WARNING, f"archiving is BEHIND, last success {success}: {_lost(assessment)}")
    return Verdict(Level.WARNING, f"archiving is too SLOW{direction}: {_lost(assessment)}")


_STANDBY = Verdict(Level.UNKNOWN, "this is a standby: its primary archives; look there")
_PAUSED = Verdict(
    Level.UNKNOWN,
    "this server is in recovery, and its replay is PAUSED: it replays and archives nothing until "
    "pg_wal_replay_resume(), which ends a recovery at its target",
)


def _working(assessment: Assessment) -> Verdict:
    """The verdict where PostgreSQL's own account is good: what can be restored, as the buckets say."""
    snapshot, now = assessment.snapshot, assessment.now
    match assessment.state:
        case ArchiverState.STANDBY:
            server = snapshot.server.value
            return _PAUSED if server is not None and server.replay_paused else _STANDBY
        case ArchiverState.NEVER if nothing_due_yet(snapshot, now):
            return _at_best(assessment, "archiving is on, and nothing was due yet")
        case ArchiverState.NEVER:
            return Verdict(Level.WARNING, "archiving is on, and nothing was archived yet")
        case ArchiverState.UNKNOWN:
            return Verdict(Level.UNKNOWN, "cannot tell: archive_mode could not be read")
    failed = assessment.last_failure is not None  # one that PostgreSQL does not count: the log has it
    text = f"{'the newest attempt FAILED' if failed else 'archiving works'}: {_behind(assessment)}"
    stream = received(snapshot)
    if assessment.state is ArchiverState.STREAMED and stream is not None:
        text = f"WAL is streamed to {stream}: {bytes_text(stream.behind_bytes or 0)} behind"
    problem, bucket = snapshot.primary.problem, snapshot.primary.value
    if problem is not None:
        return Verdict(
            Level.WARNING, f"{text} by PostgreSQL's own count; the bucket could not be read: {problem.reason}"
        )
    if bucket is None or not bucket.complete:
        return Verdict(Level.UNKNOWN, f"{text} by PostgreSQL's own count; the bucket is being read")
    said, coming = assessment.recovery_line, "some of the newest segments are still to come"
    if said.level is not Level.OK:
        return said
    if assessment.recovery is None or assessment.recovery.found.window is None:
        return Verdict(Level.OK, f"{text}, {coming if bucket.gaps else 'nothing missing'}; {said.text}")
    return Verdict(Level.OK, f"{said.text}; {coming}") if bucket.gaps else said


def _at_best(assessment: Assessment, text: str) -> Verdict:
    """That text, where what was written before can be restored."""
    said, problem = assessment.recovery_line, assessment.snapshot.primary.problem
    if problem is not None:
        return Verdict(Level.WARNING, f"{text}; the bucket could not be read: {problem.reason}")
    return Verdict(Level.OK, f"{text}; {said.text}") if said.level is Level.OK else said


def _behind(assessment: Assessment) -> str:
    behind = assessment.lag
    if behind is not None and behind.seconds is None and success_is_to_come(assessment.snapshot):
        return "how far behind is not known (the server's clock was set back)"
    if behind is None or behind.seconds is None:
        return "the position is not known"
    if behind.idle:
        return "the server is idle and all it wrote is archived"
    return f"{whole_duration_text(behind.seconds)} behind"
