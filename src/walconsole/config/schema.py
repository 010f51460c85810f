"""Every key of config.toml: what it must look like, what it means, what stands in when it is left out.

The reader, `config init`, `config show` and a test of docs/configuration.md all work from this table.
"""

from walconsole.config import checks
from walconsole.config.key import Key
from walconsole.config.notify_keys import NOTIFY_KEYS
from walconsole.config.recovery_keys import BACKUP_KEYS, DRILL_KEYS, KEEP_KEYS, SPARE_KEYS

CONSOLE_KEYS: tuple[Key, ...] = (
    Key(
        "default_profile",
        checks.text,
        '"shithub"',
        "which profile plain `walconsole` opens",
        "the only profile, when there is one",
    ),
    Key("theme", checks.text, '"night"', "the theme's name", "the one that was last chosen"),
    Key(
        "notify",
        checks.list_of(checks.alert),
        '["bell", "osc9"]',
        "how the terminal tells that the verdict got worse: its bell, a notification (OSC 9), or both",
        "it does not",
    ),
    Key("interval", checks.between(0.25, 16, "seconds"), "1.0", "seconds between two readings of SQL", "1.0"),
)

_HOST_KEYS = (
    Key(
        "host",
        checks.host,
        '"shithub.sh"',
        "the droplet: a name, an address or a Host of ~/.ssh/config",
        "required",
        variable="DEPLOY_HOST",
        required=True,
    ),
    Key("port", checks.port, "22", "the SSH port", "as ~/.ssh/config says, else 22"),
    Key("user", checks.login, '"root"', "the SSH user", "as ~/.ssh/config says, else your own name"),
    Key(
        "identity_files",
        checks.list_of(checks.local_path),
        '["~/.ssh/id_ed25519"]',
        "private keys to try, on this machine",
        "as ~/.ssh/config says, else OpenSSH's usual files",
    ),
    Key(
        "known_hosts_file",
        checks.local_path,
        '"~/.ssh/known_hosts"',
        "where host keys are looked up and added",
        "~/.ssh/known_hosts",
    ),
    Key(
        "ssh_config_file",
        checks.local_path,
        '"~/.ssh/config"',
        "OpenSSH's client configuration",
        "~/.ssh/config",
    ),
    Key("use_agent", checks.flag, "true", "whether the SSH agent's keys are offered", "true"),
    Key(
        "connect_timeout",
        checks.between(1, 120, "seconds"),
        "10",
        "seconds until a connection attempt is given up",
        "10",
    ),
    Key(
        "sudo",
        checks.flag,
        "true",
        "whether the host's facts are read as root through `sudo -n` when the SSH user is not root",
        "true",
    ),
    Key(
        "name",
        checks.short_name,
        '"shithub"',
        "the short name that the defaults below are made from",
        "the profile's own name",
    ),
    Key("read_only", checks.flag, "false", "whether everything that could change something is off", "false"),
    Key(
        "dr",
        checks.no_second_copy,
        '"none"',
        "no second copy is wanted; it stands in place of the table of that name, which goes",
        "there is one, or should be",
    ),
    Key(
        "expect_base_backups",
        checks.flag,
        "true",
        "whether base backups are taken and expected; without one nothing can be restored",
        "true",
    ),
    Key(
        "engine",
        checks.engine,
        '"rclone"',
        "what provisioning sets up: rclone (this console's own scripts) or pgbackrest",
        "rclone",
    ),
    Key(
        "tags",
        checks.list_of(checks.tag),
        '["production", "eu"]',
        "groups that it belongs to, where many are looked at",
        "none",
    ),
    Key(
        "drill_queries",
        checks.list_of(checks.text),
        '["SELECT 1 FROM pg_class"]',
        "SQL of yours that must give a row in the cluster that a restore drill restored",
        "none",
    ),
)

_POSTGRES_KEYS = (
    Key(
        "postgres.cluster",
        checks.cluster,
        '"15/main"',
        "the cluster, as pg_lsclusters shows it",
        "the only one; asked when there are several",
    ),
    Key("postgres.database", checks.text, '"postgres"', "the database to connect to", "postgres"),
    Key("postgres.user", checks.text, '"postgres"', "the role to connect as", "postgres"),
    Key(
        "postgres.os_user",
        checks.login,
        '"postgres"',
        "the operating system's user that peer authentication sees",
        "postgres",
    ),
    Key(
        "postgres.socket_dir",
        checks.absolute_path,
        '"/var/run/postgresql"',
        "where the server's socket lies on the droplet",
        "found on the host",
    ),
    Key("postgres.port", checks.port, "5432", "the server's port (it names the socket)", "found on the host"),
    Key(
        "postgres.password_env",
        checks.variable,
        '"PGPASSWORD"',
        "a variable that holds a password: then TCP through SSH replaces the socket",
        "none: peer authentication through the socket",
    ),
)


def _bucket_keys(
    role: str, suffix: str, region: str, variables: tuple[str, str], remote: str
) -> tuple[Key, ...]:
    return (*_place_keys(role, suffix, region, variables), *_key_pair_keys(role, remote))


def _place_keys(role: str, suffix: str, region: str, variables: tuple[str, str]) -> tuple[Key, ...]:
    """Where a copy is, and how it is asked."""
    bucket_variable, region_variable = variables
    return (
        Key(
            f"{role}.bucket",
            checks.bucket,
            f'"shithub-{suffix}"',
            "the bucket; or a folder: /mnt/wal on the droplet, user@host:/srv/wal by your own ssh",
            f"NAME-{suffix}",
            variable=bucket_variable,
        ),
        Key(
            f"{role}.region",
            checks.region,
            f'"{region}"',
            "the region",
            region,
            variable=region_variable,
        ),
        Key(
            f"{role}.endpoint",
            checks.endpoint,
            f'"https://{region}.digitaloceanspaces.com"',
            "the S3 endpoint",
            "Spaces in that region",
        ),
        Key(
            f"{role}.prefix", checks.prefix, '"wal/"', "what every key of the archive begins with", "nothing"
        ),
        Key(
            f"{role}.path_style",
            checks.flag,
            "false",
            "whether the bucket stands in the path, not in the host name",
            "false",
        ),
        Key(
            f"{role}.connections",
            checks.whole(1, 64, "connections"),
            "64",
            "how many requests may be under way at a time while a bucket is listed",
            "as many as the latency is worth, 64 at most",
        ),
        Key(
            f"{role}.ca_file",
            checks.local_path,
            '"~/lab-ca.pem"',
            "certificates (PEM) to trust instead of the usual ones; the step Archive command brings them to"
            " the droplet (but a collection of more than 16)",
            "the usual ones",
        ),
    )


def _key_pair_keys(role: str, remote: str) -> tuple[Key, ...]:
    """Where the pair comes from that it is asked with."""
    return (
        Key(
            f"{role}.keys",
            checks.key_source,
            '"droplet"',
            "where the S3 key pair comes from: droplet (its rclone.conf, read into memory),"
            " environment or keyring",
            "droplet",
        ),
        Key(
            f"{role}.access_key_env",
            checks.variable,
            '"AWS_ACCESS_KEY_ID"',
            'for keys = "environment": the variable that holds the key\'s id',
            "AWS_ACCESS_KEY_ID",
        ),
        Key(
            f"{role}.secret_key_env",
            checks.variable,
            '"AWS_SECRET_ACCESS_KEY"',
            'for keys = "environment": the variable that holds the secret',
            "AWS_SECRET_ACCESS_KEY",
        ),
        Key(
            f"{role}.keyring_service",
            checks.text,
            '"walconsole-shithub"',
            'for keys = "keyring": the service with the entries access_key_id and secret_access_key',
            "walconsole-NAME",
        ),
        Key(
            f"{role}.rclone_remote",
            checks.text,
            f'"{remote}"',
            'for keys = "droplet": the section of the droplet\'s rclone configuration',
            remote,
        ),
    )


_PATH_KEYS = (
    Key(
        "paths.dropin",
        checks.file_name,
        '"99_shithub_archive.conf"',
        "the drop-in in conf.d that sets the archive up",
        "99_NAME_archive.conf",
    ),
    Key(
        "paths.heartbeat",
        checks.absolute_path,
        '"/var/run/shithub-wal-archive.last-clean"',
        "the file that the verifier touches after a clean run",
        "/var/run/NAME-wal-archive.last-clean",
    ),
    Key(
        "paths.log",
        checks.absolute_path,
        '"/var/log/shithub/wal-archive.log"',
        "the archive command's log",
        "/var/log/NAME/wal-archive.log",
    ),
    Key(
        "paths.journal_tag",
        checks.text,
        '"shithub-wal-archive"',
        "the verifier's tag in the journal",
        "NAME-wal-archive",
    ),
    Key(
        "paths.rclone_config",
        checks.absolute_path,
        '"/etc/rclone-shithub.conf"',
        "the droplet's rclone configuration",
        "/etc/rclone-NAME.conf",
    ),
    Key(
        "paths.root",
        checks.absolute_path,
        '"/srv/trial"',
        "a folder below which everything is installed; for trial systems",
        "the root of the file system",
    ),
)

_API_KEYS = (
    Key(
        "api.endpoint",
        checks.endpoint,
        '"https://api.digitalocean.com"',
        "the keys API",
        "https://api.digitalocean.com",
    ),
    Key(
        "api.token_envs",
        checks.list_of(checks.variable),
        '["DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN"]',
        "variables that may hold the API token, tried in order, then doctl's own file",
        "DIGITALOCEAN_TOKEN, DIGITALOCEAN_ACCESS_TOKEN",
    ),
    Key(
        "api.app_key_name",
        checks.text,
        '"shithub-prod-app-rw"',
        "the name of the application's limited key",
        "NAME-prod-app-rw",
        variable="PROD_RW_KEY_NAME",
    ),
    Key(
        "api.ca_file",
        checks.local_path,
        '"/etc/ssl/certs/ca-certificates.crt"',
        "certificates to trust instead of the usual ones",
        "the usual ones",
    ),
)

_PRICE_KEYS = (
    Key("price.currency", checks.text, '"$"', "the sign before an amount", "$"),
    Key(
        "price.gib_month",
        checks.between(0, 1000, "a GiB and month"),
        "0.02",
        "what storing a GiB for a month costs",
        "0.02, Spaces' price beyond the subscription",
    ),
    Key(
        "price.included_gib",
        checks.between(0, 1e9, "GiB"),
        "250",
        "how many GiB the subscription includes, for all buckets of the account",
        "250",
    ),
    Key(
        "price.base_month",
        checks.between(0, 1e6, "a month"),
        "5.0",
        "what the subscription costs a month",
        "5.0",
    ),
)

PROFILE_KEYS: tuple[Key, ...] = (
    *_HOST_KEYS,
    *_POSTGRES_KEYS,
    *_bucket_keys("primary", "wal", "nyc3", ("WAL_BUCKET", "PRIMARY_REGION"), "spaces-prod"),
    *_bucket_keys("dr", "wal-dr", "sfo3", ("WAL_DR_BUCKET", "DR_REGION"), "spaces-dr"),
    *_PATH_KEYS,
    *BACKUP_KEYS,
    *DRILL_KEYS,
    *SPARE_KEYS,
    *_API_KEYS,
    *_PRICE_KEYS,
    *KEEP_KEYS,
    *NOTIFY_KEYS,
)

TABLES: dict[str, str] = {
    "postgres": "which server on that host, and as whom",
    "primary": "the archive's bucket",
    "dr": "its copy in another region",
    "paths": "names on the droplet that the runbook fixed",
    "backups": "how base backups are taken",
    "drills": "how restore drills are made",
    "recovery": "where drills and recoveries are made",
    "api": "DigitalOcean's keys API; the token itself never stands here",
    "price": "what storage costs, for the archive screen",
    "keep": "what retention keeps; `walconsole expire` deletes the rest",
    "notify": "who is told when nobody looks (`walconsole watch`); the secrets themselves never stand here",
}
"""The tables below a profile, in the order of the example."""

RESERVED_PROFILE_NAMES = (
    "backup", "check", "completion", "config", "demo", "drill", "expire", "explain", "fix", "fleet",
    "incidents", "moment", "probe", "provision", "record", "recover", "replay", "report", "undo", "watch",
)  # fmt: skip
"""The commands: a profile of that name could never be opened. A test holds them equal to the commands' table,
which stands above this folder and cannot be imported here."""
