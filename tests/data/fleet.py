"""Clusters of a fleet: rows made from whole snapshots, and a source that looks at nobody."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from zlib import crc32

from tests.data.facts import NOW
from tests.data.recoveries import RECOVERIES
from tests.data.snapshots import STATES
from tests.data.stage import FrozenClock, ScriptedObserver
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures import diagnose
from walconsole.domain.fleet.kept import FleetMoment, KeptRow
from walconsole.domain.fleet.row import FleetRow, Identity, fleet_row
from walconsole.operator_files.history_file import HistoryFile
from walconsole.session.fleet_past import FleetPast
from walconsole.ui.board.droplet_session import DropletSession
from walconsole.ui.board.front import Moments, Past

NAMES = (
    ("shop-1", "incident", ("production", "eu")),
    ("shop-2", "healthy", ("production", "eu")),
    ("billing", "slow", ("production", "us")),
    ("search", "idle", ("staging",)),
    ("ledger", "nothing_readable", ("production", "us")),
    ("wiki", "failing", ()),
    ("lab-with-a-very-long-name-of-its-own", "hostile", ("staging",)),
)


def snapshot_of(state: str) -> Snapshot:
    """A state of the console's, or one of what can be restored."""
    return (STATES.get(state) or RECOVERIES[state])()


def row_of(name: str, state: str, tags: tuple[str, ...] = (), now: float = NOW) -> FleetRow:
    """The row of one cluster in that state."""
    snapshot = snapshot_of(state)
    host = f"root@{name}.example.net"
    row = fleet_row(Identity(name, host, tags), snapshot, diagnose(snapshot, now), now)
    return row if row.started_at is None else replace(row, started_at=float(crc32(name.encode())))


@cache
def rows() -> tuple[FleetRow, ...]:
    """The fleet of the pictures, one of which was not looked at yet."""
    return (*(row_of(*each) for each in NAMES), FleetRow(Identity("new", "new.example.net")))


class ScriptedSource:
    """ui.fleet.source.Source with the rows it was given; notes what was asked of it."""

    def __init__(self, given: Sequence[FleetRow]) -> None:
        self.rows = tuple(given)
        self.asked: list[str] = []
        self.sessions: dict[str, DropletSession] = {}
        self.remembered: list[tuple[str, str]] = []
        self.past: Moments[FleetMoment] | None = None
        self.pasts: dict[str, Past] = {}

    async def incidents(self) -> list[tuple[str, str]]:
        """Those that a test set."""
        return self.remembered

    async def incident_report(self, key: str) -> str:
        """Short."""
        return f"# {key}\n"

    def want(self, name: str) -> None:
        """Noted."""
        self.asked.append(f"want {name}")

    def open(self, name: str) -> DropletSession:
        """A console in the state of its row, the same one while it is open."""
        if name not in self.sessions:
            state = next(state for each, state, _ in NAMES if each == name)
            observer = ScriptedObserver([snapshot_of(state)])

            async def connect(shown: DropletSession) -> ScriptedObserver:
                shown.past = self.pasts.get(name)
                return observer

            self.sessions[name] = DropletSession(name, connect, clock=FrozenClock())
        return self.sessions[name]

    def closed(self, session: DropletSession) -> None:
        """Noted, and forgotten."""
        self.asked.append(f"closed {session.title}")
        self.sessions = {name: one for name, one in self.sessions.items() if one is not session}

    async def run(self) -> None:
        """Look at nobody."""
        await asyncio.Event().wait()

    def now_is(self, name: str, **changes: object) -> None:
        """Another look came to another end."""
        self.rows = tuple(
            replace(row, **changes) if row.name == name else row  # type: ignore[arg-type]  # a row's fields
            for row in self.rows
        )


def with_a_past(source: ScriptedSource, folder: Path) -> None:
    """Ten minutes ago all was well that was looked at, five minutes ago `shop-2` failed."""
    environment = {"HOME": str(folder), "XDG_STATE_HOME": str(folder)}
    file = HistoryFile(environment)
    for row in source.rows:
        if row.was_seen:
            well = row_of(row.name, "healthy", row.identity.tags, NOW - 600)
            file.keep_rows(row.name, [KeptRow(int(NOW) - 600, well)])
    file.keep_rows("shop-2", [KeptRow(int(NOW) - 300, row_of("shop-2", "failing", now=NOW - 300))])
    source.past = FleetPast(environment, [(row.name, row.identity) for row in source.rows])
