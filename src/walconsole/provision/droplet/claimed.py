"""A run's claim on the droplet: taken with its first change, renewed until its end, and its loss ends it."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from walconsole.errors import ProvisionError
from walconsole.provision.engine.site import Claim


class Claimed:
    """`async with` around a run. None of `claim`: nobody else can be at it, and nothing is taken."""

    def __init__(self, claim: Claim | None) -> None:
        self._claim = claim
        self._keeping: asyncio.Task[None] | None = None
        self._lost = ""

    async def take(self) -> bool:
        """Whether it was taken just now; False where it was held already. Raises what Claim.take does."""
        if self._claim is None or self._keeping is not None:
            return False
        await self._claim.take()
        running = asyncio.current_task()
        self._keeping = asyncio.create_task(self._keep(self._claim, running), name="keeping the claim")
        return True

    async def __aenter__(self) -> Self:
        self._lost = ""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back. Raises ProvisionError where another has taken it meanwhile."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None and self._claim is not None:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([keeping])
            await self._claim.release()
        if self._lost:
            remedy = "this run was ended: look again (r) when the other one is through, and go on from there"
            raise ProvisionError("changing the droplet", self._lost, remedy) from None

    async def _keep(self, claim: Claim, running: "asyncio.Task[object] | None") -> None:
        self._lost = await claim.keep()
        if running is not None:
            running.cancel()
