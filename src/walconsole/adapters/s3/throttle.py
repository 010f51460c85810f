"""How many requests one store has under way: fewer when it asks for fewer, more again as it answers.

Additive increase, multiplicative decrease, as TCP does it: a refusal halves what is allowed and lets
everybody wait, each answer gives a little back.
"""

import asyncio
import time
from collections import deque
from types import TracebackType
from typing import Self

LONGEST_PAUSE_S = 20.0
"""However long a Retry-After is, nobody at the console waits longer for the next attempt."""


class Throttle:
    """`async with` it around each request. At most `limit` are under way at a time."""

    def __init__(self, limit: int) -> None:
        self._limit = max(1, limit)
        self._allowed = float(self._limit)
        self._under_way = 0
        self._wait_until = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def allowed(self) -> int:
        """How many may be under way now."""
        return max(1, int(self._allowed))

    def slow_down(self, pause_s: float) -> None:
        """The store asked for fewer requests: halve them, and let everybody wait for `pause_s`.

        What was under way when it asked is refused with it, and halves nothing more.
        """
        now = time.monotonic()
        if now >= self._wait_until:
            self._allowed = max(1.0, self._allowed / 2)
        self._wait_until = max(self._wait_until, now + min(pause_s, LONGEST_PAUSE_S))

    def answered(self) -> None:
        """A request was answered: as many answers as may be under way give back one place."""
        if self._allowed < self._limit:
            self._allowed = min(self._limit, self._allowed + 1 / self._allowed)
            self._wake()

    async def __aenter__(self) -> Self:
        try:
            await self._room()
        except asyncio.CancelledError:
            self._wake()  # the turn that was given is another's now
            raise
        self._under_way += 1
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._under_way -= 1
        self._wake()

    async def _room(self) -> None:
        """Wait until the pause is over and there is room."""
        while True:
            wait = self._wait_until - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            elif self._under_way < self.allowed:
                return
            else:
                await self._turn()

    async def _turn(self) -> None:
        """Wait until somebody makes room."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)

    def _wake(self) -> None:
        room = self.allowed - self._under_way
        while self._waiting and room > 0:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                room -= 1


# -- Taking turns with the screen: pages come in dozens at once, and a key press is not to wait for all.

TURN_S = 0.005
"""Between two looks of the event loop at everything else."""


class Turns:
    """Bounds the work that its users do in one round of the event loop."""

    def __init__(self) -> None:
        self._began: float | None = None

    async def mine(self) -> None:
        """Return in a round of the loop in which less than TURN_S has passed since the first of us began.

        What a task does before it waits again counts for those that come after it.
        """
        while self._is_over():  # noqa: ASYNC110  # what is waited for is another round, no event
            await asyncio.sleep(0)

    def _is_over(self) -> bool:
        now = time.monotonic()
        if self._began is None:
            self._began = now
            asyncio.get_running_loop().call_soon(self._next_round)
        return now - self._began > TURN_S

    def _next_round(self) -> None:
        self._began = None
