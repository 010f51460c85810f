"""Making, changing and deleting keys by pydo's real client, on each of the embedded keys API's bad days."""

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.test_key_safety import VirtualClock
from walconsole.adapters.keys_api import service as digitalocean
from walconsole.adapters.keys_api.service import DigitalOceanKeys
from walconsole.adapters.keys_api.token import ApiToken
from walconsole.domain.profile import ApiTarget
from walconsole.domain.store.access_keys import SpacesKey
from walconsole.domain.store.grants import KeyGrant
from walconsole.domain.store.temporary_keys import LedgerEntry, temporary_name
from walconsole.errors import KeyServiceError
from walconsole.operator_files.key_ledger import LedgerFolder
from walconsole.ports import KeyService
from walconsole.provision.keys.leftovers import delete_leftover, leftovers
from walconsole.provision.keys.temporary_key import TemporaryKey
from walconsole.sandbox.keys_api.api import ALL_SCOPES, CREATE, DELETE, UPDATE, Fault, KeysApi
from walconsole.sandbox.keys_api.keys import FULL_ACCESS_GRANT, Grant, Key, KeyStore

TOKEN = "dop_v1_" + "0123456789abcdef" * 4
GRANTS = (KeyGrant("wal", "readwrite"), KeyGrant("assets", "read"))
STORED = (Grant("wal", "readwrite"), Grant("assets", "read"))

FAULTS = {
    "429": Fault(status=429),
    "429, retry-after": Fault(status=429, retry_after=1),
    "429, retry-after an hour": Fault(status=429, retry_after=3600),
    "500": Fault(status=500),
    "502": Fault(status=502),
    "500 though done": Fault(status=500, effect=True),
    "dropped": Fault(drop=True),
    "dropped though done": Fault(drop=True, effect=True),
    "cut": Fault(cut=True),
    "time-out": Fault(delay_s=0.6),
    "empty": Fault(body=b""),
    "no object": Fault(body=b"[]"),
    "no key": Fault(body=b"{}"),
    "a key without an id": Fault(body=b'{"key": {"name": "x"}}'),
    "grants that are none": Fault(body=b'{"key": {"access_key": "x", "secret_key": "y", "grants": 5}}'),
    "no text": Fault(body=b"\xff\xfe{"),
    "a page": Fault(body=b"<html>bad gateway</html>"),
    "an error that is returned": Fault(body=b'{"id": "bad_request", "message": "\\u001b[31mno"}'),
}
"""Those with neither a status nor `drop` answer otherwise than the truth, and do what was asked."""
NOT_DONE = {"429", "429, retry-after", "429, retry-after an hour", "500", "502"}
"""A drop without `effect` does what was asked too, by the API's own order of things."""


@pytest.fixture
async def api(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KeysApi]:
    monkeypatch.setattr(digitalocean, "READ_TIMEOUT_S", 0.3)
    monkeypatch.setattr(digitalocean, "BACKOFF_S", 0.001)
    async with KeysApi(KeyStore(), {TOKEN: ALL_SCOPES}) as served:
        yield served


@pytest.fixture
async def service(api: KeysApi) -> AsyncIterator[DigitalOceanKeys]:
    keys = DigitalOceanKeys(ApiTarget(endpoint=api.url), ApiToken(TOKEN, "a test"))
    yield keys
    await keys.close()


def sent(api: KeysApi, method: str) -> int:
    return len([one for one, _ in api.requests if one == method])


def as_seen(key: Key) -> SpacesKey:
    return SpacesKey(
        key.name, key.access_key, tuple(KeyGrant(one.bucket, one.permission) for one in key.grants), ""
    )


def says_nothing_secret(api: KeysApi, error: KeyServiceError) -> None:
    text = f"{error!r} {error.line()}"
    assert TOKEN not in text
    assert not [key for key in api.keys if key.secret in text]
    assert "\n" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize("name", FAULTS)
async def test_a_create_is_sent_once_and_never_taken_for_done(
    api: KeysApi, service: DigitalOceanKeys, name: str
) -> None:
    fault = FAULTS[name]
    api.faults.append(replace(fault, method="POST"))
    with pytest.raises(KeyServiceError) as caught:
        await service.create("wanted", GRANTS)
    assert sent(api, "POST") == 1
    says_nothing_secret(api, caught.value)
    assert caught.value.retry_after_s == fault.retry_after
    assert (len(api.keys) == 0) == (name in NOT_DONE)
    assert [key.name for key in await service.keys()] == [key.name for key in api.keys]


async def test_a_create_that_the_api_refuses_says_why(api: KeysApi, service: DigitalOceanKeys) -> None:
    for number in range(200):
        api.keys.create(f"app-{number}", STORED)
    with pytest.raises(KeyServiceError, match="limit of 200 keys") as caught:
        await service.create("one-more", GRANTS)
    assert caught.value.status == 400
    with pytest.raises(KeyServiceError, match="cannot mix fullaccess"):
        await service.create("both", (*GRANTS, KeyGrant("", "fullaccess")))


@pytest.mark.parametrize("name", FAULTS)
async def test_grants_are_replaced_in_spite_of_what_passes(
    api: KeysApi, service: DigitalOceanKeys, name: str
) -> None:
    """PUT may be repeated: what the API says of its own bad moment is. What cannot be read is told."""
    fault, key = FAULTS[name], api.keys.create("app", (Grant("old", "read"),))
    api.faults.append(replace(fault, method="PUT"))
    began = time.monotonic()
    if fault.status is not None and (fault.retry_after or 0) < 10:
        now = await service.replace_grants(as_seen(key), GRANTS)
        assert now.grants == GRANTS
    else:
        with pytest.raises(KeyServiceError) as caught:
            await service.replace_grants(as_seen(key), GRANTS)
        says_nothing_secret(api, caught.value)
        assert caught.value.retry_after_s == fault.retry_after
    assert key.grants == ((Grant("old", "read"),) if name == "429, retry-after an hour" else STORED)
    assert time.monotonic() - began < 5
    assert len(api.keys) == 1


@pytest.mark.parametrize("name", FAULTS)
async def test_a_delete_is_believed_only_where_the_api_says_so(
    api: KeysApi, service: DigitalOceanKeys, name: str
) -> None:
    fault, key = FAULTS[name], api.keys.create("app", STORED)
    api.faults.append(replace(fault, method="DELETE"))
    try:
        await service.delete(key.access_key)
    except KeyServiceError as error:
        says_nothing_secret(api, error)
        await service.delete(key.access_key)  # one that is gone is no error
    assert len(api.keys) == 0
    assert await service.key(key.access_key) is None


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_what_never_passes_is_told_in_the_end(
    api: KeysApi, service: DigitalOceanKeys, method: str
) -> None:
    key = api.keys.create("app", (Grant("old", "read"),))
    api.faults.extend([Fault(method=method, status=503)] * digitalocean.TRIES)
    with pytest.raises(KeyServiceError, match="503"):
        await (
            service.replace_grants(as_seen(key), GRANTS)
            if method == "PUT"
            else service.delete(key.access_key)
        )
    assert sent(api, method) == digitalocean.TRIES
    assert key.grants == (Grant("old", "read"),)


@pytest.mark.parametrize("scope", [CREATE, UPDATE, DELETE])
async def test_a_missing_scope_is_named(scope: str) -> None:
    store = KeyStore()
    key = store.create("app", STORED)
    async with KeysApi(store, {TOKEN: ALL_SCOPES - {scope}}) as api:
        service = DigitalOceanKeys(ApiTarget(endpoint=api.url), ApiToken(TOKEN, "a test"))
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            CREATE: lambda: service.create("new", GRANTS),
            UPDATE: lambda: service.replace_grants(as_seen(key), ()),
            DELETE: lambda: service.delete(key.access_key),
        }
        with pytest.raises(KeyServiceError) as caught:
            await calls[scope]()
        await service.close()
    assert caught.value.status == 403
    assert scope in caught.value.remedy
    assert [(one.name, one.grants) for one in store] == [("app", STORED)]


@pytest.mark.parametrize(
    "text", ["machine 127.0.0.1 login me password mine\n", "default login me password mine\n"]
)
async def test_what_the_operator_s_netrc_says_is_not_sent(
    api: KeysApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """It would take the token's place, and the token would be called wrong."""
    netrc = tmp_path / ".netrc"
    netrc.write_text(text)
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    service = DigitalOceanKeys(ApiTarget(endpoint=api.url), ApiToken(TOKEN, "a test"))
    made = await service.create("app", GRANTS)
    await service.delete(made.key.access_key)
    assert await service.keys() == ()
    await service.close()


# --- keys of one name


def temporary(api: KeysApi, service: KeyService, folder: Path) -> tuple[TemporaryKey, LedgerFolder]:
    async def key_service() -> KeyService:
        return service

    ledger, clock = LedgerFolder(folder / "ledger"), VirtualClock()
    return TemporaryKey("shop", api.url, key_service, ledger, clock, clock.sleep), ledger


async def test_every_key_of_the_temporary_key_s_name_is_deleted(
    api: KeysApi, service: DigitalOceanKeys, tmp_path: Path
) -> None:
    """Something between here and the API sent the create twice: the second key's secret nobody has."""
    other = api.keys.create("app", STORED)
    key, ledger = temporary(api, service, tmp_path)
    await key.obtain()
    api.keys.create(key.name, [FULL_ACCESS_GRANT])
    assert len([one for one in api.keys if one.name == key.name]) == 2
    await key.dispose()
    assert list(api.keys) == [other]
    assert ledger.orphans() == ()
    assert not list(ledger.folder.iterdir())


async def test_a_create_whose_answer_was_lost_twice_over_leaves_nothing(
    api: KeysApi, service: DigitalOceanKeys, tmp_path: Path
) -> None:
    """It fails, two keys of its name are there, and one of them is listed late."""
    key, ledger = temporary(api, service, tmp_path)
    make, late = api.keys.create, list[Key]()

    def twice(name: str, grants: object) -> Key:
        late.append(KeyStore().create(name, [FULL_ACCESS_GRANT]))
        return make(name, [FULL_ACCESS_GRANT])

    listed = service.keys

    async def later() -> tuple[SpacesKey, ...]:
        found = await listed()
        while late:  # the next listing has it
            api.keys._keys[late[0].access_key] = late.pop(0)
        return found

    api.keys.create = twice  # type: ignore[method-assign]
    service.keys = later  # type: ignore[method-assign]
    api.faults.append(Fault(method="POST", status=500, effect=True))
    with pytest.raises(KeyServiceError, match="500"):
        await key.obtain()
    assert len(api.keys) == 0
    assert not list(ledger.folder.iterdir())
    assert key.name == ""


async def test_a_leftover_of_two_keys_is_deleted_whole(
    api: KeysApi, service: DigitalOceanKeys, tmp_path: Path
) -> None:
    clock, ledger = VirtualClock(), LedgerFolder(tmp_path / "ledger")
    name = temporary_name("shop", clock.now(), "0123456789abcdef")
    for _ in range(2):
        api.keys.create(name, [FULL_ACCESS_GRANT])
    dead = LedgerFolder(ledger.folder)
    dead.note(LedgerEntry(name, api.url, "shop", clock.now()))
    (descriptor,) = dead._held.values()

    os.close(descriptor)
    (found,) = await leftovers(ledger, service, api.url, clock.now())
    assert (found.noted, len(found.access_keys)) == (True, 2)
    api.faults.append(Fault(method="DELETE", status=500))
    await delete_leftover(found, ledger, service)
    assert len(api.keys) == 0
    assert await leftovers(ledger, service, api.url, clock.now()) == ()
