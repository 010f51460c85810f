"""What the hand does on every screen: finding, marking, wrapping, going from story to story, being called."""

from dataclasses import replace

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.data.snapshots import healthy, incident, log_lines
from tests.data.stage import screen_text, settle, stage, until
from walconsole.domain.facts.log_line import LogLevel, LogLine
from walconsole.domain.facts.snapshot import Told
from walconsole.ui.app import WalconsoleApp
from walconsole.ui.board.panes_screen import PanesScreen
from walconsole.ui.dialogs.command_line import CommandLine
from walconsole.ui.dialogs.dialog import themes_of
from walconsole.ui.triage.screen import TriageScreen


def a_line(text: str) -> LogLine:
    return LogLine("postgresql", "", LogLevel.INFO, text, about_archiving=True)


async def type_command(pilot: Pilot[None], app: WalconsoleApp, text: str) -> None:
    """`:` and the text, without Enter."""
    await pilot.press("colon")
    await until(pilot, lambda: isinstance(app.screen, CommandLine) and app.screen.is_mounted)
    app.screen.query_one(Input).value = text
    await pilot.pause()


async def test_a_colon_takes_a_command_by_its_name_and_completes_it() -> None:
    app = stage(incident())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await type_command(pilot, app, "comma")
        await until(pilot, lambda: "Every command that was run" in screen_text(app))
        await pilot.press("tab")
        assert app.screen.query_one(Input).value == "command"
        await pilot.press("enter")
        await until(pilot, lambda: "2 commands begin with command" in screen_text(app))
        await pilot.press("tab")
        assert app.screen.query_one(Input).value == "commands"
        await pilot.press("enter")
        await until(pilot, lambda: type(app.screen).__name__ == "CommandsScreen")


@pytest.mark.parametrize(
    ("typed", "screen"),
    [
        ("triage", "TriageScreen"),
        ("arch", "ArchiveScreen"),
        ("conf", "ConfigurationScreen"),
        ("v", "RecoveryScreen"),
    ],
)
async def test_a_command_does_what_its_key_does(typed: str, screen: str) -> None:
    app = stage(incident())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await type_command(pilot, app, typed)
        await pilot.press("enter")
        await until(pilot, lambda: type(app.screen).__name__ == screen)


async def test_what_is_typed_behind_a_command_answers_what_it_opens() -> None:
    app = stage(incident())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        other = next(name for name in themes_of(app) if name != app.theme)
        await type_command(pilot, app, f"theme {other}")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.dashboard and app.theme == other)
        await type_command(pilot, app, "filter no such line")
        await pilot.press("enter")
        await until(
            pilot, lambda: app.screen is app.dashboard and app.dashboard.log_pane.pattern == "no such line"
        )
        await type_command(pilot, app, "pane bucket")
        await pilot.press("enter")
        await until(pilot, lambda: app.dashboard.board.focused_name == "bucket")


async def test_a_command_that_there_is_not_is_said_and_the_line_stays() -> None:
    app = stage(incident())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await type_command(pilot, app, "triaje")
        await pilot.press("enter")
        await until(
            pilot, lambda: "there is no command triaje here; did you mean triage?" in screen_text(app)
        )
        other = next(name for name in themes_of(app) if name != app.theme)
        app.screen.query_one(Input).value = f"theme {other}x"
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: f"there is no theme {other}x; did you mean {other}?" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.dashboard)


async def test_quit_is_typed_too() -> None:
    app = stage(incident())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await type_command(pilot, app, "quit")
        await pilot.press("enter")
        await until(pilot, lambda: not app.is_running)


async def test_a_list_is_filtered_while_it_is_typed_and_esc_ends_that_first() -> None:
    app = stage(incident())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, PanesScreen) and app.screen.pane.rows > 0)
        screen = app.screen
        assert isinstance(screen, PanesScreen)
        pane, before = screen.pane, screen.pane.rows
        await pilot.press("slash", *"no such text")
        assert pane.rows == 0
        await pilot.press("enter")
        assert f"0 of {before} with no such text" in screen_text(app)
        await pilot.press("escape")
        assert (pane.rows, app.screen) == (before, screen)
        await pilot.press("slash", *"x", "escape")
        assert pane.pattern == ""


async def test_a_filtered_row_still_stands_for_what_it_is() -> None:
    app = stage(incident())
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, TriageScreen) and app.screen.pane.rows > 3)
        assert isinstance(app.screen, TriageScreen)
        pane = app.screen.panes["story"]
        labels = [row.label for row in pane.all_rows]
        wanted = next(row for row in reversed(pane.all_rows) if row.label and row.label != labels[0])
        await pilot.press("slash", *wanted.text.strip()[-12:].replace(" ", " "), "enter")
        assert pane.current is not None
        assert pane.current.label == pane.all_rows[pane.row].label


async def test_lines_and_stories_are_walked_by_their_own_keys() -> None:
    app = stage(incident())
    async with app.run_test(size=(160, 48)) as pilot:
        await settle(pilot)
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, TriageScreen) and app.screen.pane.rows > 3)
        screen = app.screen
        assert isinstance(screen, TriageScreen)
        assert screen.taken is not None
        stories = [story.root.rule for story in screen.taken.diagnosis.stories]
        assert len(stories) > 1
        pane = screen.panes["story"]
        await pilot.press("g", "j")
        assert pane.cursor == 1
        await pilot.press("k")
        assert pane.cursor == 0
        seen = []
        for _ in stories[1:]:
            await pilot.press("J")
            seen.append(screen.finding.rule if screen.finding is not None else "")
        assert seen == stories[1:]
        await pilot.press("left_square_bracket")
        assert screen.finding is not None
        assert screen.finding.rule == stories[-2]


async def test_several_log_lines_are_copied_and_a_long_one_is_wrapped() -> None:
    long = a_line("word " * 60 + "the-end")
    app = stage(healthy(), lines=[*log_lines(5), long])
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("7", "z", "a")
        log = app.dashboard.log_pane
        await until(pilot, lambda: log.rows == 6)
        assert "the-end" not in screen_text(app)
        await pilot.press("W")
        assert "the-end" in screen_text(app)
        assert log.rows > 8
        assert log.line(log.rows - 1).value == long.text
        await pilot.press("W", "g", "V", "j", "j", "y")
        assert app.clipboard.splitlines() == [line.text for line in log.lines()[:3]]
        assert log.mark is None


async def test_wrapped_rows_show_every_word_once_at_any_width() -> None:
    long = a_line(" ".join(f"w{n}" for n in range(200)) + "x" * 300)
    app = stage(healthy(), lines=[long])
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("7", "z", "a", "W")
        log = app.dashboard.log_pane
        for width in (80, 41, 120, 200):
            await pilot.resize_terminal(width, 24)
            await until(pilot, lambda width=width: log.size.width == width)  # type: ignore[misc]
            shown = "".join(
                "".join(span.text for span in log.line(row).spans[2 if not row else 1 :])
                for row in range(log.rows)
            )
            assert shown == long.text
            assert all(len(log.line(row).text) < width for row in range(log.rows))


async def test_a_verdict_that_gets_worse_calls_once_as_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    app = stage(healthy())
    written: list[str] = []
    bells: list[int] = []
    app._alerts = ("bell", "osc9")
    monkeypatch.setattr(WalconsoleApp, "bell", lambda _: bells.append(1))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", written.append)
        await until(pilot, lambda: app.current._watched is not None)
        assert not bells  # not at the start
        for _ in range(3):
            app.current.publish(replace(incident(), told=Told()))
            await pilot.pause(0.4)
        await until(pilot, lambda: bool(bells))
        calls = [text for text in written if text.startswith("\x1b]9;")]
        assert (len(calls), len(bells)) == (1, 1)
        assert calls[0].startswith("\x1b]9;walconsole shithub: critical: ")
        assert calls[0].endswith("\x07")
        assert calls[0][4:-1].isprintable()


async def test_nobody_is_called_who_did_not_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    app = stage(healthy())
    bells: list[int] = []
    monkeypatch.setattr(WalconsoleApp, "bell", lambda _: bells.append(1))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.current.publish(incident())
        await until(
            pilot, lambda: app.dashboard.taken is not None and app.dashboard.taken.diagnosis.findings != ()
        )
        assert not bells


async def test_the_cursor_stays_in_view_when_the_terminal_shrinks() -> None:
    app = stage(incident(), lines=[a_line(f"line {number}") for number in range(100)])
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        pane = app.dashboard.log_pane
        await pilot.press("7", "z")
        await until(pilot, lambda: pane.page > 30 and pane.cursor == 99)
        await pilot.press("k")
        await pilot.resize_terminal(80, 16)
        await until(pilot, lambda: pane.page < 16)
        assert pane.cursor in range(pane.top, pane.top + pane.page)
        await pilot.resize_terminal(120, 36)
        await until(pilot, lambda: pane.page > 30)
        assert pane.cursor in range(pane.top, pane.top + pane.page)


async def test_a_long_question_leaves_a_line_to_answer_it() -> None:
    app = stage(incident())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.ask_line("read-only SQL, ended by lock_timeout and statement_timeout:", lambda _: None)
        await until(pilot, lambda: app.focused is not None and app.focused.size.width >= 70)
        assert "statement_timeout:" in screen_text(app).splitlines()[-2]
        await pilot.resize_terminal(200, 60)
        await until(pilot, lambda: "statement_timeout:" in screen_text(app).splitlines()[-1])
        assert app.focused is not None
        assert app.focused.size.width >= 100


async def test_a_folded_pane_says_once_that_its_sources_are_dead() -> None:
    app = stage(incident())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        folded = next(line for line in screen_text(app).splitlines() if "4 Bucket" in line)
        assert folded.count("missing") == 2, folded


async def test_nobody_goes_sideways_beyond_the_longest_line() -> None:
    app = stage(incident(), lines=[a_line("short"), a_line("x" * 70 + " the end")])
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("7", *["right"] * 30)
        await until(pilot, lambda: "the end" in screen_text(app))
        pane = app.dashboard.log_pane
        assert pane.left > 0
        await pilot.press(*["left"] * 30)
        await until(pilot, lambda: pane.left == 0)


async def test_a_toast_covers_half_of_the_screen_at_most() -> None:
    app = stage(incident())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.notify("\n".join(f"line {number} of a script" for number in range(100)), title="copied")
        await until(pilot, lambda: len(app._notifications) > 0)
        (toast,) = app._notifications
        assert toast.message.startswith("line 0 of a script\n")
        assert 4 <= len(toast.message.splitlines()) <= 12
        assert toast.message.endswith(app.glyphs.more)
