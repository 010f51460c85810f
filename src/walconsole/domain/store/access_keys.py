"""Keys to a store: a pair with its secret, and a Spaces key as the keys API tells of it."""

from dataclasses import field

from walconsole.domain.records import record
from walconsole.domain.store.grants import KeyGrant

_HINT_LENGTH = 6


@record
class KeyPair:
    """An S3 access key and its secret. It lives in memory only, and the secret is in no repr.

    `endpoint` is what the key's source says besides, empty when nothing.
    """

    access_key: str
    secret: str = field(repr=False)
    endpoint: str = ""

    @property
    def hint(self) -> str:
        """Enough to tell keys apart on a screen: `DO00AB…`."""
        shown = self.access_key[:_HINT_LENGTH]
        return f"{shown}…" if len(self.access_key) > _HINT_LENGTH else shown


@record
class SpacesKey:
    """A key as the keys API lists it: never its secret."""

    name: str
    access_key: str
    grants: tuple[KeyGrant, ...]
    created_at: str


@record
class MadeKey:
    """A key that was just created: the only time that its secret is told."""

    key: SpacesKey
    pair: KeyPair
