"""What a page's keys say, before anything is made of it: groups of segments, and single other names.

A page is compared as text with the run that begins with its first name: where it is that, no other
name in it is parsed, and a gap costs a binary search. A page with many gaps is read as one long
hexadecimal text. Where other keys lie between, a page is halved until its parts are uniform, or are
a few keys that are read one by one.
"""

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from walconsole.domain.archive.layouts import (
    LOG_BYTES,
    ArchivedName,
    Place,
    archived_name,
    holds_base_backup,
    names_pattern,
    place_of,
    segment_named,
    segment_suffix,
    split_key,
    without_checksum,
)
from walconsole.domain.wal import WalNameKind

# -- Many segments' names at once: a million of them are compared and read as text, not one by one.

_FEW = 8
_WORTHWHILE = 20
"""Keys in a run, on average, above which searching its end is faster than reading all of them."""
_FIELDS = 3
"""Timeline, log and segment: a name is three numbers of eight hexadecimal digits."""


def long_runs(
    keys: Sequence[str], head: str, suffix: str, per_log: int
) -> tuple[list[int], list[int]] | None:
    """First and last of the runs that `keys` are, None when they are not, or the runs are short.

    What the first and the last name of each run say is believed only when all keys together are,
    as text, what these runs would be: it holds for keys of any kind and in any order.
    """
    firsts: list[int] = []
    lasts: list[int] = []
    start = 0
    try:
        while start < len(keys):
            first = _number(keys[start], len(head), per_log)
            too_many = len(firsts) >= _FEW and start < _WORTHWHILE * len(firsts)
            if too_many or first <= (lasts[-1] if lasts else 0):
                return None
            stop = _run_stop(keys, start, first, len(head), per_log)
            firsts.append(first)
            lasts.append(first + stop - start - 1)
            start = stop
    except ValueError:
        return None
    runs = zip(firsts, lasts, strict=True)
    lines = "\n".join([_run_lines(head, suffix, first, last, per_log) for first, last in runs])
    return (firsts, lasts) if lines == "\n".join(keys) else None


def _run_stop(keys: Sequence[str], start: int, first: int, at: int, per_log: int) -> int:
    """Where the run that begins at `start` with number `first` stops, if the keys are ascending."""

    def is_farther(other: int) -> bool:
        return _number(keys[other], at, per_log) - first > other - start

    stop = len(keys)
    if not is_farther(stop - 1):
        return stop
    step = 1
    while start + step < stop and not is_farther(start + step):
        step *= 2
    return bisect_left(range(stop), True, start + step // 2, min(start + step, stop), key=is_farther)


def _number(key: str, at: int, per_log: int) -> int:
    """The number of the segment whose log and segment fields are at `at`. Raises ValueError."""
    position = int(key[at : at + 16], 16)
    return (position >> 32) * per_log + (position & 0xFFFFFFFF)


def _run_lines(head: str, suffix: str, first: int, last: int, per_log: int) -> str:
    """The keys of segments `first` to `last` as lines: `head` (directory and timeline), name, suffix."""
    lows = _low_fields(suffix, per_log)
    logs = []
    for log in range(first // per_log, last // per_log + 1):
        start = f"{head}{log:08X}"
        begin, end = max(0, first - log * per_log), last - log * per_log + 1
        logs.append(start + f"\n{start}".join(lows[begin:end]))
    return "\n".join(logs)


@lru_cache(maxsize=8)
def _low_fields(suffix: str, per_log: int) -> tuple[str, ...]:
    return tuple(f"{low:08X}{suffix}" for low in range(per_log))


def segment_numbers(names: Sequence[str], lines: str, suffix: str, per_log: int) -> list[int]:
    """The numbers within their timelines of `names`, which `lines` holds with `suffix`, each line ended.

    The names are known to be segments'.
    """
    digits = lines.replace(f"{suffix}\n", "")
    if len(digits) != 24 * len(names):  # a checksum: no suffix is like the other
        digits = "".join([name[:24] for name in names])
    fields = array("I", bytes.fromhex(digits))
    if sys.byteorder == "little":
        fields.byteswap()
    logs, lows = fields[1::_FIELDS], fields[2::_FIELDS]
    return [log * per_log + low for log, low in zip(logs, lows, strict=True)]


def runs_of(numbers: Sequence[int]) -> tuple[list[int], list[int]]:
    """First and last of each unbroken run of ascending numbers."""
    breaks = [at for at, (a, b) in enumerate(pairwise(numbers), 1) if b - a != 1]
    firsts = [numbers[0], *[numbers[at] for at in breaks]]
    lasts = [*[numbers[at - 1] for at in breaks], numbers[-1]]
    return firsts, lasts


def distinct_stretches(numbers: Sequence[int], start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Where `numbers`, ascending, are each other than the one before: from, and up to.

    One segment under two keys of one folder (its name carries another checksum) begins a new stretch.
    """
    if start < stop and numbers[stop - 1] - numbers[start] + 1 == stop - start:
        within = numbers[start:stop]
        if len(set(within)) == len(within):
            yield start, stop
            return
    for at in range(start + 1, stop):
        if numbers[at] == numbers[at - 1]:
            yield start, at
            start = at
    if start < stop:
        yield start, stop


_ONE_BY_ONE = 8
"""Parts of a page up to this many keys are read key by key."""
_NEVER = "0" * 16
"""The log and segment of the name that never exists."""


class SegmentGroup(NamedTuple):
    """Whole segments of one place, timeline and suffix: the page's keys from `start` up to `stop`.

    They are the runs from each of `firsts` to its last, ascending. A checksum is not of the suffix.
    """

    place: Place
    timeline: int
    firsts: Sequence[int]
    lasts: Sequence[int]
    suffix: str
    start: int
    stop: int


class OtherName(NamedTuple):
    """A key that an archiver wrote and that is no whole segment: a label, a history, a partial segment."""

    place: Place
    name: ArchivedName
    key: str


class PageReading:
    """Reads distinct keys under `prefix`, for one wal_segment_size; nothing in them makes it raise.

    Each key is in one of `groups`, one of `others`, one of the `impossible` names (which look like
    segments and cannot exist), or counted as `foreign`. Groups are in the page's order. `base_backups`
    counts those of the foreign ones that lie in a known writer's base backup, `in_backups` are the stretches
    of the page that they take (first position, and the one behind the last). `beside` are the positions of
    keys under the prefix that are no segments, `alike` those foreign ones that begin with a segment's name.
    """

    __slots__ = (
        "_keys",
        "_per_log",
        "_prefix",
        "_segment_bytes",
        "alike",
        "base_backups",
        "beside",
        "foreign",
        "groups",
        "impossible",
        "in_backups",
        "others",
    )

    def __init__(self, prefix: str, segment_bytes: int) -> None:
        self._prefix, self._segment_bytes = prefix, segment_bytes
        self._per_log = LOG_BYTES // segment_bytes
        self._keys: Sequence[str] = ()
        self.groups: list[SegmentGroup] = []
        self.others: list[OtherName] = []
        self.impossible: list[str] = []
        self.beside: list[int] = []
        self.alike: list[str] = []
        self.in_backups: list[tuple[int, int]] = []
        self.foreign = 0
        self.base_backups = 0

    def read_long_runs(self, keys: Sequence[str]) -> bool:
        """Read a page of one directory, suffix and timeline with few gaps; False when it is not.

        The keys may be in any order, and not distinct: then they are no such page.
        """
        cut = keys[0].rfind("/") + 1
        suffix, head = segment_suffix(keys[0][cut:]), keys[0][: cut + 8]
        if suffix is None or suffix.startswith("-") or not self._is_under(head[:cut]):
            return False  # with a checksum each suffix is another
        runs = long_runs(keys, head, suffix, self._per_log)
        if runs is None:
            return False
        place = place_of(head[len(self._prefix) : cut])
        if place is None:
            self._foreign(head[len(self._prefix) : cut], 0, len(keys))
        else:
            self.groups.append(SegmentGroup(place, int(head[cut:], 16), *runs, suffix, 0, len(keys)))
        return True

    def read(self, keys: Sequence[str]) -> None:
        """Read sorted, distinct keys of any kind."""
        self._keys = keys
        if keys:
            self._read(0, len(keys))

    def _foreign(self, directory: str, start: int, stop: int) -> None:
        """The keys from `start` up to `stop`, which lie in `directory` (relative; empty: an archive's)."""
        self.foreign += stop - start
        if not directory or not holds_base_backup(directory):
            return
        self.base_backups += stop - start
        if self.in_backups and self.in_backups[-1][1] == start:
            start, _ = self.in_backups.pop()
        self.in_backups.append((start, stop))

    def _is_under(self, directory: str) -> bool:
        return directory.startswith(self._prefix)

    def _read(self, start: int, stop: int) -> None:
        if self._read_names(start, stop):
            return
        if stop - start <= _ONE_BY_ONE:
            for at in range(start, stop):
                self._read_key(at)
            return
        middle = (start + stop) // 2
        self._read(start, middle)
        self._read(middle, stop)

    def _read_names(self, start: int, stop: int) -> bool:
        """Read keys that are all segments of one directory and suffix; False when they are not.

        Sorted keys between two of one directory begin with that directory too.
        """
        first, last = self._keys[start], self._keys[stop - 1]
        cut = first.rfind("/") + 1
        if len(first) != len(last) or last.rfind("/") + 1 != cut or first[:cut] != last[:cut]:
            return False
        suffix = segment_suffix(first[cut:])
        if suffix is None or first[cut + 8 : cut + 24] == _NEVER or not self._is_under(first[:cut]):
            return False
        names = [key[cut:] for key in self._keys[start:stop]] if cut else self._keys[start:stop]
        lines = "\n".join(names) + "\n"
        if len(lines) != len(names) * (len(first) - cut + 1):
            return False
        if names_pattern(suffix, self._segment_bytes).fullmatch(lines) is None:
            return False
        place = place_of(first[len(self._prefix) : cut])
        if place is None:
            self._foreign(first[len(self._prefix) : cut], start, stop)
        else:
            numbers = segment_numbers(names, lines, suffix, self._per_log)
            self._group(place, names, numbers, suffix, start)
        return True

    def _group(
        self, place: Place, names: Sequence[str], numbers: Sequence[int], suffix: str, offset: int
    ) -> None:
        """Group distinct, sorted names by timeline; the first of them is at `offset` in the page."""
        start, suffix = 0, without_checksum(suffix)
        while start < len(names):
            timeline = names[start][:8]
            stop = len(names)
            if not names[-1].startswith(timeline):
                stop = bisect_left(names, f"{timeline}G", start)
            if not numbers[start]:
                self.impossible.append(names[start])
                start += 1
            for first, end in distinct_stretches(numbers, start, stop):
                runs = runs_of(numbers[first:end])
                group = SegmentGroup(place, int(timeline, 16), *runs, suffix, offset + first, offset + end)
                self.groups.append(group)
            start = stop

    def _read_key(self, at: int) -> None:
        key = self._keys[at]
        if not key.startswith(self._prefix):
            self.foreign += 1
            return
        directory, basename = split_key(key[len(self._prefix) :])
        place = place_of(directory)
        try:
            name = archived_name(basename, self._segment_bytes) if place is not None else None
        except ValueError:
            self.impossible.append(basename)
            return
        if name is None or place is None:
            self._foreign(directory if place is None else "", at, at + 1)
            self.beside.append(at)
            if place is not None and segment_named(basename, self._segment_bytes) is not None:
                self.alike.append(key)
        elif name.kind is WalNameKind.SEGMENT and name.segment is not None:
            number = (name.segment.number,)
            suffix = without_checksum(name.suffix)
            self.groups.append(SegmentGroup(place, name.timeline, number, number, suffix, at, at + 1))
        else:
            self.others.append(OtherName(place, name, key))
            self.beside.append(at)
