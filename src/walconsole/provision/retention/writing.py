"""Writing to and deleting from one copy by the profile's own key, asked again as often as reading is."""

import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from walconsole.domain.profile import BucketTarget
from walconsole.domain.redaction import safe
from walconsole.domain.store.answers import Meaning, worth_asking_again
from walconsole.errors import ObjectStoreError
from walconsole.ports import BucketAdmin
from walconsole.provision.engine.site import Site

T = TypeVar("T")

MOST_KEYS = 1000
"""Of one DeleteObjects request (S3's documentation)."""
ATTEMPTS = 4
DENIED = frozenset({Meaning.NO_PERMISSION, Meaning.REFUSED})
"""The key may not write there, or not look."""
_BACKOFF_S = 0.25


class CopyWriter:
    """One copy. Every method raises ObjectStoreError. Close it after use."""

    def __init__(self, site: Site, target: BucketTarget) -> None:
        self.target = target
        self._site = site
        self._admin: BucketAdmin | None = None

    async def put(self, key: str, body: bytes) -> None:
        """Write one small object; `key` is the whole one."""
        admin = await self._opened()
        await self._persistently(lambda: admin.put(self.target.bucket, key, body))

    async def erase(self, keys: Sequence[str]) -> None:
        """Delete up to MOST_KEYS objects. One of which the store does not say that it is gone is an error."""
        admin, left = await self._opened(), list(keys)
        for attempt in range(1, ATTEMPTS + 1):
            refused = await self._persistently(partial(admin.erase, self.target.bucket, tuple(left)))
            left = [key for key in left if key in refused]
            if not left:
                return
            why = refused[left[0]]
            code = why.partition(":")[0]
            if attempt == ATTEMPTS or not worth_asking_again(code, None, why):
                raise self._error(left, why, code)
            await self._pause(attempt)

    async def close(self) -> None:
        """Close its connections."""
        admin, self._admin = self._admin, None
        if admin is not None:
            await admin.close()

    def _error(self, left: Sequence[str], why: str, code: str) -> ObjectStoreError:
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        tried = f"deleting {safe(left[0])}{more} from {self.target.bucket} at {self.target.endpoint}"
        remedy = "see that the key may delete there; then run the same command again: it goes on from there"
        return ObjectStoreError(tried, why, remedy, code=code)

    async def _opened(self) -> BucketAdmin:
        if self._site.own is None:
            raise AssertionError("this site has no key of its own")
        if self._admin is None:
            self._admin = await self._site.own(self.target)
        return self._admin

    async def _persistently(self, ask: Callable[[], Awaitable[T]]) -> T:
        attempt = 0
        while True:
            attempt += 1
            try:
                return await ask()
            except ObjectStoreError as error:
                if error.meaning in DENIED:
                    raise self._denied(error) from None
                if attempt == ATTEMPTS or not worth_asking_again(error.code, error.status, error.why):
                    raise
            await self._pause(attempt)

    def _denied(self, error: ObjectStoreError) -> ObjectStoreError:
        remedy = f"give the key that the profile names for {self.target.bucket} the grant readwrite on it"
        return ObjectStoreError(error.tried, error.why, remedy, code=error.code, status=error.status)

    async def _pause(self, attempt: int) -> None:
        await self._site.sleep(_BACKOFF_S * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311
