"""What the archiver does wrong, or too slowly."""

import re
from collections.abc import Iterator
from dataclasses import replace
from shlex import quote

from walconsole.domain.facts.observed import ArchiverFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.archiver import (
    ArchiverState,
    archive_timeout_s,
    is_failing,
    last_failure_age,
    last_success_age,
    nothing_arrives,
    nothing_due_yet,
    oldest_wait_s,
    ready_count,
)
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.failure_log import short
from walconsole.domain.standing.known_words import known_words, look_of
from walconsole.domain.standing.mode import FailureMode, Late, Page, Risk
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import archiver_row, log_lines, setting_row
from walconsole.domain.standing.remedies import command_in_force, own_command, runs_rclone
from walconsole.domain.standing.silent_ends import silent_ends
from walconsole.domain.store.answers import UNREAD_PLACE
from walconsole.domain.units import age_text, duration_text, plural

_NEVER = "never delete .ready files or segments by hand"


def failing(assessment: Assessment) -> Iterator[Finding]:
    """The last failure is newer than the last success."""
    snapshot, now = assessment.snapshot, assessment.now
    archiver = snapshot.archiver.value
    if archiver is None or assessment.state is not ArchiverState.FAILING or not is_failing(archiver):
        return
    success = last_success_age(snapshot, now)
    evidence = [
        f"last failure {archiver.last_failed_wal} {age_text(last_failure_age(snapshot, now))}, "
        f"last success {archiver.last_archived_wal or 'none'} {age_text(success)} (pg_stat_archiver)",
        f"{plural(snapshot.history.failed, 'failure')} since the console began, "
        f"{archiver.failed_count:,} since the statistics were reset",
    ]
    evidence += _how_it_ended(assessment)
    command = snapshot.settings.value.value("archive_command") if snapshot.settings.value else None
    if command:
        evidence.append(f"archive_command = {command}")
    store = snapshot.primary.problem
    if store is not None and store.code != UNREAD_PLACE:
        evidence.append(f"the bucket refuses the same: {store.why}")
    yield Finding(
        "failing",
        Severity.CRITICAL,
        f"archiving fails at {archiver.last_failed_wal}",
        tuple(evidence),
        f"read the command's own words in the log pane; {_NEVER}",
        Snapshot.archiver,
        "archive_command",
        since=assessment.failing_since,
        proof=(
            *archiver_row(snapshot),
            *setting_row(snapshot, "archive_command"),
            *log_lines(snapshot, assessment.since_success),
        ),
        fixes=(
            *_see_tested(assessment),
            *(
                Fix("ask the archive in that tool's own words: why it is not reached, they say", asked)
                for asked in (own_command(snapshot, "look"),)
                if asked
            ),
        ),
        certainty=Certainty.LIKELY,
        surer="this is a consequence: run the archive command by hand, as the server's user, on that file",
    )


_TESTED = re.compile(r"(?:test|\[) +! +-[ef] +[\"']?(/[^\s\"';&|]*%f[^\s\"';&|]*)")
"""As PostgreSQL's documentation has it: never overwrite a file."""


def _tested_file(assessment: Assessment) -> str:
    """The file that the command wants not to be there, of the segment that fails; empty for none."""
    archiver = assessment.snapshot.archiver.value
    tested = _TESTED.search(command_in_force(assessment.snapshot))
    if tested is None or archiver is None or not archiver.last_failed_wal:
        return ""
    return tested[1].replace("%f", archiver.last_failed_wal)


def _see_tested(assessment: Assessment) -> Iterator[Fix]:
    """Where the command says nothing, and a file that lies there already may be why."""
    there, archiver = _tested_file(assessment), assessment.snapshot.archiver.value
    if not there or assessment.last_words or archiver is None:
        return
    folder = assessment.snapshot.wal_disk.value.directory if assessment.snapshot.wal_disk.value else "pg_wal"
    yield Fix(
        "compare the file that lies there with the segment that waits: the same, or another server's?",
        (
            f"ls -l {quote(there)}",
            f"cmp {quote(there)} {quote(f'{folder}/{archiver.last_failed_wal}')} && echo the same",
        ),
        risk="delete neither before it is known whose it is",
    )


_ENDS = {
    2: "of a shell: it does not understand the command",
    124: "of timeout: the time was up",
}
"""What an exit code stands for by convention (dash, bash, timeout(1)), where words do not tell."""
_SYNTAX = re.compile(
    r"^(?:/bin/)?(?:sh|dash|bash|-c):.*(?:syntax error|illegal option|bad substitution)", re.IGNORECASE
)


def _how_it_ended(assessment: Assessment) -> Iterator[str]:
    """The command's last words before its last failure, and its exit code."""
    failure = assessment.last_failure
    if failure is None:
        if assessment.last_words:
            yield f"{assessment.last_words} (the archive command's own words)"
        return
    words = assessment.last_words
    code = failure.exit_code
    if words:
        yield f"{words} (the archive command's own words)"
    elif failure not in assessment.since_change:
        yield "the command, its files or the configuration changed since: it was not tried again yet"
    if code is None:
        return
    meaning = _ENDS.get(code, "")
    if code == 2 and not (words and _SYNTAX.search(words)):
        meaning = ""
    if not words and code == 1 and (there := _tested_file(assessment)):
        yield f"`test ! -f` ends so, without a word, where {there} is there already: compare it with pg_wal's"
    facts = assessment.snapshot.command.value
    if not words and code == 1 and facts is not None:
        yield from silent_ends(f"{facts.command}\n{facts.script}")
    silent = "" if words else ", and nothing that it printed is there"
    yield f"it ends with exit code {code}{', ' + meaning if meaning else ''}{silent} (the server's log)"


def in_its_own_words(finding: Finding, assessment: Assessment) -> Finding:
    """A failure whose cause nothing here knows: told by the command's last line, as it is.

    Where many programs say the same, what helps is known all the same.
    """
    words = assessment.last_words
    if not words:
        return finding
    known = known_words(words)
    return replace(
        finding,
        title=f"{finding.title}, and says: {short(words)}",
        remedy=f"{known.remedy}; {_NEVER}" if known is not None else finding.remedy,
        fixes=(*(look_of(known, words, assessment.snapshot) if known is not None else ()), *finding.fixes),
        evidence=(
            "no cause is known here for the command's own last line, which is told as it is",
            *finding.evidence,
        ),
    )


def _process(archiver: ArchiverFacts | None) -> str:
    """Whether the archiver runs, as far as this role and this version of the server can see it."""
    if archiver is None or not archiver.archiver_visible:
        return "whether the archiver process runs cannot be seen in pg_stat_activity"
    pid = archiver.archiver_pid
    return "no archiver process runs (pg_stat_activity)" if pid is None else "the archiver process runs"


def stalled(assessment: Assessment) -> Iterator[Finding]:
    """Segments wait, and the archiver neither succeeds nor fails."""
    snapshot, now = assessment.snapshot, assessment.now
    if assessment.state is not ArchiverState.STALLED:
        return
    yield Finding(
        "stalled",
        Severity.CRITICAL,
        "the archiver stands still: segments wait, and it neither succeeds nor fails",
        (
            f"{plural(ready_count(snapshot) or 0, 'segment waits', 'segments wait')}, "
            f"the oldest for {duration_text(oldest_wait_s(snapshot, now))} (.ready files)",
            f"last success {age_text(last_success_age(snapshot, now))}, "
            f"last failure {age_text(last_failure_age(snapshot, now))} (pg_stat_archiver)",
            _process(snapshot.archiver.value),
        ),
        "look for a hanging command below the archiver process, and for FATAL in the log: "
        "exits above 125 and signals are not counted",
        Snapshot.archiver,
        "archive_command",
        since=assessment.failing_since,
        proof=(
            *archiver_row(snapshot),
            *ready_files(snapshot),
            *log_lines(snapshot, assessment.since_success),
        ),
        certainty=Certainty.LIKELY,
        surer="this is a consequence: look at what runs below the archiver, and at the server's log",
    )


def ready_files(snapshot: Snapshot) -> Iterator[Proof]:
    """What waits, as archive_status shows it."""
    disk, reading = snapshot.wal_disk.value, snapshot.wal_disk
    if disk is not None and disk.ready_count is not None:
        text = f"{disk.ready_count} .ready files, the first {disk.oldest_ready or 'none'}"
        yield Proof(text, f"{disk.directory}/archive_status", reading.read_at)


def too_slow(assessment: Assessment) -> Iterator[Finding]:
    """The backlog stands or grows though nothing fails."""
    snapshot, now = assessment.snapshot, assessment.now
    if assessment.state is not ArchiverState.BEHIND:
        return
    behind, trend, catching_up = assessment.lag, assessment.backlog_trend, assessment.catching_up
    waiting = ready_count(snapshot)
    if waiting is None and behind is not None:
        waiting = behind.segments
    wait = oldest_wait_s(snapshot, now)
    evidence = [
        plural(waiting or 0, "segment waits", "segments wait")
        + (f", the oldest for {duration_text(wait)}" if wait is not None else "")
    ]
    if trend is not None:
        evidence.append(f"the backlog changes by {trend:+.1f} segments a minute")
    waiting_only = nothing_arrives(snapshot, now)
    if waiting_only:
        silent = duration_text(last_success_age(snapshot, now))
        evidence.append(f"nothing was archived for {silent}: the next look tells whether it hangs")
    measured = assessment.falling_behind and not waiting_only
    yield Finding(
        "too-slow",
        Severity.NOTE if catching_up and not waiting_only else Severity.WARNING,
        "archiving is behind, and nothing arrives at the moment"
        if waiting_only
        else "archiving is behind and catches up"
        if catching_up
        else "archiving is slower than the WAL",
        tuple(evidence),
        "wait for the next look: it tells whether the command hangs"
        if waiting_only
        else "measure where the seconds of a segment go; what helps follows from that: one segment at a time "
        "is archived, so that each may take no longer than until the next is complete",
        Snapshot.archiver,
        "archive_command",
        proof=(*ready_files(snapshot), *archiver_row(snapshot)),
        fixes=() if waiting_only else _measure(snapshot),
        certainty=Certainty.POSSIBLE if waiting_only else Certainty.PROVED if measured else Certainty.LIKELY,
        surer="" if measured else "watch for a minute whether the backlog grows while segments arrive",
    )


def _measure(snapshot: Snapshot) -> tuple[Fix, ...]:
    """Part by part where rclone does it; another tool as a whole, for its parts are its own."""
    if runs_rclone(snapshot):
        return (
            Fix(
                "measure where the seconds of a segment go: start, compress, upload, read back",
                ("walconsole probe --only seconds",),
                "probe-seconds",
                "a segment is stored under a name of its own, and taken away again",
            ),
        )
    title = "time the archive command by hand, on the segment that waits longest"
    return (Fix(title, ("walconsole probe --only command",), "probe-command"),)


def never_archived(assessment: Assessment) -> Iterator[Finding]:
    """archive_mode is on, and nothing was ever archived."""
    snapshot, now = assessment.snapshot, assessment.now
    if assessment.state is ArchiverState.NEVER and not nothing_due_yet(snapshot, now):
        yield Finding(
            "never-archived",
            Severity.WARNING,
            "archiving is on, and nothing was archived yet",
            ("archived_count = 0 and no failure (pg_stat_archiver)",),
            "force a switch with pg_switch_wal() after a write, and see whether it arrives",
            Snapshot.archiver,
            proof=(*archiver_row(snapshot), *ready_files(snapshot)),
        )


_LONG_OPEN_S = 86_400.0
"""Of writes that a lost disk would take, because nothing ends their segment."""
_LONG_TIMEOUT_S = 3_600.0
"""An archive_timeout beyond that bounds little: an hour of writes is what few can do without."""


def no_timeout(assessment: Assessment) -> Iterator[Finding]:
    """archive_timeout = 0, or hours: a quiet server may keep hours of writes in an unfinished segment."""
    snapshot = assessment.snapshot
    timeout = archive_timeout_s(snapshot.settings.value)
    if timeout is None or 0 < timeout <= _LONG_TIMEOUT_S:
        return
    if assessment.state not in (ArchiverState.WORKING, ArchiverState.IDLE, ArchiverState.NEVER):
        return
    lag = assessment.lag
    open_s = lag.seconds if lag is not None and not lag.idle and not lag.segments else None
    long = open_s is not None and open_s > _LONG_OPEN_S
    value = duration_text(timeout) if timeout else "0"
    until = f"or after {value}" if timeout else "and has no time limit"
    yield Finding(
        "no-archive-timeout",
        Severity.WARNING if long else Severity.NOTE,
        f"what was written in the last {duration_text(open_s)} is in no archive: archive_timeout is {value}"
        if long
        else f"archive_timeout is {value}: "
        + (
            f"up to {value} of writes are in no archive"
            if timeout
            else "a segment is archived only when it is full"
        ),
        (f"what is written to an unfinished segment is archived when that is full, {until} (pg_settings)",),
        "set archive_timeout (60 s at least) if the recovery point must be bounded in time",
        Snapshot.settings,
        "archive_timeout",
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "failing",
        Page(
            title="archiving fails",
            symptom="last_failed_time is newer than last_archived_time, and the file still waits.",
            cause="A consequence: the cause is told above it where it is found.",
            signal="pg_stat_archiver, .ready files, the log.",
            fix=(
                "Run the command by hand, as the server's user, on the file that waits; its words tell the "
                "cause.\n\n"
                "```\n"
                "cd DATA_DIRECTORY\n"
                "runuser -u postgres -- env -i PATH=/usr/bin:/bin sh -c 'COMMAND with pg_wal/SEGMENT'; "
                "echo $?\n"
                "```"
            ),
            never="Never delete .ready files or segments by hand.",
            source="PostgreSQL: pgarch.c",
        ),
        look=failing,
        explains=("stalled", "too-slow", "disk-filling", "dr-behind"),
        risk=Risk.STOPPED,
        late=Late.FAILING,
    ),
    FailureMode(
        "stalled",
        Page(
            title="the archiver stands still",
            symptom="Segments wait, and neither successes nor failures come.",
            cause=(
                "A command that hangs, an exit above 125 or a signal (not counted), a WAL file that is gone."
            ),
            signal=(
                ".ready files that wait longer than a minute and a half while both times of "
                "pg_stat_archiver stand."
            ),
            fix="Look at what runs below the archiver, and for FATAL in the log.",
            source="PostgreSQL: pgarch.c",
        ),
        look=stalled,
        explains=("too-slow", "disk-filling", "dr-behind"),
        risk=Risk.STOPPED,
        late=Late.STALLED,
        untried="it takes 90 s of silence to tell; what leads to it is brought about",
    ),
    FailureMode(
        "too-slow",
        Page(
            title="archiving is slower than the WAL",
            symptom=".ready files grow steadily, with no errors.",
            cause="One segment after another, each takes longer than the server takes to fill the next.",
            signal=(
                "The backlog, its trend, and how long the first of them waits. A burst of WAL that is on "
                "the move is "
                "none; nor is it told from a command that hangs before something arrives."
            ),
            fix=(
                "Measure first (`f` in triage, or `walconsole probe --only seconds`): the tool's start, "
                "compressing, the upload and reading back, for each copy, beside how often a segment is due. "
                "Then what is longest: compress before the transfer; write less WAL (wal_compression, "
                "checkpoint distance); an engine that pushes several at once."
            ),
            never="Do not switch archiving off to let it catch up: that makes a gap.",
            source="railway#89; a plugin of CloudNativePG, 656 (1.9 s a segment)",
        ),
        look=too_slow,
        explains=("disk-filling", "dr-behind"),
        risk=Risk.SLOW,
        late=Late.SLOW,
    ),
    FailureMode(
        "never-archived",
        Page(
            title="archiving is on, and nothing was ever archived",
            symptom="archived_count = 0, last_archived_wal is NULL; a check that compares times passes.",
            cause="Nothing was written since the start, or nothing ever got through.",
            signal="pg_stat_archiver, and the bucket, which holds nothing current either.",
            fix=(
                "Force a switch after a write, and see whether it arrives.\n\n"
                "```\n"
                "SELECT pg_create_restore_point('check'); SELECT pg_switch_wal();\n"
                "```"
            ),
            source="check_pgactivity#290",
        ),
        look=never_archived,
        explains=("no-base-backup",),
        risk=Risk.STOPPED,
        late=Late.NEVER,
    ),
    FailureMode(
        "no-archive-timeout",
        Page(
            title="nothing bounds how old unarchived writes may get",
            symptom="On a quiet server the last success is hours old although something was written.",
            cause=(
                "archive_timeout = 0: a segment is archived when it is full, and not before; or it is hours: "
                "as much of what is written may be lost with the disk, whatever else is in order."
            ),
            signal=(
                "The setting, 0 or above an hour. A warning once something was written for longer than a day "
                "that is in no archive."
            ),
            fix=(
                "Set archive_timeout (60 s at least; each forced switch stores a segment, most of it "
                "zeroes, which compression makes small)."
            ),
            source="PostgreSQL's documentation of archive_timeout",
        ),
        look=no_timeout,
    ),
)
