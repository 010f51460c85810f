"""The log under a stream: bounded, following or not, held back and let in."""

from tests.data.snapshots import healthy, log_lines
from tests.data.stage import stage
from tests.pilot.test_console import screen_text, settle
from walconsole.domain.logline import LogLevel, LogLine
from walconsole.ui.widgets.log_pane import KEPT


def lines(count: int, first: int = 0, *, about: bool = True) -> list[LogLine]:
    """Numbered lines."""
    return [
        LogLine("postgresql", "2026-09-21 13:00:00", LogLevel.INFO, f"2026-09-21 13:00:00 line {n}", about)
        for n in range(first, first + count)
    ]


async def test_it_follows_and_keeps_no_more_than_its_bound() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        for start in range(0, 30_000, 5_000):
            app.port.log(lines(5_000, start))
        await pilot.pause(0.2)
        assert app.dashboard.log_pane.rows == KEPT
        assert "line 29999" in screen_text(app)


async def test_scrolled_back_it_stays_while_lines_come_in_and_old_ones_go() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        app.port.log(lines(KEPT))
        await pilot.press("7", "pageup", "pageup")
        log = app.dashboard.log_pane
        assert not log.following
        seen = log.line(log.top).text
        app.port.log(lines(500, KEPT))
        await pilot.pause(0.2)
        assert log.line(log.top).text == seen
        await pilot.press("G")
        assert log.following
        await pilot.pause(0.2)
        assert f"line {KEPT + 499}" in screen_text(app)


async def test_held_lines_are_counted_and_let_in() -> None:
    app = stage(healthy(), lines=log_lines(10))
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("7", "space")
        app.port.log(lines(7))
        await pilot.pause(0.2)
        assert "paused, 7 held" in screen_text(app)
        await pilot.press("space")
        await pilot.pause(0.2)
        assert "line 6" in screen_text(app)


async def test_lines_that_are_not_about_archiving_show_on_demand() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        app.port.log(lines(3, about=False))
        await pilot.pause(0.2)
        assert "no line passes the filter" in screen_text(app)
        await pilot.press("a")
        await pilot.pause(0.2)
        assert "line 2" in screen_text(app)


async def test_a_hostile_line_is_drawn_as_it_reads() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        app.port.log([LogLine("x", "", LogLevel.FATAL, "[/red] \x1b[2J\udcff done FATAL: [bold", True)])
        await pilot.pause(0.2)
        assert "[/red]  done FATAL: [bold" in screen_text(app)
