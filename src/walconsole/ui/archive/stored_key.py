"""A key: what it is, whether the copy in the other region has it too, and its row in the browser."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from rich.cells import cell_len

from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.layouts import (
    LOG_BYTES,
    ArchivedName,
    Place,
    archived_name,
    place_of,
    split_key,
)
from walconsole.domain.archive.listing import StoredObject
from walconsole.domain.archive.times import age_s
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.profile import BucketRole
from walconsole.domain.records import record
from walconsole.domain.units import bytes_text, whole_duration_text
from walconsole.domain.wal import DEFAULT_SEGMENT_BYTES, Segment, WalNameKind
from walconsole.ui.board.content import Line, Span, Tone
from walconsole.ui.board.glyphs import Glyphs
from walconsole.ui.board.typeset import GUTTER, fit, pad, right, shown


class Presence(StrEnum):
    """Where an object's counterpart is. UNKNOWN: no index of the other bucket tells."""

    BOTH = "both"
    HERE = "only here"
    UNKNOWN = "n/a"


@record
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


MARK, PRESENCE, SIZE, AGE, ETAG, SEGMENT = 3, 10, 8, 11, 8, 12
_GAP = 2
_LEAST_KEY, _GOOD_KEY, _FOLDER_KEY = 24, 32, 44
_HEAD = 8
"""Digits of a name that are its timeline: they are seen even where the name is cut."""
_KINDS = {WalNameKind.HISTORY: "history", WalNameKind.BACKUP: "label", WalNameKind.PARTIAL: "partial"}
_ELSEWHERE = {BucketRole.PRIMARY: "not in DR", BucketRole.DR: "only in DR"}


class Columns(NamedTuple):
    """Widths in cells; 0 for a column that there is no room for."""

    key: int
    segment: int = 0
    size: int = 0
    age: int = 0
    etag: int = 0


def columns(width: int, longest: int) -> Columns:
    """The columns of a pane of `width` cells, the last of which is the scroll bar's.

    The key gets no more than the `longest` one needs.
    """
    room = width - 1 - GUTTER - 1 - MARK - _GAP - PRESENCE
    wide = dict.fromkeys(("segment", "size", "age", "etag"), 0)
    for name, cells, least in (
        ("size", SIZE, _LEAST_KEY),
        ("age", AGE, _LEAST_KEY),
        ("etag", ETAG, _GOOD_KEY),
        ("segment", SEGMENT, _FOLDER_KEY),
    ):
        if room - cells - _GAP < min(least, longest):
            break
        room -= cells + _GAP
        wide[name] = cells
    return Columns(max(1, min(room, longest)), **wide)


def header(wide: Columns) -> str:
    """The names of the columns, each above its own."""
    text = " " * GUTTER + pad("key", wide.key) + " " * (1 + MARK)
    if wide.segment:
        text += " " * _GAP + pad("segment", wide.segment)
    for name, cells in (("size", wide.size), ("age", wide.age)):
        if cells:
            text += " " * _GAP + right(name, cells)
    if wide.etag:
        text += " " * _GAP + pad("ETag", wide.etag)
    return text + " " * _GAP + "copies"


def key_line(stored: StoredObject, copies: Copies, now: float, wide: Columns, glyphs: Glyphs) -> Line:
    """The row of one object. What is no WAL is muted."""
    meaning = copies.meaning(stored.key)
    tone = Tone.TEXT if meaning.name is not None else Tone.MUTED
    gap = Span(" " * _GAP)
    spans = [Span(" " * GUTTER), *_key_spans(stored.key, wide.key, tone, glyphs), _mark(meaning, copies)]
    if wide.segment:
        text = fit(segment_text(meaning, copies.segment_bytes), wide.segment, glyphs.more)
        spans += gap, Span(pad(text, wide.segment), tone)
    if wide.size:
        spans += gap, Span(right(bytes_text(stored.size), wide.size), tone)
    if wide.age:
        age = fit(whole_duration_text(copies.age_s(stored.modified_at, now)), wide.age, glyphs.more)
        spans += gap, Span(right(age, wide.age), tone)
    if wide.etag:
        spans += gap, Span(pad(fit(shown(stored.etag), wide.etag, glyphs.more), wide.etag), Tone.MUTED)
    presence = copies.presence(meaning)
    spans += gap, Span(presence_text(presence, copies.role), _TONES[presence])
    text = shown(stored.key)
    return Line(tuple(spans), "key", text, text)


_TONES = {Presence.BOTH: Tone.TEXT, Presence.HERE: Tone.WARNING, Presence.UNKNOWN: Tone.MUTED}


def presence_text(presence: Presence, role: BucketRole) -> str:
    """In a word or three: `both`, `not in DR`, `only in DR`, `n/a`."""
    return _ELSEWHERE[role] if presence is Presence.HERE else presence.value


def segment_text(meaning: Meaning, segment_bytes: int) -> str:
    """`1/0/41` for timeline, log and segment in hexadecimal; another kind's name; `no WAL`."""
    if meaning.name is None:
        return "no WAL"
    if meaning.segment is None:
        return _KINDS[meaning.name.kind]
    return short_name(meaning.segment, segment_bytes)


def short_name(segment: Segment, segment_bytes: int) -> str:
    """A segment's three fields in hexadecimal without their zeroes: `1/0/41`."""
    log, low = divmod(segment.number, LOG_BYTES // segment_bytes)
    return f"{segment.timeline:X}/{log:X}/{low:X}"


def _mark(meaning: Meaning, copies: Copies) -> Span:
    """`x2` for a segment under two keys, `x2!` where they differ."""
    segment = meaning.segment
    if segment is None or not copies.twice(segment):
        return Span(" " * (1 + MARK))
    if copies.differs(segment):
        return Span(pad(" x2!", 1 + MARK), Tone.CRITICAL)
    return Span(pad(" x2", 1 + MARK), Tone.WARNING)


def _key_spans(key: str, width: int, tone: Tone, glyphs: Glyphs) -> tuple[Span, Span]:
    """The key in `width` cells: all of its name if that is possible, and the end of its folder."""
    folder, name = map(shown, split_key(key))
    size = cell_len(name)
    if size >= width:
        head = name[:_HEAD] if width > 2 * _HEAD else ""
        name = head + _tail(name[len(head) :], width - cell_len(head), glyphs.more)
        return Span("", Tone.MUTED), Span(pad(name, width), tone)
    folder = _tail(folder, width - size, glyphs.more)
    return Span(folder, Tone.MUTED), Span(pad(name, width - cell_len(folder)), tone)


def _tail(text: str, width: int, more: str) -> str:
    """The end of `text` in at most `width` cells, what is cut marked. A hostile name may be very long."""
    if cell_len(text) <= width:
        return text
    room = width - len(more)
    start = len(text)
    while start and room >= cell_len(text[start - 1]):
        start -= 1
        room -= cell_len(text[start])
    return more + text[start:] if room >= 0 else ""
