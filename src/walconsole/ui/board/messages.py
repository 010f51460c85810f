"""What happened, for whom it concerns: messages in the past tense."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from walconsole.domain.facts.snapshot import Snapshot
    from walconsole.domain.incidents.model import IncidentLog
    from walconsole.domain.standing.model import Diagnosis


class SnapshotTaken(Message):
    """A newer snapshot, its diagnosis, and the time both were drawn for.

    `remembered` is what is known of incidents from this session and earlier ones, None where nothing is.
    """

    def __init__(
        self, snapshot: Snapshot, diagnosis: Diagnosis, now: float, remembered: IncidentLog | None = None
    ) -> None:
        self.snapshot, self.diagnosis, self.now = snapshot, diagnosis, now
        self.remembered = remembered
        super().__init__()


class SettingChosen(Message):
    """The operator pressed Enter on something that is about the setting `name`."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__()


class PaneToggled(Message):
    """The operator asked to maximise or restore the pane in focus."""


class NeedChanged(Message):
    """A pane's content wants another number of rows."""
