"""The picture of one bucket that pages are folded into, and the facts that it makes."""

from bisect import bisect_left

from walconsole.domain.archive.gap import Gap
from walconsole.domain.archive.index import Archive, ArchiveIndex, segment_bytes_by_names
from walconsole.domain.archive.key_space import SEGMENT_NAME
from walconsole.domain.archive.layouts import Place, archived_name, split_key
from walconsole.domain.facts import BucketFacts
from walconsole.domain.profile import BucketTarget
from walconsole.domain.wal import Segment, WalNameKind
from walconsole.ports import Page

GAPS_SHOWN = 1000
OVERLAP_SEGMENTS = 32
"""A poll begins this many segments below the newest key: parallel writers finish out of order."""


class BucketPicture:
    """What is known of a bucket. `objects` and `stored_bytes` count every key under the prefix."""

    def __init__(self, prefix: str, segment_bytes: int) -> None:
        self.index = ArchiveIndex(prefix, segment_bytes)
        self.objects = 0
        self.stored_bytes = 0
        self.complete = False
        self.swept_at = 0.0
        self._newest_at: dict[str, float] = {}
        self._clock_offset_s: float | None = None
        self._gaps_basis: tuple[Place, int] | None = None
        self._gaps_made: tuple[Gap, ...] = ()

    @property
    def main(self) -> Archive | None:
        """The archive that was written to last, None when the bucket holds none."""
        return max(self.index.archives.values(), key=self._written_last, default=None)

    def _written_last(self, archive: Archive) -> tuple[float, int]:
        return self._newest_at.get(archive.newest_key, 0.0), archive.segments

    def page_seen(self, page: Page, count: int) -> None:
        """The first `count` objects of a page of the sweep were folded into the index."""
        self.objects += count
        self.stored_bytes += page.objects.stored_bytes(0, count)
        self._note(page, count)

    def add_new(self, page: Page) -> None:
        """Fold what of a poll's page belongs to the main archive and was not known."""
        main = self.main
        known_to = main.last_key if main else ""
        for position, key in enumerate(page.objects.keys):
            if self._is_new(main, key, known_to):
                self.index.fold((key,))
                self.objects += 1
                self.stored_bytes += page.objects[position].size
        self._note(page, len(page.objects))

    def _is_new(self, main: Archive | None, key: str, known_to: str) -> bool:
        try:
            name = archived_name(split_key(key)[1], self.index.segment_bytes)
        except ValueError:
            return False
        archive = self.index.archive_of(key)
        if name is None or archive is not main:
            return False
        if key > known_to or main is None:
            return True
        if name.kind is not WalNameKind.SEGMENT or name.segment is None:
            return False
        runs = main.timelines.get(name.timeline)
        return runs is None or name.segment.number not in runs

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

    def _note(self, page: Page, count: int) -> None:
        """Remember when the newest segments were stored, and the store's clock."""
        keys = page.objects.keys
        for archive in self.index.archives.values():
            key = archive.newest_key
            if key and key not in self._newest_at:
                at = bisect_left(keys, key, 0, count)
                if at < count and keys[at] == key:
                    self._newest_at[key] = page.objects[at].modified_at
        if len(self._newest_at) > len(self.index.archives):
            current = {archive.newest_key for archive in self.index.archives.values()}
            self._newest_at = {key: at for key, at in self._newest_at.items() if key in current}
        if page.store_clock is not None:
            # The Date header counts whole seconds: half of one is the best guess.
            self._clock_offset_s = page.store_clock + 0.5 - (page.answered_at - page.seconds / 2)

    def suggested_segment_bytes(self) -> int:
        """The wal_segment_size that the names suggest."""
        return segment_bytes_by_names(self.index, self.main) if self.main else self.index.segment_bytes

    def facts(self, target: BucketTarget, key_hint: str, key_endpoint: str) -> BucketFacts:
        """What the screen and the rules see."""
        main, size = self.main, self.index.segment_bytes
        return BucketFacts(
            role=target.role,
            bucket=target.bucket,
            endpoint=target.endpoint,
            key_hint=key_hint,
            objects=self.objects,
            stored_bytes=self.stored_bytes,
            segments=main.segments if main else 0,
            newest_segment=main.newest.name(size) if main and main.newest else None,
            newest_at=self._newest_at.get(main.newest_key) if main else None,
            oldest_segment=main.oldest.name(size) if main and main.oldest else None,
            gaps=self._gaps(main) if main else (),
            histories=tuple(sorted(main.histories)) if main else (),
            foreign_objects=self.index.foreign + self.index.impossible,
            complete=self.complete,
            store_clock_offset_s=self._clock_offset_s,
            swept_at=self.swept_at,
            newest_key=main.newest_key or None if main else None,
            layout=main.place.layout.value if main else "",
            folder=main.place.root if main else "",
            other_archives=self._others(main),
            gap_count=main.gap_count if main else 0,
            missing_segments=main.missing if main else 0,
            repeated_segments=main.repeated if main else 0,
            partials=main.partials if main else 0,
            backup_labels=main.backups if main else 0,
            impossible_names=self.index.impossible,
            segment_bytes=size,
            key_endpoint=key_endpoint,
        )

    def _gaps(self, main: Archive) -> tuple[Gap, ...]:
        """Made anew only when segments were added: a thousand of them take longer than a poll."""
        basis = main.place, main.segments
        if basis != self._gaps_basis:
            self._gaps_basis = basis
            self._gaps_made = tuple(main.gaps(self.index.segment_bytes, GAPS_SHOWN))
        return self._gaps_made

    def _others(self, main: Archive | None) -> tuple[str, ...]:
        places = sorted(a.place for a in self.index.archives.values() if a is not main)
        return tuple(f"{place.root}: {place.layout}" for place in places)
