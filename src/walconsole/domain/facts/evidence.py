"""What is looked at when archiving does not work: the server's log, the command, what keeps WAL, the store.

As in `facts`: times are seconds since the epoch, `None` means "could not be read", and `missing` says why.
Texts are remote and were not made safe for a screen, unless it says so.
"""

from enum import StrEnum

from walconsole.domain.facts.whole_folder import WholeFolder
from walconsole.domain.records import record


class LogKind(StrEnum):
    """What a line of the server's log tells about archiving."""

    FAILED = "failed"
    """`archive command failed with exit code N`: 1 to 125 are counted and tried again."""
    KILLED = "killed"
    """`archive command was terminated by signal N`: FATAL, the archiver starts anew, nothing is counted."""
    COMMAND = "command"
    """`The failed archive command was: …`."""
    ARCHIVER_FATAL = "archiver fatal"
    """The archiver itself refuses or dies: no such library, or both a library and a command are set."""
    ARCHIVER_ERROR = "archiver error"
    """The archiver's own ERROR, which is counted and tried again: what its library could not do."""
    DETAIL = "detail"
    """DETAIL, HINT or CONTEXT of the line before, where that was the archiver's own error."""
    NOT_CONFIGURED = "not configured"
    """`archive_mode enabled, yet archiving is not configured`."""
    ORPHAN = "orphan"
    """`could not archive … : No such file`, or a status file whose segment is gone."""
    PROGRAM = "program"
    """Not the server's: what the archive command printed."""
    STARTED = "started"
    STOPPED = "stopped"
    CRASHED = "crashed"
    RELOADED = "reloaded"
    DISK_FULL = "disk full"
    OTHER = "other"
    """About archiving, and none of these."""


@record
class LogEntry:
    """One line, safe to show. `at` is None where its prefix has no time that can be read.

    `exit_code` is that of FAILED (a shell says 128 + N for a signal), `signal` that of KILLED.
    """

    text: str
    kind: LogKind
    at: float | None = None
    exit_code: int | None = None
    signal: int | None = None


@record
class LogFacts:
    """The end of the server's log, and of the archive command's own log file where it has one.

    `entries` are oldest first, a few hundred at most. `covers_from` is the time of the oldest line that was
    looked at.
    """

    source: str
    entries: tuple[LogEntry, ...]
    covers_from: float | None = None
    missing: tuple[str, ...] = ()


@record
class ChildProcess:
    """The archiver's process, or one below it. `state` and `wait_channel` are the kernel's words (/proc),
    `command` is safe to show, `sockets` are remote addresses that it has open.
    """

    pid: int
    started_at: float
    command: str
    state: str = ""
    wait_channel: str = ""
    sockets: tuple[str, ...] = ()


@record
class ProgramFacts:
    """A program that the archive command names.

    `path` is where the server's own user finds it, None where it does not. `executable` is whether that user
    may run it, `why_not` what prevents it: a mode, a folder that may not be entered, `noexec`, an
    interpreter that is not there.
    """

    name: str
    path: str | None
    executable: bool | None = None
    why_not: str = ""
    mode: int | None = None
    owner: str = ""
    modified_at: float | None = None


@record
class ConfigAccess:
    """A configuration of rclone that the archive command uses. `readable` is by the server's own user.

    `sections` are its remotes' names; `remotes` those that the command uses. `places` are (remote, key,
    value) of what says where a remote is: endpoint, region, provider.
    """

    path: str
    exists: bool
    readable: bool
    why_not: str = ""
    sections: tuple[str, ...] = ()
    remotes: tuple[str, ...] = ()
    modified_at: float | None = None
    places: tuple[tuple[str, str, str], ...] = ()


@record
class FileSystemRoom:
    """What the server's user may still write to a file system of the host's own, mounted at `path`.

    `free_inodes` is None where it counts none.
    """

    path: str
    free_bytes: int
    total_bytes: int
    free_inodes: int | None = None


@record
class CommandFacts:
    """The archive command as the operating system sees it, and what the archiver waits for.

    `command` is archive_command in force. `script` is the text of the program, where it is one and not
    longer than 64 KiB (secrets and all: it passes `redaction.safe` before it is shown). `archiver` is its own
    process, None where there is none or it is not seen, `children` those below it, oldest first. `restore`
    are the programs of the restore command that a recovery here would call: the server's, else the installed
    one. `orphans` are .ready files without their WAL file, twenty at most of `orphan_count`. `room` is what
    the host's file systems have, asked for only while something waits, `stop_files` those by which pgBackRest
    was told to stop, likewise.
    """

    command: str
    programs: tuple[ProgramFacts, ...] = ()
    configs: tuple[ConfigAccess, ...] = ()
    script: str = ""
    children: tuple[ChildProcess, ...] = ()
    orphans: tuple[str, ...] = ()
    orphan_count: int = 0
    missing: tuple[str, ...] = ()
    restore: tuple[ProgramFacts, ...] = ()
    room: tuple[FileSystemRoom, ...] = ()
    stop_files: tuple[str, ...] = ()
    archiver: ChildProcess | None = None


@record
class VerbResult:
    """One call to the store: `verb` as S3 calls it (LIST, HEAD, PUT, GET, DELETE), `ok`, else S3's own
    `code` where it gave one, and `said`: the words of the answer, safe to show.
    """

    verb: str
    ok: bool
    code: str = ""
    said: str = ""
    seconds: float | None = None


@record
class ProductionCheck:
    """The store as the archive command's configuration reaches it: from the droplet, as the server's user.

    `where` is `REMOTE:BUCKET/PREFIX` with the remote's name, `config` the rclone configuration's path.
    `unreadable` says why the check could not even be made there (the configuration, rclone itself).
    """

    where: str
    config: str
    results: tuple[VerbResult, ...] = ()
    unreadable: str = ""


@record
class ProductionFacts:
    """What the archiver's side of the store answers; only read, and only while something is wrong.

    `checks` are one for each remote that the command writes to.
    """

    checks: tuple[ProductionCheck, ...]


@record
class ReplicationSlot:
    """A row of pg_replication_slots. `retained_bytes` is from its restart_lsn to the write position.

    `safe_wal_bytes` is what may be written yet before the slot is lost, None where nothing bounds it.
    `reader` is the application_name of who reads it now, empty where nobody does or that may not be seen;
    `reader_host` its address, empty for one by a socket, too.
    """

    name: str
    kind: str
    active: bool
    wal_status: str
    retained_bytes: int | None
    safe_wal_bytes: int | None = None
    inactive_since: float | None = None
    reader: str = ""
    reader_host: str = ""


@record
class RetentionFacts:
    """What keeps WAL in pg_wal besides the archiver.

    `summarizer_behind_bytes` is what WAL summaries (17 and later) lack, None where there are none. `prepared`
    counts the transactions of PREPARE TRANSACTION, `prepared_since` is when the oldest was prepared.
    """

    slots: tuple[ReplicationSlot, ...]
    max_wal_bytes: int | None = None
    keep_bytes: int | None = None
    summarizer_behind_bytes: int | None = None
    prepared: int | None = None
    prepared_since: float | None = None

    @property
    def wal_limit(self) -> int | None:
        """What pg_wal grows to by itself, bytes; None where it is not known, or something keeps WAL."""
        if self.max_wal_bytes is None or any(not slot.active for slot in self.slots):
            return None
        if (self.summarizer_behind_bytes or 0) > self.max_wal_bytes:
            return None
        return max(self.max_wal_bytes, self.keep_bytes or 0)


@record
class FoundCopy:
    """One place that the server archives to, as its host says: `tool` and `place` in words, safe to show.

    `unread` says why the console does not read it, empty where it does. `rows` are each value's name, text,
    source, and how sure it is; no secret is among them. `commands` are the tool's own by name (`look`,
    `backup`, `verify`, `restore`, `expire`: target.OwnCommands), as the server's user types them.
    `config` is the file that the tool has its key from, empty where it has none. `spool` is the folder where
    it notes what its background process was answered, empty where there is none. `whole`: it copies pg_wal
    as it lies there, and not the one segment.
    """

    tool: str
    place: str
    unread: str = ""
    rows: tuple[tuple[str, str, str, str], ...] = ()
    notes: tuple[str, ...] = ()
    commands: tuple[tuple[str, str], ...] = ()
    config: str = ""
    spool: str = ""
    whole: WholeFolder | None = None

    def command(self, name: str) -> str:
        """One of them, empty where it has none."""
        return dict(self.commands).get(name, "")


@record
class DiscoveryFacts:
    """What the host says about where the server archives to.

    `differences` are the values of the profile that differ from it. `missing` is what could not be read or
    followed. Of the command `judged`, followed with its scripts: `hiding` is what of it says yes whatever
    happened before, empty where nothing is seen to, `hiding_at` the script's line, empty where it stands in
    the command itself; `stores_nothing`: it comes to nothing that could store a segment. `copied` is what
    cron and timers copy of the archive's folders to elsewhere. `unset`: variables of which the command makes
    a place to store into, and that nothing sets. `skipping` is when it ends well and stores nothing, in words
    (a mount that is not there), `skipping_at` as `hiding_at`. All is safe to show.
    """

    copies: tuple[FoundCopy, ...] = ()
    differences: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    judged: str = ""
    hiding: str = ""
    hiding_at: str = ""
    stores_nothing: bool = False
    copied: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()
    skipping: str = ""
    skipping_at: str = ""


class RuleAction(StrEnum):
    """What a rule of a bucket's lifecycle does to the objects that it is about."""

    EXPIRE = "deletes"
    FREEZE = "moves to where nothing is read at once"
    OLD_VERSIONS = "deletes versions that were overwritten or deleted"
    ABORT = "ends uploads that were begun and never finished"


@record
class LifecycleRule:
    """One action of a rule: it is about objects whose keys begin with `prefix`, once they are `days` old.

    `date` (seconds since the epoch) instead of `days`: at that moment, and from then on at once. Where there
    are `tags`, only objects that carry all of them; where there are sizes, only those larger than
    `larger_than` bytes and smaller than `smaller_than`. `storage_class` is where a FREEZE moves them.
    """

    rule: str
    action: RuleAction
    prefix: str = ""
    days: int | None = None
    date: float | None = None
    enabled: bool = True
    tags: tuple[tuple[str, str], ...] = ()
    larger_than: int | None = None
    smaller_than: int | None = None
    storage_class: str = ""


@record
class PolicyFacts:
    """What a bucket does by itself. `missing` says what its key may not ask.

    Not `supported`: its store has no such rules.
    """

    rules: tuple[LifecycleRule, ...] = ()
    missing: tuple[str, ...] = ()
    supported: bool = True


@record
class ComparedFacts:
    """The segment that PostgreSQL cannot archive beside the object of its name.

    `identical` None: one of them could not be read, `why` says which. `beginning`: the object is shorter, and
    the segment begins with its bytes. `head` is the object's first bytes as text where they are no WAL (chunk
    signatures that a client wrote into the object). `begins_alone`: only their first BEGINNING_BYTES were.
    """

    segment: str
    key: str
    identical: bool | None
    local_sha256: str = ""
    object_sha256: str = ""
    local_bytes: int | None = None
    object_bytes: int | None = None
    why: str = ""
    head: str = ""
    beginning: bool = False
    begins_alone: bool = False


@record
class WatcherFacts:
    """A watcher of this cluster (`walconsole watch`) on the operator's own machine; times are its clock's.

    `began_at` None: there never was one. `alive`: its process is there. It was last heard of at `beat_at`,
    and is silent for `silent_s` as far as it was watched; it ended in good order at `stopped_at`. So many
    notices are still `untold`.
    """

    began_at: float | None = None
    alive: bool = False
    beat_at: float = 0.0
    stopped_at: float | None = None
    untold: int = 0
    silent_s: float = 0.0

    @property
    def hangs(self) -> bool:
        """Whether it is there, and does not look any more: it says every few seconds that it does."""
        return self.alive and self.silent_s >= WATCHER_SILENT_S

    @property
    def died(self) -> bool:
        """Whether it is not there, and did not end in good order."""
        return self.began_at is not None and not self.alive and self.stopped_at is None


WATCHER_SILENT_S = 300.0
