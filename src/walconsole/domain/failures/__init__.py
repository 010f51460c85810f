"""The failure modes: one record each, one module a family. docs/development.md says how one is added."""

from collections.abc import Mapping

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures import (
    archive,
    archiving,
    archiving_unset,
    backup_runs,
    bucket,
    certificates,
    cleanup,
    client_calls,
    command,
    configuration,
    damage,
    disk,
    drills,
    droplet,
    expiry_schedule,
    folder,
    folder_apart,
    folder_copies,
    folder_place,
    foreign,
    held_still,
    hidden,
    labels,
    lifecycle,
    marked,
    no_alarm,
    no_room,
    own_list,
    permission,
    pgbackrest,
    rclone_config,
    recovering,
    recovery,
    refusals,
    restore_form,
    restoring_well,
    retention,
    running,
    sources,
    taken_away,
    unattended,
    unsafe_writes,
    uploads,
    usability,
    variable_unset,
    whole_folder,
)
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.folders import worded
from walconsole.domain.standing.mode import FailureMode, Look
from walconsole.domain.standing.model import Diagnosis, Finding, Level, Severity, Story, Verdict
from walconsole.domain.standing.stories import stories
from walconsole.domain.standing.tool_words import in_tools_words
from walconsole.domain.standing.unseen import admitting, never_blind
from walconsole.domain.standing.verdict import at_least, verdict

FAMILIES: tuple[tuple[str, tuple[FailureMode, ...]], ...] = (
    ("What cannot be seen", (*sources.MODES, *unattended.MODES)),
    ("The droplet", droplet.MODES),
    ("Configuration", (*archiving_unset.MODES, *configuration.MODES, *cleanup.MODES)),
    (
        "The archive command",
        (
            *command.MODES,
            *rclone_config.MODES,
            *variable_unset.MODES,
            *permission.MODES,
            *no_room.MODES,
            *hidden.MODES,
            *taken_away.MODES,
            *held_still.MODES,
            *whole_folder.MODES,
            *running.MODES,
            *pgbackrest.MODES,
        ),
    ),
    ("The store's refusals", (*refusals.MODES, *client_calls.MODES, *certificates.MODES, *uploads.MODES)),
    ("The archiver", archiving.MODES),
    ("The bucket", bucket.MODES),
    ("The folder", (*folder.MODES, *folder_place.MODES, *folder_copies.MODES, *folder_apart.MODES)),
    (
        "The archive",
        (
            *foreign.MODES,
            *marked.MODES,
            *archive.MODES,
            *recovery.MODES,
            *labels.MODES,
            *backup_runs.MODES,
            *expiry_schedule.MODES,
            *own_list.MODES,
            *drills.MODES,
            *lifecycle.MODES,
            *usability.MODES,
        ),
    ),
    ("The disk", (*damage.MODES, *unsafe_writes.MODES, *retention.MODES, *disk.MODES)),
    ("A recovery", (*recovering.MODES, *restoring_well.MODES, *restore_form.MODES)),
    ("What looks wrong and is not", no_alarm.MODES),
)
"""In the order in which findings of one severity are told."""
MODES: Mapping[str, FailureMode] = {mode.id: mode for _, modes in FAMILIES for mode in modes}
LOOKS: tuple[Look, ...] = tuple(dict.fromkeys(mode.look for mode in MODES.values() if mode.look is not None))


def diagnose(snapshot: Snapshot, now: float) -> Diagnosis:
    """The verdict and the findings at `now` (seconds since the epoch): worst first, then as listed above."""
    assessment = Assessment(snapshot, now)
    findings = [
        in_tools_words(worded(finding, snapshot), snapshot) for look in LOOKS for finding in look(assessment)
    ]
    findings = _told_verbatim(_in_time(findings), assessment)
    told = stories(findings, MODES, assessment)
    said = at_least(verdict(assessment), told, snapshot)
    return Diagnosis(admitting(never_blind(said, snapshot), snapshot), tuple(findings), told)


def _in_time(findings: list[Finding]) -> list[Finding]:
    """The worst first; where the disk has a time left, that and what leads to it before other warnings."""
    findings = sorted(findings, key=lambda finding: -finding.severity)
    if not any(finding.rule == _DISK and finding.severity is Severity.WARNING for finding in findings):
        return findings

    def later(finding: Finding) -> bool:
        leads = finding.rule == _DISK or _DISK in MODES[finding.rule].explains
        return finding.severity is Severity.WARNING and not leads

    return sorted(findings, key=lambda finding: (-finding.severity, later(finding)))


_DISK = "disk-filling"


def _told_verbatim(findings: list[Finding], assessment: Assessment) -> list[Finding]:
    """Where no finding explains that archiving fails, that one has the command's own last line."""
    if any("failing" in MODES[finding.rule].explains for finding in findings):
        return findings
    return [
        archiving.in_its_own_words(finding, assessment) if finding.rule == "failing" else finding
        for finding in findings
    ]


__all__ = [
    "FAMILIES",
    "LOOKS",
    "MODES",
    "Diagnosis",
    "Finding",
    "Level",
    "Severity",
    "Story",
    "Verdict",
    "diagnose",
]
