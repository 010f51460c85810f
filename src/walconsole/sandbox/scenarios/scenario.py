"""Scenarios as data: in which state the droplet is shown, and how it gets there."""

from dataclasses import replace
from enum import StrEnum

from walconsole.domain.records import record
from walconsole.sandbox.keys_api.keys import Grant

NAME = "demo"
BUCKET, DR_BUCKET = f"{NAME}-wal", f"{NAME}-wal-dr"
REGION, DR_REGION = "nyc3", "sfo3"
PORT = 5432
"""Only the socket's name: the server listens on no network address."""
ASSETS_GRANT = Grant(f"{NAME}-assets", "readwrite")
"""What the application's key was made for, before anybody thought of archiving WAL."""
WAL_GRANTS = (Grant(BUCKET, "readwrite"), Grant(DR_BUCKET, "readwrite"))


class Archiver(StrEnum):
    """What archives."""

    OURS = "walconsole"
    CP = "cp"
    PGBACKREST = "pgBackRest"

    @property
    def into_folder(self) -> bool:
        """Whether the archive is a folder that others set up."""
        return self is not Archiver.OURS


@record
class WriteSegments:
    """Write that many segments at once: a little WAL and a switch each."""

    count: int


@record
class WaitUntil:
    """Wait until `sql`, over pg_stat_archiver and the write position, is true. `what` is shown."""

    what: str
    sql: str


@record
class RevokeGrants:
    """Take the WAL buckets' grants from the application's key; it keeps the one on its assets."""


@record
class Throttle:
    """Have each transfer of the droplet's rclone wait so many seconds first, as over a slow network."""

    delay_s: float


@record
class Verify:
    """Run the verifier once, as its schedule does."""


@record
class BaseBackup:
    """Take one by the installed script, as its schedule does; `meanwhile` is done while it runs."""

    meanwhile: "tuple[WaitUntil | Verify, ...]" = ()


@record
class AgeBackup:
    """Let the base backup in both regions be so many days older, by its name and by its own account."""

    days: int


@record
class LoseOfBackup:
    """Delete an object of the base backup in both regions."""

    name: str


@record
class DamageBackup:
    """Change one byte of an object of the base backup in both regions: no listing tells."""

    name: str


@record
class Drill:
    """Make a restore drill by the installed script, as somebody does once a week; it may fail."""


@record
class LoseWalOfBackup:
    """Delete the WAL that the base backup needs, and all before it, from both regions."""


@record
class LoseSegments:
    """Delete what was archived from the buckets: positions counted from the oldest segment."""

    primary: tuple[int, ...] = ()
    dr: tuple[int, ...] = ()


@record
class SetInFile:
    """Let a file that is read after the drop-in set these, and reload."""

    settings: tuple[tuple[str, str], ...]


@record
class Sql:
    """Run statements as the superuser."""

    statements: tuple[str, ...]


class Target(StrEnum):
    """Files of the droplet that archiving needs."""

    COMMAND = "archive command"
    RCLONE = "rclone's configuration"


@record
class Mode:
    """Give one of them another mode."""

    target: Target
    mode: int


@record
class BreakEndpoint:
    """Have rclone's configuration name an address at which nothing listens."""


@record
class LabelledBackup:
    """Begin and end a base backup that somebody copies by hand: its label is archived with the WAL."""


@record
class PgBackRest:
    """Run pgBackRest with these words."""

    words: tuple[str, ...]


Act = (
    WriteSegments
    | WaitUntil
    | RevokeGrants
    | Throttle
    | Verify
    | BaseBackup
    | AgeBackup
    | LoseOfBackup
    | DamageBackup
    | Drill
    | LoseWalOfBackup
    | LoseSegments
    | SetInFile
    | Sql
    | Mode
    | BreakEndpoint
    | LabelledBackup
    | PgBackRest
)


@record
class Scenario:
    """`archiving`: the drop-in that archives is in the live configuration; else it is only in the dead one.

    `acts` are done in order before the droplet is ready. `segments_per_min` is the write load then. Where it
    practises a failure mode of another id than its name, `finding` is that. Where another `archiver` than
    ours archives, nothing of ours is installed, and there are no buckets.
    """

    name: str
    summary: str
    archiving: bool = True
    segments_per_min: float = 8.0
    acts: tuple[Act, ...] = ()
    finding: str = ""
    archiver: Archiver = Archiver.OURS


_ARCHIVED = "select archived_count >= {count} from pg_stat_archiver"
_FAILED = "select last_failed_time > coalesce(last_archived_time, '-infinity') from pg_stat_archiver"
_ALL_ARCHIVED = (
    "select not exists (select from pg_ls_archive_statusdir() where name like '%.ready')"
    " and archived_count > 0 from pg_stat_archiver"
)


def _archived(count: int) -> WaitUntil:
    return WaitUntil("the first segments are archived", _ARCHIVED.format(count=count))


_WORKS = (WriteSegments(2), BaseBackup(meanwhile=(_archived(2), Verify())))
"""Archiving works, and what was archived can be restored."""
_ALL = (
    Scenario(
        "incident",
        "archive_mode is off, the archive settings stand in a file that is never read, no bucket exists",
        archiving=False,
        acts=(WriteSegments(2),),
    ),
    Scenario(
        "healthy",
        "segments arrive in both regions",
        acts=_WORKS,
    ),
    Scenario(
        "failing",
        "the archive command's key lost its grants: 403 AccessDenied",
        acts=(
            *_WORKS,
            RevokeGrants(),
            WriteSegments(1),
            WaitUntil("the first upload fails", _FAILED),
        ),
    ),
    Scenario(
        "slow",
        "the archive command is slower than the WAL",
        segments_per_min=20.0,
        acts=(*_WORKS, Throttle(3.0), WriteSegments(12)),
    ),
    Scenario(
        "holes",
        "segments vanished from the archive: a gap in both regions, more in DR alone",
        acts=(
            SetInFile((("wal_keep_size", "512MB"),)),  # pg_wal still has what no bucket has: for an hour
            WriteSegments(5),
            BaseBackup(),
            WriteSegments(17),
            WaitUntil("everything is archived", _ALL_ARCHIVED),
            LoseSegments(primary=(10, 11, 12, 18), dr=(3, 10, 11, 12, 15, 16)),
            Verify(),
        ),
    ),
    Scenario(
        "idle",
        "everything is archived and nobody writes",
        segments_per_min=0.0,
        acts=(
            WriteSegments(2),
            BaseBackup(),
            WaitUntil("everything is archived", _ALL_ARCHIVED),
            Verify(),
        ),
    ),
    Scenario(
        "dropped-table",
        "somebody deleted orders and dropped the table a moment ago: find the moment (v, M), go back (U)",
        acts=(
            *_WORKS,
            Sql(
                (
                    "create table orders (id int primary key, customer text, cents int)",
                    "insert into orders select n, 'customer ' || n % 9, n * 9 from generate_series(1, 500) n",
                    "checkpoint",
                )
            ),
            WriteSegments(1),
            Sql(("delete from orders where id > 480", "drop table orders")),
            WriteSegments(1),
            WaitUntil("everything is archived", _ALL_ARCHIVED),
        ),
    ),
)


def _practice(name: str, summary: str, *acts: Act) -> Scenario:
    """Archiving worked, then this was broken, and one more segment is due."""
    return Scenario(name, summary, acts=(*_WORKS, *acts, WriteSegments(1)))


def _command(text: str) -> SetInFile:
    return SetInFile((("archive_command", text),))


_PRACTICE = (
    _practice("key-403", "the archive command's key lost its grants", RevokeGrants()),
    _practice(
        "auto-conf-override",
        "somebody's ALTER SYSTEM overrides the archive command",
        Sql(("alter system set archive_command = '/bin/false'", "select pg_reload_conf()")),
    ),
    _practice("command-empty", "the archive command is empty", _command("")),
    _practice("command-not-found", "a typo in the archive command", _command("/usr/local/bin/pg-arhive %p")),
    _practice("command-not-executable", "the archive command lost its x bit", Mode(Target.COMMAND, 0o644)),
    _practice(
        "rclone-config-unreadable", "the server may not read rclone's configuration", Mode(Target.RCLONE, 0)
    ),
    _practice("archiver-crash-loop", "the archive command kills itself", _command("kill -9 $$")),
    _practice("command-hangs", "the archive command never ends", _command("sleep 86400")),
    replace(
        _practice("permission", "the archive command may not write", _command("cp %p /root/%f")),
        finding="folder-not-writable",
    ),
    _practice("disk-full", "no space is left where the command writes", _command("cat %p > /dev/full")),
    _practice("silent-loss", "the archive command says yes and stores nothing", _command("/bin/true")),
    _practice("endpoint-wrong", "nothing listens at rclone's endpoint", BreakEndpoint()),
    _practice(
        "slot-retention",
        "a replication slot that nobody reads keeps WAL",
        SetInFile((("max_wal_size", "5MB"),)),
        Sql(("select pg_create_physical_replication_slot('old_standby', true)",)),
        WriteSegments(8),
    ),
    Scenario(
        "no-backup",
        "WAL is archived, and nobody ever took a base backup",
        acts=(WriteSegments(2), _archived(2), Verify()),
        finding="no-base-backup",
    ),
    _practice("backup-stale", "the newest base backup is nine days old", AgeBackup(9)),
    _practice("backup-broken", "the base backup's largest object was deleted", LoseOfBackup("base.tar.zst")),
    Scenario(
        "drill-fails",
        "all is green, and a byte of the base backup is wrong: only the restore drill has found out",
        acts=(*_WORKS, DamageBackup("base.tar.zst"), Drill()),
        finding="drill-failed",
    ),
    _practice(
        "wal-before-backup-gone",
        "what deletes WAL by its age deleted what the base backup needs",
        WaitUntil("everything is archived", _ALL_ARCHIVED),
        LoseWalOfBackup(),
    ),
)
"""One failure mode each, by the id of its finding (or with `finding`): to practise triage on."""
PRACTICE = {scenario.name: scenario for scenario in _PRACTICE}
SCENARIOS = {scenario.name: scenario for scenario in _ALL}
"""States that the console is shown in; each can be provisioned to green."""
_ARCHIVES = (
    Scenario(
        "folder",
        "a server that copies its WAL to a folder with cp, found by its archive_command alone",
        archiving=False,
        archiver=Archiver.CP,
        acts=(
            WriteSegments(1),
            LabelledBackup(),
            WriteSegments(4),
            WaitUntil("it is archived", _ALL_ARCHIVED),
        ),
    ),
    Scenario(
        "pgbackrest",
        "a server that archives with pgBackRest, into a repository on the droplet (where it is installed)",
        archiving=False,
        archiver=Archiver.PGBACKREST,
        acts=(
            PgBackRest(("stanza-create",)),
            WriteSegments(1),
            PgBackRest(("--type=full", "backup")),
            WriteSegments(3),
            WaitUntil("it is archived", _ALL_ARCHIVED),
        ),
    ),
)
ARCHIVES = {scenario.name: scenario for scenario in _ARCHIVES}
"""Archives that others set up: nothing is provisioned there."""
EVERY_SCENARIO = SCENARIOS | PRACTICE | ARCHIVES
