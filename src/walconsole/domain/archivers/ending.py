"""Archive commands that end well whatever became of the segment: PostgreSQL lets go of it all the same.

PostgreSQL takes 0 for "stored" (its documentation of archive_command). A command hides a failure where,
of all ways in which some of its stores failed and were not made good, every one ends with 0.
"""

from dataclasses import replace
from functools import cache

from walconsole.domain.archivers.look import Look, Seen
from walconsole.domain.archivers.outcomes import Run
from walconsole.domain.archivers.shell_tree import NotUnderstoodError
from walconsole.domain.archivers.target import Ending, Hiding
from walconsole.domain.archivers.ways import WELL, Asked, GaveUpError, State, Store


@cache
def by_its_words(command: str) -> Ending:
    """How an archive command ends by its words alone: what its scripts do is not looked at.

    Of a restore command, too: what brings the segment is what stores it.
    """
    return ending_of(command, Look(Seen()))


def hides_failure(command: str) -> str:
    """What of it says yes whatever happened before, as it stands there; empty where nothing is seen to.

    By its words. It may hold secrets, as the command may.
    """
    hiding = by_its_words(command).hiding
    return hiding.what if hiding is not None else ""


def ending_of(command: str, look: Look) -> Ending:
    """The same with the scripts that were read of it. Where too much is open nothing is said."""
    try:
        first = Run(look)
        first.text(command, "", State())
        second = Run(look, frozenset(first.seen))
        ends = second.text(command, "", State())
    except (GaveUpError, NotUnderstoodError, RecursionError):
        return Ending()
    hiding = _named(_of_ends(ends, second), command, look)
    skipping = _skipping(ends) if second.stores and not second.is_open else None
    return Ending(hiding, not second.stores and not second.is_open, skipping)


def _skipping(ends: list[State]) -> Hiding | None:
    """The question by whose answer it ends with 0 and came to no store: every store asks it the other way."""
    stored = [end.asked for end in ends if end.stored]
    for end in ends:
        if not stored or end.status != WELL or end.stored or end.failed or end.chosen:
            continue
        for one in sorted(end.asked, key=lambda each: each.line):
            if not any(one in asked for asked in stored):
                return Hiding(_worded(one), one.source, one.line)
    return None


def _worded(asked: Asked) -> str:
    if asked.what.startswith("flock"):
        return f"somebody else holds the lock ({asked.what})"
    return f"`{asked.what}` {'holds' if asked.holds else 'does not hold'}"


def _named(hiding: Hiding | None, command: str, look: Look) -> Hiding | None:
    """By what somebody wrote, where that is bash's `&>`: a `&`, and a redirection that does nothing else."""
    if hiding is None or hiding.what not in ("&", ""):
        return hiding
    script = next((each.script for each in look.seen.programs.values() if each.path == hiding.script), None)
    lines = (script.text if script is not None else command).split("\n")
    at = next((number for number, line in enumerate(lines, start=1) if "&>" in line), 0)
    if not at:
        return hiding
    return replace(hiding, what="&>, which dash takes for & and >", line=at if script is not None else 0)


def _of_ends(ends: list[State], run: Run) -> Hiding | None:
    """By what failed together: in all ways in which just that failed, it ends with 0."""
    sure = any(store.sure for store in run.stores)
    groups: dict[frozenset[Store], list[State]] = {}
    for end in ends:
        lost = frozenset(store for store in end.failed if store.sure or not sure)
        if lost:
            groups.setdefault(lost, []).append(end)
    told = {
        store
        for lost, group in groups.items()
        for store in lost
        if len(lost) == 1 and any(end.status != WELL for end in group)
    }
    for lost in sorted(groups, key=len):
        group = groups[lost]
        if all(end.status == WELL for end in group) and not _is_beside(lost, group, told, run):
            return Hiding(group[0].by, group[0].source, group[0].line if group[0].source else 0)
    return None


def _is_beside(lost: frozenset[Store], group: list[State], told: set[Store], run: Run) -> bool:
    """Whether it is a further copy, whose failure is let pass on purpose, of what is stored by what tells."""
    kept = told.intersection(*(end.stored for end in group))
    meant = all(end.by.startswith(("||", "&", "if", "!")) for end in group)
    return any(meant or all((store, each) in run.seen for each in lost) for store in kept)
