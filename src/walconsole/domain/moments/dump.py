"""What `pg_waldump` prints, line by line: records, in the order of the WAL. PostgreSQL 13 to 18.

Its line (pg_waldump.c, XLogDumpDisplayRecord) is the same in all of them; what follows `desc:` is each
resource manager's own (src/backend/access/rmgrdesc), with `off 5` before release 16 and `off: 5` from it on.

What a description holds may be anybody's: a restore point's name, a prepared transaction's, a logical
message's prefix may have lines that look like records. Each true record names the one before it (`prev`), so
that a line which does not follow what was read is left out, and counted.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

LONGEST_LINE = 4 * 1024 * 1024
"""A commit that drops a hundred thousand files fits. What is longer is cut."""

_LINE = re.compile(
    rb"rmgr: (\w+) +len \(rec/tot\): *\d+/ *(\d+), tx: *(\d+), "
    rb"lsn: ([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8}), prev ([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8}), desc: ?"
)


class WalRecord(NamedTuple):
    """One record: its resource manager, the transaction that wrote it (0: none), its start, the start of the
    record before it (0: none), its bytes in the WAL, and what pg_waldump says of it.
    """

    manager: bytes
    xid: int
    lsn: int
    prev: int
    total_bytes: int
    description: bytes


HELD = 256
"""So many records are held back: a line that follows one of them shows that what came between was text."""


@dataclass(slots=True)
class DumpedRecords:
    """Records of one run of pg_waldump from the chunks that it prints. Memory: a line, and HELD records.

    `strays` counts lines that look like records and are none, `cut` lines that were too long, `torn` has the
    starts of the newest records whose descriptions have more lines than one: what is said of them is not
    whole.
    """

    strays: int = 0
    cut: int = 0
    torn: deque[int] = field(default_factory=lambda: deque(maxlen=HELD * 2))
    _held: deque[WalRecord] = field(default_factory=deque)
    _rest: bytes = b""
    _skipping: bool = False

    def read(self, chunks: Iterable[bytes]) -> Iterator[WalRecord]:
        """All of them; the chunks may end anywhere."""
        for chunk in chunks:
            yield from self.feed(chunk)
        yield from self.end()

    def feed(self, chunk: bytes) -> Iterator[WalRecord]:
        """The records that are sure by the end of this chunk."""
        if self._skipping:
            _, newline, chunk = chunk.partition(b"\n")
            if not newline:
                return
            self._skipping = False
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            lines.append(self._rest)
            self._rest, self._skipping = b"", True
            self.cut += 1
        for line in lines:
            self._take(line)
            if len(self._held) > HELD:
                yield self._held.popleft()

    def end(self) -> Iterator[WalRecord]:
        """Those that were held. A last line without an end was cut off where the program ended: it is no
        record.
        """
        self._rest, self._skipping = b"", False
        while self._held:
            yield self._held.popleft()

    def _take(self, line: bytes) -> None:
        match = _LINE.match(line)
        if match is None:
            if line and self._held and (not self.torn or self.torn[-1] != self._held[-1].lsn):
                self.torn.append(self._held[-1].lsn)
            return
        manager, total, xid, lsn_high, lsn_low, prev_high, prev_low = match.groups()
        lsn = int(lsn_high, 16) << 32 | int(lsn_low, 16)
        prev = int(prev_high, 16) << 32 | int(prev_low, 16)
        if self._held and not self._follows(prev, lsn):
            self.strays += 1
            return
        self._held.append(WalRecord(manager, int(xid), lsn, prev, int(total), line[match.end() :]))

    def _follows(self, prev: int, lsn: int) -> bool:
        """Whether a record that names `prev` follows one that is held; those after that one were its text."""
        if prev == self._held[-1].lsn:
            return lsn > prev
        at = next((place for place, held in enumerate(self._held) if held.lsn == prev), None)
        if at is None or lsn <= prev:
            return False
        while len(self._held) > at + 1:
            self._held.pop()
            self.strays += 1
        if not self.torn or self.torn[-1] != prev:
            self.torn.append(prev)
        return True
