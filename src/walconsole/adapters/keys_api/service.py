"""ports.KeyService on DigitalOcean's keys API, through pydo. The token is in no message."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from pydo import Client

from walconsole.adapters.keys_api.answers import Calls, has_next_page, key_of, made_key_of
from walconsole.adapters.keys_api.token import ApiToken
from walconsole.adapters.keys_api.transport import no_redirects, transport
from walconsole.domain.profile import ApiTarget
from walconsole.domain.store.access_keys import MadeKey, SpacesKey
from walconsole.domain.store.grants import KeyGrant
from walconsole.errors import KeyServiceError

READ_TIMEOUT_S = 10.0
TRIES = 3
BACKOFF_S = 0.5
LONGEST_PAUSE_S = 2.0
"""What asks for more is told, not waited for: pydo itself would sleep for as long as `retry-after` says."""
PER_PAGE = 200
PAGES_AT_MOST = 50
"""An account has at most 200 keys; an API that never ends its pages is broken."""
READ, CREATE, UPDATE, DELETE = (
    f"spaces_key:{scope}" for scope in ("read", "create_credentials", "update", "delete")
)
"""The scopes that a token needs (DigitalOcean's API reference)."""
_GONE = 404
_PASSING = frozenset((429, 500, 502, 503, 504))


class DigitalOceanKeys:
    """The keys of the account that `token` belongs to.

    Each call runs in a thread: one whose await is cancelled goes on there, and what it asked for may be done.
    """

    def __init__(self, target: ApiTarget, token: ApiToken) -> None:
        self._endpoint = target.endpoint
        options: dict[str, Any] = {
            "endpoint": target.endpoint,
            "transport": transport(target.ca_file, READ_TIMEOUT_S),
            "redirect_policy": no_redirects(),
            "retry_total": 0,  # see _ask
            "logging_enable": False,  # it would log the token, and the secret of a new key
        }
        self._options: dict[str, Any] = (
            {"enforce_https": False} if target.endpoint.startswith("http://") else {}
        )
        self._calls = Calls((token.value,))
        self._client = Client(token.value, **options)

    async def keys(self) -> tuple[SpacesKey, ...]:
        """See ports.KeyService."""
        return await asyncio.to_thread(self._list)

    async def key(self, access_key: str) -> SpacesKey | None:
        """See ports.KeyService."""
        return await asyncio.to_thread(self._get, access_key)

    async def create(self, name: str, grants: Sequence[KeyGrant]) -> MadeKey:
        """See ports.KeyService. Sent once: pydo would repeat a POST, and each may make another key."""
        return await asyncio.to_thread(self._create, name, tuple(grants))

    async def replace_grants(self, key: SpacesKey, grants: Sequence[KeyGrant]) -> SpacesKey:
        """See ports.KeyService. PUT replaces the whole list, so that repeating it does no harm."""
        return await asyncio.to_thread(self._put, key, tuple(grants))

    async def delete(self, access_key: str) -> None:
        """See ports.KeyService."""
        await asyncio.to_thread(self._delete, access_key)

    async def close(self) -> None:
        """Close the client's connections."""
        await asyncio.to_thread(self._client.close)

    def _list(self) -> tuple[SpacesKey, ...]:
        tried = f"listing the Spaces keys at {self._endpoint}"
        found: list[SpacesKey] = []
        for number in range(1, PAGES_AT_MOST + 1):
            answer = self._ask(
                tried, READ, partial(self._client.spaces_key.list, per_page=PER_PAGE, page=number)
            )
            listed = (answer or {}).get("keys")
            if answer is None or not isinstance(listed, list):
                raise KeyServiceError(tried, "the answer holds no list of keys")
            found += [key_of(tried, item) for item in listed]
            if not has_next_page(answer):
                return tuple(found)
        raise KeyServiceError(tried, f"it did not end after {PAGES_AT_MOST} pages")

    def _get(self, access_key: str) -> SpacesKey | None:
        tried = f"reading the Spaces key {access_key} at {self._endpoint}"
        try:
            answer = self._ask(tried, READ, partial(self._client.spaces_key.get, access_key))
        except KeyServiceError as error:
            if error.status == _GONE:
                return None
            raise
        return key_of(tried, (answer or {}).get("key"))

    def _create(self, name: str, grants: Sequence[KeyGrant]) -> MadeKey:
        tried = f"creating the Spaces key {name} at {self._endpoint}"
        call = partial(self._client.spaces_key.create, body=_body(name, grants), **self._options)
        return made_key_of(tried, self._calls.ask(tried, CREATE, call))

    def _put(self, key: SpacesKey, grants: Sequence[KeyGrant]) -> SpacesKey:
        tried = f"changing the grants of the Spaces key {key.access_key} ({key.name}) at {self._endpoint}"
        call = partial(self._client.spaces_key.update, key.access_key, body=_body(key.name, grants))
        return key_of(tried, (self._ask(tried, UPDATE, call) or {}).get("key"))

    def _delete(self, access_key: str) -> None:
        tried = f"deleting the Spaces key {access_key} at {self._endpoint}"
        try:
            answer = self._ask(tried, DELETE, partial(self._client.spaces_key.delete, access_key))
        except KeyServiceError as error:
            if error.status == _GONE:  # also pydo's own second try, after a first whose answer was lost
                return
            raise
        if answer is not None:
            raise KeyServiceError(tried, "the answer does not say that it is deleted")

    def _ask(self, tried: str, scope: str, call: Callable[..., object]) -> Mapping[str, Any] | None:
        """A call that does no harm when it is repeated: up to TRIES times where that may help."""
        for attempt in range(1, TRIES):
            try:
                return self._calls.ask(tried, scope, partial(call, **self._options))
            except KeyServiceError as error:
                pause = (
                    error.retry_after_s if error.retry_after_s is not None else BACKOFF_S * 2 ** (attempt - 1)
                )
                if error.status not in _PASSING or pause > LONGEST_PAUSE_S:
                    raise
            time.sleep(pause)
        return self._calls.ask(tried, scope, partial(call, **self._options))


def _body(name: str, grants: Sequence[KeyGrant]) -> dict[str, object]:
    return {"name": name, "grants": [{"bucket": one.bucket, "permission": one.permission} for one in grants]}
