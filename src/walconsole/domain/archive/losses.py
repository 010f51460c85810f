"""What an archive once held and holds no more, and whether retention explains it.

Retention takes the oldest: WAL from before the oldest base backup that stays. Everything else that was
there and is gone is lost, and stays lost until it is back or somebody accepts it: a newer base backup
makes a restore possible again, and brings nothing back. What is missing between segments that are there
is a gap, which is judged along the timelines and not here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from walconsole.domain.archive.contents import Archive
from walconsole.domain.archive.gaps import AcceptedGap, AcceptedRanges, Gap
from walconsole.domain.archive.index import ArchiveIndex
from walconsole.domain.archive.layouts import LOG_BYTES, Layout, Place
from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.saved import Content, segments, segments_content, timelines, timelines_content
from walconsole.domain.archive.saved import field as saved_field
from walconsole.domain.records import record
from walconsole.domain.wal import Segment

SHORTEST_RETENTION_S = 86_400.0
"""Where no base backup is known, what is younger than this was deleted by no rule of any bucket's."""
STRETCHES_TOLD = 1000


@record
class Lost:
    """What one place lost: segment numbers by timeline, and the segments in which its base backups began.

    Base backups are lost when none is left. Those of tools that leave no label are told of by the oldest
    segment that was there with them.
    """

    timelines: Mapping[int, Runs] = field(default_factory=dict)
    backups: tuple[Segment, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is lost."""
        return bool(self.timelines or self.backups)


Losses = Mapping[Place, Lost]


def losses(
    before: ArchiveIndex, main: Place | None, known: Losses, after: ArchiveIndex, now: float
) -> Losses:
    """What is lost in `after`, a complete listing, of what the listing `before` held in its archive `main`.

    `known` was lost already then, in any place: no retention explains it later. `now` is by the store's
    clock. Both listings are read with one segment size; raises ValueError where they are not.
    """
    if before.segment_bytes != after.segment_bytes:
        raise ValueError("two listings with different segment sizes cannot be compared")
    found: dict[Place, Lost] = {}
    for place in dict.fromkeys([*known, *([main] if main is not None else [])]):
        earlier = known.get(place, Lost())
        was = before.archives.get(place) if place == main else None
        lost = _lost(was, before.base_backups, after.archives.get(place), after.base_backups, earlier, now)
        if lost:
            found[place] = lost
    return found


def _lost(
    was: Archive | None, backups_were: int, held: Archive | None, backups: int, earlier: Lost, now: float
) -> Lost:
    there = held.timelines if held is not None else {}
    gone = _without(was.timelines, there) if was is not None else {}
    bare = was is not None and _bare(was, backups_were, held, backups)
    if was is not None and not bare:
        explained = _explanation(was, held, backups, now)
        gone = {
            timeline: left for timeline, runs in gone.items() if (left := _left(timeline, runs, explained))
        }
    every = _united(gone, _without(earlier.timelines, there))
    newly = (tuple(was.labels) or _oldest(was)) if bare and was is not None else ()
    labels = held.labels if held is not None else ()
    lost_backups = sorted({*earlier.backups, *newly} - set(labels))
    return Lost(_outside(every, there), tuple(lost_backups))


def _bare(was: Archive, backups_were: int, held: Archive | None, backups: int) -> bool:
    """Whether there were base backups, and none is left."""
    if was.labels:
        return held is None or not held.labels
    return bool(backups_were and not backups)


def _oldest(was: Archive) -> tuple[Segment, ...]:
    return (was.oldest,) if was.oldest is not None else ()


def _without(timelines: Mapping[int, Runs], there: Mapping[int, Runs]) -> dict[int, Runs]:
    """The numbers that are not there."""
    left = ((timeline, runs.minus(there.get(timeline, Runs()))) for timeline, runs in timelines.items())
    return {timeline: runs for timeline, runs in left if runs.count}


def _united(one: Mapping[int, Runs], other: Mapping[int, Runs]) -> dict[int, Runs]:
    both = {timeline: runs.copy() for timeline, runs in one.items()}
    for timeline, runs in other.items():
        mine = both.setdefault(timeline, Runs())
        for first, last in runs:
            mine.add(first, last)
    return both


def _outside(lost: Mapping[int, Runs], there: Mapping[int, Runs]) -> dict[int, Runs]:
    """Without what lies between segments that are there: those are gaps."""
    if not there:
        return dict(lost)
    first = min(runs.first for runs in there.values())
    last = max(runs.last for runs in there.values())
    between = Runs()
    between.add(first, last)
    return _without(lost, dict.fromkeys(lost, between))


_Explained = Callable[[int, int, int], bool]
"""Whether retention took a timeline's stretch, first to last number."""


def _left(timeline: int, runs: Runs, explained: _Explained) -> Runs | None:
    """What of them retention does not explain; None where that is nothing."""
    left = Runs()
    for first, last in runs:
        if not explained(timeline, first, last):
            left.add(first, last)
    return left if left.count else None


def _explanation(was: Archive, held: Archive | None, backups: int, now: float) -> _Explained:
    if held is None or not held.timelines:
        return lambda *_: False
    floor = min(runs.first for runs in held.timelines.values())
    starts = _starts(was, held, floor)
    if starts:
        needed = min(starts)
        return lambda _timeline, _first, last: last < needed
    if not _any_stayed(was, held):
        return lambda *_: False

    def aged(timeline: int, _first: int, last: int) -> bool:
        """The oldest end moved up: by a tool that keeps its base backups elsewhere, or by age."""
        stored_at = was.times.about(timeline, last)
        old = stored_at is not None and now - stored_at > SHORTEST_RETENTION_S
        return last < floor and (bool(backups) or old)

    return aged


def _starts(was: Archive, held: Archive, floor: int) -> list[int]:
    """Where the base backups begin that can tell what is still needed.

    Of one whose own WAL was gone before nothing was left to lose. Where what is left begins at a base
    backup's very start, retention cut there, and labels below it only stayed behind.
    """
    starts = [label.number for label in held.labels if _had_its_wal(was, held, label)]
    return [floor] if floor in starts else starts


def _had_its_wal(was: Archive, held: Archive, label: Segment) -> bool:
    return any(label.number in archive.timelines.get(label.timeline, ()) for archive in (was, held))


def _any_stayed(was: Archive, held: Archive) -> bool:
    return any(
        runs.common(held.timelines[timeline]).count
        for timeline, runs in was.timelines.items()
        if timeline in held.timelines
    )


# As values for the rules and the screens.


def told(
    found: Losses,
    prefix: str,
    segment_bytes: int,
    accepted: Iterable[AcceptedGap],
    archived: Segment | None = None,
) -> tuple[Gap, ...]:
    """Each stretch of segments, and each base backup whose own segment is in none, oldest first.

    `accepted` are this bucket's: one that covers a stretch is in it. What lies beyond the segment that the
    server `archived` last was never this server's: another's, which was put there by mistake and taken away.
    """
    every = tuple(accepted)
    gaps: list[Gap] = []
    for place, lost in found.items():
        root = prefix + place.root
        ranges = AcceptedRanges(one for one in every if one.root == root)
        gaps += (
            _gap(each, root, segment_bytes, ranges)
            for each in _stretches(lost)
            if archived is None or Segment(each[0], each[1]) <= archived
        )
    return tuple(sorted(gaps, key=lambda gap: gap.first)[-STRETCHES_TOLD:])


def _stretches(lost: Lost) -> Iterator[tuple[int, int, int, bool]]:
    for timeline, runs in lost.timelines.items():
        for first, last in runs:
            yield (
                timeline,
                first,
                last,
                any(label.timeline == timeline and first <= label.number <= last for label in lost.backups),
            )
    for label in lost.backups:
        if label.number not in lost.timelines.get(label.timeline, ()):
            yield label.timeline, label.number, label.number, True


def _gap(stretch: tuple[int, int, int, bool], root: str, segment_bytes: int, ranges: AcceptedRanges) -> Gap:
    timeline, first, last, backups = stretch
    per_log = LOG_BYTES // segment_bytes
    names = [f"{timeline:08X}{number // per_log:08X}{number % per_log:08X}" for number in (first, last)]
    by = ranges.covering(int(names[0], 16), int(names[1], 16))
    return Gap(
        timeline, names[0], names[1], last - first + 1, accepted=by, lost_from=root, with_backups=backups
    )


def open_ones(gaps: Sequence[Gap]) -> tuple[Gap, ...]:
    """Those that nobody accepted."""
    return tuple(gap for gap in gaps if gap.accepted is None)


# To be kept over sessions.


def losses_content(found: Losses) -> list[dict[str, object]]:
    """As JSON can hold it."""
    return [
        {
            "layout": place.layout.name,
            "root": place.root,
            "timelines": timelines_content(lost.timelines),
            "backups": segments_content(lost.backups),
        }
        for place, lost in found.items()
    ]


def losses_from(content: object, segment_bytes: int) -> Losses:
    """What `losses_content` made; nothing where there is None. Raises ValueError for anything else."""
    if content is None:
        return {}
    if not isinstance(content, list):
        raise ValueError("its losses are no list")
    return dict(_saved(each, LOG_BYTES * (LOG_BYTES // segment_bytes) - 1) for each in content)


def _saved(content: object, highest: int) -> tuple[Place, Lost]:
    if not isinstance(content, Mapping):
        raise ValueError("one of its losses is none")
    read: Content = content
    name = saved_field(read, "layout", str)
    if name not in Layout.__members__:
        raise ValueError("it has a layout that this walconsole does not know")
    place = Place(Layout[name], saved_field(read, "root", str))
    return place, Lost(timelines(read, "timelines", highest), tuple(segments(read, "backups", highest)))
