"""The rows of the screen that finds a moment, as pure functions."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.cells import cell_len

from tests.data.facts import NOW
from tests.data.moments import found_moments, hostile_moments
from tests.data.recoveries import RECOVERIES
from tests.data.stage import RCLONE
from walconsole.domain.moments.by_target import with_target
from walconsole.domain.moments.events import Kind
from walconsole.domain.moments.found import FoundMoments
from walconsole.domain.recovery.by_hand import Commands
from walconsole.domain.standing.model import Level
from walconsole.ui.board.content import Line
from walconsole.ui.board.glyphs import ASCII, UNICODE
from walconsole.ui.dialogs.help import explanations
from walconsole.ui.recovery import moment_rows
from walconsole.ui.recovery.detail_rows import commands_before
from walconsole.ui.recovery.layout import MOMENT_PANES, arrange_moments
from walconsole.ui.recovery.moment_rows import MomentPicture, picture_of
from walconsole.ui.recovery.picture import picture_of as recovery_of

WIDTHS = (20, 40, 79, 119, 199)


def _every(found: FoundMoments, width: int) -> dict[str, tuple[Line, ...]]:
    picture = picture_of(found, everything=True, problem="it broke", doing="reading")
    answers: list[Line] = []
    made = _commands(found)
    for moment in picture.moments:
        for commands in ("there are none", made):
            answers += moment_rows.answer_rows(found.answer(moment), found.names, commands, width)
    return {
        "search": moment_rows.search_rows(picture, width, UNICODE),
        "events": moment_rows.event_rows(picture, width, UNICODE)[1],
        "answer": tuple(answers),
    }


def _commands(found: FoundMoments) -> tuple[Commands, ...]:
    moment = found.worst(found.moments())
    assert moment is not None
    made = commands_before(recovery_of(RECOVERIES["nightly"](), NOW), moment.lsn, RCLONE)
    assert not isinstance(made, str)
    return with_target(made, found.answer(moment).targets[0])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("made", [found_moments, hostile_moments], ids=["plain", "hostile"])
def test_rows_are_printable_and_within_their_width_but_for_commands(
    made: Callable[[], FoundMoments], width: int
) -> None:
    for rows in _every(made(), width).values():
        for row in rows:
            assert all(character.isprintable() for character in row.text), row.text
            if row.entry != moment_rows.COMMAND and width >= 40:
                assert cell_len(row.text) <= width, row.text


def test_every_row_is_explained_and_every_explanation_has_a_row() -> None:
    rows = _every(hostile_moments(), 119)
    columns = {"events": {"time", "what", "rows", "wal", "relation"}}
    for pane in MOMENT_PANES:
        seen = {row.entry for row in rows[pane] if row.entry} | columns.get(pane, set())
        told = {item.entry for item in explanations(pane)} - {"stale", "unread", "missing"}
        assert seen == told, pane


def test_columns_go_by_rank_where_there_is_no_room() -> None:
    picture = picture_of(found_moments())
    heads = {width: moment_rows.event_rows(picture, width, UNICODE)[0].split() for width in (200, 80, 50)}
    assert heads[200] == ["time", "(UTC)", "what", "rows", "WAL", "xid", "LSN", "relation"]
    assert heads[80] == ["time", "(UTC)", "what", "rows", "relation"]
    assert heads[50] == ["time", "(UTC)", "relation"]


@pytest.mark.parametrize(
    ("picture", "level", "text"),
    [
        (MomentPicture(None), Level.UNKNOWN, "no time was asked for yet (T asks)"),
        (MomentPicture(None, doing="reading"), Level.UNKNOWN, "reading"),
        (MomentPicture(None, problem="no room"), Level.CRITICAL, "no room"),
        (picture_of(found_moments()), Level.WARNING, "dropped 3: shop: OID 16400"),
        (picture_of(found_moments(), about="release"), Level.OK, "1 event in that time"),
    ],
)
def test_the_first_line(picture: MomentPicture, level: Level, text: str) -> None:
    assert picture.verdict[0] is level
    assert text in picture.verdict[1]


def test_signs_tell_without_colour_and_without_unicode() -> None:
    found = found_moments()
    signs = {
        moment.kind: moment_rows.sign_of(moment, found.names, ASCII)[0] for moment in found.collected.moments
    }
    assert signs[Kind.DROPPED] == signs[Kind.TRUNCATED] == ASCII.critical
    assert signs[Kind.DELETED] == signs[Kind.UPDATED] == ASCII.warning
    assert signs[Kind.RESTORE_POINT] == ASCII.ok
    assert signs[Kind.INSERTED] == ASCII.dot


def test_the_commands_restore_the_newest_backup_before_the_event_to_the_target() -> None:
    found = found_moments()
    text = "\n".join(line for each in _commands(found) for line in each.lines)
    assert "id=20260921T043540Z" in text
    assert "TIME+00" not in text
    for setting in ("lsn", "inclusive", "timeline", "action"):
        assert f"recovery_target_{setting} = " in text


@pytest.mark.parametrize("width", [40, 80, 120, 160, 200])
@pytest.mark.parametrize("focused", MOMENT_PANES)
def test_every_pane_has_its_place(width: int, focused: str) -> None:
    boxes = arrange_moments(width, 36, focused, {"search": 4, "events": 30, "answer": 60})
    assert set(boxes) == set(MOMENT_PANES)
    assert all(box.width > 0 and box.height > 0 for box in boxes.values())


def test_of_too_many_events_the_worst_are_listed_and_how_many_are_not() -> None:
    found = found_moments()
    inserts = [each for each in found.collected.moments if each.kind is Kind.INSERTED]
    many = (*inserts * 40, *found.collected.moments)
    picture = picture_of(replace(found, collected=replace(found.collected, moments=many)), everything=True)
    assert len(picture.moments) == moment_rows.MOST_SHOWN
    assert {Kind.DROPPED, Kind.TRUNCATED, Kind.DELETED} <= {each.kind for each in picture.moments}
    told = f"1,000 of {len(many):,}, the worst, the oldest first"
    assert moment_rows.events_note(picture) == told
