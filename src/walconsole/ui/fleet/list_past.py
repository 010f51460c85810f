"""The list of clusters as it was: whose rows are shown, and at which time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.notifications import SeverityLevel
    from textual.widget import Widget

    from walconsole.domain.fleet.kept import FleetMoment
    from walconsole.domain.fleet.row import FleetRow
    from walconsole.ports import Clock
    from walconsole.ui.board.front import Moments
    from walconsole.ui.board.travel import Travel
    from walconsole.ui.fleet.source import Source


class ListTraveller:
    """board.front.Traveller of the list; `moved` draws it anew. Looking goes on meanwhile."""

    def __init__(self, source: Source, clock: Clock, list_: Widget, moved: Callable[[], None]) -> None:
        self._source, self.clock, self._list, self._moved = source, clock, list_, moved
        self.travel: Travel[FleetMoment] | None = None

    @property
    def past(self) -> Moments[FleetMoment] | None:
        """See Traveller."""
        return self._source.past

    @property
    def moment(self) -> FleetMoment | None:
        """Where it is in the past; None: what is shown is now."""
        return self.travel.screen if self.travel is not None else None

    @property
    def now(self) -> float:
        """The time that ages are counted to: seconds since the epoch."""
        return self.clock.now() if self.moment is None else self.moment.at

    @property
    def rows(self) -> tuple[FleetRow, ...]:
        """One for each cluster, in the order in which they were named."""
        return self._source.rows if self.moment is None else self.moment.rows

    @property
    def note(self) -> str:
        """What stands before the first line: that this is not now."""
        return "" if self.travel is None else self.travel.note(self.clock.now())

    def show_past(self, travel: Travel[FleetMoment] | None) -> None:
        """See Traveller."""
        self.travel = travel
        self._moved()

    def notify(
        self, text: str, title: str, severity: SeverityLevel = "information", timeout: float | None = None
    ) -> None:
        """See Traveller."""
        self._list.notify(text, title=title, severity=severity, timeout=timeout, markup=False)
