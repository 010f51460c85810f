"""Many segments' names at once: a million of them are compared and read as text, not one by one."""

import sys
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

_FEW = 8
_WORTHWHILE = 20
"""Keys in a run, on average, above which searching its end is faster than reading all of them."""
_FIELDS = 3
"""Timeline, log and segment: a name is three numbers of eight hexadecimal digits."""


def long_runs(
    keys: Sequence[str], head: str, suffix: str, per_log: int
) -> tuple[list[int], list[int]] | None:
    """First and last of the runs that `keys` are, None when they are not, or the runs are short.

    What the first and the last name of each run say is believed only when all keys together are,
    as text, what these runs would be: it holds for keys of any kind and in any order.
    """
    firsts: list[int] = []
    lasts: list[int] = []
    start = 0
    try:
        while start < len(keys):
            first = _number(keys[start], len(head), per_log)
            too_many = len(firsts) >= _FEW and start < _WORTHWHILE * len(firsts)
            if too_many or first <= (lasts[-1] if lasts else 0):
                return None
            stop = _run_stop(keys, start, first, len(head), per_log)
            firsts.append(first)
            lasts.append(first + stop - start - 1)
            start = stop
    except ValueError:
        return None
    runs = zip(firsts, lasts, strict=True)
    lines = "\n".join([_run_lines(head, suffix, first, last, per_log) for first, last in runs])
    return (firsts, lasts) if lines == "\n".join(keys) else None


def _run_stop(keys: Sequence[str], start: int, first: int, at: int, per_log: int) -> int:
    """Where the run that begins at `start` with number `first` stops, if the keys are ascending."""

    def is_farther(other: int) -> bool:
        return _number(keys[other], at, per_log) - first > other - start

    stop = len(keys)
    if not is_farther(stop - 1):
        return stop
    step = 1
    while start + step < stop and not is_farther(start + step):
        step *= 2
    return bisect_left(range(stop), True, start + step // 2, min(start + step, stop), key=is_farther)


def _number(key: str, at: int, per_log: int) -> int:
    """The number of the segment whose log and segment fields are at `at`. Raises ValueError."""
    position = int(key[at : at + 16], 16)
    return (position >> 32) * per_log + (position & 0xFFFFFFFF)


def _run_lines(head: str, suffix: str, first: int, last: int, per_log: int) -> str:
    """The keys of segments `first` to `last` as lines: `head` (directory and timeline), name, suffix."""
    lows = _low_fields(suffix, per_log)
    logs = []
    for log in range(first // per_log, last // per_log + 1):
        start = f"{head}{log:08X}"
        begin, end = max(0, first - log * per_log), last - log * per_log + 1
        logs.append(start + f"\n{start}".join(lows[begin:end]))
    return "\n".join(logs)


@lru_cache(maxsize=8)
def _low_fields(suffix: str, per_log: int) -> tuple[str, ...]:
    return tuple(f"{low:08X}{suffix}" for low in range(per_log))


def segment_numbers(names: Sequence[str], lines: str, suffix: str, per_log: int) -> list[int]:
    """The numbers within their timelines of `names`, which `lines` holds with `suffix`, each line ended.

    The names are known to be segments'.
    """
    digits = lines.replace(f"{suffix}\n", "")
    if len(digits) != 24 * len(names):  # a checksum: no suffix is like the other
        digits = "".join([name[:24] for name in names])
    fields = array("I", bytes.fromhex(digits))
    if sys.byteorder == "little":
        fields.byteswap()
    logs, lows = fields[1::_FIELDS], fields[2::_FIELDS]
    return [log * per_log + low for log, low in zip(logs, lows, strict=True)]


def runs_of(numbers: Sequence[int]) -> tuple[list[int], list[int]]:
    """First and last of each unbroken run of ascending numbers."""
    breaks = [at for at, (a, b) in enumerate(pairwise(numbers), 1) if b - a != 1]
    firsts = [numbers[0], *[numbers[at] for at in breaks]]
    lasts = [*[numbers[at - 1] for at in breaks], numbers[-1]]
    return firsts, lasts
