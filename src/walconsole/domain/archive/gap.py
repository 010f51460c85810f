"""A gap: segments that are missing between two that are there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from walconsole.domain.archive.accepted import AcceptedGap, AcceptedRanges


@dataclass(frozen=True, slots=True)
class Gap:
    """First and last missing name, and how many.

    `at_switch`: it lies where a timeline was left or begun. `until_at` is when the first segment
    after it was stored (seconds since the epoch, None: not known): the gap is at least that old.
    `accepted` is set where an operator knows that it is lost.

    `lost_from` is set for what was there once and is gone at the archive's ends, or with all of it: the root
    of the place that held it. `with_backups`: base backups began in it, and none is left.
    """

    timeline: int
    first: str
    last: str
    segments: int
    at_switch: bool = False
    until_at: float | None = None
    accepted: AcceptedGap | None = None
    lost_from: str | None = None
    with_backups: bool = False


def split_accepted(
    gaps: Iterable[Gap], accepted: Sequence[AcceptedGap], endpoint: str, bucket: str, root: str
) -> tuple[tuple[Gap, ...], tuple[Gap, ...]]:
    """The gaps of that archive that are open, and those that are accepted, with `accepted` set.

    A gap is accepted when one accepted range covers all of it: one that has grown is open again in full.
    """
    ranges = AcceptedRanges(each for each in accepted if each.is_of(endpoint, bucket, root))
    still_open: list[Gap] = []
    known: list[Gap] = []
    for gap in gaps:
        by = ranges.covering(int(gap.first, 16), int(gap.last, 16))
        (known if by else still_open).append(replace(gap, accepted=by))
    return tuple(still_open), tuple(known)
