"""When a verdict is told to who does not look: a state machine. Looks go in, notices come out.

It counts spans, not times: the wall clock may jump, and then neither holds nor reminders go wrong. What
nobody saw counts for no hold.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum

from walconsole.domain.records import record
from walconsole.domain.redaction import safe
from walconsole.domain.standing.model import Diagnosis, Fix, Level, Severity, Story
from walconsole.domain.standing.worsening import RANK

LONGEST_STEP_S = 60.0
"""Two looks that are further apart prove no more than this about what was between them."""
DRAIN = 4.0
"""What was wrong is forgotten this many times as slowly as it was gathered: a verdict that comes and goes is
told all the same, where it is wrong for more than a fifth of the time."""
_LONGEST_LINE, _MOST_LINES, _MOST_COMMANDS = 400, 4, 4


class NoticeKind(StrEnum):
    """Why it is told."""

    WORSE = "worse"
    STILL = "still"
    WELL = "well"
    TEST = "test"


@record
class Rules:
    """How long the verdict must have been wrong, unknown or well again before that is told, and after which
    time it is told again while it is bad, in seconds.
    """

    worse_after_s: float = 120.0
    blind_after_s: float = 600.0
    well_after_s: float = 600.0
    again_s: float = 86_400.0


@record
class Seen:
    """One look, as far as it is told. `at` is seconds since the epoch, `elapsed_s` since the look before.
    `set_s` is by how much the wall clock was set forward meanwhile, back where it is less than 0.

    `lost` is what would be lost or is in danger, `cause` the worst story's root with its `rule`, `commands`
    the fix's.
    """

    at: float
    elapsed_s: float
    level: Level
    verdict: str
    lost: tuple[str, ...] = ()
    cause: str = ""
    rule: str = ""
    remedy: str = ""
    commands: tuple[str, ...] = ()
    set_s: float = 0.0


@record
class Notice:
    """What is told once. `id` is its own for ever; `incident` that of all notices of one trouble.

    `level` is what is told, `before` what was told last. `since` is when the trouble was first seen.
    """

    id: str
    incident: str
    kind: NoticeKind
    cluster: str
    at: float
    since: float
    level: Level
    before: Level
    verdict: str
    lost: tuple[str, ...] = ()
    cause: str = ""
    rule: str = ""
    remedy: str = ""
    commands: tuple[str, ...] = ()


@record
class Standing:
    """What is known between two looks; it outlives the watcher.

    `told` is the level that was told last, `level` the one that was seen last. `wrong_s` and `blind_s` are
    how long it was seen to be worse than `told`, `better_s` how long it is better without a break, `quiet_s`
    the time since the last notice. `said` counts the notices of the incident, `incidents` those of all time.
    """

    told: Level = Level.OK
    level: Level = Level.OK
    wrong_s: float = 0.0
    blind_s: float = 0.0
    better_s: float = 0.0
    quiet_s: float = 0.0
    since: float | None = None
    incident: str = ""
    said: int = 0
    incidents: int = 0


def decide(before: Standing, seen: Seen, rules: Rules, cluster: str) -> tuple[Standing, Notice | None]:
    """What is known after this look, and what is to be told now: one thing at most."""
    step = min(max(0.0, seen.elapsed_s), LONGEST_STEP_S)
    since = None if before.since is None else before.since + seen.set_s  # by the clock as it is now
    quiet_s = before.quiet_s + max(0.0, seen.elapsed_s)
    after = replace(before, level=seen.level, since=since, quiet_s=quiet_s)
    if RANK[seen.level] > RANK[before.told]:
        return _worse(after, seen, rules, cluster, step)
    after = _drained(after, step)
    if RANK[seen.level] < RANK[before.told] and seen.level is not Level.UNKNOWN:
        return _better(after, seen, rules, cluster, step)
    after = replace(after, better_s=0.0)
    return _still(after, seen, rules, cluster)


def _worse(
    after: Standing, seen: Seen, rules: Rules, cluster: str, step: float
) -> tuple[Standing, Notice | None]:
    known = seen.level is not Level.UNKNOWN
    after = replace(
        after,
        wrong_s=after.wrong_s + (step if known else 0.0),
        blind_s=after.blind_s + step,
        better_s=0.0,
        since=seen.at if after.since is None else min(after.since, seen.at),
    )
    due = (known and after.wrong_s >= rules.worse_after_s) or after.blind_s >= rules.blind_after_s
    if not due:
        return _still(after, seen, rules, cluster)
    if after.told is Level.OK:
        number = after.incidents + 1
        after = replace(after, incident=f"{cluster}-{number}-{_stamp(seen.at)}", incidents=number, said=0)
    told = replace(after, wrong_s=0.0, blind_s=0.0)
    return _tell(told, NoticeKind.WORSE, seen.level, seen, cluster)


def _drained(after: Standing, step: float) -> Standing:
    wrong_s = max(0.0, after.wrong_s - step / DRAIN)
    blind_s = max(0.0, after.blind_s - step / DRAIN)
    forgotten = after.told is Level.OK and blind_s == 0.0
    return replace(after, wrong_s=wrong_s, blind_s=blind_s, since=None if forgotten else after.since)


def _better(
    after: Standing, seen: Seen, rules: Rules, cluster: str, step: float
) -> tuple[Standing, Notice | None]:
    """Well again is told, and better is not: but what is worse than that is news again."""
    after = replace(after, better_s=after.better_s + step)
    if after.better_s < rules.well_after_s:
        return _still(after, seen, rules, cluster) if seen.level is not Level.OK else (after, None)
    after = replace(after, better_s=0.0)
    if seen.level is not Level.OK:
        return _still(replace(after, told=seen.level), seen, rules, cluster)
    after, notice = _tell(after, NoticeKind.WELL, Level.OK, seen, cluster)
    return replace(after, since=None, incident="", said=0, wrong_s=0.0, blind_s=0.0), notice


def _still(after: Standing, seen: Seen, rules: Rules, cluster: str) -> tuple[Standing, Notice | None]:
    """Once a day, while what was told holds."""
    if after.told is Level.OK or seen.level is Level.OK or after.quiet_s < rules.again_s:
        return after, None
    return _tell(after, NoticeKind.STILL, after.told, seen, cluster)


def _tell(
    after: Standing, kind: NoticeKind, level: Level, seen: Seen, cluster: str
) -> tuple[Standing, Notice]:
    said = after.said + 1
    notice = Notice(
        id=f"{after.incident}-{said}",
        incident=after.incident,
        kind=kind,
        cluster=cluster,
        at=seen.at,
        since=seen.at if after.since is None else min(after.since, seen.at),
        level=level,
        before=after.told,
        verdict=seen.verdict,
        lost=seen.lost,
        cause=seen.cause,
        rule=seen.rule,
        remedy=seen.remedy,
        commands=seen.commands,
    )
    return replace(after, told=level, said=said, quiet_s=0.0), notice


def _stamp(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}"


# -- From what is said of a snapshot to what is told of it.


def seen_of(diagnosis: Diagnosis, target: str, at: float, elapsed_s: float, set_s: float = 0.0) -> Seen:
    """What a notice may say of it: redacted, and a few lines of each. `target` names it to commands."""
    said = diagnosis.verdict
    told = [story for story in diagnosis.stories if story.severity > Severity.NOTE]
    story = told[0] if told and said.level is not Level.OK else None
    if story is None:
        return Seen(at, elapsed_s, said.level, _line(said.text), set_s=set_s)
    root = story.root
    return Seen(
        at,
        elapsed_s,
        said.level,
        _line(said.text),
        lost=tuple(_line(text) for text in story.at_risk[:_MOST_LINES]),
        cause=_line(root.title),
        rule=root.rule,
        remedy=_line(root.remedy),
        commands=tuple(_line(text) for text in _commands(story, target)[:_MOST_COMMANDS]),
        set_s=set_s,
    )


def _commands(story: Story, target: str) -> Sequence[str]:
    """Those of the first fix that has any; and the console's own, which shows them before it runs them."""
    fixes = (story.root, *story.consequences)
    every = [fix for finding in fixes for fix in finding.fixes]
    first = next((fix for fix in every if fix.commands or fix.step), None)
    if first is None:
        return ()
    return (*([_own(first, target)] if first.step else []), *first.commands)


def _own(fix: Fix, target: str) -> str:
    quoted = "'" + fix.subject.replace("'", "'\\''") + "'"
    subject = f" --subject {quoted}" if fix.subject else ""
    return f"walconsole fix {target} --step {fix.step}{subject} --plan"


def _line(text: str) -> str:
    return safe(text)[:_LONGEST_LINE]
