"""Keys to a store: a pair with its secret, and a Spaces key as the keys API tells of it."""

from dataclasses import dataclass, field

from walconsole.domain.store.grants import KeyGrant


@dataclass(frozen=True, slots=True)
class SecretPair:
    """An S3 access key with its secret. It lives in memory only, and is in no repr."""

    access_key: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SpacesKey:
    """A key as the keys API lists it: never its secret."""

    name: str
    access_key: str
    grants: tuple[KeyGrant, ...]
    created_at: str


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key that was just created: the only time that its secret is told."""

    key: SpacesKey
    pair: SecretPair
