"""What the console needs from outside. Adapters, the sandbox, the screens and the tests provide it.

Protocols alone: what they answer with is the domain's.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from walconsole.domain.archive.gaps import AcceptedGap, Gap
from walconsole.domain.archive.growth import Compressibility
from walconsole.domain.archive.listing import ObjectDetails, ReadThrough, StoredObject
from walconsole.domain.archive.marks import Marks
from walconsole.domain.facts.evidence import LifecycleRule
from walconsole.domain.facts.host import ClusterFacts
from walconsole.domain.facts.log_line import LogLine
from walconsole.domain.facts.observed import HostKeyQuestion, LinkFacts
from walconsole.domain.facts.snapshot import AnySlot, Snapshot
from walconsole.domain.incidents.model import IncidentLog, Note
from walconsole.domain.profile import BucketRole, BucketTarget
from walconsole.domain.round_trips import Answer, ObjectContent, Page, ShellAnswer, StoredVersion
from walconsole.domain.store.access_keys import MadeKey, SpacesKey
from walconsole.domain.store.grants import KeyGrant
from walconsole.domain.store.temporary_keys import LedgerEntry
from walconsole.domain.wal import Segment


class Clock(Protocol):
    """Time. `now` is seconds since the epoch, `monotonic` for spans."""

    def now(self) -> float: ...

    def monotonic(self) -> float: ...


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

    async def read(self, key: str, count: int) -> ObjectContent:
        """The first `count` bytes of an object (all of it where it has fewer), one request."""
        ...


@runtime_checkable
class WholeStore(Protocol):
    """Objects as a whole. Raises errors.ObjectStoreError with S3's own code."""

    async def whole(self, key: str, limit: int) -> ObjectContent:
        """All of an object, in as many requests as it takes; one of more than `limit` bytes is an error."""
        ...


class LifecycleStore(Protocol):
    """What a bucket does by itself. Raises errors.ObjectStoreError with S3's own code."""

    async def lifecycle(self) -> tuple[LifecycleRule, ...]:
        """What the rules of its lifecycle do, empty where there are none."""
        ...


@runtime_checkable
class VersionStore(Protocol):
    """A bucket that may keep versions. Raises errors.ObjectStoreError with S3's own code."""

    async def versions(self, after: str, max_keys: int) -> tuple[StoredVersion, ...]:
        """Those of the keys under the target's prefix after `after` (a full key), one request."""
        ...


class MoreNeededError(ValueError):
    """What was given of an object does not hold enough of it: compressors write in blocks."""


class Plain(Protocol):
    """Makes plain what a writer compressed. Raises ValueError that says why it cannot."""

    def first_bytes(self, name: str, head: bytes, count: int) -> bytes:
        """The first `count` plain bytes of an object, from its beginning; `name` ends in its suffix.

        Raises MoreNeededError where a longer beginning would do.
        """
        ...

    def whole(self, name: str, body: bytes, limit: int) -> bytes:
        """All of it, at most `limit` bytes."""
        ...

    def more_than(self, name: str, head: bytes, limit: int, *, whole: bool) -> bool:
        """Whether an object unpacks to more than `limit` bytes: by what its frame says, or, where `head` is
        all of it (`whole`), by unpacking it. False where neither tells.
        """
        ...

    def zstd_bytes(self, body: bytes) -> int:
        """How many bytes zstd makes of it, at its default level."""
        ...

    def packed(self, way: str, body: bytes) -> bytes:
        """Compressed as stored_form.PACKED names the way, empty for not at all."""
        ...


class IndexShelf(Protocol):
    """Keeps one bucket's index between sessions. What cannot be kept is no error: it is listed anew."""

    def load(self) -> bytes | None:
        """What was saved last for this bucket, None when nothing was. Blocks; call it in a thread."""
        ...

    def save(self, document: bytes) -> None:
        """Replace what was saved. Blocks; call it in a thread."""
        ...


class IncidentShelf(Protocol):
    """What is remembered of one profile's incidents, beyond the session. Blocks; call it in a thread."""

    def note(self, notes: Sequence[Note], at: float) -> IncidentLog:
        """What is remembered after these notes, and after those that other consoles made meanwhile.

        `at` is the time now. The same notes may be given again. Raises errors.RegisterError where it cannot
        be kept; nothing of the notes is kept then.
        """
        ...


class GapRegister(Protocol):
    """The gaps that the operator accepted, in a file of theirs. Blocks for a moment."""

    def accepted(self) -> Sequence[AcceptedGap]:
        """All of them, for every bucket. Raises errors.RegisterError where the file cannot be read."""
        ...

    def accept(self, gap: AcceptedGap) -> None:
        """Add one. Raises errors.RegisterError; what was there stays."""
        ...

    def withdraw(self, gap: AcceptedGap) -> None:
        """Take one back. Raises errors.RegisterError."""
        ...


class BucketReader(Protocol):
    """Reads one bucket for whoever looks at it. Raises errors.ObjectStoreError, and SshError for its key."""

    @property
    def target(self) -> BucketTarget: ...

    @property
    def marks(self) -> Marks | None:
        """The keys by number, as of the last poll; None before a sweep is complete."""
        ...

    async def page(self, start_after: str) -> Page:
        """A thousand keys after a key."""
        ...

    async def locate(self, segment: Segment) -> StoredObject | None:
        """The object that holds a segment of the main archive, wherever its layout puts it."""
        ...

    async def details(self, stored: StoredObject) -> ObjectDetails:
        """Read an object's head."""
        ...

    async def compressibility(self) -> Compressibility:
        """Download a few MiB of the newest segments and compress them. Raises ValueError without any."""
        ...

    async def read_through(self) -> ReadThrough:
        """Download whole segments, up to a bound, and see whether each is one; what is not becomes known."""
        ...

    def accept(self, gap: Gap, reason: str) -> None:
        """Mark a gap as known and lost. Raises errors.RegisterError."""
        ...

    def withdraw(self, accepted: AcceptedGap) -> None:
        """Take that back. Raises errors.RegisterError."""
        ...


class KeyService(Protocol):
    """DigitalOcean's keys API. Raises errors.KeyServiceError.

    An error of a call that changes something does not prove that nothing changed: look by name.
    """

    async def keys(self) -> tuple[SpacesKey, ...]:
        """Every key of the account."""
        ...

    async def key(self, access_key: str) -> SpacesKey | None:
        """One key, None where there is none (any more)."""
        ...

    async def create(self, name: str, grants: Sequence[KeyGrant]) -> MadeKey:
        """Ask for a key, exactly once. A cancelled call goes on in the background, and may still make one."""
        ...

    async def replace_grants(self, key: SpacesKey, grants: Sequence[KeyGrant]) -> SpacesKey:
        """Give a key *these* grants and no others; what the API says that it has now."""
        ...

    async def delete(self, access_key: str) -> None:
        """Delete a key; that there is none (any more) is success."""
        ...


class BucketAdmin(Protocol):
    """S3 by one given key in one region, for what is rare. Raises errors.ObjectStoreError with S3's code."""

    async def buckets(self) -> tuple[str, ...]:
        """The account's buckets in all regions that this endpoint tells (a limited key sees none)."""
        ...

    async def head(self, bucket: str) -> None:
        """Ask whether the bucket is there and this key may look at it: 404 NoSuchBucket, 403 AccessDenied."""
        ...

    async def create(self, bucket: str) -> None:
        """Make the bucket; one that is ours already is success. Returns when HEAD finds it."""
        ...

    async def put(self, bucket: str, key: str, body: bytes) -> None:
        """Write one small object."""
        ...

    async def stat(self, bucket: str, key: str) -> None:
        """Ask whether an object is there, and whether this key may look at it."""
        ...

    async def get(self, bucket: str, key: str) -> bytes:
        """Read one small object."""
        ...

    async def remove(self, bucket: str, key: str) -> None:
        """Delete one object."""
        ...

    async def erase(self, bucket: str, keys: Sequence[str]) -> Mapping[str, str]:
        """Delete up to 1000 objects by one request; that there is none (any more) is success.

        Returns the keys of which the store did not say that they are gone, each with its code and why.
        """
        ...

    async def close(self) -> None:
        """Close the connections and forget the key."""
        ...


class KeyLedger(Protocol):
    """Remembers keys that were asked for past any death of the console. Every call blocks: use a thread.

    Raises errors.RegisterError where the file system refuses: then no key may be asked for.
    """

    def note(self, entry: LedgerEntry) -> None:
        """Write it (again), and return when it is on the disk; this process holds it until `settle`."""
        ...

    def settle(self, name: str) -> None:
        """The key is proved to be gone, or to stay: forget it."""
        ...

    def orphans(self) -> tuple[LedgerEntry, ...]:
        """Entries whose console is dead; those of a living one, this one too, are left out."""
        ...


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

    def hurry(self, slot: AnySlot) -> None:
        """Take what fills `slot` now: somebody looks at it."""
        ...

    def bucket(self, role: BucketRole) -> BucketReader | None:
        """Reads that bucket beyond what the snapshot says of it; None where there is no such copy."""
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
