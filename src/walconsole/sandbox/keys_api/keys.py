"""Spaces keys and their grants: one store, which the keys API changes and the gate obeys.

New keys and changed grants may take a while to work at the gate, as on Spaces.
"""

import secrets
import string
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from walconsole.domain.records import record

_ALPHABET = string.ascii_uppercase + string.digits
LIMIT = 200
"""Keys per account (DigitalOcean's Spaces limits)."""

FULL_ACCESS = "fullaccess"
PERMISSIONS = ("read", "readwrite", FULL_ACCESS, "")


@record
class Grant:
    """A bucket and what may be done in it; full access has no bucket."""

    bucket: str
    permission: str


FULL_ACCESS_GRANT = Grant("", FULL_ACCESS)


class KeyRefusedError(Exception):
    """The change breaks a rule of the keys API; the text is its message."""


@dataclass(slots=True)
class Key:
    """A key. `effective` are the grants that the gate knows of; they become `grants` at `effective_at`."""

    name: str
    access_key: str
    secret: str = field(repr=False)
    grants: tuple[Grant, ...]
    created_at: str
    active_at: float
    effective: tuple[Grant, ...] = ()
    effective_at: float = 0.0

    @property
    def full_access(self) -> bool:
        return FULL_ACCESS_GRANT in self.grants

    def grants_at(self, now: float) -> tuple[Grant, ...]:
        """What the gate allows at that time."""
        return self.grants if now >= self.effective_at else self.effective


class KeyStore:
    """All keys of one account, oldest first. `activation_s`: until a key or a grant works at the gate."""

    def __init__(self, *, activation_s: float = 0.0, clock: Callable[[], float] = time.time) -> None:
        self.activation_s = activation_s
        self.now = clock
        self._keys: dict[str, Key] = {}

    def __iter__(self) -> Iterator[Key]:
        return iter(tuple(self._keys.values()))

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, access_key: str) -> Key | None:
        """A key, active or not."""
        return self._keys.get(access_key)

    def active(self, access_key: str) -> Key | None:
        """The key as the gate knows it: None before it works, which looks as if it never was."""
        key = self._keys.get(access_key)
        return key if key and self.now() >= key.active_at else None

    def create(self, name: str, grants: Iterable[Grant]) -> Key:
        """A new key; two may bear one name. Raises KeyRefusedError."""
        wanted = _checked(grants)
        if len(self._keys) >= LIMIT:
            raise KeyRefusedError(f"you have reached the limit of {LIMIT} keys.")
        now = self.now()
        key = Key(
            name=name,
            access_key="DO" + _random(_ALPHABET, 18),
            secret=_random(string.ascii_letters + string.digits + "+/", 43),
            grants=wanted,
            created_at=datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            active_at=now + self.activation_s,
        )
        self._keys[key.access_key] = key
        return key

    def replace(self, key: Key, name: str, grants: Iterable[Grant]) -> None:
        """Give a key another name and *these* grants, no others. Raises KeyRefusedError."""
        wanted = _checked(grants)
        if key.full_access != (FULL_ACCESS_GRANT in wanted):
            raise KeyRefusedError("cannot convert between fullaccess and scoped permissions.")
        now = self.now()
        key.effective = key.grants_at(now)
        key.name, key.grants, key.effective_at = name, wanted, now + self.activation_s

    def delete(self, key: Key) -> None:
        """Forget a key; the gate does so at once."""
        del self._keys[key.access_key]


def _checked(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    wanted = tuple(grants)
    for grant in wanted:
        if grant.permission not in PERMISSIONS:
            raise KeyRefusedError(f"invalid permission {grant.permission!r}.")
        if (grant.permission == FULL_ACCESS) != (grant.bucket == ""):
            raise KeyRefusedError("a fullaccess grant has no bucket, every other has one.")
    if FULL_ACCESS_GRANT in wanted and len(set(wanted)) > 1:
        raise KeyRefusedError("cannot mix fullaccess permission with scoped permissions.")
    return wanted


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))
