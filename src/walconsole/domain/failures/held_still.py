"""A process on a segment's way that somebody holds still: the archiver's own, or one that it waits for."""

from collections.abc import Iterator

from walconsole.domain.facts.evidence import ChildProcess
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.archiver import ready_count
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import PILING, REFUSED, FailureMode, Page, Risk
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import command_and_archiver
from walconsole.domain.units import plural

_STOPPED = "stopped"
"""How observe/command words the states T and t of proc(5)."""


def held_still(assessment: Assessment) -> Iterator[Finding]:
    """The archiver, or a program below it, is stopped by a signal or a debugger while something waits."""
    snapshot = assessment.snapshot
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


def _told(process: ChildProcess) -> str:
    return f"pid {process.pid} {process.state} {process.wait_channel} {process.command}".strip()


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "archiver-held-still",
        Page(
            title="the archiver's process is stopped",
            symptom="Nothing is archived, nothing fails, the log is silent; .ready files pile up.",
            cause=(
                "SIGSTOP to the archiver or to the archive command: a debugger that is still attached, a "
                "backup job that froze the service, a hand that meant another process."
            ),
            signal="Its state in /proc/PID/stat: T (stopped) or t (traced), while segments wait.",
            fix=(
                "Find out who did it, then let it go on.\n\n"
                "```\ngrep -E 'State|TracerPid' /proc/PID/status\nkill -CONT PID\n```"
            ),
            never="Do not kill it with -9: where it was sending, a half of a segment may be left.",
            source="proc(5), /proc/pid/stat",
        ),
        look=held_still,
        explains=(*REFUSED, *PILING, "command-hangs"),
        risk=Risk.STOPPED,
    ),
)
