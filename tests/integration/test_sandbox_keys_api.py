"""The keys API with pydo's real client, field by field; and against the public OpenAPI document."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pydo
import pytest
import pytest_asyncio
import yaml
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from walconsole.sandbox.keys_api.api import ALL_SCOPES, READ, Fault, KeysApi
from walconsole.sandbox.keys_api.keys import FULL_ACCESS_GRANT, Grant, KeyStore

TOKEN, READER = "dop_v1_" + "a" * 64, "dop_v1_" + "b" * 64
DOCUMENT = Path(__file__).parents[3] / "shared/data/spaces-keys.openapi.yaml"
LIMITED_GRANT = {"bucket": "demo-wal", "permission": "readwrite"}
FULL = {"bucket": "", "permission": "fullaccess"}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[KeysApi]:
    async with KeysApi(KeyStore(), {TOKEN: ALL_SCOPES, READER: frozenset((READ,))}) as api:
        yield api


async def call(api: KeysApi, operation: str, /, *arguments: Any, token: str = TOKEN, **keywords: Any) -> Any:
    """One call of pydo's, in a thread of its own."""
    with pydo.Client(token, endpoint=api.url, retry_total=0) as client:
        method = getattr(client.spaces_key, operation)
        return await asyncio.to_thread(method, *arguments, enforce_https=False, **keywords)


async def test_a_key_is_made_read_changed_and_deleted(api: KeysApi) -> None:
    made = (await call(api, "create", {"name": "app", "grants": [LIMITED_GRANT]}))["key"]
    assert made.keys() == {"name", "access_key", "secret_key", "grants", "created_at"}
    assert (made["name"], made["grants"]) == ("app", [LIMITED_GRANT])
    shown = {name: value for name, value in made.items() if name != "secret_key"}
    assert (await call(api, "get", made["access_key"]))["key"] == shown
    assert (await call(api, "list"))["keys"] == [shown]

    other = {"bucket": "demo-wal-dr", "permission": "read"}
    changed = await call(api, "update", made["access_key"], {"name": "app2", "grants": [other]})
    assert changed["key"] == shown | {"name": "app2", "grants": [other]}
    renamed = await call(api, "patch", made["access_key"], {"name": "app3", "grants": []})
    assert renamed["key"] == shown | {"name": "app3", "grants": [other]}

    assert await call(api, "delete", made["access_key"]) is None
    assert (await call(api, "get", made["access_key"]))["id"] == "not_found"
    assert (await call(api, "delete", made["access_key"]))["id"] == "not_found"


async def test_full_access_is_neither_mixed_nor_converted(api: KeysApi) -> None:
    for grants in ([FULL, LIMITED_GRANT], [{"bucket": "x", "permission": "fullaccess"}], [{"bucket": "x"}]):
        answer = await call(api, "create", {"name": "k", "grants": grants})
        assert answer["id"] == "bad_request"
        assert answer.keys() == {"id", "message", "request_id"}
    full = (await call(api, "create", {"name": "root", "grants": [FULL]}))["key"]
    answer = await call(api, "update", full["access_key"], {"name": "root", "grants": [LIMITED_GRANT]})
    assert answer["id"] == "bad_request"
    assert (await call(api, "get", full["access_key"]))["key"]["grants"] == [FULL]


async def test_put_may_keep_the_grants_as_the_document_says(api: KeysApi) -> None:
    api.put_keeps_grants = True
    key = api.keys.create("app", [Grant("demo-wal", "read")])
    answer = await call(api, "update", key.access_key, {"name": "new", "grants": [LIMITED_GRANT]})
    assert answer["key"]["name"] == "new"
    assert answer["key"]["grants"] == [{"bucket": "demo-wal", "permission": "read"}]


async def test_more_than_twenty_keys_come_in_pages(api: KeysApi) -> None:
    for number in range(45):
        api.keys.create(f"key-{number}", [Grant("demo-wal", "read")])
    seen: list[str] = []
    page: int | None = 1
    while page:
        answer = await call(api, "list", page=page)
        seen += [key["access_key"] for key in answer["keys"]]
        assert answer["meta"]["total"] == 45
        page = page + 1 if "next" in answer["links"].get("pages", {}) else None
    assert len(seen) == len(set(seen)) == 45
    assert len((await call(api, "list", per_page=200))["keys"]) == 45
    assert [key["name"] for key in (await call(api, "list", name="key-7"))["keys"]] == ["key-7"]
    assert (await call(api, "list", bucket="elsewhere"))["keys"] == []
    assert (await call(api, "list", sort="name", sort_direction="asc"))["keys"][0]["name"] == "key-0"


async def test_a_wrong_token_and_a_missing_scope(api: KeysApi) -> None:
    with pytest.raises(ClientAuthenticationError):
        await call(api, "list", token="dop_v1_wrong")
    assert (await call(api, "list", token=READER))["keys"] == []
    with pytest.raises(HttpResponseError) as refused:
        await call(api, "create", {"name": "k", "grants": []}, token=READER)
    assert refused.value.status_code == 403
    assert len(api.keys) == 0


@pytest.mark.parametrize("per_page", ["0", "201", "many", "-1"])
async def test_a_wrong_page_size_is_a_bad_request(api: KeysApi, per_page: str) -> None:
    status, _, body = await asyncio.to_thread(raw, api, "GET", f"/v2/spaces/keys?per_page={per_page}", b"")
    assert (status, body["id"]) == (400, "bad_request")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"name": 7}', b'{"name": "k", "grants": [1]}'])
async def test_a_wrong_body_is_a_bad_request(api: KeysApi, body: bytes) -> None:
    status, _, answer = await asyncio.to_thread(raw, api, "POST", "/v2/spaces/keys", body)
    assert (status, answer["id"]) == (400, "bad_request")
    assert len(api.keys) == 0


@pytest.mark.parametrize("retry_after", [None, 7])
async def test_too_many_requests(api: KeysApi, retry_after: int | None) -> None:
    api.faults.append(Fault("GET", status=429, retry_after=retry_after))
    status, headers, body = await asyncio.to_thread(raw, api, "GET", "/v2/spaces/keys", b"")
    assert (status, body["id"]) == (429, "too_many_requests")
    assert headers.get("retry-after") == (str(retry_after) if retry_after else None)
    assert headers["ratelimit-limit"] == "5000"
    assert (await asyncio.to_thread(raw, api, "GET", "/v2/spaces/keys", b""))[0] == 200


@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST", status=500, effect=True),
        Fault("POST", drop=True, effect=True),
        Fault("POST", cut=True),
        Fault("POST", body=b"\xff\xfe"),
    ],
)
async def test_a_create_that_fails_may_have_made_the_key(api: KeysApi, fault: Fault) -> None:
    api.faults.append(fault)
    with pytest.raises(Exception):  # noqa: B017, PT011  # pydo raises a different kind for each
        await call(api, "create", {"name": "k", "grants": [FULL]})
    assert [key.grants for key in api.keys] == [(FULL_ACCESS_GRANT,)]


async def test_a_failed_create_without_effect_makes_none(api: KeysApi) -> None:
    api.faults.append(Fault("POST", status=500))
    with pytest.raises(HttpResponseError):
        await call(api, "create", {"name": "k", "grants": []})
    assert len(api.keys) == 0


async def _as_the_document_says(api: KeysApi) -> None:
    from openapi_core import OpenAPI
    from openapi_core.testing import MockRequest, MockResponse

    document = OpenAPI.from_dict(yaml.safe_load(DOCUMENT.read_text()))
    full = api.keys.create("full", [FULL_ACCESS_GRANT]).access_key
    key = api.keys.create("app", [Grant("demo-wal", "read")]).access_key
    body = {"name": "app", "grants": [LIMITED_GRANT]}
    for method, path, content, expected in [
        ("GET", "/v2/spaces/keys", None, 200),
        ("GET", f"/v2/spaces/keys/{key}", None, 200),
        ("POST", "/v2/spaces/keys", body, 201),
        ("POST", "/v2/spaces/keys", {"name": "k", "grants": [FULL, LIMITED_GRANT]}, 400),
        ("PUT", f"/v2/spaces/keys/{key}", body, 200),
        ("PUT", f"/v2/spaces/keys/{full}", body, 400),
        ("PATCH", f"/v2/spaces/keys/{key}", {"name": "renamed"}, 200),
        ("GET", "/v2/spaces/keys/DONONE", None, 404),
        ("DELETE", f"/v2/spaces/keys/{key}", None, 204),
    ]:
        sent = json.dumps(content).encode() if content is not None else b""
        status, headers, _ = answer = await asyncio.to_thread(raw, api, method, path, sent)
        assert status == expected, (method, path)
        document.validate_response(
            MockRequest(
                "https://api.digitalocean.com",
                method.lower(),
                path,
                headers={"Authorization": f"Bearer {TOKEN}"},
                data=sent or None,
            ),
            MockResponse(
                data=json.dumps(answer[2]).encode() if status != 204 else b"",
                status_code=status,
                headers=headers,
                content_type="application/json",
            ),
        )


if DOCUMENT.exists():  # the project does not carry it; every rule in it is also tested above

    async def test_every_answer_is_as_the_public_document_says(api: KeysApi) -> None:
        await _as_the_document_says(api)


def raw(api: KeysApi, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], Any]:
    """One plain request: status, headers in lower case, the body's JSON."""
    request = urllib.request.Request(  # noqa: S310  # the fake's own http address
        api.url + path,
        data=body or None,
        method=method,
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    try:
        answer = urllib.request.urlopen(request, timeout=10)  # noqa: S310  # the same
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        content = answer.read()
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status, headers, json.loads(content) if content else None
