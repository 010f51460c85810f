"""Every shipped theme in every depth of colour: the verdict and the keys can be read, the cursor is seen."""

import pytest

from tests.data.cells import TERMINALS, Cell, cells, contrast, seen
from tests.data.snapshots import incident
from tests.data.stage import settle, stage
from walconsole.ui.app import WalconsoleApp
from walconsole.ui.board.theming import read_theme, shipped_folder
from walconsole.ui.board.tones import palette, suited

THEMES = sorted(path.stem for path in shipped_folder().glob("*.toml"))
READABLE = 4.5
"""What WCAG 2.1 asks of text."""
APART = 1.15
"""The cursor's row from the others: the eye needs little for a whole row."""


def _words(row: list[Cell]) -> list[Cell]:
    return [cell for cell in row if cell.text.isalnum()]


async def _shown(app: WalconsoleApp, system: str, *terminals: str) -> list[list[list[Cell]]]:
    """What the app shows, as each of these terminals draws it."""
    async with app.run_test(size=(80, 30)) as pilot:
        await settle(pilot)
        return [cells(app, system, TERMINALS[terminal]) for terminal in terminals]


def _check(rows: list[list[Cell]]) -> None:
    text = ["".join(cell.text for cell in row) for row in rows]
    assert "CRITICAL" in text[0]
    title = next(at for at, line in enumerate(text) if "Findings" in line)
    bar, body = _words(rows[title + 1]), _words(rows[title + 3])
    verdict, footer = _words(rows[0]), _words(rows[-1])
    assert [cell for cell in [*verdict, *body, *bar, *footer] if cell.contrast < READABLE] == []

    # The badge is a block of its own colour; the sentence is as bright as anything below it.
    badge, sentence = verdict[: len("CRITICAL")], verdict[len("CRITICAL") :]
    ordinary = max(cell.contrast for cell in _words([cell for row in rows[2:-1] for cell in row][:2000]))
    assert min(cell.contrast for cell in sentence) >= min(ordinary, 7.0)
    assert contrast(badge[0].ground, rows[0][-1].ground) >= 2.5

    here = {cell.ground for cell in bar}
    assert len(here) == 1
    assert contrast(here.pop(), body[0].ground) >= APART


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("system", ["truecolor", "256", "standard"])
async def test_all_is_readable_in_any_depth(monkeypatch: pytest.MonkeyPatch, theme: str, system: str) -> None:
    monkeypatch.setenv("NO_COLOR", "")  # empty is not set
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", system)
    app = stage(incident(), theme=theme)
    assert app.console.color_system == system
    assert not app.no_color
    for rows in await _shown(app, system, "VGA", "xterm"):
        _check(rows)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("system", ["truecolor", "256", "standard"])
async def test_without_colour_the_terminals_own_two_are_used(
    monkeypatch: pytest.MonkeyPatch, theme: str, system: str
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", system)
    for rows in await _shown(stage(incident(), theme=theme), system, "xterm", "xterm on white"):
        assert len({frozenset((cell.ink, cell.ground)) for row in rows for cell in row}) == 1
        _check(rows)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("system", ["truecolor", "256", "standard"])
def test_every_tone_can_be_read_under_the_cursor(theme: str, system: str) -> None:
    shown = suited(read_theme(shipped_folder() / f"{theme}.toml"), system, no_colour=False)
    styles = palette(shown)
    tones = ("text", "strong", "label", "muted", "ok", "warning", "critical", "unknown")
    for terminal in ("VGA", "xterm"):
        faint = {
            tone: round(cell.contrast, 1)
            for tone in tones
            for cell in seen("a", styles.on_cursor(tone) + styles.cursor, system, TERMINALS[terminal])
            if cell.contrast < READABLE
        }
        assert faint == {}


async def test_a_tones_own_ground_is_below_its_words_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setattr("textual.constants.COLOR_SYSTEM", "standard")
    (rows,) = await _shown(stage(incident(), theme="paper"), "standard", "xterm")
    row = next(row for row in rows if "✗ critical the primary" in "".join(cell.text for cell in row))
    red = [cell.text for cell in row if cell.ground != rows[-1][0].ground]
    assert "".join(red) == "✗ critical"
