"""The picture of one bucket that pages are folded into, and the facts that it makes."""

from collections.abc import Sequence
from dataclasses import replace

from walconsole.domain.archive.continuity import Continuity, Leg, continuity
from walconsole.domain.archive.gaps import AcceptedGap, Gap
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.index import Archive, ArchiveIndex, segment_bytes_by_names
from walconsole.domain.archive.key_space import SEGMENT_NAME
from walconsole.domain.archive.layouts import (
    GROUPED_LAYOUTS,
    ArchivedName,
    Layout,
    Place,
    archived_name,
    split_key,
)
from walconsole.domain.archive.listing import Picked
from walconsole.domain.archive.losses import Losses, told
from walconsole.domain.archive.marks import Marks
from walconsole.domain.facts.observed import BucketFacts, MarkedDeleted, NamedAlike, SweepProgress
from walconsole.domain.profile import BucketTarget
from walconsole.domain.round_trips import Page
from walconsole.domain.wal import Segment, WalNameKind
from walconsole.observe.bucket.backups import KnownBackups
from walconsole.observe.bucket.drills import KnownDrills
from walconsole.observe.bucket.heads import Heads

GAPS_SHOWN = 1000
OVERLAP_SEGMENTS = 32
"""A poll begins this many segments below the newest key: parallel writers finish out of order."""
OTHERS_SHOWN = 8


class BucketPicture:
    """What is known of a bucket. `objects` and `stored_bytes` count every key under the prefix.

    `losses` are what earlier listings held and this one does not. `doubted`: something of it is gone since.
    `gaps_seen` are the times at which the first segment after a gap was stored, by its timeline and
    number, from looking at that key itself.
    """

    def __init__(self, prefix: str, segment_bytes: int) -> None:
        self.index = ArchiveIndex(prefix, segment_bytes)
        self.own: Place | None = None
        self.marks = Marks()
        self.heads = Heads()
        self.backups = KnownBackups()
        self.drills = KnownDrills()
        self.objects = 0
        self.stored_bytes = 0
        self.complete = False
        self.remembered = False
        self.swept_at = 0.0
        self.checked_at: float | None = None
        self.gaps_seen: dict[Segment, float] = {}
        self.progress: SweepProgress | None = None
        self.doubted = False
        self.losses: Losses = {}
        self.marked: MarkedDeleted | None = None
        self.last_key = ""
        self._clock_offset_s: float | None = None
        self._certificate: tuple[float, float] | None = None
        self._basis: tuple[object, ...] = ()
        self._continuity: Continuity | None = None

    @property
    def main(self) -> Archive | None:
        """The server's own archive where that is known, else the one that was written to last.

        None when the bucket holds none.
        """
        own = self.index.archives.get(self.own) if self.own is not None else None
        if own is not None and own.segments:
            return own
        last = max(self.index.archives.values(), key=_written_last, default=None)
        return self._where_barman_keeps(last) or last

    def _where_barman_keeps(self, last: Archive | None) -> Archive | None:
        """What its receiver wrote last lies on the way there, until Barman takes it; None for any other."""
        if last is None or last.place.layout is not Layout.NESTED:
            return None
        above, passed, _ = last.place.root.rpartition("streaming/")
        kept = self.index.archives.get(Place(Layout.BARMAN, f"{above}wals/")) if passed else None
        return kept if kept is not None and kept.segments else None

    @property
    def holding(self) -> Holding | None:
        """The main archive as it is now."""
        return self._held(self.main)

    @property
    def newest_key(self) -> str:
        """Of the main archive's newest segment, empty where there is none."""
        main = self.main
        return main.newest_key if main is not None else ""

    def take_over(self, before: "BucketPicture") -> None:
        """What the picture before this one read of the same archive is shown until it is read again."""
        self.backups = before.backups
        self.drills = before.drills
        self.backups.doubted = True
        holding, main = self.holding, before.main
        if holding is None or main is None or main.place != holding.place:
            return
        self.heads, self.gaps_seen = before.heads, before.gaps_seen
        self.heads.doubt(holding)

    def choose(self, own: Place) -> None:
        """The server's own archive is that one: what was read is of another."""
        self.own, self.heads, self.gaps_seen = own, Heads(), {}

    def _held(self, archive: Archive | None) -> Holding | None:
        return None if archive is None else archive.holding(self.index.prefix, self.index.segment_bytes)

    def page_seen(self, page: Page, count: int, after: str) -> None:
        """The first `count` objects of a page that was listed after `after` were folded into the index."""
        self.objects += count
        self.stored_bytes += page.objects.stored_bytes(0, count)
        self.marks.add_page(after, count)
        if count:
            self.last_key = max(self.last_key, page.objects.keys[count - 1])
        self._note_clock(page)

    def add_new(self, page: Page) -> int:
        """Fold what of a poll's page belongs to the main archive and was not known; how many that was."""
        main = self.main
        known_to = main.last_key if main else ""
        new = [at for at, key in enumerate(page.objects.keys) if self._is_new(main, key, known_to)]
        if new:
            self._add(Picked(page.objects, new))
        self._note_clock(page)
        return len(new)

    def add_found(self, page: Page, positions: Sequence[int]) -> None:
        """Fold objects that a look at a known gap found in it."""
        if positions:
            self._add(Picked(page.objects, positions))

    def _add(self, objects: Picked) -> None:
        self.index.fold(objects.keys, objects)
        self.objects += len(objects)
        self.stored_bytes += objects.stored_bytes(0, len(objects))
        for key in objects.keys:
            self.marks.add_key(key, self.last_key)
            self.last_key = max(self.last_key, key)

    def _is_new(self, main: Archive | None, key: str, known_to: str) -> bool:
        try:
            name = archived_name(split_key(key)[1], self.index.segment_bytes)
        except ValueError:
            return False
        if name is None:
            return False
        archive = self.index.archive_of(key)
        if archive is not main:
            beside = main is not None and self.index.is_beside(main, key)
            known = archive.history_keys if archive is not None else ()
            return beside and name.kind is WalNameKind.HISTORY and name.timeline not in known
        return key > known_to or main is None or self._is_unknown(main, name)

    def _is_unknown(self, main: Archive, name: ArchivedName) -> bool:
        """Whether a name that sorts before the last key was never seen: what is archived late does so.

        Of a partial segment that cannot be told: they are only counted.
        """
        if name.kind is WalNameKind.HISTORY:
            return name.timeline not in main.history_keys
        if name.segment is None or name.kind is WalNameKind.PARTIAL:
            return False
        if name.kind is WalNameKind.BACKUP:
            return name.segment not in main.labels
        runs = main.timelines.get(name.timeline)
        return runs is None or name.segment.number not in runs

    def vanished(self, page: Page, after: str) -> bool:
        """Whether a segment that was known behind `after` is not in the page that was listed after it.

        Only within the newest key's own folder; in the dated layout a folder tells nothing.
        """
        main, keys = self.main, page.objects.keys
        name = SEGMENT_NAME.match(split_key(after)[1])
        if main is None or name is None or main.place.layout is Layout.DATED:
            return False
        first = Segment.parse(name[0], self.index.segment_bytes)
        runs = main.timelines.get(first.timeline)
        directory = split_key(main.newest_key)[0]
        if runs is None or not after.startswith(directory):
            return False
        there = {
            found.number for key in keys if (found := self._segment(key)) and found.timeline == first.timeline
        }
        last = max(there, default=first.number) if page.truncated else runs.last
        expected = (number for number in range(first.number + 1, last + 1) if number in runs)
        return any(
            number not in there and self._is_in(directory, first.timeline, number) for number in expected
        )

    def whole_again(self, page: Page) -> bool:
        """Whether a segment that was no whole one when it was listed is one in this page: it was replaced."""
        holding = self.holding
        damaged = holding.damaged() if holding is not None else {}
        if holding is None or not any(runs.count for runs in damaged.values()):
            return False
        for at, key in enumerate(page.objects.keys):
            found = self._segment(key)
            runs = damaged.get(found.timeline) if found is not None else None
            if found is None or runs is None or found.number not in runs or not self.in_main(key):
                continue
            if page.objects[at].size == holding.segment_bytes:
                return True
        return False

    def _is_in(self, directory: str, timeline: int, number: int) -> bool:
        """Whether that segment lies in `directory`, where every log has a folder of its own."""
        name = Segment(timeline, number).name(self.index.segment_bytes)
        grouped = self.main is not None and self.main.place.layout in GROUPED_LAYOUTS
        return not grouped or directory.endswith(f"{name[:16]}/")

    def _segment(self, key: str) -> Segment | None:
        """The segment that a key of the main archive's newest folder holds."""
        match = SEGMENT_NAME.match(split_key(key)[1])
        try:
            return None if match is None else Segment.parse(match[0], self.index.segment_bytes)
        except ValueError:
            return None

    def in_main(self, key: str) -> bool:
        """Whether `key` lies where the main archive does."""
        archive = self.index.archive_of(key)
        return archive is not None and archive is self.main

    def poll_after(self) -> str:
        """The key to list after for what is new."""
        main = self.main
        if main is None:
            return f"{self.index.prefix}00000000"
        directory, basename = split_key(main.last_key)
        match = SEGMENT_NAME.match(basename)
        if match is None:
            return main.last_key
        segment = Segment.parse(match[0], self.index.segment_bytes)
        below = Segment(segment.timeline, max(0, segment.number - OVERLAP_SEGMENTS))
        return directory + below.name(self.index.segment_bytes)

    def _note_clock(self, page: Page) -> None:
        self._certificate = page.certificate or self._certificate
        if page.store_clock is not None:
            # The Date header counts whole seconds: half of one is the best guess.
            self._clock_offset_s = page.store_clock + 0.5 - (page.answered_at - page.seconds / 2)

    def suggested_segment_bytes(self) -> int:
        """The wal_segment_size that the names suggest."""
        return segment_bytes_by_names(self.index, self.main) if self.main else self.index.segment_bytes

    def facts(
        self,
        target: BucketTarget,
        key_hint: str,
        key_endpoint: str,
        accepted: Sequence[AcceptedGap] = (),
        archived: Segment | None = None,
    ) -> BucketFacts:
        """What screens and rules see. `accepted` are this bucket's, `archived` is the server's last."""
        main, size = self.main, self.index.segment_bytes
        newest = main.newest if main else None
        facts = BucketFacts(
            role=target.role,
            bucket=target.bucket,
            endpoint=target.endpoint,
            key_hint=key_hint,
            objects=self.objects,
            stored_bytes=self.stored_bytes,
            segments=main.segments if main else 0,
            newest_segment=newest.name(size) if newest else None,
            newest_at=main.times.exact(newest.timeline, newest.number) if main and newest else None,
            oldest_segment=main.oldest.name(size) if main and main.oldest else None,
            gaps=(),
            histories=tuple(sorted(main.histories)) if main else (),
            foreign_objects=self.index.foreign + self.index.impossible,
            complete=self.complete,
            store_clock_offset_s=self._clock_offset_s,
            swept_at=self.swept_at,
            newest_key=main.newest_key or None if main else None,
            layout=main.place.layout.value if main else "",
            folder=main.place.root if main else "",
            other_archives=self._others(main),
            repeated_segments=main.repeated if main else 0,
            partials=main.partials if main else 0,
            newest_partial=self._partial(),
            backup_labels=main.backups if main else 0,
            base_backups=self.index.base_backups,
            backup_bytes=self.index.backup_bytes,
            wal_bytes=sum(archive.stored_bytes for archive in self.index.archives.values()),
            impossible_names=self.index.impossible,
            segment_bytes=size,
            key_endpoint=key_endpoint,
            holding=self.holding,
            other_holdings=self.other_holdings,
            histories_read=self.heads.histories,
            identities=self.heads.identities,
            sampled=self.heads.sampled or (),
            repeats=self.heads.repeats,
            shared=self.heads.shared,
            progress=self.progress,
            checked_at=self.checked_at,
            remembered=self.remembered,
            unread=self.heads.unread,
            doubted=self.doubted,
            lost=told(self.losses, self.index.prefix, size, accepted, archived),
            backups=self.backups.found,
            drills=self.drills.found,
            alike=self._alike(),
            stanzas=tuple(sorted(self.index.whereabouts.stanzas)),
            marked=self.marked,
            certificate=self._certificate,
        )
        found = self.continuity(accepted)
        return facts if found is None else _followed(facts, found)

    def _partial(self) -> str | None:
        """Barman's lies beside the place of its WAL."""
        found = max(filter(None, (each.partial for each in self.index.archives.values())), default=None)
        return found.name(self.index.segment_bytes) if found is not None else None

    def _alike(self) -> NamedAlike | None:
        newest = self.index.alike_newest
        if newest is None:
            return None
        return NamedAlike(self.index.alike, newest.name(self.index.segment_bytes), self.index.alike_key)

    def continuity(self, accepted: Sequence[AcceptedGap] = ()) -> Continuity | None:
        """Along the main archive's timelines; made anew only when something of it changed."""
        holding = self.holding
        accepted = [each for each in accepted if holding is not None and each.root == holding.root]
        basis = (holding, self.heads.version, tuple(accepted), len(self.gaps_seen))
        if holding is None:
            return None
        if self._continuity is None or not _same(basis, self._basis):
            self._basis = basis
            found = continuity(
                holding.timelines,
                self.heads.histories,
                holding.segment_bytes,
                known=holding.history_keys,
                most=GAPS_SHOWN,
                accepted=accepted,
            )
            self._continuity = replace(
                found,
                gaps=tuple(self._aged(gap, holding, found.path) for gap in found.gaps),
                accepted_gaps=tuple(self._aged(gap, holding, found.path) for gap in found.accepted_gaps),
            )
        return self._continuity

    def _aged(self, gap: Gap, holding: Holding, path: Sequence[Leg]) -> Gap:
        """When the first segment after it was stored: looked at, else estimated from the samples."""
        after = segment_after(gap, path, holding.segment_bytes)
        at = self.gaps_seen.get(after)
        if at is None:
            at = holding.times.about(after.timeline, after.number)
        return replace(gap, until_at=at)

    def _others(self, main: Archive | None) -> tuple[str, ...]:
        places = sorted(a.place for a in self.index.archives.values() if a is not main and a.segments)
        return tuple(f"{place.root}: {place.layout}" for place in places)

    @property
    def other_holdings(self) -> tuple[Holding, ...]:
        """The bucket's other archives, by place."""
        main = self.main
        others = (archive for archive in self.index.archives.values() if archive is not main)
        found = sorted((each for each in others if each.segments), key=lambda each: each.place)
        return tuple(held for each in found[:OTHERS_SHOWN] if (held := self._held(each)) is not None)


def _followed(facts: BucketFacts, found: Continuity) -> BucketFacts:
    """With what following the timelines found."""
    return replace(
        facts,
        continuity=found,
        gaps=found.gaps,
        gap_count=found.gap_count,
        missing_segments=found.missing_segments,
        accepted_gaps=tuple(gap.accepted for gap in found.accepted_gaps if gap.accepted),
    )


def segment_after(gap: Gap, path: Sequence[Leg], segment_bytes: int) -> Segment:
    """What a replay would read after a gap: at a switch that is the child's segment."""
    after = Segment.parse(gap.last, segment_bytes).next()
    for leg in path:
        if leg.timeline >= after.timeline and (leg.last is None or after.number <= leg.last):
            return Segment(max(leg.timeline, after.timeline), after.number)
    return after


def _written_last(archive: Archive) -> tuple[float, int]:
    newest = archive.newest
    at = None if newest is None else archive.times.exact(newest.timeline, newest.number)
    return at or 0.0, archive.segments


def _same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    """Holdings are compared by identity: the index makes another one when something was added."""
    return bool(other) and one[0] is other[0] and one[1:] == other[1:]
