"""A step of the end of a recovery that asks the recovered cluster: of that there is nothing before."""

from collections.abc import AsyncIterator

from walconsole.errors import BlockedError
from walconsole.provision.engine.model import Change, Check, CheckState, Event, Plan, Step
from walconsole.provision.recovering.recovery import IN_FORCE, Recovery


class OnceInForce:
    """model.Step. What `step` is, once the recovered cluster is in force; before that it has not come to its
    turn, and a look at it asks neither the cluster that is to come nor the old one.

    `does` says what it will do then.
    """

    def __init__(self, recovery: Recovery, step: Step, does: str) -> None:
        self._recovery, self._step, self._does = recovery, step, does
        self.id, self.title, self.explanation = step.id, step.title, step.explanation
        self.risk, self.gated, self.always = step.risk, step.gated, step.always

    async def check(self) -> Check:
        """LATER until then."""
        if not await self._is_in_force():
            return Check(CheckState.LATER, f"{self._does}, once the recovered cluster is in force")
        return await self._step.check()

    async def plan(self) -> Plan:
        """The step's own, once there is a cluster to plan it for."""
        return await self._step.plan() if await self._is_in_force() else Plan(self._does)

    async def apply(self) -> AsyncIterator[Event]:
        """Raises BlockedError before that, and what the step raises."""
        if not await self._is_in_force():
            raise BlockedError(self.title, *(await self._recovery.state()).words)
        async for event in self._step.apply():
            yield event

    async def verify(self) -> AsyncIterator[Event]:
        """Raises what the step raises."""
        async for event in self._step.verify():
            yield event

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """The step's own."""
        return await self._step.undo_plan(changes)

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """The step's own."""
        async for event in self._step.undo(changes):
            yield event

    async def _is_in_force(self) -> bool:
        return (await self._recovery.state()).phase in IN_FORCE


def base_backup(recovery: Recovery, command: Step, backup: Step) -> tuple[Step, ...]:
    """What takes the base backup of the recovered cluster, each once that is in force."""
    return (
        OnceInForce(recovery, command, "the base backup's script is compared, and written where it differs"),
        OnceInForce(recovery, backup, "a base backup is taken on the new timeline"),
    )
