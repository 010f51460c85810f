"""How long a segment that is archived already stays in pg_wal: pure arithmetic, in bytes and seconds.

From PostgreSQL's xlog.c (RemoveOldXlogFiles, KeepLogSegs, CalculateCheckpointSegments): at its end a
checkpoint removes or recycles what lies before its redo position, but for what wal_keep_size and slots keep.
One comes after checkpoint_timeout, or once max_wal_size / (1 + checkpoint_completion_target) is written
since the last.
"""

from walconsole.domain.records import record


@record
class WalKeeping:
    """What the server said at one moment. Positions are bytes since 0/0.

    `redo_lsn` is where the last checkpoint began, `since_s` how long ago. `slots_lsn` is the lowest position
    that a slot keeps, None where none does.
    """

    lsn: int
    redo_lsn: int
    since_s: float
    timeout_s: float
    max_wal_bytes: int
    completion_target: float
    keep_bytes: int
    slots_lsn: int | None = None

    @property
    def bytes_per_s(self) -> float | None:
        """How fast WAL was written since that checkpoint, None where nothing tells."""
        if self.since_s <= 0 or self.lsn <= self.redo_lsn:
            return None
        return (self.lsn - self.redo_lsn) / self.since_s

    @property
    def checkpoint_in_s(self) -> float:
        """Until the next checkpoint begins, if WAL goes on as it did. It may be asked for at any time."""
        by_time = max(0.0, self.timeout_s - self.since_s)
        rate = self.bytes_per_s
        if rate is None:
            return by_time
        allowed = self.max_wal_bytes / (1 + self.completion_target)
        return min(by_time, max(0.0, (allowed - (self.lsn - self.redo_lsn)) / rate))

    def goes_in_s(self, number: int, segment_bytes: int) -> float | None:
        """Seconds until segment `number` may be recycled at the earliest; None where nobody can know.

        So it is where a slot keeps it, and where no WAL is written: then no checkpoint needs to come.
        """
        if self.slots_lsn is not None and self.slots_lsn < (number + 1) * segment_bytes:
            return None
        rate = self.bytes_per_s
        if rate is None:
            return None
        kept = number + self.keep_bytes // segment_bytes + 1
        return max(self.checkpoint_in_s, (kept * segment_bytes - self.lsn) / rate)
