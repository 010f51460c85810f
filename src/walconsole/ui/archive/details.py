"""What is under the cursor, in full: an object of a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

from walconsole.domain.archive.listing import ObjectDetails, StoredObject
from walconsole.domain.profile import BucketRole
from walconsole.domain.units import age_text, bytes_text, count_text
from walconsole.domain.wal import Segment, WalNameKind, format_lsn
from walconsole.ui.archive.stored_key import Copies, Meaning, Presence
from walconsole.ui.board.content import Line, Tone
from walconsole.ui.board.page import LABEL, Page
from walconsole.ui.board.typeset import GUTTER, NOT_AVAILABLE, clock_text, shown

if TYPE_CHECKING:
    from walconsole.domain.archive.page_header import PageHeader
    from walconsole.domain.facts.observed import ServerFacts
    from walconsole.ui.board.glyphs import Glyphs

_OTHER = {BucketRole.PRIMARY: "in DR", BucketRole.DR: "in primary"}
_HEADERS_SHOWN, _HEADER_CHARACTERS = 40, 300
_KINDS = {
    WalNameKind.PARTIAL: "a partial segment: the last one of a timeline that was left",
    WalNameKind.BACKUP: "the label of a base backup",
}


def object_rows(
    stored: StoredObject,
    looked: ObjectDetails | str,
    copies: Copies,
    server: ServerFacts | None,
    *,
    now: float,
    width: int,
    glyphs: Glyphs,
) -> tuple[Line, ...]:
    """Rows about one object of `copies.own`'s bucket.

    `looked` is what reading its head brought, or why that failed; empty while it was not read.
    """
    page = Page(width, glyphs)
    meaning = copies.meaning(stored.key)
    _key(page, stored.key)
    page.fact("is", _kind_text(meaning, copies.segment_bytes), Tone.TEXT if meaning.name else Tone.MUTED)
    _listed(page, stored, meaning, copies, now)
    _presence(page, meaning, copies)
    if meaning.segment is not None:
        _place_in_archive(page, meaning, meaning.segment, copies)
    if isinstance(looked, ObjectDetails):
        _header(page, looked, meaning, copies.segment_bytes, server, now)
        _headers(page, looked)
    else:
        page.heading("WAL page header:")
        text = (
            f"{NOT_AVAILABLE}: {shown(looked)}" if looked else "not read yet: Enter reads the object's head"
        )
        page.paragraph(text, Tone.WARNING if looked else Tone.MUTED)
    return tuple(page)


def _key(page: Page, key: str) -> None:
    """The whole key, cut into lines by cells: it may have no blank and be a thousand characters long."""
    text, width = shown(key), max(1, page.width - GUTTER - LABEL - 1)
    label, start = "key", 0
    while start < len(text) or label:
        stop, room = start, width
        while stop < len(text) and room >= cell_len(text[stop]):
            room -= cell_len(text[stop])
            stop += 1
        stop = max(stop, start + 1)
        page.fact(label, text[start:stop], Tone.STRONG, copied=text)
        label, start = "", stop


def _kind_text(meaning: Meaning, segment_bytes: int) -> str:
    name = meaning.name
    if name is None:
        return "no file that PostgreSQL archives"
    suffix = f", stored as {shown(name.suffix)}" if name.suffix else ""
    if name.kind is WalNameKind.HISTORY:
        return f"the history of timeline {name.timeline}: what it descends from{suffix}"
    if name.segment is None or name.kind is not WalNameKind.SEGMENT:
        return f"{_KINDS[name.kind]}, timeline {name.timeline}{suffix}"
    return f"segment {name.segment.name(segment_bytes)} of timeline {name.timeline}{suffix}"


def _listed(page: Page, stored: StoredObject, meaning: Meaning, copies: Copies, now: float) -> None:
    """What the listing says of it."""
    share = ""
    if meaning.segment is not None and stored.size != copies.segment_bytes:
        share = f", {100 * stored.size / copies.segment_bytes:.1f} % of a segment"
    size = f"{bytes_text(stored.size)} ({count_text(stored.size)} bytes{share})"
    page.fact("size", size, copied=str(stored.size))
    age = age_text(copies.age_s(stored.modified_at, now))
    page.fact("stored", f"{clock_text(stored.modified_at, now)}, {age} (by the store's clock)")
    if not stored.etag:
        page.fact("ETag", f"{NOT_AVAILABLE}: the listing names none", Tone.MUTED)
        return
    origin = "stored in parts: no MD5 of the content" if "-" in stored.etag else "the content's MD5"
    page.fact("ETag", f"{shown(stored.etag)}  {origin}", copied=shown(stored.etag))


def _presence(page: Page, meaning: Meaning, copies: Copies) -> None:
    """Whether the other bucket has it."""
    presence, label = copies.presence(meaning), _OTHER[copies.role]
    if presence is Presence.BOTH:
        page.fact(label, f"{page.glyphs.ok} yes", Tone.OK)
    elif presence is Presence.HERE:
        page.fact(label, f"{page.glyphs.warning} no", Tone.WARNING)
    else:
        page.fact(label, f"{NOT_AVAILABLE}: {_why_unknown(meaning, copies)}", Tone.MUTED)


def _why_unknown(meaning: Meaning, copies: Copies) -> str:
    if meaning.name is None:
        return "only WAL files are compared"
    if copies.other is None:
        return "the other bucket was not read"
    if meaning.name.kind is WalNameKind.PARTIAL:
        return "the index only counts partial segments"
    if not copies.other.complete:
        return "the other bucket is still being listed"
    return "the other bucket has no archive in this place"


def _place_in_archive(page: Page, meaning: Meaning, segment: Segment, copies: Copies) -> None:
    """Its LSNs, its neighbours, its second key."""
    size = copies.segment_bytes
    page.fact("LSNs", lsn_range(segment.number, segment.number, size))
    holding = copies.own.holding if copies.own is not None else None
    if holding is not None and meaning.place == holding.place:
        runs = holding.timelines.get(segment.timeline)
        lost = [
            Segment(segment.timeline, number).name(size)
            for number in (segment.number - 1, segment.number + 1)
            if runs is not None and runs.count and runs.first < number < runs.last and number not in runs
        ]
        text = f"{page.glyphs.critical} missing: {' and '.join(lost)}" if lost else "no gap beside it"
        page.fact("neighbours", text, Tone.CRITICAL if lost else Tone.TEXT)
    if copies.twice(segment):
        _second_key(page, segment, copies)


def _second_key(page: Page, segment: Segment, copies: Copies) -> None:
    name = segment.name(copies.segment_bytes)
    repeats = copies.own.repeats if copies.own is not None else ()
    repeat = next((repeat for repeat in repeats if repeat.name == name), None)
    if repeat is None:
        page.fact("twice", f"{page.glyphs.warning} stored under more than one key", Tone.WARNING)
        return
    said = {True: "the same content", False: "DIFFERENT content", None: "whether it is the same is not known"}
    tone = Tone.CRITICAL if repeat.identical is False else Tone.WARNING
    sign = page.glyphs.sign(tone.value)
    page.fact(
        "twice",
        f"{sign} {said[repeat.identical]} under two keys: {' and '.join(map(shown, repeat.keys))}",
        tone,
    )


def _header(
    page: Page,
    looked: ObjectDetails,
    meaning: Meaning,
    segment_bytes: int,
    server: ServerFacts | None,
    now: float,
) -> None:
    """The decoded head of the segment, each field against what it should be."""
    page.heading(f"WAL page header, read {age_text(max(0.0, now - looked.read_at))}:")
    header = looked.header
    if header is None:
        page.paragraph(f"{NOT_AVAILABLE}: {shown(looked.no_header)}", Tone.MUTED)
        return
    version = f"PostgreSQL {header.major}" if header.major is not None else "an unknown version"
    page.fact("written by", f"{version} (magic {header.magic:04X})")
    _system(page, header, server)
    segment = meaning.segment
    _compared(page, "timeline", str(header.timeline), _timeline_doubt(header, segment))
    expected = segment.start_lsn(segment_bytes) if segment is not None else header.start_lsn
    doubt = "" if expected == header.start_lsn else f"the name says {format_lsn(expected)}"
    _compared(page, "begins at", format_lsn(header.start_lsn), doubt, wrong=True)
    wanted = server.segment_bytes if server is not None else segment_bytes
    doubt = "" if wanted == header.segment_bytes else f"the server's are {bytes_text(wanted)}"
    sizes = f"{bytes_text(header.segment_bytes)} in pages of {bytes_text(header.block_bytes)}"
    _compared(page, "segments", sizes, doubt, wrong=True)


def _system(page: Page, header: PageHeader, server: ServerFacts | None) -> None:
    """Whose it is: decided by the system identifier, not by the timeline."""
    own = server.system_identifier if server is not None else None
    text = f"{shown(header.system_identifier)}  "
    if own is None:
        page.fact("system", f"{text}{page.glyphs.unknown} the server's is not known", Tone.UNKNOWN)
    elif own == header.system_identifier:
        page.fact("system", f"{text}{page.glyphs.ok} the server's own", Tone.OK)
    else:
        said = f"{page.glyphs.critical} another cluster's: the server's is {shown(own)}"
        page.fact("system", text + said, Tone.CRITICAL)


def _timeline_doubt(header: PageHeader, segment: Segment | None) -> str:
    if segment is None or header.timeline == segment.timeline:
        return ""
    return f"its name says {segment.timeline}: right in the first segment after a switch"


def _compared(page: Page, label: str, text: str, doubt: str, *, wrong: bool = False) -> None:
    """A field, and what is to be said against it."""
    if not doubt:
        page.fact(label, text)
        return
    tone = Tone.CRITICAL if wrong else Tone.WARNING
    page.fact(label, f"{text}  {page.glyphs.sign(tone.value)} {doubt}", tone)


def _headers(page: Page, looked: ObjectDetails) -> None:
    """The answer's headers, as the store sent them."""
    page.heading("headers of the answer:")
    for name, value in sorted(looked.headers.items())[:_HEADERS_SHOWN]:
        page.paragraph(shown(f"{name}: {value}"[:_HEADER_CHARACTERS]), Tone.LABEL)
    if not looked.headers:
        page.paragraph("none", Tone.MUTED)


def lsn_range(first: int, last: int, segment_bytes: int) -> str:
    """The bytes of segments `first` to `last` (numbers): `0/41000000 to 0/41FFFFFF`."""
    return f"{format_lsn(first * segment_bytes)} to {format_lsn((last + 1) * segment_bytes - 1)}"
