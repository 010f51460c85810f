"""config.toml as it is written: a profile as a table, and the example that `walconsole config init` makes."""

import errno
import json
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from enum import StrEnum
from pathlib import Path

from walconsole.config.checks import UnfitError, days_text
from walconsole.config.key import Key
from walconsole.config.resolve import Resolved
from walconsole.config.schema import CONSOLE_KEYS, PROFILE_KEYS, TABLES
from walconsole.domain.profile import BucketTarget, ClusterName, NotifySettings, Profile
from walconsole.domain.recovery.keep import Keep
from walconsole.domain.redaction import safe
from walconsole.errors import ConfigError
from walconsole.operator_files.private import write_new


def profile_as_toml(profile: Profile, table_name: str) -> str:
    """`[profiles.TABLE_NAME]` and its tables, every key that has a value."""
    values = _values(profile)
    lines: list[str] = []
    for table in ("", *TABLES):
        if table == "dr" and not profile.second_copy:
            continue
        lines.append(f"[profiles.{table_name}{'.' if table else ''}{table}]")
        keys = [key for key in PROFILE_KEYS if key.table == table and values[key.path] not in (None, ())]
        lines += [*(f"{key.name} = {_literal(values[key.path])}" for key in keys), ""]
    return "\n".join(lines)


def _values(profile: Profile) -> dict[str, object]:
    ssh, postgres, api, paths = profile.ssh, profile.postgres, profile.api, profile.paths
    price, backups, drills = profile.price, profile.backups, profile.drills
    return {
        "name": profile.name,
        "host": ssh.host,
        "port": ssh.port,
        "user": ssh.user,
        "identity_files": ssh.identity_files,
        "known_hosts_file": ssh.known_hosts_file,
        "ssh_config_file": ssh.config_file,
        "use_agent": ssh.use_agent,
        "connect_timeout": ssh.connect_timeout_s,
        "sudo": profile.sudo,
        "read_only": profile.read_only,
        "tags": profile.tags or None,
        "dr": None if profile.second_copy else "none",
        "expect_base_backups": profile.expect_base_backups,
        "engine": profile.engine,
        "postgres.cluster": postgres.cluster,
        "postgres.database": postgres.database,
        "postgres.user": postgres.user,
        "postgres.os_user": postgres.os_user,
        "postgres.socket_dir": postgres.socket_dir,
        "postgres.port": postgres.port,
        "postgres.password_env": postgres.password_env,
        **_bucket_values(profile.primary),
        **_bucket_values(profile.dr),
        "paths.dropin": paths.dropin,
        "paths.heartbeat": paths.heartbeat,
        "paths.log": paths.log,
        "paths.journal_tag": paths.journal_tag,
        "paths.rclone_config": paths.rclone_config,
        "paths.root": paths.root or None,
        "backups.encrypt_for": backups.encrypt_for or None,
        "backups.read_mib_s": backups.read_mib_s,
        "backups.send_mib_s": backups.send_mib_s,
        "backups.at": backups.at,
        "backups.incremental": backups.incremental,
        "drills.every": None if drills.every_days is None else days_text(drills.every_days),
        "drills.at": drills.at,
        "drills.folder": drills.folder or None,
        "drills.limit_hours": drills.limit_hours,
        "drills.reserve_mib": drills.reserve_mib,
        "drills.identity": drills.identity or None,
        "drill_queries": drills.queries or None,
        "recovery.host": str(profile.spare) if profile.spare is not None else None,
        "api.endpoint": api.endpoint,
        "api.token_envs": api.token_envs,
        "api.app_key_name": api.app_key_name or None,
        "api.ca_file": api.ca_file,
        "price.currency": price.currency,
        "price.gib_month": price.per_gib_month,
        "price.included_gib": price.included_gib,
        "price.base_month": price.base_month,
        **_keep_values(profile.keep),
        **_notify_values(profile.notify),
    }


def _keep_values(keep: Keep | None) -> dict[str, object]:
    """Without rules none of them is written: the table alone would be a mistake."""
    fields = ("full", "days", "pins", "most_share")
    return {f"keep.{name}": None if keep is None else getattr(keep, name) for name in fields}


def _notify_values(settings: NotifySettings) -> dict[str, object]:
    """What is not said is left out."""
    values = {one.name: getattr(settings, one.name) for one in fields(settings)}
    return {f"notify.{name}": None if value in ("", ()) else value for name, value in values.items()}


def _bucket_values(target: BucketTarget) -> dict[str, object]:
    keys = target.keys
    values = {
        "bucket": target.bucket,
        "region": target.region or None,
        "endpoint": target.endpoint or None,
        "prefix": target.prefix,
        "path_style": target.path_style,
        "connections": target.connections,
        "ca_file": target.ca_file,
        "keys": keys.source,
        "access_key_env": keys.access_key_env,
        "secret_key_env": keys.secret_key_env,
        "keyring_service": keys.keyring_service or None,
        "rclone_remote": keys.rclone_remote or None,
    }
    return {f"{target.role}.{name}": value for name, value in values.items()}


def _literal(value: object) -> str:
    """A TOML literal. JSON's strings, numbers and booleans are TOML's too, but for a bare DEL."""
    if isinstance(value, tuple):
        return f"[{', '.join(_literal(item) for item in value)}]"
    if isinstance(value, StrEnum | ClusterName):
        return _literal(str(value))
    return json.dumps(value, ensure_ascii=False)


# -- The example, made from the schema.

_HEAD = """\
# walconsole's configuration. Every key that is left out has a default; only `host` is needed.
# No secret belongs here: the file names variables, keyring entries and remote files that hold them.
# `walconsole config check` says with line numbers what is wrong, `walconsole config show` what holds.
"""


def example() -> str:
    """The whole file: `host` is set, everything else is commented out with its default's meaning."""
    lines = [_HEAD, "[console]", *_keys(CONSOLE_KEYS, ""), ""]
    lines += ["# A profile is one server: `walconsole shithub` opens this one.", "[profiles.shithub]"]
    lines += _keys(PROFILE_KEYS, "")
    for table, meaning in TABLES.items():
        lines += ["", f"# {meaning[0].upper()}{meaning[1:]}.", f"[profiles.shithub.{table}]"]
        lines += _keys(PROFILE_KEYS, table)
    return "\n".join(lines) + "\n"


def _keys(keys: tuple[Key, ...], table: str) -> Iterator[str]:
    for key in keys:
        if key.table != table:
            continue
        also = f" ({key.variable} in the environment)" if key.variable else ""
        without = "Required" if key.required else f"Left out: {key.default}"
        comment = f"{key.meaning[0].upper()}{key.meaning[1:]}{also}. {without}."
        yield from textwrap.wrap(comment, 96, initial_indent="# ", subsequent_indent="# ")
        is_word = keys is PROFILE_KEYS and key.name in TABLES  # or the table below: only one of both can hold
        instead = "# " if is_word else "#"
        yield f"{'' if key.required else instead}{key.name} = {key.example}"


def written_for(resolved: Resolved, table_name: str) -> str:
    """The whole file for one server: what is not a default stands there with where it comes from.

    What a profile cannot hold (a place that is not read) stays a comment.
    """
    lines = [_HEAD, "[console]", *_keys(CONSOLE_KEYS, ""), ""]
    lines += [f"# {safe(note)}" for note in resolved.notes]
    lines += [f"[profiles.{table_name}]", *_set_keys("", resolved)]
    for table, meaning in TABLES.items():
        if table == "dr" and not resolved.profile.second_copy:
            continue
        lines += ["", f"# {meaning[0].upper()}{meaning[1:]}.", f"[profiles.{table_name}.{table}]"]
        lines += _set_keys(table, resolved)
    return "\n".join(lines) + "\n"


def _set_keys(table: str, resolved: Resolved) -> Iterator[str]:
    for key in PROFILE_KEYS:
        if key.table != table:
            continue
        setting = resolved.settings[key.path]
        if setting.origin == "default" or setting.value in (None, (), ""):
            yield from _keys((key,), table)
            continue
        literal = _literal(setting.value)
        unread = resolved.settings.get(f"{table}.unread")
        fit = _fits(key, literal) and (unread is None or not unread.value or key.name != "bucket")
        comment = f"{key.meaning[0].upper()}{key.meaning[1:]}. {safe(setting.origin)}"
        yield from textwrap.wrap(comment, 96, initial_indent="# ", subsequent_indent="# ")
        yield f"{'' if fit else '#'}{key.name} = {literal}"


def _fits(key: Key, literal: str) -> bool:
    try:
        key.check(tomllib.loads(f"v = {literal}")["v"])
    except (UnfitError, tomllib.TOMLDecodeError):
        return False
    return True


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is not a directory") from None


def write_example(path: Path, text: str | None = None) -> None:
    """Write the example, or `text`, for the operator alone (0600). Raises ConfigError; never overwrites."""
    tried = f"writing {path}"
    try:
        _make_folder(path.parent)
        write_new(path, example() if text is None else text)
    except FileExistsError:
        raise ConfigError(tried, "it exists", "edit it, or move it away first") from None
    except OSError as error:
        raise ConfigError(tried, error.strerror or str(error)) from None
