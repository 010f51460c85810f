"""The gate, below the panes: what is asked, and two answers with the focus on no."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Static

from walconsole.domain.redaction import safe
from walconsole.provision.engine.model import Risk
from walconsole.ui.board.keys import dialog_bindings

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult

    from walconsole.provision.engine.model import Question


NOT_MEANT_S = 0.3
"""A yes that comes sooner than this after the question cannot be an answer to it."""


class GateBar(Vertical):
    """Hidden while nothing is asked. `answered` hears True or False, once for each question; `whose` stands
    before each: the server that it is about.
    """

    BINDINGS: ClassVar = dialog_bindings("gate")

    def __init__(self, answered: Callable[[bool], None], whose: str = "") -> None:
        super().__init__()
        self._answered, self._whose = answered, whose
        self._question: Question | None = None
        self._asked_at = 0.0

    def compose(self) -> ComposeResult:
        """What is asked, and the answers."""
        yield Static("", classes="asked", markup=False)
        with Horizontal(classes="row"):
            yield Button("Cancel", id="gate_no")
            yield Button("Agree", id="gate_yes")
            yield Input(id="gate_name")

    def on_mount(self) -> None:
        """Nothing is asked yet."""
        self.display = False

    @property
    def asking(self) -> bool:
        """Whether a question is shown."""
        return self._question is not None

    def show(self, question: Question | None) -> None:
        """Ask, with the focus on Cancel; None: nothing is asked any more."""
        if question == self._question:
            return
        self._question = question
        self.display = question is not None
        if question is None:
            return
        self._asked_at = monotonic()
        name = question.plan.confirm
        field = self.query_one("#gate_name", Input)
        field.value, field.display, field.placeholder = "", bool(name), f"type {safe(name)} to agree"
        yes = self.query_one("#gate_yes", Button)
        yes.disabled = bool(name)
        yes.label = "Undo it" if question.undoing else "Agree"
        self.query_one(".asked", Static).update(self._words(question))
        self.query_one("#gate_no", Button).focus()

    def say(self, note: str) -> None:
        """What passes while it asks, behind the question."""
        if self._question is not None:
            self.query_one(".asked", Static).update(f"{self._words(self._question)} {note}".rstrip())

    def on_input_changed(self, event: Input.Changed) -> None:
        """The name was typed, letter by letter: only the whole of it is a yes."""
        wanted = self._question.plan.confirm if self._question is not None else ""
        self.query_one("#gate_yes", Button).disabled = event.value.strip() != wanted

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the field: on to the answer, which is a step of its own."""
        if self._question is not None and event.value.strip() == self._question.plan.confirm:
            self.query_one("#gate_yes", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """An answer."""
        event.stop()
        self._answer(event.button.id == "gate_yes")

    def action_answer(self, agreed: bool) -> None:
        """An answer by key. No yes where a name is to be typed, nor at once: `y` was for what was before."""
        sudden = monotonic() - self._asked_at < NOT_MEANT_S
        if agreed and (sudden or self.query_one("#gate_yes", Button).disabled):
            return
        self._answer(agreed)

    def _answer(self, agreed: bool) -> None:
        if self._question is not None:
            self._answered(agreed)

    def _words(self, question: Question) -> str:
        """One line: what was asked stands in the first line of the screen, and all of it in the plan."""
        plan, risk = question.plan, question.risk
        whose = f"{self._whose}: " if self._whose else ""
        if question.undoing:
            return safe(f"{whose}{question.title}: take it back?")
        effect = f"{risk}, {plan.downtime}" if risk is Risk.INTERRUPTS and plan.downtime else risk.value
        return safe(f"{whose}{question.title} {effect}. Agree?")
