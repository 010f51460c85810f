"""Which scopes a token has, by pydo's real client: found out without a key being made, changed or deleted."""

import pytest

from tests.data.provisioning import a_site
from tests.data.surveys import PROFILE, SURVEY, NoShell
from walconsole.adapters.digitalocean import DigitalOceanKeys
from walconsole.adapters.digitalocean_token import ApiToken
from walconsole.domain.profile import ApiTarget
from walconsole.ports import KeyService
from walconsole.provision.looking import look_at_keys
from walconsole.provision.preflight_archive import KeyFacts, Scope
from walconsole.provision.site import Site
from walconsole.provision.survey import Survey
from walconsole.sandbox.keys import Grant, KeyStore
from walconsole.sandbox.keys_api import ALL_SCOPES, KeysApi

TOKEN = "dop_v1_" + "0123456789abcdef" * 4
TRIED = (Scope.READ, Scope.UPDATE, Scope.DELETE)


async def looked_at(api: KeysApi) -> KeyFacts:
    keys = DigitalOceanKeys(ApiTarget(endpoint=api.url), ApiToken(TOKEN, "a test"))

    async def service() -> KeyService:
        return keys

    async def look(site: Site) -> Survey:
        return SURVEY

    try:
        return await look_at_keys(a_site(PROFILE, NoShell(), look, key_service=service))
    finally:
        await keys.close()


@pytest.mark.parametrize("missing", [None, *TRIED])
async def test_each_scope_that_can_be_tried(missing: Scope | None) -> None:
    store = KeyStore()
    store.create("prod", [Grant("shithub-wal", "readwrite")])
    before = [(key.access_key, key.name, tuple(key.grants)) for key in store]
    scopes = ALL_SCOPES - ({missing.value} if missing is not None else set())
    async with KeysApi(store, {TOKEN: frozenset(scopes)}) as api:
        found = await looked_at(api)
    assert found.problem == ""
    assert found.scopes == {scope: scope is not missing for scope in TRIED}
    assert [(key.access_key, key.name, tuple(key.grants)) for key in store] == before
    assert not [method for method, _ in api.requests if method == "POST"]
    assert TOKEN not in repr(found)


async def test_a_token_that_is_wrong() -> None:
    async with KeysApi(KeyStore(), {"another": ALL_SCOPES}) as api:
        found = await looked_at(api)
    assert "401" in found.problem
    assert TOKEN not in repr(found)
