"""Which scopes a token has, by pydo's real client: looking sends nothing but reads; what deletes tries it."""

from pathlib import Path

import pytest

from tests.data.provisioning import RealClock, a_site
from tests.data.surveys import PROFILE, SURVEY, NoShell
from walconsole.adapters.keys_api.service import DigitalOceanKeys
from walconsole.adapters.keys_api.token import ApiToken
from walconsole.domain.profile import ApiTarget
from walconsole.errors import BlockedError
from walconsole.operator_files.key_ledger import LedgerFolder
from walconsole.ports import KeyService
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.site import Site
from walconsole.provision.keys.temporary_key import TemporaryKey
from walconsole.provision.steps.key_and_bucket_look import look_at_keys
from walconsole.provision.steps.preflight_archive import KeyFacts, Scope
from walconsole.provision.steps.temporary_key import TemporaryKeyStep
from walconsole.sandbox.keys_api.api import ALL_SCOPES, KeysApi
from walconsole.sandbox.keys_api.keys import Grant, KeyStore

TOKEN = "dop_v1_" + "0123456789abcdef" * 4


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


@pytest.mark.parametrize("missing", [None, *Scope])
async def test_looking_sends_nothing_but_reads(missing: Scope | None) -> None:
    """Be it for --plan, in a read-only session, or before the steps: what only a write tells stays open."""
    store = KeyStore()
    store.create("prod", [Grant("shithub-wal", "readwrite")])
    before = [(key.access_key, key.name, tuple(key.grants)) for key in store]
    scopes = ALL_SCOPES - ({missing.value} if missing is not None else set())
    async with KeysApi(store, {TOKEN: frozenset(scopes)}) as api:
        found = await looked_at(api)
    assert found.problem == ""
    assert found.scopes == {Scope.READ: missing is not Scope.READ}
    assert [(key.access_key, key.name, tuple(key.grants)) for key in store] == before
    assert {method for method, _ in api.requests} == {"GET"}
    assert TOKEN not in repr(found)


async def test_a_token_that_is_wrong() -> None:
    async with KeysApi(KeyStore(), {"another": ALL_SCOPES}) as api:
        found = await looked_at(api)
    assert "401" in found.problem
    assert TOKEN not in repr(found)


@pytest.mark.parametrize("missing", [None, Scope.DELETE])
async def test_no_key_is_asked_for_that_could_not_be_deleted(missing: Scope | None, tmp_path: Path) -> None:
    """That is tried once it was agreed to, on a key that does not exist."""
    store, scopes = KeyStore(), ALL_SCOPES - ({missing.value} if missing is not None else set())
    async with KeysApi(store, {TOKEN: frozenset(scopes)}) as api:
        keys = DigitalOceanKeys(ApiTarget(endpoint=api.url), ApiToken(TOKEN, "a test"))

        async def service() -> KeyService:
            return keys

        async def look(site: Site) -> Survey:
            return SURVEY

        temporary = TemporaryKey("shop", api.url, service, LedgerFolder(tmp_path), RealClock())
        site = a_site(PROFILE, NoShell(), look, key_service=service, temporary=temporary)
        step = TemporaryKeyStep(site)
        if missing is None:
            await anext(step.apply())
            assert {method for method, _ in api.requests} == {"DELETE"}
        else:
            with pytest.raises(BlockedError, match="would stay alive") as caught:
                await anext(step.apply())
            assert "spaces_key:delete" in caught.value.remedy
        await keys.close()
        assert "POST" not in {method for method, _ in api.requests}
    assert len(store) == 0
