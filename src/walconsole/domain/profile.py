"""What the operator says about one server: where it is, what its archive is called, where its keys are.

A profile holds no secret: it names the environment variables, keyring entries or remote files that do.
"""

from dataclasses import replace
from enum import StrEnum

from walconsole.domain.archive.cost import SPACES_PRICE, Price
from walconsole.domain.records import record
from walconsole.domain.recovery.keep import Keep

MOST_CONNECTIONS = 64
"""Spaces allows 1,500 requests a second from an address: where a page takes 40 ms these are about as many."""
MOST_READ_MIB_S = 1024
"""pg_basebackup's own upper limit for --max-rate."""
MOST_INCREMENTAL = 30
"""A restore needs all of them, and room for all: more are worth less with each."""


def is_folder(bucket: str) -> bool:
    """Whether the place of an archive is a folder's path, not a bucket's name: no bucket's has a slash."""
    return "/" in bucket


def folder_place(bucket: str) -> tuple[str, str]:
    """Host (`[user@]host`, empty for the droplet itself) and path of a folder; both empty for a bucket."""
    host, _, path = bucket.partition(":/")
    if not is_folder(bucket):
        return "", ""
    return ("", bucket) if "/" in host or not path else (host, f"/{path}")


class BucketRole(StrEnum):
    """Which copy of the archive a bucket holds."""

    PRIMARY = "primary"
    DR = "dr"


class Engine(StrEnum):
    """What archives the server and takes its base backups, where provisioning sets that up.

    RCLONE: this console's own scripts, which stream through rclone. PGBACKREST: pgBackRest, with a repository
    in each copy.
    """

    RCLONE = "rclone"
    PGBACKREST = "pgbackrest"


@record
class ClusterName:
    """A Debian cluster, `15/main`: the version as pg_lsclusters prints it, and the name."""

    version: str
    name: str

    def __str__(self) -> str:
        return f"{self.version}/{self.name}"


@record
class SshTarget:
    """Whom to connect to. None leaves the choice to ~/.ssh/config and to OpenSSH's defaults."""

    host: str
    port: int | None = None
    user: str | None = None
    identity_files: tuple[str, ...] = ()
    known_hosts_file: str | None = None
    config_file: str | None = None
    use_agent: bool = True
    connect_timeout_s: float = 10.0

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{user}{host}{f':{self.port}' if self.port else ''}"

    def instead(self, other: "SshTarget") -> "SshTarget":
        """Another host, of which `other` says name, user and port: reached as this one is in all else."""
        return replace(self, host=other.host, user=other.user or self.user, port=other.port)


@record
class PostgresTarget:
    """Which server on that host, and as whom. None: found on the host.

    `os_user` is the operating system's user that peer authentication shall see; the bridge to the
    socket runs as it. `password_env` names a local environment variable: when it is set the
    connection goes through a port forward with that password instead.
    """

    cluster: ClusterName | None = None
    database: str = "postgres"
    user: str = "postgres"
    os_user: str = "postgres"
    socket_dir: str | None = None
    port: int | None = None
    password_env: str | None = None

    @property
    def is_named(self) -> bool:
        """Whether one server is meant, and not the one that is there."""
        return any(each is not None for each in (self.cluster, self.socket_dir, self.port))


class KeySource(StrEnum):
    """Where the S3 key pair comes from."""

    ENVIRONMENT = "environment"
    KEYRING = "keyring"
    DROPLET = "droplet"


@record
class KeyReference:
    """Names of an S3 key pair, never the pair itself.

    ENVIRONMENT: two variables of the console's own environment. KEYRING: `keyring_service` with the
    entries `access_key_id` and `secret_access_key`. DROPLET: section `rclone_remote` of the
    droplet's rclone configuration, read over SSH into memory only; without a section the pair that the
    server's own archiver uses, as it was found there.
    """

    source: KeySource
    access_key_env: str = "AWS_ACCESS_KEY_ID"
    secret_key_env: str = "AWS_SECRET_ACCESS_KEY"  # noqa: S105  # the variable's name
    keyring_service: str = ""
    rclone_remote: str = ""


@record
class BucketTarget:
    """One bucket of the archive. `prefix` is empty or ends in a slash.

    A `bucket` that is a path is a folder instead: `/mnt/wal` on the droplet, `[user@]host:/srv/wal` on
    another host that is reached by SSH. Of such a one region, endpoint and keys say nothing.

    At most `connections` requests are under way at a time: as many as the store's latency is worth.
    `ca_text` is certificates (PEM) that were found on the droplet, to trust where `ca_file` names none.
    `unread` says why nobody can read this copy here, empty where it is read.
    """

    role: BucketRole
    bucket: str
    region: str
    endpoint: str
    keys: KeyReference
    prefix: str = ""
    path_style: bool = False
    ca_file: str | None = None
    connections: int = MOST_CONNECTIONS
    ca_text: str = ""
    unread: str = ""

    @property
    def folder(self) -> str:
        """The absolute path of a folder, empty for a bucket."""
        return folder_place(self.bucket)[1]

    @property
    def folder_host(self) -> str:
        """`[user@]host` of a folder on another host than the droplet, else empty."""
        return folder_place(self.bucket)[0]

    @property
    def signing_region(self) -> str:
        """The region that every request to this bucket is signed for: the one that its vendor has for all.

        Else the bucket's own; S3's first one where none is named.
        """
        from walconsole.domain.store.vendors import FIRST_REGION, vendor_of  # not before the first frame

        vendor = vendor_of(self.endpoint)
        return (vendor.signs_for if vendor is not None else "") or self.region or FIRST_REGION


@record
class DropletPaths:
    """Names on the droplet that the runbook fixed.

    What is installed lies below `root`, the file system's own but for the embedded droplet.
    """

    dropin: str
    heartbeat: str
    log: str
    journal_tag: str
    rclone_config: str
    root: str = ""


@record
class BackupSettings:
    """How base backups are taken, as far as it is chosen.

    `encrypt_for` is a file of age's public keys on the droplet; empty: they are not encrypted. `read_mib_s`
    bounds what is read from the server, `send_mib_s` what is sent to each copy; 0 is no bound. `at` is when
    the night's begins, `HH:MM` by the droplet's clock. So many `incremental` ones follow a full one.
    """

    encrypt_for: str = ""
    read_mib_s: int = 0
    send_mib_s: int = 0
    at: str = "03:10"
    incremental: int = 0


@record
class DrillSettings:
    """How restore drills are made, as far as it is chosen.

    `every_days` is after how many days without a good one another is due, and the console warns; None: none
    is expected. `at` is when the schedule looks whether one is, `HH:MM` by the droplet's clock.
    `folder` is where on the droplet the cluster is restored to, empty: below /var/lib. At most `limit_hours`
    each takes; `reserve_mib` stay free on that disk. Each of `queries`, SQL, must give a row in the restored
    cluster. `identity` is a file of age's secret keys on the droplet, by which encrypted base backups are
    restored; empty: they cannot be drilled.
    """

    every_days: float | None = None
    folder: str = ""
    at: str = "05:10"
    limit_hours: float = 6.0
    reserve_mib: int = 1024
    queries: tuple[str, ...] = ()
    identity: str = ""


@record
class ApiTarget:
    """The keys API. `token_envs` are tried in order, then doctl's own configuration file."""

    endpoint: str = "https://api.digitalocean.com"
    token_envs: tuple[str, ...] = ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN")
    app_key_name: str = ""
    ca_file: str | None = None


class WebhookShape(StrEnum):
    """What a webhook's receiver takes."""

    JSON = "json"
    SLACK = "slack"
    MATTERMOST = "mattermost"
    DISCORD = "discord"
    NTFY = "ntfy"


@record
class NotifySettings:
    """Who is told by `walconsole watch`, and when.

    What ends in `_env` names a secret: a systemd credential, an environment variable, or an entry of
    `keyring_service`. `command` are a program's words; Spans are minutes
    and hours, as they are written.
    """

    command: tuple[str, ...] = ()
    webhook_env: str = ""
    webhook_shape: WebhookShape = WebhookShape.JSON
    webhook_token_env: str = ""
    pagerduty_env: str = ""
    pagerduty_endpoint: str = "https://events.pagerduty.com"
    mail_to: tuple[str, ...] = ()
    mail_from: str = ""
    sendmail: str = "/usr/sbin/sendmail"
    smtp: str = ""
    smtp_user: str = ""
    smtp_password_env: str = ""
    ping_env: str = ""
    ping_minutes: float = 5.0
    keyring_service: str = ""
    worse_after_minutes: float = 2.0
    blind_after_minutes: float = 10.0
    well_after_minutes: float = 10.0
    again_hours: float = 24.0


@record
class Profile:
    """Everything that the console needs to know before it connects.

    `name` is the short name from which the defaults come; `sudo` runs the host's shell as root through `sudo
    -n` when the SSH user is not root. `expect_base_backups`: they are taken here, and that there is none is a
    fault. `keep` is what retention keeps, None: nothing is ever deleted. `second_copy`: one is wanted, in
    `dr`; else that bucket is never asked. `tags` are the groups that it stands in. `engine` is what
    provisioning sets up. `spare` is another host, on which drills and recoveries are made; None: on the
    droplet itself. `remembered_as` is its own, where others may have the same `name`.
    """

    name: str
    ssh: SshTarget
    sudo: bool
    postgres: PostgresTarget
    primary: BucketTarget
    dr: BucketTarget
    paths: DropletPaths
    api: ApiTarget
    read_only: bool = False
    expect_base_backups: bool = True
    price: Price = SPACES_PRICE
    keep: Keep | None = None
    backups: BackupSettings = BackupSettings()
    drills: DrillSettings = DrillSettings()
    notify: NotifySettings = NotifySettings()
    second_copy: bool = True
    tags: tuple[str, ...] = ()
    engine: Engine = Engine.RCLONE
    spare: SshTarget | None = None
    remembered_as: str = ""

    @property
    def kept_under(self) -> str:
        """The name under which this machine keeps what it remembers of it: incidents, its past."""
        return self.remembered_as or self.name

    @property
    def in_folders(self) -> bool:
        """Whether a copy is a folder: nothing is set up there."""
        return any(target.folder for target in self.buckets)

    @property
    def buckets(self) -> tuple[BucketTarget, ...]:
        """Those that are asked, the primary first."""
        return (self.primary, self.dr) if self.second_copy else (self.primary,)


def spaces_endpoint(region: str) -> str:
    """Spaces' address for a region (DigitalOcean's S3 documentation)."""
    return f"https://{region}.digitaloceanspaces.com"


def default_paths(name: str) -> DropletPaths:
    """The names that a deployment called `name` uses on its droplet."""
    return DropletPaths(
        dropin=f"99_{name}_archive.conf",
        heartbeat=f"/var/run/{name}-wal-archive.last-clean",
        log=f"/var/log/{name}/wal-archive.log",
        journal_tag=f"{name}-wal-archive",
        rclone_config=f"/etc/rclone-{name}.conf",
    )


def default_bucket(role: BucketRole, name: str, region: str) -> BucketTarget:
    """NAME-wal under the remote `spaces-prod`, or NAME-wal-dr under `spaces-dr`."""
    dr = role is BucketRole.DR
    return BucketTarget(
        role=role,
        bucket=f"{name}-wal-dr" if dr else f"{name}-wal",
        region=region,
        endpoint=spaces_endpoint(region),
        keys=KeyReference(KeySource.DROPLET, rclone_remote="spaces-dr" if dr else "spaces-prod"),
    )


def default_app_key_name(name: str) -> str:
    """The keys API's name of the application's limited key."""
    return f"{name}-prod-app-rw"
