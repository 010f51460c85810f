"""Everything that the screens show at one moment, as it is kept: a chain of documents, packed.

A document has the snapshot (domain.kept.snapshots), the log's newest lines about archiving, and what is
remembered of incidents by then. What it is diagnosed as follows from it, as it did then.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from walconsole.domain.facts.log_line import LogLine
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.incidents.model import IncidentLog
from walconsole.domain.kept.chain import Spent, applied, difference
from walconsole.domain.kept.snapshots import Document, SnapshotReader, SnapshotWriter
from walconsole.domain.kept.values import Decode, decoder, encoder
from walconsole.domain.records import record

LINES_KEPT = 200
"""Lines of the log about archiving, at each moment."""
MOST_BYTES = 1 << 28
"""Of one block, unpacked."""
MOST_FRAMES = 100_000


def newest_lines(before: tuple[LogLine, ...], lines: Sequence[LogLine]) -> tuple[LogLine, ...]:
    """Those about archiving, as many as are kept; the same tuple where no line was added."""
    about = [line for line in lines if line.about_archiving][-LINES_KEPT:]
    return (*before, *about)[-LINES_KEPT:] if about else before


@record
class PastScreen:
    """What the console knew at `at`, and what its log had shown of archiving by then."""

    at: float
    snapshot: Snapshot
    lines: tuple[LogLine, ...] = ()
    remembered: IncidentLog | None = None


class Frame(NamedTuple):
    """A document that was true at `at`, when the first line's level was `level`."""

    at: float
    level: str
    document: Document


class Link(NamedTuple):
    """A frame as its difference to the one before it; of the first one, to nothing at all."""

    at: float
    level: str
    change: Any


class ScreenWriter:
    """Makes documents of moments that follow each other."""

    def __init__(self) -> None:
        self._snapshots = SnapshotWriter()
        self._remembered: tuple[object, Any] = None, None
        self._lines: tuple[object, Any] = None, None

    def document(self, screen: PastScreen) -> Document:
        """Redacted."""
        if self._remembered[0] is not screen.remembered:
            self._remembered = screen.remembered, encoder(IncidentLog | None)(screen.remembered)
        if self._lines[0] is not screen.lines:
            self._lines = screen.lines, encoder(tuple[LogLine, ...])(screen.lines[-LINES_KEPT:])
        return {
            "at": screen.at,
            "snapshot": self._snapshots.document(screen.snapshot),
            "lines": self._lines[1],
            "remembered": self._remembered[1],
        }


class ScreenReader:
    """Makes moments of documents that follow each other, in any order."""

    def __init__(self) -> None:
        self._snapshots = SnapshotReader()

    def screen(self, document: object) -> PastScreen:
        """What the document says. Raises ValueError, which says where it is odd."""
        if not isinstance(document, dict):
            raise ValueError("it is no moment")
        return PastScreen(
            _read(decoder(float), document, "at"),
            self._snapshots.snapshot(document.get("snapshot")),
            _read(decoder(tuple[LogLine, ...]), document, "lines"),
            _read(decoder(IncidentLog | None), document, "remembered"),
        )


def _read(decode: Decode, document: Document, name: str) -> Any:
    return decode(document.get(name), name)


# -- Chains.


def linked(frames: Iterable[Frame]) -> list[Link]:
    """The frames, each by its difference to the one before."""
    before: Any = {}
    links = []
    for frame in frames:
        links.append(Link(frame.at, frame.level, difference(before, frame.document)))
        before = frame.document
    return links


def followed(
    links: Iterable[Link], before: Document | None = None, spent: Spent | None = None
) -> Iterator[Frame]:
    """The frames again, after `before`; what did not change is the same object. Raises ValueError."""
    document: Any = before or {}
    for link in links:
        document = applied(document, link.change, spent=spent)
        yield Frame(link.at, link.level, document)


def packed(content: object) -> bytes:
    """Plain values as compressed JSON. Raises ValueError for a number that is none."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return zlib.compress(text.encode("utf-8", "surrogatepass"), 6)


def unpacked(block: bytes, most: int = MOST_BYTES) -> Any:
    """What was packed. Raises ValueError for anything else, and for what is longer than `most` bytes."""
    unpacking = zlib.decompressobj()
    try:
        raw = unpacking.decompress(block, most)
    except zlib.error:
        raise ValueError("what was packed is damaged") from None
    if not unpacking.eof:
        raise ValueError("what was packed is cut, or too long")
    try:
        return json.loads(raw.decode("utf-8", "surrogatepass"), parse_constant=_refused)
    except RecursionError:
        raise ValueError("what was packed is nested too deeply") from None
    except json.JSONDecodeError:
        raise ValueError("what was packed is damaged") from None
    except ValueError as error:  # `_refused`; or Python's own, which is about Python
        why = "a number has too many digits" if "int_max_str_digits" in str(error) else str(error)
        raise ValueError(why) from None


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no number")


def links_of(content: object) -> list[Link]:
    """The links of a list of plain values. Raises ValueError."""
    if not isinstance(content, list) or len(content) > MOST_FRAMES:
        raise ValueError("it is no list of moments, or too long a one")
    return [_link(each) for each in content]


def _link(value: object) -> Link:
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError("a moment is none")
    at, level, change = value
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at < 253_402_300_799:
        raise ValueError("a moment has no time")
    if not isinstance(level, str) or len(level) > 40:
        raise ValueError("a moment has no level")
    return Link(float(at), level, change)


def changes_of(frames: Iterable[tuple[Any, ...]]) -> list[tuple[float, str]]:
    """Time and level of the first, and of each whose level is another than that of the one before."""
    changes: list[tuple[float, str]] = []
    for at, level, *_ in frames:
        if not changes or changes[-1][1] != level:
            changes.append((at, level))
    return changes


def thinned_frames(frames: Sequence[Frame], every_s: float) -> list[Frame]:
    """The last one of each span, and each at which the level became another."""
    kept = []
    for place, frame in enumerate(frames):
        changed = place > 0 and frame.level != frames[place - 1].level
        after = frames[place + 1].at if place + 1 < len(frames) else None
        if changed or after is None or after // every_s != frame.at // every_s:
            kept.append(frame)
    return kept
