"""A profile as a table of config.toml: what `load` and `resolve` make the same profile of again."""

import json
from enum import StrEnum

from walconsole.config.schema import PROFILE_KEYS, TABLES
from walconsole.domain.profile import BucketTarget, ClusterName, Profile


def profile_as_toml(profile: Profile, table_name: str) -> str:
    """`[profiles.TABLE_NAME]` and its tables, every key that has a value."""
    values = _values(profile)
    lines: list[str] = []
    for table in ("", *TABLES):
        lines.append(f"[profiles.{table_name}{'.' if table else ''}{table}]")
        keys = [key for key in PROFILE_KEYS if key.table == table and values[key.path] not in (None, ())]
        lines += [*(f"{key.name} = {_literal(values[key.path])}" for key in keys), ""]
    return "\n".join(lines)


def _values(profile: Profile) -> dict[str, object]:
    ssh, postgres, api, paths = profile.ssh, profile.postgres, profile.api, profile.paths
    price = profile.price
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
        "api.endpoint": api.endpoint,
        "api.token_envs": api.token_envs,
        "api.app_key_name": api.app_key_name or None,
        "api.ca_file": api.ca_file,
        "price.currency": price.currency,
        "price.gib_month": price.per_gib_month,
        "price.included_gib": price.included_gib,
        "price.base_month": price.base_month,
    }


def _bucket_values(target: BucketTarget) -> dict[str, object]:
    keys = target.keys
    values = {
        "bucket": target.bucket,
        "region": target.region,
        "endpoint": target.endpoint,
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
