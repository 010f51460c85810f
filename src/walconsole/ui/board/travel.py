"""A session's screens as they were at a moment of the past, or of a recording: where one is, the steps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from walconsole.ui.board.front import Moment, Moments

M = TypeVar("M", bound="Moment")
FAR_S = 900.0
"""What is farther from the time that was asked for is told: of the thinnest, one is kept in ten minutes."""


class TimeLine(NamedTuple):
    """What the line at the bottom shows: from `first` to `last`, where one is, and when which level began.

    `word` names it: that it is the past, or a recording.
    """

    word: str
    first: float
    last: float
    at: float
    levels: tuple[tuple[float, str], ...]


class Travel(Generic[M]):
    """`recording`: there is no now to come back to. Calls raise RegisterError where nothing can be read."""

    def __init__(self, past: Moments[M], *, recording: bool = False) -> None:
        self._past, self.recording = past, recording
        self.levels: tuple[tuple[float, str], ...] = ()
        self.screen: M | None = None
        self.until = 0.0

    async def begin(self, now: float) -> bool:
        """Go to the newest moment that is kept, of a recording to the first; False where nothing is kept."""
        self.levels = tuple(await self._past.levels())
        newest = await self._past.screen(now)
        self.screen = await self._past.screen(0.0) if self.recording else newest
        self.until = now if newest is None or not self.recording else newest.at
        return self.screen is not None

    async def step(self, by: int) -> bool:
        """The moment before (-1) or after (1) that is kept; False where there is none."""
        at = None if self.screen is None else await self._past.beside(self.screen.at, by)
        return at is not None and await self.go(at)

    async def jump(self, seconds: float) -> bool:
        """Farther back, or forward; at the ends the first or the last moment."""
        if self.screen is None:
            return False
        at = self.screen.at
        await self.go(at + seconds)
        return self.screen.at != at or await self.step(1 if seconds > 0 else -1)

    async def change(self, by: int) -> bool:
        """To where the first line's level became what it is here, or became another after it."""
        here = self.screen.at if self.screen is not None else 0.0
        times = [at for at, _ in self.levels]
        wanted = [at for at in times if at < here][-1:] if by < 0 else [at for at in times if at > here][:1]
        return bool(wanted) and await self.go(wanted[0])

    async def go(self, at: float) -> bool:
        """To the newest that is kept until then, else to the first; False where nothing is kept."""
        screen = await self._past.screen(at)
        if screen is None:
            return False
        self.screen = screen
        return True

    def off(self, asked: float) -> str:
        """What is to be said where what was asked for is not what is shown; empty where it is."""
        if self.screen is None or abs(self.screen.at - asked) <= FAR_S:
            return ""
        which = "the newest before it" if self.screen.at < asked else "what is kept begins after it"
        shown = f"{datetime.fromtimestamp(self.screen.at, UTC):%Y-%m-%d %H:%M:%SZ}"
        return f"nothing is kept of {datetime.fromtimestamp(asked, UTC):%Y-%m-%d %H:%MZ}: {which} is {shown}"

    @property
    def word(self) -> str:
        """What it is, in a word."""
        return "RECORDING" if self.recording else "PAST"

    def note(self, now: float) -> str:
        """What stands before the verdict: that this is not now."""
        from walconsole.domain.units import whole_duration_text

        if self.screen is None:
            return ""
        at = f"{datetime.fromtimestamp(self.screen.at, UTC):%Y-%m-%d %H:%M:%SZ}"
        if self.recording:
            return f"A RECORDING, {at}; "
        return f"THE PAST, {at}, {whole_duration_text(max(0.0, now - self.screen.at))} ago; "

    def line(self) -> TimeLine | None:
        """For the bottom of every screen."""
        if self.screen is None:
            return None
        first = self.levels[0][0] if self.levels else self.screen.at
        last = max(self.until, self.screen.at)
        return TimeLine(self.word, min(first, self.screen.at), last, self.screen.at, self.levels)
