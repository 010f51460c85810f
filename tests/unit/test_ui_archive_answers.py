"""The archive's answers, and what the details tell of the thing under the cursor."""

import re
from collections.abc import Iterable
from dataclasses import replace

import pytest
from rich.cells import cell_len

from tests.data.archives import (
    ARCHIVES,
    LABELS,
    NEWEST,
    PRIMARY_RUNS,
    backup_of,
    bucket_of,
    dr_unread,
    foreign,
    holes,
    of,
    primary_missing,
    readers,
    stale,
    sweeping,
    swept_again,
    whole,
)
from tests.data.facts import NOW, SEGMENT, archiver, server
from tests.data.snapshots import STATES, nothing_readable
from tests.unit.test_ui_archive_coverage import desk_of
from walconsole.domain.archive.cost import Price
from walconsole.domain.archive.growth import Compressibility
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Snapshot, fold, succeeded
from walconsole.domain.failures import diagnose
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import Completeness
from walconsole.domain.wal import Segment
from walconsole.ui.archive import pane_contents, subject
from walconsole.ui.archive.bucket_view import BucketView
from walconsole.ui.archive.panes import KeysPane
from walconsole.ui.archive.picture import picture_of
from walconsole.ui.archive.table import KnownArchive, span_text
from walconsole.ui.board.catalogue import PaneSpec
from walconsole.ui.board.content import Line, Tone
from walconsole.ui.board.glyphs import ASCII, UNICODE, Glyphs
from walconsole.ui.board.messages import SnapshotTaken
from walconsole.ui.dialogs.help import explanations


def taken_of(snapshot: Snapshot) -> SnapshotTaken:
    return SnapshotTaken(snapshot, diagnose(snapshot, NOW), NOW)


def answered(
    snapshot: Snapshot,
    width: int = 100,
    *,
    measured: Compressibility | str = "",
    price: Price | None = None,
    glyphs: Glyphs = UNICODE,
) -> tuple[Line, ...]:
    picture = picture_of(snapshot, NOW)
    known = KnownArchive(picture, snapshot, NOW, width, glyphs, measured, price or Price())
    return pane_contents.answer_rows(known, taken_of(snapshot))


def told(lines: Iterable[Line]) -> str:
    """Everything as one text with single blanks."""
    return re.sub(r"\s+", " ", " ".join(line.text for line in lines))


def of_entry(lines: Iterable[Line], entry: str) -> str:
    return told(line for line in lines if line.entry == entry)


def tones_of(lines: Iterable[Line], entry: str) -> set[Tone]:
    return {span.tone for line in lines if line.entry == entry for span in line.spans[1:]}


def test_what_is_wrong_comes_first_and_the_newest_gap_before_the_others() -> None:
    rows = answered(holes())
    order = [line.spans[1].tone for line in rows if line.entry != "unbroken"]
    wrong = [tone for tone in order if tone in (Tone.CRITICAL, Tone.WARNING)]
    assert order[: len(wrong)] == sorted(wrong, key=[Tone.CRITICAL, Tone.WARNING].index)
    gaps = [line.text.strip() for line in rows if line.entry == "gap"]
    assert gaps[0].startswith("gaps        ✗ 2 gaps, 4 segments missing")
    assert "000000010000002000000000 to 00000002, 3 segments" in gaps[1]
    assert gaps[2].startswith("gap in both ✗ 000000010000001200000000, 1 segment")
    assert gaps[3].startswith("gap in DR   ▲ 000000010000002000000000")


def test_an_accepted_gap_stays_visible_and_muted_with_its_reason() -> None:
    rows = answered(holes())
    text = of_entry(rows, "accepted_gap")
    assert "000000010000000800000000 to 00000010, 17 segments: lost with the old droplet" in text
    assert "accepted 2026-09-01" in text
    assert "by tenzin" in text
    assert tones_of(rows, "accepted_gap") == {Tone.MUTED}


def test_the_unbroken_run_says_from_where_to_where_and_how_long() -> None:
    text = of_entry(answered(holes()), "unbroken")
    assert "6,719 segments since 2026-09-16" in text
    assert "000000010000002000000003 to 000000020000003A00000041" in text
    assert tones_of(answered(whole()), "unbroken") == {Tone.OK}
    assert "n/a: the bucket is still being listed" in of_entry(answered(sweeping()), "unbroken")


def test_timelines_name_the_switch_point() -> None:
    assert "1 to 2 at 2F/10000528, which `latest` restores" in of_entry(answered(holes()), "timelines")


def test_a_missing_history_says_what_no_restore_reaches() -> None:
    facts = bucket_of(BucketRole.PRIMARY, {**PRIMARY_RUNS, 4: ((0x3A42, 0x3A50),)})
    assert facts.continuity is not None
    rows = answered(of(primary=facts))
    text = of_entry(rows, "timelines")
    assert "00000003.history" in text
    assert "no restore reaches timeline 4" in text
    assert Tone.CRITICAL in tones_of(rows, "timelines")


def test_lag_counts_from_the_end_of_the_newest_segment() -> None:
    text = of_entry(answered(holes()), "lag")
    assert "0 whole segments, 5.00 MiB behind the write position, 3A/42500000" in text
    ahead = archiver(lsn=NEWEST.start_lsn())
    snapshot = fold(holes(), succeeded(holes().archiver, ahead, NOW, "SQL", 1.0), NOW)
    assert "none: the newest segment ends beyond" in of_entry(answered(snapshot), "lag")
    other = fold(holes(), succeeded(holes().server, server(timeline=1), NOW, "SQL", 1.0), NOW)
    assert "the server is on timeline 1, the newest segment on 2" in of_entry(answered(other), "lag")


def test_the_copys_lag_is_in_segments_bytes_and_the_age_of_the_oldest() -> None:
    text = of_entry(answered(holes()), "dr_lag")
    assert "57 segments, 912 MiB, the oldest 000000010000001800000000, stored 6 d 02 h ago" in text
    assert "n/a: the DR bucket was not read" in of_entry(answered(dr_unread()), "dr_lag")
    assert "lacks nothing" in of_entry(answered(whole()), "dr_lag")


def test_identity_is_one_row_where_all_is_well_and_names_another_cluster() -> None:
    well = [line for line in answered(whole(), 198) if line.entry == "identity"]
    assert len(well) == 2
    assert "newest and oldest are this server's, PostgreSQL 15" in well[0].text
    rows = answered(foreign())
    assert "system 7400000000000000001: ANOTHER cluster's" in of_entry(rows, "identity")
    assert Tone.CRITICAL in tones_of(rows, "identity")


def test_without_a_server_identity_claims_nothing() -> None:
    snapshot = of(primary=bucket_of(BucketRole.PRIMARY, PRIMARY_RUNS))
    unknown = replace(snapshot, server=nothing_readable().server)
    text = of_entry(answered(unknown), "identity")
    assert "the server's is not known" in text
    assert "this server's" not in text


def test_a_repeated_segment_that_differs_is_critical_and_names_both_keys() -> None:
    rows = answered(foreign(), 198)
    text = of_entry(rows, "repeated")
    assert "3 segments under more than one key: 1 DIFFER, 1 identical, 1 not told" in text
    assert "000000010000001A00000000 and 000000010000001A00000000.gz" in text
    assert Tone.CRITICAL in tones_of(rows, "repeated")


def test_what_else_lies_there_is_said() -> None:
    rows = answered(foreign(), 198)
    assert "old/, clone/2026/" in of_entry(rows, "others")
    assert "1 object is no WAL" in of_entry(rows, "foreign")
    assert "2 names that this wal_segment_size cannot have" in of_entry(rows, "foreign")
    assert "00000003.history: 403 AccessDenied" in of_entry(rows, "unread_part")


def test_growth_and_cost_follow_the_price() -> None:
    rows = answered(holes(), price=Price("€", 1.0))
    assert "1,440 segments, 22.5 GiB a day, over 1 d 23 h" in of_entry(rows, "growth")
    cost = of_entry(rows, "cost")
    assert re.search(r"€\d+\.\d\d a month for both buckets, €[\d,]+\.\d\d in a year at this growth", cost)
    stored = sum(facts.stored_bytes for facts in _both(holes())) / 2**30
    assert f"€{stored:,.2f} a month" in cost


def test_cost_is_told_of_each_bucket_base_backups_and_wal_apart() -> None:
    text = of_entry(answered(whole(), 198, price=Price("€", 1.0)), "parts")
    month = r"€[\d,]+\.\d\d: base backups €[\d,]+\.\d\d, WAL €[\d,]+\.\d\d"
    assert re.search(rf"of it primary: {month}.*; in 30 d {month}.*; nothing is deleted\)", text)
    assert re.search(rf"of it DR: {month}", text)
    assert of_entry(answered(sweeping()), "parts") == ""


def _both(snapshot: Snapshot) -> list[BucketFacts]:
    return [facts for facts in (snapshot.primary.value, snapshot.dr.value) if facts is not None]


def test_zstd_is_not_known_before_it_was_measured() -> None:
    assert "n/a: press m to measure it" in of_entry(answered(holes()), "zstd")
    assert "n/a: the store said SlowDown" in of_entry(
        answered(holes(), measured="the store said SlowDown"), "zstd"
    )
    measured = Compressibility(0.25, 2, 0.5, NOW)
    text = of_entry(answered(holes(), measured=measured, price=Price("$", 1.0)), "zstd")
    assert "25 % of plain, by 2 segments, 50 % of them cut short by a forced switch" in text
    stored = sum(facts.segments for facts in _both(holes())) * SEGMENT / 2**30
    assert f"${stored / 4:,.2f} a month" in text


def test_listing_says_when_and_how_far() -> None:
    text = of_entry(answered(holes()), "listing")
    assert "primary: swept 1 h 30 min ago, remembered from an earlier session, gaps checked 25 s ago" in text
    again = of_entry(answered(swept_again()), "listing")
    assert "being swept, 3 pages, 2,900 segments, 9,667/s, 1.1 s left" in again
    first = of_entry(answered(sweeping()), "listing")
    assert "12 pages, 11,840 segments" in first


def test_without_the_primary_the_answers_are_the_copys() -> None:
    rows = answered(primary_missing())
    text = told(rows)
    assert "primary missing since" in text
    assert "create it" in text
    assert "3 gaps, 19 segments missing" in text
    assert "n/a: the primary bucket was not read" in of_entry(rows, "lag")


def test_what_is_stale_says_so_and_is_dimmed() -> None:
    rows = answered(stale())
    assert "no answer from nyc3.digitaloceanspaces.com" in told(rows)
    assert all(line.text.startswith(UNICODE.stale) for line in rows if line.entry == "gap")


def test_without_base_backups_wal_restores_nothing() -> None:
    facts = bucket_of(BucketRole.PRIMARY, PRIMARY_RUNS)
    assert facts.holding is not None
    none = replace(facts, holding=replace(facts.holding, labels=()), backup_labels=0, backups=())
    rows = answered(of(primary=none, dr=replace(none, role=BucketRole.DR)))
    assert "NOTHING can be restored: there is no base backup" in of_entry(rows, "backups")
    assert tones_of(rows, "backups") == {Tone.CRITICAL}


def test_each_base_backup_is_listed_with_what_it_is_good_for() -> None:
    newest = backup_of(LABELS[-1])
    facts = bucket_of(BucketRole.PRIMARY, {1: ((0x100, 0x2F10),), 2: ((0x2F10, 0x3A41),)}, accepted_gaps=())
    broken = replace(
        newest, id="20260921T141200Z", start_lsn=0x3A00 * SEGMENT, stop_lsn=0x3A00 * SEGMENT + 1,
        completeness=Completeness.INCOMPLETE, why="base.tar.zst is missing",
    )  # fmt: skip
    facts = replace(facts, backups=(*(facts.backups or ()), broken))
    rows = of_entry(answered(of(primary=facts, dr=replace(facts, role=BucketRole.DR)), 198), "backups")
    assert "restorable to any moment since 11 Sep" in rows
    assert f"{newest.id} by walconsole, 470 MiB" in rows
    assert "in primary and DR" in rows
    assert "of no use, it is incomplete: base.tar.zst is missing" in rows


@pytest.mark.parametrize("state", [*ARCHIVES, *STATES])
@pytest.mark.parametrize("width", [30, 52, 198])
def test_every_row_is_printable_fits_and_is_explained(state: str, width: int) -> None:
    snapshot = (ARCHIVES | STATES)[state]()
    known = {item.entry for item in explanations("archive")}
    for line in answered(snapshot, width):
        assert line.text.isprintable()
        assert cell_len(line.text) <= width
        assert line.entry in known, line.text


@pytest.mark.parametrize("pane", ["coverage", "archive", "keys", "object"])
def test_every_explanation_says_what_it_means_and_where_it_comes_from(pane: str) -> None:
    for item in explanations(pane):
        assert item.label
        assert item.means.endswith(".")
        assert item.source


def test_without_unicode_the_answers_are_ascii() -> None:
    text = told(answered(foreign(), glyphs=ASCII))
    assert {char for char in text if ord(char) > 126} == set()


def test_a_range_names_the_end_briefly_where_only_that_differs() -> None:
    first, last = Segment(1, 0x2000).name(), Segment(1, 0x20FF).name()
    assert span_text(first, last) == "000000010000002000000000 to 000000FF"
    assert span_text(first, first) == first
    assert span_text(first, Segment(2, 0x20FF).name()).endswith("0000000200000020000000FF")


# What is under the cursor.


def views() -> dict[BucketRole, BucketView]:
    return {
        role: BucketView(role, KeysPane(PaneSpec(3, role.value, "Keys"), UNICODE), UNICODE)
        for role in BucketRole
    }


def test_a_gap_is_told_with_the_cell_that_it_lies_in() -> None:
    snapshot = holes()
    found = subject.of_stretch(desk_of(snapshot), views(), taken_of(snapshot), 90, UNICODE)
    text = told(found.rows)
    assert found.title == "Gap"
    assert "3 segments, 48.0 MiB of WAL" in text
    assert "the cell that it lies in, with 1 more gap:" in text
    assert "✗ 000000010000002000000000 to 000000010000002000000002" in told([Line(found.summary)])


def test_a_cell_of_a_copy_that_is_not_known_claims_nothing_of_it() -> None:
    snapshot = dr_unread()
    desk = desk_of(snapshot)
    desk.go_to(NEWEST)
    text = told(subject.of_stretch(desk, views(), taken_of(snapshot), 90, UNICODE).rows)
    assert "cell █ stored (DR n/a)" in text
    assert "in DR n/a" in text
    assert "only in primary" not in text


def test_nothing_is_told_where_there_is_nothing() -> None:
    snapshot = nothing_readable()
    assert subject.of_stretch(desk_of(snapshot), views(), taken_of(snapshot), 90, UNICODE) is subject.NOTHING


@pytest.mark.parametrize("state", ["nothing_readable", "unread", "incident"])
def test_why_there_are_no_keys_is_said(state: str) -> None:
    snapshot = STATES[state]()
    rows = pane_contents.no_keys(taken_of(snapshot), BucketRole.DR, 60, observed=True)
    assert told(rows).strip()
    covered = told(pane_contents.nothing_covered(taken_of(snapshot), BucketRole.PRIMARY, 60))
    assert ("n/a: " in covered) is (state != "unread")


def test_an_empty_bucket_is_no_listing_that_is_missing() -> None:
    empty = replace(
        bucket_of(BucketRole.PRIMARY, PRIMARY_RUNS), holding=None, continuity=None, objects=0, segments=0
    )
    snapshot = of(primary=empty)
    assert "holds no object" in told(
        pane_contents.no_keys(taken_of(snapshot), BucketRole.PRIMARY, 60, observed=True)
    )
    assert snapshot.primary.slot is Snapshot.primary
    assert "holds no WAL" in told(pane_contents.nothing_covered(taken_of(snapshot), BucketRole.PRIMARY, 60))
    assert len(readers()) == 2
