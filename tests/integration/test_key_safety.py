"""The key safety matrix: whatever goes wrong while a temporary key is made, used and deleted, none is left.

Every call that the steps make outside (each is an await) is counted in a run that nothing disturbs. Then each
is made to fail, before it and after it was done, and the run is cancelled there, as a signal or a closed
terminal does. Beside these the API has its bad days. At the end of each case the session's clean-up runs.
"""

import asyncio
import contextlib
import inspect
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.data.provisioning import MemoryRecord, ScriptedGate, a_profile, a_site
from tests.integration.sandbox_parts import Region, running_region
from walconsole.adapters.keys_api import service as digitalocean
from walconsole.adapters.keys_api.service import DigitalOceanKeys
from walconsole.adapters.keys_api.token import ApiToken
from walconsole.adapters.s3.admin import SpacesAdmin
from walconsole.adapters.s3.key_sources import EnvironmentKeys
from walconsole.adapters.s3.store import SpacesStore
from walconsole.domain.profile import BucketTarget, KeyReference, KeySource, Profile
from walconsole.domain.store.access_keys import KeyPair
from walconsole.domain.store.temporary_keys import PREFIX
from walconsole.errors import KeyServiceError, TemporaryKeyError, WalconsoleError
from walconsole.operator_files.key_ledger import LedgerFolder
from walconsole.ports import BucketAdmin, KeyService
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.runner import Runner
from walconsole.provision.engine.site import Site
from walconsole.provision.keys.leftovers import Doubts, age_of, delete_leftover, leftovers
from walconsole.provision.keys.temporary_key import TemporaryKey
from walconsole.provision.steps.buckets import Buckets
from walconsole.provision.steps.temporary_key import DeleteTemporaryKey, TemporaryKeyStep
from walconsole.sandbox.keys_api.api import ALL_SCOPES, Fault, KeysApi
from walconsole.sandbox.keys_api.keys import Key

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

TOKEN = "dop_v1_" + "0123456789abcdef" * 4
FOR_EVER = 10_000


@dataclass
class VirtualClock:
    """ports.Clock whose time passes by sleeping alone."""

    passed: float = 0.0

    def now(self) -> float:
        return 1_790_000_000.0 + self.passed

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds
        await asyncio.sleep(0.001)


class InjectedError(KeyServiceError):
    """What is made to go wrong."""


@dataclass
class Trap:
    """Counts the calls, and springs at one of them: `kind` is error or cancel, `when` before or after it."""

    at: int = -1
    kind: str = ""
    when: str = ""
    count: int = 0
    sprung: str = ""
    task: "asyncio.Task[None] | None" = None

    def spring(self, number: int, when: str, name: str) -> None:
        if number != self.at or when != self.when:
            return
        self.sprung = name
        if self.kind == "error":
            raise InjectedError(f"calling {name}", "injected")
        assert self.task is not None
        self.task.get_loop().call_soon_threadsafe(self.task.cancel)

    def watched(self, target: Any, prefix: str = "") -> Any:
        """`target` with each of its methods counted."""
        return _Watched(target, self, prefix or type(target).__name__)

    def function(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        @wraps(call)
        async def awaited(*arguments: Any, **named: Any) -> Any:
            number, self.count = self.count, self.count + 1
            self.spring(number, "before", name)
            await asyncio.sleep(0)
            answer = await call(*arguments, **named)
            self.spring(number, "after", name)
            await asyncio.sleep(0)
            return answer

        @wraps(call)
        def called(*arguments: Any, **named: Any) -> Any:
            number, self.count = self.count, self.count + 1
            self.spring(number, "before", name)
            answer = call(*arguments, **named)
            self.spring(number, "after", name)
            return answer

        return awaited if inspect.iscoroutinefunction(call) else called


class _Watched:
    def __init__(self, target: Any, trap: Trap, prefix: str) -> None:
        self._target, self._trap, self._prefix = target, trap, prefix

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        return self._trap.function(found, f"{self._prefix}.{name}") if callable(found) else found


async def _no_look(_: Site) -> Survey:
    raise AssertionError("the droplet is not looked at")


class _KeptAdmin(SpacesAdmin):
    async def close(self) -> None:
        """It is used again, until the session's end."""

    async def end(self) -> None:
        await super().close()


@dataclass
class Account:
    """One account with its API and a region, for all cases; `service` is the real client."""

    region: Region
    api: KeysApi
    service: DigitalOceanKeys
    profile: Profile
    reader: Key
    folder: Path
    admins: dict[tuple[str, str], _KeptAdmin] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def alive(self) -> list[str]:
        return [key.name for key in self.api.keys if key.name.startswith(PREFIX)]

    def reset(self) -> None:
        """As it was: each case lists all buckets, which would take longer from case to case."""
        self.api.faults.clear()
        for bucket in self.region.gate.folder.glob("safe-wal-*"):
            shutil.rmtree(bucket, ignore_errors=True)
        for key in list(self.api.keys):
            if key.name.startswith(PREFIX):
                self.api.keys.delete(key)

    def fresh_profile(self) -> Profile:
        """With buckets that were never made."""
        number = next(self.numbers)
        profile = self.profile
        return replace(
            profile,
            primary=replace(profile.primary, bucket=f"safe-wal-{number}"),
            dr=replace(profile.dr, bucket=f"safe-wal-dr-{number}"),
        )

    def admin(self, target: BucketTarget, pair: KeyPair) -> BucketAdmin:
        """One for each key, kept: boto3 takes its time to make a client."""
        known = (target.endpoint, pair.access_key)
        if known not in self.admins:
            self.admins[known] = _KeptAdmin(target, pair)
        return self.admins[known]


@dataclass
class Session:
    """One console's life over the account: its ledger, its key, its steps."""

    account: Account
    trap: Trap
    ledger: LedgerFolder
    clock: VirtualClock = field(default_factory=VirtualClock)
    ended: list[BaseException] = field(default_factory=list)
    cleaned: BaseException | None = None
    stores: dict[BucketTarget, SpacesStore] = field(default_factory=dict)

    async def run(self) -> None:
        """Steps 2 to 4, then the session's clean-up, whatever happened; its connections are closed."""
        try:
            await self._run()
        finally:
            for store in self.stores.values():
                await store.close()
            for admin in self.account.admins.values():
                await admin.end()
            self.account.admins.clear()

    async def _run(self) -> None:
        site, temporary = self._site()
        steps = (TemporaryKeyStep(site), Buckets(site), DeleteTemporaryKey(site))
        runner = Runner(site, steps, ScriptedGate(), lambda _: None)
        task = self.trap.task = asyncio.create_task(runner.run())
        await asyncio.wait([task])
        if task.cancelled():
            self.ended.append(asyncio.CancelledError())
        elif error := task.exception():
            self.ended.append(error)
        try:
            await temporary.end()
        except WalconsoleError as error:
            self.cleaned = error

    def die(self) -> None:
        """Its locks go, as with a process that ends."""
        for descriptor in self.ledger._held.values():
            os.close(descriptor)
        self.ledger._held.clear()

    def _site(self) -> tuple[Site, TemporaryKey]:
        account, trap, profile = self.account, self.trap, self.account.fresh_profile()
        service = trap.watched(account.service)

        async def key_service() -> Any:
            return service

        sleep = trap.function(self.clock.sleep, "sleep")
        ledger = trap.watched(self.ledger)
        temporary = TemporaryKey(profile.name, account.api.url, key_service, ledger, self.clock, sleep)
        keys = {"A": account.reader.access_key, "S": account.reader.secret}
        reference = KeyReference(KeySource.ENVIRONMENT, "A", "S")

        def store(target: BucketTarget) -> Any:
            if target not in self.stores:
                pairs = EnvironmentKeys(reference, keys)
                self.stores[target] = SpacesStore(target, pairs, environ={}, connections=2)
            return trap.watched(self.stores[target])

        site = a_site(
            profile,
            None,  # type: ignore[arg-type]  # no shell is used
            _no_look,
            record=trap.watched(MemoryRecord(), "record"),
            temporary=temporary,
            key_service=key_service,
            admin=lambda target, pair: trap.watched(account.admin(target, pair)),
            store=store,
        )
        site.clock, site.sleep = self.clock, sleep
        return site, temporary


@contextlib.asynccontextmanager
async def an_account(folder: Path) -> AsyncIterator[Account]:
    async with running_region() as region, KeysApi(region.keys, {TOKEN: ALL_SCOPES}) as api:
        profile = a_profile("safe")

        def at_the_gate(target: BucketTarget) -> BucketTarget:
            return replace(target, endpoint=region.gate.url, path_style=True)

        profile = replace(
            profile,
            primary=at_the_gate(profile.primary),
            dr=at_the_gate(profile.dr),
            api=replace(profile.api, endpoint=api.url),
        )
        service = DigitalOceanKeys(profile.api, ApiToken(TOKEN, "the test"))
        reader = region.keys.create("app", ())
        yield Account(region, api, service, profile, reader, folder)
        await service.close()


@dataclass
class Tally:
    """Every case, and the keys that were left by those that must leave none."""

    cases: int = 0
    left: list[str] = field(default_factory=list)

    def judge(self, what: str, account: Account, session: Session) -> None:
        self.cases += 1
        noted = sorted(path.stem for path in session.ledger.folder.glob("*.json"))
        if account.alive or noted:
            self.left.append(f"{what}: alive {account.alive}, in the ledger {noted}, {session.ended}")
        session.die()
        account.reset()
        shutil.rmtree(session.ledger.folder, ignore_errors=True)


FAULTS: dict[str, Fault] = {
    "429": Fault(status=429),
    "429, retry-after": Fault(status=429, retry_after=1),
    "429, retry-after an hour": Fault(status=429, retry_after=3600),
    "500": Fault(status=500),
    "503": Fault(status=503),
    "500 though done": Fault(status=500, effect=True),
    "dropped": Fault(drop=True),
    "dropped though done": Fault(drop=True, effect=True),
    "cut though done": Fault(cut=True, effect=True),
    "empty though done": Fault(body=b"", effect=True),
    "garbled though done": Fault(body=b"\xff\xfe{", effect=True),
    "time-out": Fault(delay_s=0.6),
    "time-out though done": Fault(delay_s=0.6, effect=True),
}


async def _each_call(account: Account, tally: Tally) -> int:
    """Spring at each call in turn; how many there are."""
    whole = Session(account, Trap(), LedgerFolder(account.folder / "ledger"))
    await whole.run()
    assert whole.ended == []
    calls = whole.trap.count
    tally.judge("undisturbed", account, whole)
    for kind in ("error", "cancel"):
        for when in ("before", "after"):
            for at in range(calls):
                trap = Trap(at, kind, when)
                session = Session(account, trap, LedgerFolder(account.folder / "ledger"))
                await session.run()
                if session.cleaned is not None:  # nobody can know whether it was made: then it is noted
                    await _noted_then_gone(account, session)
                tally.judge(f"{kind} {when} call {at} ({trap.sprung})", account, session)
    return calls


async def _each_fault(account: Account, tally: Tally) -> None:
    """The API's bad days: at the create, at the delete once and three times, at the listing."""
    for method, times in (("POST", 1), ("POST", 2), ("DELETE", 1), ("DELETE", 3), ("GET", 1), ("GET", 3)):
        for name, fault in FAULTS.items():
            session = Session(account, Trap(), LedgerFolder(account.folder / "ledger"))
            account.api.faults.extend([replace(fault, method=method, known=method == "DELETE")] * times)
            await session.run()
            account.api.faults.clear()
            if session.cleaned is not None:  # it could not be proved in time: then it is in the ledger
                await _noted_then_gone(account, session)
            tally.judge(f"{method} {name}, {times} times", account, session)


async def _for_ever(account: Account, tally: Tally) -> int:
    """Delete fails every time: it is in the ledger, said, and gone after the next start."""
    cases = 0
    for name in ("500", "429", "dropped"):
        for kind in ("", "cancel", "error"):
            trap = Trap(8 if kind else -1, kind, "after")
            session = Session(account, trap, LedgerFolder(account.folder / "ledger"))
            account.api.faults.extend([replace(FAULTS[name], method="DELETE", known=True)] * FOR_EVER)
            await session.run()
            cases += 1
            if account.alive:
                assert isinstance(session.cleaned, TemporaryKeyError), name
                assert account.alive[0] in session.cleaned.line()
                assert [path.stem for path in session.ledger.folder.glob("*.json")] == account.alive
            account.api.faults.clear()
            await _next_start(account, session)
            tally.judge(f"DELETE {name} for ever, {kind}", account, session)
    return cases


async def _noted_then_gone(account: Account, session: Session) -> None:
    assert isinstance(session.cleaned, TemporaryKeyError)
    noted = {path.stem for path in session.ledger.folder.glob("*.json")}
    assert noted >= set(account.alive)
    assert all(name in session.cleaned.line() for name in noted)
    await _next_start(account, session)


async def _next_start(account: Account, session: Session) -> None:
    session.die()
    await next_start(account, session.ledger.folder, session.clock)


async def next_start(account: Account, folder: Path, clock: VirtualClock) -> None:
    """What a console does about leftovers when it begins; and for an hour, where they are in doubt."""
    ledger = LedgerFolder(folder)

    async def service() -> KeyService:
        return account.service

    doubts = Doubts(service, ledger, clock, clock.sleep)
    for leftover in await leftovers(ledger, account.service, account.api.url, clock.now()):
        assert leftover.entry is not None
        if leftover.in_doubt:
            doubts.add(leftover.entry, age_of(leftover.entry, clock))
        else:
            await delete_leftover(leftover, ledger, account.service)
    await doubts.watch_these()


async def test_a_case_leaves_no_descriptor_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The region's and the API's ends are counted too: both are in this process."""
    monkeypatch.setattr(digitalocean, "BACKOFF_S", 0.001)

    def sockets() -> int:
        links = [path for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
        return sum(str(path.readlink()).startswith("socket:") for path in links)

    async with an_account(tmp_path) as account:
        counted: list[int] = []
        for kind, at in (("", -1), ("", -1), ("error", 9), ("cancel", 15), ("cancel", 25), ("", -1)):
            session = Session(account, Trap(at, kind, "after"), LedgerFolder(tmp_path / "ledger"))
            await session.run()
            session.die()
            account.reset()
            await account.service.close()  # it serves all cases, and keeps what is idle
            for _ in range(500):
                if counted and sockets() <= counted[0]:
                    break
                await asyncio.sleep(0.02)
            counted.append(sockets())
    assert max(counted[1:]) <= counted[0]


async def test_no_temporary_key_is_left_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(digitalocean, "READ_TIMEOUT_S", 0.3)
    monkeypatch.setattr(digitalocean, "BACKOFF_S", 0.001)
    tally = Tally()
    async with an_account(tmp_path) as account:
        calls = await _each_call(account, tally)
        await _each_fault(account, tally)
        await _for_ever(account, tally)
    with capsys.disabled():
        print(f"\nkey safety: {calls} calls, {tally.cases} cases, {len(tally.left)} keys left")  # noqa: T201
    assert tally.left == []
