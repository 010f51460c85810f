"""Fields of a saved document, each as it must be: whatever else it is raises ValueError."""

import math
from collections.abc import Iterable, Mapping
from typing import TypeVar

from walconsole.domain.archive.packing import pack_numbers, pack_times, unpack_numbers, unpack_times
from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.wal import Segment

Content = Mapping[str, object]
_T = TypeVar("_T")


def field(content: Content, name: str, kind: type[_T]) -> _T:
    """A field of that kind."""
    value = content.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"its {name!r} is no {kind.__name__}")
    return value


def count(content: Content, name: str) -> int:
    """A whole number, not below 0."""
    value = field(content, name, int)
    if value < 0:
        raise ValueError(f"its {name!r} is below 0")
    return value


def rows(content: Content, name: str, columns: int) -> list[list[object]]:
    """A list of lists, each of so many."""
    value = field(content, name, list)
    if not all(isinstance(row, list) and len(row) == columns for row in value):
        raise ValueError(f"its {name!r} are not {columns} each")
    return value


def timelines_content(timelines: Mapping[int, Runs]) -> list[list[object]]:
    """Runs by timeline, packed."""
    return [
        [timeline, pack_numbers(first for first, _ in runs), pack_numbers(last for _, last in runs)]
        for timeline, runs in timelines.items()
    ]


def timelines(content: Content, name: str, highest: int) -> dict[int, Runs]:
    """Runs by timeline, none of them empty, with numbers up to `highest`."""
    found: dict[int, Runs] = {}
    for timeline, firsts, lasts in rows(content, name, 3):
        runs = Runs.from_intervals(unpack_numbers(firsts), unpack_numbers(lasts))
        if not runs.count or runs.last > highest:
            raise ValueError(f"its {name!r} have a timeline without segments, or with impossible ones")
        found[_timeline(timeline)] = runs
    return found


def times_content(times: StoredTimes) -> list[list[object]]:
    """The samples by timeline, packed."""
    return [
        [timeline, pack_numbers(number for number, _ in samples), pack_times(at for _, at in samples)]
        for timeline, samples in ((timeline, times.samples(timeline)) for timeline in times.timelines())
    ]


def stored_times(content: Content, name: str) -> StoredTimes:
    """The samples by timeline."""
    found = StoredTimes()
    for timeline, numbers, times in rows(content, name, 3):
        samples = zip(unpack_numbers(numbers), unpack_times(times), strict=True)
        for number, stored_at in samples:
            if not math.isfinite(stored_at):
                raise ValueError(f"its {name!r} have one that is no time")
            found.note(_timeline(timeline), number, stored_at)
    return found


def segments_content(segments: Iterable[Segment]) -> list[str]:
    """Segments in their order, packed: timelines and numbers."""
    ordered = list(segments)
    timelines = pack_numbers(segment.timeline for segment in ordered)
    return [timelines, pack_numbers(segment.number for segment in ordered)]


def segments(content: Content, name: str, highest: int) -> list[Segment]:
    """Segments in their order, with numbers up to `highest`."""
    packed = field(content, name, list)
    if len(packed) != 2:
        raise ValueError(f"its {name!r} are no segments")
    numbers = unpack_numbers(packed[1])
    if max(numbers, default=0) > highest:
        raise ValueError(f"its {name!r} have an impossible one")
    pairs = zip(unpack_numbers(packed[0]), numbers, strict=True)
    return [Segment(_timeline(timeline), number) for timeline, number in pairs]


def _timeline(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**32:
        raise ValueError("a timeline is a number of 32 bits")
    return value
