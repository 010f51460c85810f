"""The commands that were run, on their screen: there while nothing is connected, found, copied, exported."""

import json
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.data.facts import NOW
from tests.data.snapshots import healthy, nothing_readable
from tests.data.stage import screen_text, settle, stage, until
from walconsole.command_register import HERE, CommandKind, telling_of_requests
from walconsole.ui.app import WalconsoleApp
from walconsole.ui.commands.screen import CommandsScreen

SECRET = "hunter2secret"  # it must not be seen


def run(
    app: WalconsoleApp, text: str, status: int | None = 0, why: str = "", where: str = "root@h:22"
) -> None:
    register = app.current.commands
    kind = CommandKind.LOCAL if where == HERE else CommandKind.SHELL
    register.ended(register.began(kind, where, text, NOW - 5), NOW - 4.5, status, why)


def filled(app: WalconsoleApp) -> None:
    for _ in range(3):
        run(app, "cat /proc/loadavg")
    run(app, "ssh -G h", where=HERE)
    run(app, f"PGPASSWORD={SECRET} psql -c 'select [bold]'", 2)
    run(app, "sleep 100", None, "a script ran longer than 5 s and was ended")
    app.current.commands.began(CommandKind.STREAM, "root@h:22", "tail -F the.log", NOW - 60)


async def opened(pilot: Pilot[None], app: WalconsoleApp) -> CommandsScreen:
    await settle(pilot)
    filled(app)
    await pilot.press("exclamation_mark")
    await until(pilot, lambda: isinstance(app.screen, CommandsScreen) and app.screen.table.rows > 0)
    assert isinstance(app.screen, CommandsScreen)
    return app.screen


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_every_command_with_its_ending_time_and_place_and_no_secret(size: tuple[int, int]) -> None:
    app = stage(nothing_readable())
    async with app.run_test(size=size) as pilot:
        await opened(pilot, app)
        text = screen_text(app)
        lines = {
            word: line for line in text.splitlines() for word in ("loadavg", "ssh -G", "psql") if word in line
        }
        assert "x3" in lines["loadavg"]
        assert " 0 " in lines["loadavg"]
        assert "500 ms" in lines["loadavg"]
        assert "root@h:22" in lines["loadavg"]
        assert HERE in lines["ssh -G"]
        assert " 2 " in lines["psql"]
        assert "[bold]" in lines["psql"] or size[0] == 80
        assert "runs" in text
        assert "5 commands, 2 did not end with 0" in text.splitlines()[0]
        assert SECRET not in text


async def test_all_of_one_and_those_that_failed_and_the_way_back() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, app)
        await pilot.press("a", "g")
        assert [row.value for row in screen.table.all_rows] == [
            "sleep 100",
            "PGPASSWORD=[redacted] psql -c 'select [bold]'",
        ]
        assert "none: a script ran longer than 5 s and was ended" in screen_text(app)
        await pilot.press("enter", "escape")
        assert screen.board.focused_name == "commands"
        await pilot.press("exclamation_mark", "escape")  # it is opened once
        assert app.screen is app.dashboard


async def test_it_is_filtered_marked_copied_and_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, app)
        await pilot.press("slash", *"sleep", "enter")
        assert screen.table.rows == 1
        await pilot.press("y")
        assert app.clipboard == "sleep 100\n"
        await pilot.press("escape")
        assert screen.table.rows == 5
        await pilot.press("g", "j", "V", "j", "y")
        assert app.clipboard.splitlines() == ["sleep 100", "PGPASSWORD=[redacted] psql -c 'select [bold]'"]
        await pilot.press("e")
        await until(pilot, lambda: len(list(tmp_path.glob("walconsole-commands-*.csv"))) == 1)
    (document,) = tmp_path.glob("walconsole-commands-*.json")  # noqa: ASYNC240  # the app has ended
    commands = json.loads(document.read_text())["commands"]
    assert [each["exit_status"] for each in commands] == [None, None, 2, 0, 0]
    assert SECRET not in "".join(path.read_text() for path in tmp_path.iterdir())  # noqa: ASYNC240


async def test_news_keep_the_cursor_on_its_command_and_marked_lines_where_they_are() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot, app)
        await pilot.press("j", "j")
        before = screen.entry
        run(app, "a new one")
        screen._look()
        assert before is not None
        assert screen.entry == before
        await pilot.press("V")
        run(app, "another one")
        screen._look()
        assert not any("another one" in row.value for row in screen.table.all_rows)
        await pilot.press("escape")
        screen._look()
        assert any("another one" in row.value for row in screen.table.all_rows)


async def test_requests_are_among_them_with_their_status_and_counted_apart() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        telling = telling_of_requests(app.current.commands, lambda: NOW - 3)
        for line, status in (("GET /shithub-wal?list-type", 200), ("GET /shithub-wal/gone", 404)):
            with telling("nyc3.digitaloceanspaces.com", line) as asked:
                asked.status = status
        screen = await opened(pilot, app)
        text = screen_text(app)
        assert "; 2 requests, 1 refused or not answered" in text.splitlines()[0]
        row = next(line for line in text.splitlines() if "HTTP: GET /shithub-wal?list-type" in line)
        assert " 200 " in row
        assert "nyc3.digitaloceanspaces" in row
        await pilot.press("a")
        await settle(pilot)
        assert "HTTP: GET /shithub-wal/gone" in screen_text(app)
        assert "list-type" not in screen_text(app)
        assert screen.table.rows
