"""A small app under the console's own runtime: for ways out that the real screens never take.

Arguments: the folder for its home, the log and the traces of its clean-ups; then how it misbehaves.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.widgets import Static

from walconsole.errors import SshError
from walconsole.process.cleanup import Cleanups
from walconsole.process.loop import leave
from walconsole.process.stop import Stop
from walconsole.session.console import open_console
from walconsole.session.wish import DemoWish, Session


class StandIn(App[None]):
    """Shows `ready`; each key is a way out, or a way to be stuck."""

    BINDINGS: ClassVar = [
        ("q", "quit"),
        ("c", "crash"),
        ("w", "crash_in_worker"),
        ("f", "fail"),
        ("d", "draw"),
        ("h", "hang"),
        ("b", "block"),
        ("ctrl+z", "suspend_process"),
        ("k", "keep"),
    ]
    failure: SshError | None = None
    cannot_suspend = ""

    def compose(self) -> ComposeResult:
        yield Static("ready", markup=False)

    def action_crash(self) -> None:
        raise RuntimeError("broken with password=hunter2 in [/it]")

    def action_crash_in_worker(self) -> None:
        async def crash() -> None:
            raise KeyError("in a worker")

        self.run_worker(crash())

    def action_keep(self) -> None:
        """Something is under way that a suspended process could not end."""
        self.cannot_suspend = "a key is alive"

    def action_fail(self) -> None:
        self.failure = SshError("ssh to nowhere", "no route", "plug it in")
        self.exit(return_code=self.failure.exit_code)

    def action_draw(self) -> None:
        """Draw more and more, as a busy console does."""
        self.set_interval(0.01, lambda: self.query_one(Static).update(f"{time.monotonic()}\n" * 200))

    async def action_hang(self) -> None:
        """A handler that never returns."""
        self.query_one(Static).update("hanging")
        await asyncio.sleep(0.2)
        await asyncio.Event().wait()

    def action_block(self) -> None:
        """A thread that never ends, as a request in a frozen network."""
        self.run_worker(lambda: time.sleep(3600), thread=True)
        self.query_one(Static).update("blocked")


def make(folder: Path, mood: str, cleanups: Cleanups) -> StandIn:
    async def clean_up() -> None:
        (folder / "cleaning").touch()
        await asyncio.sleep(0.2)
        (folder / "cleaned").touch()

    async def fail() -> None:
        raise OSError("the key is still there")

    cleanups.add("taking the key away", clean_up)
    if mood == "cleanup-fails":
        cleanups.add("taking the bucket away", fail)
    elif mood == "cleanup-hangs":
        cleanups.add("waiting for nothing", asyncio.Event().wait, 0.5)
    elif mood == "start-fails":
        raise RuntimeError("cannot be made")
    return StandIn()


def main() -> int:
    folder, mood = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
    stop = Stop()
    stop.install()
    session = Session(DemoWish("stand-in"), folder / "walconsole.log")
    return leave(open_console(session, stop, lambda _, cleanups: make(folder, mood, cleanups)))


if __name__ == "__main__":
    sys.exit(main())
