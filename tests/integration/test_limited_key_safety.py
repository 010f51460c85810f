"""A limited key that was not put in place is gone again, whatever became of the call that made it."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.data.provisioning import MemoryRecord, ScriptedGate, a_site
from tests.data.surveys import PROFILE, RCLONE, SURVEY, NoShell
from tests.integration.test_digitalocean_writes import FAULTS, NOT_DONE, TOKEN
from tests.integration.test_key_safety import VirtualClock
from walconsole.adapters.keys_api import service as digitalocean
from walconsole.adapters.keys_api.service import DigitalOceanKeys
from walconsole.adapters.keys_api.token import ApiToken
from walconsole.domain.profile import ApiTarget, BucketTarget
from walconsole.domain.store.access_keys import KeyPair, MadeKey
from walconsole.domain.store.grants import KeyGrant
from walconsole.errors import KeyServiceError, ObjectStoreError, TemporaryKeyError, WalconsoleError
from walconsole.operator_files.key_ledger import LedgerFolder
from walconsole.ports import BucketAdmin, KeyService
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import Stage
from walconsole.provision.engine.runner import Runner
from walconsole.provision.engine.site import Site
from walconsole.provision.keys.temporary_key import TemporaryKey
from walconsole.provision.steps.limited_key import LimitedKey
from walconsole.sandbox.keys_api.api import ALL_SCOPES, Fault, KeysApi
from walconsole.sandbox.keys_api.keys import Key, KeyStore


class SlowKeys(DigitalOceanKeys):
    """Its create takes `slow_s` before it is even sent, in a thread that nothing stops."""

    slow_s = 0.0
    begun = False

    def _create(self, name: str, grants: Sequence[KeyGrant]) -> MadeKey:
        self.begun = True
        time.sleep(self.slow_s)
        return super()._create(name, grants)


@dataclass
class Account:
    """One key serves both remotes, and the API keeps its grants as they are."""

    api: KeysApi
    service: SlowKeys
    old: Key
    site: Site
    runner: Runner
    temporary: TemporaryKey
    ledger: LedgerFolder

    def is_as_before(self) -> bool:
        return self.has_no_key() and self.site.record.changes() == ()

    def has_no_key(self) -> bool:
        return list(self.api.keys) == [self.old] and not list(self.ledger.folder.glob("*"))


class NoBucket:
    """ports.BucketAdmin of which nothing is found."""

    async def head(self, bucket: str) -> None:
        raise ObjectStoreError(f"looking at {bucket}", "there is none", code="404", status=404)

    async def close(self) -> None:
        pass


def _no_bucket(_: BucketTarget, __: KeyPair) -> BucketAdmin:
    return NoBucket()  # type: ignore[return-value]  # nothing else is asked of it


@pytest.fixture
async def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Account]:
    monkeypatch.setattr(digitalocean, "READ_TIMEOUT_S", 0.3)
    monkeypatch.setattr(digitalocean, "BACKOFF_S", 0.001)
    async with KeysApi(KeyStore(), {TOKEN: ALL_SCOPES}) as api:
        old = api.keys.create("app", ())
        service = SlowKeys(ApiTarget(endpoint=api.url), ApiToken(TOKEN, "a test"))
        remotes = tuple(replace(remote, access_key=old.access_key) for remote in RCLONE.remotes)
        survey = replace(SURVEY, rclone=replace(RCLONE, remotes=remotes))

        async def look(_: Site) -> Survey:
            return survey

        async def key_service() -> KeyService:
            return service

        clock = VirtualClock()
        ledger = LedgerFolder(tmp_path / "ledger")
        temporary = TemporaryKey(PROFILE.name, api.url, key_service, ledger, clock, clock.sleep)
        site = a_site(
            PROFILE,
            NoShell(),
            look,
            record=MemoryRecord(),
            temporary=temporary,
            key_service=key_service,
            admin=_no_bucket,
        )
        site.unchangeable_keys.add(old.access_key)
        yield Account(
            api,
            service,
            old,
            site,
            Runner(site, (LimitedKey(site),), ScriptedGate(), lambda _: None),
            temporary,
            ledger,
        )
        await service.close()


@pytest.mark.parametrize("name", FAULTS)
async def test_a_create_that_fails_leaves_no_key(account: Account, name: str) -> None:
    account.api.faults.append(replace(FAULTS[name], method="POST"))
    doubtful = name in ("500", "502")  # nothing was made, and nobody can know that
    with pytest.raises(TemporaryKeyError if doubtful else KeyServiceError) as caught:
        await account.runner.run()
    if doubtful:
        (noted,) = account.ledger.folder.glob("*.json")
        assert noted.stem in caught.value.line()
        assert [change.what for change in account.site.record.changes()] == [noted.stem]
        await account.temporary.doubts.watch_these()
        assert account.has_no_key()
    else:
        assert account.is_as_before()
    looked = len([method for method, target in account.api.requests if method == "GET"])
    assert looked >= (2 if name in NOT_DONE else 3)


async def test_a_key_that_never_works_is_deleted(account: Account) -> None:
    with pytest.raises(ObjectStoreError, match="there is none"):
        await account.runner.run()
    assert account.is_as_before()


async def test_a_run_that_is_cancelled_while_the_key_is_made(account: Account) -> None:
    """The call goes on in its thread, and makes the key when nobody waits for it any more."""
    account.service.slow_s = 0.4
    running = asyncio.create_task(account.runner.run())
    async with asyncio.timeout(10):
        while not account.service.begun:  # noqa: ASYNC110  # its thread tells nobody
            await asyncio.sleep(0.01)
    assert account.runner.stages["limited-key"] is Stage.APPLYING
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.sleep(0.5)
    assert [method for method, _ in account.api.requests].count("POST") == 1
    assert account.is_as_before()


async def test_what_cannot_be_deleted_is_named_and_stays_in_the_record(account: Account) -> None:
    account.api.faults.extend([Fault(method="DELETE", status=403)] * 9)
    with pytest.raises(WalconsoleError) as caught:
        await account.runner.run()
    (made,) = [key for key in account.api.keys if key is not account.old]
    assert made.name in caught.value.line()
    assert "delete" in caught.value.remedy
    assert [change.what for change in account.site.record.changes()] == [made.name]
    account.api.faults.clear()
    await account.runner.undo()
    await account.temporary.end()
    assert account.is_as_before()
