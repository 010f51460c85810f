"""What a page's listing says of its segments: how many bytes they take, and when some were stored."""

from collections.abc import Sequence
from typing import NamedTuple

from walconsole.domain.archive.layouts import Place
from walconsole.domain.archive.listing import ObjectListing
from walconsole.domain.archive.page_reading import SegmentGroup

_FEW = 16
"""A listing looks through all of its page for the sizes of a part: those of few keys are read one by one."""


class Sample(NamedTuple):
    """When a segment was stored, seconds since the epoch."""

    place: Place
    timeline: int
    number: int
    stored_at: float


class PageMeasures(NamedTuple):
    """What the whole segments of each place take, and times of a few of them."""

    stored_bytes: dict[Place, int]
    samples: list[Sample]


def measured(groups: Sequence[SegmentGroup], listing: ObjectListing) -> PageMeasures:
    """The measures of a page's groups; raises what the listing does.

    Sampled are, of each place and timeline, the segments of its first key, of its last, and the highest
    of all: it comes last, where it is listed twice as its last key says.
    """
    stored_bytes: dict[Place, int] = {}
    for place, start, stop in _stretches(groups):
        stored_bytes[place] = stored_bytes.get(place, 0) + _stored_bytes(listing, start, stop)
    samples = [
        Sample(first.place, first.timeline, number, listing.modified_at(at))
        for first, last, highest in _ends(groups)
        for at, number in _sampled(first, last, highest).items()
    ]
    return PageMeasures(stored_bytes, samples)


def _stored_bytes(listing: ObjectListing, start: int, stop: int) -> int:
    if stop - start <= _FEW:
        return sum(listing[at].size for at in range(start, stop))
    return listing.stored_bytes(start, stop)


def _sampled(first: SegmentGroup, last: SegmentGroup, highest: SegmentGroup) -> dict[int, int]:
    """Numbers by position in the page."""
    sampled = {first.start: first.firsts[0], last.stop - 1: last.lasts[-1]}
    if highest is not last:
        sampled.pop(highest.stop - 1, None)
        sampled[highest.stop - 1] = highest.lasts[-1]
    return sampled


def _stretches(groups: Sequence[SegmentGroup]) -> list[tuple[Place, int, int]]:
    """Where segments of one place lie side by side: the fewer they are, the sooner they are measured."""
    stretches: list[tuple[Place, int, int]] = []
    for group in groups:
        if stretches and stretches[-1][0] == group.place and stretches[-1][2] == group.start:
            stretches[-1] = (group.place, stretches[-1][1], group.stop)
        else:
            stretches.append((group.place, group.start, group.stop))
    return stretches


def _ends(groups: Sequence[SegmentGroup]) -> list[tuple[SegmentGroup, SegmentGroup, SegmentGroup]]:
    """Of each place and timeline the first group, the last, and the one with the highest segment."""
    ends: dict[tuple[Place, int], tuple[SegmentGroup, SegmentGroup, SegmentGroup]] = {}
    for group in groups:
        first, _, highest = ends.get((group.place, group.timeline), (group, group, group))
        if group.lasts[-1] >= highest.lasts[-1]:
            highest = group
        ends[group.place, group.timeline] = first, group, highest
    return list(ends.values())
