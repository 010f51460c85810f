"""Several clusters on the host: which one to watch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static

from walconsole.domain.facts.observed import ClusterFacts
from walconsole.domain.redaction import safe
from walconsole.ui.dialogs.dialog import Dialog

if TYPE_CHECKING:
    from textual.app import ComposeResult


def described(cluster: ClusterFacts) -> str:
    """`15/main  port 5432  running   /var/lib/postgresql/15/main`."""
    name = str(cluster.name) if cluster.name else "unnamed"
    state = "running" if cluster.running else "down"
    return safe(f"{name:<12} port {cluster.port:<6} {state:<8} {cluster.data_directory}")


class ClusterScreen(Dialog[ClusterFacts]):
    """The chosen cluster, or None."""

    def __init__(self, clusters: tuple[ClusterFacts, ...]) -> None:
        super().__init__()
        self.clusters = clusters

    def compose(self) -> ComposeResult:
        """The list."""
        with Vertical(classes="box") as box:
            box.border_title = "Which cluster?"
            yield Static(
                "The host has several. The profile's `cluster` can name one for good. Esc: none.",
                markup=False,
                classes="text",
            )
            yield Static("")
            yield OptionList(*(Content(described(cluster)) for cluster in self.clusters))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """An answer."""
        self.dismiss(self.clusters[event.option_index])
