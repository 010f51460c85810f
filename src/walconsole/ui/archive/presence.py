"""What a key is, and whether the copy in the other region has it too."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.layouts import ArchivedName, Place, archived_name, place_of, split_key
from walconsole.domain.archive.times import age_s
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.profile import BucketRole
from walconsole.domain.wal import DEFAULT_SEGMENT_BYTES, Segment, WalNameKind


class Presence(StrEnum):
    """Where an object's counterpart is. UNKNOWN: no index of the other bucket tells."""

    BOTH = "both"
    HERE = "only here"
    UNKNOWN = "n/a"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a key says: `name` as PostgreSQL wrote it, None for what no archiver wrote.

    `place` is the archive that it belongs to, None for base backups and for what belongs to none.
    """

    place: Place | None
    name: ArchivedName | None

    @property
    def segment(self) -> Segment | None:
        """The whole segment that it is, None for everything else, labels and partial ones too."""
        whole = self.name is not None and self.name.kind is WalNameKind.SEGMENT
        return self.name.segment if whole and self.name is not None else None


def meaning_of(key: str, prefix: str, segment_bytes: int) -> Meaning:
    """What `key` is in a bucket whose archive begins with `prefix`."""
    if not key.startswith(prefix):
        return Meaning(None, None)
    directory, basename = split_key(key[len(prefix) :])
    place = place_of(directory)
    if place is None:
        return Meaning(None, None)
    try:
        return Meaning(place, archived_name(basename, segment_bytes))
    except ValueError:
        return Meaning(place, None)


@dataclass(frozen=True, slots=True)
class Copies:
    """One bucket and the other: what a snapshot says of both, None where it was not read.

    `prefix` is what the keys of `own` begin with.
    """

    role: BucketRole
    prefix: str
    own: BucketFacts | None = None
    other: BucketFacts | None = None
    _twice: Mapping[Segment, bool | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_twice", _repeated(self.own))

    @property
    def segment_bytes(self) -> int:
        """The wal_segment_size by which names are read."""
        own = self.own
        if own is None:
            return DEFAULT_SEGMENT_BYTES
        return own.holding.segment_bytes if own.holding else own.segment_bytes or DEFAULT_SEGMENT_BYTES

    def age_s(self, stored_at: float, now: float) -> float:
        """Seconds since that time of the store of `own`."""
        return age_s(stored_at, now, self.own.store_clock_offset_s if self.own is not None else None)

    def meaning(self, key: str) -> Meaning:
        """What `key` is."""
        return meaning_of(key, self.prefix, self.segment_bytes)

    def presence(self, meaning: Meaning) -> Presence:
        """Whether the other bucket has the same: segments, histories and backup labels can be told."""
        if meaning.name is None or meaning.place is None or self.other is None:
            return Presence.UNKNOWN
        counterpart = self._counterpart(meaning.place, self.other)
        there = _holds(counterpart, meaning.name) if counterpart is not None else False
        if there:
            return Presence.BOTH
        known = self.other.complete and there is not None and self._is_mirrored(meaning.place)
        return Presence.HERE if known else Presence.UNKNOWN

    def twice(self, segment: Segment) -> bool:
        """Whether the segment is known to be stored under more than one key of this bucket."""
        return segment in self._twice

    def differs(self, segment: Segment) -> bool:
        """Whether its keys are known to hold different content."""
        return self._twice.get(segment) is False

    def _is_mirrored(self, place: Place) -> bool:
        """Other archives in the bucket need no copy: only where there is one, what it lacks is told."""
        main = self.own.holding if self.own is not None else None
        if main is not None and main.place == place:
            return True
        return self.other is not None and self._counterpart(place, self.other) is not None

    def _counterpart(self, place: Place, other: BucketFacts) -> Holding | None:
        """The archive in the other bucket: the main one for the main one, else the one in the same place."""
        main = self.own.holding if self.own is not None else None
        if main is not None and main.place == place:
            return other.holding
        return next((holding for holding in other.other_holdings if holding.place == place), None)


def _holds(holding: Holding, name: ArchivedName) -> bool | None:
    """Whether it is there; None where the index does not tell (partial segments)."""
    if name.kind is WalNameKind.HISTORY:
        return name.timeline in holding.history_keys
    if name.segment is None or name.kind is WalNameKind.PARTIAL:
        return None
    if name.kind is WalNameKind.BACKUP:
        return name.segment in holding.labels
    return holding.holds(name.segment)


def _repeated(own: BucketFacts | None) -> Mapping[Segment, bool | None]:
    """Segments under two keys, each with whether they are the same content (None: not told)."""
    if own is None or own.holding is None:
        return {}
    found: dict[Segment, bool | None] = dict.fromkeys(own.holding.repeated)
    for repeat in own.repeats:
        try:
            segment = Segment.parse(repeat.name, own.holding.segment_bytes)
        except ValueError:
            continue
        found[segment] = repeat.identical
    return found
