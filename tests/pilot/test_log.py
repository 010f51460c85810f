"""The log under a stream: bounded, following or not, held back and let in."""

from tests.data.snapshots import healthy, log_lines
from tests.data.stage import screen_text, settle, stage, until
from walconsole.domain.facts.log_line import LogLevel, LogLine
from walconsole.ui.dashboard.log_pane import KEPT


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
            app.current.log(lines(5_000, start))
        await until(pilot, lambda: app.dashboard.log_pane.rows == KEPT)
        await until(pilot, lambda: "line 29999" in screen_text(app))


async def test_scrolled_back_it_stays_while_lines_come_in_and_old_ones_go() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        app.current.log(lines(KEPT))
        log = app.dashboard.log_pane
        await until(pilot, lambda: log.rows == KEPT and log.top == KEPT - log.page)  # drawn at a steady pace
        await pilot.press("7", "pageup", "pageup")
        assert not log.following
        seen = log.line(log.top).text
        app.current.log(lines(500, KEPT))
        await pilot.pause(0.2)
        assert log.line(log.top).text == seen
        await pilot.press("G")
        assert log.following
        await until(pilot, lambda: f"line {KEPT + 499}" in screen_text(app))


async def test_held_lines_are_counted_and_let_in() -> None:
    app = stage(healthy(), lines=log_lines(10))
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("7", "space")
        app.current.log(lines(7))
        await until(pilot, lambda: "paused, 7 held" in screen_text(app))
        await pilot.press("space")
        await until(pilot, lambda: "line 6" in screen_text(app))


async def test_lines_that_are_not_about_archiving_show_on_demand() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        app.current.log(lines(3, about=False))
        await until(pilot, lambda: "no line is about archiving: a shows all" in screen_text(app))
        await pilot.press("a")
        await until(pilot, lambda: "line 2" in screen_text(app))


async def test_a_hostile_line_is_drawn_as_it_reads() -> None:
    app = stage(healthy())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        app.current.log([LogLine("x", "", LogLevel.FATAL, "[/red] \x1b[2J\udcff done FATAL: [bold", True)])
        await until(pilot, lambda: "[/red]  done FATAL: [bold" in screen_text(app))
