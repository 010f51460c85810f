"""Cause before consequence: which finding explains which, and what is at risk."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

from walconsole.domain.archive.losses import open_ones
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.copies import gap_text, held_by_other, lost_text, settled
from walconsole.domain.standing.mode import FailureMode, Risk
from walconsole.domain.standing.model import Finding, Level, Story
from walconsole.domain.standing.unreachable import is_down
from walconsole.domain.units import age_text, bytes_text, plural, whole_duration_text

Modes = Mapping[str, FailureMode]
"""By id."""


def stories(findings: Sequence[Finding], modes: Modes, assessment: Assessment) -> tuple[Story, ...]:
    """Every finding in exactly one story, the worst story first, then in the order of their roots.

    A finding whose cause is there too is told under it: under the surest one, where several are.
    """
    roots = [finding for finding in findings if not _causes(finding, findings, modes)]
    told: dict[int, list[Finding]] = {index: [] for index in range(len(roots))}
    for finding in findings:
        if finding in roots:
            continue
        owners = [
            index for index, root in enumerate(roots) if _leads_to(root.rule, finding.rule, findings, modes)
        ]
        if owners:
            told[
                max(owners, key=lambda index: (roots[index].certainty, roots[index].severity, -index))
            ].append(finding)
    made = [
        Story(
            root,
            _in_order(root, told[index], findings, modes),
            at_risk(_risks(modes, root, *told[index]), assessment),
        )
        for index, root in enumerate(roots)
    ]
    return tuple(sorted(made, key=lambda story: (-story.severity, _first_of_its_worst(story, findings))))


def _risks(modes: Modes, *findings: Finding) -> set[Risk]:
    return {risk for each in findings if (risk := modes[each.rule].risk) is not None}


def _first_of_its_worst(story: Story, findings: Sequence[Finding]) -> int:
    """Where the worst finding of a story stands among all: the rules' order is that of what matters first."""
    worst = [each for each in (story.root, *story.consequences) if each.severity == story.severity]
    return min(findings.index(each) for each in worst)


def _causes(finding: Finding, findings: Iterable[Finding], modes: Modes) -> bool:
    """Whether another finding explains this one."""
    return any(finding.rule in modes[other.rule].explains for other in findings if other.rule != finding.rule)


def _distance(cause: str, effect: str, present: frozenset[str], modes: Modes) -> int | None:
    """How many steps lead from one to the other through what is present, None where no way does."""
    reached, frontier, steps = {cause}, {cause}, 0
    while frontier:
        if effect in frontier:
            return steps
        frontier = {rule for each in frontier for rule in modes[each].explains if rule in present} - reached
        reached |= frontier
        steps += 1
    return None


def _leads_to(cause: str, effect: str, findings: Sequence[Finding], modes: Modes) -> bool:
    return _distance(cause, effect, frozenset(each.rule for each in findings), modes) is not None


def _in_order(
    root: Finding, told: Sequence[Finding], findings: Sequence[Finding], modes: Modes
) -> tuple[Finding, ...]:
    """Consequences as the story goes: what is nearer to the cause first."""
    present = frozenset(each.rule for each in findings)

    def place(finding: Finding) -> tuple[int, int]:
        return modes[finding.rule].late or 0, _distance(root.rule, finding.rule, present, modes) or 0

    return tuple(sorted(told, key=place))


# -- What is lost or in danger: the recovery point, the disk, the stretch that cannot be recovered.


_CALM = "the disk is not filling at the moment"


def at_risk(risks: Set[Risk], assessment: Assessment) -> tuple[str, ...]:
    """A line for each danger that these mean, the nearest first."""
    lines: list[str] = []
    if risks & {Risk.STOPPED, Risk.OFF, Risk.SLOW}:
        lines += _recovery_point(assessment, stopped=bool(risks & {Risk.STOPPED, Risk.OFF}))
    if risks & {Risk.DISK, Risk.SLOW} or (Risk.STOPPED in risks and Risk.OFF not in risks):
        lines += _disk(assessment)
    if Risk.REPLAY in risks:
        lines += _unrecoverable(assessment)
    if Risk.BASE in risks and _nothing_to_begin_from(assessment):
        lines.append("nothing can be restored: WAL replay needs a base backup to begin from")
    return tuple(lines)


def _nothing_to_begin_from(assessment: Assessment) -> bool:
    """Not where an older base backup is whole, nor where nobody can tell."""
    recovery = assessment.recovery
    critical = assessment.recovery_line.level is Level.CRITICAL
    return critical and recovery is not None and recovery.found.window is None


def is_calm(line: str) -> bool:
    """Whether a line tells of something that is not at risk."""
    return line.startswith(_CALM)


def _recovery_point(assessment: Assessment, *, stopped: bool) -> Iterator[str]:
    lost = assessment.exposure
    if lost is None:
        yield "lost with the disk now: everything: nothing is known to be in the archive"
        return
    span = "" if lost.seconds is None else f", {whole_duration_text(lost.seconds)} of writes"
    growing = _grows(assessment) if stopped else ""
    segments = plural(lost.segments, "segment")
    yield f"lost with the disk now: {bytes_text(lost.bytes)}{span} ({segments}){growing}"


def _grows(assessment: Assessment) -> str:
    """Whether it becomes more: not while nothing is written, nor where nobody sees it."""
    snapshot = assessment.snapshot
    if is_down(snapshot):
        return "; the server is down, and writes nothing more"
    if snapshot.archiver.problem is None:
        return ", and it grows"
    age = snapshot.archiver.age_s(assessment.now)
    return "" if age is None else f" as last seen {age_text(age)}"


def _disk(assessment: Assessment) -> Iterator[str]:
    outlook, disk = assessment.outlook, assessment.snapshot.wal_disk.value
    if disk is None:
        yield "time until the disk is full: not known, for pg_wal's file system cannot be read"
    elif outlook is not None and outlook.full_in_s is not None:
        yield (
            f"the disk is full in {outlook.full_in_text} at this rate "
            f"({bytes_text(disk.free_bytes)} free); then PostgreSQL stops"
        )
    else:
        yield f"{_CALM} ({bytes_text(disk.free_bytes)} free)"


def _unrecoverable(assessment: Assessment) -> Iterator[str]:
    snapshot, bucket = assessment.snapshot, assessment.snapshot.primary.value
    gone = open_ones(bucket.lost) if bucket is not None and bucket.complete else ()
    if gone:
        yield f"no recovery to any time within what is gone: {lost_text(gone)}"
    lost = settled(snapshot, bucket, assessment.now) if bucket is not None and bucket.complete else None
    if lost is None:
        return
    where = gap_text(lost.newest)
    restorable = assessment.recovery
    if restorable is not None and restorable.reads_both and restorable.found.windows:
        # What the other copy holds stops nothing.
        stops = [window.stop for window in restorable.found.windows if window.stop is not None]
        where = stops[-1].first if stops else ""
    if where:
        yield (
            f"recovery stops before {where}: from a base backup older than that, nothing later can be reached"
        )
    elif bucket is not None and (there := held_by_other(snapshot, bucket, assessment.now)):
        lie = "lies" if there == 1 else "lie"
        yield f"{plural(there, 'segment')} {lie} in the DR copy alone: a recovery past it needs both"
