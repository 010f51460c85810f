"""Accepted gaps: what an operator knows to be lost, and why. It stays visible and does not alarm."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AcceptedGap:
    """Segments `first` to `last` (names, one timeline) of one archive are known to be lost.

    The archive is `endpoint`, `bucket` and `root` (the profile's prefix and the place's root).
    `accepted_at` is seconds since the epoch, `by` the local login.
    """

    endpoint: str
    bucket: str
    root: str
    first: str
    last: str
    reason: str
    accepted_at: float
    by: str = ""
