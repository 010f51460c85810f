"""When Python looks for reference cycles: not while the console starts, and never through what stays.

A full collection goes through every object there is: with Textual and the adapters that is 40 to 150 ms
in which no key is painted, every few seconds. What exists once the adapters are imported lives as long
as the session, so that it is taken out of the collector's sight.
"""

import gc
from collections.abc import Callable
from functools import cache

FULL_EVERY = 50
"""A full collection after so many of the middle generation, instead of 10: it still goes through 20,000
lines of the log, 10 to 20 ms, and finds next to nothing."""


def collect_nothing() -> None:
    """Start up without: imports make many objects and no garbage."""
    gc.disable()


def collect() -> None:
    """From now on collect as Python does."""
    gc.enable()


@cache
def collect_what_is_new() -> None:
    """From now on collect, leaving alone what exists already; once.

    Where many droplets are looked at this is asked for with each: garbage that is frozen is never collected.
    """
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, FULL_EVERY)
    gc.freeze()
    gc.enable()


def few_heaps() -> None:
    """Have the threads share two of glibc's heaps (mallopt(3), M_ARENA_MAX): before there are any.

    Each thread that makes and drops snapshots leaves its own heap with holes. Without glibc nothing is done.
    """
    import ctypes

    choose = getattr(ctypes.CDLL(None), "mallopt", None)
    if choose is not None:
        choose(_ARENA_MAX, 2)


_ARENA_MAX = -8


class Lasting:
    """What is made once and stays, as hundreds of connections, taken out of the collector's sight.

    To go through all of it takes 100 ms and more, in which no key is painted. What is new is gone through
    once, and then counts as staying. What of all that was dropped since, and is in a cycle, is found once in
    REVIEWED_EVERY_S.
    """

    def __init__(self, now: float) -> None:
        self._reviewed_at = now

    def collect(self, now: float) -> None:
        """What is new, and now and then everything; what is left stays. `now` is of a monotonic clock, in
        seconds.
        """
        if now - self._reviewed_at >= REVIEWED_EVERY_S:
            self._reviewed_at = now
            gc.unfreeze()
        collect_all()
        gc.freeze()

    def dropped(self, now: float) -> None:
        """Something large is not needed any more: everything is gone through SOON_S later at the latest."""
        self._reviewed_at = min(self._reviewed_at, now + SOON_S - REVIEWED_EVERY_S)


REVIEWED_EVERY_S, SOON_S = 3600.0, 600.0


def collect_all() -> None:
    """Every cycle, and give back what is free: for who makes and drops much, again and again.

    glibc keeps freed memory in the middle of its heaps, of which each thread has one: 20 of 115 MiB after 36
    whole looks (malloc_trim(3)). Where there is no such function, nothing is given back.
    """
    gc.collect()
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    import ctypes

    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found
