"""Where to look for a segment: the keys to list after, in any layout, without knowing the suffix."""

from collections.abc import Iterable, Iterator
from datetime import date

from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.layouts import (
    GROUPED_LAYOUTS,
    Layout,
    archived_name,
    place_of,
    split_key,
)
from walconsole.domain.wal import Segment, WalNameKind

_LAST = "~"
"""Sorts after every sign that a name's suffix begins with."""
_DAYS_AROUND = (0, 1, -1)
_EPOCH = date(1970, 1, 1)
_DAY_S = 86400.0


def search_keys(holding: Holding, segment: Segment, now: float) -> tuple[str, ...]:
    """Keys after which a listing begins with `segment`, if it is there: one, or several in the dated layout.

    There a segment lies in the folder of the day on which it was stored first: about that of its
    neighbours, or (pushed late) of today or yesterday by `now`, seconds since the epoch.
    """
    name = segment.name(holding.segment_bytes)
    before = Segment(segment.timeline, max(0, segment.number - 1)).name(holding.segment_bytes) + _LAST
    if holding.place.layout is Layout.DATED:
        about = holding.days.about(segment.timeline, segment.number)
        return tuple(f"{holding.root}{day}/{before}" for day in _days(about, now))
    folder = split_key(holding.newest_key)[0][len(holding.root) :]
    if holding.place.layout in GROUPED_LAYOUTS and folder:  # barman-cloud's folders are sometimes left out
        folder = f"{name[:16]}/"
    return (f"{holding.root}{folder}{before}",)


def _days(about: float | None, now: float) -> Iterator[str]:
    """The days around both, as folders, each once."""
    moments = [round(at // _DAY_S) for at in (about, now) if at is not None]
    ordinals = (_EPOCH.toordinal() + moment + offset for moment in moments for offset in _DAYS_AROUND)
    for ordinal in dict.fromkeys(ordinals):
        if 0 < ordinal <= date.max.toordinal():
            day = date.fromordinal(ordinal)
            yield f"{day.year:04d}/{day:%m/%d}"


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
