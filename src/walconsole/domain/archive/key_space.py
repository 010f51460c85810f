"""Positions in an archive's key space, so that a listing can be split into ranges.

WAL names are ordered hex and dates are ordered digits: between two keys of one archive there is a
place to begin another listing, without anything having to exist there.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Protocol

from walconsole.domain.archive.dated import DatedForm, Unit, dated_folder
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.layouts import (
    GROUPED_LAYOUTS,
    LOG_BYTES,
    Layout,
    archived_name,
    log_folder,
    place_of,
    split_key,
)
from walconsole.domain.records import record
from walconsole.domain.wal import Segment, WalNameKind

SEGMENT_NAME = re.compile(r"[0-9A-F]{24}")
_GROUP = re.compile(r"[0-9A-F]{16}/")
_GROUP_LENGTH = 17
DAYS = DatedForm((("Y", ""), ("", "/"), ("m", ""), ("", "/"), ("d", ""), ("", "/")), Unit.DAY, ordered=True)


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


@record
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


@record
class DaySpace:
    """The folders of the dated layout, in one form: a folder is the finest place to begin at."""

    root: str
    form: DatedForm = DAYS
    page: int = 1

    @property
    def limit(self) -> int:
        """Beyond the last hour, day, month or year that there is."""
        return _PER_DAY[self.form.unit](datetime.max.replace(tzinfo=UTC)) + 1

    def position(self, key: str) -> int | None:
        """The number of the hour, day, month or year."""
        if not key.startswith(self.root):
            return None
        folder = dated_folder(split_key(key[len(self.root) :])[0])
        if folder is None or folder.root or folder.at is None or folder.form != self.form:
            return None
        return _PER_DAY[self.form.unit](folder.at)

    def key(self, position: int) -> str:
        """The folder: it sorts before all that is in it."""
        return self.root + self.form.folder(_BEGINNINGS[self.form.unit](position))


_PER_DAY: Mapping[Unit, Callable[[datetime], int]] = {
    Unit.HOUR: lambda at: at.toordinal() * 24 + at.hour,
    Unit.DAY: lambda at: at.toordinal(),
    Unit.MONTH: lambda at: at.year * 12 + at.month - 1,
    Unit.YEAR: lambda at: at.year,
}
_BEGINNINGS: Mapping[Unit, Callable[[int], datetime]] = {
    Unit.HOUR: lambda hour: datetime.fromordinal(hour // 24).replace(hour=hour % 24, tzinfo=UTC),
    Unit.DAY: lambda day: datetime.fromordinal(day).replace(tzinfo=UTC),
    Unit.MONTH: lambda month: datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC),
    Unit.YEAR: lambda year: datetime(year, 1, 1, tzinfo=UTC),
}


def key_space(key: str, prefix: str, segment_bytes: int) -> KeySpace | None:
    """The part of the key space that `key` lies in, None when its keys have no order to split by."""
    directory, basename = split_key(key[len(prefix) :])
    place = place_of(directory)
    if place is None:
        return None
    dated = dated_folder(directory) if place.layout is Layout.DATED else None
    if dated is not None:
        return DaySpace(prefix + place.root, dated.form) if dated.form.ordered else None
    match = SEGMENT_NAME.match(basename)
    if match is None:
        return None
    grouped = place.layout in GROUPED_LAYOUTS and _GROUP.fullmatch(directory[len(place.root) :]) is not None
    root = prefix + (place.root if grouped else directory)
    space = SegmentSpace(root, int(match[0][:8], 16), segment_bytes, grouped)
    return space if space.position(key) is not None else None


# -- Where to look for a segment: the keys to list after, in any layout, without knowing the suffix.

_LAST = "~"
"""Sorts after every sign that a name's suffix begins with."""


def search_keys(holding: Holding, segment: Segment, now: float) -> tuple[str, ...]:
    """Keys after which a listing begins with `segment`, if it is there: one, or several in the dated layout.

    There a segment lies in the folder of the day on which it was stored first: about that of its
    neighbours, or (pushed late) of today or yesterday by `now`, seconds since the epoch. Where the newest's
    folder may mean several days, it is in that folder, or in one of the day on which the store had it.
    """
    name = segment.name(holding.segment_bytes)
    before = Segment(segment.timeline, max(0, segment.number - 1)).name(holding.segment_bytes) + _LAST
    newest_folder, newest_name = split_key(holding.newest_key)
    folder = newest_folder[len(holding.root) :]
    if holding.place.layout is Layout.DATED and (dated := dated_folder(folder)) is not None:
        log = log_folder(dated.log, newest_name, name)
        several = dated.at is None and bool(dated.alike)
        stored = holding.times if several else holding.days
        own = (folder.removesuffix(dated.log),) if several else ()
        about = stored.about(segment.timeline, segment.number)
        folders = dict.fromkeys((*own, *_folders(dated.forms, about, now)))
        return tuple(f"{holding.root}{each}{log}{before}" for each in folders)
    if holding.place.layout in GROUPED_LAYOUTS and folder:  # barman-cloud's folders are sometimes left out
        folder = log_folder(folder, newest_name, name)
    return (f"{holding.root}{folder}{before}",)


def _folders(forms: Iterable[DatedForm], about: float | None, now: float) -> Iterator[str]:
    """The folders around both, each once."""
    moments = [datetime.fromtimestamp(at, UTC) for at in (about, now) if at is not None]
    yield from dict.fromkeys(
        form.folder(near) for moment in moments for form in forms for near in form.neighbours(moment)
    )


def segment_of(key: str, prefix: str, segment_bytes: int) -> Segment | None:
    """The whole segment that `key` (under `prefix`) is named for, None for any other key."""
    directory, basename = split_key(key[len(prefix) :])
    if place_of(directory) is None:
        return None
    try:
        name = archived_name(basename, segment_bytes)
    except ValueError:
        return None
    return name.segment if name is not None and name.kind is WalNameKind.SEGMENT else None


def keys_of(keys: Iterable[str], holding: Holding, segment: Segment) -> Iterator[int]:
    """Positions of those of `keys` that hold `segment` in the same place as `holding`."""
    for position, key in enumerate(keys):
        if segment_of(key, holding.prefix, holding.segment_bytes) != segment:
            continue
        if place_of(split_key(key[len(holding.prefix) :])[0]) == holding.place:
            yield position
