"""The index and the marks of one bucket as a document that can be kept, and back.

JSON: its format and version, a SHA-256 of the content, and the content, with what is many packed. It
is read as text from anywhere: whatever is in it, it makes a whole index or a ValueError.
"""

import base64
import hashlib
import json
import math
import sys
import zlib
from array import array
from collections.abc import Iterable, Mapping
from typing import TypeVar

from walconsole.domain.archive.contents import Archive
from walconsole.domain.archive.index import ArchiveIndex
from walconsole.domain.archive.layouts import LOG_BYTES, Layout, Place, segment_named, split_key
from walconsole.domain.archive.marks import Marks
from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.records import record
from walconsole.domain.recovery.backups import Writer
from walconsole.domain.recovery.whereabouts import Folder, Whereabouts
from walconsole.domain.wal import Segment

# -- Many numbers or texts as one short text, for JSON: little-endian, zlib, base64. What unpacks them
# raises ValueError for anything that was not packed so, and never fills the memory.

MOST_BYTES = 2**28
"""Of one packed value, unpacked: 33 million numbers."""


def canonical(content: object) -> bytes:
    """`content` as JSON, always the same bytes for the same content. Raises ValueError for a NaN."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return encoded(text)


def encoded(text: str) -> bytes:
    """UTF-8. A key may hold half of a surrogate pair, where its store sent one as a reference."""
    return text.encode("utf-8", "surrogatepass")


def decoded(content: bytes) -> str:
    """The text of such bytes. Raises ValueError."""
    return content.decode("utf-8", "surrogatepass")


def pack_numbers(numbers: Iterable[int]) -> str:
    """Numbers below 2**64."""
    return _pack(_little_endian(array("Q", numbers)).tobytes())


def unpack_numbers(packed: object) -> "array[int]":
    """What `pack_numbers` packed. Raises ValueError."""
    numbers = array("Q")
    _unpack_into(numbers, packed)
    return numbers


def pack_times(times: Iterable[float]) -> str:
    """Times, in double precision."""
    return _pack(_little_endian(array("d", times)).tobytes())


def unpack_times(packed: object) -> "array[float]":
    """What `pack_times` packed. Raises ValueError."""
    times = array("d")
    _unpack_into(times, packed)
    return times


def pack_texts(texts: Iterable[str]) -> str:
    """Texts of any kind."""
    return _pack(canonical(list(texts)))


def unpack_texts(packed: object) -> list[str]:
    """What `pack_texts` packed. Raises ValueError."""
    texts = json.loads(decoded(_unpack(packed)))
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("what was packed is no list of texts")
    return texts


def _little_endian(values: "array[int] | array[float]") -> "array[int] | array[float]":
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _unpack_into(values: "array[int] | array[float]", packed: object) -> None:
    content = _unpack(packed)
    if len(content) % values.itemsize:
        raise ValueError(f"{len(content)} bytes were packed, which are no whole numbers")
    values.frombytes(content)
    _little_endian(values)


def _pack(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content)).decode("ascii")


def _unpack(packed: object) -> bytes:
    if not isinstance(packed, str):
        raise ValueError("what should be packed is no text")
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(base64.b64decode(packed, validate=True), MOST_BYTES)
    except zlib.error as error:
        raise ValueError(f"what was packed cannot be unpacked: {error}") from None
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("what was packed is cut short, or too long")
    return content


# -- Fields of a saved document, each as it must be: whatever else it is raises ValueError.

Content = Mapping[str, object]
_T = TypeVar("_T")


def field(content: Content, name: str, kind: type[_T]) -> _T:
    """A field of that kind."""
    value = content.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"its {name!r} is no {kind.__name__}")
    return value


def count(content: Content, name: str) -> int:
    """A whole number, not below 0."""
    value = field(content, name, int)
    if value < 0:
        raise ValueError(f"its {name!r} is below 0")
    return value


def rows(content: Content, name: str, columns: int) -> list[list[object]]:
    """A list of lists, each of so many."""
    value = field(content, name, list)
    if not all(isinstance(row, list) and len(row) == columns for row in value):
        raise ValueError(f"its {name!r} are not {columns} each")
    return value


def timelines_content(timelines: Mapping[int, Runs]) -> list[list[object]]:
    """Runs by timeline, packed."""
    return [
        [timeline, pack_numbers(first for first, _ in runs), pack_numbers(last for _, last in runs)]
        for timeline, runs in timelines.items()
    ]


def timelines(content: Content, name: str, highest: int) -> dict[int, Runs]:
    """Runs by timeline, none of them empty, with numbers up to `highest`."""
    found: dict[int, Runs] = {}
    for timeline, firsts, lasts in rows(content, name, 3):
        runs = Runs.from_intervals(unpack_numbers(firsts), unpack_numbers(lasts))
        if not runs.count or runs.last > highest:
            raise ValueError(f"its {name!r} have a timeline without segments, or with impossible ones")
        found[_timeline(timeline)] = runs
    return found


def times_content(times: StoredTimes) -> list[list[object]]:
    """The samples by timeline, packed."""
    return [
        [timeline, pack_numbers(number for number, _ in samples), pack_times(at for _, at in samples)]
        for timeline, samples in ((timeline, times.samples(timeline)) for timeline in times.timelines())
    ]


def stored_times(content: Content, name: str) -> StoredTimes:
    """The samples by timeline."""
    found = StoredTimes()
    for timeline, numbers, times in rows(content, name, 3):
        samples = zip(unpack_numbers(numbers), unpack_times(times), strict=True)
        for number, stored_at in samples:
            if not math.isfinite(stored_at):
                raise ValueError(f"its {name!r} have one that is no time")
            found.note(_timeline(timeline), number, stored_at)
    return found


def segments_content(segments: Iterable[Segment]) -> list[str]:
    """Segments in their order, packed: timelines and numbers."""
    ordered = list(segments)
    timelines = pack_numbers(segment.timeline for segment in ordered)
    return [timelines, pack_numbers(segment.number for segment in ordered)]


def segments(content: Content, name: str, highest: int) -> list[Segment]:
    """Segments in their order, with numbers up to `highest`."""
    packed = field(content, name, list)
    if len(packed) != 2:
        raise ValueError(f"its {name!r} are no segments")
    numbers = unpack_numbers(packed[1])
    if max(numbers, default=0) > highest:
        raise ValueError(f"its {name!r} have an impossible one")
    pairs = zip(unpack_numbers(packed[0]), numbers, strict=True)
    return [Segment(_timeline(timeline), number) for timeline, number in pairs]


def _timeline(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**32:
        raise ValueError("a timeline is a number of 32 bits")
    return value


FORMAT = "walconsole archive index"
VERSION = 4


@record
class SavedIndex:
    """What a document holds. `more` is what was saved besides; a tuple in it comes back as a list."""

    index: ArchiveIndex
    marks: Marks
    more: Mapping[str, object]


def dump(index: ArchiveIndex, marks: Marks, more: Mapping[str, object]) -> bytes:
    """The document. `more` is anything that JSON can hold; else it raises TypeError or ValueError."""
    content = {
        "index": _index_content(index),
        "marks": {"afters": pack_texts(marks.afters), "counts": pack_numbers(marks.counts)},
        "more": dict(more),
    }
    checksum = hashlib.sha256(canonical(content)).hexdigest()
    return canonical({"format": FORMAT, "version": VERSION, "sha256": checksum, "content": content})


def load(document: bytes) -> SavedIndex:
    """What `dump` was given. Raises ValueError, saying why, for any other document and any damage."""
    try:
        content = _content(document)
        index = _index(field(content, "index", dict))
        return SavedIndex(index, _marks(field(content, "marks", dict)), field(content, "more", dict))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _content(document: bytes) -> Content:
    """The content of a document of this version whose checksum is right."""
    try:
        saved = json.loads(decoded(document))
    except ValueError as error:
        raise ValueError(f"it is no JSON, or was cut short: {error}") from None
    if not isinstance(saved, dict) or saved.get("format") != FORMAT:
        raise ValueError("it is no saved index of walconsole")
    if saved.get("version") != VERSION:
        raise ValueError(f"it is not of version {VERSION}, which is the one that this walconsole reads")
    content = field(saved, "content", dict)
    if hashlib.sha256(canonical(content)).hexdigest() != saved.get("sha256"):
        raise ValueError("it is damaged: its checksum is another")
    return content


def _marks(content: Content) -> Marks:
    marks = Marks(unpack_texts(content.get("afters")), list(unpack_numbers(content.get("counts"))))
    if len(marks.afters) != len(marks.counts) or marks.afters != sorted(marks.afters):
        raise ValueError("its marks are not in order")
    return marks


def _index_content(index: ArchiveIndex) -> dict[str, object]:
    return {
        "prefix": index.prefix,
        "segment_bytes": index.segment_bytes,
        "foreign": index.foreign,
        "base_backups": index.base_backups,
        "backup_bytes": index.backup_bytes,
        "impossible": index.impossible,
        "impossible_name": index.impossible_name,
        "alike": index.alike,
        "alike_key": index.alike_key,
        "highest_low_field": index.highest_low_field,
        "archives": [_archive_content(archive) for archive in index.archives.values()],
        "backups": _whereabouts_content(index.whereabouts),
    }


def _index(content: Content) -> ArchiveIndex:
    index = ArchiveIndex(field(content, "prefix", str), field(content, "segment_bytes", int))
    index.foreign, index.impossible = count(content, "foreign"), count(content, "impossible")
    index.base_backups = count(content, "base_backups")
    index.backup_bytes = count(content, "backup_bytes")
    index.highest_low_field = count(content, "highest_low_field")
    index.alike, index.alike_key = count(content, "alike"), field(content, "alike_key", str)
    index.alike_newest = segment_named(split_key(index.alike_key)[1], index.segment_bytes)
    if content.get("impossible_name") is not None:
        index.impossible_name = field(content, "impossible_name", str)
    for each in field(content, "archives", list):
        if not isinstance(each, dict):
            raise ValueError("one of its archives is none")
        _fill(_new_archive(index, each), each, LOG_BYTES * (LOG_BYTES // index.segment_bytes) - 1)
    index.whereabouts = _whereabouts(field(content, "backups", dict))
    return index


def _whereabouts_content(whereabouts: Whereabouts) -> dict[str, object]:
    return {
        "passed_over": whereabouts.passed_over,
        "stanzas": pack_texts(sorted(whereabouts.stanzas)),
        "folders": [
            [
                folder.writer.name,
                folder.place,
                folder.id,
                pack_texts(folder.sizes),
                pack_numbers(folder.sizes.values()),
            ]
            for folder in whereabouts.folders()
        ],
    }


def _whereabouts(content: Content) -> Whereabouts:
    """What is no key of that writer's is not taken up: what is read from a folder says what is missing."""
    found = Whereabouts()
    for writer, place, id, names, sizes in rows(content, "folders", 5):
        named = [each for each in (writer, place, id) if isinstance(each, str)]
        if len(named) < 3 or named[0] not in Writer.__members__:
            raise ValueError("one of its base backups is none")
        folder = Folder(Writer[named[0]], named[1], named[2])
        for name, size in zip(unpack_texts(names), unpack_numbers(sizes), strict=True):
            found.note(folder.key(name), size)
    found.passed_over = count(content, "passed_over")
    found.stanzas = set(unpack_texts(content.get("stanzas"))) if "stanzas" in content else set()
    return found


def _archive_content(archive: Archive) -> dict[str, object]:
    return {
        "layout": archive.place.layout.name,
        "root": archive.place.root,
        "timelines": timelines_content(archive.timelines),
        "times": times_content(archive.times),
        "days": times_content(archive.days),
        "stored_bytes": archive.stored_bytes,
        "suffixes": [list(each) for each in archive.suffixes.items()],
        "history_timelines": pack_numbers(archive.history_keys),
        "history_keys": pack_texts(archive.history_keys.values()),
        "labels": segments_content(archive.labels),
        "backups": archive.backups,
        "partials": archive.partials,
        "partial": segments_content([archive.partial] if archive.partial else []),
        "repeated": archive.repeated,
        "repeats": timelines_content(archive.repeats),
        "empty": timelines_content(archive.empty),
        "odd": timelines_content(archive.odd),
        "newest": segments_content([archive.newest] if archive.newest else []),
        "newest_key": archive.newest_key,
        "last_key": archive.last_key,
    }


def _new_archive(index: ArchiveIndex, content: Content) -> Archive:
    name = field(content, "layout", str)
    if name not in Layout.__members__:
        raise ValueError("it has a layout that this walconsole does not know")
    place = Place(Layout[name], field(content, "root", str))
    archive = None if place in index.archives else index.archive_at(place)
    if archive is None:
        raise ValueError("it has one archive twice, or too many of them")
    return archive


def _fill(archive: Archive, content: Content, highest: int) -> None:
    archive.timelines = timelines(content, "timelines", highest)
    archive.times, archive.days = stored_times(content, "times"), stored_times(content, "days")
    archive.stored_bytes = count(content, "stored_bytes")
    archive.suffixes = _suffixes(content)
    of, keys = unpack_numbers(content.get("history_timelines")), unpack_texts(content.get("history_keys"))
    archive.history_keys = dict(zip(of, keys, strict=True))
    archive.labels = segments(content, "labels", highest)
    archive.backups, archive.partials = count(content, "backups"), count(content, "partials")
    if "partial" in content:  # an index that was saved before it was noted has none
        archive.partial = next(iter(segments(content, "partial", highest)), None)
    archive.repeated, archive.repeats = count(content, "repeated"), timelines(content, "repeats", highest)
    archive.empty = timelines(content, "empty", highest)
    archive.odd = timelines(content, "odd", highest)
    archive.newest = next(iter(segments(content, "newest", highest)), None)
    archive.newest_key, archive.last_key = field(content, "newest_key", str), field(content, "last_key", str)
    newest = archive.newest
    if newest is not None and newest.number not in archive.timelines.get(newest.timeline, ()):
        raise ValueError("its newest segment is none of its segments")


def _suffixes(content: Content) -> dict[str, int]:
    found: dict[str, int] = {}
    for suffix, segments_with_it in rows(content, "suffixes", 2):
        if not isinstance(suffix, str) or not isinstance(segments_with_it, int) or segments_with_it < 0:
            raise ValueError("its suffixes are not counted")
        found[suffix] = segments_with_it
    return found
