"""A restore drill before it is made: which base backup, whether there is room, how long it may take."""

import math
from collections.abc import Iterable

from walconsole.domain.records import record
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Writer
from walconsole.domain.recovery.drill_result import DrillResult
from walconsole.domain.units import bytes_text, duration_text

_MIB = 1 << 20
_PG_WAL_BEYOND = 512 * _MIB
"""What pg_wal of the drill's server holds besides what lies between two of production's checkpoints."""


def chosen(
    backups: Iterable[BaseBackup], system_identifier: int, target: float | None = None
) -> BaseBackup | None:
    """The newest complete one of ours and of this cluster that had stopped before `target` (None: now).

    A target inside of a backup would not always be refused by the server: its stop is compared here.
    """
    usable = [
        each
        for each in backups
        if each.writer is Writer.OURS
        and each.completeness is Completeness.COMPLETE
        and each.system_identifier == system_identifier
        and (target is None or (each.stopped is not None and each.stopped < target))
    ]
    return max(usable, key=lambda each: each.id, default=None)


@record
class Room:
    """What a drill takes on its disk, in MiB, and what is free there. The script computes the same."""

    cluster_mib: int
    wal_mib: int
    reserve_mib: int
    needed_mib: int
    free_mib: int

    @property
    def suffices(self) -> bool:
        """Whether it can be tried."""
        return self.free_mib >= self.needed_mib

    def __str__(self) -> str:
        """The numbers."""
        short = "" if self.suffices else f": {_mib_text(self.needed_mib - self.free_mib)} too little"
        return (
            f"{_mib_text(self.free_mib)} free, and {_mib_text(self.needed_mib)} are needed: "
            f"{_mib_text(self.cluster_mib)} for the cluster, {_mib_text(self.wal_mib)} for its WAL, "
            f"{_mib_text(self.reserve_mib)} that stay free{short}"
        )


def _mib_text(mib: int) -> str:
    return bytes_text(mib * _MIB)


@record
class Sizes:
    """In bytes: the databases as they are by now, the WAL between two checkpoints at most, one segment, and
    the old server's last WAL, which is copied aside.
    """

    databases: int
    max_wal: int
    segment: int
    kept: int = 0


def room(
    chain: Iterable[BaseBackup], segments: int, sizes: Sizes, *, reserve_mib: int, free_mib: int
) -> Room:
    """Room for `chain` (the full backup first) unpacked, so many WAL segments, and the reserve.

    A chain takes all its parts and the cluster that they are joined to. The replay makes the cluster as large
    as it is by now. Of WAL, what is replayed, or what lies between two restartpoints where that is less.
    """
    parts = tuple(chain)
    unpacked = sum(each.unpacked_bytes or 0 for each in parts)
    if len(parts) > 1:
        unpacked += sizes.databases
    cluster = max(unpacked, sizes.databases)
    wal = min(segments * sizes.segment, 2 * sizes.max_wal + _PG_WAL_BEYOND) + sizes.kept
    needed = (cluster + wal) // _MIB + reserve_mib + 1
    return Room(cluster // _MIB, wal // _MIB, reserve_mib, needed, free_mib)


def segments_between(first: int, last: int) -> int:
    """How many are replayed, by their numbers: from the backup's first to that of the witness."""
    return max(0, last - first + 1)


# -- How long it takes.


@record
class Forecast:
    """Seconds, by an earlier drill's rates: until the files are there and compared; until all is replayed."""

    restore_s: float
    replay_s: float

    @property
    def total_s(self) -> float:
        """The time in which a restore gives the cluster back (RTO), but for finding out that it must be."""
        return self.restore_s + self.replay_s

    def __str__(self) -> str:
        """`restore 6 min 00 s, replay 11 min 00 s`."""
        return f"restore {_about(self.restore_s)}, replay {_about(self.replay_s)}"


def forecast(
    earlier: DrillResult | None, *, stored_bytes: int | None, unpacked_bytes: int | None, wal_bytes: int
) -> Forecast | None:
    """What a restore would take now, by the rates of a good drill; None without one, or without sizes.

    Fetching goes by what is stored, comparing by what it unpacks to, replay by the WAL.
    """
    if earlier is None or not earlier.good or stored_bytes is None:
        return None
    fetch = _scaled(earlier.fetch_s, earlier.stored_bytes, stored_bytes)
    verify = _scaled(earlier.verify_s, earlier.unpacked_bytes, unpacked_bytes or earlier.unpacked_bytes)
    replayed = (earlier.segments or 0) * (earlier.segment_bytes or 0)
    replay = _scaled(earlier.replay_s, replayed, wal_bytes)
    if fetch is None or verify is None or replay is None:
        return None
    return Forecast(fetch + verify, replay)


def _scaled(took_s: float | None, of: int | None, now: int | None) -> float | None:
    return None if took_s is None or not of or now is None else took_s * now / of


def _about(seconds: float) -> str:
    """A forecast to the second would be a lie."""
    return duration_text(float(math.ceil(seconds)))
