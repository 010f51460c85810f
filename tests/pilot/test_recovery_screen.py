"""The recovery screen under an operator's fingers."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.data.recoveries import BEGUN, RECOVERIES, base_at
from tests.data.snapshots import STATES
from tests.data.stage import noting, screen_text, settle, stage, until
from walconsole.domain.standing.model import Fix
from walconsole.ui.archive.screen import ArchiveScreen
from walconsole.ui.board.keys import own
from walconsole.ui.dashboard.screen import Dashboard
from walconsole.ui.dialogs.help import HelpScreen
from walconsole.ui.recovery.backup_table import TITLES
from walconsole.ui.recovery.screen import RecoveryScreen

SIZES = ((80, 24), (120, 36), (200, 60), (100, 10), (40, 10), (20, 5), (1, 1))
NEWEST, SECOND = base_at(BEGUN[-1]).id, base_at(BEGUN[-2]).id


async def opened(pilot: Pilot[None]) -> RecoveryScreen:
    await settle(pilot)
    await pilot.press("v")
    await until(pilot, lambda: isinstance(pilot.app.screen, RecoveryScreen))
    screen = pilot.app.screen
    assert isinstance(screen, RecoveryScreen)
    await until(pilot, lambda: screen.picture is not None)
    await pilot.pause()
    return screen


def shown(screen: RecoveryScreen, pane: str) -> str:
    rows = screen.panes[pane]
    return "\n".join(rows.line(index).text for index in range(rows.rows))


def written(folder: Path) -> list[Path]:
    return list(folder.glob("walconsole-recovery-*"))


async def test_it_opens_on_the_newest_that_is_of_use_and_follows_the_cursor() -> None:
    app = stage(RECOVERIES["broken"]())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        assert screen.board.focused_name == "backups"
        assert screen.table.cursor == 1
        assert NEWEST in shown(screen, "detail")
        assert "restorable to any moment since 17 Sep 02:29Z" in screen_text(app).splitlines()[0]
        await pilot.press("j")
        await until(pilot, lambda: f"id={SECOND}" in shown(screen, "detail"))
        await pilot.press("k", "k")
        await until(pilot, lambda: "backup.json is missing" in shown(screen, "detail"))


async def test_the_newest_is_in_view_though_the_cursor_begins_below_it() -> None:
    """It failed: that is what an operator must see first, and it stood one row above the view."""
    app = stage(RECOVERIES["broken"]())
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        assert (screen.table.top, screen.table.cursor) == (0, 1)


async def test_enter_goes_on_and_escape_goes_back_one_step_at_a_time() -> None:
    app = stage(RECOVERIES["nightly"]())
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: screen.board.focused_name == "detail")
        await pilot.press("enter")
        assert screen.board.maximised
        await pilot.press("escape")
        assert not screen.board.maximised
        await pilot.press("escape")
        await until(pilot, lambda: screen.board.focused_name == "backups")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Dashboard))


async def test_the_windows_line_chooses_whose_windows_are_told() -> None:
    app = stage(RECOVERIES["broken"]())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        await pilot.press("1")
        await until(pilot, lambda: screen.panes["detail"].spec.title == "Windows: together")
        assert "is missing in both copies" in shown(screen, "detail")
        await pilot.press("j", "j", "j")
        await until(pilot, lambda: screen.panes["detail"].spec.title == "Windows: DR")
        assert "is missing in DR" in shown(screen, "detail")
        await pilot.press("enter", "escape")
        await until(pilot, lambda: screen.board.focused_name == "window")
        await pilot.press("2")
        await until(pilot, lambda: NEWEST in shown(screen, "detail"))


async def test_c_copies_all_commands_and_y_the_paragraph_under_the_cursor() -> None:
    app = stage(RECOVERIES["nightly"]())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        await pilot.press("Y")
        assert f"id={NEWEST}\n" in app.clipboard
        assert app.clipboard.startswith("# where from")
        assert "pg_is_in_recovery" in app.clipboard
        await pilot.press("y")
        assert "restorable to" in app.clipboard
        detail = screen.panes["detail"]
        at = next(row for row in range(detail.rows) if "pg_verifybackup" in detail.line(row).text)
        await pilot.press("3", *["j"] * at)
        await pilot.press("y")
        assert app.clipboard.startswith("# the files")
        assert "rclone cat" in app.clipboard


async def test_where_nothing_can_be_restored_nothing_is_copied() -> None:
    app = stage(RECOVERIES["none_taken"]())
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        assert "NOTHING can be restored" in screen_text(app).splitlines()[0]
        assert "none was found" in screen_text(app)
        await pilot.press("Y", "y", "enter", "j", "left", "right", "G", "escape")
        assert app.clipboard == ""
        assert "nothing: no base backup" in shown(screen, "window")


async def test_a_long_command_is_read_sideways() -> None:
    app = stage(RECOVERIES["nightly"]())
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await pilot.press("3")
        await until(pilot, lambda: screen.board.focused_name == "detail")
        at = next(n for n, line in enumerate(screen.pane._rows) if len(line.text) > screen.pane.size.width)
        screen.pane.go_to(at)
        await pilot.press("l")
        assert screen.pane.left > 0
        await pilot.press("left")
        assert screen.pane.left == 0


async def test_b_opens_the_archive_and_escape_comes_back() -> None:
    app = stage(RECOVERIES["nightly"]())
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await pilot.press("b")
        await until(pilot, lambda: isinstance(app.screen, ArchiveScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RecoveryScreen))


async def test_the_export_holds_each_base_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = stage(RECOVERIES["hostile_names"]())
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await pilot.press("e")
        await until(pilot, lambda: len(written(tmp_path)) == 2)
    texts = {path.suffix: path.read_text("utf-8") for path in written(tmp_path)}
    sheet = list(csv.reader(texts[".csv"].splitlines()))
    assert sheet[0] == list(TITLES)
    assert len(sheet) == 3
    assert {row["entry"] for row in json.loads(texts[".json"])["rows"]} >= {"strip", "reach", "backup_row"}
    assert not any("\x1b" in text for text in texts.values())


@pytest.mark.parametrize("pane", ["1", "2", "3"])
async def test_every_pane_is_explained(pane: str) -> None:
    app = stage(RECOVERIES["nightly"]())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press(pane, "question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RecoveryScreen))


OTHER_STATES = ("broken", "none_taken", "not_read")


@pytest.mark.parametrize(
    ("state", "size"),
    [
        *(("hostile_names", size) for size in SIZES),
        *((state, (120, 36)) for state in OTHER_STATES),
        *(
            pytest.param(state, size, marks=pytest.mark.long)  # each is resized to all of them above
            for state in OTHER_STATES
            for size in SIZES
            if size != (120, 36)
        ),
    ],
)
async def test_every_key_at_every_size_and_resized(state: str, size: tuple[int, int]) -> None:
    app = stage(RECOVERIES[state]())
    async with app.run_test(size=size) as pilot:
        screen = await opened(pilot)
        for action in own("recovery"):
            if action.sign in ("Esc", "?", "b", "e", "/", "M", "U"):
                continue
            await pilot.press(action.keys.split(",")[0])
        for width, height in SIZES:
            await pilot.resize_terminal(width, height)
            await pilot.pause()
        assert app.screen is screen


@pytest.mark.parametrize(
    ("state", "said"),
    [("unread", " not read yet"), ("nothing_readable", "─ not read\n"), ("all_dead", " not read")],
)
async def test_whatever_could_not_be_read_promises_nothing(state: str, said: str) -> None:
    app = stage(STATES[state]())
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        assert "●" not in shown(screen, "window")
        assert said in "".join(f"{line.rstrip()}\n" for line in screen_text(app).splitlines())
        assert "OK" not in screen_text(app).splitlines()[0][:8]


async def test_it_shows_what_retention_lets_go_and_begins_it(monkeypatch: pytest.MonkeyPatch) -> None:
    app = stage(RECOVERIES["nightly"]())
    offers: list[Fix] = []
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        told = " ".join(shown(screen, "window").split())
        assert (
            "retention keep 5 full, 3 d; next: 3 base backups, 2,048 segments, about 33.5 GiB in the" in told
        )
        assert "nothing in the DR copy: its newest base backup" in told
        monkeypatch.setattr(screen.session, "open_fix", offers.append)
        await pilot.press("D")
        await until(pilot, lambda: bool(offers))
    assert [fix.step for fix in offers] == ["expire"]


async def test_without_a_rule_it_says_that_nothing_is_deleted() -> None:
    app = stage(RECOVERIES["broken"]())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        assert "no rule (keep): nothing is deleted" in shown(screen, "window")


# -- What runs now.


def row_of(screen: RecoveryScreen, beginning: str) -> int:
    rows = screen.panes["window"]
    return next(at for at in range(rows.rows) if rows.line(at).text.strip().startswith(beginning))


@pytest.mark.parametrize("size", SIZES[:3])
async def test_what_runs_is_the_first_row_with_a_bar(size: tuple[int, int]) -> None:
    app = stage(RECOVERIES["running"]())
    async with app.run_test(size=size) as pilot:
        screen = await opened(pilot)
        assert row_of(screen, "runs now  pg_basebackup from 203.0.113.9, begun 45 s ago: streaming") == 0
        assert "████········ 40% of 2.50 GiB, 30.0 MiB/s, 51 s left (" in screen_text(app)
        told = " ".join(shown(screen, "window").split())
        assert "last run ▲ not taken (10 h 00 min ago, 04:13Z): " in told
        assert "this key may not write below base/" in told


async def test_what_waits_for_its_wal_says_why() -> None:
    app = stage(RECOVERIES["waiting"]())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        told = " ".join(shown(screen, "window").split())
        assert "▲ it waits for its WAL in the archive, and the archiver is FAILING" in told
        assert "and pgBackRest, begun 1 min 00 s ago: it copies the files itself" in told


async def test_none_runs_is_not_said_where_nobody_could_look() -> None:
    for state, words in (
        ("nightly", "runs now  no base backup is being taken"),
        (
            "unseen",
            "runs now  n/a: the base backups that the server knows of and what the base backup's script "
            "tells of itself: the connection was lost",
        ),
    ):
        app = stage(RECOVERIES[state]())
        async with app.run_test(size=(200, 60)) as pilot:
            screen = await opened(pilot)
            assert words in shown(screen, "window")
            app.current.fixer = never
            await pilot.press("X")
            assert app.current.fix_run is None


def never(fix: Fix) -> Any:
    raise AssertionError(f"{fix} was asked for")


async def test_x_opens_the_step_for_the_one_under_the_cursor_and_only_where_something_may_be_changed() -> (
    None
):
    app = stage(RECOVERIES["waiting"]())
    asked: list[Fix] = []

    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        await pilot.press("X")  # read-only: said, and nothing more
        assert not asked
        app.current.fixer = noting(asked)
        with pytest.raises(RuntimeError, match="enough"):
            screen.action_end_backup()
        await pilot.press("1", *["j"] * row_of(screen, "and "))
        with pytest.raises(RuntimeError, match="enough"):
            screen.action_end_backup()
        assert [(fix.step, fix.subject) for fix in asked] == [
            ("end-backup", "script"),
            ("end-backup", "4712"),
        ]


async def test_the_dashboard_begins_its_bucket_with_what_runs_and_is_quiet_else() -> None:
    for state, drawn in (("running", True), ("nightly", False)):
        app = stage(RECOVERIES[state]())
        async with app.run_test(size=(120, 36)) as pilot:
            await settle(pilot)
            text = screen_text(app)
            assert ("base backup" in text) is drawn, text
            assert ("40% of 2.50 GiB" in text) is drawn, text
