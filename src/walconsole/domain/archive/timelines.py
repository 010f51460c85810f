"""Timelines: what a `.history` file says, and which timeline a restore ends on.

Facts from PostgreSQL's access/transam/timeline.c: a history file has a line for each ancestor,
oldest first: its timeline, the LSN at which it was left, the reason; `#` begins a comment.
"""

from dataclasses import dataclass


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
