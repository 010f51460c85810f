"""The app on a stage: a scripted observer, a frozen clock, themes from the checkout, state elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from tests.data.facts import NOW
from walconsole.domain.logline import LogLine
from walconsole.domain.snapshot import Snapshot
from walconsole.ports import Screen
from walconsole.ui.app import WalconsoleApp
from walconsole.ui.glyphs import UNICODE, Glyphs
from walconsole.ui.theming import ThemeShelf, shipped_folder


class FrozenClock:
    """It is always NOW, until a test says otherwise."""

    def __init__(self, at: float = NOW) -> None:
        self.at = at

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.at

    def monotonic(self) -> float:
        """Spans are real, so that what is due gets drawn."""
        return monotonic()


class ScriptedObserver:
    """Publishes what it was given, and notes what the screen asked of it."""

    def __init__(self, snapshots: Sequence[Snapshot], lines: Sequence[LogLine] = ()) -> None:
        self._snapshots, self._lines = snapshots, lines
        self.asked: list[str] = []

    async def run(self, screen: Screen) -> None:
        """Everything at once, then nothing more."""
        for snapshot in self._snapshots:
            screen.publish(snapshot)
        if self._lines:
            screen.log(self._lines)

    def refresh(self) -> None:
        """Noted."""
        self.asked.append("refresh")

    def pause(self, paused: bool) -> None:
        """Noted."""
        self.asked.append(f"pause {paused}")

    def pace(self, factor: float) -> None:
        """Noted."""
        self.asked.append(f"pace {factor:g}")


def stage(
    *snapshots: Snapshot,
    lines: Sequence[LogLine] = (),
    theme: str = "night",
    state: Path | None = None,
    folders: tuple[Path, ...] | None = None,
    glyphs: Glyphs = UNICODE,
    observer: ScriptedObserver | None = None,
) -> WalconsoleApp:
    """An app that shows `snapshots`."""
    player = observer or ScriptedObserver(snapshots, lines)

    async def factory() -> ScriptedObserver:
        return player

    shelf = ThemeShelf(folders or (shipped_folder(),), state or Path("/nonexistent/state.toml"))
    return WalconsoleApp("shithub", factory, clock=FrozenClock(), theme=theme, shelf=shelf, glyphs=glyphs)
