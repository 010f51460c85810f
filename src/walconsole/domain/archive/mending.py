"""One plan for all holes of all copies: for each segment that a copy lacks, from where it can be brought.

A segment that any place still holds whole is not lost. What only pg_wal holds comes first, the oldest first,
for it is recycled; the rest in the order of time. Nothing is read here: a place is believed to hold what its
listing says, and whoever copies looks at the content.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from walconsole.domain.archive.runs import Runs
from walconsole.domain.profile import BucketRole
from walconsole.domain.records import record
from walconsole.domain.wal import Segment

MOST_AT_ONCE = 2000
"""Segments that one plan brings back; what is left comes with the next."""


@record
class CopyLacks:
    """A copy by what it lacks and what it can give. Numbers by timeline.

    `held` are its segments, `unusable` those of them that are known to be of no use. `refuses` says why
    nothing can be stored there by copying, empty where it can. `bytes_each` is about what it stores of one.
    """

    role: BucketRole
    lacks: Mapping[int, Runs]
    held: Mapping[int, Runs]
    unusable: Mapping[int, Runs] = field(default_factory=dict)
    refuses: str = ""
    readable: bool = True
    bytes_each: float = 0.0

    def gives(self, segment: Segment) -> bool:
        """Whether the segment can be taken from here."""
        held, spoilt = self.held.get(segment.timeline), self.unusable.get(segment.timeline)
        if held is None or not self.readable or segment.number not in held:
            return False
        return spoilt is None or segment.number not in spoilt


@record
class WalFolder:
    """A folder on the droplet that holds WAL: `files` by the segment's name, `own` is the server's pg_wal."""

    path: str
    files: Mapping[str, str]
    own: bool = False
    goes_in_s: Mapping[str, float | None] = field(default_factory=dict)
    """Of pg_wal, by name: seconds until it may be recycled, None where that is not known."""


@record
class Source:
    """Where a segment is: in a copy (`role`), or as `file` in a folder on the droplet."""

    role: BucketRole | None = None
    folder: str = ""
    file: str = ""
    own: bool = False


@record
class Mend:
    """One segment, the copies that lack it, and where it is, the best source first.

    `urgent`: nothing but pg_wal holds it, which may recycle it in `goes_in_s` (None: nobody knows when).
    """

    segment: Segment
    targets: tuple[BucketRole, ...]
    sources: tuple[Source, ...]
    urgent: bool = False
    goes_in_s: float | None = None


@record
class Unmendable:
    """Segments `first` to `last` of one timeline that a copy lacks and goes on lacking, and why."""

    role: BucketRole
    timeline: int
    first: int
    last: int
    why: str

    @property
    def segments(self) -> int:
        """How many."""
        return self.last - self.first + 1


@record
class MendPlan:
    """`mends` in the order in which they are to be done; `left` counts those that the next plan brings."""

    mends: tuple[Mend, ...] = ()
    unmendable: tuple[Unmendable, ...] = ()
    left: int = 0

    @property
    def urgent(self) -> tuple[Mend, ...]:
        """Those that only pg_wal holds."""
        return tuple(mend for mend in self.mends if mend.urgent)

    def of(self, role: BucketRole) -> tuple[Mend, ...]:
        """Those that the copy lacks."""
        return tuple(mend for mend in self.mends if role in mend.targets)


NOWHERE = "no copy holds it whole, and no folder that is known"


def mend_plan(
    copies: Sequence[CopyLacks], folders: Sequence[WalFolder], segment_bytes: int, most: int = MOST_AT_ONCE
) -> MendPlan:
    """The plan. Of two copies with the same hole each segment is one entry, and is fetched once."""
    urgent: list[Mend] = []
    rest: list[Mend] = []
    left = 0
    hopeless: list[tuple[BucketRole, Segment, str]] = []
    for segment in _lacked(copies):
        targets = [copy for copy in copies if _has(copy.lacks, segment)]
        able = tuple(copy.role for copy in targets if not copy.refuses)
        sources = tuple(_sources(segment, copies, folders, segment_bytes))
        hopeless += (
            (copy.role, segment, copy.refuses or NOWHERE) for copy in targets if copy.refuses or not sources
        )
        if not (able and sources):
            continue
        if all(source.own for source in sources):
            urgent.append(Mend(segment, able, sources, True, _goes_in_s(segment, folders, segment_bytes)))
        elif len(rest) < most:
            rest.append(Mend(segment, able, sources))
        else:
            left += 1  # a copy may lack a million: what is not brought now is only counted
    mends = [*urgent, *rest]
    return MendPlan(tuple(mends[:most]), tuple(_joined(hopeless)), left + max(0, len(mends) - most))


def _has(runs: Mapping[int, Runs], segment: Segment) -> bool:
    return segment.timeline in runs and segment.number in runs[segment.timeline]


def _lacked(copies: Sequence[CopyLacks]) -> Iterator[Segment]:
    """What any of them lacks, each once, in the order of time."""
    timelines = sorted({timeline for copy in copies for timeline in copy.lacks})
    for timeline in timelines:
        every = Runs()
        for copy in copies:
            for first, last in copy.lacks.get(timeline, ()):
                every.add(first, last)
        for first, last in every:
            yield from (Segment(timeline, number) for number in range(first, last + 1))


def _sources(
    segment: Segment, copies: Sequence[CopyLacks], folders: Sequence[WalFolder], segment_bytes: int
) -> Iterator[Source]:
    """A copy's object first: so the copies stay alike. Then what is on the droplet, other folders last."""
    name = segment.name(segment_bytes)
    yield from (Source(copy.role) for copy in copies if copy.gives(segment))
    for folder in sorted(folders, key=lambda each: not each.own):
        if name in folder.files:
            yield Source(folder=folder.path, file=folder.files[name], own=folder.own)


def _goes_in_s(segment: Segment, folders: Sequence[WalFolder], segment_bytes: int) -> float | None:
    """When pg_wal may recycle it."""
    name = segment.name(segment_bytes)
    return next((each.goes_in_s.get(name) for each in folders if each.own and name in each.files), None)


def _joined(hopeless: Sequence[tuple[BucketRole, Segment, str]]) -> Iterator[Unmendable]:
    """Neighbours for one reason as one."""
    found: dict[tuple[BucketRole, int, str], Runs] = {}
    for role, segment, why in hopeless:
        found.setdefault((role, segment.timeline, why), Runs()).add(segment.number, segment.number)
    for (role, timeline, why), runs in found.items():
        yield from (Unmendable(role, timeline, first, last, why) for first, last in runs)
