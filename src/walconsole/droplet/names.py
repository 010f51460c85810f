"""What the installed files are called, and which remotes of the droplet's rclone configuration they use."""

import re
from collections.abc import Mapping
from typing import Self

from walconsole.domain.profile import BucketRole, BucketTarget, Profile
from walconsole.domain.records import record

_SHORT_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,50}[a-z0-9])?")
_REMOTES = {BucketRole.PRIMARY: "spaces-prod", BucketRole.DR: "spaces-dr"}
"""The runbook's names, for a profile whose keys come from elsewhere than the droplet."""


@record
class InstalledNames:
    """Where the files of one deployment are on its droplet.

    `authorities` are the certificates by which rclone knows the stores, where the profile names any.
    `backup_state` is a folder of the cluster's owner: the base backup's lock, what it does now, and which
    runs may have left something behind; `drill_state` is the restore drill's, likewise, and `recover_state`
    tells where a recovery stands. `pgbackrest_config` is that of the engine pgBackRest: it holds keys.
    """

    archive: str
    restore: str
    authorities: str
    verifier: str
    service: str
    timer: str
    cron: str
    logrotate: str
    backup: str
    backup_service: str
    backup_timer: str
    backup_cron: str
    backup_state: str
    drill: str
    drill_service: str
    drill_timer: str
    drill_cron: str
    drill_state: str
    recover: str
    recover_state: str
    pgbackrest_config: str

    @classmethod
    def of(cls, name: str, root: str = "") -> Self:
        """Those of the deployment called `name`, below `root`.

        Raises ValueError where it is no profile's short name.
        """
        if not _SHORT_NAME.fullmatch(name):
            raise ValueError(f"not a profile's name (lower-case letters, digits, dashes): {name!r}")
        verifier, backup = f"{name}-verify-wal-archive", f"{name}-base-backup"
        drill, recover = f"{name}-restore-drill", f"{name}-recover"
        return cls(
            archive=f"{root}/usr/local/bin/{name}-pg-archive",
            restore=f"{root}/usr/local/bin/{name}-pg-restore",
            authorities=f"{root}/etc/rclone-{name}-ca.pem",
            verifier=f"{root}/usr/local/bin/{verifier}",
            service=f"{root}/etc/systemd/system/{verifier}.service",
            timer=f"{root}/etc/systemd/system/{verifier}.timer",
            cron=f"{root}/etc/cron.d/{verifier}",
            logrotate=f"{root}/etc/logrotate.d/{name}-wal-archive",
            backup=f"{root}/usr/local/bin/{backup}",
            backup_service=f"{root}/etc/systemd/system/{backup}.service",
            backup_timer=f"{root}/etc/systemd/system/{backup}.timer",
            backup_cron=f"{root}/etc/cron.d/{backup}",
            backup_state=f"{root}/var/lib/{backup}",
            drill=f"{root}/usr/local/bin/{drill}",
            drill_service=f"{root}/etc/systemd/system/{drill}.service",
            drill_timer=f"{root}/etc/systemd/system/{drill}.timer",
            drill_cron=f"{root}/etc/cron.d/{drill}",
            drill_state=f"{root}/var/lib/{drill}",
            recover=f"{root}/usr/local/bin/{recover}",
            recover_state=f"{root}/var/lib/{recover}",
            pgbackrest_config=f"{root}/etc/pgbackrest-{name}.conf",
        )


def names_of(profile: Profile) -> InstalledNames:
    """Where this profile's files are. Raises ValueError as InstalledNames.of does."""
    return InstalledNames.of(profile.name, profile.paths.root)


def remote_of(target: BucketTarget) -> str:
    """The section of the droplet's rclone configuration through which it reaches this bucket."""
    return target.keys.rclone_remote or _REMOTES[target.role]


def rclone_path(target: BucketTarget) -> str:
    """`REMOTE:BUCKET/PREFIX`, ending in a slash: a file's name completes it.

    The slash also keeps rclone from asking whether the prefix itself is an object.
    """
    return f"{remote_of(target)}:{target.bucket}/{target.prefix}"


@record
class RcloneNames:
    """How the droplet's rclone names each copy (`REMOTE:BUCKET/PREFIX`, with a slash), and its configuration.

    A folder is named by its path, as rclone's local file system is. `trust` is the variable, and its value,
    by which it heeds the profile's certificates; None where there are none. Nothing in it is secret.
    """

    copies: Mapping[BucketRole, str]
    config: str
    trust: tuple[str, str] | None = None


def rclone_names(profile: Profile) -> RcloneNames:
    """Those of this profile."""
    copies = {
        target.role: f"{target.bucket.rstrip('/')}/{target.prefix}" if target.folder else rclone_path(target)
        for target in profile.buckets
    }
    own = [bool(target.ca_file) for target in profile.buckets]
    place = names_of(profile).authorities if any(own) else ""
    trust = (trust_variable(alone=all(own)), place) if place else None
    return RcloneNames(copies, profile.paths.rclone_config, trust)


def trust_variable(*, alone: bool) -> str:
    """The variable that has rclone heed a file of certificates: instead of the system's, or beside them.

    Go reads SSL_CERT_FILE instead of the system's one file, and the system's folders nevertheless
    (crypto/x509, root_unix.go): so both are trusted.
    """
    return "RCLONE_CA_CERT" if alone else "SSL_CERT_FILE"
