"""What pydo makes of the keys API's answers, told apart: a result, or a KeyServiceError.

pydo *returns* some errors instead of raising them (a dict with `id` and `message`: on 400 for a create, on
404 for a get, a delete and an update), and an answer that was cut off raises what is no error of its own.
So nothing is believed before it was looked at. No message holds the token or a secret: of an answer only
`id` and `message` are quoted.
"""

from collections.abc import Callable, Mapping
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError

from walconsole.adapters.keys_api.transport import RefusedAnswerError, never_connected
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
