"""An archive command that says yes whatever became of the segment."""

from collections.abc import Iterator

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.archiver import is_enabled
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Severity
from walconsole.domain.standing.proofs import setting_row
from walconsole.domain.standing.remedies import RELOAD, is_ours
from walconsole.domain.standing.thrown_away import hiding_of, skipping_of


def failure_hidden(assessment: Assessment) -> Iterator[Finding]:
    """By its words and its scripts' alone: nothing has failed yet, as far as PostgreSQL can know."""
    snapshot = assessment.snapshot
    settings = snapshot.settings.value
    if settings is None or not is_enabled(settings.value("archive_mode")) or is_ours(snapshot):
        return
    hiding, at = hiding_of(snapshot)
    if not hiding:
        yield from _skips(assessment)
        return
    how, refused = _how(hiding), assessment.let_go_by
    whose = at.rpartition(" line ")[0] or "the archive command"
    where = f", line {at.rpartition(' ')[2]}" if at else ""
    yield Finding(
        "failure-hidden",
        Severity.CRITICAL if refused else Severity.WARNING,
        f"{whose} says yes whatever happens: {how} ({hiding}{where})",
        (
            "PostgreSQL lets go of a segment as soon as the command ends with 0, stored or not",
            *([f"what it stores into takes nothing now: {refused}"] if refused else ()),
        ),
        f"have {'it' if at else 'archive_command'} end with a failure where storing fails"
        f"{'' if at else ', and reload'}: a segment that could not be stored is kept and tried again",
        Snapshot.discovery if at else Snapshot.settings,
        "archive_command",
        proof=tuple(setting_row(snapshot, "archive_command")),
        fixes=(
            Fix("end it with how storing ended (`set -eo pipefail`, `|| exit 1`), in that script")
            if at
            else Fix("set it without that, in the file that sets it, and reload", (RELOAD,)),
        ),
    )


def _skips(assessment: Assessment) -> Iterator[Finding]:
    """A note while all is stored; where the archive lacks what PostgreSQL counts, it is why."""
    snapshot = assessment.snapshot
    when, at = skipping_of(snapshot)
    if not when:
        return
    lacks = assessment.agreement.ok is False
    whose, _, line = at.rpartition(" line ")
    where = f" ({whose} line {line})" if at else ""
    yield Finding(
        "failure-hidden",
        Severity.CRITICAL if lacks else Severity.NOTE,
        f"the archive command says yes and stores nothing where {when}{where}",
        (
            "PostgreSQL lets go of a segment as soon as the command ends with 0, stored or not",
            *([f"{assessment.agreement.text}: does it hold now?"] if lacks else ()),
        ),
        "have it end with a failure there (`exit 1`): a segment that is not stored is kept and tried again",
        Snapshot.discovery if at else Snapshot.settings,
        "archive_command",
        proof=tuple(setting_row(snapshot, "archive_command")),
        fixes=(Fix("end it with a failure where it stores nothing, in that script")
               if at else Fix("set it so, in the file that sets it, and reload", (RELOAD,)),),
        certainty=Certainty.LIKELY if lacks else Certainty.PROVED,
        surer="ask what it asks, as the server's user" if lacks else "",
    )  # fmt: skip


_ANSWERLESS = ("curl", "nc", "ncat", "netcat", "ftp", "tftp", "sftp", "lftp")
_LATER = ("systemd-run", "at", "batch", "setsid", "nohup", "start-stop-daemon", "daemonize", "tsp", "nq")


def _how(hiding: str) -> str:
    """In words."""
    first = hiding.lstrip("|;& ").partition(" ")[0]
    if hiding.startswith("&") or first in _LATER:
        return "it goes on in the background"
    if hiding.startswith("|") and not hiding.startswith("||"):
        return "a pipe ends as its last part does"
    if first in _ANSWERLESS:
        return "that program ends well though the store refused"
    return "it ends well whatever failed before"


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "failure-hidden",
        Page(
            title="the archive command says yes whatever happens",
            symptom="All works, and failed_count never moves, also where nothing is stored.",
            cause=(
                "`|| true`, `|| exit 0`, a `&` at its end, bash's `&>` where sh is dash, `store it; "
                "something else`, a pipe into `tee` or `logger`, or a script that ends in `exit 0` or a "
                "message, that tells a failure and goes on, that hands the segment to `at` or "
                "`systemd-run`: the command ends well whatever became of the segment. Often it was put "
                "there to have an alarm end. `curl` without `-f` ends well though the store refused, `nc` "
                "and `sftp` without `-b` hear of no refusal. Or it stores only where something holds, "
                "and says yes where it does not: `if mountpoint -q /mnt/wal; then cp …; fi`, `[ -d /mnt/wal "
                "] || exit 0`, a switch file, `flock -E 0`: that is a note until the archive lacks something."
            ),
            signal=(
                "The words of archive_command in force and of the shell scripts that it calls, followed as a "
                "shell does: every way in which what stores the segment fails ends with 0. Programs in other "
                "languages are not read, and nothing is said where what only a run tells decides. CRITICAL "
                "where the only place that the command stores into refuses it now: its bucket or folder is "
                "not there, or the key that the command itself uses is not the store's."
            ),
            fix=(
                "Take it out, and reload (a script needs no reload). A segment that could not be stored is "
                "then kept and tried again."
                "\n\n```\narchive_command = 'cp %p /mnt/wal/%f'\n```\n\n"
                "In a script, `set -eo pipefail` below its first line, or `|| exit 1` behind what stores; "
                "behind a pipe into `tee`, `exit ${PIPESTATUS[0]}`."
            ),
            never="Do not have it end well to make a backlog go away: each segment that it let go is a gap.",
        ),
        look=failure_hidden,
        explains=("silent-loss",),
    ),
)
