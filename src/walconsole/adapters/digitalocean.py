"""ports.KeyService on DigitalOcean's keys API, through pydo.

pydo returns some errors instead of raising them (a dict with `id` and `message`), so every answer
is looked at before it is believed. The token is in no message.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError
from pydo import Client

from walconsole.adapters.digitalocean_token import ApiToken
from walconsole.domain.profile import ApiTarget
from walconsole.domain.redaction import safe
from walconsole.errors import KeyServiceError
from walconsole.ports import KeyGrant, SpacesKey

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 10.0
PER_PAGE = 200
PAGES_AT_MOST = 50
"""An account has at most 200 keys; an API that never ends its pages is broken."""

_REMEDIES = {
    401: "the token is wrong or was revoked: make a new one at cloud.digitalocean.com/account/api/tokens",
    403: "the token lacks a scope: it needs spaces_key:read to list keys",
    404: "correct the API's endpoint in the profile",
    429: "the API's limit is 250 requests a minute: wait a minute",
}


class DigitalOceanKeys:
    """The keys of the account that `token` belongs to."""

    def __init__(self, target: ApiTarget, token: ApiToken) -> None:
        self._endpoint = target.endpoint
        self._token = token
        options: dict[str, Any] = {
            "endpoint": target.endpoint,
            "connection_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": READ_TIMEOUT_S,
            "retry_total": 2,
            "logging_enable": False,  # it would log the token
        }
        if target.ca_file:
            options["connection_verify"] = target.ca_file
        self._call_options = {"enforce_https": False} if target.endpoint.startswith("http://") else {}
        self._client = Client(token.value, **options)

    async def keys(self) -> tuple[SpacesKey, ...]:
        """Every key of the account. Raises KeyServiceError."""
        return await asyncio.to_thread(self._keys)

    async def close(self) -> None:
        """Close the client's connections."""
        await asyncio.to_thread(self._client.close)

    def _keys(self) -> tuple[SpacesKey, ...]:
        tried = f"listing the Spaces keys at {self._endpoint}"
        found: list[SpacesKey] = []
        for number in range(1, PAGES_AT_MOST + 1):
            answer = self._ask(tried, partial(self._client.spaces_key.list, per_page=PER_PAGE, page=number))
            listed = answer.get("keys")
            if not isinstance(listed, list):
                raise self._failed(tried, answer)
            found += [_key(tried, item) for item in listed]
            if not _has_next(answer):
                return tuple(found)
        raise KeyServiceError(tried, f"it did not end after {PAGES_AT_MOST} pages")

    def _ask(self, tried: str, call: Callable[..., object]) -> Mapping[str, Any]:
        """The answer as a mapping. Raises KeyServiceError for whatever else comes out of pydo."""
        try:
            answer = call(**self._call_options)
        except HttpResponseError as error:
            status = error.status_code or 0
            why = f"HTTP {status} {error.reason or ''}".strip()
            raise KeyServiceError(tried, safe(why, (self._token.value,)), _REMEDIES.get(status, "")) from None
        except AzureError as error:
            why = safe(str(error.message) or type(error).__name__, (self._token.value,))
            raise KeyServiceError(tried, f"no answer: {why}", "check the network and try again") from None
        except (UnicodeDecodeError, ValueError) as error:
            raise KeyServiceError(tried, f"the answer cannot be read ({type(error).__name__})") from None
        if not isinstance(answer, Mapping):
            raise KeyServiceError(tried, "the answer is empty or no object")
        return answer

    def _failed(self, tried: str, answer: Mapping[str, Any]) -> KeyServiceError:
        """An error that pydo returned instead of raising it."""
        identity, message = str(answer.get("id", "")), str(answer.get("message", ""))
        why = f"{identity}: {message}" if identity or message else "the answer holds no list of keys"
        return KeyServiceError(tried, safe(why, (self._token.value,)))


def _key(tried: str, item: object) -> SpacesKey:
    if not isinstance(item, Mapping) or not isinstance(item.get("access_key"), str):
        raise KeyServiceError(tried, "a key in the answer has no access_key")
    grants = item.get("grants") or []
    return SpacesKey(
        name=str(item.get("name", "")),
        access_key=item["access_key"],
        grants=tuple(
            KeyGrant(str(grant.get("bucket", "")), str(grant.get("permission", "")))
            for grant in grants
            if isinstance(grant, Mapping)
        ),
        created_at=str(item.get("created_at", "")),
    )


def _has_next(answer: Mapping[str, Any]) -> bool:
    links = answer.get("links")
    pages = links.get("pages") if isinstance(links, Mapping) else None
    return isinstance(pages, Mapping) and bool(pages.get("next"))
