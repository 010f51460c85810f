"""What a shell, a database and a store answered, with the times on the console's clock that bound it."""

from collections.abc import Mapping, Sequence

from walconsole.domain.archive.listing import ObjectListing
from walconsole.domain.records import record


@record
class ShellAnswer:
    """What a script printed: standard output (bytes, as they came) and its exit status.

    `sent_at` and `answered_at` bound the round trip, on the console's clock.
    """

    stdout: bytes
    status: int
    sent_at: float
    answered_at: float


Row = Mapping[str, object]


@record
class Answer:
    """One query's rows with the times that bound its round trip, on the console's clock."""

    rows: Sequence[Row]
    sent_at: float
    answered_at: float


@record
class Page:
    """One page of a listing in key order.

    `store_clock` is the answer's Date header, read at `answered_at` on the console's clock;
    `seconds` is how long the request took. `as_of` is when it was so, where that was before it was asked for.
    `certificate` is from when to when the store's is valid, None where it has none.
    """

    objects: ObjectListing
    truncated: bool
    store_clock: float | None
    answered_at: float
    seconds: float = 0.0
    as_of: float | None = None
    certificate: tuple[float, float] | None = None


@record
class StoredVersion:
    """One version of a key, in a bucket that keeps them; `modified_at` is by the store's clock.

    `newest`: it is what a listing and a read go by. `marks_deleted`: it is no object, but says that the key
    was deleted.
    """

    key: str
    id: str
    modified_at: float
    newest: bool
    marks_deleted: bool


@record
class ObjectContent:
    """A part of one object: `body` begins at byte 0. `size` is the whole object's, None where not said.

    `headers` are the answer's, names in lower case.
    """

    key: str
    body: bytes
    size: int | None
    headers: Mapping[str, str]
    answered_at: float
