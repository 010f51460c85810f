"""The real time."""

import time

_BOOT = getattr(time, "CLOCK_BOOTTIME", None)


class SystemClock:
    """ports.Clock on this machine's clocks."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


def asleep_s() -> float:
    """Seconds that this machine slept since its boot, for which `monotonic` stands still; 0 where no clock
    tells (clock_gettime(2), CLOCK_BOOTTIME: Linux alone has it).
    """
    return 0.0 if _BOOT is None else time.clock_gettime(_BOOT) - time.monotonic()
