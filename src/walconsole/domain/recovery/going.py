"""The very keys that a plan of retention deletes in one copy, and whether another plan wants more."""

from collections.abc import Iterable, Iterator, Sequence

from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.layouts import archived_name, place_of, split_key
from walconsole.domain.archive.runs import Runs
from walconsole.domain.profile import BucketRole
from walconsole.domain.records import record
from walconsole.domain.recovery.expiry import CopyExpiry
from walconsole.domain.wal import Segment, WalNameKind


@record
class CopyKeys:
    """One copy's part with the keys (whole ones) that it means: WAL and labels as they are stored.

    `wal_bytes` is what the WAL takes. The keys of the backups are those of `part`, below `prefix`.
    """

    role: BucketRole
    prefix: str
    part: CopyExpiry
    wal: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    wal_bytes: int = 0

    @property
    def keys(self) -> frozenset[str]:
        """All of them."""
        of_backups = (f"{self.prefix}{key}" for each in self.part.backups for key in each.keys)
        return frozenset((*of_backups, *self.wal, *self.labels))

    @property
    def stored_bytes(self) -> int:
        """What goes, as far as its size is known."""
        return self.wal_bytes + sum(each.stored_bytes or 0 for each in self.part.backups)


class WalKeys:
    """Sorts what is listed in a main archive's place: which keys hold a planned segment, or a label to go.

    A segment may be stored under several names. A .partial and a .history are neither.
    """

    def __init__(self, holding: Holding, part: CopyExpiry) -> None:
        self._holding, self._size = holding, holding.segment_bytes
        self._planned: dict[int, Runs] = {}
        for each in part.wal:
            first, last = (Segment.parse(name, self._size) for name in (each.first, each.last))
            self._planned.setdefault(first.timeline, Runs()).add(first.number, last.number)
        begun = (Segment.at(timeline, lsn, self._size) for timeline, lsn in part.begun)
        self._begun = {segment for segment in begun if segment.number < part.below}
        self.wal: list[str] = []
        self.labels: list[str] = []
        self.wal_bytes = 0

    def stretches(self) -> Iterator[tuple[str, str]]:
        """For each timeline a key before its first planned name, and one beyond its last."""
        for timeline in sorted({*self._planned, *(each.timeline for each in self._begun)}):
            numbers = [each.number for each in self._begun if each.timeline == timeline]
            runs = self._planned.get(timeline)
            numbers += [runs.first, runs.last] if runs is not None else []
            first, last = (Segment(timeline, end).name(self._size) for end in (min(numbers), max(numbers)))
            yield f"{self._holding.root}{first[:-1]}", f"{self._holding.root}{last}~"

    def note(self, key: str, stored_bytes: int) -> None:
        """`key` is listed."""
        directory, basename = split_key(key[len(self._holding.prefix) :])
        if place_of(directory) != self._holding.place:
            return
        try:
            name = archived_name(basename, self._size)
        except ValueError:
            return
        if name is None or name.segment is None:
            return
        if name.kind is WalNameKind.SEGMENT and name.segment.number in self._planned.get(name.timeline, ()):
            self.wal.append(key)
            self.wal_bytes += stored_bytes
        elif name.kind is WalNameKind.BACKUP and name.segment in self._begun:
            self.labels.append(key)


def more_than(shown: Iterable[CopyKeys], anew: Iterable[CopyKeys]) -> tuple[str, ...]:
    """What of a newer plan (`BUCKET ROLE: key`) was not in the one that was shown; it must not be deleted."""
    agreed = {each.role: each.keys for each in shown}
    return tuple(
        f"{each.role}: {key}"
        for each in anew
        for key in sorted(each.keys - agreed.get(each.role, frozenset()))
    )


def unsendable(copies: Sequence[CopyKeys]) -> str:
    """A key that no request for a deletion can name, for it holds what XML has no sign for; else empty."""
    return next((key for each in copies for key in sorted(each.keys) if not key.isprintable()), "")
