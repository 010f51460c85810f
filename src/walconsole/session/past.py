"""What was kept of a cluster's past, read hour by hour in threads; and what is kept for a session alone."""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Protocol

from walconsole.domain.fleet.kept import KeptRow
from walconsole.domain.kept.runs import MOST_RUNS, KeptRun, News, between, by_then
from walconsole.domain.kept.screens import (
    Frame,
    Link,
    PastScreen,
    ScreenReader,
    changes_of,
    followed,
    thinned_frames,
)
from walconsole.domain.past import BLOCK_S, PastReading, Said

_MOST_HOURS = 4
"""Hours that are kept in memory while somebody goes through them."""


class Screens(Protocol):
    """Where whole screens are kept, by hours since the epoch. Calls may block, and raise RegisterError."""

    def screen_hours(self, cluster: str) -> list[int]: ...

    def screen_levels(self, cluster: str) -> list[tuple[float, str]]: ...

    def screens_of(self, cluster: str, hour: int) -> list[Frame]: ...

    def runs_until(self, cluster: str, at: float) -> list[KeptRun]: ...


class KeptPast:
    """board.front.Past of one cluster. `look` raises ValueError for a screen that had better not be shown."""

    def __init__(
        self, kept: Screens, cluster: str, look: Callable[[PastScreen], None] = lambda _: None
    ) -> None:
        self._kept, self._cluster, self._look = kept, cluster, look
        self._reader = ScreenReader()
        self._frames: dict[int, list[Frame]] = {}
        self._lock = asyncio.Lock()

    async def levels(self) -> list[tuple[float, str]]:
        """See Past."""
        return await asyncio.to_thread(self._kept.screen_levels, self._cluster)

    async def screen(self, at: float) -> PastScreen | None:
        """See Past. One that is damaged is passed over, for the one before it."""
        async with self._lock:
            return await asyncio.to_thread(self._screen, at)

    async def beside(self, at: float, step: int) -> float | None:
        """See Past."""
        async with self._lock:
            return await asyncio.to_thread(self._beside, at, step)

    async def frames(self, first: float, last: float) -> list[Frame]:
        """See Past."""
        return await asyncio.to_thread(frames_between, self._kept, self._cluster, first, last)

    async def runs(self, until: float) -> list[KeptRun]:
        """See Past."""
        return by_then(await asyncio.to_thread(self._kept.runs_until, self._cluster, until), until)

    async def runs_between(self, first: float, last: float) -> list[KeptRun]:
        """See Past."""
        return between(await asyncio.to_thread(self._kept.runs_until, self._cluster, last), first, last)

    def _screen(self, at: float) -> PastScreen | None:
        until = self._until(at)
        while until is not None:
            try:
                screen = self._reader.screen(until.document)
                self._look(screen)
                return screen
            except ValueError:
                before = self._beside(until.at, -1)
                until = self._until(before) if before is not None else None
        return None

    def _until(self, at: float) -> Frame | None:
        """The newest until then, else the first of all."""
        hours = self._kept.screen_hours(self._cluster)
        for hour in reversed(hours[: bisect_right(hours, int(at // BLOCK_S))]):
            frames = self._of(hour)
            place = bisect_right([frame.at for frame in frames], at)
            if place:
                return frames[place - 1]
        return next((self._of(hour)[0] for hour in hours if self._of(hour)), None)

    def _beside(self, at: float, step: int) -> float | None:
        hours = self._kept.screen_hours(self._cluster)
        here = int(at // BLOCK_S)
        wanted = hours[bisect_left(hours, here) :] if step > 0 else hours[: bisect_right(hours, here)][::-1]
        for hour in wanted:
            times = [frame.at for frame in self._of(hour)]
            beside = [one for one in times if one > at] if step > 0 else [one for one in times if one < at]
            if beside:
                return beside[0] if step > 0 else beside[-1]
        return None

    def _of(self, hour: int) -> list[Frame]:
        """The hour's; one that is not over may have more by now, and is read anew where it was the last."""
        if hour in self._frames and hour != max(self._frames):
            return self._frames[hour]
        frames = self._kept.screens_of(self._cluster, hour)
        self._frames.pop(hour, None)
        self._frames[hour] = frames
        while len(self._frames) > _MOST_HOURS:
            del self._frames[next(iter(self._frames))]
        return frames


def frames_between(kept: Screens, cluster: str, first: float, last: float) -> list[Frame]:
    """Those from `first` to `last`, both included, oldest first. Blocks; raises RegisterError."""
    hours = [hour for hour in kept.screen_hours(cluster) if first // BLOCK_S <= hour <= last // BLOCK_S]
    found = [frame for hour in hours for frame in kept.screens_of(cluster, hour)]
    return [frame for frame in found if first <= frame.at <= last]


class HeldHistory:
    """What a session that leaves nothing behind keeps of its own past, bounded; see history_keeper.Kept."""

    MOST = 1000

    def __init__(self, frames: Sequence[Frame] = (), runs: Sequence[KeptRun] = ()) -> None:
        self._frames = list(frames)
        self._runs = {each.run: each for each in runs}

    def write(self, cluster: str, readings: Sequence[PastReading]) -> None:
        """Numbers of their own are kept by the session's own history."""

    def note(self, cluster: str, said: Said, at: int) -> None:
        """What was said follows from the screens."""

    def keep_screens(self, _cluster: str, _writer: int, links: Sequence[Link]) -> None:
        """One writer's, whose every chain begins with nothing at all."""
        before = self._frames[-1].document if self._frames else {}
        self._frames += list(followed(links, before))
        if len(self._frames) > self.MOST:
            half = self.MOST // 2
            self._frames = [*thinned_frames(self._frames[:half], 60), *self._frames[half:]][-self.MOST :]

    def keep_run(self, _cluster: str, run: str, began: float, until: float, news: Sequence[News]) -> None:
        """One more part of it."""
        before = self._runs.get(run)
        self._runs[run] = KeptRun(run, began, until, (*(before.news if before is not None else ()), *news))
        while len(self._runs) > MOST_RUNS:
            del self._runs[next(iter(self._runs))]

    def runs_until(self, _cluster: str, at: float) -> list[KeptRun]:
        """See Screens."""
        return by_then(self._runs.values(), at)

    def keep_rows(self, cluster: str, rows: Sequence[KeptRow]) -> None:
        """There is no list in which it would stand."""

    def tidy(self, cluster: str, now: float) -> None:
        """It is bounded as it is."""

    def screen_hours(self, _cluster: str) -> list[int]:
        """See Screens."""
        return sorted({int(frame.at // BLOCK_S) for frame in self._frames})

    def screen_levels(self, _cluster: str) -> list[tuple[float, str]]:
        """See Screens."""
        return changes_of(self._frames)

    def screens_of(self, _cluster: str, hour: int) -> list[Frame]:
        """See Screens."""
        return [frame for frame in self._frames if int(frame.at // BLOCK_S) == hour]
