"""The real time."""

import time


class SystemClock:
    """ports.Clock on this machine's clocks."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()
