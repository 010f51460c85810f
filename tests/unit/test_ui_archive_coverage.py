"""The coverage strip and what the operator looks at in it, as pure functions."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.data.archives import (
    ARCHIVES,
    DR_RUNS,
    NEWEST,
    PRIMARY_RUNS,
    bucket_of,
    dr_unread,
    hostile,
    of,
    sweeping,
    whole,
)
from tests.data.archives import holes as holes_of
from tests.data.facts import NOW, SEGMENT
from tests.data.snapshots import STATES, nothing_readable
from walconsole.domain.archive.coverage import Cover
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import BucketRole
from walconsole.domain.wal import Segment
from walconsole.ui.archive import coverage
from walconsole.ui.archive.picture import picture_of, same_picture
from walconsole.ui.archive.view_state import ArchiveViewState, Cells, zoomed
from walconsole.ui.board.content import Line, Tone
from walconsole.ui.board.glyphs import ASCII, UNICODE, Glyphs
from walconsole.ui.dialogs.help import explanations

WIDTH = 100


def desk_of(snapshot: Snapshot, width: int = WIDTH) -> ArchiveViewState:
    desk = ArchiveViewState(picture_of(snapshot, NOW))
    desk.resize(coverage.strip_width(desk, width))
    return desk


def drawn(desk: ArchiveViewState, width: int = WIDTH, glyphs: Glyphs = UNICODE) -> tuple[Line, ...]:
    return coverage.rows(desk, NOW, width, glyphs)


def text_of(rows: tuple[Line, ...]) -> str:
    return "\n".join(row.text for row in rows)


def test_two_timelines_share_one_scale_and_every_state_has_its_sign() -> None:
    rows = drawn(desk_of(holes_of()))
    strips = [row for row in rows if row.entry == coverage.STRIP and row.label]
    assert [row.label for row in strips] == ["1", "2"]
    first, second = (row.text[len("  tl 1 ") :] for row in strips)
    assert len(first) == len(second)
    assert {"█", "▀", "✗", "x", "·"} == set(first)
    assert first.count("✗") == 2
    begins = second.index("█")
    assert set(second[:begins]) == {"·"}
    assert set(first[begins + 1 :]) == {"·"}
    assert second.endswith("▀")
    tones = {span.text[:1]: span.tone for row in strips for span in row.spans}
    assert tones["✗"] is Tone.CRITICAL
    assert tones["▀"] is Tone.WARNING


def test_without_unicode_each_state_is_still_told_apart() -> None:
    desk = desk_of(holes_of())
    strip = next(row for row in drawn(desk, glyphs=ASCII) if row.label == "1").text[len("  tl 1 ") :]
    assert set(strip) == {"#", '"', "X", "x", "."}
    assert all(ord(char) < 127 for char in text_of(drawn(desk, glyphs=ASCII)))


def test_the_caret_stands_under_its_cell_and_base_backups_above_theirs() -> None:
    desk = desk_of(holes_of())
    rows = drawn(desk)
    at = coverage.row_of(rows, 1)
    column = rows[at + 1].text.index(UNICODE.caret)
    assert rows[at].text[column] == UNICODE.critical
    for column, sign in enumerate(rows[at - 1].text):
        assert sign == " " or rows[at].text[column] in "█▀"
    assert rows[at - 1].text.count(UNICODE.backup) == 2


def test_it_opens_on_the_newest_gap_that_alarms_else_on_the_newest_segment() -> None:
    assert desk_of(holes_of()).at == Segment(1, 0x2000)
    assert desk_of(whole()).at == NEWEST


def test_g_goes_through_all_gaps_and_begins_again() -> None:
    desk = desk_of(holes_of())
    seen = [desk.next_gap() for _ in range(6)]
    names = [(gap.timeline, gap.first, gap.last) for gap in seen if gap is not None]
    assert names == [
        (1, 0x800, 0x810),
        (1, 0x1200, 0x1200),
        (1, 0x1800, 0x180F),
        (1, 0x2000, 0x2001),
        (1, 0x800, 0x810),
        (1, 0x1200, 0x1200),
    ]
    assert desk.gap is not None
    assert desk.gap.first == 0x1200
    assert set(desk.gap.by_role) == {BucketRole.PRIMARY, BucketRole.DR}


def test_g_in_the_keys_of_a_bucket_knows_only_its_own_gaps() -> None:
    desk = desk_of(holes_of())
    found = [gap.first for gap in (desk.next_gap(BucketRole.PRIMARY) for _ in range(3)) if gap is not None]
    assert sorted(found) == [0x800, 0x1200, 0x2000]
    assert desk_of(whole()).next_gap() is None


def test_a_gap_in_the_primary_matters_more_than_the_copys_own_there() -> None:
    desk = desk_of(holes_of())
    desk.go_to(Segment(1, 0x2000))
    assert desk.gap is not None
    assert (desk.gap.role, desk.gap.segments) == (BucketRole.PRIMARY, 3)
    assert len(desk.gaps_here) == 2


def test_enter_goes_down_to_single_segments_and_esc_comes_back_the_same_way() -> None:
    desk = desk_of(holes_of())
    start, cells = desk.at, desk.cells.span
    steps = 0
    while desk.zoom_in():
        steps += 1
        assert desk.cell.cover is Cover.MISSING
        assert desk.at.number in (0x2000, 0x2001)
    assert desk.cell.first == desk.cell.last
    assert steps >= 1
    while desk.zoom_out():
        steps -= 1
    assert (steps, desk.at, desk.cells.span) == (0, start, cells)


def test_zooming_shows_as_much_around_the_cell_as_fits() -> None:
    desk = desk_of(holes_of())
    assert desk.zoom_in()
    first, last = desk.cells.span
    assert last - first + 1 >= desk.cells.width


def test_going_somewhere_else_zooms_out_as_far_as_it_takes() -> None:
    desk = desk_of(holes_of())
    assert desk.zoom_in()
    desk.go_to(Segment(2, 0x3A00))
    assert desk.depth == 0
    assert desk.at == Segment(2, 0x3A00)


def test_a_newer_picture_leaves_the_cursor_where_it_is() -> None:
    desk = desk_of(holes_of())
    desk.go_to(Segment(1, 0x1200))
    assert desk.zoom_in()
    before = desk.cells.span
    desk.take(picture_of(holes_of(), NOW))
    assert (desk.at.number, desk.cells.span, desk.depth) == (0x1200, before, 1)


def test_what_begins_empty_looks_at_the_newest_gap_once_there_is_one() -> None:
    desk = desk_of(nothing_readable())
    assert desk.empty
    assert desk.gap is None
    desk.take(picture_of(holes_of(), NOW))
    assert desk.at == Segment(1, 0x2000)


def test_timelines_are_stepped_over_at_the_same_place() -> None:
    desk = desk_of(holes_of())
    assert not desk.step_timeline(-1)
    assert desk.step_timeline(1)
    assert desk.at == Segment(2, 0x2000)
    assert not desk.step_timeline(1)
    desk.ends(0)
    assert desk.cell.first <= 0x2F10 <= desk.cell.last
    desk.ends(1)
    assert desk.cell.last == NEWEST.number


def test_of_a_copy_that_is_not_known_nothing_is_said() -> None:
    text = text_of(drawn(desk_of(dr_unread())))
    assert "▀" not in text
    assert "█ stored (DR n/a)" in text
    assert "✗ missing" in text


def test_what_was_not_listed_yet_is_not_missing() -> None:
    text = text_of(drawn(desk_of(sweeping())))
    assert "✗" not in text
    assert "not listed yet" in text


def test_what_is_missing_at_a_switch_shows_beyond_the_stored_segments() -> None:
    runs = {1: ((0x100, 0x2F00),), 2: PRIMARY_RUNS[2]}
    desk = desk_of(of(primary=bucket_of(BucketRole.PRIMARY, runs), dr=bucket_of(BucketRole.DR, runs)))
    gap = desk.gap
    assert gap is not None
    assert gap.gap.at_switch
    assert desk.at == Segment(1, 0x2F01)
    assert desk.cell.cover is Cover.MISSING
    assert desk.zoom_in()
    assert desk.cell.missing == desk.cell.last - desk.cell.first + 1


def test_the_copied_text_names_the_gap() -> None:
    assert coverage.stretch_text(desk_of(holes_of())) == (
        "000000010000002000000000 to 000000010000002000000002"
    )


@given(st.integers(1, 400), st.integers(0, 5000), st.integers(1, 5000), st.integers(1, 300))
def test_a_zoom_stays_inside_and_holds_its_cell(width: int, first: int, length: int, cells: int) -> None:
    desk = desk_of(whole())
    made = Cells(desk.picture, (first, first + length - 1), cells).of(1)
    for cell in (made[0], made[len(made) // 2], made[-1]):
        low, high = zoomed(cell, (first, first + length - 1), width)
        assert first <= low <= cell.first <= cell.last <= high <= first + length - 1
        assert high - low + 1 <= max(width, cell.last - cell.first + 1)


@given(st.integers(1, 260), st.lists(st.sampled_from("hlHGgezjku"), max_size=30))
def test_no_width_and_no_move_breaks_it(width: int, moves: list[str]) -> None:
    desk = desk_of(holes_of(), width)
    act: dict[str, Callable[[], object]] = {
        "h": lambda: desk.step(-1),
        "l": lambda: desk.step(1),
        "H": lambda: desk.ends(0),
        "G": lambda: desk.ends(1),
        "g": desk.next_gap,
        "e": desk.zoom_in,
        "z": desk.zoom_out,
        "j": lambda: desk.step_timeline(1),
        "k": lambda: desk.step_timeline(-1),
        "u": lambda: desk.take(picture_of(holes_of(), NOW)),
    }
    for move in moves:
        act[move]()
        rows = drawn(desk, width)
        cell = desk.cell
        assert cell.first <= desk.at.number <= cell.last
        if width > 30:
            assert all(cell_len(row.text) <= width for row in rows)


@pytest.mark.parametrize("state", [*ARCHIVES, *STATES])
@pytest.mark.parametrize("width", [20, 78, 198])
def test_every_state_is_drawn_printable_and_explained(state: str, width: int) -> None:
    snapshot = (ARCHIVES | STATES)[state]()
    desk = desk_of(snapshot, width)
    known = {item.entry for item in explanations("coverage")}
    for row in drawn(desk, width):
        assert row.text.isprintable()
        assert row.entry in known


def test_only_what_the_buckets_say_makes_another_picture() -> None:
    snapshot = holes_of()
    assert same_picture(snapshot, replace(snapshot, taken_at=NOW + 5))
    assert not same_picture(snapshot, holes_of())


def test_names_from_outside_that_are_none_are_left_out() -> None:
    picture = picture_of(hostile(), NOW)
    assert all(gap.role is BucketRole.PRIMARY for gap in picture.gaps)
    assert picture.segment_bytes == SEGMENT


def test_the_copys_lag_is_counted_wherever_it_lacks_something() -> None:
    picture = picture_of(holes_of(), NOW)
    assert picture.lacking is not None
    assert picture.lacking.segments == 41 + 16
    only = picture_of(of(primary=bucket_of(BucketRole.PRIMARY, PRIMARY_RUNS)), NOW)
    assert only.lacking is not None
    assert picture_of(dr_unread(), NOW).lacking is None
    assert DR_RUNS[1] != PRIMARY_RUNS[1]
