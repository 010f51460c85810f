"""Timelines: what a `.history` file says, and which timeline a restore ends on.

Facts from PostgreSQL's access/transam/timeline.c: a history file has a line for each ancestor,
oldest first: its timeline, the LSN at which it was left, the reason; `#` begins a comment.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

_LINE = re.compile(r"\s*(?P<parent>[0-9]{1,10})\s+(?P<high>[0-9A-Fa-f]{1,8})/(?P<low>[0-9A-Fa-f]{1,8})(?!\S)")
_LINE_ENDS = re.compile(r"\r?\n")
_HIGHEST = 2**32 - 1
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Switch:
    """`parent` was left at `lsn`."""

    parent: int
    lsn: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TimelineHistory:
    """`timeline` and how it descends: a switch from each of its ancestors, oldest first."""

    timeline: int
    switches: tuple[Switch, ...]


def parse_history(timeline: int, text: str) -> TimelineHistory:
    """What `timeline`'s history file says.

    Refused is what PostgreSQL refuses (readTimeLineHistory), and a history without any ancestor,
    which nobody writes: ValueError with the number of the line and an excerpt of it.
    """
    switches: list[Switch] = []
    for number, line in enumerate(_LINE_ENDS.split(text), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            raise _refused(timeline, number, line, "is not a timeline and the LSN at which it was left")
        parent, lsn = int(match["parent"]), int(match["high"], 16) << 32 | int(match["low"], 16)
        if switches and parent <= switches[-1].parent:
            raise _refused(timeline, number, line, f"is not above timeline {switches[-1].parent} before it")
        if not 0 < parent < timeline:
            raise _refused(timeline, number, line, f"names no ancestor of timeline {timeline}")
        switches.append(Switch(parent, lsn, line[match.end() :].strip()))
    if not switches:
        raise ValueError(f"{timeline:08X}.history names no ancestor: it is empty, or has comments alone")
    return TimelineHistory(timeline, tuple(switches))


def _refused(timeline: int, number: int, line: str, why: str) -> ValueError:
    return ValueError(f"{timeline:08X}.history, line {number} {why}: {line[:_SHOWN]!r}")


def latest_timeline(start: int, known: Collection[int]) -> int:
    """Where recovery_target_timeline = 'latest' ends that begins on `start`.

    Like PostgreSQL's findNewestTimeLine: counts up and stops before the first timeline of which no
    .history exists; `known` are those of which one does. One beyond is never found.
    """
    newest = start
    while newest + 1 in known and newest < _HIGHEST:
        newest += 1
    return newest


def ancestry(timeline: int, histories: Mapping[int, TimelineHistory]) -> tuple[int, ...]:
    """The ancestors of `timeline`, oldest first, and itself; itself alone where its history is not there."""
    history = histories.get(timeline)
    parents = (switch.parent for switch in history.switches) if history is not None else ()
    return (*parents, timeline)
