"""What leaves the archive screen as files: gaps, the index, and the whole listing."""

import asyncio
import csv
import io
import json
import os
import stat
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.message import Message

from tests.data.bucket_reader import KeysReader, refusal, segment_keys
from tests.data.facts import NOW, bucket, healthy
from tests.unit.test_ui_browser import holding
from walconsole.domain.archive.continuity import Continuity
from walconsole.domain.archive.gaps import AcceptedGap, Gap
from walconsole.domain.archive.runs import Runs
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import BucketRole
from walconsole.domain.standing.model import Diagnosis, Level, Verdict
from walconsole.domain.wal import Segment
from walconsole.ui.archive.export import csv_cell, export_gaps, export_index
from walconsole.ui.archive.listing_export import (
    ListingFailed,
    ListingFormat,
    ListingProgressed,
    ListingWritten,
    export_listing,
)
from walconsole.ui.board.export import Export
from walconsole.ui.board.messages import SnapshotTaken

HOSTILE = (
    "=1+1",
    "-x",
    "@a",
    "'q",
    'a,b\n"c"',
    "back\\slash",
    "\x1b]0;x\x07",
    "\x7f",
    "\u202eevil",
    "漢字",
    "\r",
)


def taken(snapshot: Snapshot) -> SnapshotTaken:
    return SnapshotTaken(snapshot, Diagnosis(Verdict(Level.OK, "fine"), ()), NOW)


def parts(export: Export) -> tuple[dict[str, Any], list[list[str]]]:
    texts = dict(export.texts)
    return json.loads(texts["json"]), list(csv.reader(io.StringIO(texts["csv"])))


def gapped() -> Snapshot:
    """0x10 to 0x1F missing and accepted, 0x30 missing, in the primary; DR is whole."""
    runs = Runs()
    for first, last in ((1, 0xF), (0x20, 0x2F), (0x31, 0x41)):
        runs.add(first, last)
    accepted = AcceptedGap("e", "b", "", "x", "y", "=cmd|' /C calc'!A0", NOW - 86_400, "root")
    gaps = (
        Gap(1, Segment(1, 0x10).name(), Segment(1, 0x1F).name(), 16, accepted=accepted),
        Gap(1, Segment(1, 0x30).name(), Segment(1, 0x30).name(), 1, until_at=NOW - 3600),
    )
    held = replace(holding(1, 0x41), timelines={1: runs}, history_keys={2: "00000002.history"})
    primary = bucket(
        holding=held,
        gaps=gaps[1:],
        continuity=Continuity(
            1,
            gaps=gaps[1:],
            gap_count=1,
            missing_segments=1,
            accepted_gaps=gaps[:1],
            accepted_segments=16,
        ),
    )
    return healthy(primary=primary, dr=bucket(BucketRole.DR, holding=holding(1, 0x41)))


def test_gaps_are_exact_and_accepted_ones_say_so() -> None:
    document, rows = parts(export_gaps(taken(gapped())))
    assert (document["format"], document["version"]) == ("walconsole-archive-gaps", 1)
    primary, dr = document["archives"]
    assert (primary["gap_count"], primary["missing_segments"], dr["gaps"]) == (1, 1, [])
    first, second = primary["gaps"]
    assert first["accepted_reason"] == "=cmd|' /C calc'!A0"
    assert (second["first_lsn"], second["end_lsn"]) == ("0/30000000", "0/31000000")
    assert second["until_at"] == "2026-09-21T13:13:20+00:00"
    assert [len(row) for row in rows] == [14, 14, 14]
    assert rows[1][11] == "'=cmd|' /C calc'!A0"
    assert rows[2][3:7] == ["1", Segment(1, 0x30).name(), Segment(1, 0x30).name(), "1"]


def test_the_index_has_every_run_of_both_buckets() -> None:
    document, rows = parts(export_index(taken(gapped())))
    primary, dr = document["archives"]
    assert [run["segments"] for run in primary["runs"]] == [15, 16, 17]
    assert [run["first"] for run in dr["runs"]] == [Segment(1, 1).name()]
    assert primary["histories"] == {"2": "00000002.history"}
    assert primary["layout"] == "NAME"
    assert [row[0] for row in rows[1:]] == ["primary"] * 3 + ["dr"]


def test_what_was_not_read_is_not_exported_as_empty() -> None:
    snapshot = Snapshot("shithub", began_at=NOW, taken_at=NOW)
    document, rows = parts(export_gaps(taken(snapshot)))
    assert document["archives"] == []
    assert len(rows) == 1


def test_a_hostile_root_is_exact_in_json_and_inert_in_csv() -> None:
    held = replace(holding(1, 2), prefix="=\x1b[2J\u202e\x7f/")
    document, rows = parts(export_index(taken(healthy(primary=bucket(holding=held)))))
    text = dict(export_index(taken(healthy(primary=bucket(holding=held)))).texts)["json"]
    assert document["archives"][0]["root"] == "=\x1b[2J\u202e\x7f/"
    assert text.isascii()
    assert "\x7f" not in text
    assert rows[1][2] == "'=\\x1b[2J\\u202e\\x7f/"


@given(st.text(max_size=20))
def test_csv_cells_are_printable_inert_and_reversible(text: str) -> None:
    cell = csv_cell(text)
    assert cell.isprintable()
    assert not cell.startswith(("=", "+", "-", "@"))
    plain = cell.removeprefix("'")
    escaped = "".join(char if char.isascii() else char.encode("unicode_escape").decode() for char in plain)
    assert escaped.encode().decode("unicode_escape") == text


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def written(
    keys: Sequence[str], form: ListingFormat, folder: Path, reader: KeysReader | None = None
) -> tuple[Path | None, list[Message]]:
    told: list[Message] = []
    path = await export_listing(reader or KeysReader(keys), "listing", form, told.append, folder)
    return path, told


async def test_json_lines_hold_every_key_exactly(tmp_path: Path) -> None:
    keys = sorted(HOSTILE)
    path, told = await written(keys, ListingFormat.JSON_LINES, tmp_path)
    assert path == tmp_path / "listing.jsonl"
    lines = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    assert [line["key"] for line in lines] == keys
    assert lines[0] | {"key": ""} == {
        "key": "",
        "size": 16 * 1024 * 1024,
        "modified_at": "2026-09-21T13:13:20+00:00",
        "etag": "d41d8cd98f00b204e9800998ecf8427e",
    }
    assert path.read_bytes().isascii()
    assert isinstance(told[-1], ListingWritten)
    assert (told[-1].path, told[-1].objects) == (path, len(keys))


async def test_csv_has_one_inert_row_a_key(tmp_path: Path) -> None:
    keys = sorted(HOSTILE)
    path, _ = await written(keys, ListingFormat.CSV, tmp_path)
    assert path is not None
    rows = list(csv.reader(io.StringIO(path.read_text("utf-8"))))
    assert rows[0] == ["key", "size", "modified_at", "etag"]
    assert [row[0] for row in rows[1:]] == [csv_cell(key) for key in keys]
    assert path.read_text("utf-8").count("\n") == len(keys) + 1


async def test_the_file_is_its_owner_s_and_replaces_none(tmp_path: Path) -> None:
    (tmp_path / "listing.csv").write_text("precious")
    path, _ = await written(segment_keys(3), ListingFormat.CSV, tmp_path)
    assert path == tmp_path / "listing-2.csv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (tmp_path / "listing.csv").read_text() == "precious"
    assert names(tmp_path) == ["listing-2.csv", "listing.csv"]


async def test_many_pages_tell_how_far_they_are_and_take_no_more_memory(tmp_path: Path) -> None:
    await written(segment_keys(2_000), ListingFormat.CSV, tmp_path)
    tracemalloc.start()
    try:
        path, told = await written(segment_keys(30_000), ListingFormat.CSV, tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path is not None
    assert path.read_text().count("\n") == 30_001
    progress = [message for message in told if isinstance(message, ListingProgressed)]
    assert [message.objects for message in progress] == list(range(1_000, 30_001, 1_000))
    assert progress[0].total == 30_000
    assert peak < 2_000_000


async def test_a_refusal_in_the_middle_leaves_no_file(tmp_path: Path) -> None:
    reader = KeysReader(segment_keys(5_000))
    told: list[Message] = []

    def tell(message: Message) -> None:
        told.append(message)
        if len(told) == 3:
            reader.failures = [refusal("AccessDenied")]

    assert await export_listing(reader, "listing", ListingFormat.CSV, tell, tmp_path) is None
    assert names(tmp_path) == []
    assert isinstance(told[-1], ListingFailed)
    assert "AccessDenied" in told[-1].why


async def test_cancelled_it_leaves_no_file(tmp_path: Path) -> None:
    reader = KeysReader(segment_keys(5_000))
    job: asyncio.Task[Path | None]

    def tell(message: Message) -> None:
        if isinstance(message, ListingProgressed) and message.objects == 2_000:
            assert names(tmp_path) == ["listing.csv.incomplete"]
            job.cancel()

    job = asyncio.ensure_future(export_listing(reader, "listing", ListingFormat.CSV, tell, tmp_path))
    with pytest.raises(asyncio.CancelledError):
        await job
    assert names(tmp_path) == []


async def test_a_store_that_goes_in_circles_is_told(tmp_path: Path) -> None:
    class Circle(KeysReader):
        async def page(self, start_after: str) -> object:  # type: ignore[override]  # whatever it answers
            return await super().page("")

    path, told = await written((), ListingFormat.CSV, tmp_path, Circle(segment_keys(1_500)))
    assert path is None
    assert isinstance(told[-1], ListingFailed)
    assert "does not continue" in told[-1].why
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    real = os.open
    monkeypatch.setattr(
        os, "open", lambda path, *how: full if str(path).endswith(".incomplete") else real(path, *how)
    )
    path, told = await written(segment_keys(3_000), ListingFormat.CSV, tmp_path)
    assert path is None
    assert isinstance(told[-1], ListingFailed)
    assert "No space left on device" in told[-1].why


async def test_a_folder_that_takes_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path, told = await written(segment_keys(3), ListingFormat.CSV, tmp_path / "file")
    assert path is None
    assert isinstance(told[-1], ListingFailed)
    assert told[-1].why.startswith("creating listing.csv: ")
