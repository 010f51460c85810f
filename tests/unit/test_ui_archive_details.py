"""What is told of a single object, of a gap, and of a cell of the coverage strip."""

import re
from collections.abc import Iterable
from dataclasses import replace

import pytest
from rich.cells import cell_len

from tests.data.bucket_reader import plain_object
from tests.data.facts import NOW, SEGMENT, bucket, server
from tests.unit.test_ui_browser import holding
from walconsole.domain.archive.coverage import Cell, Cover
from walconsole.domain.archive.gaps import AcceptedGap, Gap
from walconsole.domain.archive.listing import ObjectDetails, StoredObject
from walconsole.domain.archive.page_header import PageHeader
from walconsole.domain.archive.runs import Runs
from walconsole.domain.facts.observed import RepeatedSegment, ServerFacts
from walconsole.domain.profile import BucketRole
from walconsole.domain.wal import Segment
from walconsole.ui.archive.details import object_rows
from walconsole.ui.archive.stored_key import Copies
from walconsole.ui.archive.subject import cell_rows, gap_rows
from walconsole.ui.board.content import Line, Tone
from walconsole.ui.board.glyphs import ASCII, UNICODE, Glyphs

OURS = "7412345678901234567"
NAME = Segment(1, 0x41).name()


def told(lines: Iterable[Line]) -> str:
    """Everything as one text with single blanks."""
    return re.sub(r"\s+", " ", " ".join(line.text for line in lines))


def tones(lines: Iterable[Line]) -> set[Tone]:
    return {span.tone for line in lines for span in line.spans}


def page_header(**changes: object) -> PageHeader:
    whole = PageHeader(0xD110, 15, 1, 0x41 * SEGMENT, OURS, SEGMENT, 8192)
    return replace(whole, **changes)  # type: ignore[arg-type]  # the test names the fields


def both() -> Copies:
    """0x01 to 0x42 in the primary, DR two behind."""
    facts = bucket(holding=holding(1, 0x42))
    return Copies(BucketRole.PRIMARY, "", facts, bucket(BucketRole.DR, holding=holding(1, 0x40)))


def about(
    key: str | StoredObject = NAME,
    looked: ObjectDetails | str = "",
    copies: Copies | None = None,
    running: ServerFacts | None = None,
    width: int = 100,
    glyphs: Glyphs = UNICODE,
) -> tuple[Line, ...]:
    stored = plain_object(key) if isinstance(key, str) else key
    return object_rows(stored, looked, copies or both(), running, now=NOW, width=width, glyphs=glyphs)


def looked(header: PageHeader | None, why: str = "", **headers: str) -> ObjectDetails:
    return ObjectDetails(plain_object(NAME), headers, header, why, NOW - 3)


def test_a_segment_says_what_it_holds_and_where_else_it_is() -> None:
    text = told(about())
    assert f"key {NAME}" in text
    assert "segment 000000010000000000000041 of timeline 1" in text
    assert "16.0 MiB (16,777,216 bytes)" in text
    assert "1 h 00 min ago (by the store's clock)" in text
    assert "d41d8cd98f00b204e9800998ecf8427e the content's MD5" in text
    assert "LSNs 0/41000000 to 0/41FFFFFF" in text
    assert "in DR ▲ no" in text
    assert "no gap beside it" in text
    assert "not read yet: Enter reads the object's head" in text


def test_the_page_header_is_compared_with_the_server() -> None:
    lines = about(looked=looked(page_header()), running=server())
    text = told(lines)
    assert "read 3 s ago" in text
    assert "PostgreSQL 15 (magic D110)" in text
    assert f"{OURS} ● the server's own" in text
    assert "begins at 0/41000000" in text
    assert "16.0 MiB in pages of 8.00 KiB" in text
    assert Tone.CRITICAL not in tones(lines)


@pytest.mark.parametrize(
    ("changes", "said", "tone"),
    [
        ({"system_identifier": "1"}, f"1 ✗ another cluster's: the server's is {OURS}", Tone.CRITICAL),
        ({"timeline": 2}, "2 ▲ its name says 1: right in the first segment after a switch", Tone.WARNING),
        ({"start_lsn": 0}, "0/0 ✗ the name says 0/41000000", Tone.CRITICAL),
        (
            {"segment_bytes": 2**26},
            "64.0 MiB in pages of 8.00 KiB ✗ the server's are 16.0 MiB",
            Tone.CRITICAL,
        ),
        ({"major": None}, "an unknown version", Tone.TEXT),
    ],
)
def test_a_header_that_does_not_fit_says_so(changes: dict[str, object], said: str, tone: Tone) -> None:
    lines = about(looked=looked(page_header(**changes)), running=server())
    assert said in told(lines)
    assert tone in tones(lines)


def test_what_could_not_be_read_says_why() -> None:
    assert "? the server's is not known" in told(about(looked=looked(page_header())))
    assert "n/a: it is encrypted" in told(about(looked=looked(None, "it is encrypted")))
    assert "n/a: reading x: AccessDenied" in told(about(looked="reading x: AccessDenied"))
    assert "in DR n/a: the other bucket was not read" in told(
        about(copies=Copies(BucketRole.PRIMARY, "", bucket(holding=holding(1, 0x41))))
    )
    assert "in DR n/a: only WAL files are compared" in told(about("notes.txt"))
    assert "ETag n/a" in told(about(replace(plain_object(NAME), etag="")))


def test_a_gap_beside_it_is_named() -> None:
    runs = Runs()
    runs.add(1, 0x3F)
    runs.add(0x41, 0x50)
    copies = Copies(BucketRole.PRIMARY, "", bucket(holding=replace(holding(1, 0x50), timelines={1: runs})))
    lines = about(copies=copies)
    assert "✗ missing: 000000010000000000000040" in told(lines)


def test_a_second_key_with_other_content_is_critical() -> None:
    held = holding(1, 0x42, repeated=(Segment(1, 0x41),))
    repeat = RepeatedSegment(NAME, (f"2026/05/10/{NAME}", f"2026/05/11/{NAME}"), identical=False)
    copies = Copies(BucketRole.PRIMARY, "", bucket(holding=held, repeats=(repeat,)))
    lines = about(copies=copies)
    assert f"✗ DIFFERENT content under two keys: 2026/05/10/{NAME} and 2026/05/11/{NAME}" in told(lines)
    assert Tone.CRITICAL in tones(lines)


@pytest.mark.parametrize("width", [36, 50, 78])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_a_hostile_key_is_whole_and_within_its_cells(width: int, glyphs: Glyphs) -> None:
    key = "[b]\x1b[31m" + "漢字" * 200 + "\u202e" + "x" * 500 + f"/{NAME}"
    lines = about(
        key, looked=looked(None, "x", **{"x-amz-meta-\x07a": "\x1b]0;b\x07" + "c" * 5000}), width=width
    )
    assert all(cell_len(line.text) <= width for line in lines)
    assert all(line.text.isprintable() for line in lines)
    shown = "".join(line.text.strip().removeprefix("key").strip() for line in lines)
    assert ("[b]" + "漢字" * 200 + "x" * 500 + f"/{NAME}") in shown


GAP = Gap(1, Segment(1, 0x10).name(), Segment(1, 0x1F).name(), 16, until_at=NOW - 7200)


def gap(found: Gap = GAP, other: int = 0x40, glyphs: Glyphs = UNICODE) -> tuple[Line, ...]:
    copies = Copies(BucketRole.PRIMARY, "", bucket(), bucket(BucketRole.DR, holding=holding(1, other)))
    return gap_rows(found, copies, "/var/lib/pg wal", now=NOW, width=100, glyphs=glyphs)


def test_a_gap_says_what_is_lost_and_what_to_do() -> None:
    text = told(gap())
    assert "✗ 16 segments, 256 MiB of WAL" in text
    assert "first 000000010000000000000010 last 00000001000000000000001F" in text
    assert "LSNs 0/10000000 to 0/1FFFFFFF" in text
    assert "2 h 00 min ago: the segment after it was stored then" in text
    assert "in DR 16 of 16 are there" in text
    assert "DR has all of them: f copies them over" in text.replace("`", "")
    assert "ends at 0/10000000" in text
    assert "Whether the server still has them is not known here" in text
    assert "sudo ls -l '/var/lib/pg wal/000000010000000000000010'" in text
    assert "take a new base backup" in text


def test_a_gap_in_both_copies_does_not_promise_the_other_one() -> None:
    text = told(gap(other=0x12))
    assert "in DR 3 of 16 are there" in text
    assert "copy them over" not in text


def test_an_accepted_gap_says_why_when_and_by_whom() -> None:
    accepted = AcceptedGap("e", "b", "", GAP.first, GAP.last, "disk full in \x1b[1mMay", NOW - 86_400, "ada")
    lines = gap(replace(GAP, accepted=accepted))
    text = told(lines)
    assert "reason disk full in May" in text
    assert "2026-09-20 14:13Z by ada" in text
    assert "withdraws" in text
    assert "what to do" not in text
    assert Tone.CRITICAL not in tones(lines)


def cell(found: Cell, dr: bool = True) -> str:
    other = holding(1, 0x40) if dr else None
    return told(cell_rows(found, 1, SEGMENT, holding(1, 0x41), other, width=80, glyphs=UNICODE))


def test_a_cell_says_its_range_and_what_each_copy_holds() -> None:
    text = cell(Cell(0x30, 0x4F, Cover.MISSING, missing=14, backups=1))
    assert "✗ some are missing in both" in text
    assert "segments 32 in primary 18 in DR 17 in neither ✗ 14" in text
    assert "1 base backup began in it" in text
    assert "Enter shows its parts" in text


def test_a_cell_of_one_segment_leads_to_its_key() -> None:
    text = cell(Cell(0x41, 0x41, Cover.PRIMARY_ONLY), dr=False)
    assert "▲ only in primary" in text
    assert "in DR n/a: its bucket was not read" in text
    assert "Enter goes to its key" in text
