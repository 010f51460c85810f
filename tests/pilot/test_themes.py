"""Themes on the screen: a broken file is one toast, the chosen one is there the next time."""

from pathlib import Path

from tests.data.snapshots import healthy
from tests.data.stage import settle, stage, until
from walconsole.ui.board.theming import ThemeShelf, shipped_folder


async def test_a_broken_file_is_one_toast_with_file_and_line_and_the_rest_loads(tmp_path: Path) -> None:
    broken = tmp_path / "mine[b].toml"
    broken.write_text('name = "mine"\ndark = perhaps\n', "utf-8")
    app = stage(healthy(), folders=(shipped_folder(), tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await until(pilot, lambda: len(app._notifications) > 0)
        (toast,) = app._notifications
        assert f"{broken}:2: " in toast.message.replace("\n", "")  # parted where a folder ends
        assert "paper" in app.available_themes


async def test_the_chosen_theme_is_remembered(tmp_path: Path) -> None:
    state = tmp_path / "state.toml"
    app = stage(healthy(), state=state)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await until(pilot, lambda: "paper" in app.available_themes)
        await pilot.press("t")
        await until(pilot, lambda: app.screen is not app.dashboard and app.focused is not None)
        await pilot.press("end", "enter")
        await until(pilot, lambda: app.screen is app.dashboard)
        assert app.theme == "paper"
    assert ThemeShelf((shipped_folder(),), state).recall() == "paper"


async def test_a_memory_that_cannot_be_written_is_a_toast(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    app = stage(healthy(), state=tmp_path / "file" / "state.toml")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app._choose_theme("night")
        await until(pilot, lambda: len(app._notifications) > 0)
        (toast,) = app._notifications
        assert "not remembered" in toast.title


async def test_an_unknown_theme_is_a_toast_that_names_those_there_are() -> None:
    app = stage(healthy(), theme="walconsole-[dark")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await until(pilot, lambda: len(app._notifications) > 0)
        (toast,) = app._notifications
        told = f"theme walconsole-[dark: there is none of that name; {app.theme} is shown instead"
        assert told in " ".join(toast.message.split())
        assert "ansi, contrast, night, okabe-ito, paper (t chooses)" in " ".join(toast.message.split())


async def test_a_theme_that_is_asked_for_and_broken_says_where(tmp_path: Path) -> None:
    broken = tmp_path / "mine.toml"
    broken.write_text('name = "mine"\ndark = perhaps\n', "utf-8")
    app = stage(healthy(), theme="mine", folders=(shipped_folder(), tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await until(pilot, lambda: len(app._notifications) > 0)
        (toast,) = app._notifications
        assert f"theme mine: {broken}:2:" in toast.message.replace("\n", "")
        assert app.theme != "mine"


async def test_a_theme_is_found_by_its_name_whatever_its_file_is_called(tmp_path: Path) -> None:
    text = (shipped_folder() / "paper.toml").read_text("utf-8").replace('name = "paper"', 'name = "mine"')
    (tmp_path / "other.toml").write_text(text, "utf-8")
    app = stage(healthy(), theme="mine", folders=(shipped_folder(), tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await until(pilot, lambda: app.theme == "mine")
        assert not app._notifications
