"""What the list of clusters is shown from, and what it asks of the app: protocols alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from walconsole.domain.fleet.kept import FleetMoment
    from walconsole.domain.fleet.row import FleetRow
    from walconsole.ui.board.droplet_session import DropletSession
    from walconsole.ui.board.front import Filtered, Moments


class Source(Protocol):
    """The clusters, as whoever looks at them knows them."""

    @property
    def rows(self) -> tuple[FleetRow, ...]:
        """One for each, in the order in which they were named."""
        ...

    @property
    def past(self) -> Moments[FleetMoment] | None:
        """What was kept of the list; None where nothing is."""
        ...

    def want(self, name: str) -> None:
        """Look at it as soon as can be."""
        ...

    def open(self, name: str) -> DropletSession:
        """Its console's session."""
        ...

    def closed(self, session: DropletSession) -> None:
        """It is open no more."""
        ...

    async def incidents(self) -> list[tuple[str, str]]:
        """What each that is remembered is called, and a line of it; the newest first."""
        ...

    async def incident_report(self, key: str) -> str:
        """Its report, as Markdown."""
        ...

    async def run(self) -> None:
        """Look at them until cancelled."""
        ...


class FleetFront(Protocol):
    """What the list asks of the app."""

    def ask_filter(self, pane: Filtered) -> None: ...

    def open_cluster(self, name: str, at: float | None = None) -> None:
        """Its console; as it was `at` that time, where one is given."""
        ...
