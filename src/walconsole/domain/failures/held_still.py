"""A process on a segment's way that somebody holds still: the archiver's own, or one that it waits for."""

from collections.abc import Iterator
from shlex import quote

from walconsole.domain.facts.evidence import ChildProcess
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
    """The archiver, or a program below it, is stopped by a signal or a debugger while something waits."""
    snapshot = assessment.snapshot
    if is_held(snapshot):
        yield _whole_server(snapshot)
        return
    facts, waiting = snapshot.command.value, ready_count(snapshot)
    if facts is None or not waiting:
        return
    seen = [each for each in (facts.archiver, *facts.children) if each is not None]
    held = [each for each in seen if each.state.startswith(_STOPPED)]
    if not held:
        return
    own = held[0] == facts.archiver
    what = "the archiver's own process" if own else "the archive command"
    yield Finding(
        "archiver-held-still",
        Severity.CRITICAL,
        f"{what} is {held[0].state}: {plural(waiting, 'segment waits', 'segments wait')} until it goes on",
        tuple(f"process {each.pid}: {each.command or 'archiver'}: {each.state} (/proc)" for each in held),
        "find out who stopped it and why (a debugger, a job that freezes services for a backup), then let it "
        "go on: it takes up where it was",
        Snapshot.command,
        "archive_command",
        since=assessment.failing_since,
        proof=(
            *(Proof(_told(each), "/proc on the droplet", snapshot.command.read_at) for each in held),
            *command_and_archiver(snapshot),
        ),
        fixes=(
            Fix(
                "see who traces it, and let it go on",
                (
                    f"grep -E 'State|TracerPid' /proc/{held[0].pid}/status",
                    *(f"kill -CONT {each.pid}" for each in held),
                ),
                risk="what was stopped on purpose (a snapshot of the disk) goes on",
            ),
        ),
        certainty=Certainty.PROVED,
    )


def _whole_server(snapshot: Snapshot) -> Finding:
    """Its first process: nobody is let in, and whatever ends is not started again."""
    pid = f"$(head -n 1 {quote(f'{data_directory(snapshot)}/postmaster.pid')})"
    return Finding(
        "archiver-held-still",
        Severity.CRITICAL,
        "PostgreSQL's first process is stopped by a signal or a debugger: nobody is let in",
        ("its state in /proc/PID/stat is T or t",),
        "find out who stopped it and why (a debugger, a job that freezes services for a backup), then let it "
        "go on: nothing of it is lost",
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
                risk="what was stopped on purpose (a snapshot of the disk) goes on",
            ),
        ),
        certainty=Certainty.PROVED,
    )


def _told(process: ChildProcess) -> str:
    return f"pid {process.pid} {process.state} {process.wait_channel} {process.command}".strip()


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "archiver-held-still",
        Page(
            title="the archiver's process, or the server's first one, is stopped",
            symptom="Nothing is archived, nothing fails, the log is silent; .ready files pile up.",
            cause=(
                "SIGSTOP to the archiver, the archive command or the whole server: a debugger that is still "
                "attached, a backup job that froze the service, a hand that meant another process."
            ),
            signal=(
                "The state in /proc/PID/stat: T (stopped) or t (traced); of the archiver and what it runs "
                "while segments wait, of the server's first process at once."
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
