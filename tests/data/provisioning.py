"""What steps are tried with: a site made of whatever a test has, a record in memory, a gate that answers."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from walconsole.domain.profile import (
    ApiTarget,
    BucketRole,
    BucketTarget,
    PostgresTarget,
    Profile,
    SshTarget,
    default_bucket,
    default_paths,
)
from walconsole.domain.store.access_keys import KeyPair, MadeKey
from walconsole.domain.store.grants import KeyGrant
from walconsole.droplet.choices import DropletChoices
from walconsole.errors import KeyServiceError, TemporaryKeyError
from walconsole.ports import BucketAdmin, KeyService, ObjectStore, Shell
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import Change, Changing, Event, Question, Record
from walconsole.provision.engine.site import Site, TemporaryKeys


class RealClock:
    """ports.Clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass
class MemoryRecord:
    """model.Record in memory."""

    made: list[Change] = field(default_factory=list)

    def add(self, change: Change) -> None:
        self.made.append(change)

    def changes(self) -> tuple[Change, ...]:
        return tuple(self.made)

    def undone(self, change: Change) -> None:
        self.made.remove(change)

    def on(self, host: str) -> "MemoryRecord":
        return MemoryRecord()

    def elsewhere(self) -> Mapping[str, int]:
        return {}


@dataclass
class GivenKey:
    """site.TemporaryKeys that hands out a pair which the test made, or none."""

    pair: KeyPair | None = None
    name: str = ""
    disposed: int = 0
    since: float | None = None
    left: str = ""

    async def obtain(self) -> KeyPair:
        if self.pair is None:
            raise TemporaryKeyError("asking for a temporary key", "this test has none")
        return self.pair

    async def dispose(self) -> None:
        self.disposed += 1
        self.pair = self.since = None

    async def make(self, name: str, grants: Sequence[KeyGrant]) -> MadeKey:
        raise TemporaryKeyError(f"asking for {name}", "this test has none")

    async def keep(self, name: str) -> None:
        pass

    async def take_away(self, name: str) -> None:
        pass


@dataclass
class ScriptedGate:
    """model.Gate that says yes (or what `answers` has by step), and remembers what it was asked."""

    answers: dict[str, bool] = field(default_factory=dict)
    asked: list[Question] = field(default_factory=list)

    async def ask(self, question: Question) -> bool:
        self.asked.append(question)
        return self.answers.get(question.step, True)


def a_profile(name: str = "shithub") -> Profile:
    """A deployment with every default."""
    return Profile(
        name=name,
        ssh=SshTarget("droplet"),
        sudo=True,
        postgres=PostgresTarget(),
        primary=default_bucket(BucketRole.PRIMARY, name, "nyc3"),
        dr=default_bucket(BucketRole.DR, name, "sfo3"),
        paths=default_paths(name),
        api=ApiTarget(),
    )


async def no_key_service() -> KeyService:
    raise KeyServiceError("looking for DigitalOcean's API token", "this test has none")


def _nothing(*_: Any) -> Any:
    raise AssertionError("this test gave no such part")


def a_site(
    profile: Profile,
    shell: Shell,
    look: Callable[[Site], Awaitable[Survey]],
    *,
    choices: DropletChoices | None = None,
    record: Record | None = None,
    temporary: TemporaryKeys | None = None,
    key_service: Callable[[], Awaitable[KeyService]] = no_key_service,
    admin: Callable[[BucketTarget, KeyPair], BucketAdmin] = _nothing,
    store: Callable[[BucketTarget], ObjectStore] = _nothing,
) -> Site:
    """A site; what is left out fails when it is used."""
    return Site(
        profile=profile,
        choices=choices or DropletChoices.for_profile(profile),
        shell=shell,
        clock=RealClock(),
        record=record or MemoryRecord(),
        temporary=temporary or GivenKey(),
        key_service=key_service,
        admin=admin,
        store=store,
        look=look,
        sleep=asyncio.sleep,
    )


async def events(site: Site, told: AsyncIterator[Event]) -> list[Event]:
    """Everything that a step tells; changes are recorded as the runner does."""
    seen = []
    async for event in told:
        if isinstance(event, Changing):
            site.record.add(event.change)
        seen.append(event)
    return seen
