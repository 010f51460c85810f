"""The console from its first frame to its exit code."""

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from textual.app import App

from walconsole.errors import WalconsoleError
from walconsole.operator_files.list_view import ListViewFile
from walconsole.process import loop as event_loop
from walconsole.process.cleanup import Cleanups
from walconsole.process.clock import SystemClock
from walconsole.process.crash import Crash
from walconsole.process.garbage import few_heaps
from walconsole.process.logs import start_logging
from walconsole.process.stderr import say
from walconsole.process.stop import Stop
from walconsole.process.terminal import TerminalModes, driver_for, require_terminal, watch_hang_up
from walconsole.session.droplet_session import droplet_session
from walconsole.session.wish import Session
from walconsole.ui.app import WalconsoleApp

_APP_GRACE_S = 5.0

MakeApp = Callable[[Session, Cleanups], App[Any]]


def make_console(session: Session, cleanups: Cleanups) -> WalconsoleApp:
    """The app; `cleanups` take away whatever it opens."""
    return WalconsoleApp(droplet_session(session, cleanups), theme=session.theme, alerts=session.notify)


def open_console(session: Session, stop: Stop, make_app: MakeApp = make_console) -> int:
    """Run the console; its exit code. Raises UsageError where there is no terminal to draw on."""
    require_terminal(os.environ)
    os.umask(0o077)  # exports, the log: for the operator alone
    warning = start_logging(session.log_file, chosen=session.log_chosen)
    for note in (*session.notes, *([warning] if warning else [])):
        say(note)
    return event_loop.run(_Console(session, make_app, stop).run)


def open_fleet(sessions: Sequence[Session], stop: Stop) -> int:
    """The console over many clusters; its exit code. Raises UsageError where there is no terminal."""
    few_heaps()

    def make(session: Session, cleanups: Cleanups) -> App[Any]:
        from walconsole.session.fleet import Fleet
        from walconsole.ui.fleet_app import FleetApp

        fleet, views = Fleet(sessions, cleanups), ListViewFile(session.environment)
        return FleetApp(fleet, SystemClock(), theme=session.theme, alerts=session.notify, views=views)

    return open_console(sessions[0], stop, make)


def open_replay(session: Session, path: Path, stop: Stop) -> int:
    """The console on a recording, with the session's theme and log; its exit code. Raises UsageError."""
    from walconsole.session.replay import read_recording, replay_session

    recording = read_recording(path)

    def make(session: Session, _cleanups: Cleanups) -> App[Any]:
        return WalconsoleApp(replay_session(recording), theme=session.theme)

    return open_console(session, stop, make)


class _Console:
    """One run: the app inside the session's clean-ups, and what ended it."""

    def __init__(self, session: Session, make_app: MakeApp, stop: Stop) -> None:
        self._session = session
        self._make_app = make_app
        self._stop = stop
        self._crash = Crash()
        self._modes = TerminalModes()

    async def run(self) -> int:
        """Run the app, clean up, say what there is to say; the exit code."""
        self._stop.attach(asyncio.get_running_loop(), self._modes.restore)
        cleanups = Cleanups()
        code = 0
        async with cleanups:
            try:
                code = await self._run_app(cleanups)
            except Exception as error:  # noqa: BLE001  # the program's boundary: it reports
                self._crash.note(error)
            self._stop.limit_exit()
        for line in cleanups.left:
            say(line)
        if self._crash.error is not None:
            say(self._crash.line())
            code = self._crash.exit_code
        if cleanups.exit_code:  # a key may be alive: whatever else there is to tell, that first
            return cleanups.exit_code
        return self._stop.exit_code if self._stop.noted else code

    async def _run_app(self, cleanups: Cleanups) -> int:
        app = self._make_app(self._session, cleanups)
        app.driver_class = driver_for(self._stop, self._modes)
        self._crash.contain(app)
        if self._stop.noted:
            return self._stop.exit_code
        end_watch = watch_hang_up(asyncio.get_running_loop(), self._stop)
        try:
            await self._until_ended(app)
        finally:
            end_watch()
        failure = getattr(app, "failure", None)
        if isinstance(failure, WalconsoleError):
            raise failure
        return app.return_code or 0

    async def _until_ended(self, app: App[Any]) -> None:
        """Run the app until it ends by itself or is asked to; one that does not listen is cancelled."""
        running = asyncio.create_task(app.run_async(), name="app")
        asked = asyncio.create_task(self._stop.requested.wait(), name="asked to end")
        await asyncio.wait([running, asked], return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not running.done():
            app.exit(return_code=self._stop.exit_code)
            await asyncio.wait([running], timeout=_APP_GRACE_S)
        if not running.done():
            running.cancel()
            await asyncio.wait([running], timeout=_APP_GRACE_S)
        if not running.done() or running.cancelled() or self._modes.lost:
            self._modes.restore()
        if running.done() and not running.cancelled():
            running.result()
