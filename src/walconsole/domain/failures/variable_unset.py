"""An archive command that makes its target of a variable, which nothing sets."""

from collections.abc import Iterator
from shlex import quote

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.redaction import safe
from walconsole.domain.standing.archiver import is_enabled
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import REFUSED, FailureMode, Page
from walconsole.domain.standing.model import Certainty, Finding, Fix, Proof
from walconsole.domain.standing.proofs import command_and_archiver, log_lines
from walconsole.domain.standing.remedies import command_in_force, data_directory
from walconsole.domain.units import plural


def variable_unset(assessment: Assessment) -> Iterator[Finding]:
    """Only while archiving is in trouble: where it works, an empty one is meant."""
    snapshot = assessment.snapshot
    found, settings = snapshot.discovery.value, snapshot.settings.value
    if found is None or not found.unset or settings is None or not is_enabled(settings.value("archive_mode")):
        return
    if found.judged != safe(command_in_force(snapshot)) or not (assessment.troubled or assessment.has_failed):
        return
    names = ", ".join(f"${name}" for name in found.unset)
    pid = quote(f"{data_directory(snapshot)}/postmaster.pid")
    said = tuple(
        each for each in assessment.newest_words if any(f"{name}:" in each.text for name in found.unset)
    )
    yield Finding(
        "variable-unset",
        assessment.urgency,
        f"the archive command stores into a place that it makes of {names}, which nothing sets",
        (
            f"{plural(len(found.unset), 'variable is', 'variables are')} neither in the server's environment "
            f"(/proc/PID/environ) nor set by the command or its script: {names}",
            *(each.text for each in said[-1:]),
        ),
        "set it where the server is started (Environment= of its unit, or Debian's file `environment`) and "
        "restart, or in the script itself, which needs none",
        Snapshot.discovery,
        "archive_command",
        since=assessment.failing_since,
        proof=(
            Proof(f"not set: {names}", snapshot.discovery.source, snapshot.discovery.read_at),
            *log_lines(snapshot, said),
            *command_and_archiver(snapshot),
        ),
        fixes=(
            Fix(
                "see what the server's environment has, and where its unit sets it",
                (
                    f"tr '\\0' '\\n' </proc/$(head -n 1 {pid})/environ | cut -d = -f 1",
                    "systemctl cat 'postgresql*' | grep -iE '^# |Environment'",
                ),
            ),
        ),
        certainty=Certainty.PROVED if said else Certainty.LIKELY,
        surer="" if said else "run the command as the server's user with the server's environment",
    )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "variable-unset",
        Page(
            title="the archive command makes its target of a variable that nothing sets",
            symptom=(
                "`parameter not set`, `unbound variable`, or a store's or the system's word of a place that "
                "has no name: `/0000…: Permission denied`, `InvalidBucketName`."
            ),
            cause=(
                "The server was started without it: a drop-in of its unit was lost with an upgrade, it was "
                "started by hand, or the variable stands in a profile that only a login reads."
            ),
            signal=(
                "Upper-case variables that are a part of a word in archive_command or its script, and of "
                "which the place is made that is stored into; the postmaster's environment has them not, "
                "and neither text sets them. Nothing is said where a file is sourced, and while archiving "
                "works."
            ),
            fix=(
                "Set it where the server is started, and restart; or in the script.\n\n"
                "```\nsystemctl edit postgresql@15-main   # Environment=WAL_DIR=/mnt/wal\n```"
            ),
            source="systemd.exec(5), Environment=",
        ),
        look=variable_unset,
        explains=(*REFUSED, "permission", "archiver-crash-loop", "archive-elsewhere"),
    ),
)
