"""The app as observation sees it. `App.log` is Textual's own logger, so that the app cannot be the port."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from walconsole.domain.facts.log_line import LogLine
    from walconsole.domain.facts.observed import ClusterFacts, HostKeyQuestion
    from walconsole.domain.facts.snapshot import Snapshot
    from walconsole.ui.app import WalconsoleApp


class AppScreen:
    """`ports.Screen`, on an app."""

    def __init__(self, app: WalconsoleApp) -> None:
        self._app = app

    def publish(self, snapshot: Snapshot) -> None:
        """A newer snapshot."""
        self._app.publish(snapshot)

    def log(self, lines: Sequence[LogLine]) -> None:
        """More log lines."""
        self._app.dashboard.extend_log(lines)

    def status(self, text: str) -> None:
        """What is being done before the first snapshot."""
        self._app.status(text)

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Ask about an unknown host key."""
        return await self._app.trust_host_key(question)

    async def choose_cluster(self, clusters: Sequence[ClusterFacts]) -> ClusterFacts | None:
        """Ask which cluster to watch."""
        return await self._app.choose_cluster(clusters)

    async def passphrase(self, prompt: str) -> str | None:
        """Ask for a secret."""
        return await self._app.passphrase(prompt)
