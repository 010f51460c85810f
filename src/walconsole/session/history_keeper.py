"""Keeps what a session reads and says, in threads, now and then; a look a second is not a write a second."""

import asyncio
import logging
from collections.abc import Mapping

from walconsole.domain.facts.history import History
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.incidents.model import IncidentLog
from walconsole.domain.past import PastReading, Said, history_of, reading_of, said_of
from walconsole.domain.standing.model import Diagnosis
from walconsole.domain.standing.worsening import is_begun
from walconsole.errors import RegisterError
from walconsole.operator_files.history_file import HistoryFile
from walconsole.ports import Clock
from walconsole.session.incident_memory import IncidentMemory

_log = logging.getLogger(__name__)

WRITE_EVERY_S = 10.0
TIDY_EVERY_S = 900.0
SEEN_S = 3600.0
"""So much of the past a console begins with."""
_MOST_PENDING = 600


class HistoryKeeper:
    """One cluster's, called on the event loop. `watches`: it is the watcher's own.

    A console keeps nothing where a watcher does: what that one sees is as good.
    """

    def __init__(self, file: HistoryFile, cluster: str, clock: Clock, *, watches: bool = False) -> None:
        self._file, self._cluster, self._clock, self._watches = file, cluster, clock, watches
        self._pending: dict[int, PastReading] = {}
        self._said: Said | None = None
        self._noted: tuple[object, ...] = ()
        self._due = clock.monotonic() + WRITE_EVERY_S
        self._tidied = -float("inf")
        self._task: asyncio.Task[None] | None = None
        self._failed = False

    def look(self, snapshot: Snapshot, diagnosis: Diagnosis, now: float, *, believed: bool = True) -> None:
        """What was seen, and what was said of it; `believed` False: only that."""
        watcher = snapshot.watcher.value
        if not self._watches and (not is_begun(snapshot) or (watcher is not None and watcher.alive)):
            return
        if believed:
            reading = reading_of(snapshot, now)
            self._pending[reading.at] = reading
        while len(self._pending) > _MOST_PENDING:
            del self._pending[next(iter(self._pending))]
        said = said_of(diagnosis)
        told = said.level, tuple(key for key, _, _ in said.found)
        if told != self._noted:
            self._noted, self._said, self._due = told, said, min(self._due, self._clock.monotonic())
        self._write_when_due()

    async def close(self) -> None:
        """Write what is not written yet."""
        if self._task is not None:
            await asyncio.wait([self._task])
        if self._pending or self._said is not None:
            await self._write()

    def _write_when_due(self) -> None:
        if self._clock.monotonic() < self._due or (self._task is not None and not self._task.done()):
            return
        self._due = self._clock.monotonic() + WRITE_EVERY_S
        self._task = asyncio.create_task(self._write(), name="keeping the past")

    async def _write(self) -> None:
        readings, self._pending = self._pending, {}
        said, self._said = self._said, None
        try:
            await asyncio.to_thread(self._put, list(readings.values()), said)
        except RegisterError as error:
            if not self._failed:
                _log.warning("%s", error.line())
            self._failed = True
            self._keep_for_later(readings, said)
        else:
            self._failed = False

    def _keep_for_later(self, readings: dict[int, PastReading], said: Said | None) -> None:
        """What came meanwhile is newer."""
        self._pending = dict(list({**readings, **self._pending}.items())[-_MOST_PENDING:])
        if self._said is None:
            self._said = said

    def _put(self, readings: list[PastReading], said: Said | None) -> None:
        self._file.write(self._cluster, readings)
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


class Remembered:
    """board.droplet_session.Memory, which keeps every look as well."""

    def __init__(self, memory: IncidentMemory, keeper: HistoryKeeper) -> None:
        self._memory, self._keeper = memory, keeper

    @property
    def log(self) -> IncidentLog:
        return self._memory.log

    def look(self, snapshot: Snapshot, diagnosis: Diagnosis, now: float) -> IncidentLog:
        """See Memory."""
        self._keeper.look(snapshot, diagnosis, now)
        return self._memory.look(snapshot, diagnosis, now)
