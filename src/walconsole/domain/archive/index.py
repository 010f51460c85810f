"""The index of what a bucket holds: pages of keys folded into runs by place and timeline.

A page is compared as text with the run that begins with its first name: where it is that, no other
name in it is parsed, and a gap costs a binary search. A page with many gaps is read as one long
hexadecimal text. Where other keys lie between, a page is halved until its parts are uniform, or are
a few keys that are read one by one. Pages may come in any order and overlap.
"""

import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from walconsole.domain.archive.gap import Gap
from walconsole.domain.archive.layouts import (
    LOG_BYTES,
    Place,
    archived_name,
    names_pattern,
    place_of,
    segment_suffix,
    split_key,
)
from walconsole.domain.archive.name_runs import long_runs, runs_of, segment_numbers
from walconsole.domain.archive.runs import Runs
from walconsole.domain.wal import (
    DEFAULT_SEGMENT_BYTES,
    MIN_SEGMENT_BYTES,
    Segment,
    WalNameKind,
    check_segment_bytes,
)

_ONE_BY_ONE = 8
"""Parts of a page up to this many keys are read key by key."""
_NEVER = "0" * 16
"""The log and segment of the name that never exists."""
PLACES_KEPT = 32
"""Archives in one bucket that are told apart; what lies in further ones counts as foreign."""
HISTORIES_KEPT = 1000


@dataclass(slots=True)
class Archive:
    """What lies in one place.

    `repeated` counts segments that are stored under more than one key (a retry past midnight in
    the dated layout, a changed compression). `newest_key` is the key of the highest segment of the
    newest timeline, `last_key` the last of this place's keys in the store's order.
    """

    place: Place
    timelines: dict[int, Runs] = field(default_factory=dict)
    histories: set[str] = field(default_factory=set)
    backups: int = 0
    partials: int = 0
    repeated: int = 0
    newest: Segment | None = None
    newest_key: str = ""
    last_key: str = ""

    @property
    def segments(self) -> int:
        """Distinct segments, over all timelines."""
        return sum(runs.count for runs in self.timelines.values())

    @property
    def gap_count(self) -> int:
        """How many gaps there are within the timelines."""
        return sum(len(runs) - 1 for runs in self.timelines.values())

    @property
    def missing(self) -> int:
        """How many segments are in the gaps."""
        return sum(runs.last - runs.first + 1 - runs.count for runs in self.timelines.values())

    @property
    def oldest(self) -> Segment | None:
        """The lowest segment of the oldest timeline that has one."""
        if not self.timelines:
            return None
        timeline = min(self.timelines)
        return Segment(timeline, self.timelines[timeline].first)

    def add_runs(self, timeline: int, firsts: Sequence[int], lasts: Sequence[int], last_key: str) -> None:
        """Segments from each of `firsts` to its last are stored, ascending, the highest under `last_key`."""
        runs = self.timelines.get(timeline)
        if runs is None:
            runs = self.timelines[timeline] = Runs()
        self.repeated += sum(lasts) - sum(firsts) + len(firsts) - runs.extend(firsts, lasts)
        self.last_key = max(self.last_key, last_key)
        newest = Segment(timeline, lasts[-1])
        if self.newest is None or newest >= self.newest:
            self.newest, self.newest_key = newest, last_key

    def gaps(self, segment_bytes: int, most: int = sys.maxsize) -> Iterator[Gap]:
        """Missing segments between stored ones, timeline by timeline; of more than `most`, both ends.

        The step from a timeline to its child is not judged here: a child begins in the middle of
        its parent, and where the parent ended only the history file's content tells.
        """
        total, seen = self.gap_count, 0
        skipped = range(most // 2, total - most + most // 2) if total > most else range(total, total)
        for timeline, runs in sorted(self.timelines.items()):
            here = range(seen, seen + len(runs) - 1)
            shown = chain(here[: max(0, skipped.start - seen)], here[max(0, skipped.stop - seen) :])
            for first, last in (runs.gap(at - seen) for at in shown):
                yield Gap(
                    timeline,
                    Segment(timeline, first).name(segment_bytes),
                    Segment(timeline, last).name(segment_bytes),
                    last - first + 1,
                )
            seen = here.stop


class ArchiveIndex:
    """Everything that the keys under `prefix` say, for one wal_segment_size.

    `foreign` counts keys that are no WAL archive's, `impossible` those that look like segments but
    cannot exist with this segment size; `impossible_name` is the first of them, `highest_low_field`
    the highest last field (eight digits) among them.
    """

    def __init__(self, prefix: str = "", segment_bytes: int = DEFAULT_SEGMENT_BYTES) -> None:
        self.prefix = prefix
        self.segment_bytes = check_segment_bytes(segment_bytes)
        self.archives: dict[Place, Archive] = {}
        self.foreign = 0
        self.impossible = 0
        self.impossible_name: str | None = None
        self.highest_low_field = 0
        self._per_log = LOG_BYTES // segment_bytes

    def archive_of(self, key: str) -> Archive | None:
        """The archive that `key` would belong to, when there is one already."""
        place = place_of(split_key(key[len(self.prefix) :])[0])
        return self.archives.get(place) if place else None

    def fold(self, keys: Sequence[str]) -> None:
        """Add a page's keys (full keys, under the prefix)."""
        if keys and self._fold_long_runs(keys):
            return
        distinct = set(keys)
        ordered = sorted(keys if len(distinct) == len(keys) else distinct)
        if ordered:
            self._fold(ordered, 0, len(ordered))

    def _fold_long_runs(self, keys: Sequence[str]) -> bool:
        """Fold a page of one directory, suffix and timeline with few gaps; False when it is not."""
        cut = keys[0].rfind("/") + 1
        suffix, head = segment_suffix(keys[0][cut:]), keys[0][: cut + 8]
        if suffix is None or suffix.startswith("-"):  # a checksum: each suffix is another
            return False
        runs = long_runs(keys, head, suffix, self._per_log)
        if runs is None:
            return False
        archive = self._archive(head[len(self.prefix) : cut])
        if archive is None:
            self.foreign += len(keys)
        else:
            archive.add_runs(int(head[cut:], 16), *runs, keys[-1])
        return True

    def _fold(self, keys: Sequence[str], start: int, stop: int) -> None:
        if self._fold_names(keys, start, stop):
            return
        if stop - start <= _ONE_BY_ONE:
            for key in keys[start:stop]:
                self._fold_key(key)
            return
        middle = (start + stop) // 2
        self._fold(keys, start, middle)
        self._fold(keys, middle, stop)

    def _fold_names(self, keys: Sequence[str], start: int, stop: int) -> bool:
        """Fold keys that are all segments of one directory and suffix; False when they are not.

        Sorted keys between two of one directory begin with that directory too.
        """
        first, last = keys[start], keys[stop - 1]
        cut = first.rfind("/") + 1
        if len(first) != len(last) or last.rfind("/") + 1 != cut or first[:cut] != last[:cut]:
            return False
        suffix = segment_suffix(first[cut:])
        if suffix is None or first[cut + 8 : cut + 24] == _NEVER:
            return False
        names = [key[cut:] for key in keys[start:stop]] if cut else keys[start:stop]
        lines = "\n".join(names) + "\n"
        if len(lines) != len(names) * (len(first) - cut + 1):
            return False
        if names_pattern(suffix, self.segment_bytes).fullmatch(lines) is None:
            return False
        archive = self._archive(first[len(self.prefix) : cut])
        if archive is None:
            self.foreign += len(names)
            return True
        numbers = segment_numbers(names, lines, suffix, self._per_log)
        self._fold_runs(archive, names, numbers, first[:cut])
        return True

    def _fold_runs(
        self, archive: Archive, names: Sequence[str], numbers: Sequence[int], directory: str
    ) -> None:
        """Fold distinct, sorted, possible segment names, timeline by timeline."""
        start = 0
        while start < len(names):
            timeline = names[start][:8]
            stop = len(names)
            if not names[-1].startswith(timeline):
                stop = bisect_left(names, f"{timeline}G", start)
            if not numbers[start]:
                self._note_impossible(names[start])
                start += 1
            if start < stop:
                firsts, lasts = runs_of(numbers[start:stop])
                archive.add_runs(int(timeline, 16), firsts, lasts, directory + names[stop - 1])
            start = stop

    def _fold_key(self, key: str) -> None:
        directory, basename = split_key(key[len(self.prefix) :])
        try:
            name = archived_name(basename, self.segment_bytes)
        except ValueError:
            self._note_impossible(basename)
            return
        archive = self._archive(directory) if name else None
        if name is None or archive is None:
            self.foreign += 1
            return
        archive.last_key = max(archive.last_key, key)
        if name.kind is WalNameKind.SEGMENT and name.segment:
            number = (name.segment.number,)
            archive.add_runs(name.timeline, number, number, key)
        elif name.kind is WalNameKind.PARTIAL:
            archive.partials += 1
        elif name.kind is WalNameKind.BACKUP:
            archive.backups += 1
        elif len(archive.histories) < HISTORIES_KEPT:
            archive.histories.add(name.text)

    def _archive(self, directory: str) -> Archive | None:
        place = place_of(directory)
        if place is None:
            return None
        archive = self.archives.get(place)
        if archive is None and len(self.archives) < PLACES_KEPT:
            archive = self.archives[place] = Archive(place)
        return archive

    def _note_impossible(self, name: str) -> None:
        self.impossible += 1
        self.highest_low_field = max(self.highest_low_field, int(name[16:24], 16))
        if self.impossible_name is None:
            self.impossible_name = name


def segment_bytes_by_names(index: ArchiveIndex, archive: Archive) -> int:
    """The wal_segment_size that the names themselves suggest.

    Names that were impossible ask for a smaller size. A larger one leaves the top of every log
    unused: at least three runs in a row end at one segment of their log and are followed by the
    first of the next.
    """
    assumed, per_log = index.segment_bytes, LOG_BYTES // index.segment_bytes
    if index.impossible > archive.segments // 8:
        wanted = LOG_BYTES >> index.highest_low_field.bit_length()
        return wanted if MIN_SEGMENT_BYTES <= wanted < assumed else assumed
    for runs in archive.timelines.values():
        top = _top_of_each_log(runs, per_log)
        if top is not None and top & (top - 1) == 0 and 4 <= top < per_log:
            return LOG_BYTES // top
    return assumed


def _top_of_each_log(runs: Runs, per_log: int) -> int | None:
    """How many segments of a log are used, where that is the same in every log and none is beyond."""
    top = None
    for before, after in _breaks(runs):
        if _next_log(before, after, per_log):
            if top is not None and top != before % per_log + 1:
                return None
            top = before % per_log + 1
    if top is None or len(runs) < 4 or any(first % per_log + (last - first) >= top for first, last in runs):
        return None
    return top


def _next_log(before: int, after: int, per_log: int) -> bool:
    """Whether `after` is the first segment of the log that follows the log of `before`."""
    return after % per_log == 0 and after // per_log == before // per_log + 1


def _breaks(runs: Runs) -> Iterator[tuple[int, int]]:
    """Between runs: the last number before and the first after."""
    return ((first - 1, last + 1) for first, last in runs.gaps())
