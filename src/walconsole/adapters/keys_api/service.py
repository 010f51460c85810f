"""ports.KeyService on DigitalOcean's keys API, through pydo. The token is in no message.

What pydo makes of the API's answers is told apart first: a result, or a KeyServiceError. pydo *returns*
some errors instead of raising them (a dict with `id` and `message`: on 400 for a create, on 404 for a get, a
delete and an update), and an answer that was cut off raises what is no error of its own. So nothing is
believed before it was looked at. No message holds the token or a secret: of an answer only `id` and `message`
are quoted.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError
from pydo import Client

from walconsole.adapters.keys_api.token import ApiToken
from walconsole.adapters.keys_api.transport import (
    RefusedAnswerError,
    never_connected,
    no_redirects,
    transport,
)
from walconsole.command_register import Telling, untold
from walconsole.domain.profile import ApiTarget
from walconsole.domain.redaction import safe
from walconsole.domain.store.access_keys import KeyPair, MadeKey, SpacesKey
from walconsole.domain.store.grants import KeyGrant
from walconsole.errors import KeyServiceError

NOT_FOUND = "not_found"
_STATUS_OF_ID = {"bad_request": 400, NOT_FOUND: 404}
_LONGEST_RETRY_AFTER_S = 3600.0
_REMEDIES = {
    401: "the token is wrong or was revoked: make a new one at cloud.digitalocean.com/account/api/tokens",
    404: "correct the API's endpoint in the profile",
    429: "the API's limit is 250 requests a minute: wait a minute",
}


class Calls:
    """Makes calls for one token: `secrets` are left out of whatever is said of a failure."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = secrets

    def ask(self, tried: str, scope: str, call: Callable[[], object]) -> Mapping[str, Any] | None:
        """The answer as a mapping, None for an empty one. Raises KeyServiceError for whatever comes instead.

        `scope` is what the token needs for it. An error that pydo returned is raised here too.
        """
        try:
            answer = call()
        except HttpResponseError as error:
            raise self._refused(tried, scope, error) from None
        except RefusedAnswerError as error:
            why = f"HTTP {error.status}, and the rest is not read: {error}"
            raise KeyServiceError(tried, why, _REMEDIES.get(error.status, ""), status=error.status) from None
        except AzureError as error:
            why = safe(str(error.message) or type(error).__name__, self._secrets)
            sent = not never_connected(error)
            remedy = "check the network and try again"
            raise KeyServiceError(tried, f"no answer: {why}", remedy, sent=sent) from None
        except (UnicodeDecodeError, ValueError, TypeError) as error:
            raise KeyServiceError(tried, f"the answer cannot be read ({type(error).__name__})") from None
        if answer is None:
            return None
        if not isinstance(answer, Mapping):
            raise KeyServiceError(tried, "the answer is no object")
        if "id" in answer and "message" in answer:
            raise self._returned(tried, answer)
        return answer

    def _refused(self, tried: str, scope: str, error: HttpResponseError) -> KeyServiceError:
        status = error.status_code or 0
        why = safe(f"HTTP {status} {error.reason or ''}".strip(), self._secrets)
        remedy = _REMEDIES.get(status, "")
        if 300 <= status < 400:
            remedy = "no redirect is followed with the token: correct the API's endpoint in the profile"
        if status == 403:
            remedy = f"the token lacks a scope: it needs {scope}"
        return KeyServiceError(
            tried, why, remedy, status=status or None, retry_after_s=_retry_after(error.response)
        )

    def _returned(self, tried: str, answer: Mapping[str, Any]) -> KeyServiceError:
        """An error that pydo returned instead of raising it."""
        identity, message = str(answer["id"]), str(answer["message"])
        why = safe(f"{identity}: {message}", self._secrets)
        return KeyServiceError(tried, why, status=_STATUS_OF_ID.get(identity))


def key_of(tried: str, item: object) -> SpacesKey:
    """A key as the API shows it. Raises KeyServiceError where it is none."""
    if not isinstance(item, Mapping) or not isinstance(item.get("access_key"), str):
        raise KeyServiceError(tried, "a key in the answer has no access_key")
    grants = item.get("grants") or []
    if not isinstance(grants, list):
        raise KeyServiceError(tried, "a key in the answer has no list of grants")
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


def made_key_of(tried: str, answer: Mapping[str, Any] | None) -> MadeKey:
    """A key that was created, with its secret. Raises KeyServiceError; the key may be there all the same."""
    item = (answer or {}).get("key")
    key = key_of(tried, item)
    secret = item.get("secret_key") if isinstance(item, Mapping) else None
    if not isinstance(secret, str) or not secret:
        raise KeyServiceError(tried, "the answer holds no secret_key")
    return MadeKey(key, KeyPair(key.access_key, secret))


def has_next_page(answer: Mapping[str, Any]) -> bool:
    """Whether a listing goes on."""
    links = answer.get("links")
    pages = links.get("pages") if isinstance(links, Mapping) else None
    return isinstance(pages, Mapping) and bool(pages.get("next"))


def _retry_after(response: object) -> float | None:
    """Seconds that the answer asks to wait, None where it does not say."""
    headers = getattr(response, "headers", None)
    text = headers.get("retry-after", "") if headers is not None else ""
    try:
        return min(max(0.0, float(text)), _LONGEST_RETRY_AFTER_S)
    except (TypeError, ValueError):
        return None


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
    """The keys of the account that `token` belongs to; `telling` is told of each request.

    Each call runs in a thread: one whose await is cancelled goes on there, and what it asked for may be done.
    """

    def __init__(self, target: ApiTarget, token: ApiToken, telling: Telling = untold) -> None:
        self._endpoint = target.endpoint
        options: dict[str, Any] = {
            "endpoint": target.endpoint,
            "transport": transport(target.ca_file, READ_TIMEOUT_S, telling),
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
