"""DigitalOcean's keys API (`/v2/spaces/keys`), after its public OpenAPI document and what that leaves out.

PUT replaces the grants, PATCH changes the name only, a secret shows once. `faults` makes it fail in the
ways that a client must survive.
"""

import asyncio
import json
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import parse_qsl, unquote, urlencode

from walconsole.domain.records import record
from walconsole.sandbox.http11 import HttpServer, MalformedError, Request
from walconsole.sandbox.keys_api.keys import Grant, Key, KeyRefusedError, KeyStore

READ, CREATE, UPDATE, DELETE = (
    f"spaces_key:{scope}" for scope in ("read", "create_credentials", "update", "delete")
)
ALL_SCOPES = frozenset((READ, CREATE, UPDATE, DELETE))
_SCOPES = {"GET": READ, "POST": CREATE, "PUT": UPDATE, "PATCH": UPDATE, "DELETE": DELETE}
_PATH = "/v2/spaces/keys"
_LIMIT_PER_HOUR = 5000
T = TypeVar("T")

_IDS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    429: "too_many_requests",
    500: "server_error",
}


@record
class Fault:
    """One request's bad luck. `method` None is any.

    `effect`: what was asked for is done all the same, before it fails. Then `delay_s` passes, and either
    `drop` closes the connection without an answer, or `status` answers with that error (`retry_after` in
    seconds), or the true answer goes out with another `body`. `cut` sends half of the body only. `known`: it
    befalls only what is asked of a key that exists. `late`: what is asked for is done after `delay_s` alone.
    """

    method: str | None = None
    status: int | None = None
    retry_after: int | None = None
    effect: bool = False
    delay_s: float = 0.0
    drop: bool = False
    cut: bool = False
    body: bytes | None = None
    known: bool = False
    late: bool = False


class ApiError(Exception):
    """An error answer."""

    def __init__(self, status: int, message: str, *, retry_after: int | None = None) -> None:
        self.status, self.message, self.retry_after = status, message, retry_after
        super().__init__(message)


@record
class _Answer:
    status: int
    content: dict[str, Any] | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class KeysApi:
    """`async with KeysApi(store, {token: scopes}) as api:` then `api.url`.

    `put_keeps_grants`: PUT changes the name alone, as the document's text (but no client) has it.
    `lag` is how many listings do not show a key yet. `requests` records (method, target) for tests.
    """

    keys: KeyStore
    tokens: Mapping[str, frozenset[str]]
    put_keeps_grants: bool = False
    lag: int = 0
    faults: deque[Fault] = field(default_factory=deque)
    requests: list[tuple[str, str]] = field(default_factory=list)
    _server: HttpServer = field(init=False)
    _looks: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._server = HttpServer(lambda: _ApiSession(self))

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.__aexit__(kind, error, trace)

    @property
    def url(self) -> str:
        return self._server.url

    def take_fault(self, method: str, target: str = "") -> Fault | None:
        """The first fault that fits, which is then spent."""
        known = self.keys.get(unquote(target.removeprefix(f"{_PATH}/"))) is not None
        for fault in self.faults:
            if fault.method in (None, method) and (known or not fault.known):
                self.faults.remove(fault)
                return fault
        return None

    def do(self, method: str, target: str, authorization: str, body: bytes) -> _Answer:
        """What the API does. Raises ApiError."""
        self._authorize(method, authorization)
        path, _, query = target.partition("?")
        if path.rstrip("/") == _PATH:
            if method == "GET":
                return self._list(dict(parse_qsl(query)))
            if method == "POST":
                return self._create(_object(body))
        elif path.startswith(f"{_PATH}/") and method != "POST":
            return self._do_to_key(method, unquote(path.removeprefix(f"{_PATH}/")), body)
        if not path.startswith(_PATH):
            raise ApiError(404, "The resource you were accessing could not be found.")
        raise ApiError(405, "Method not allowed.")

    def _authorize(self, method: str, authorization: str) -> None:
        scopes = self.tokens.get(authorization.removeprefix("Bearer "))
        if scopes is None or not authorization.startswith("Bearer "):
            raise ApiError(401, "Unable to authenticate you.")
        if _SCOPES.get(method) not in scopes:
            raise ApiError(403, "You are missing the required permission to perform this action.")

    def _list(self, query: dict[str, str]) -> _Answer:
        per_page, page = _number(query, "per_page", 20, 200), _number(query, "page", 1, None)
        found = [key for key in self.keys if self._is_listed(key) and _fits(key, query)]
        by_name = query.get("sort") == "name"
        found.sort(key=lambda key: key.name if by_name else key.created_at)
        if query.get("sort_direction", "desc") == "desc":
            found.reverse()
        last = max(1, -(-len(found) // per_page))
        shown = found[(page - 1) * per_page : page * per_page]
        content = {"keys": [_shown(key) for key in shown], "links": self._links(query, page, last)}
        return _Answer(200, content | {"meta": {"total": len(found)}})

    def _is_listed(self, key: Key) -> bool:
        looks = self._looks[key.access_key] = self._looks.get(key.access_key, 0) + 1
        return looks > self.lag

    def _links(self, query: dict[str, str], page: int, last: int) -> dict[str, Any]:
        def at(number: int) -> str:
            return f"{self.url}{_PATH}?{urlencode(query | {'page': str(number)})}"

        pages = {"next": at(page + 1), "last": at(last)} if page < last else {}
        if page > 1:
            pages |= {"first": at(1), "prev": at(page - 1)}
        return {"pages": pages} if pages else {}

    def _create(self, body: dict[str, Any]) -> _Answer:
        key = _refusing(lambda: self.keys.create(_name(body), _grants(body)))
        return _Answer(201, {"key": _shown(key) | {"secret_key": key.secret}})

    def _do_to_key(self, method: str, access_key: str, body: bytes) -> _Answer:
        key = self.keys.get(access_key)
        if key is None:
            raise ApiError(404, "The resource you were accessing could not be found.")
        if method == "DELETE":
            self.keys.delete(key)
            return _Answer(204)
        if method == "PUT" and not self.put_keeps_grants:
            wanted = _object(body)
            grants = _grants(wanted) if "grants" in wanted or not key.full_access else key.grants
            _refusing(lambda: self.keys.replace(key, _name(wanted), grants))
        elif method in ("PUT", "PATCH"):
            key.name = _name(_object(body))
        return _Answer(200, {"key": _shown(key)})


@dataclass(slots=True)
class _ApiSession:
    """One connection."""

    api: KeysApi

    async def handle(self, request: Request) -> None:
        body = await request.read()
        self.api.requests.append((request.method, request.target))
        fault = self.api.take_fault(request.method, request.target)
        if fault is None:
            await self._send(request, self._answer(request, body))
            return
        does = fault.effect or fault.status is None
        answer = self._answer(request, body) if does and not fault.late else None
        await asyncio.sleep(fault.delay_s)
        if does and fault.late:
            answer = self._answer(request, body)
        if fault.drop:
            raise MalformedError("dropped on purpose")
        if fault.status is not None:
            answer = _error(ApiError(fault.status, "a fault of the test", retry_after=fault.retry_after))
        assert answer is not None  # noqa: S101  # either of the two branches above made one
        await self._send(request, answer, fault)

    def _answer(self, request: Request, body: bytes) -> _Answer:
        try:
            return self.api.do(request.method, request.target, request.headers.get("authorization"), body)
        except ApiError as error:
            return _error(error)

    async def _send(self, request: Request, answer: _Answer, fault: Fault | None = None) -> None:
        body = b"" if answer.content is None else json.dumps(answer.content).encode()
        if fault and fault.body is not None:
            body = fault.body
        headers = [
            ("Content-Type", "application/json; charset=utf-8"),
            ("ratelimit-limit", str(_LIMIT_PER_HOUR)),
            ("ratelimit-remaining", str(max(0, _LIMIT_PER_HOUR - len(self.api.requests)))),
            ("ratelimit-reset", str(int(time.time()) + 3600)),
            ("x-request-id", secrets.token_hex(16)),
            *answer.headers,
        ]
        if fault and fault.cut:
            request.connection.head(answer.status, [*headers, ("Content-Length", str(len(body)))])
            request.connection.writer.write(body[: len(body) // 2])
            await request.connection.writer.drain()
            raise MalformedError("cut on purpose")
        await request.connection.answer(request, answer.status, body, headers)

    def close(self) -> None:
        """Nothing is held."""


def _error(error: ApiError) -> _Answer:
    content = {"id": _IDS.get(error.status, "server_error"), "message": error.message}
    headers = (("retry-after", str(error.retry_after)),) if error.retry_after is not None else ()
    return _Answer(error.status, content | {"request_id": secrets.token_hex(16)}, headers)


def _shown(key: Key) -> dict[str, Any]:
    grants = [{"bucket": grant.bucket, "permission": grant.permission} for grant in key.grants]
    return {"name": key.name, "access_key": key.access_key, "grants": grants, "created_at": key.created_at}


def _fits(key: Key, query: dict[str, str]) -> bool:
    if query.get("name", key.name) != key.name:
        return False
    wanted = [(name, query[name]) for name in ("bucket", "permission") if query.get(name)]
    return not wanted or any(all(getattr(g, name) == value for name, value in wanted) for g in key.grants)


def _number(query: dict[str, str], name: str, default: int, most: int | None) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal() or int(text) < 1 or (most is not None and int(text) > most):
        raise ApiError(400, f"{name} must be between 1 and {most}." if most else f"{name} must be positive.")
    return int(text)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        raise ApiError(400, "the body is not JSON.") from None
    if not isinstance(value, dict):
        raise ApiError(400, "the body is not an object.")
    return value


def _name(body: dict[str, Any]) -> str:
    name = body.get("name")
    if not isinstance(name, str) or not name:
        raise ApiError(400, "name is required.")
    return name


def _grants(body: dict[str, Any]) -> Iterable[Grant]:
    try:
        grants = [Grant(each["bucket"], each["permission"]) for each in body.get("grants") or []]
    except (KeyError, TypeError):
        raise ApiError(400, "a grant needs a bucket and a permission.") from None
    if not all(isinstance(text, str) for grant in grants for text in (grant.bucket, grant.permission)):
        raise ApiError(400, "a grant needs a bucket and a permission.")
    return grants


def _refusing(change: Callable[[], T]) -> T:
    try:
        return change()
    except KeyRefusedError as error:
        raise ApiError(400, str(error)) from None
