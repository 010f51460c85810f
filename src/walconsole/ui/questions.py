"""The questions to the operator: a dialog each, over whatever is on the screen. Not answering is a no."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from walconsole.ui.dialogs.connecting import ClusterScreen, HostKeyScreen, PassphraseScreen
from walconsole.ui.dialogs.dialog import Confirm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import App
    from textual.screen import Screen

    from walconsole.domain.facts.host import ClusterFacts
    from walconsole.domain.facts.observed import HostKeyQuestion

Answer = TypeVar("Answer")


class Questions:
    """ports.Operator, on an app."""

    def __init__(self, app: App[None]) -> None:
        self._app = app

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Show an unknown key's fingerprint and ask."""
        trusted: bool | None = await self._ask(HostKeyScreen(question))
        return bool(trusted)

    async def choose_cluster(self, clusters: Sequence[ClusterFacts]) -> ClusterFacts | None:
        """Ask which cluster to watch."""
        return await self._ask(ClusterScreen(tuple(clusters)))

    async def passphrase(self, prompt: str) -> str | None:
        """Ask for a secret; it goes to the one who asked and nowhere else."""
        return await self._ask(PassphraseScreen(prompt))

    async def agree(self, title: str, texts: Sequence[str], answer: str) -> bool:
        """Ask for a yes; the focus is on no."""
        agreed: bool | None = await self._ask(Confirm(title, texts, answer))
        return bool(agreed)

    async def _ask(self, screen: Screen[Answer]) -> Answer | None:
        """The screen's answer; whoever waits for it may be cancelled, then the question goes away."""
        answered: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()

        def answer(value: Answer | None) -> None:
            if not answered.done():
                answered.set_result(value)

        await self._app.push_screen(screen, answer)
        try:
            return await answered
        finally:
            if answered.cancelled() and screen.is_current:
                screen.dismiss(None)
