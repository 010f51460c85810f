"""A gap: segments that are missing between two that are there."""

from dataclasses import dataclass

from walconsole.domain.archive.accepted import AcceptedGap


@dataclass(frozen=True, slots=True)
class Gap:
    """First and last missing name, and how many.

    `at_switch`: it lies where a timeline was left or begun. `until_at` is when the first segment
    after it was stored (seconds since the epoch, None: not known): the gap is at least that old.
    `accepted` is set where an operator knows that it is lost.
    """

    timeline: int
    first: str
    last: str
    segments: int
    at_switch: bool = False
    until_at: float | None = None
    accepted: AcceptedGap | None = None
