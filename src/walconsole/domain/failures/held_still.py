"""A process that somebody holds still: the archiver's own, or the server's first one."""

from collections.abc import Iterator
from shlex import quote

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.archiver import ready_count
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import PILING, REFUSED, FailureMode, Page, Risk
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import command_and_archiver
from walconsole.domain.standing.remedies import data_directory
from walconsole.domain.standing.unreachable import is_held
from walconsole.domain.units import plural

_STOPPED = "stopped"
"""How observe/command words the states T and t of proc(5)."""


def held_still(assessment: Assessment) -> Iterator[Finding]:
    """The archiver is stopped by a signal or a debugger while something waits; or the whole server is."""
    snapshot = assessment.snapshot
    if is_held(snapshot):
        yield _whole_server(snapshot)
        return
    facts, waiting = snapshot.command.value, ready_count(snapshot)
    held = facts.archiver if facts is not None else None
    if held is None or not waiting or not held.state.startswith(_STOPPED):
        return  # a command that is stopped is told as one that hangs, with the step that ends it
    yield Finding(
        "archiver-held-still",
        Severity.CRITICAL,
        f"the archiver's own process is {held.state}: "
        f"{plural(waiting, 'segment waits', 'segments wait')} until it goes on",
        (f"process {held.pid}: {held.command or 'archiver'}: {held.state} (/proc)",),
        _REMEDY,
        Snapshot.command,
        "archive_command",
        since=assessment.failing_since,
        proof=(
            Proof(f"pid {held.pid} {held.state}", "/proc on the droplet", snapshot.command.read_at),
            *command_and_archiver(snapshot),
        ),
        fixes=(
            Fix(
                "see who traces it, and let it go on",
                (f"grep -E 'State|TracerPid' /proc/{held.pid}/status", f"kill -CONT {held.pid}"),
                risk=_RISK,
            ),
        ),
        certainty=Certainty.PROVED,
    )


_REMEDY = (
    "find out who stopped it and why (a debugger, a job that freezes services for a backup), then let it go "
    "on: it takes up where it was"
)
_RISK = "what was stopped on purpose (a snapshot of the disk) goes on"


def _whole_server(snapshot: Snapshot) -> Finding:
    """Its first process: nobody is let in, and whatever ends is not started again."""
    pid = f"$(head -n 1 {quote(f'{data_directory(snapshot)}/postmaster.pid')})"
    return Finding(
        "archiver-held-still",
        Severity.CRITICAL,
        "PostgreSQL's first process is stopped by a signal or a debugger: nobody is let in",
        ("its state in /proc/PID/stat is T or t",),
        _REMEDY,
        Snapshot.host,
        proof=(
            Proof(
                "its first process: T or t (/proc/PID/stat)", "/proc on the droplet", snapshot.host.read_at
            ),
        ),
        fixes=(
            Fix(
                "see who traces it, and let it and what it started go on",
                (f"grep -E 'State|TracerPid' /proc/{pid}/status", f"kill -CONT {pid} $(pgrep -P {pid})"),
                risk=_RISK,
            ),
        ),
        certainty=Certainty.PROVED,
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "archiver-held-still",
        Page(
            title="the archiver's process, or the server's first one, is stopped",
            symptom="Nothing is archived, nothing fails, the log is silent; .ready files pile up.",
            cause=(
                "SIGSTOP to the archiver or to the whole server: a debugger that is still attached, a backup "
                "job that froze the service, a hand that meant another process."
            ),
            signal=(
                "The state in /proc/PID/stat: T (stopped) or t (traced); of the archiver while segments "
                "wait, of the server's first process at once."
            ),
            fix=(
                "Find out who did it, then let it go on.\n\n"
                "```\ngrep -E 'State|TracerPid' /proc/PID/status\nkill -CONT PID\n```"
            ),
            never="Do not kill it with -9: where it was sending, a half of a segment may be left.",
            source="proc(5), /proc/pid/stat",
        ),
        look=held_still,
        explains=(*REFUSED, *PILING, "command-hangs", "postgres-unreachable", "slow-droplet"),
        risk=Risk.STOPPED,
    ),
)
