"""Asynchronous work of a screen, of which only the latest of a kind goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from textual.dom import DOMNode
    from textual.worker import WorkType


def run_latest(node: DOMNode, group: str, work: Callable[[], Coroutine[None, None, object]]) -> None:
    """Run `work` for as long as `node` lives, instead of what still runs in `group`.

    Not the coroutine itself: one that is cancelled before it began would complain that nobody awaited it.
    """
    job: WorkType[object] = work
    node.run_worker(job, group=group, exclusive=True)
