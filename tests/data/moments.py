"""What pg_waldump printed of real servers, and lines made in its form.

tests/data/waldump has, for PostgreSQL 15.18 and 18 with wal_level replica and logical, all records of a
server on which each kind of change was made once: see CHANGES in test_moments_folding.py.
"""

import gzip
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from tests.data import facts
from tests.data.archives import NEWEST
from tests.data.snapshots import HOSTILE
from walconsole.domain.moments.collecting import Collected, Collecting
from walconsole.domain.moments.events import RelationId
from walconsole.domain.moments.found import FoundMoments
from walconsole.domain.moments.names import Names, Relation
from walconsole.domain.moments.span import WalSpan
from walconsole.domain.moments.targets import ArchiveEnd
from walconsole.domain.wal import Segment

WALDUMP = Path(__file__).parent / "waldump"
RELEASES = ("15-replica", "15-logical", "18-replica", "18-logical")


def printed(release: str) -> bytes:
    """What pg_waldump printed, with TZ=UTC."""
    return gzip.decompress((WALDUMP / f"{release}.txt.gz").read_bytes())


@cache
def collected(release: str) -> Collected:
    """All of it, collected."""
    return Collecting(1).read([printed(release)])


class Dump:
    """Lines of pg_waldump, each following the one before."""

    def __init__(self, start: int = 0x2000028) -> None:
        self.lsn, self.prev = start, start - 0x28
        self.lines: list[bytes] = []

    def add(self, manager: str, xid: int, description: str, size: int = 64) -> int:
        """One record more; where it begins."""
        at, before = _lsn(self.lsn), _lsn(self.prev)
        self.lines.append(
            f"rmgr: {manager:<11} len (rec/tot): {size:6d}/{size:6d}, tx: {xid:10d}, "
            f"lsn: {at}, prev {before}, desc: {description}\n".encode()
        )
        self.prev, self.lsn = self.lsn, self.lsn + (size + 7) // 8 * 8
        return self.prev

    def commit(self, xid: int, at: str, more: str = "") -> int:
        """A commit at a time of 2026-11-29; where it begins."""
        return self.add("Transaction", xid, f"COMMIT 2026-11-29 {at} UTC{more}", 34)

    @property
    def text(self) -> bytes:
        return b"".join(self.lines)


def _lsn(lsn: int) -> str:
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:08X}"


def collect(lines: Iterable[bytes] | bytes) -> Collected:
    """What is found in them."""
    return Collecting(1).read([lines] if isinstance(lines, bytes) else lines)


# -- What the screen shows: an afternoon in the archive of tests/data/recoveries.py.

DROPPED_AT = 0x3A30
"""The segment in which it all happened; stored at 13:15:40Z."""
_SHOP = 16384
_HEAP = "blkref #0: rel 1663/16384/{} blk 0"


def _rows(dump: Dump, xid: int, operation: str, node: int, count: int) -> None:
    for _ in range(count):
        dump.add("Heap", xid, f"{operation} off: 1, flags: 0x00, {_HEAP.format(node)}", 72)


def afternoon() -> Dump:
    """Orders are placed, some are deleted, a table is emptied, another dropped, and life goes on."""
    dump = Dump(DROPPED_AT * facts.SEGMENT + 0x28)
    dump.add("Standby", 0, "RUNNING_XACTS nextXid 700 latestCompletedXid 699 oldestRunningXid 700")
    for xid in range(700, 730):
        _rows(dump, xid, "INSERT", 16390, 2)
        dump.add("Transaction", xid, f"COMMIT 2026-09-21 13:14:{xid - 700:02}.204811 UTC", 34)
    dump.add("XLOG", 0, "RESTORE_POINT before the release of 13:15", 98)
    _rows(dump, 730, "DELETE", 16390, 1240)
    dump.add("Transaction", 730, "COMMIT 2026-09-21 13:15:02.118270 UTC", 34)
    _rows(dump, 731, "UPDATE", 16395, 310)
    dump.add("Transaction", 731, "COMMIT 2026-09-21 13:15:02.118270 UTC", 34)
    dump.add("Standby", 732, "LOCK xid 732 db 16384 rel 16395 ")
    dump.add("Storage", 732, "CREATE base/16384/16420")
    said = "; rels: base/16384/16395; inval msgs: catcache 55 relcache 16395"
    dump.add("Transaction", 732, f"COMMIT 2026-09-21 13:15:07.500000 UTC{said}", 361)
    for oid in (16400, 16404, 16403):
        dump.add("Standby", 733, f"LOCK xid 733 db 16384 rel {oid} ")
    for _ in range(3):
        dump.add("Heap", 733, f"DELETE off: 4, {_HEAP.format(1259)}", 54)
    said = (
        "; rels: base/16384/16400 base/16384/16403 base/16384/16404"
        "; dropped stats: 2/16384/16404 2/16384/16403 2/16384/16400; inval msgs: relcache 16400"
    )
    dump.add("Transaction", 733, f"COMMIT 2026-09-21 13:15:12.004512 UTC{said}", 1245)
    dump.add("Heap", 734, f"HOT_UPDATE old_off: 16, {_HEAP.format(1259)}", 121)
    dump.add("Transaction", 734, "COMMIT 2026-09-21 13:15:14.100001 UTC; inval msgs: relcache 16390", 98)
    for xid in range(735, 750):
        _rows(dump, xid, "INSERT", 16390, 3)
        dump.add("Transaction", xid, f"COMMIT 2026-09-21 13:15:{xid - 715}.700000 UTC", 34)
    return dump


def found_moments(
    *, names: Names | None = None, notes: tuple[str, ...] = (), at_end: bool = False
) -> FoundMoments:
    """What a search around 13:15Z finds in that afternoon."""
    segments = tuple(Segment(2, number) for number in range(DROPPED_AT - 1, DROPPED_AT + 2))
    end = ArchiveEnd((NEWEST.number + 1) * facts.SEGMENT, int((facts.NOW - 40) * 1_000_000), at_end)
    known = Names(
        {_SHOP: "shop"},
        {
            RelationId(_SHOP, 16390): Relation("public.orders", "r"),
            RelationId(_SHOP, 16395): Relation("public.prices", "r"),
        },
        {(_SHOP, 16390): RelationId(_SHOP, 16390), (_SHOP, 16395): RelationId(_SHOP, 16395)},
        frozenset((_SHOP,)),
    )
    around = datetime(2026, 9, 21, 13, 15, tzinfo=UTC).timestamp()
    collected = Collecting(2).read([afternoon().text])
    return FoundMoments(
        around, 600.0, WalSpan(segments, facts.SEGMENT, end, notes, not at_end), collected, names or known
    )


def hostile_moments() -> FoundMoments:
    """Every name is as bad as it can be, and as long."""
    bad = Relation(HOSTILE * 9, "r")
    known = Names(
        {_SHOP: HOSTILE},
        {RelationId(_SHOP, oid): bad for oid in (16390, 16395, 16400)},
        {(_SHOP, oid): RelationId(_SHOP, oid) for oid in (16390, 16395)},
        frozenset((_SHOP,)),
        (HOSTILE,),
    )
    return found_moments(names=known, notes=(HOSTILE,))
