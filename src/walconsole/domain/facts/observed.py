"""What a probe found: frozen, typed, with units in the names.

Times are seconds since the epoch. `None` means "could not be read", and the probe's reading or
`missing` says why; it is never zero. Remote text in here was not made safe for a screen yet,
unless it says so: what renders it passes it through `redaction.safe`.
"""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING

from walconsole.domain.archive.gaps import Gap
from walconsole.domain.profile import BucketRole
from walconsole.domain.records import record
from walconsole.domain.redaction import safe
from walconsole.domain.units import plural
from walconsole.domain.wal import check_segment_bytes

if TYPE_CHECKING:
    from walconsole.domain.archive.continuity import Continuity
    from walconsole.domain.archive.gaps import AcceptedGap
    from walconsole.domain.archive.holding import Holding
    from walconsole.domain.archive.page_header import SegmentIdentity
    from walconsole.domain.archive.timelines import TimelineHistory
    from walconsole.domain.pgconf.loading import InForce
    from walconsole.domain.pgconf.resolution import Resolution, RoleSetting, ServerStart
    from walconsole.domain.pgconf.start import Launch
    from walconsole.domain.pgconf.tree import ConfigTree
    from walconsole.domain.pgconf.values import SettingMeta
    from walconsole.domain.recovery.backups import BaseBackup, Unreadable
    from walconsole.domain.recovery.drill_result import DrillResult


@record
class LinkFacts:
    """The SSH connection: what it is connected to, and one round trip through the open shell."""

    address: str
    user: str
    server_version: str
    host_key_fingerprint: str
    round_trip_s: float
    connected_at: float
    reconnects: int


@record
class HostKeyQuestion:
    """An unknown host key: the operator compares `fingerprint` (SHA256:…) with what they know."""

    host: str
    port: int
    algorithm: str
    fingerprint: str
    known_hosts_file: str


@record
class WalDiskFacts:
    """pg_wal as the host's file system shows it.

    `free_bytes` is what PostgreSQL's user may still write; `ready_count` the .ready files of WAL,
    `oldest_ready_at` the oldest one's mtime. `strange_count` is how many files in archive_status are named
    like none that PostgreSQL makes there; they count as nothing. `strangers` names three of them, at most
    sixty characters of each, with ? for what is no letter, digit or one of `._+-`. `read_only` is how its
    file system is mounted. `data_filesystem` is the type of the data directory's, empty where `df` tells no
    types. `gone_count` is how many segments are marked as archived (.done) and are not there, `newest_gone`
    the highest of them: PostgreSQL takes a segment away together with its mark.
    """

    directory: str
    device: str
    filesystem: str
    total_bytes: int
    free_bytes: int
    wal_bytes: int | None
    wal_files: int | None
    ready_count: int | None
    oldest_ready: str | None
    oldest_ready_at: float | None
    missing: tuple[str, ...] = ()
    strange_count: int = 0
    strangers: tuple[str, ...] = ()
    read_only: bool | None = None
    data_filesystem: str = ""
    gone_count: int = 0
    newest_gone: str = ""

    @property
    def segment_bytes(self) -> int | None:
        """The size of a file in pg_wal, None where none was seen or none can have it."""
        try:
            return check_segment_bytes((self.wal_bytes or 0) // (self.wal_files or 1))
        except ValueError:
            return None


class FileRole(StrEnum):
    """What a configuration file on the host is to the running cluster."""

    READ = "read"
    NEVER_READ = "never read"
    OTHER_CLUSTER = "other cluster"


@record
class ConfigFile:
    """A file that looks like PostgreSQL's configuration.

    `why` names the fact that decides its role. `settings` are the archive-relevant ones that it
    sets: (name, value, line). `changes` tells, for a file that is never read, what its settings
    would change if it were. `unreadable` is why the console could not read it.
    """

    path: str
    role: FileRole
    why: str
    settings: tuple[tuple[str, str, int], ...] = ()
    changes: tuple[str, ...] = ()
    unreadable: str | None = None


@record
class ConfigFiles:
    """Every configuration file that was found on the host; `cut` says what was left out and why.

    `errors` are the lines that would keep the server from starting, `contradictions` where PGDATA,
    the unit and the postmaster's arguments disagree, `uncertain` what could not be seen; one line
    each. `resolution` has every setting's chain, computed from the files alone. `tree`
    is what was read, secrets and all: what shows any of it passes it through `redaction.safe`.
    `start` is how the server is, or would be, started.
    """

    files: tuple[ConfigFile, ...]
    cut: str | None = None
    errors: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()
    resolution: "Resolution | None" = field(default=None, repr=False)
    launch: "Launch | None" = field(default=None, repr=False)
    tree: "ConfigTree | None" = field(default=None, repr=False, compare=False)
    start: "ServerStart | None" = field(default=None, repr=False)

    @property
    def never_read(self) -> tuple[ConfigFile, ...]:
        """The dead ones."""
        return tuple(file for file in self.files if file.role is FileRole.NEVER_READ)


@record
class ServerFacts:
    """PostgreSQL as it describes itself. `loaded_at` is when it last loaded its files (pg_conf_load_time).

    `missing` is what this role may not see, and the GRANT that would allow it; `untold` is what no role can
    see, for the server's version does not tell it. `tablespaces` counts those besides the two that every
    cluster has. `damaged_pages` are the pages whose checksum was wrong when they were read, since the
    statistics were reset (pg_stat_database), None where there are no checksums; `damaged_at` is when the last
    one was, `damaged_databases` where: the empty name for what all databases share. `replay_paused`: it is in
    recovery, and replays nothing until somebody says so (pg_is_wal_replay_paused).
    """

    version_num: int
    version: str
    in_recovery: bool
    started_at: float
    clock: float
    clock_read_at: float
    timeline: int
    segment_bytes: int
    system_identifier: str | None
    data_directory: str | None
    config_file: str | None
    database: str
    role: str
    superuser: bool
    missing: tuple[str, ...] = ()
    loaded_at: float | None = None
    untold: tuple[str, ...] = ()
    tablespaces: int = 0
    damaged_pages: int | None = None
    damaged_at: float | None = None
    damaged_databases: tuple[str, ...] = ()
    replay_paused: bool = False


@record
class ArchiverFacts:
    """pg_stat_archiver and the write position, read in one statement.

    `lsn` is the current write position, on a standby the last replayed one; `current_wal` its segment
    as this version's pg_walfile_name() names it. The other WAL names may be `.history`, `.backup`
    or `.partial`. `archiver_pid` is None when no archiver process runs, and
    when `archiver_visible` is False: PostgreSQL 13 does not list it, and it takes pg_read_all_stats.
    `ready_count` is None without pg_monitor's functions; where pg_wal holds thousands of files it is up to
    ten seconds older than the rest. `clock` is the server's own, which may have been set back since.
    """

    archived_count: int
    last_archived_wal: str | None
    last_archived_at: float | None
    failed_count: int
    last_failed_wal: str | None
    last_failed_at: float | None
    stats_reset_at: float | None
    lsn: int
    current_wal: str
    archiver_pid: int | None
    ready_count: int | None = None
    archiver_visible: bool = True
    clock: float | None = None


@record
class Setting:
    """A row of pg_settings. `value` is in force, in `unit`; `reset_value` is what a reload would keep.

    `sourcefile` and `sourceline` need pg_read_all_settings; without it they are None.
    """

    name: str
    value: str
    unit: str | None
    source: str
    sourcefile: str | None
    sourceline: int | None
    pending_restart: bool
    reset_value: str


@record
class SettingsFacts:
    """The archive-relevant settings, by name."""

    settings: tuple[Setting, ...]

    def get(self, name: str) -> Setting | None:
        """The setting, or None where this server has none of that name."""
        return next((setting for setting in self.settings if setting.name == name), None)

    def value(self, name: str) -> str | None:
        """Its value in force."""
        setting = self.get(name)
        return setting.value if setting else None


@record
class CatalogueFacts:
    """All of pg_settings and pg_db_role_setting.

    Both mappings are by name in lower case. `in_force` leaves out what belongs to the console's own
    session. `loaded_at` is when the server last loaded its files (pg_conf_load_time). Without
    pg_read_all_settings files and lines are None, and some settings missing.
    """

    metas: "Mapping[str, SettingMeta]"
    in_force: "Mapping[str, InForce]"
    role_settings: "tuple[RoleSetting, ...]"
    loaded_at: float | None
    version_num: int


@record
class SweepProgress:
    """How far a full listing is. `left_s` is an estimate, None while it cannot be made."""

    pages: int
    segments: int
    seconds: float
    left_s: float | None = None

    @property
    def segments_per_s(self) -> float:
        """So far, on average."""
        return self.segments / self.seconds if self.seconds > 0 else 0.0


@record
class RepeatedSegment:
    """One segment under two keys. `identical` is None where sizes and ETags do not tell."""

    name: str
    keys: tuple[str, str]
    identical: bool | None


@record
class SharedSegments:
    """Segments of one name in the main archive and in another place of its bucket: `place` names it.

    `newest` is the highest of them, `identical` whether its two objects are, None where sizes and
    ETags do not tell. Two clusters with a folder each share names and differ: that is no fault.
    """

    place: str
    segments: int
    newest: str
    identical: bool | None


@record
class NamedAlike:
    """Objects that begin with a segment's name and go on as no known writer's do: what they are is not known.

    `newest` is the highest name, `key` where it lies.
    """

    objects: int
    newest: str
    key: str

    @property
    def text(self) -> str:
        """What can be said of them, without a verb."""
        folder, slash, name = self.key.rpartition("/")
        under = f", under {folder}{slash}" if slash else ""
        named = f"{plural(self.objects, 'object')} named like this server's segments{under}"
        return safe(f"{named}, in a form that is not known ({name})")


@record
class MarkedDeleted:
    """What a bucket that keeps versions has under delete markers, where something is missing.

    As far as it was looked: `segments` of the `objects` are WAL; all keys are from `first_key` to
    `last_key`. `deleted_at` is when the last of them was deleted, by the store's clock.
    """

    objects: int
    segments: int
    first_key: str
    last_key: str
    deleted_at: float


@record
class BucketFacts:
    """What a bucket holds of the archive.

    `objects` and `stored_bytes` count everything under the prefix, `segments` the distinct WAL
    segments. `newest_segment` is the highest on the newest timeline, `newest_at` its Last-Modified
    as the store's clock tells it. `complete` is False while a first sweep still runs.

    Where one bucket holds several archives, segments, gaps and histories are those of the
    server's own, else of the one that was written to last, `layout` and `folder` say which, and
    `other_archives` names the others.
    `gaps` are the lowest and the highest, a thousand at most; `gap_count` and `missing_segments`
    count all of them.
    `backup_labels` are the .backup files, which the server archives at a base backup's end, `base_backups`
    the objects in base backups of the known writers, `backup_bytes` what they take, `wal_bytes` what the
    whole segments of all archives in it take. `repeated_segments` are stored under more than one
    key. `impossible_names` look like segments but cannot exist with `segment_bytes`. `key_endpoint` is
    what the key's source says of the endpoint, empty when nothing.

    `holding` is the archive's index, from which all else can be computed, `other_holdings` those of the
    others in the bucket. `continuity` follows the timelines by what `histories_read` say; `gaps`,
    `gap_count` and `missing_segments` are those of it that nobody accepted, `accepted_gaps` what an
    operator marked. `identities` are the heads of the newest and the oldest segment, `sampled` those of
    a few between them, chosen by chance. `progress` is set
    while a sweep runs. `checked_at` is when known gaps and the oldest key were last looked at.
    `remembered`: the index was saved by an earlier session, and found to be still this bucket's.
    `unread` says what of all this could not be read, and why.
    `newest_partial` is the segment of the highest .partial in any of its places: what a receiver of a stream
    was writing there, at the last listing at the latest.
    `doubted`: a poll saw that something of it is gone, and it was not listed anew yet. `lost` is what was
    there once and is gone without a reason, where it is no gap; what somebody accepted too. `backups` are
    those of every known writer, whole or not, as their own descriptions say; None before they were read.
    `drills` are the newest restore drills' results, likewise. `stanzas` are pgBackRest's whose archive.info
    the last whole listing has. `certificate` is from when to when the store's is valid.
    """

    role: BucketRole
    bucket: str
    endpoint: str
    key_hint: str
    objects: int
    stored_bytes: int
    segments: int
    newest_segment: str | None
    newest_at: float | None
    oldest_segment: str | None
    gaps: tuple[Gap, ...]
    histories: tuple[str, ...]
    foreign_objects: int
    complete: bool
    store_clock_offset_s: float | None
    swept_at: float
    newest_key: str | None = None
    layout: str = ""
    folder: str = ""
    other_archives: tuple[str, ...] = ()
    gap_count: int = 0
    missing_segments: int = 0
    repeated_segments: int = 0
    partials: int = 0
    newest_partial: str | None = None
    backup_labels: int = 0
    base_backups: int = 0
    backup_bytes: int = 0
    wal_bytes: int = 0
    impossible_names: int = 0
    segment_bytes: int | None = None
    key_endpoint: str = ""
    holding: "Holding | None" = field(default=None, repr=False)
    other_holdings: "tuple[Holding, ...]" = field(default=(), repr=False)
    continuity: "Continuity | None" = None
    histories_read: "Mapping[int, TimelineHistory]" = field(default_factory=dict, repr=False)
    identities: "tuple[SegmentIdentity, ...]" = ()
    sampled: "tuple[SegmentIdentity, ...]" = ()
    accepted_gaps: "tuple[AcceptedGap, ...]" = ()
    repeats: tuple[RepeatedSegment, ...] = ()
    shared: tuple[SharedSegments, ...] = ()
    progress: SweepProgress | None = None
    checked_at: float | None = None
    remembered: bool = False
    unread: tuple[str, ...] = ()
    doubted: bool = False
    lost: tuple[Gap, ...] = ()
    alike: NamedAlike | None = None
    backups: "tuple[BaseBackup | Unreadable, ...] | None" = field(default=None, repr=False)
    drills: "tuple[DrillResult | Unreadable, ...] | None" = field(default=None, repr=False)
    stanzas: tuple[str, ...] = ()
    marked: MarkedDeleted | None = None
    certificate: tuple[float, float] | None = None
