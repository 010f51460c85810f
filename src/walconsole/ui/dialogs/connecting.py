"""What is asked while the console connects: an unknown host key, a secret, which cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, OptionList, Static

from walconsole.domain.facts.host import ClusterFacts
from walconsole.domain.redaction import safe
from walconsole.ui.board.keys import dialog_bindings
from walconsole.ui.dialogs.dialog import Dialog

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from walconsole.domain.facts.observed import HostKeyQuestion

# -- An unknown host key: the fingerprint to compare, and No as the default.


class HostKeyScreen(Dialog[bool]):
    """True only when the operator says that the fingerprint is the host's."""

    AUTO_FOCUS = ""  # on_mount gives it, without scrolling to it
    BINDINGS: ClassVar = dialog_bindings("host_key")

    def __init__(self, question: HostKeyQuestion) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        """The facts, how to check them, and the two answers."""
        asked = self.question
        place = f"{asked.host}:{asked.port}"
        with Vertical(classes="box") as box:
            box.border_title = "Unknown host key"
            yield Static(f"{safe(place)} shows a key that is not known here.", markup=False, classes="text")
            yield Static("")
            yield Static(f"algorithm    {safe(asked.algorithm)}", markup=False, classes="text")
            yield Static(f"fingerprint  {safe(asked.fingerprint)}", markup=False, classes="fact")
            yield Static("")
            yield Static(
                "Compare it with what the host itself says, on its own console:\n"
                "    for f in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $f; done\n"
                f"If you trust it, it is written to {safe(asked.known_hosts_file)}",
                markup=False,
                classes="text",
            )
            with Horizontal(classes="buttons"):
                yield Button("No", id="no")
                yield Button("Trust it (y)", id="yes")

    def on_mount(self) -> None:
        """No has the focus; where there is little room the fingerprint is what is seen first."""
        self.query_one("#no", Button).focus(scroll_visible=False)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """An answer."""
        self.dismiss(event.button.id == "yes")

    def action_scroll(self, pages: int) -> None:
        """For terminals that show only a part of it."""
        box = self.query_one(".box")
        box.scroll_relative(y=pages * max(1, box.scrollable_content_region.height - 1), animate=False)

    def action_answer(self, trusted: bool) -> None:
        """An answer by key."""
        self.dismiss(trusted)


# -- A secret, typed unseen; it goes to whoever asked and is kept nowhere.


class PassphraseScreen(Dialog[str]):
    """What was typed, or None."""

    def __init__(self, prompt: str) -> None:
        super().__init__()
        self.prompt = prompt

    def compose(self) -> ComposeResult:
        """The prompt and a field that shows nothing of what is typed."""
        with Vertical(classes="box") as box:
            box.border_title = "Passphrase"
            yield Static(safe(self.prompt), markup=False, classes="text")
            yield Static("")
            yield Input(password=True)
            yield Static(
                "Enter: use it   Esc: cancel   It is kept in memory only.", classes="text", markup=False
            )

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """An answer; the field forgets it."""
        answer = event.value
        event.input.value = ""
        self.dismiss(answer)


# -- Several clusters on the host: which one to watch.


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
                "The host has several. `--cluster`, or `cluster` in the profile, can name one. Esc: none.",
                markup=False,
                classes="text",
            )
            yield Static("")
            yield OptionList(*(Content(described(cluster)) for cluster in self.clusters))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """An answer."""
        self.dismiss(self.clusters[event.option_index])
