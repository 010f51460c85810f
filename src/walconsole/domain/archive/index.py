"""The index of what a bucket holds: pages of keys folded into runs by place and timeline.

Pages may come in any order and overlap.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from walconsole.domain.archive.contents import Archive
from walconsole.domain.archive.layouts import LOG_BYTES, Layout, Place, place_of, segment_named, split_key
from walconsole.domain.archive.listing import ObjectListing, Picked
from walconsole.domain.archive.page_reading import PageReading, SegmentGroup
from walconsole.domain.archive.runs import Runs
from walconsole.domain.recovery.whereabouts import Whereabouts, may_be_of_a_backup
from walconsole.domain.wal import DEFAULT_SEGMENT_BYTES, MIN_SEGMENT_BYTES, Segment, check_segment_bytes

# -- What a page's listing says of its segments: how many bytes they take, and when some were stored.

LEAST_BYTES = 9
"""What has fewer is no segment, however it was compressed: no compressor's frame is that short."""
_FEW = 16
"""A listing looks through all of its page for the sizes of a part: those of few keys are read one by one."""


class Sample(NamedTuple):
    """When a segment was stored, seconds since the epoch."""

    place: Place
    timeline: int
    number: int
    stored_at: float


class EmptySegment(NamedTuple):
    """A segment's object of no byte, or hardly any: it is there, and nothing can be replayed from it."""

    place: Place
    timeline: int
    number: int


class OddSegments(NamedTuple):
    """Objects that are named like plain segments, of numbers `first` to `last`, and are not as large."""

    place: Place
    timeline: int
    first: int
    last: int


class PageMeasures(NamedTuple):
    """What the whole segments of each place take, which take next to nothing, which of those that are stored
    as they are have not a segment's size, and times of a few of them.
    """

    stored_bytes: dict[Place, int]
    empty: list[EmptySegment]
    odd: list[OddSegments]
    samples: list[Sample]


def measured(groups: Sequence[SegmentGroup], listing: ObjectListing, segment_bytes: int) -> PageMeasures:
    """The measures of a page's groups; raises what the listing does.

    Sampled are, of each place and timeline, the segments of its first key, of its last, and the highest
    of all: it comes last, where it is listed twice as its last key says.
    """
    stored_bytes: dict[Place, int] = {}
    empty: list[EmptySegment] = []
    odd: list[OddSegments] = []
    for stretch in _stretches(groups):
        plain = not stretch[0].suffix
        place, start, stop = stretch[0].place, stretch[0].start, stretch[-1].stop
        least, most = (segment_bytes, segment_bytes) if plain else (LEAST_BYTES, sys.maxsize)
        size, outside = _sizes(listing, start, stop, least, most)
        stored_bytes[place] = stored_bytes.get(place, 0) + size
        if len(outside) == stop - start and all(each >= LEAST_BYTES for _, each in outside):
            odd += _whole(stretch)
        elif outside:
            numbers = _segments_at(stretch, [at for at, _ in outside])
            for (_, each), (timeline, number) in zip(outside, numbers, strict=True):
                if each < LEAST_BYTES:
                    empty.append(EmptySegment(place, timeline, number))
                else:
                    odd.append(OddSegments(place, timeline, number, number))
    samples = [
        Sample(first.place, first.timeline, number, listing.modified_at(at))
        for first, last, highest in _ends(groups)
        for at, number in _sampled(first, last, highest).items()
    ]
    return PageMeasures(stored_bytes, empty, odd, samples)


def _sizes(
    listing: ObjectListing, start: int, stop: int, least: int = 0, most: int = sys.maxsize
) -> tuple[int, Sequence[tuple[int, int]]]:
    """The sum of a part's sizes, and the positions and sizes of what is not from `least` to `most`."""
    if stop - start <= _FEW:
        sizes = [listing[at].size for at in range(start, stop)]
        outside = [(at, size) for at, size in enumerate(sizes, start) if not least <= size <= most]
        return sum(sizes), outside
    return listing.stored_bytes(start, stop), listing.outside(start, stop, least, most)


def _whole(groups: Sequence[SegmentGroup]) -> Iterator[OddSegments]:
    for group in groups:
        for first, last in zip(group.firsts, group.lasts, strict=True):
            yield OddSegments(group.place, group.timeline, first, last)


def _segments_at(groups: Sequence[SegmentGroup], positions: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Timeline and number of the segments whose keys stand at these positions, ascending, of the page."""
    runs = (
        (group.timeline, first, last)
        for group in groups
        for first, last in zip(group.firsts, group.lasts, strict=True)
    )
    start = groups[0].start
    timeline, first, last = next(runs)
    for at in positions:
        while at > start + last - first:
            start += last - first + 1
            timeline, first, last = next(runs)
        yield timeline, first + at - start


def _sampled(first: SegmentGroup, last: SegmentGroup, highest: SegmentGroup) -> dict[int, int]:
    """Numbers by position in the page."""
    sampled = {first.start: first.firsts[0], last.stop - 1: last.lasts[-1]}
    if highest is not last:
        sampled.pop(highest.stop - 1, None)
        sampled[highest.stop - 1] = highest.lasts[-1]
    return sampled


def _stretches(groups: Sequence[SegmentGroup]) -> list[list[SegmentGroup]]:
    """Where segments of one place, plain or not, lie side by side: the fewer, the sooner measured."""
    stretches: list[list[SegmentGroup]] = []
    for group in groups:
        before = stretches[-1][-1] if stretches else None
        if (
            before is not None
            and before.stop == group.start
            and before.place == group.place
            and (not before.suffix) is (not group.suffix)
        ):
            stretches[-1].append(group)
        else:
            stretches.append([group])
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


__all__ = ["PLACES_KEPT", "Archive", "ArchiveIndex", "segment_bytes_by_names"]

PLACES_KEPT = 32
"""Archives in one bucket that are told apart; what lies in further ones counts as foreign."""


class ArchiveIndex:
    """Everything that the keys under `prefix` say, for one wal_segment_size.

    `foreign` counts keys that are no WAL archive's, `base_backups` those of them that lie in a known writer's
    base backup, `backup_bytes` what those take that were folded with their listing, `impossible` those that
    look like segments but cannot exist with this segment size; `impossible_name` is the first of them,
    `highest_low_field` the highest last field (eight digits) among them. `alike` counts those of the foreign
    ones that begin with a segment's name, `alike_newest` is the highest of these and `alike_key` its key.
    `whereabouts` has what was listed of base backups.
    """

    def __init__(self, prefix: str = "", segment_bytes: int = DEFAULT_SEGMENT_BYTES) -> None:
        self.prefix = prefix
        self.segment_bytes = check_segment_bytes(segment_bytes)
        self.archives: dict[Place, Archive] = {}
        self.foreign = 0
        self.base_backups = 0
        self.backup_bytes = 0
        self.impossible = 0
        self.impossible_name: str | None = None
        self.highest_low_field = 0
        self.alike = 0
        self.alike_newest: Segment | None = None
        self.alike_key = ""
        self.whereabouts = Whereabouts()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ArchiveIndex):
            return NotImplemented
        return vars(self) == vars(other)

    def archive_of(self, key: str) -> Archive | None:
        """The archive that `key` would belong to, when there is one already."""
        place = place_of(split_key(key[len(self.prefix) :])[0])
        return self.archives.get(place) if place else None

    def is_beside(self, archive: Archive, key: str) -> bool:
        """Whether `key` lies where the histories of an archive with a folder for each log may lie."""
        if archive.place.layout is not Layout.BY_LOG:
            return False
        place = place_of(split_key(key[len(self.prefix) :])[0])
        return place is not None and place == _place_beside(archive.place)

    def archive_at(self, place: Place) -> Archive | None:
        """The archive of that place, which is made where there is none; None where there are too many."""
        archive = self.archives.get(place)
        if archive is None and len(self.archives) < PLACES_KEPT:
            archive = self.archives[place] = Archive(place)
            self._join(archive)
        return archive

    def _join(self, new: Archive) -> None:
        """Histories of an archive with a folder for each log may lie beside these folders."""
        if new.place.layout is Layout.BY_LOG:
            beside = _place_beside(new.place)
            new.beside = self.archives.get(beside) if beside else None
        for archive in self.archives.values():
            if archive.place.layout is Layout.BY_LOG and _place_beside(archive.place) == new.place:
                archive.beside = new

    def fold(self, keys: Sequence[str], listing: ObjectListing | None = None) -> None:
        """Add a page's keys (full keys, under the prefix); all or, where the listing raises, none.

        `listing` lists the same keys in the same order, and may go on after them.
        """
        if not keys:
            return
        reading = PageReading(self.prefix, self.segment_bytes)
        if not reading.read_long_runs(keys):
            keys, listing = _in_order(keys, listing)
            reading.read(keys)
        measures = measured(reading.groups, listing, self.segment_bytes) if listing is not None else None
        backups = self._of_backups(reading, keys, listing) if listing is not None else ()
        backup_bytes = _bytes_of_backups(reading, listing) if listing is not None else 0
        for group in reading.groups:
            archive = self.archive_at(group.place)
            if archive is None:
                self.foreign += group.stop - group.start
            else:
                archive.add_segments(group, keys[group.stop - 1])
        for other in reading.others:
            archive = self.archive_at(other.place)
            if archive is None:
                self.foreign += 1
            else:
                archive.add_other(other)
        self.foreign += reading.foreign
        self.base_backups += reading.base_backups
        self.backup_bytes += backup_bytes
        self._note_names(reading)
        if measures is not None:
            self._note_measures(measures)
        for key, size in backups:
            self.whereabouts.note(key, size)

    def _of_backups(
        self, reading: PageReading, keys: Sequence[str], listing: ObjectListing
    ) -> list[tuple[str, int]]:
        """Keys (relative) and sizes of what may be a base backup's."""
        cut = len(self.prefix)
        beside = ((at, keys[at][cut:]) for at in reading.beside)
        return [(key, listing[at].size) for at, key in beside if may_be_of_a_backup(key)]

    def _note_measures(self, measures: PageMeasures) -> None:
        for place, stored_bytes in measures.stored_bytes.items():
            if place in self.archives:
                self.archives[place].stored_bytes += stored_bytes
        for place, timeline, number in measures.empty:
            if place in self.archives:
                self.archives[place].add_empty(timeline, number)
        for place, timeline, first, last in measures.odd:
            if place in self.archives:
                self.archives[place].add_odd(timeline, first, last)
        for place, timeline, number, stored_at in measures.samples:
            if place in self.archives:
                self.archives[place].times.note(timeline, number, stored_at)

    def _note_names(self, reading: PageReading) -> None:
        for name in reading.impossible:
            self._note_impossible(name)
        for key in reading.alike:
            self._note_alike(key)

    def _note_alike(self, key: str) -> None:
        segment = segment_named(split_key(key)[1], self.segment_bytes)
        self.alike += 1
        if segment is None:
            return
        if self.alike_newest is None or (segment, key) > (self.alike_newest, self.alike_key):
            self.alike_newest, self.alike_key = segment, key

    def _note_impossible(self, name: str) -> None:
        self.impossible += 1
        self.highest_low_field = max(self.highest_low_field, int(name[16:24], 16))
        if self.impossible_name is None:
            self.impossible_name = name


def _bytes_of_backups(reading: PageReading, listing: ObjectListing) -> int:
    """What the page's objects take that lie in base backups."""
    return sum(_sizes(listing, start, stop)[0] for start, stop in reading.in_backups)


def _place_beside(by_log: Place) -> Place | None:
    return place_of(by_log.root)


def _in_order(
    keys: Sequence[str], listing: ObjectListing | None
) -> tuple[Sequence[str], ObjectListing | None]:
    """The keys sorted, each once, and their listing so; a store lists them like that, unless it is broken."""
    ordered = sorted(keys)  # no sooner by way of a set, which would lose their order
    distinct = set(keys)
    if len(distinct) < len(ordered):
        ordered = sorted(distinct)
    if listing is None or ordered == list(keys):
        return ordered, listing
    positions = {key: at for at, key in enumerate(keys)}
    return ordered, Picked(listing, [positions[key] for key in ordered])


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
