"""What lies in one place of a bucket, as pages bring it."""

import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice

from walconsole.domain.archive.dated import dated_folder, seconds
from walconsole.domain.archive.gaps import Gap
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.layouts import Layout, Place, split_key
from walconsole.domain.archive.page_reading import OtherName, SegmentGroup
from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.wal import Segment, WalNameKind

HISTORIES_KEPT = 1000
LABELS_KEPT = 1000
"""The newest."""
REPEATED_KEPT = 1000
"""The newest."""
EMPTY_KEPT = 1000
"""The newest of a timeline."""
ODD_RUNS_KEPT = 10_000
"""Of a timeline."""
SUFFIXES_KEPT = 16
OTHER_SUFFIXES = "other"
"""Counts the segments whose suffix is none of the first fifteen."""


@dataclass(slots=True)
class Archive:
    """What lies in one place.

    `stored_bytes` is what the whole segments take that were folded with their listing, each key
    counted; `suffixes` counts those keys by suffix, without checksums. `history_keys` has the key of
    each .history by its timeline (of several the first in key order), `labels` the segments of
    .backup labels, ascending. `repeated` counts segments that are stored under more than one key (a
    retry past midnight in the dated layout, a changed compression), `repeats` has the newest of them by
    timeline. `empty` has those whose object has no byte, or hardly any: where it was replaced, the next sweep
    tells. `odd`
    has those that are stored under their plain name and have not the size of a segment.
    `newest_key` is the key of the highest segment of the newest timeline, `last_key` the last
    of this place's keys in the store's order. `partial` is the segment of the highest .partial that was seen.

    `days` has, in the dated layout, when the day (hour, month) of the folder in which segments lie
    began, seconds since the epoch: a copy that was made later is stored at another time than it says.

    `beside` is what lies next to the folders of an archive that has one for each log.
    """

    place: Place
    timelines: dict[int, Runs] = field(default_factory=dict)
    times: StoredTimes = field(default_factory=StoredTimes)
    days: StoredTimes = field(default_factory=StoredTimes)
    stored_bytes: int = 0
    suffixes: dict[str, int] = field(default_factory=dict)
    history_keys: dict[int, str] = field(default_factory=dict)
    labels: list[Segment] = field(default_factory=list)
    backups: int = 0
    partials: int = 0
    partial: Segment | None = None
    repeated: int = 0
    repeats: dict[int, Runs] = field(default_factory=dict)
    empty: dict[int, Runs] = field(default_factory=dict)
    odd: dict[int, Runs] = field(default_factory=dict)
    newest: Segment | None = None
    newest_key: str = ""
    last_key: str = ""
    beside: "Archive | None" = field(default=None, repr=False, compare=False)
    _changes: int = field(default=0, repr=False, compare=False)
    _holding: "tuple[object, Holding] | None" = field(default=None, repr=False, compare=False)

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

    @property
    def histories(self) -> set[str]:
        """The names of the .history files."""
        return {f"{timeline:08X}.history" for timeline in self._all_history_keys()}

    @property
    def repeated_newest(self) -> tuple[Segment, ...]:
        """The newest of the segments that are stored under more than one key, ascending."""
        newest_first = (
            Segment(timeline, number)
            for timeline, runs in sorted(self.repeats.items(), reverse=True)
            for first, last in reversed(list(runs))
            for number in range(last, first - 1, -1)
        )
        return tuple(reversed(list(islice(newest_first, REPEATED_KEPT))))

    def _all_history_keys(self) -> dict[int, str]:
        """Its own, and those beside its folders where nothing but histories is."""
        beside = self.beside
        if beside is None or beside.timelines or beside.partials or beside.backups:
            return self.history_keys
        return {**beside.history_keys, **self.history_keys}

    def add_segments(self, group: SegmentGroup, last_key: str) -> None:
        """The group is stored, its highest segment under `last_key`."""
        self._changes += 1
        runs = self.timelines.get(group.timeline)
        if runs is None:
            runs = self.timelines[group.timeline] = Runs()
        known = runs.shared(group.firsts, group.lasts)
        if known:
            self._add_repeats(group.timeline, known)
        runs.extend(group.firsts, group.lasts)
        kind = group.suffix
        if kind not in self.suffixes and len(self.suffixes) >= SUFFIXES_KEPT - 1:
            kind = OTHER_SUFFIXES
        self.suffixes[kind] = self.suffixes.get(kind, 0) + group.stop - group.start
        self.last_key = max(self.last_key, last_key)
        if self.place.layout is Layout.DATED and (day := _folder_time(last_key)) is not None:
            for number in (group.firsts[0], group.lasts[-1]):
                self.days.note(group.timeline, number, day)
        newest = Segment(group.timeline, group.lasts[-1])
        if self.newest is None or newest >= self.newest:
            self.newest, self.newest_key = newest, last_key

    def _add_repeats(self, timeline: int, intervals: Iterable[tuple[int, int]]) -> None:
        """Keep the newest. An older timeline than a thousand others that have some has none of these."""
        runs = self.repeats.setdefault(timeline, Runs())
        for first, last in intervals:
            self.repeated += last - first + 1
            runs.add(first, last)
        runs.keep_highest(REPEATED_KEPT)
        if len(self.repeats) > REPEATED_KEPT:
            del self.repeats[min(self.repeats)]

    def add_empty(self, timeline: int, number: int) -> None:
        """That segment, which was added, has an object that holds nothing. Kept are the newest."""
        self._changes += 1
        runs = self.empty.setdefault(timeline, Runs())
        runs.add(number, number)
        runs.keep_highest(EMPTY_KEPT)

    def add_odd(self, timeline: int, first: int, last: int) -> None:
        """Those segments, which were added, have objects of another size. The newest runs are kept."""
        self._changes += 1
        runs = self.odd.setdefault(timeline, Runs())
        runs.add(first, last)
        if len(runs) > ODD_RUNS_KEPT:
            runs.keep_highest(runs.count // 2)

    def _useless(self, found: dict[int, Runs]) -> dict[int, Runs]:
        """Of what is stored under more than one key the other may be whole."""
        return {
            timeline: runs.minus(self.repeats[timeline]) if timeline in self.repeats else runs.copy()
            for timeline, runs in found.items()
        }

    def _torn(self) -> dict[int, Runs]:
        """What is odd where as many are not: else it is compressed or encrypted under plain names."""
        odd = sum(runs.count for runs in self.odd.values())
        return self._useless(self.odd) if 2 * odd <= self.suffixes.get("", 0) else {}

    def add_other(self, other: OtherName) -> None:
        """A label, a history or a partial segment is stored."""
        self._changes += 1
        self.last_key = max(self.last_key, other.key)
        name = other.name
        if name.kind is WalNameKind.PARTIAL:
            self.partials += 1
            self.partial = max(filter(None, (self.partial, name.segment)), default=None)
        elif name.kind is WalNameKind.BACKUP and name.segment is not None:
            self.backups += 1
            self._add_label(name.segment)
        elif name.timeline in self.history_keys or len(self.history_keys) < HISTORIES_KEPT:
            self.history_keys[name.timeline] = min(other.key, self.history_keys.get(name.timeline, other.key))

    def _add_label(self, segment: Segment) -> None:
        at = bisect_left(self.labels, segment)
        if at == len(self.labels) or self.labels[at] != segment:
            self.labels.insert(at, segment)
            del self.labels[:-LABELS_KEPT]

    def holding(self, prefix: str, segment_bytes: int) -> Holding:
        """What it holds now, as a value. The same one is given until something is added."""
        basis = (prefix, segment_bytes, self._changes, self.beside and self.beside._changes)
        if self._holding is None or self._holding[0] != basis:
            self._holding = basis, self._held(prefix, segment_bytes)
        return self._holding[1]

    def _held(self, prefix: str, segment_bytes: int) -> Holding:
        return Holding(
            place=self.place,
            prefix=prefix,
            segment_bytes=segment_bytes,
            timelines={timeline: runs.copy() for timeline, runs in sorted(self.timelines.items())},
            times=self.times.copy(),
            days=self.days.copy(),
            stored_bytes=self.stored_bytes,
            suffixes=dict(self.suffixes),
            history_keys=dict(sorted(self._all_history_keys().items())),
            labels=tuple(self.labels),
            partials=self.partials,
            empty=self._useless(self.empty),
            odd=self._torn(),
            repeated=self.repeated_newest,
            repeated_count=self.repeated,
            newest=self.newest,
            newest_key=self.newest_key,
            last_key=self.last_key,
        )

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


def _folder_time(key: str) -> float | None:
    """The beginning of the day, hour or month whose folder `key` lies in, None where there is none."""
    folder = dated_folder(split_key(key)[0])
    return None if folder is None or folder.at is None else seconds(folder.at)
