"""Cause before consequence: which finding explains which, and what is at risk."""

from collections.abc import Iterable, Sequence

from walconsole.domain.snapshot import Snapshot
from walconsole.domain.standing.model import Finding, Story
from walconsole.domain.standing.risk import at_risk

_REFUSED = ("failing", "stalled", "never-archived", "silent-loss", "dr-behind")
"""What follows where no WAL gets through."""
_PILING = ("too-slow", "disk-filling")
"""What follows where WAL waits."""

EXPLAINS: dict[str, tuple[str, ...]] = {
    "ssh-lost": ("host-unreadable", "postgres-unreachable"),
    "dead-config": ("archive-off", "command-empty", "no-archive-timeout"),
    "auto-conf-override": (
        "archive-off",
        "command-empty",
        "command-not-found",
        "library-and-command",
        "no-archive-timeout",
        "silent-loss",
        "archive-frozen",
        *_REFUSED,
    ),
    "pending-restart": ("archive-off",),
    "archive-off": ("never-archived", "dr-behind"),
    "command-empty": (*_REFUSED, *_PILING),
    "library-and-command": (*_REFUSED, *_PILING, "archiver-crash-loop"),
    "command-not-found": ("archiver-crash-loop", *_REFUSED),
    "command-not-executable": ("archiver-crash-loop", *_REFUSED),
    "archiver-crash-loop": (*_REFUSED,),
    "permission": (*_REFUSED, "archiver-crash-loop"),
    "rclone-config-unreadable": (*_REFUSED, "archiver-crash-loop", "no-key"),
    "no-key": (),
    "key-403": ("preflight-403", "archiver-crash-loop", *_REFUSED),
    "bucket-404": (*_REFUSED, "archiver-crash-loop", "archive-frozen"),
    "preflight-403": (*_REFUSED,),
    "clock-skew": ("key-403", *_REFUSED),
    "endpoint-wrong": ("archiver-crash-loop", *_REFUSED, "command-hangs"),
    "throttled": ("failing", "stalled", *_PILING, "dr-behind"),
    "checksum-embedded": ("stuck-on-existing", "same-name-different-content", *_REFUSED),
    "foreign-writer": ("same-name-different-content", "stuck-on-existing", "gap", "failing", "stalled"),
    "same-name-different-content": ("stuck-on-existing", "failing", "stalled"),
    "stuck-on-existing": ("failing", "stalled"),
    "orphan-ready": ("failing", "stalled", "archiver-crash-loop"),
    "command-hangs": ("stalled", "failing", "never-archived"),
    "archive-always": ("stuck-on-existing", "same-name-different-content", "failing", "stalled"),
    "silent-loss": ("gap", "dr-behind", "history-missing"),
    "archive-frozen": ("silent-loss", "gap", "dr-behind"),
    "lifecycle-eats-wal": ("gap", "history-missing", "no-base-backup"),
    "failover-hole": ("gap",),
    "history-missing": (),
    "disk-full": ("failing", "stalled", "permission", "archiver-crash-loop"),
    "failing": ("stalled", "too-slow", "disk-filling", "dr-behind"),
    "stalled": ("too-slow", "disk-filling", "dr-behind"),
    "too-slow": ("disk-filling", "dr-behind"),
    "slot-retention": ("disk-filling",),
}
"""By a cause's id, what it leads to; what that leads to follows by itself.

A disk that fills is behind a failing command (it holds its temporary file) as well as before it: the
first is `disk-full`, which the log names, the second `disk-filling`.
"""


def stories(findings: Sequence[Finding], snapshot: Snapshot, now: float) -> tuple[Story, ...]:
    """Every finding in exactly one story, the worst story first, then in the order of their roots.

    A finding whose cause is there too is told under it: under the surest one, where several are.
    """
    roots = [finding for finding in findings if not _causes(finding, findings)]
    told: dict[int, list[Finding]] = {index: [] for index in range(len(roots))}
    for finding in findings:
        if finding in roots:
            continue
        owners = [index for index, root in enumerate(roots) if _leads_to(root.rule, finding.rule, findings)]
        if owners:
            told[
                max(owners, key=lambda index: (roots[index].certainty, roots[index].severity, -index))
            ].append(finding)
    made = [
        Story(root, _in_order(root, told[index], findings), at_risk((root, *told[index]), snapshot, now))
        for index, root in enumerate(roots)
    ]
    return tuple(sorted(made, key=lambda story: (-story.severity, _first_of_its_worst(story, findings))))


def _first_of_its_worst(story: Story, findings: Sequence[Finding]) -> int:
    """Where the worst finding of a story stands among all: the rules' order is that of what matters first."""
    worst = [each for each in (story.root, *story.consequences) if each.severity == story.severity]
    return min(findings.index(each) for each in worst)


def _causes(finding: Finding, findings: Iterable[Finding]) -> bool:
    """Whether another finding explains this one."""
    return any(
        finding.rule in EXPLAINS.get(other.rule, ()) for other in findings if other.rule != finding.rule
    )


def _distance(cause: str, effect: str, present: frozenset[str]) -> int | None:
    """How many steps lead from one to the other through what is present, None where no way does."""
    reached, frontier, steps = {cause}, {cause}, 0
    while frontier:
        if effect in frontier:
            return steps
        frontier = {rule for each in frontier for rule in EXPLAINS.get(each, ()) if rule in present} - reached
        reached |= frontier
        steps += 1
    return None


def _leads_to(cause: str, effect: str, findings: Sequence[Finding]) -> bool:
    return _distance(cause, effect, frozenset(each.rule for each in findings)) is not None


_LATER = ("failing", "stalled", "never-archived", "too-slow", "dr-behind", "disk-filling")
"""What tells itself in this order, whatever else is there."""


def _in_order(root: Finding, told: Sequence[Finding], findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Consequences as the story goes: what is nearer to the cause first."""
    present = frozenset(each.rule for each in findings)

    def place(finding: Finding) -> tuple[int, int]:
        late = _LATER.index(finding.rule) + 1 if finding.rule in _LATER else 0
        return late, _distance(root.rule, finding.rule, present) or 0

    return tuple(sorted(told, key=place))
