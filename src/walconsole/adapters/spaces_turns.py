"""Taking turns with the screen: pages come in dozens at once, and a key press is not to wait for all."""

import asyncio
import time

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
