"""A full listing of a bucket, ranges side by side, every page folded at once; and when one is due.

The first pages come one after another. As soon as a page lies in a part of the key space that can
be split, a few single-key requests at doubling distances find about where that part ends, and it
is listed as ranges side by side, as many as the store's latency is worth. A range that outlives
the others is split again.
"""

import asyncio
import math
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from walconsole.domain.archive.index import ArchiveIndex
from walconsole.domain.archive.key_space import KeySpace, key_space
from walconsole.domain.facts.observed import SweepProgress
from walconsole.domain.round_trips import Page
from walconsole.errors import WalconsoleError
from walconsole.ports import ObjectStore

# -- When a bucket is to be listed anew: once a day, and sooner where something contradicts what was listed.

SWEEP_EVERY_S = 86_400.0
SWEEP_AGAIN_S = 600.0
SWEEP_AGAIN_PAGE_S = 5.0
"""Where something contradicts the index, or no archive was found, a sweep is due as often as this.

Where a poll saw that something is gone, after the second for each page that the last sweep took.
"""
_FEW_OBJECTS = 1000


class SweepSchedule:
    """When the next sweep is due: at once before the first. Times are seconds of the monotonic clock."""

    def __init__(self) -> None:
        self._due = 0.0
        self._begun_at = self._contradicted_at = -SWEEP_AGAIN_S
        self._pages = 0

    def is_due(self, now: float) -> bool:
        """Whether it is due where an archive was found."""
        return now >= self._due

    def is_due_of_nothing(self, now: float, objects: int) -> bool:
        """Whether it is due where no archive was found: one may appear anywhere. Few objects are one page."""
        return objects < _FEW_OBJECTS or now >= self._begun_at + SWEEP_AGAIN_S

    def anew(self) -> None:
        """Somebody asks for it: it is due at once."""
        self._due = 0.0

    def recalled(self, now: float, age_s: float) -> None:
        """What a sweep found `age_s` ago was taken up."""
        self._due = now + SWEEP_EVERY_S - age_s

    def begun(self, now: float) -> None:
        """A sweep has begun."""
        self._begun_at, self._due = now, now + SWEEP_EVERY_S

    def ended(self, pages: int) -> None:
        """It took so many pages."""
        self._pages = pages

    def contradicted(self, now: float) -> bool:
        """Something contradicts the index: whether a sweep is due at once, else within SWEEP_AGAIN_S."""
        return self._soon(now, SWEEP_AGAIN_S)

    def changed(self, now: float) -> bool:
        """As `contradicted`, where something was seen to be gone, or another: sooner after a short sweep."""
        return self._soon(now, min(SWEEP_AGAIN_S, self._pages * SWEEP_AGAIN_PAGE_S))

    def _soon(self, now: float, again_s: float) -> bool:
        due = max(now, self._contradicted_at + again_s)
        if due >= self._due:
            return False
        self._due = self._contradicted_at = due
        return due == now


# -- The listing.

MOST_RANGES = 64
FEWEST_RANGES = 4
_RANGES_PER_SECOND = 1600
"""Ranges side by side for a second of latency: 4 up to 2.5 ms a page, 64 from 40 ms."""
_PAGE_KEYS = 1000
_PROBES_AT_ONCE = 16


@dataclass(slots=True, eq=False)
class _Range:
    """Keys after `after` up to and including `upto` (None: to the end of the bucket).

    `space` and `limit` (a position) are known for a range that can be split.
    """

    after: str
    upto: str | None
    space: KeySpace | None = None
    limit: int = 0
    done: bool = False

    def left(self) -> int:
        """Positions still to list, 0 where that is not known."""
        position = self.space.position(self.after) if self.space else None
        return 0 if position is None else self.limit - position


class Sweep:
    """One full listing. `advance` works on it for a while; it may be called again after any failure.

    `index` is what was seen so far; `page_seen(page, count, after)` is told that the first `count`
    objects of a page that was listed after `after` were folded into it, every object of the bucket
    once. At most `most_ranges` are listed side by side. `first` is the first page, where it is there already.
    `pages` were listed so far, in `seconds`.
    """

    def __init__(
        self,
        store: ObjectStore,
        index: ArchiveIndex,
        page_seen: Callable[[Page, int, str], None],
        most_ranges: int = MOST_RANGES,
        first: Page | None = None,
    ) -> None:
        self.index = index
        self.pages = 0
        self.seconds = 0.0
        self._most_ranges = max(1, most_ranges)
        self._store, self._first = store, first
        self._page_seen = page_seen
        self._waiting = [_Range("", None)]
        self._listing: list[_Range] = []
        self._surveyed: set[KeySpace] = set()
        self._latency_s = math.inf
        self._tasks: asyncio.TaskGroup | None = None
        self._workers = 0
        self._stop_at: float | None = None

    @property
    def complete(self) -> bool:
        """Whether every range is listed."""
        return not self._waiting and not self._listing

    def progress(self, segments: int) -> SweepProgress:
        """How far it is, with `segments` of the archive seen.

        What is left is estimated from the positions that the ranges have still to cover; a part of the
        bucket whose keys have no order to split by is not known before it was listed.
        """
        left = sum(piece.left() for piece in (*self._waiting, *self._listing))
        per_s = segments / self.seconds if self.seconds else 0.0
        return SweepProgress(self.pages, segments, self.seconds, left / per_s if left and per_s else None)

    async def advance(self, seconds: float | None = None) -> bool:
        """List for about `seconds` (None: to the end); True when all is listed.

        Raises ObjectStoreError (SshError where the key is on the droplet); what was listed is kept.
        """
        began = time.monotonic()
        self._stop_at = None if seconds is None else began + seconds
        self._workers = 0
        failure: BaseException | None = None
        try:
            await asyncio.create_task(self._list_ranges())  # a group counts its own task's cancellations
        except* WalconsoleError as errors:
            failure = _first(errors)
        finally:
            self._tasks = None
            self.seconds += time.monotonic() - began
        if failure is not None:
            raise failure  # not inside except*: Python 3.11.2 would make a group of it
        return self.complete

    async def _list_ranges(self) -> None:
        async with asyncio.TaskGroup() as self._tasks:
            self._staff()

    def _staff(self) -> None:
        """As many workers as there are ranges waiting and the latency is worth."""
        wanted = min(len(self._waiting), self._worthwhile() - self._workers)
        for _ in range(wanted):
            if self._tasks is not None:
                self._workers += 1
                self._tasks.create_task(self._work())

    def _worthwhile(self) -> int:
        worth = min(self._latency_s, 1.0) * _RANGES_PER_SECOND
        return min(self._most_ranges, max(FEWEST_RANGES, round(worth)))

    async def _work(self) -> None:
        try:
            while not self._time_is_up():
                piece = self._claim()
                if piece is None:
                    return
                await self._list(piece)
        finally:
            self._workers -= 1

    def _time_is_up(self) -> bool:
        return self._stop_at is not None and time.monotonic() >= self._stop_at

    def _claim(self) -> _Range | None:
        """A waiting range, or else the upper half of the longest one that is being listed."""
        if self._waiting:
            return self._waiting.pop()
        longest = max(self._listing, key=_Range.left, default=None)
        if longest is None or longest.space is None or longest.left() <= 3 * longest.space.page:
            return None
        space, left = longest.space, longest.left()
        middle = longest.limit - left // 2
        upper = _Range(space.key(middle), longest.upto, space, longest.limit)
        longest.upto, longest.limit = upper.after, middle
        return upper

    async def _list(self, piece: _Range) -> None:
        self._listing.append(piece)
        try:
            while not piece.done and not self._time_is_up():
                self._take(piece, await self._next(piece))  # kept by no name
                if piece.space is None:
                    await self._survey(piece)
        finally:
            self._listing.remove(piece)
            if not piece.done:
                self._waiting.append(piece)

    async def _next(self, piece: _Range) -> Page:
        first, self._first = self._first, None
        return first if first is not None else await self._store.page(start_after=piece.after)

    def _take(self, piece: _Range, page: Page) -> None:
        """Fold what of the page lies in the range; the rest is another range's."""
        self._latency_s = min(self._latency_s, page.seconds)
        keys = page.objects.keys
        count = len(keys)
        if piece.upto is not None and count and keys[-1] > piece.upto:
            count = bisect_right(keys, piece.upto)
            keys = keys[:count]
        self.index.fold(keys, page.objects)
        self._page_seen(page, count, piece.after)
        self.pages += 1
        ended = not page.truncated or count < len(page.objects)
        if count and page.objects.keys[count - 1] > piece.after:
            piece.after = page.objects.keys[count - 1]
        else:
            ended = True  # nothing new: also what keeps a store that ignores start-after from looping
        piece.done = ended or piece.after == piece.upto

    async def _survey(self, piece: _Range) -> None:
        """Find about where the part of the key space around `piece.after` ends, and split it up."""
        if piece.done:
            return
        space = key_space(piece.after, self.index.prefix, self.index.segment_bytes)
        begin = space.position(piece.after) if space else None
        if space is None or begin is None or space in self._surveyed:
            return
        limit = await self._limit(space, begin)
        self._surveyed.add(space)
        if piece.upto is not None and space.key(limit) > piece.upto:
            return
        rest = _Range(space.key(limit), piece.upto)
        self._waiting.append(rest)
        piece.upto, piece.space, piece.limit = rest.after, space, limit
        self._split(piece, space, begin)
        self._staff()

    def _split(self, piece: _Range, space: KeySpace, begin: int) -> None:
        """Cut the range into as many as are worthwhile, all but the first of them waiting."""
        pieces = min(self._worthwhile(), (piece.limit - begin) // space.page)
        if pieces < 2:
            return
        cuts = [begin + (piece.limit - begin) * at // pieces for at in range(1, pieces)]
        ends = [*cuts[1:], piece.limit]
        whole_upto = piece.upto
        for cut, end in zip(cuts, ends, strict=True):
            upto = whole_upto if end == piece.limit else space.key(end)
            self._waiting.append(_Range(space.key(cut), upto, space, end))
        piece.upto, piece.limit = space.key(cuts[0]), cuts[0]

    async def _limit(self, space: KeySpace, begin: int) -> int:
        """A position beyond the last key of `space`, less than twice as far from `begin` as that key."""
        steps = []
        distance = space.page
        while begin + distance < space.limit:
            steps.append(begin + distance)
            distance *= 2
        for start in range(0, len(steps), _PROBES_AT_ONCE):
            batch = steps[start : start + _PROBES_AT_ONCE]
            async with asyncio.TaskGroup() as tasks:
                found = [tasks.create_task(self._any_after(space, step)) for step in batch]
            for step, beyond in zip(batch, found, strict=True):
                if not beyond.result():
                    return step
        return space.limit - 1

    async def _any_after(self, space: KeySpace, position: int) -> bool:
        page = await self._store.page(start_after=space.key(position), max_keys=1)
        return any(space.position(key) is not None for key in page.objects.keys)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
