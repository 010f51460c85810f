"""The app on a stage: a scripted observer, a frozen clock, themes from the checkout, state elsewhere."""

from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn

from textual.app import App
from textual.pilot import Pilot

from tests.data.bucket_reader import KeysReader
from tests.data.facts import NOW
from walconsole.domain.facts.log_line import LogLine
from walconsole.domain.facts.snapshot import AnySlot, Snapshot
from walconsole.domain.profile import BucketRole
from walconsole.domain.standing.model import Fix
from walconsole.droplet.names import RcloneNames
from walconsole.ports import BucketReader, Screen
from walconsole.ui.app import WalconsoleApp
from walconsole.ui.board.droplet_session import DropletSession
from walconsole.ui.board.glyphs import UNICODE, Glyphs
from walconsole.ui.board.theming import ThemeShelf, shipped_folder

RCLONE = RcloneNames(
    {BucketRole.PRIMARY: "spaces-prod:shithub-wal/", BucketRole.DR: "spaces-dr:shithub-wal-dr/"},
    "/etc/rclone-shithub.conf",
)


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

    def __init__(
        self,
        snapshots: Sequence[Snapshot],
        lines: Sequence[LogLine] = (),
        readers: Sequence[BucketReader] = (),
    ) -> None:
        self._snapshots, self._lines = snapshots, lines
        self._readers = {reader.target.role: reader for reader in readers}
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

    def hurry(self, slot: AnySlot) -> None:
        """Noted."""
        self.asked.append(f"hurry {slot.name}")

    def bucket(self, role: BucketRole) -> BucketReader:
        """What it was given, else a bucket without a key."""
        return self._readers.setdefault(role, KeysReader(role=role))

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
    title: str = "shithub",
    read_only: bool = False,
) -> WalconsoleApp:
    """An app that shows `snapshots`."""
    player = observer or ScriptedObserver(snapshots, lines)

    async def factory(_: DropletSession) -> ScriptedObserver:
        return player

    shelf = ThemeShelf(folders or (shipped_folder(),), state or Path("/nonexistent/state.toml"))
    session = DropletSession(title, factory, clock=FrozenClock(), read_only=read_only)
    session.rclone = RCLONE
    return WalconsoleApp(session, theme=theme, shelf=shelf, glyphs=glyphs)


async def until(pilot: Pilot[None], condition: Callable[[], bool], within_s: float = 60.0) -> None:
    """Let the app work until `condition` holds; fails when it never does, with what is on the screen then."""
    ends = monotonic() + within_s
    await pilot.pause()
    while not condition():
        assert pilot.app._exception is None, "the app has ended"
        assert monotonic() < ends, (
            f"waited in vain for {within_s:g} s; on the screen:\n{screen_text(pilot.app)}"
        )
        await pilot.pause(0.01)


async def settle(pilot: Pilot[None]) -> None:
    """Until the observer has published and everything was drawn."""
    app = pilot.app
    assert isinstance(app, WalconsoleApp)
    await until(pilot, lambda: app.dashboard.taken is not None)
    await pilot.pause()


def screen_text(app: App[Any]) -> str:
    """What is on the screen now, line by line."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in strips[: app.size.height])


def noting(asked: list[Fix]) -> Callable[[Fix], NoReturn]:
    """A maker of runs that notes what was asked for and makes none: it raises RuntimeError("enough")."""

    def fixer(fix: Fix) -> NoReturn:
        asked.append(fix)
        raise RuntimeError("enough")

    return fixer
