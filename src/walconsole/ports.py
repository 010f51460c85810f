"""What the console needs from outside. Adapters, the sandbox, the screens and the tests provide it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from walconsole.domain.facts import ClusterFacts, LinkFacts
from walconsole.domain.logline import LogLine
from walconsole.domain.snapshot import Slot, Snapshot


class Clock(Protocol):
    """Time. `now` is seconds since the epoch, `monotonic` for spans."""

    def now(self) -> float: ...

    def monotonic(self) -> float: ...


@dataclass(frozen=True, slots=True)
class ShellAnswer:
    """What a script printed: standard output (bytes, as they came) and its exit status.

    `sent_at` and `answered_at` bound the round trip, on the console's clock.
    """

    stdout: bytes
    status: int
    sent_at: float
    answered_at: float


class Shell(Protocol):
    """One long-lived POSIX shell on the host, and streams beside it.

    Every call connects by itself when there is no connection, and raises errors.SshError when
    there can be none, errors.ShellError when the shell itself cannot serve (sudo wants a password,
    the script ran too long).
    """

    async def run(self, script: str, *, timeout_s: float = 5.0) -> ShellAnswer:
        """Run `script` (POSIX sh) in a subshell; standard error joins standard output; one round trip."""
        ...

    def stream(self, command: str) -> AsyncIterator[bytes]:
        """Chunks of what `command` prints, until it ends or the iterator is closed (aclose())."""
        ...

    async def link(self) -> LinkFacts:
        """Measure one round trip and describe the connection."""
        ...

    def retry(self) -> None:
        """Forget a refused host key or login: the next call tries, and may ask, again."""
        ...


Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Answer:
    """One query's rows with the times that bound its round trip, on the console's clock."""

    rows: Sequence[Row]
    sent_at: float
    answered_at: float


class Database(Protocol):
    """One read-only connection to PostgreSQL, through SSH. Reconnects by itself."""

    async def version_num(self) -> int:
        """server_version_num, connecting when needed. Raises errors.DatabaseError or SshError."""
        ...

    async def fetch(self, sql: str, *, timeout_s: float = 5.0) -> Answer:
        """Run one statement in one round trip.

        Raises errors.DatabaseError; its `sqlstate` tells a missing privilege (42501) from the rest.
        """
        ...


class ClusterLocator(Protocol):
    """Which cluster on the host is observed, and where its socket is."""

    async def locate(self) -> ClusterFacts:
        """The observed cluster, running or not, as of the latest look at the host; looks when there is none.

        Raises errors.ClusterChoiceError when there is none or the choice is open, and what Shell raises.
        """
        ...


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One key of a listing. `modified_at` is the store's Last-Modified, seconds since the epoch."""

    key: str
    size: int
    modified_at: float


class ObjectListing(Protocol):
    """What one page lists, in key order. A million keys are folded without an object for each."""

    @property
    def keys(self) -> Sequence[str]:
        """The full keys."""
        ...

    def stored_bytes(self, count: int) -> int:
        """The sum of the sizes of the first `count` objects."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, position: int) -> StoredObject: ...


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing in key order.

    `store_clock` is the answer's Date header, read at `answered_at` on the console's clock;
    `seconds` is how long the request took.
    """

    objects: ObjectListing
    truncated: bool
    store_clock: float | None
    answered_at: float
    seconds: float = 0.0


class ObjectStore(Protocol):
    """One bucket's worth of S3. Every failure raises errors.ObjectStoreError with S3's own code."""

    @property
    def key_hint(self) -> str:
        """Which key is used, shortened for the screen (`DO00AB…`), or why there is none."""
        ...

    @property
    def key_endpoint(self) -> str:
        """The endpoint that the key's source names besides, empty when it names none."""
        ...

    async def page(self, *, start_after: str = "", max_keys: int = 1000) -> Page:
        """The keys under the target's prefix after `start_after` (a full key), one request."""
        ...


@dataclass(frozen=True, slots=True)
class KeyGrant:
    """One grant of a Spaces key; full access is bucket "" with permission "fullaccess"."""

    bucket: str
    permission: str


@dataclass(frozen=True, slots=True)
class SpacesKey:
    """A key as the keys API lists it: never its secret."""

    name: str
    access_key: str
    grants: tuple[KeyGrant, ...]
    created_at: str


class KeyService(Protocol):
    """DigitalOcean's keys API, read-only for now. Raises errors.KeyServiceError."""

    async def keys(self) -> tuple[SpacesKey, ...]: ...


@dataclass(frozen=True, slots=True)
class HostKeyQuestion:
    """An unknown host key: the operator compares `fingerprint` (SHA256:…) with what they know."""

    host: str
    port: int
    algorithm: str
    fingerprint: str
    known_hosts_file: str


@runtime_checkable
class Operator(Protocol):
    """Questions to the person at the console. Not answering (closing the dialog) is a no."""

    async def trust_host_key(self, question: HostKeyQuestion) -> bool: ...

    async def choose_cluster(self, clusters: Sequence[ClusterFacts]) -> ClusterFacts | None: ...

    async def passphrase(self, prompt: str) -> str | None: ...


class Observer(Protocol):
    """The running observation of one server, as the screen sees it."""

    async def run(self, screen: "Screen") -> None:
        """Observe until cancelled. Raises only what can never succeed (a wrong profile)."""
        ...

    def refresh(self) -> None:
        """Take every probe now, all at once; also retries what was refused."""
        ...

    def hurry(self, slot: Slot) -> None:
        """Take what fills `slot` now: somebody looks at it."""
        ...

    def pause(self, paused: bool) -> None:
        """Stop or resume the probes; values keep ageing."""
        ...

    def pace(self, factor: float) -> None:
        """Multiply every cadence by `factor` (0.25 to 16)."""
        ...


class Screen(Operator, Protocol):
    """What observation tells the screen, besides the questions it may ask."""

    def publish(self, snapshot: Snapshot) -> None:
        """A newer snapshot. Called on the event loop; returns at once."""
        ...

    def log(self, lines: Sequence[LogLine]) -> None:
        """More log lines, oldest first, in batches of at most a few thousand."""
        ...

    def status(self, text: str) -> None:
        """What is being done before the first snapshot (`starting PostgreSQL 18`), one line."""
        ...
