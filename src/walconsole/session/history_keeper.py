"""Keeps what a session reads and says, in threads, now and then; a look a second is not a write a second."""

import asyncio
import logging
import random
import secrets
from collections.abc import Mapping, Sequence
from typing import Protocol

from walconsole.domain.facts.history import History
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.fleet.kept import ROW_EVERY_S, KeptRow
from walconsole.domain.fleet.row import FleetRow, Identity, fleet_row
from walconsole.domain.kept.chain import difference
from walconsole.domain.kept.screens import Link, PastScreen, ScreenWriter
from walconsole.domain.kept.snapshots import Document
from walconsole.domain.past import BLOCK_S, PastReading, Said, history_of, reading_of, said_of
from walconsole.domain.standing.model import Diagnosis
from walconsole.domain.standing.worsening import is_begun
from walconsole.errors import RegisterError
from walconsole.operator_files.history_file import HistoryFile
from walconsole.ports import Clock

_log = logging.getLogger(__name__)

WRITE_EVERY_S = 10.0
TIDY_EVERY_S = 900.0
SEEN_S = 3600.0
"""So much of the past a console begins with."""
SCREEN_EVERY_S = 10.0
"""So often a whole screen is kept, besides each at which the first line's level is another."""
_MOST_PENDING = 600
_MOST_SCREENS = 60
_MOST_OF_MANY = 60, 1
"""The same of one of hundreds, while the file cannot be written: a whole screen is a quarter of a MiB."""


class Kept(Protocol):
    """Where it is kept: the history's file, or what lives as long as the session. Calls may block."""

    def write(self, cluster: str, readings: Sequence[PastReading]) -> None: ...

    def note(self, cluster: str, said: Said, at: int) -> None: ...

    def keep_screens(self, cluster: str, writer: int, links: Sequence[Link]) -> None: ...

    def keep_rows(self, cluster: str, rows: Sequence[KeptRow]) -> None: ...

    def tidy(self, cluster: str, now: float) -> None: ...


class _Chain:
    """Links of whole screens, each to the one before it; anew with every hour, and after a failure."""

    def __init__(self) -> None:
        self.writer = secrets.randbits(62)
        self._screens = ScreenWriter()
        self._before: Document = {}
        self._hour = -1

    def links(self, screens: Sequence[tuple[PastScreen, str]]) -> list[Link]:
        made = []
        for screen, level in screens:
            hour = int(screen.at // BLOCK_S)
            if hour != self._hour:
                self._hour, self._before = hour, {}
            document = self._screens.document(screen)
            made.append(Link(screen.at, level, difference(self._before, document)))
            self._before = document
        return made

    def begin_anew(self) -> None:
        self._hour = -1


class HistoryKeeper:
    """One cluster's, called on the event loop. `watches`: it is the watcher's own.

    A console keeps nothing where a watcher does: what that one sees is as good.

    `screen_every_s` is how often a whole screen is kept while the level stays. `of_many`: this is one of
    hundreds, which holds nothing between two screens (each is written at once, and the second one is kept
    whole until the hour is packed), and does not tidy up with all the others at once.
    """

    def __init__(
        self,
        file: Kept,
        cluster: str,
        clock: Clock,
        *,
        watches: bool = False,
        screen_every_s: float = SCREEN_EVERY_S,
        of_many: bool = False,
    ) -> None:
        self._file, self._cluster, self._clock, self._watches = file, cluster, clock, watches
        self._screen_every_s, self._of_many = screen_every_s, of_many
        self._most_pending, self._most_screens = _MOST_OF_MANY if of_many else (_MOST_PENDING, _MOST_SCREENS)
        self._pending: dict[int, PastReading] = {}
        self._screens: list[tuple[PastScreen, str]] = []
        self._chain = _Chain()
        self._last_screen: tuple[float, str] = -float("inf"), ""
        self._rows: list[KeptRow] = []
        self._last_row: tuple[float, str] = -float("inf"), ""
        self._said: Said | None = None
        self._noted: tuple[object, ...] = ()
        self._due = clock.monotonic() + WRITE_EVERY_S
        lately = random.uniform(0, TIDY_EVERY_S)  # noqa: S311  # when, not a secret
        self._tidied = clock.monotonic() - lately if of_many else -float("inf")
        self._task: asyncio.Task[None] | None = None
        self._failed = self._is_watched = False

    def look(
        self, screen: PastScreen, diagnosis: Diagnosis, *, believed: bool = True, row: FleetRow | None = None
    ) -> None:
        """What was seen, and what was said of it; `believed` False: only that. `row` is what the list says
        of it after a whole look, be that only that nobody could look.
        """
        snapshot, now = screen.snapshot, screen.at
        watcher = snapshot.watcher.value
        self._is_watched = not self._watches and watcher is not None and watcher.alive
        if self._is_watched:
            return
        level = diagnosis.verdict.level.value
        if row is not None and self._wants_row(now, row.level.value):
            self._see_row(now, row)
        if not (self._watches or is_begun(snapshot)):
            self._write_when_due()
            return
        if believed:
            self._read(snapshot, now)
            self._see(screen, level)
            if row is None and self._wants_row(now, level):
                self._see_row(now, fleet_row(Identity(self._cluster), snapshot, diagnosis, now))
        said = said_of(diagnosis)
        told = said.level, tuple(key for key, _, _ in said.found)
        if told != self._noted:
            self._noted, self._said, self._due = told, said, min(self._due, self._clock.monotonic())
        self._write_when_due()

    def glimpse(self, snapshot: Snapshot, now: float, row: FleetRow) -> None:
        """What a glance read, and what the list says after it: written with the next look, or when the level
        became another.
        """
        if self._is_watched:
            return
        self._read(snapshot, now)
        changed = self._last_row[1] != row.level.value
        if self._wants_row(now, row.level.value):
            self._see_row(now, row)
        if changed:
            self._due = min(self._due, self._clock.monotonic())
            self._write_when_due()

    def _read(self, snapshot: Snapshot, now: float) -> None:
        reading = reading_of(snapshot, now)
        self._pending[reading.at] = reading
        while len(self._pending) > self._most_pending:
            del self._pending[next(iter(self._pending))]

    def _wants_row(self, now: float, level: str) -> bool:
        at, before = self._last_row
        return before != level or not 0 <= now - at < ROW_EVERY_S

    def _see_row(self, now: float, row: FleetRow) -> None:
        self._last_row = now, row.level.value
        self._rows = [*self._rows, KeptRow(int(now), row)][-self._most_pending :]

    def _see(self, screen: PastScreen, level: str) -> None:
        at, before = self._last_screen
        if before == level and 0 <= screen.at - at < self._screen_every_s:
            return
        self._last_screen = screen.at, level
        self._screens = [*self._screens, (screen, level)][-self._most_screens :]
        if self._of_many:
            self._due = min(self._due, self._clock.monotonic())

    async def close(self) -> None:
        """Write what is not written yet."""
        if self._task is not None:
            await asyncio.wait([self._task])
        if self._pending or self._screens or self._rows or self._said is not None:
            await self._write()

    def _write_when_due(self) -> None:
        if self._clock.monotonic() < self._due or (self._task is not None and not self._task.done()):
            return
        self._due = self._clock.monotonic() + WRITE_EVERY_S
        self._task = asyncio.create_task(self._write(), name="keeping the past")

    async def _write(self) -> None:
        readings, self._pending = self._pending, {}
        said, self._said = self._said, None
        screens, self._screens = self._screens, []
        rows, self._rows = self._rows, []
        try:
            await asyncio.to_thread(self._put, list(readings.values()), screens, said, rows)
        except RegisterError as error:
            if not self._failed:
                _log.warning("%s", error.line())
            self._failed = True
            self._chain.begin_anew()
            self._screens = [*screens, *self._screens][-self._most_screens :]
            self._rows = [*rows, *self._rows][-self._most_pending :]
            self._keep_for_later(readings, said)
        else:
            self._failed = False

    def _keep_for_later(self, readings: dict[int, PastReading], said: Said | None) -> None:
        """What came meanwhile is newer."""
        self._pending = dict(list({**readings, **self._pending}.items())[-self._most_pending :])
        if self._said is None:
            self._said = said

    def _links(self, screens: list[tuple[PastScreen, str]]) -> list[Link]:
        """None of those that cannot be kept: what else there is to keep is none the worse for them."""
        try:
            return self._chain.links(screens)
        except ValueError as error:
            _log.warning("screens of %s are not kept: %s", self._cluster, error)
            self._chain.begin_anew()
            return []

    def _put(
        self,
        readings: list[PastReading],
        screens: list[tuple[PastScreen, str]],
        said: Said | None,
        rows: list[KeptRow],
    ) -> None:
        self._file.write(self._cluster, readings)
        if rows:
            self._file.keep_rows(self._cluster, rows)
        links = self._links(screens)
        if links:
            self._file.keep_screens(self._cluster, self._chain.writer, links)
        if self._of_many:
            self._chain = _Chain()
        if said is not None:
            self._file.note(self._cluster, said, int(self._clock.now()))
        if self._clock.monotonic() - self._tidied > TIDY_EVERY_S:
            self._tidied = self._clock.monotonic()
            self._file.tidy(self._cluster, self._clock.now())


def past_of(environment: Mapping[str, str], cluster: str, now: float) -> History | None:
    """What was read in the last hour; None where nothing was, or it cannot be read. Blocks."""
    try:
        readings = HistoryFile(environment).readings(cluster, now - SEEN_S)
    except RegisterError as error:
        _log.warning("%s", error.line())
        return None
    before = [each for each in readings if each.at <= now]
    return history_of(before) if before else None
