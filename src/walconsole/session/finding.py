"""From a profile that leaves things open to one that is complete: what the host says of the archive."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from walconsole.adapters.s3.key_sources import FoundKeys, KeyPairSource, RcloneConfig, key_source
from walconsole.adapters.ssh.shell import SshShell
from walconsole.config.found import (
    Adopted,
    adopt,
    copies_of,
    elsewhere,
    key_pair_of,
    leaves_open,
    takes_keys,
)
from walconsole.config.resolve import Resolved
from walconsole.domain.archivers.instead import OwnStep, instead
from walconsole.domain.archivers.target import Credentials, Discovery
from walconsole.domain.facts.evidence import DiscoveryFacts
from walconsole.domain.facts.snapshot import AnySlot
from walconsole.domain.profile import BucketRole, BucketTarget, KeySource, Profile
from walconsole.errors import BlockedError, ClusterChoiceError, ShellError, SshError, WalconsoleError
from walconsole.observe.command.discovering import TRIED, DiscoveryProbe, HostDiscovery, facts_of
from walconsole.observe.host.host import HostProbe
from walconsole.ports import BucketReader, Clock, Observer, Screen

FIND_S = 45.0
AGAIN_S = 5.0
"""While the host cannot be asked."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class HostFinding:
    """What one host says, and the profile that follows. `host` is shared with the observation.

    `adopted` is what the session goes by: what was found first, by another session where it is `remembered`.
    """

    resolved: Resolved
    shell: SshShell
    host: HostProbe
    clock: Clock
    adopted: Adopted | None = None
    remembered: bool = False

    @property
    def profile(self) -> Profile:
        """Completed, as far as anything was found."""
        return (self.adopted.resolved if self.adopted is not None else self.resolved).profile

    def _discovery(self) -> HostDiscovery:
        return HostDiscovery(self.shell, self.host, bare=not takes_keys(self.resolved))

    async def find(self) -> Adopted:
        """Look once. Raises errors.SshError, ShellError, ClusterChoiceError."""
        async with asyncio.timeout(FIND_S):
            found = await self._discovery().find_out()
        adopted = adopt(self.resolved, found)
        if self.adopted is None:
            self.adopted = adopted
        return adopted

    def through(self, shell: SshShell) -> "HostFinding":
        """The same by another shell, for what goes on beside the observation."""
        profile = self.profile
        return HostFinding(
            self.resolved, shell, HostProbe(shell, profile, self.clock), self.clock, self.adopted
        )

    async def settle(self) -> Profile:
        """The profile by which something runs once: the host is asked where it leaves anything open.

        What the host has no answer to is as if nothing was found. Raises errors.SshError, ClusterChoiceError
        and, where it does not answer in time, ShellError: what is done by a wrong place is done wrong.
        """
        if leaves_open(self.resolved) and self.adopted is None:
            try:
                await self.find()
            except TimeoutError:
                raise ShellError(TRIED, f"no answer within {FIND_S:.0f} s", "try again") from None
            except ShellError as error:
                _log.warning("%s", error.line())
        return self.profile

    def refuse(self, step: OwnStep) -> None:
        """Raises BlockedError where `step` is another tool's to do, with that tool's own command."""
        if self.adopted is None:
            return
        target = copies_of(self.adopted.discovery).get(BucketRole.PRIMARY)
        told = instead(step, target) if target is not None else None
        if told is not None and not elsewhere(self.adopted):
            raise BlockedError(f"walconsole {step}", told.why, told.remedy)

    async def keys(self, role: BucketRole) -> Credentials:
        """The pair of a copy as the host has it now. Raises as `find`."""
        return key_pair_of((await self.find()).keys, role)

    def first_keys(self, role: BucketRole) -> Credentials:
        """As it was found at the start."""
        return key_pair_of(self.adopted.keys if self.adopted is not None else {}, role)

    def probe(self) -> DiscoveryProbe:
        """What looks again from time to time; what was found already is its first look."""
        now = self.adopted if not self.remembered else None
        before = now.discovery if now is not None else None
        return DiscoveryProbe(self._discovery(), self.clock, self._told, before)

    def _told(self, found: Discovery) -> DiscoveryFacts:
        now = adopt(self.resolved, found)
        moved: list[str] = []
        if self.adopted is not None:
            moved = [
                f"the server archives to {where} since this session began, which reads {before}: open it anew"
                for before, where in zip(_places(self.adopted), _places(now), strict=False)
                if before != where
            ]
        return facts_of(found, (*now.differences, *moved))


def keys_of(
    target: BucketTarget, environment: Mapping[str, str], rclone: RcloneConfig, finding: HostFinding | None
) -> KeyPairSource:
    """Where the pair of a copy comes from: what the host has of it, where the profile leaves it to that."""
    if finding is not None and target.keys.source is KeySource.DROPLET and not target.keys.rclone_remote:
        return FoundKeys(finding.first_keys(target.role), partial(finding.keys, target.role))
    return key_source(target.keys, environment, rclone)


def _places(adopted: Adopted) -> list[str]:
    """Where each copy is, by the profile as it is completed."""
    buckets = adopted.resolved.profile.buckets
    return [f"{one.bucket}/{one.prefix}".rstrip("/") + f" at {one.endpoint}" for one in buckets]


class FindingObserver:
    """ports.Observer that asks the host first where it archives to, and observes by what it says.

    While the host cannot be asked, `begin` observes by the profile alone, and begins anew once it could.
    """

    def __init__(self, finding: HostFinding, begin: Callable[[], Observer], status: str) -> None:
        self._finding, self._begin, self._status = finding, begin, status
        self._observer: Observer | None = None
        self._factor = 1.0
        self._paused = False

    async def run(self, screen: Screen) -> None:
        """See ports.Observer."""
        if self._finding.remembered or not leaves_open(self._finding.resolved):
            await self._start().run(screen)  # nothing waits for the host: what it says is only compared
            return
        screen.status(self._status)
        if await self._found():
            await self._start().run(screen)
            return
        observing = asyncio.create_task(self._start().run(screen), name="observation")
        finding = asyncio.create_task(self._until_found(), name="finding the archive")
        try:
            await asyncio.wait([observing, finding], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (observing, finding):
                task.cancel()
            await asyncio.wait([observing, finding])
        for task in (observing, finding):
            if not task.cancelled():
                task.result()
        await self._start().run(screen)

    async def _found(self) -> bool:
        """Whether the host could be asked. What it answers may be that nothing is known."""
        try:
            await self._finding.find()
        except (SshError, ClusterChoiceError, TimeoutError):
            return False
        except WalconsoleError as error:
            _log.warning("%s", error.line())
            return isinstance(error, ShellError)  # it was asked, and asking again brings the same
        return True

    async def _until_found(self) -> None:
        while True:
            await asyncio.sleep(AGAIN_S)
            if await self._found():
                return

    def _start(self) -> Observer:
        observer = self._observer = self._begin()
        observer.pace(self._factor)
        if self._paused:
            observer.pause(self._paused)
        return observer

    def refresh(self) -> None:
        """See ports.Observer."""
        if self._observer is not None:
            self._observer.refresh()
        else:
            self._finding.shell.retry()

    def bucket(self, role: BucketRole) -> BucketReader | None:
        """See ports.Observer."""
        return self._observer.bucket(role) if self._observer is not None else None

    def pause(self, paused: bool) -> None:
        """See ports.Observer."""
        self._paused = paused
        if self._observer is not None:
            self._observer.pause(paused)

    def pace(self, factor: float) -> None:
        """See ports.Observer."""
        self._factor = factor
        if self._observer is not None:
            self._observer.pace(factor)

    def hurry(self, slot: AnySlot) -> None:
        """See ports.Observer."""
        if self._observer is not None:
            self._observer.hurry(slot)
