"""The recovery screen's rows, as pure functions."""

import re
from dataclasses import replace

import pytest
from rich.cells import cell_len

from tests.data.archives import LABELS
from tests.data.recoveries import BEGUN, RECOVERIES, base_at, nightly
from tests.data.recoveries import NOW as AT
from tests.data.snapshots import STATES
from tests.data.stage import RCLONE
from tests.unit.test_drill_result import good as drill_result
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.moments.collecting import Collected, EndLog
from walconsole.domain.moments.events import Kind, Moment
from walconsole.domain.moments.found import FoundMoments
from walconsole.domain.moments.names import Names
from walconsole.domain.moments.span import WalSpan
from walconsole.domain.moments.targets import ArchiveEnd
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import BaseBackup
from walconsole.domain.recovery.by_hand import Commands
from walconsole.domain.recovery.drill_result import DrillResult, Outcome
from walconsole.domain.recovery.recoverability import BackupReach
from walconsole.domain.recovery.words import not_taken_here
from walconsole.ui.board.content import Line, Tone
from walconsole.ui.board.glyphs import ASCII, UNICODE, Glyphs
from walconsole.ui.board.typeset import GUTTER
from walconsole.ui.dialogs.help import explanations
from walconsole.ui.recovery import backup_table, detail_rows, window_rows
from walconsole.ui.recovery.backup_table import TITLES
from walconsole.ui.recovery.layout import PANES, arrange
from walconsole.ui.recovery.picture import RecoveryPicture, picture_of, points_of, window_of

WIDTHS = (20, 40, 79, 115, 199, 400)
EVERY = {**RECOVERIES, **STATES}


def picture(state: str) -> RecoveryPicture:
    return picture_of(EVERY[state](), AT)


def text(rows: tuple[Line, ...]) -> str:
    return "\n".join(row.text for row in rows)


def window_text(state: str, width: int = 100, glyphs: Glyphs = UNICODE) -> str:
    return text(window_rows.rows(picture(state), width, glyphs))


def strip(state: str, name: str, width: int = 100) -> str:
    rows = window_rows.rows(picture(state), width, UNICODE)
    row = next(row for row in rows if (row.entry, row.label) == (window_rows.STRIP, name))
    return row.text[GUTTER + window_rows.LABEL :]


def details(state: str, row: int = 0, width: int = 100) -> str:
    drawn = picture(state)
    return text(detail_rows.backup_rows(drawn, drawn.reaches[row], RCLONE, width, UNICODE))


def table(state: str, width: int = 115) -> list[str]:
    head, rows = backup_table.rows(picture(state), width, UNICODE)
    return [head, *(row.text for row in rows)]


def every_row(state: str, width: int, glyphs: Glyphs) -> list[tuple[str, Line]]:
    drawn = picture(state)
    found = [("window", row) for row in window_rows.rows(drawn, width, glyphs)]
    found += [("backups", row) for row in backup_table.rows(drawn, width, glyphs)[1]]
    for reach in drawn.reaches:
        told = detail_rows.backup_rows(drawn, reach, RCLONE, width, glyphs)
        found += [("base_backup", row) for row in told]
    for name, each in drawn.subjects:
        told = detail_rows.subject_rows(drawn, name, each, width, glyphs)
        found += [("base_backup", row) for row in told]
    return found


# -- The window.


def test_a_copy_that_begins_later_shows_it_and_so_does_its_line() -> None:
    assert set(strip("nightly", "together")) == {"█"}
    assert re.fullmatch("·+█+", strip("nightly", "DR"))
    shown = window_text("nightly")
    assert "DR        ● 12 Sep 20:05Z to 13:31Z, 8 d 17 h" in shown
    assert "lost now  5.00 MiB of WAL; the window's last segment was stored 40 s ago" in shown


def test_three_holes_are_three_holes_in_any_width() -> None:
    for width in (40, 79, 199):
        assert re.fullmatch("█+✗+█+✗+█+✗+█+", strip("broken", "together", width))
        assert re.fullmatch("·+█+✗+█+✗+█+", strip("broken", "DR", width))


def test_base_backups_and_timelines_stand_over_their_cells() -> None:
    rows = window_rows.rows(picture("broken"), 100, UNICODE)
    marks = next(row for row in rows if row.entry == window_rows.MARKS)
    assert marks.text.count("▾") == len(BEGUN) + 1
    numbers = next(row for row in rows if row.entry == window_rows.TIMELINES)
    assert numbers.text.split() == ["timelines", "2"]
    assert len({cell_len(row.text) for row in rows if row.entry == window_rows.STRIP}) == 1


def test_without_a_base_backup_nothing_is_promised() -> None:
    assert window_text("none_taken").count("✗ nothing: no base backup") == 3
    assert "█" not in window_text("none_taken")
    assert table("none_taken")[1:] == []
    drawn = picture("none_taken")
    told = text(detail_rows.subject_rows(drawn, "together", dict(drawn.subjects)["together"], 100, UNICODE))
    assert "to do         s takes the first base backup" in told


def test_where_the_script_can_take_none_it_is_said_what_can() -> None:
    drawn = replace(picture("none_taken"), not_taken=not_taken_here(2))
    told = text(detail_rows.subject_rows(drawn, "together", dict(drawn.subjects)["together"], 300, UNICODE))
    assert "have pgBackRest take the base backups: the cluster has 2 tablespaces of its own" in told
    assert "s takes the first" not in told


def test_a_hole_that_an_unread_copy_may_fill_is_not_known() -> None:
    assert strip("one_copy", "together").rstrip("?") == strip("one_copy", "primary").rstrip("✗")
    assert "together  ? 11 Sep 10:29Z to 08:51Z" in window_text("one_copy")
    assert "primary   ✗ 11 Sep 10:29Z to 08:51Z" in window_text("one_copy")


def test_what_is_still_being_read_is_not_nothing() -> None:
    shown = window_text("not_read")
    assert shown.count("n/a: it is still being read") == 3
    assert "nothing" not in shown


def test_labels_alone_prove_nothing_and_deny_nothing() -> None:
    snapshot = nightly()
    for slot in (Snapshot.primary, Snapshot.dr):
        reading = getattr(snapshot, slot.name)
        made = replace(reading.value, backups=(), holding=replace(reading.value.holding, labels=LABELS))
        snapshot = replace(snapshot, **{slot.name: replace(reading, value=made)})
    doubted = picture_of(snapshot, AT)
    assert "not known: no base backup in it is known to be whole" in text(
        window_rows.rows(doubted, 100, UNICODE)
    )
    assert [backup_table.kind_text(each.held.backup) for each in doubted.reaches] == ["label"] * 3


# -- The table.


def test_the_newest_comes_first_and_columns_line_up() -> None:
    lines = table("broken")
    stamps = [line[4:21] for line in lines[1:] if line[4:5].isdigit()]
    assert stamps == sorted(stamps, reverse=True)
    ends = {line.index("iB  ") for line in lines if "iB  " in line}
    assert len(ends) == 1
    assert re.split(r" {2,}", lines[0].strip()) == [*TITLES[:4], *TITLES[5:]]
    assert "● 2026-09-18 16:53Z  full Barman  638 MiB  2 min 11 s  primary  n/a" in "\n".join(lines)
    assert "16 Sep 22:10Z: hole" in "\n".join(lines)
    assert "backup incomplete" in "\n".join(lines)


def test_columns_go_by_their_rank_and_the_first_and_last_stay() -> None:
    heads = [re.split(r" {2,}", table("nightly", width)[0].strip()) for width in (200, 115, 95, 79, 40)]
    assert heads[0] == list(TITLES)
    assert all((head[0], head[-1]) == ("when", "restorable to") for head in heads)
    assert [len(head) for head in heads] == sorted((len(head) for head in heads), reverse=True)
    assert "WAL needed" in heads[3]


@pytest.mark.parametrize("state", RECOVERIES)
def test_a_backups_window_is_the_one_that_lists_it(state: str) -> None:
    for _, found in picture(state).subjects:
        for reach in found.reach[found.target].reaches:
            listed = next((each for each in found.windows if reach in each.backups), None)
            assert window_of(found, reach) is listed


def test_one_of_no_use_alarms_only_while_none_newer_is_of_use() -> None:
    drawn = picture("broken")
    cut = [each for each in drawn.reaches if backup_table.to_text(drawn, each) == "backup incomplete"]
    newest, older = (backup_table.state_of(drawn, each, UNICODE) for each in cut)
    assert newest == ("✗", Tone.WARNING)
    assert older == ("✗", Tone.MUTED)


# -- What is told of one.


def test_the_segments_and_whence_they_come() -> None:
    shown = details("nightly")
    assert "000000020000003800000000 to 000000020000003A00000041, 578 segments, 9.03 GiB" in shown
    assert "from primary  all; 41 of them only there" in shown
    assert "from DR       537 of 578" in shown
    assert "DR alone      to 13:31Z" in shown
    assert "spaces-dr:shithub-wal-dr/base/20260921T043540Z" in shown


def test_the_commands_are_this_backups_and_read_the_copy_that_has_its_wal() -> None:
    shown = details("nightly")
    for line in (
        "copy=spaces-prod:shithub-wal/",
        "id=20260921T043540Z",
        "first=000000020000003800000000",
        "RCLONE_CONFIG=/etc/rclone-shithub.conf; export RCLONE_CONFIG",
    ):
        assert f"\n  {line}\n" in shown
    assert shown.count("rclone lsf") == 1


def test_wal_that_is_only_in_the_other_copy_is_brought_too() -> None:
    only_dr = _only_in_dr()
    told = detail_rows.commands_of(only_dr, only_dr.reaches[0], RCLONE)
    assert isinstance(told, tuple)
    script = detail_rows.text_of(told)
    assert "copy=spaces-dr:shithub-wal-dr/" in script
    assert "rclone lsf --files-only --max-depth 1 spaces-prod:shithub-wal/" in script


def _only_in_dr() -> RecoveryPicture:
    """The base backup is in DR alone, which is 41 segments behind."""
    return _held({BucketRole.PRIMARY: (), BucketRole.DR: (base_at(0x3800),)})


def _held(backups: dict[BucketRole, tuple[BaseBackup, ...]]) -> RecoveryPicture:
    """Each copy with these base backups alone."""
    snapshot = nightly()
    primary, dr = snapshot.primary.value, snapshot.dr.value
    assert primary is not None
    assert dr is not None
    return picture_of(
        replace(
            snapshot,
            primary=replace(snapshot.primary, value=replace(primary, backups=backups[BucketRole.PRIMARY])),
            dr=replace(snapshot.dr, value=replace(dr, backups=backups[BucketRole.DR])),
        ),
        AT,
    )


def test_an_incremental_one_is_joined_from_a_copy_that_holds_all_of_it() -> None:
    full = base_at(0x3200)
    upon = base_at(0x3800, parent=full.id)
    drawn = _held({BucketRole.PRIMARY: (upon,), BucketRole.DR: (full, upon)})
    told = detail_rows.commands_of(drawn, drawn.reaches[0], RCLONE)
    assert isinstance(told, tuple), told
    script = detail_rows.text_of(told)
    assert "copy=spaces-dr:shithub-wal-dr/" in script
    assert f"chain='{full.id} {upon.id}'\n" in script
    parted = _held({BucketRole.PRIMARY: (upon,), BucketRole.DR: (full,)})
    refused = detail_rows.commands_of(parted, parted.reaches[0], RCLONE)
    assert isinstance(refused, str)
    assert refused.startswith("no copy that the profile names holds all that it builds upon")


def test_another_tools_backup_is_left_to_that_tool() -> None:
    drawn = picture("broken")
    barman = next(each for each in drawn.reaches if each.held.backup.id == "20260919T101010")
    told = detail_rows.commands_of(drawn, barman, RCLONE)
    assert told == "Barman made it: it is restored with Barman's own commands"


def test_a_backup_with_a_hostile_name_gets_no_commands() -> None:
    drawn = picture("hostile_names")
    usable = next(each for each in drawn.reaches if each.usable)
    assert isinstance(detail_rows.commands_of(drawn, usable, RCLONE), str)


def test_a_stopped_window_says_which_segment() -> None:
    shown = details("one_copy")
    assert "▲ restorable to 08:51Z: 000000020000003900000001 is missing in the primary" in shown
    assert "DR alone      n/a: it was not read" in shown


def test_every_window_of_a_copy_is_told_with_its_end() -> None:
    drawn = picture("broken")
    told = text(detail_rows.subject_rows(drawn, "together", dict(drawn.subjects)["together"], 100, UNICODE))
    assert told.count("window ") == 4
    assert told.count("is missing in both copies") == 3
    assert "base/20260915T000000Z/backup.json: it is no JSON" in told


def test_what_is_copied_is_a_script_with_its_titles_as_comments() -> None:
    assert detail_rows.text_of([Commands("one", ("a", "b")), Commands("two", ("c",))]) == (
        "# one\na\nb\n# two\nc"
    )


# -- All of it.


@pytest.mark.parametrize("state", EVERY)
def test_every_row_is_explained_fits_and_is_clean(state: str) -> None:
    known = {
        pane: {item.entry for item in explanations(pane)} for pane in ("window", "backups", "base_backup")
    }
    for width in WIDTHS:
        for pane, row in every_row(state, width, UNICODE):
            assert row.entry in known[pane] or not row.text.strip()
            assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202e]", row.text)
            if row.entry != detail_rows.COMMAND:
                assert cell_len(row.text) <= max(width, 30), (width, row.text)


@pytest.mark.parametrize("state", [state for state in EVERY if "hostile" not in state])
def test_without_unicode_every_sign_is_ascii(state: str) -> None:
    for _, row in every_row(state, 100, ASCII):
        assert row.text.replace("…", "").isascii(), row.text


def test_every_explanation_says_where_it_comes_from() -> None:
    for pane in ("window", "backups", "base_backup"):
        for item in explanations(pane):
            assert item.means.endswith((".", ":"))
            assert item.source


@pytest.mark.parametrize("focused", PANES)
@pytest.mark.parametrize("width", [1, 20, 79, 80, 100, 120, 160, 200, 400])
@pytest.mark.parametrize("height", [1, 5, 7, 20, 33, 57, 100])
def test_panes_never_overlap_nor_leave_the_screen(width: int, height: int, focused: str) -> None:
    needs = {"window": 12, "backups": 9, "detail": 60}
    boxes = arrange(width, height, focused, needs)
    assert boxes[focused].height >= min(2, height)
    seen: set[tuple[int, int]] = set()
    for box in boxes.values():
        cells = {(x, y) for x in (box.x, box.x + box.width - 1) for y in range(box.y, box.y + box.height)}
        assert not cells & seen
        seen |= cells
        assert box.x + box.width <= width
        assert box.y + box.height <= height
    assert arrange(width, height, focused, needs, maximised=True) == {focused: (0, 0, width, height)}


def test_the_same_reach_is_found_in_each_copy() -> None:
    drawn = picture("nightly")
    reach: BackupReach = drawn.reaches[-1]
    assert reach.held.complete_in == (BucketRole.PRIMARY,)
    assert "DR alone      ▲ nothing: it is not in this copy" in details("nightly", -1)


# -- What was proved.


def _drilled(*found: DrillResult) -> RecoveryPicture:
    """The healthy picture, where restore drills left these in the primary copy."""
    snapshot = EVERY["healthy"]()
    server, primary = snapshot.server.value, snapshot.primary.value
    assert server is not None
    assert primary is not None
    whose = int(server.system_identifier or 0) % 2**64
    mine = tuple(replace(each, system_identifier=whose) for each in found)
    return picture_of(
        replace(snapshot, primary=replace(snapshot.primary, value=replace(primary, drills=mine))), AT
    )


def _proof(drawn: RecoveryPicture) -> tuple[str, Tone]:
    return window_rows.proof_text(drawn, UNICODE)


def test_what_a_drill_proved_stands_with_its_time_and_what_a_restore_would_take_now() -> None:
    assert _proof(_drilled())[0].startswith("none: ")
    text, tone = _proof(_drilled(replace(drill_result(), ended=AT - 2 * 86_400)))
    assert tone is Tone.OK
    assert "20261129T152750Z restored in 4.3 s" in text
    assert "level 4 of 4; now: restore " in text


def test_a_drill_that_failed_later_comes_before_what_was_proved_once() -> None:
    good = replace(drill_result(), ended=AT - 2 * 86_400)
    failed = replace(
        good, id="20261130T000000Z", ended=AT - 60, outcome=Outcome.FAILED, reason="missing-segment"
    )
    text, tone = _proof(_drilled(good, failed))
    assert tone is Tone.CRITICAL
    assert "a WAL segment is missing" in text
    assert "; before that: 20261129T152750Z restored in " in text
    text, tone = _proof(_drilled(replace(failed, outcome=Outcome.REFUSED, reason="no-room")))
    assert tone is Tone.WARNING
    assert "no restore was ever proved" in text


def test_the_strip_shows_restore_points_that_were_read() -> None:
    span = _drilled().span
    assert span is not None
    at = span[0] + (span[1] - span[0]) / 2
    point = Moment(Kind.RESTORE_POINT, 4096, 1, None, round(at * 1_000_000), text="before \x1b[31mit")
    others = (replace(point, kind=Kind.DDL), replace(point, after_us=None), replace(point, after_us=1))
    read = Collected((point, *others), EndLog(), 1, 4, None, None)
    found = FoundMoments(at, 60.0, WalSpan((), 1, ArchiveEnd(1, None)), read, Names())
    assert points_of(None) == ()
    points = points_of(found)
    assert [name for _, name in points] == [point.text, point.text]
    for width in (80, 120, 200):
        drawn = window_rows.rows(replace(_drilled(), points=points), width, UNICODE)
        (row,) = (row for row in drawn if row.entry == window_rows.POINTS)
        assert row.text.split() == ["points", UNICODE.caret]
        legend = " ".join(line.text for line in drawn if line.entry == "legend")
        assert f"{UNICODE.caret} restore point" in legend, "what stands in the strip is told at any width"
        assert UNICODE.more not in legend
        assert abs(row.text.index(UNICODE.caret) - width / 2) < 8
        assert "\x1b" not in row.value


def test_the_strip_shows_when_a_restore_was_proved_and_when_it_was_not() -> None:
    def marks(*found: DrillResult) -> list[tuple[str, str]]:
        drawn = window_rows.rows(_drilled(*found), 80, UNICODE)
        return [(row.text[11:], row.value) for row in drawn if row.entry == window_rows.DRILLED]

    good = replace(drill_result(), ended=AT - 1800)
    failed = replace(good, id="20261130T000000Z", ended=AT - 60, outcome=Outcome.FAILED)
    assert marks() == []
    ((proved, said),) = marks(good)
    assert proved.strip() == UNICODE.ok
    assert said.startswith("proved ")
    ((both, said),) = marks(good, failed)
    assert both.split() == [UNICODE.ok, UNICODE.critical]
    assert both.index(UNICODE.ok) == proved.index(UNICODE.ok)
    assert ", failed " in said


def test_where_no_second_copy_is_wanted_none_is_told_of() -> None:
    snapshot = nightly()
    told = replace(snapshot.told, second_copy=False)
    drawn = picture_of(replace(snapshot, told=told), AT)
    rows = detail_rows.backup_rows(drawn, drawn.reaches[0], RCLONE, 100, UNICODE)
    assert "primary alone" in text(rows)
    assert "DR alone" not in text(rows)
    assert "  DR  " not in text(rows)
    assert [name for name, _ in drawn.subjects] == ["together", "primary"]
