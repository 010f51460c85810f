"""Which of several clusters is observed: asked once, and remembered."""

import asyncio
from collections.abc import Sequence

from walconsole.domain.facts.observed import ClusterFacts
from walconsole.observe.clusters import Cluster


class ClusterChoice:
    """The question which of several clusters is meant, and its answer. `asked` is set while it is open."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.among: tuple[ClusterFacts, ...] = ()
        self._answer: ClusterFacts | None = None
        self._declined = False

    def settle(self, among: Sequence[Cluster]) -> Cluster | None:
        """The one that was chosen before, if it is among these; else ask, unless nobody wanted to answer."""
        if self._answer is not None:
            for cluster in among:
                if (cluster.facts.data_directory, cluster.facts.port) == (
                    self._answer.data_directory,
                    self._answer.port,
                ):
                    return cluster
        self.among = tuple(cluster.facts for cluster in among)
        if not self._declined:
            self.asked.set()
        return None

    def answer(self, choice: ClusterFacts | None) -> None:
        """What the operator said; None: would not say. Looks in the meantime asked no other question."""
        self.asked.clear()
        self._answer, self._declined = choice, choice is None

    def reopen(self) -> None:
        """Ask again if nobody answered."""
        self._declined = False
