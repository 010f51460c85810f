"""Runs of steps as they are kept: when each was begun, and all that was told of it, as plain values.

What the news say belongs to whoever runs steps (provision.engine.kept_news); here they are objects in
their order, each with the time `at` at which it was told.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from walconsole.domain.kept.screens import packed, unpacked

MOST_RUNS = 200
"""So many are read, or recorded, at once: the newest."""
MOST_NEWS = 20_000
"""Of one run."""
MOST_BYTES = 8 << 20
"""Of all runs in a recording, and of one part of a run, unpacked."""
_LATEST = 253_402_300_799.0

News = dict[str, Any]


class KeptRun(NamedTuple):
    """One run: `began_at` and `heard_until`, seconds since the epoch; by the latter it was still there."""

    run: str
    began_at: float
    heard_until: float
    news: tuple[News, ...]


def by_then(runs: Iterable[KeptRun], until: float) -> list[KeptRun]:
    """Those that were begun by then, oldest first, with what was told by then."""
    return sorted(
        (
            KeptRun(
                each.run,
                each.began_at,
                min(each.heard_until, until),
                tuple(one for one in each.news if one["at"] <= until),
            )
            for each in runs
            if each.began_at <= until
        ),
        key=lambda each: each.began_at,
    )


def between(runs: Iterable[KeptRun], first: float, last: float) -> list[KeptRun]:
    """Those that were under way at some time from `first` to `last`, with what was told by then."""
    return by_then((each for each in runs if each.heard_until >= first), last)[-MOST_RUNS:]


def packed_runs(runs: Sequence[KeptRun]) -> bytes:
    """The newest of them, as many as can be read again. Raises ValueError for a number that is none."""
    made: list[list[Any]] = []
    left = MOST_BYTES
    for each in reversed(runs[-MOST_RUNS:]):
        one = [each.run, each.began_at, each.heard_until, list(each.news)]
        left -= len(json.dumps(one, ensure_ascii=False).encode("utf-8", "surrogatepass")) + 1
        if left < 0:
            break
        made.insert(0, one)
    return packed(made)


def runs_of(block: bytes) -> tuple[KeptRun, ...]:
    """What was packed, by anybody. Raises ValueError."""
    content = unpacked(block, MOST_BYTES)
    if not isinstance(content, list) or len(content) > MOST_RUNS:
        raise ValueError("its runs are no list, or too long a one")
    return tuple(_run(each) for each in content)


def _run(value: object) -> KeptRun:
    if not isinstance(value, list) or len(value) != 4:
        raise ValueError("one of its runs is none")
    run, began_at, heard_until, news = value
    if not isinstance(run, str) or len(run) > 40:
        raise ValueError("one of its runs has no name")
    return KeptRun(run, time_of(began_at), time_of(heard_until), news_of(news))


def news_of(content: object) -> tuple[News, ...]:
    """What was told, of plain values that anybody may have written. Raises ValueError."""
    if not isinstance(content, list) or len(content) > MOST_NEWS:
        raise ValueError("the news of a run are no list, or too long a one")
    for each in content:
        if not isinstance(each, dict):
            raise ValueError("one of the news of a run is none")
        time_of(each.get("at"))
    return tuple(content)


def time_of(value: object) -> float:
    """A time that can be shown. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST:
        raise ValueError("a run of steps has no time that can be shown")
    return float(value)
