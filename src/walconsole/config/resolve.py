"""From layers of settings to one Profile, each value with its origin.

Order, the stronger first: the command line, the environment, the profile, the defaults.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from functools import lru_cache
from typing import NamedTuple, TypeVar

from walconsole.config import checks
from walconsole.config.reader import Setting, Settings
from walconsole.config.schema import PROFILE_KEYS
from walconsole.domain.archive.cost import SPACES_PRICE, Price
from walconsole.domain.profile import (
    MOST_CONNECTIONS,
    ApiTarget,
    BackupSettings,
    BucketRole,
    BucketTarget,
    ClusterName,
    DrillSettings,
    DropletPaths,
    Engine,
    KeyReference,
    KeySource,
    NotifySettings,
    PostgresTarget,
    Profile,
    SshTarget,
    default_app_key_name,
    default_paths,
    is_folder,
    spaces_endpoint,
)
from walconsole.domain.recovery.keep import DEFAULT_MOST_SHARE, Keep
from walconsole.domain.redaction import safe
from walconsole.errors import UsageError

T = TypeVar("T")

COMMAND_LINE = "command line"
"""The origin of what was said there."""
SSH_PORT = 22

_NOTIFY_NAMES = tuple(field.name for field in fields(NotifySettings))
_PATH_NAMES = tuple(field.name for field in fields(DropletPaths))
DEFAULT_REGIONS = {BucketRole.PRIMARY: "nyc3", BucketRole.DR: "sfo3"}
_BUCKET_DEFAULTS = {BucketRole.PRIMARY: ("wal", "spaces-prod"), BucketRole.DR: ("wal-dr", "spaces-dr")}


class Resolved(NamedTuple):
    """The profile, and every setting that it was made from with its origin, defaults included.

    `layers` and `fallback_name` are what it was resolved from.
    """

    profile: Profile
    settings: Settings
    notes: tuple[str, ...] = ()
    layers: tuple[Settings, ...] = ()
    fallback_name: str = ""


def from_environment(environment: Mapping[str, str]) -> dict[str, Setting]:
    """What the deployment's variables say (DEPLOY_HOST, ...). Raises UsageError that names the variable."""
    found: dict[str, Setting] = {}
    for key in PROFILE_KEYS:
        value = environment.get(key.variable, "").strip() if key.variable else ""
        if not value:
            continue
        try:
            if key.path == "host":
                found |= destination_settings(value, f"environment {key.variable}")
            else:
                found[key.path] = Setting(key.check(value), f"environment {key.variable}")
        except checks.UnfitError as unfit:
            raise UsageError(
                "reading the environment", f"{key.variable} {unfit}", f"correct or unset {key.variable}"
            ) from None
    return found


def destination_settings(value: str, origin: str) -> dict[str, Setting]:
    """`[user@]host[:port]` as settings. Raises UnfitError."""
    target = checks.destination(value)
    parts = {"host": target.host, "user": target.user, "port": target.port}
    return {path: Setting(part, origin) for path, part in parts.items() if part is not None}


def short_name(host: str) -> str:
    """`shithub` of `shithub.sh`; an address becomes one word, since nothing better is known."""
    word = _spelled(host) if checks.is_address(host) else host.partition(".")[0]
    cleaned = "".join(letter if letter.isalnum() else "-" for letter in word.lower() if letter.isascii())
    return cleaned.strip("-")[:52].strip("-") or "droplet"


def _spelled(address: str) -> str:
    """With the zero for which `::` stands at an end: `::1` is not the 1 that its letters leave."""
    begun = f"0{address}" if address.startswith("::") else address
    return f"{begun}0" if begun.endswith("::") else begun


def _remembered_as(settings: Settings, fallback_name: str) -> str:
    """By the profile's own name in the file, where two may have one short `name`; by the whole host where
    there is no profile: two hosts `db1` of two domains have nothing in common.
    """
    if settings["name"].origin == COMMAND_LINE:
        return ""
    port = settings["port"].value
    told = port if isinstance(port, int) and port != SSH_PORT else None
    own = fallback_name or str(SshTarget(str(settings["host"].value).lower(), told))
    return "" if own == settings["name"].value else own


def resolve(layers: list[Settings], fallback_name: str = "") -> Resolved:
    """The profile that `layers`, the strongest first, describe; `host` must be among them.

    `fallback_name` is the profile's own name in the file; without one the host's first label serves.
    """
    chosen: dict[str, Setting] = {}
    for layer in reversed(layers):
        chosen |= layer
    primary = chosen.get("primary.bucket")
    if primary and is_folder(str(primary.value)) and not any(path.startswith("dr.") for path in chosen):
        chosen.setdefault("dr", Setting("none", "default"))  # of a folder no second copy is expected
    if "dr" in chosen:  # nothing of that bucket holds
        chosen = {path: setting for path, setting in chosen.items() if not path.startswith("dr.")}
    host = str(chosen["host"].value)
    chosen.setdefault("name", Setting(_usable_name(fallback_name) or short_name(host), "default"))
    complete = {path: _default(value) for path, value in _defaults(chosen).items()} | chosen
    profile = _profile(complete, _remembered_as(complete, fallback_name))
    return Resolved(profile, complete, (), tuple(layers), fallback_name)


@lru_cache(typed=True)
def _default(value: object) -> Setting:
    """One for all profiles: of hundreds, nine in ten settings are defaults."""
    return Setting(value, "default")


def _usable_name(name: str) -> str:
    try:
        return checks.short_name(name)
    except checks.UnfitError:
        return ""


def _defaults(chosen: Settings) -> dict[str, object]:
    """Every key's default for what has been chosen so far, None where the choice is left open."""
    name = str(chosen["name"].value)
    paths = default_paths(name)
    values: dict[str, object] = {key.path: None for key in PROFILE_KEYS}
    values |= {
        "identity_files": (),
        "use_agent": True,
        "connect_timeout": SshTarget("").connect_timeout_s,
        "sudo": True,
        "read_only": False,
        "expect_base_backups": True,
        "engine": Engine.RCLONE,
        "tags": (),
        "postgres.database": PostgresTarget().database,
        "postgres.user": PostgresTarget().user,
        "postgres.os_user": PostgresTarget().os_user,
        "backups.read_mib_s": BackupSettings().read_mib_s,
        "backups.send_mib_s": BackupSettings().send_mib_s,
        "backups.at": BackupSettings().at,
        "backups.incremental": BackupSettings().incremental,
        "drills.at": DrillSettings().at,
        "drills.limit_hours": DrillSettings().limit_hours,
        "drills.reserve_mib": DrillSettings().reserve_mib,
        "api.endpoint": ApiTarget().endpoint,
        "api.token_envs": ApiTarget().token_envs,
        "api.app_key_name": default_app_key_name(name),
        "price.currency": SPACES_PRICE.currency,
        "price.gib_month": SPACES_PRICE.per_gib_month,
        "price.included_gib": SPACES_PRICE.included_gib,
        "price.base_month": SPACES_PRICE.base_month,
        "keep.pins": (),
        "keep.most_share": DEFAULT_MOST_SHARE,
    }
    values |= {f"paths.{key}": getattr(paths, key) or None for key in _PATH_NAMES}
    values |= {f"notify.{key}": getattr(NotifySettings(), key) for key in _NOTIFY_NAMES}
    values["notify.keyring_service"] = f"walconsole-{name}"
    for role in BucketRole:
        values |= _bucket_defaults(role, name, chosen)
    return values


def _bucket_defaults(role: BucketRole, name: str, chosen: Settings) -> dict[str, object]:
    suffix, remote = _BUCKET_DEFAULTS[role]
    region = chosen.get(f"{role}.region")
    bucket = chosen.get(f"{role}.bucket")
    in_folder = bucket is not None and is_folder(str(bucket.value))
    place = str(region.value) if region else "" if in_folder else DEFAULT_REGIONS[role]
    names = KeyReference(KeySource.ENVIRONMENT)
    return {
        f"{role}.bucket": f"{name}-{suffix}",
        f"{role}.region": place,
        f"{role}.endpoint": "" if in_folder else spaces_endpoint(place),
        f"{role}.prefix": "",
        f"{role}.path_style": False,
        f"{role}.connections": MOST_CONNECTIONS,
        f"{role}.keys": KeySource.DROPLET,
        f"{role}.access_key_env": names.access_key_env,
        f"{role}.secret_key_env": names.secret_key_env,
        f"{role}.keyring_service": f"walconsole-{name}",
        f"{role}.rclone_remote": remote,
    }


class _Values:
    """Typed access to checked settings: a mismatch is our own mistake, never the operator's."""

    def __init__(self, settings: Settings, table: str = "") -> None:
        self._settings = settings
        self._prefix = f"{table}." if table else ""

    def get(self, key: str, wanted: type[T]) -> T:
        value = self._settings[f"{self._prefix}{key}"].value
        if not isinstance(value, wanted):
            raise TypeError(
                f"{self._prefix}{key}: {type(value).__name__} where {wanted.__name__} was promised"
            )
        return value

    def maybe(self, key: str, wanted: type[T]) -> T | None:
        return None if self._settings[f"{self._prefix}{key}"].value is None else self.get(key, wanted)


def _profile(settings: Settings, remembered_as: str) -> Profile:
    top = _Values(settings)
    paths = _Values(settings, "paths")
    return Profile(
        name=top.get("name", str),
        ssh=_ssh(top),
        sudo=top.get("sudo", bool),
        postgres=_postgres(_Values(settings, "postgres")),
        primary=_bucket(BucketRole.PRIMARY, settings),
        dr=_bucket(BucketRole.DR, settings),
        paths=DropletPaths(**{key: paths.maybe(key, str) or "" for key in _PATH_NAMES}),
        api=_api(_Values(settings, "api")),
        read_only=top.get("read_only", bool),
        expect_base_backups=top.get("expect_base_backups", bool),
        price=_price(_Values(settings, "price")),
        keep=_keep(_Values(settings, "keep")),
        backups=_backups(_Values(settings, "backups")),
        drills=_drills(_Values(settings, "drills"), top.maybe("drill_queries", tuple)),
        notify=_notify(_Values(settings, "notify")),
        second_copy=not settings["dr"].value,
        tags=top.get("tags", tuple),
        engine=top.get("engine", Engine),
        spare=_spare(_ssh(top), _Values(settings, "recovery")),
        remembered_as=remembered_as,
    )


def _spare(ssh: SshTarget, values: _Values) -> SshTarget | None:
    """The other host, reached as the droplet is."""
    named = values.maybe("host", SshTarget)
    return ssh.instead(named) if named is not None else None


def _backups(values: _Values) -> BackupSettings:
    return BackupSettings(
        encrypt_for=values.maybe("encrypt_for", str) or "",
        read_mib_s=values.get("read_mib_s", int),
        send_mib_s=values.get("send_mib_s", int),
        at=values.get("at", str),
        incremental=values.get("incremental", int),
    )


def _drills(values: _Values, queries: tuple[str, ...] | None) -> DrillSettings:
    return DrillSettings(
        every_days=values.maybe("every", float),
        folder=values.maybe("folder", str) or "",
        at=values.get("at", str),
        limit_hours=values.get("limit_hours", float),
        reserve_mib=values.get("reserve_mib", int),
        queries=queries or (),
        identity=values.maybe("identity", str) or "",
    )


def _notify(values: _Values) -> NotifySettings:
    defaults = NotifySettings()
    return NotifySettings(**{name: values.get(name, type(getattr(defaults, name))) for name in _NOTIFY_NAMES})


def _keep(values: _Values) -> Keep | None:
    """None without a rule: nothing is ever deleted."""
    full, days = values.maybe("full", int), values.maybe("days", float)
    if full is None and days is None:
        return None
    return Keep(full, days, values.get("pins", tuple), values.get("most_share", float))


def _price(values: _Values) -> Price:
    return Price(
        currency=values.get("currency", str),
        per_gib_month=values.get("gib_month", float),
        included_gib=values.get("included_gib", float),
        base_month=values.get("base_month", float),
    )


def _ssh(values: _Values) -> SshTarget:
    return SshTarget(
        host=values.get("host", str),
        port=values.maybe("port", int),
        user=values.maybe("user", str),
        identity_files=values.get("identity_files", tuple),
        known_hosts_file=values.maybe("known_hosts_file", str),
        config_file=values.maybe("ssh_config_file", str),
        use_agent=values.get("use_agent", bool),
        connect_timeout_s=values.get("connect_timeout", float),
    )


def _postgres(values: _Values) -> PostgresTarget:
    return PostgresTarget(
        cluster=values.maybe("cluster", ClusterName),
        database=values.get("database", str),
        user=values.get("user", str),
        os_user=values.get("os_user", str),
        socket_dir=values.maybe("socket_dir", str),
        port=values.maybe("port", int),
        password_env=values.maybe("password_env", str),
    )


def _bucket(role: BucketRole, settings: Settings) -> BucketTarget:
    values = _Values(settings, role.value)
    source = values.get("keys", KeySource)
    keys = KeyReference(source)
    if source is KeySource.ENVIRONMENT:
        keys = replace(
            keys,
            access_key_env=values.get("access_key_env", str),
            secret_key_env=values.get("secret_key_env", str),
        )
    elif source is KeySource.KEYRING:
        keys = replace(keys, keyring_service=values.get("keyring_service", str))
    else:
        keys = replace(keys, rclone_remote=values.get("rclone_remote", str))
    return BucketTarget(
        role=role,
        bucket=values.get("bucket", str),
        region=values.get("region", str),
        endpoint=values.get("endpoint", str),
        keys=keys,
        prefix=values.get("prefix", str),
        path_style=values.get("path_style", bool),
        connections=values.get("connections", int),
        ca_file=values.maybe("ca_file", str),
        ca_text=_found(role, "ca_text", settings),
        unread=_found(role, "unread", settings),
    )


def _found(role: BucketRole, name: str, settings: Settings) -> str:
    """What no file says and only the host tells, empty where it was not asked."""
    setting = settings.get(f"{role}.{name}")
    return str(setting.value) if setting is not None else ""


def _api(values: _Values) -> ApiTarget:
    return ApiTarget(
        endpoint=values.get("endpoint", str),
        token_envs=values.get("token_envs", tuple),
        app_key_name=values.get("app_key_name", str),
        ca_file=values.maybe("ca_file", str),
    )


# -- A resolved profile in words: every value and where it comes from.


def described(resolved: Resolved) -> list[str]:
    """Lines `key  value  origin`, aligned, in the order of the schema."""
    rows = []
    for key in PROFILE_KEYS:
        if not resolved.profile.second_copy and key.table == "dr":
            continue
        setting = resolved.settings[key.path]
        value = key.default if setting.value is None else _text(setting.value)
        rows.append((key.path, safe(value), safe(setting.origin)))
    return [f"# {safe(note)}" for note in resolved.notes] + aligned(rows)


def aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Rows as lines, each column as wide as its widest cell."""
    table = list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in table]
    return ["  ".join(row).rstrip() for row in padded]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value) or "none"
    return str(value) or "none"
