"""How the archive command runs: it dies, hangs, or is asked for what is gone."""

from collections.abc import Iterator

from walconsole.domain.facts.evidence import ChildProcess, LogEntry, LogKind
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.archiver import is_failing, ready_count
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.deaths import GENERAL, death_of
from walconsole.domain.standing.failure_log import COUNTED_UP_TO, short, without_prefix
from walconsole.domain.standing.known_words import known_words, look_of
from walconsole.domain.standing.mode import REFUSED, FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import archiver_row, command_and_archiver, log_lines
from walconsole.domain.standing.remedies import is_ours, ours_in_force
from walconsole.domain.standing.unreachable import LINK_CODES, NO_CLUSTER, SHELL_CODES
from walconsole.domain.units import duration_text, plural

HANGS_AFTER_S = 30.0
"""A segment takes a second or two; one that takes longer than this is worth a look."""

_CERTAIN_HANG_S = 90.0

_LAST_SIGNAL = 64
"""signal(7): SIGRTMAX. ssh and rsync end with 255, and no signal is meant."""


def crash_loop(assessment: Assessment) -> Iterator[Finding]:
    """The command dies by a signal or exits above 125: the archiver restarts, and nothing counts it."""
    snapshot = assessment.snapshot
    failure = assessment.last_failure
    if failure is None or not _is_uncounted(failure):
        return
    alike = tuple(entry for entry in assessment.since_success if _is_uncounted(entry))
    if len(alike) == 1 and _by_hand(failure, snapshot):
        return  # somebody, or the console's own step, ended a command that hung: it is tried again
    words, cause = assessment.last_words, death_of(failure)
    dies = "dies and starts again" if len(alike) > 1 else "died and started again"
    seen = _uncounted_by_the_server(assessment)
    known = known_words(words) if cause in GENERAL else None
    yield Finding(
        "archiver-crash-loop",
        Severity.CRITICAL,
        cause.title.format(words=short(without_prefix(words)))
        if cause.title and words
        else f"the archiver {dies}: the archive command {_how(failure)}"
        + (f", and says: {short(words)}" if words else ""),
        (
            f"{plural(len(alike), 'time')} since the last success (the server's log)",
            *([f"{words} (the archive command's own words)"] if words else []),
            "failed_count does not move: exits above 125 and signals are not counted",
        ),
        f"{known.remedy}; {cause.remedy}" if known is not None else cause.remedy,
        Snapshot.log,
        "archive_command",
        since=assessment.failing_since,
        proof=(
            *log_lines(snapshot, [*assessment.newest_words[-2:], *alike[-4:]]),
            *command_and_archiver(snapshot),
        ),
        fixes=(
            *((Fix(cause.look, cause.commands),) if cause.commands else ()),
            *(look_of(known, words, snapshot) if known is not None else ()),
            *ours_in_force(snapshot, "which ends by itself, and with a status that is counted"),
        ),
        certainty=Certainty.PROVED if seen else Certainty.LIKELY,
        surer="" if seen else "does failed_count stand while files wait?",
    )


def _uncounted_by_the_server(assessment: Assessment) -> bool:
    """Whether the counters agree with the log: something waits, and no failure of it was counted."""
    archiver = assessment.snapshot.archiver.value
    return bool(ready_count(assessment.snapshot)) and archiver is not None and not is_failing(archiver)


def _is_uncounted(entry: LogEntry) -> bool:
    if entry.kind in (LogKind.KILLED, LogKind.ARCHIVER_FATAL):
        return True
    return entry.kind is LogKind.FAILED and entry.exit_code is not None and entry.exit_code > COUNTED_UP_TO


_ASKED, _KILLED = frozenset({2, 15}), 9
"""SIGINT, SIGTERM: what somebody sends; SIGKILL: what they send to a command that does not listen."""


def _by_hand(entry: LogEntry, snapshot: Snapshot) -> bool:
    """Whether it may be that somebody ended it: by a signal, which a shell tells as 128 and more.

    SIGKILL is the kernel's, too, where memory is short: it was somebody's where the command had hung before.
    """
    signal = entry.signal or (entry.exit_code or 0) - 128
    disk = snapshot.wal_disk.value
    if signal in _ASKED:
        return True
    if signal != _KILLED or disk is None or disk.oldest_ready_at is None or entry.at is None:
        return False
    return entry.at - disk.oldest_ready_at >= HANGS_AFTER_S


def _how(entry: LogEntry) -> str:
    if entry.signal is not None:
        return f"is killed by signal {entry.signal}"
    if entry.exit_code is not None:
        by = entry.exit_code - 128
        signal = f" (signal {by} in its shell)" if 0 < by <= _LAST_SIGNAL else ""
        return f"exits with {entry.exit_code}{signal}"
    return "cannot be run"


def hangs(assessment: Assessment) -> Iterator[Finding]:
    """The archive command has been running for longer than a segment can take."""
    snapshot, now = assessment.snapshot, assessment.now
    facts, host = snapshot.command.value, snapshot.host.value
    if facts is None or not facts.children or ready_count(snapshot) == 0:
        return
    offset = host.clock_offset_s if host is not None else 0.0
    oldest = facts.children[0]
    age = now + offset - oldest.started_at
    if age < HANGS_AFTER_S:
        return
    deepest = facts.children[-1]
    waits = ", ".join(filter(None, (deepest.state, deepest.wait_channel)))
    sockets = f", connected to {', '.join(deepest.sockets)}" if deepest.sockets else ", no connection open"
    yield Finding(
        "command-hangs",
        Severity.CRITICAL if age >= _CERTAIN_HANG_S else Severity.WARNING,
        f"the archive command has been running for {duration_text(age)} and does not end",
        (
            f"process {oldest.pid} below the archiver: {oldest.command}",
            f"it waits in process {deepest.pid}: {deepest.command} ({waits or 'state not known'}{sockets})",
        ),
        "end that process, and put the command under `timeout`: PostgreSQL never ends it by itself",
        Snapshot.command,
        "archive_command",
        since=oldest.started_at - offset,
        proof=(
            *(
                Proof(
                    f"pid {child.pid} {child.state} {child.wait_channel} {child.command}".strip(),
                    "/proc, below the archiver",
                    snapshot.command.read_at,
                )
                for child in facts.children
            ),
            *command_and_archiver(snapshot),
        ),
        fixes=_fixes_of_hanging(snapshot, oldest, deepest),
        certainty=Certainty.PROVED if age >= _CERTAIN_HANG_S or not deepest.sockets else Certainty.LIKELY,
        surer="" if not deepest.sockets else "does its connection move bytes? ss -tip on the droplet tells",
    )


def _fixes_of_hanging(snapshot: Snapshot, oldest: ChildProcess, deepest: ChildProcess) -> tuple[Fix, ...]:
    """What hangs is ended; what has no limit and would hang again makes room for another command first."""
    end = Fix(
        "end the hanging command; PostgreSQL tries the segment again",
        (f"kill {deepest.pid}", *([f"kill -CONT {deepest.pid}"] if _is_stopped(deepest) else [])),
        "kill-hung-command",
        risk="what it has sent so far is sent again",
        subject=str(oldest.pid),
    )
    if is_ours(snapshot):
        return (end,)
    bounded = ours_in_force(
        snapshot, "which has a time limit, and end the one that hangs", "bounded-command", str(oldest.pid)
    )
    return (*bounded, end) if _never_ends(deepest) else (end, *bounded)


def _never_ends(child: ChildProcess) -> bool:
    """Whether it waits for nothing that could come: it sleeps, and has no connection open."""
    return not child.sockets and not _is_stopped(child) and "nanosleep" in child.wait_channel


def _is_stopped(child: ChildProcess) -> bool:
    """Whether it stands still by a signal: another one reaches it only when it goes on."""
    return child.state.startswith("stopped")


def orphan_ready(assessment: Assessment) -> Iterator[Finding]:
    """A .ready whose WAL file is gone: older servers try it for ever (15 and later remove it themselves)."""
    snapshot = assessment.snapshot
    facts, disk = snapshot.command.value, snapshot.wal_disk.value
    if facts is None or not facts.orphans:
        return
    first = facts.orphans[0]
    blocking = disk is not None and disk.oldest_ready in facts.orphans
    yield Finding(
        "orphan-ready",
        Severity.CRITICAL if blocking and assessment.troubled else Severity.WARNING,
        f"the archiver is asked for {first}, which is not in pg_wal",
        (
            f"{plural(facts.orphan_count, '.ready file')} without a WAL file in archive_status",
            f"{first} is the one that is tried first" if blocking else "others are tried before it",
        ),
        "move that one .ready file away, after making sure that the segment is in the archive or lost",
        Snapshot.command,
        since=assessment.failing_since,
        proof=(
            *(
                Proof(
                    f"archive_status/{name}.ready, and no {name}",
                    "pg_wal on the droplet",
                    snapshot.command.read_at,
                )
                for name in facts.orphans[:3]
            ),
            *log_lines(
                snapshot, [entry for entry in assessment.since_success if entry.kind is LogKind.ORPHAN]
            ),
            *archiver_row(snapshot),
        ),
        fixes=(
            Fix(
                f"move {first}.ready out of archive_status",
                (f"mv pg_wal/archive_status/{first}.ready /var/tmp/",),
                "orphan-ready",
                "the segment stays a gap in the archive if it never got there",
                first,
            ),
        ),
    )


def log_unreadable(assessment: Assessment) -> Iterator[Finding]:
    """The log that would say why cannot be read, while archiving is in trouble."""
    snapshot = assessment.snapshot
    problem, facts = snapshot.log.problem, snapshot.log.value
    if not assessment.troubled:
        return
    if problem is not None and problem.code in LINK_CODES | SHELL_CODES | {NO_CLUSTER}:
        return
    missing = facts.missing if facts is not None else ()
    if problem is None and not (missing and not assessment.since_success):
        return
    why = problem.why if problem is not None else "; ".join(missing)
    yield Finding(
        "log-unreadable",
        Severity.NOTE,
        "the server's log, which would say why, cannot be read",
        (why,),
        (problem.remedy if problem is not None else "")
        or "sudo = true in the profile, or a user who may read it",
        Snapshot.log,
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "archiver-crash-loop",
        Page(
            title="the archiver dies and starts again",
            symptom=(
                "FATAL in the log again and again; failed_count and last_failed_time do not move, .ready "
                "files pile up."
            ),
            cause=(
                "The command exits above 125 or dies by a signal (an exit of 128 + N is its shell's word "
                "for signal N: 137 is SIGKILL, often the kernel's out-of-memory killer). PostgreSQL then "
                "ends the archiver and starts it anew."
            ),
            signal="The log lines since the last success. One death by a signal that somebody sends is none.",
            fix=(
                "Let the command end with 1 to 125 on every failure. For 137 look at `dmesg` and at the "
                "unit's memory limit."
            ),
            never="Do not watch failed_count alone: it does not count this.",
            source="pgbackrest#608; shell_archive.c",
        ),
        look=crash_loop,
        explains=REFUSED,
    ),
    FailureMode(
        "command-hangs",
        Page(
            title="the archive command never ends",
            symptom="Neither successes nor failures; .ready files pile up.",
            cause=(
                "PostgreSQL waits for ever. Usual causes: a connection that nobody answers without a "
                "time-out, a prompt, a stuck network file system."
            ),
            signal=(
                "The age of the processes below the archiver, what they wait for (/proc/PID/wchan), their "
                "open connections."
            ),
            fix=(
                "End it (PostgreSQL tries the segment again), and put the command under a limit.\n\n"
                "```\n"
                "kill PID\n"
                'archive_command = \'timeout -k 5 120 /usr/local/bin/NAME-pg-archive "%p" "%f"\'\n'
                "```"
            ),
            never="Do not kill the postmaster for it.",
            source="wal-g#358; spilo#563",
        ),
        look=hangs,
        explains=("stalled", "failing", "never-archived"),
    ),
    FailureMode(
        "orphan-ready",
        Page(
            title="a .ready file without its WAL file",
            symptom=(
                "The archiver fails on a file that does not exist. PostgreSQL 15 and later remove such a "
                "file themselves and warn."
            ),
            cause=(
                "A crash between removing the segment and its status file, or somebody deleted from pg_wal."
            ),
            signal=".ready files whose segment is not in pg_wal.",
            fix=(
                "Make sure that the segment is in the archive or lost, then move that one .ready file "
                "away.\n\n"
                "```\n"
                "mv pg_wal/archive_status/SEGMENT.ready /var/tmp/\n"
                "```"
            ),
            never="Touch no other file there.",
            source="CrunchyData postgres-operator#2115",
        ),
        look=orphan_ready,
        explains=("failing", "stalled", "archiver-crash-loop"),
    ),
    FailureMode(
        "log-unreadable",
        Page(
            title="the log that would say why cannot be read",
            symptom="Archiving is in trouble, and the console cannot quote the command's own words.",
            cause="The SSH user may not read the log, or it is where nobody looked.",
            signal=(
                "The log's place (current_logfiles, pg_lsclusters, the postmaster's standard error, the "
                "journal) and why it cannot be read."
            ),
            fix="sudo = true in the profile, or a user in group adm.",
        ),
        look=log_unreadable,
        untried="it takes an SSH user who may not read the log; where tests run as root there is none",
    ),
)
