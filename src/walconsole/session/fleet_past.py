"""What was kept of the list of clusters, read in threads."""

import asyncio
from collections.abc import Mapping, Sequence

from walconsole.domain.fleet.kept import FleetMoment
from walconsole.domain.fleet.row import Identity
from walconsole.operator_files.history_file import HistoryFile


class FleetPast:
    """board.front.Moments of the list: `clusters` with the names under which their past is kept."""

    def __init__(self, environment: Mapping[str, str], clusters: Sequence[tuple[str, Identity]]) -> None:
        self._file, self._clusters = HistoryFile(environment), clusters
        self._names = sorted({name for name, _ in clusters})

    async def levels(self) -> list[tuple[float, str]]:
        """When the worst of all became another."""
        return await asyncio.to_thread(self._file.list_levels, self._names)

    async def screen(self, at: float) -> FleetMoment | None:
        """See Moments."""
        return await asyncio.to_thread(self._file.list_at, self._clusters, at)

    async def beside(self, at: float, step: int) -> float | None:
        """See Moments; by minutes."""
        return await asyncio.to_thread(self._file.list_beside, self._names, at, step)
