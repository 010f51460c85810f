"""A session's runner of steps, which has nothing open on the droplet while nothing runs, and is kept."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from walconsole.adapters.ssh.shell import SshShell
from walconsole.provision.engine.model import Doing, Stage, Step
from walconsole.provision.engine.runner import Runner
from walconsole.session.steps_kept import StepsKept


class RestingRunner:
    """provision_run.StepRunner that has nothing open on the droplet while nothing runs. What `noted` gives is
    around each run; `kept` keeps all of it.
    """

    def __init__(
        self,
        runner: Runner,
        shell: SshShell,
        noted: Callable[[], AbstractAsyncContextManager[None]],
        kept: StepsKept,
    ) -> None:
        self._runner, self._shell, self._noted, self._kept = runner, shell, noted, kept

    @property
    def steps(self) -> Sequence[Step]:
        return self._runner.steps

    @property
    def stages(self) -> Mapping[str, Stage]:
        return self._runner.stages

    @property
    def done(self) -> bool:
        return self._runner.done

    async def run(self) -> None:
        async with self._awake(Doing.RUN), self._noted():
            await self._runner.run()

    async def check_all(self) -> None:
        async with self._awake(Doing.LOOK):
            await self._runner.check_all()

    async def undo(self) -> None:
        async with self._awake(Doing.UNDO):
            await self._runner.undo()

    @asynccontextmanager
    async def _awake(self, doing: Doing) -> AsyncIterator[None]:
        try:
            async with self._kept.doing(doing):
                yield
        finally:
            await self._shell.aclose()
