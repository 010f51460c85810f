"""All that one reading of the WAL found: the events worth listing, and the end of every transaction."""

import heapq
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from walconsole.domain.moments.dump import DumpedRecords
from walconsole.domain.moments.events import Kind, Moment
from walconsole.domain.moments.folding import Ended, Folding
from walconsole.domain.moments.page_images import Past
from walconsole.domain.records import record
from walconsole.domain.units import plural

MOST_MOMENTS = 5_000
"""The worst of them are listed; how many lesser ones are not is said."""
MOST_ENDS = 2_000_000
"""24 bytes each. Of those beyond it no more is known than how many."""
_UNDATED = -(2**63)
_WEIGHTS = {
    Kind.DATABASE_DROPPED: 2**60,
    Kind.DROPPED: 2**59,
    Kind.TRUNCATED: 2**58,
    Kind.RESTORE_POINT: 2**57,
    Kind.TIMELINE: 2**57,
    Kind.REWRITTEN: 2**56,
    Kind.PARAMETERS: 2**55,
    Kind.DDL: 2**50,
    Kind.CHECKPOINT: 2**20,
}


class EndLog:
    """The ends of transactions in the order of the WAL: where, when, whose, and whether committed."""

    def __init__(self) -> None:
        self.lsns, self._times = array("Q"), array("q")
        self._latest = array("q")
        """The latest time up to each: it grows, so that it can be bisected."""
        self._xids, self._committed = array("L"), bytearray()
        self.beyond = 0

    def add(self, end: Ended) -> None:
        """One more."""
        if len(self.lsns) >= MOST_ENDS:
            self.beyond += 1
            return
        self.lsns.append(end.lsn)
        at = _UNDATED if end.at_us is None else end.at_us
        self._times.append(at)
        self._latest.append(max(at, self._latest[-1]) if self._latest else at)
        self._xids.append(end.xid)
        self._committed.append(end.committed)

    def __len__(self) -> int:
        return len(self.lsns)

    def time_of(self, place: int) -> int | None:
        """In microseconds since the epoch."""
        return None if self._times[place] == _UNDATED else self._times[place]

    def xid_of(self, place: int) -> int:
        """The transaction's number."""
        return self._xids[place]

    def place_of(self, lsn: int) -> int:
        """The first that ends at `lsn` or after it."""
        return bisect_left(self.lsns, lsn)

    def committed_from(self, lsn: int) -> int:
        """How many were committed at `lsn` or after it."""
        return self._committed.count(1, self.place_of(lsn)) + self.beyond

    def last_committed_before(self, lsn: int) -> int | None:
        """Its place."""
        place = self._committed.rfind(1, 0, self.place_of(lsn))
        return None if place < 0 else place

    def last_committed(self) -> int | None:
        """The place of the newest of all."""
        place = self._committed.rfind(1)
        return None if place < 0 else place

    def first_not_before(self, at_us: int, lsn: int) -> int | None:
        """The place of the first end before `lsn` whose time is `at_us` or later, committed or not."""
        place = bisect_left(self._latest, at_us)
        return place if place < self.place_of(lsn) else None

    def first_dated(self) -> int | None:
        """The earliest time of all, in microseconds."""
        return min((at for at in self._times if at != _UNDATED), default=None)

    def last_dated(self) -> int | None:
        """The latest time of all, in microseconds."""
        return max((at for at in self._times if at != _UNDATED), default=None)


@record
class Collected:
    """`moments` in the order of the WAL; `left_out` lesser ones are not among them. `first` and `last` are
    the starts of the first and the last record that was read, None where none was. `doubts` say, in words,
    what may be wrong with it.
    """

    moments: tuple[Moment, ...]
    ends: EndLog
    timeline: int
    records: int
    first: int | None
    last: int | None
    left_out: int = 0
    doubts: tuple[str, ...] = ()
    past: Past = field(default_factory=Past)
    """What relations were called then, as far as images of pg_class's pages tell."""


@dataclass(slots=True)
class Collecting:
    """Collects from what one run of pg_waldump prints."""

    timeline: int
    most: int = MOST_MOMENTS
    ends: EndLog = field(default_factory=EndLog)
    left_out: int = 0
    _dumped: DumpedRecords = field(default_factory=DumpedRecords)
    _kept: list[tuple[int, int, Moment]] = field(default_factory=list)
    _folding: Folding = field(init=False)
    _count: int = 0

    def __post_init__(self) -> None:
        self._folding = Folding(self.timeline, self._dumped.torn.__contains__)

    def feed(self, chunk: bytes) -> None:
        """What was printed next."""
        for each in self._dumped.feed(chunk):
            for found in self._folding.take(each):
                self._take(found)

    def read(self, chunks: Iterable[bytes]) -> Collected:
        """All of it."""
        for chunk in chunks:
            self.feed(chunk)
        return self.end()

    def next_timeline(self, timeline: int) -> None:
        """What is fed from here on is another run's: what is open ended with the old timeline."""
        self._drain()
        before, self._dumped = self._dumped, DumpedRecords()
        self._dumped.strays, self._dumped.cut = before.strays, before.cut
        self._folding.begin(timeline, self._dumped.torn.__contains__)

    def _drain(self) -> None:
        for each in self._dumped.end():
            for found in self._folding.take(each):
                self._take(found)

    @property
    def records(self) -> int:
        """How many were read so far."""
        return self._folding.records

    @property
    def reached_us(self) -> int | None:
        """The time of the commit that was read last."""
        return self._folding.last_commit_us

    def end(self) -> Collected:
        """What was found, after the last chunk."""
        self._drain()
        moments = sorted((moment for _, _, moment in self._kept), key=lambda moment: moment.lsn)
        return Collected(
            tuple(moments),
            self.ends,
            self.timeline,
            self._folding.records,
            self._folding.first,
            self._folding.last,
            self.left_out,
            tuple(self._doubts()),
        )

    def _take(self, found: Ended | Moment) -> None:
        moment = found if isinstance(found, Moment) else found.moment
        if isinstance(found, Ended):
            self.ends.add(found)
        if moment is None:
            return
        self._count += 1
        item = (weight(moment), self._count, moment)
        if len(self._kept) < self.most:
            heapq.heappush(self._kept, item)
        else:
            self.left_out += 1
            heapq.heappushpop(self._kept, item)

    def _doubts(self) -> Iterator[str]:
        dumped, folding = self._dumped, self._folding
        if dumped.strays:
            strays = plural(dumped.strays, "line that looks like a record", "lines that look like records")
            yield f"{strays}: text that somebody chose, left out"
        if dumped.cut:
            yield f"{plural(dumped.cut, 'line was', 'lines were')} too long to be read whole"
        if folding.forgotten:
            yield f"of {folding.forgotten} transactions not all was kept: too many ran at a time"
        if folding.undated:
            yield f"{folding.undated} transactions have no time that could be read"
        if self.ends.beyond:
            yield f"the last {self.ends.beyond} transactions were only counted"


def weight(moment: Moment) -> int:
    """How much an event is worth listing."""
    fixed = _WEIGHTS.get(moment.kind)
    if fixed is not None:
        return fixed
    total = moment.total()
    return total.deleted * 3 + total.updated * 2 + total.inserted
