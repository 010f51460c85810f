"""The SSH connection's own facts: one round trip through the open shell."""

from collections.abc import Sequence

from walconsole.domain.facts.snapshot import Slot
from walconsole.observe.probe import Fact
from walconsole.ports import Clock, Shell


class LinkProbe:
    """Fills LINK."""

    name = "SSH"
    slots = (Slot.LINK,)
    cadence_s = 5.0
    timeout_s = 15.0

    def __init__(self, shell: Shell, clock: Clock) -> None:
        self._shell, self._clock = shell, clock

    async def take(self) -> Sequence[Fact]:
        """One round trip. Raises errors.SshError, errors.ShellError."""
        facts = await self._shell.link()
        return [Fact(Slot.LINK, facts, self._clock.now(), "SSH round trip")]
