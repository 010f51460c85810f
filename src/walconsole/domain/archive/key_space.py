"""Positions in an archive's key space, so that a listing can be split into ranges.

WAL names are ordered hex and dates are ordered digits: between two keys of one archive there is a
place to begin another listing, without anything having to exist there.
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from walconsole.domain.archive.layouts import GROUPED_LAYOUTS, LOG_BYTES, Layout, place_of, split_key
from walconsole.domain.wal import Segment

SEGMENT_NAME = re.compile(r"[0-9A-F]{24}")
_GROUP = re.compile(r"[0-9A-F]{16}/")
_GROUP_LENGTH = 17
_DATE = re.compile(r"(\d{4})/(\d{2})/(\d{2})/", re.ASCII)
_LAST_DAY = date(9999, 12, 31).toordinal()


class KeySpace(Protocol):
    """An order-preserving numbering of a part of the keys.

    `page` is about how many positions a page of a thousand keys covers at least; `limit` is beyond
    the last position.
    """

    @property
    def page(self) -> int: ...

    @property
    def limit(self) -> int: ...

    def position(self, key: str) -> int | None:
        """The position of `key`, None when it is not of this part."""
        ...

    def key(self, position: int) -> str:
        """A key to begin after: everything at a lower position sorts before it or is it."""
        ...


@dataclass(frozen=True, slots=True)
class SegmentSpace:
    """One timeline's names directly under `root`, or in folders of sixteen digits below it."""

    root: str
    timeline: int
    segment_bytes: int
    grouped: bool
    page: int = 1000

    @property
    def limit(self) -> int:
        """The number of segments that a timeline can have."""
        return LOG_BYTES * (LOG_BYTES // self.segment_bytes)

    def position(self, key: str) -> int | None:
        """The segment's number; a backup label or a partial segment stands where its segment does."""
        if not key.startswith(self.root):
            return None
        rest = key[len(self.root) :]
        name = rest[_GROUP_LENGTH:] if self.grouped else rest
        match = SEGMENT_NAME.match(name)
        if match is None or "/" in name or (self.grouped and rest[:_GROUP_LENGTH] != f"{name[:16]}/"):
            return None  # in a folder that is not its own it would be out of order
        try:
            segment = Segment.parse(match[0], self.segment_bytes)
        except ValueError:
            return None
        return segment.number if segment.timeline == self.timeline else None

    def key(self, position: int) -> str:
        """The bare name at `position`: it sorts before the same name with a suffix."""
        name = Segment(self.timeline, position).name(self.segment_bytes)
        return f"{self.root}{name[:16]}/{name}" if self.grouped else f"{self.root}{name}"


@dataclass(frozen=True, slots=True)
class DaySpace:
    """The days of the dated layout; a day is the finest place to begin at."""

    root: str
    page: int = 1
    limit: int = _LAST_DAY + 1

    def position(self, key: str) -> int | None:
        """The day's ordinal."""
        match = _DATE.match(key, len(self.root)) if key.startswith(self.root) else None
        if match is None:
            return None
        try:
            return date(int(match[1]), int(match[2]), int(match[3])).toordinal()
        except ValueError:
            return None

    def key(self, position: int) -> str:
        """The day's folder: it sorts before all that is in it."""
        day = date.fromordinal(position)
        return f"{self.root}{day.year:04}/{day.month:02}/{day.day:02}/"


def key_space(key: str, prefix: str, segment_bytes: int) -> KeySpace | None:
    """The part of the key space that `key` lies in, None when its keys have no order to split by."""
    directory, basename = split_key(key[len(prefix) :])
    place = place_of(directory)
    if place is None:
        return None
    if place.layout is Layout.DATED:
        return DaySpace(prefix + place.root)
    match = SEGMENT_NAME.match(basename)
    if match is None:
        return None
    grouped = place.layout in GROUPED_LAYOUTS and _GROUP.fullmatch(directory[len(place.root) :]) is not None
    root = prefix + (place.root if grouped else directory)
    space = SegmentSpace(root, int(match[0][:8], 16), segment_bytes, grouped)
    return space if space.position(key) is not None else None
