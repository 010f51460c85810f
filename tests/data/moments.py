"""What pg_waldump printed of real servers, and lines made in its form.

tests/data/waldump has, for PostgreSQL 15.18 and 18 with wal_level replica and logical, all records of a
server on which each kind of change was made once: see CHANGES in test_moments_folding.py.
"""

import gzip
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from walconsole.domain.moments.collecting import Collected, Collecting

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
