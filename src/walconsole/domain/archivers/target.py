"""Where a server archives to, as its command and the tool's files say: every value with its source.

What a tool's module makes (`rclone`, `pgbackrest`, ...). A secret is in a KeyPair alone, which no repr shows.
"""

from collections.abc import Iterator
from dataclasses import field, fields
from enum import StrEnum
from typing import Generic, TypeVar

from walconsole.domain.facts.whole_folder import WholeFolder
from walconsole.domain.records import record
from walconsole.domain.store.access_keys import KeyPair

T = TypeVar("T")
U = TypeVar("U")


class Certainty(StrEnum):
    """How sure a value is."""

    STATED = "stated"
    """It stands there."""
    DEFAULT = "default"
    """Nothing says it: the tool's own default, by its documentation."""
    PRESUMED = "presumed"
    """Concluded from something else, and may be wrong."""


@record
class Found(Generic[T]):
    """A value and where it comes from, in words: `/etc/pgbackrest.conf line 4`, `the command`."""

    value: T
    source: str = ""
    certainty: Certainty = Certainty.STATED

    def but(self, value: U) -> "Found[U]":
        """Another value, concluded from the same source."""
        return Found(value, self.source, self.certainty)


def default(value: T, whose: str) -> Found[T]:
    """What holds because nothing says otherwise; `whose` names the tool."""
    return Found(value, f"{whose}'s default", Certainty.DEFAULT)


def presumed(value: T, why: str) -> Found[T]:
    """What follows from something else."""
    return Found(value, why, Certainty.PRESUMED)


@record
class S3Store:
    """A bucket. `endpoint` is a URL without a path; `prefix` is empty or ends in a slash.

    `ca` is the path on the droplet of certificates that the tool trusts, None for the system's.
    `verify_tls` False: the tool checks no certificate. `ca_text` is the certificates themselves, as PEM.
    """

    bucket: Found[str]
    prefix: Found[str]
    endpoint: Found[str]
    region: Found[str]
    path_style: Found[bool]
    ca: Found[str] | None = None
    verify_tls: bool = True
    ca_text: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"s3://{self.bucket.value}/{self.prefix.value}".rstrip("/") + f" at {self.endpoint.value}"


@record
class FolderStore:
    """A folder, absolute, without a slash at its end.

    `host` None: on the droplet itself, maybe a mount; else `[user@]host` that the server reaches by SSH, and
    `port` its port where one is named.
    """

    path: Found[str]
    host: Found[str] | None = None
    port: int | None = None

    def __str__(self) -> str:
        return f"{self.host.value}:{self.path.value}" if self.host is not None else self.path.value


@record
class UnreadStore:
    """A place that the console does not read: `what` names it as far as it is known, `why` says why not."""

    what: Found[str]
    why: str

    def __str__(self) -> str:
        return self.what.value


Store = S3Store | FolderStore | UnreadStore


@record
class Credentials:
    """The key pair that the server's tool uses. `pair` None: there is none here, and `why_not` says why.

    `source` is where it is from, in words; `token` a session's token, empty where there is none.
    """

    source: str
    pair: KeyPair | None = None
    why_not: str = ""
    token: str = field(default="", repr=False)


NO_CREDENTIALS = Credentials("", None, "")


@record
class OwnCommands:
    """Each typed as the server's own user; empty where the tool has none, or its words are not known.

    `look` lists what it holds, `verify` judges it: both change nothing. `backup` takes a base backup,
    `restore` brings one back, `expire` says what it would delete, and deletes nothing as it stands here.
    `create`, `upgrade` and `start` are pgBackRest's: a stanza's place in the repository, the same after
    pg_upgrade, and the end of its `stop`; they change something, and are offered with that risk alone.
    `listed` prints the base backups as JSON, for recovery.own_list.
    """

    look: str = ""
    backup: str = ""
    verify: str = ""
    restore: str = ""
    expire: str = ""
    create: str = ""
    upgrade: str = ""
    start: str = ""
    keys: str = ""
    listed: str = ""

    def named(self) -> Iterator[tuple[str, str]]:
        """Those that are known, by name."""
        return ((each.name, text) for each in fields(self) if (text := getattr(self, each.name)))


NO_COMMANDS = OwnCommands()


@record
class ArchiveTarget:
    """One place that the server archives to, by `tool` (as `tools.recognise` names it).

    `layout` is where below the store a segment lies, in words (`archive/main/15-1/`), `backups` where base
    backups of the same tool are, `retention` what it keeps: None where the tool has no such thing or nothing
    was read of it. `compression` and `encryption` are the tool's own words, `none` for none.
    `config` is the file of the tool's own that was read, `remote` its section there, where it has such.
    `notes` is what is noticed besides, and what was not understood. `commands` are the tool's own.
    `spool` is the folder in which it notes what its background process was answered, empty for none.
    `whole`: it copies pg_wal as it lies there.
    """

    tool: Found[str]
    store: Store
    credentials: Credentials = NO_CREDENTIALS
    layout: Found[str] | None = None
    compression: Found[str] | None = None
    encryption: Found[str] | None = None
    backups: Found[str] | None = None
    retention: Found[str] | None = None
    config: str = ""
    remote: str = ""
    notes: tuple[str, ...] = ()
    commands: OwnCommands = NO_COMMANDS
    spool: str = ""
    whole: WholeFolder | None = None

    def rows(self) -> Iterator[tuple[str, Found[str]]]:
        """Every value that is known, as text, by its name; no secret is among them."""
        yield "tool", self.tool
        store = self.store
        if isinstance(store, S3Store):
            yield "endpoint", store.endpoint
            yield "region", store.region
            yield "bucket", store.bucket
            yield "prefix", store.prefix
            yield "path_style", store.path_style.but("true" if store.path_style.value else "false")
            if store.ca is not None:
                yield "ca", store.ca
        elif isinstance(store, FolderStore):
            yield "folder", store.path
            if store.host is not None:
                yield "host", store.host
        else:
            yield "store", store.what
        for name in ("layout", "compression", "encryption", "backups", "retention"):
            found = getattr(self, name)
            if found is not None:
                yield name, found


@record
class Hiding:
    """What says yes whatever happened before, as it stands there, and where.

    `what` may hold secrets, as the command may. `script` is empty where it stands in the command itself.
    """

    what: str = field(repr=False)
    script: str = ""
    line: int = 0


@record
class Ending:
    """How a command ends. `stores_nothing`: in no way does it come to anything that could store a segment.

    `skipping` is a question that has nothing to do with the segment, by whose answer it ends well without.
    """

    hiding: Hiding | None = None
    stores_nothing: bool = False
    skipping: Hiding | None = None


@record
class Discovery:
    """What was found out: the places that the server archives to, the first one first.

    `streaming` says in words that WAL is taken from the server by streaming, empty where it is not: then
    archive_mode may be off on purpose. `notes` is what was not understood or could not be read. `targets`
    empty and no `notes`: nothing is archived anywhere. `owner` is the system's user that the server runs as.
    `ending` is how the command `judged` ends with its scripts, nothing where they were not read whole.
    `copied`: what cron and timers copy of its folders to elsewhere, in words.
    `unset` are the variables of which it makes a place, and that nothing sets.
    """

    targets: tuple[ArchiveTarget, ...] = ()
    streaming: str = ""
    notes: tuple[str, ...] = ()
    owner: str = ""
    judged: str = field(default="", repr=False)
    ending: Ending = field(default_factory=Ending, repr=False)
    copied: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()
