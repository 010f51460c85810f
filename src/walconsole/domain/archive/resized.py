"""A listing that was read with a guessed wal_segment_size, as it reads with another one.

The keys are the same, and what they stand for is another number. Until the server has told its size, names
are read with the usual one, and what is lost meanwhile must not be forgotten with the guess.
"""

from collections.abc import Iterable, Iterator

from walconsole.domain.archive.contents import Archive
from walconsole.domain.archive.index import ArchiveIndex
from walconsole.domain.archive.layouts import LOG_BYTES, Place
from walconsole.domain.archive.losses import Losses, Lost, losses
from walconsole.domain.archive.runs import Runs
from walconsole.domain.wal import Segment


def resized(index: ArchiveIndex, segment_bytes: int) -> ArchiveIndex:
    """What can be compared with a later listing: segments, when they were stored, labels, base backups.

    Names that cannot exist with the new size are left out, and those that could not with the old one are not
    known: of a guess that was too large only a part is left.
    """
    other = ArchiveIndex(index.prefix, segment_bytes)
    other.base_backups = index.base_backups
    for place, archive in index.archives.items():
        other.archives[place] = _archive(archive, index.segment_bytes, segment_bytes)
    return other


def resized_losses(found: Losses, old: int, new: int) -> Losses:
    """What was lost, likewise: by a size of `old` bytes, and by one of `new`."""
    return {
        place: Lost(
            {timeline: _runs(runs, old, new) for timeline, runs in lost.timelines.items()},
            tuple(_segments(lost.backups, old, new)),
        )
        for place, lost in found.items()
    }


def losses_since(
    before: ArchiveIndex, main: Place | None, known: Losses, after: ArchiveIndex, now: float
) -> Losses:
    """See `losses`; whichever segment size the listing `before` was read with, it may have been a guess."""
    size = after.segment_bytes
    if before.segment_bytes != size:
        known, before = resized_losses(known, before.segment_bytes, size), resized(before, size)
    return losses(before, main, known, after, now)


def _archive(archive: Archive, old: int, new: int) -> Archive:
    timelines = {timeline: _runs(runs, old, new) for timeline, runs in archive.timelines.items()}
    other = Archive(archive.place, {timeline: runs for timeline, runs in timelines.items() if runs.count})
    other.labels = list(_segments(archive.labels, old, new))
    for timeline in archive.times.timelines():
        for number, at in archive.times.samples(timeline):
            for segment in _segments([Segment(timeline, number)], old, new):
                other.times.note(timeline, segment.number, at)
    return other


def _runs(runs: Runs, old: int, new: int) -> Runs:
    """A run goes on over a log's end only with the size that it was made with."""
    before, after = LOG_BYTES // old, LOG_BYTES // new
    made = Runs()
    for first, last in runs:
        for log in range(first // before, last // before + 1):
            low, high = max(first, log * before) % before, min(last, (log + 1) * before - 1) % before
            if low < after:
                made.add(log * after + low, log * after + min(high, after - 1))
    return made


def _segments(segments: Iterable[Segment], old: int, new: int) -> Iterator[Segment]:
    before, after = LOG_BYTES // old, LOG_BYTES // new
    for segment in segments:
        log, low = divmod(segment.number, before)
        if low < after:
            yield Segment(segment.timeline, log * after + low)
