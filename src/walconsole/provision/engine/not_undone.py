"""What a step without an undo has in its place."""

from collections.abc import AsyncIterator

from walconsole.provision.engine.model import Change, Event, Plan, Printed


class NotUndone:
    """The undoing half of model.Step where work stays: what was stored or deleted is not taken back."""

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """Nothing of it is undone."""
        return None

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """Nothing."""
        for _ in changes:
            yield Printed("what it did stays")
