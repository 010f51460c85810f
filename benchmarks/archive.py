"""What the archive's arithmetic costs for a million segments, by the number of gaps.

In this process, without a store: from a listing's pages to what a restore would find, the coverage
strip, what one copy lacks of another, and the index as it is kept between sessions. Processor time,
so that other programs do not count.
"""

import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.listing_server import PAGE_KEYS, SEGMENT_BYTES
from benchmarks.report import Result, middle
from walconsole.domain.archive.comparison import lacking
from walconsole.domain.archive.continuity import continuity
from walconsole.domain.archive.coverage import strip
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.index import ArchiveIndex
from walconsole.domain.archive.listing import StoredObject
from walconsole.domain.archive.marks import Marks
from walconsole.domain.archive.saved import dump, load
from walconsole.domain.wal import Segment

SEGMENTS = 1_000_000
GAPS = (0, 1_000, 100_000)
WIDTH = 200
"""Cells of the widest coverage strip."""
MODIFIED_AT = 1_700_000_000.0

CONTINUITY_BUDGET_S = 0.3
"""From the pages to what a restore would find."""


@dataclass(frozen=True, slots=True)
class NamesAlone:
    """domain.archive.listing.ObjectListing of segments of one size, all stored at the same time."""

    keys: Sequence[str]

    def stored_bytes(self, start: int, stop: int) -> int:
        """So many times the size of one."""
        return (stop - start) * SEGMENT_BYTES

    def outside(self, start: int, stop: int, least: int, most: int) -> Sequence[tuple[int, int]]:
        """None of them."""
        return ()

    def modified_at(self, position: int) -> float:
        """The same for each."""
        return MODIFIED_AT

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, position: int) -> StoredObject:
        return StoredObject(self.keys[position], SEGMENT_BYTES, MODIFIED_AT)


def measure(runs: int = 3) -> list[Result]:
    """Everything, in rows."""
    return [row for gaps in GAPS for row in _with_gaps(gaps, runs)]


def _with_gaps(gaps: int, runs: int) -> list[Result]:
    pages = list(map(NamesAlone, _pages(gaps)))
    fold_s = _processor_s(lambda: _folded(pages), runs)
    index, kib = _with_memory(lambda: _folded(pages))
    primary, dr = _held(index), _held(_folded(pages[:-10]))
    _check(primary, gaps)
    judge_s = _processor_s(lambda: continuity(primary.timelines, {}, SEGMENT_BYTES), runs)
    note = f"fold {fold_s:.3f} s, continuity {judge_s:.3f} s; the index holds {kib:,.0f} KiB"
    return [
        Result(f"continuity, {gaps:,} gaps", fold_s + judge_s, "s", CONTINUITY_BUDGET_S, note),
        *_of_two_copies(primary, dr, gaps, runs),
        *_between_sessions(index, pages, gaps, runs),
    ]


def _of_two_copies(primary: Holding, dr: Holding, gaps: int, runs: int) -> list[Result]:
    """The strip is made anew, as for a zoom or after a poll that brought something."""
    one, other = primary.timelines[1], dr.timelines[1]
    strip_s = _processor_s(lambda: strip(one, other, (one.first, one.last), WIDTH), runs)
    lacking_s = _processor_s(lambda: lacking(primary, dr), runs)
    return [
        Result(f"  coverage of two copies, {gaps:,} gaps", 1000 * strip_s, "ms", None, f"{WIDTH} cells"),
        Result(f"  what the other copy lacks, {gaps:,} gaps", 1000 * lacking_s, "ms"),
    ]


def _between_sessions(index: ArchiveIndex, pages: Sequence[NamesAlone], gaps: int, runs: int) -> list[Result]:
    marks = Marks()
    for before, page in zip([NamesAlone([""]), *pages], pages, strict=False):
        marks.add_page(before.keys[-1], len(page))
    document = dump(index, marks, {})
    if _held(load(document).index).timelines[1].count != SEGMENTS:
        raise AssertionError("the index that was loaded is not the one that was saved")
    save_s = _processor_s(lambda: dump(index, marks, {}), runs)
    load_s = _processor_s(lambda: load(document), runs)
    kib = f"{len(document) / 1024:,.0f} KiB"
    return [
        Result(f"  saving the index, {gaps:,} gaps", 1000 * save_s, "ms", None, kib),
        Result(f"  loading it, {gaps:,} gaps", 1000 * load_s, "ms"),
    ]


def _pages(gaps: int) -> list[list[str]]:
    """The names of SEGMENTS segments, a list a page; `gaps` times one is missing between two stored ones."""
    every = SEGMENTS // (gaps + 1)
    names = [Segment(1, 1 + at + min(at // every, gaps)).name() for at in range(SEGMENTS)]
    return [names[start : start + PAGE_KEYS] for start in range(0, SEGMENTS, PAGE_KEYS)]


def _folded(pages: Sequence[NamesAlone]) -> ArchiveIndex:
    index = ArchiveIndex()
    for page in pages:
        index.fold(page.keys, page)
    return index


def _held(index: ArchiveIndex) -> Holding:
    (archive,) = index.archives.values()
    return archive.holding(index.prefix, index.segment_bytes)


def _check(held: Holding, gaps: int) -> None:
    """Raises AssertionError when the arithmetic is wrong: then its speed is worth nothing."""
    found = continuity(held.timelines, {}, held.segment_bytes)
    if (held.segments, found.gap_count, found.missing_segments) != (SEGMENTS, gaps, gaps):
        raise AssertionError(f"{held.segments:,} segments, {found.gap_count:,} gaps")


def _processor_s(work: Callable[[], object], runs: int) -> float:
    """The median processor time of `work`."""
    seconds = []
    for _ in range(runs):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return middle(seconds)


def _with_memory(work: Callable[[], ArchiveIndex]) -> tuple[ArchiveIndex, float]:
    """What `work` makes, and how many KiB it keeps."""
    tracemalloc.start()
    made = work()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return made, kept / 1024
