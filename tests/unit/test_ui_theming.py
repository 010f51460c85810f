"""Theme files: what is shipped is good and readable, what is broken is named by file and line."""

import stat
from pathlib import Path

import pytest
from textual.color import Color

from walconsole.ui.board.theming import (
    SCREEN_COLOURS,
    TONE_COLOURS,
    ThemeError,
    ThemeShelf,
    built_in,
    read_theme,
    shipped_folder,
)

SHIPPED = sorted(shipped_folder().glob("*.toml"))
GOOD = (shipped_folder() / "night.toml").read_text("utf-8")


def test_the_shipped_themes_are_all_good_and_named_as_their_files() -> None:
    themes, problems = ThemeShelf((shipped_folder(),)).load()
    assert problems == []
    assert [theme.name for theme in themes] == [path.stem for path in SHIPPED]
    assert {"night", "paper", "contrast", "okabe-ito", "ansi"} <= {theme.name for theme in themes}


@pytest.mark.parametrize(
    "path", [path for path in SHIPPED if path.stem != "ansi"], ids=lambda path: path.stem
)
def test_every_tone_can_be_read_on_its_background(path: Path) -> None:
    theme = read_theme(path)
    background = Color.parse(theme.background or "")
    cursor = Color.parse(theme.tones.cursor)
    least = {"rule": 1.3, "muted": 4.0, "cursor": 1.0}
    for name in TONE_COLOURS:
        tone = Color.parse(getattr(theme.tones, name))
        assert ratio(tone, background) >= least.get(name, 4.5), name
        if name not in ("rule", "cursor"):
            assert ratio(tone, cursor) >= 3.3, f"{name} under the cursor"


def ratio(one: Color, other: Color) -> float:
    """WCAG 2's contrast ratio."""

    def luminance(color: Color) -> float:
        parts = [
            part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in color.normalized
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_built_in_theme_is_night_as_its_file_has_it() -> None:
    from_file, built = read_theme(shipped_folder() / "night.toml"), built_in()
    assert built == from_file
    assert built.tones == from_file.tones
    assert built.description == from_file.description


BROKEN = {
    "syntax": (GOOD.replace('name = "night"', "name = night"), 1, "Invalid"),
    "unknown key": (GOOD.replace("dark = true", "dark = true\nfonts = 1"), 4, "unknown key 'fonts'"),
    "unknown colour name": (GOOD.replace("[tone]", '[tone]\nfrobnicate = "#000"'), 18, "'frobnicate'"),
    "bad colour": (GOOD.replace('rule = "#38414e"', 'rule = "#38414"'), 26, "is not a colour"),
    "colour is a number": (GOOD.replace('rule = "#38414e"', "rule = 7"), 26, "is not a colour"),
    "missing colour": (GOOD.replace('rule = "#38414e"\n', ""), 17, "tone.rule is missing"),
    "missing table": (GOOD[: GOOD.index("[tone]")], 1, "[tone] is missing"),
    "missing name": (GOOD.replace('name = "night"\n', ""), 1, "name is missing"),
    "wrong type": (GOOD.replace("dark = true", 'dark = "yes"'), 3, "must be true or false"),
    "odd name": (GOOD.replace('"night"', '"../night"'), 1, "not a short word"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_one_line_with_file_and_line(case: str, tmp_path: Path) -> None:
    text, line, what = BROKEN[case]
    path = tmp_path / "mine.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ThemeError) as caught:
        read_theme(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_not_utf_8_are_a_broken_file_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(ThemeError, match=r"mine\.toml:1: cannot be read"):
        read_theme(path)


def test_the_rest_loads_and_a_name_that_is_taken_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("x", "utf-8")
    (tmp_path / "b.toml").write_text(GOOD, "utf-8")
    (tmp_path / "c.toml").write_text(GOOD.replace('"night"', '"mine"'), "utf-8")
    themes, problems = ThemeShelf((shipped_folder(), tmp_path)).load()
    assert "mine" in {theme.name for theme in themes}
    assert len(themes) == len(SHIPPED) + 1
    assert [problem.split(": ")[0] for problem in problems] == [
        f"{tmp_path}/a.toml:1",
        f"{tmp_path}/b.toml:1",
    ]
    assert "is taken by" in problems[1]


def test_the_choice_is_remembered_whole_and_read_again(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state.toml"
    shelf = ThemeShelf((shipped_folder(),), state)
    assert shelf.remember("paper") is None
    assert shelf.recall() == "paper"
    assert shelf.first(None, "truecolor").name == "paper"
    assert [path.name for path in state.parent.iterdir()] == ["state.toml"]
    assert stat.S_IMODE(state.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"theme = 3", b'theme = "../x"', b'theme = "gone"', b"[["]
)
def test_a_damaged_memory_gives_the_default(content: bytes, tmp_path: Path) -> None:
    state = tmp_path / "state.toml"
    state.write_bytes(content)
    assert ThemeShelf((shipped_folder(),), state).first(None, "truecolor").name == "night"


def test_sixteen_colours_get_the_terminals_own(tmp_path: Path) -> None:
    shelf = ThemeShelf((shipped_folder(),), tmp_path / "none")
    assert shelf.first(None, "standard").name == "ansi"
    assert shelf.first("contrast", "standard").name == "contrast"


def test_a_memory_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", "utf-8")
    problem = ThemeShelf((), blocked / "state.toml").remember("paper")
    assert problem is not None
    assert str(blocked) in problem


def test_every_screen_colour_is_used(tmp_path: Path) -> None:
    theme = read_theme(shipped_folder() / "paper.toml")
    assert all(getattr(theme, name) for name in SCREEN_COLOURS)
