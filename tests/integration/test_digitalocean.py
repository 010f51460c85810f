"""Listing keys through pydo's real client, against the embedded keys API and its bad days."""

import asyncio
from pathlib import Path

import pytest

from walconsole.adapters.keys_api.service import DigitalOceanKeys
from walconsole.adapters.keys_api.token import ApiToken, api_token
from walconsole.domain.profile import ApiTarget
from walconsole.domain.store.grants import KeyGrant
from walconsole.errors import KeyServiceError
from walconsole.sandbox.keys_api.api import ALL_SCOPES, CREATE, Fault, KeysApi
from walconsole.sandbox.keys_api.keys import FULL_ACCESS_GRANT, Grant, KeyStore

TOKEN = "dop_v1_" + "0123456789abcdef" * 4


def service(api: KeysApi, token: str = TOKEN) -> DigitalOceanKeys:
    return DigitalOceanKeys(ApiTarget(endpoint=api.url), ApiToken(token, "a test"))


async def failure_of(api: KeysApi, token: str = TOKEN) -> KeyServiceError:
    keys = service(api, token)
    with pytest.raises(KeyServiceError) as caught:
        await keys.keys()
    await keys.close()
    assert token not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


async def test_every_key_of_every_page_with_its_grants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("walconsole.adapters.keys_api.service.PER_PAGE", 20)
    store = KeyStore()
    store.create("root", [FULL_ACCESS_GRANT])
    for number in range(45):
        store.create(f"app-{number}", [Grant("shithub-wal", "readwrite"), Grant("other", "read")])
    async with KeysApi(store, {TOKEN: ALL_SCOPES}) as api:
        keys = service(api)
        listed = await keys.keys()
        await keys.close()
    assert {key.name for key in listed} == {key.name for key in store}
    assert len({key.access_key for key in listed}) == 46
    by_name = {key.name: key for key in listed}
    assert by_name["root"].grants == (KeyGrant("", "fullaccess"),)
    assert by_name["app-7"].grants == (KeyGrant("shithub-wal", "readwrite"), KeyGrant("other", "read"))
    assert len(api.requests) == 3


async def test_an_account_without_keys() -> None:
    async with KeysApi(KeyStore(), {TOKEN: ALL_SCOPES}) as api:
        keys = service(api)
        assert await keys.keys() == ()
        await keys.close()


async def test_a_wrong_token_and_a_missing_scope_say_what_to_do() -> None:
    async with KeysApi(KeyStore(), {TOKEN: frozenset({CREATE})}) as api:
        assert "spaces_key:read" in (await failure_of(api)).remedy
        assert "token is wrong" in (await failure_of(api, "dop_v1_" + "f" * 64)).remedy


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=400),
        Fault(status=404),
        Fault(body=b""),
        Fault(body=b"{}"),
        Fault(body=b"[]"),
        Fault(body=b'{"keys": [{}]}'),
        Fault(body=b'{"keys": 5}'),
        Fault(body=b"\xff\xfe{"),
        Fault(body=b"<html>"),
        Fault(body=b'{"id": "bad_request", "message": "\x1b[31mno"}'),
        Fault(cut=True),
    ],
)
async def test_whatever_is_no_list_of_keys_is_raised(fault: Fault) -> None:
    async with KeysApi(KeyStore(), {TOKEN: ALL_SCOPES}) as api:
        api.faults.extend([fault] * 5)
        assert (await failure_of(api)).why


async def test_a_passing_failure_is_survived() -> None:
    async with KeysApi(KeyStore(), {TOKEN: ALL_SCOPES}) as api:
        api.faults.append(Fault(status=503))
        keys = service(api)
        assert await keys.keys() == ()
        await keys.close()


async def test_no_api_at_all() -> None:
    async with KeysApi(KeyStore(), {TOKEN: ALL_SCOPES}) as api:
        keys = service(api)
    with pytest.raises(KeyServiceError, match="no answer") as caught:
        await keys.keys()
    assert not caught.value.sent
    await keys.close()


async def test_what_may_have_been_asked_is_not_called_unasked() -> None:
    """A connection that came about and was dropped: it may have been heard."""

    async def drop(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(drop, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    keys = DigitalOceanKeys(ApiTarget(endpoint=url), ApiToken(TOKEN, "a test"))
    async with server:
        with pytest.raises(KeyServiceError, match="no answer") as caught:
            await keys.create("walconsole-test", ())
    assert caught.value.sent
    await keys.close()


async def test_the_loop_goes_on_while_the_api_is_slow() -> None:
    async with KeysApi(KeyStore(), {TOKEN: ALL_SCOPES}) as api:
        api.faults.append(Fault(delay_s=0.3))
        keys = service(api)
        listing = asyncio.create_task(keys.keys())
        turns = 0
        while not listing.done():
            await asyncio.sleep(0.01)
            turns += 1
        assert turns > 5
        assert await listing == ()
        await keys.close()


TARGET = ApiTarget()


def test_the_environment_wins_over_doctl(tmp_path: Path) -> None:
    doctl(tmp_path, "access-token: fromdoctl\n")
    token = api_token(TARGET, {"DIGITALOCEAN_ACCESS_TOKEN": " abc\n"}, tmp_path)
    assert (token.value, token.origin) == ("abc", "the environment variable DIGITALOCEAN_ACCESS_TOKEN")
    assert "abc" not in repr(token)


@pytest.mark.parametrize(
    ("text", "environ", "value"),
    [
        ("access-token: top\n", {}, "top"),
        ("access-token: 'top'\ncontext: default\n", {}, "top"),
        ('access-token: top\nauth-contexts:\n  work: w1\n  home: "h1"\ncontext: home\n', {}, "h1"),
        (
            "access-token: top\nauth-contexts:\n  work: w1\ncontext: x\n",
            {"DIGITALOCEAN_CONTEXT": "work"},
            "w1",
        ),
        ("# c\naccess-token:   top  \nplugins:\n  access-token: no\n", {}, "top"),
    ],
)
def test_doctls_own_file(tmp_path: Path, text: str, environ: dict[str, str], value: str) -> None:
    doctl(tmp_path, text)
    assert api_token(TARGET, environ, tmp_path).value == value


@pytest.mark.parametrize("text", [None, "", "access-token:\n", "nonsense", "context: gone\n", "\x00\xff: \n"])
def test_no_token_anywhere(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        doctl(tmp_path, text)
    with pytest.raises(KeyServiceError, match="DIGITALOCEAN_TOKEN") as caught:
        api_token(TARGET, {}, tmp_path)
    assert "doctl auth init" in caught.value.remedy


def test_a_token_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(KeyServiceError, match="characters") as caught:
        api_token(TARGET, {"DIGITALOCEAN_TOKEN": "se\ncret"}, tmp_path)
    assert "cret" not in str(caught.value)


def test_a_doctl_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / ".config" / "doctl" / "config.yaml").mkdir(parents=True)
    with pytest.raises(KeyServiceError, match=r"config\.yaml"):
        api_token(TARGET, {}, tmp_path)


def doctl(home: Path, text: str) -> None:
    folder = home / ".config" / "doctl"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(text)
