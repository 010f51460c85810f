"""pgBackRest's configuration for a profile: a repository in each copy, the cluster, what expires.

Options as its user guide and src/build/config/config.yaml name them; each is there from 2.39 on, the first
release that stores small files in bundles: a cluster has thousands, each of which were a request. No text in
here holds a secret: where a key belongs stands a place, `@id SECTION@` or `@secret SECTION@`, which is filled
in on the droplet from its rclone configuration.
"""

import math
from collections.abc import Iterator
from urllib.parse import urlsplit

from walconsole.domain.profile import BucketTarget, Profile
from walconsole.domain.recovery.by_tool import ClusterPlace
from walconsole.domain.recovery.keep import Keep
from walconsole.droplet.choices import BackupChoices, Compression, DropletChoices
from walconsole.droplet.names import names_of, remote_of
from walconsole.droplet.rendering import written_buckets

FIRST_RELEASE = (2, 39)
"""The first with repo-bundle; several repositories are there from 2.33 on."""
PROCESSES = 2
"""How many of its processes compress and send side by side, of a backup and of a restore."""
_TLS_PORT = 443
_COMPRESS_TYPES = {
    Compression.AUTO: "zst",
    Compression.ZSTD: "zst",
    Compression.GZIP: "gz",
    Compression.NONE: "none",
}


def unfit(profile: Profile, choices: DropletChoices, backup: BackupChoices) -> str:
    """Why the profile cannot be pgBackRest's, in words; empty where it can."""
    for target in written_buckets(profile, choices):
        if target.folder:
            return f"{target.bucket} is a folder: provisioning sets pgBackRest up for buckets alone"
        if urlsplit(target.endpoint).scheme != "https":
            return f"pgBackRest speaks TLS alone, and the endpoint of {target.bucket} is {target.endpoint}"
    if backup.recipients:
        return "backups.encrypt_for names age's keys, with which pgBackRest cannot encrypt"
    return ""


def configuration(
    profile: Profile, choices: DropletChoices, backup: BackupChoices, place: ClusterPlace
) -> str:
    """The whole file, with places for the keys."""
    lines = [
        f"# {profile.name}: pgBackRest's configuration, written by walconsole",
        "[global]",
    ]
    for number, target in enumerate(written_buckets(profile, choices), start=1):
        lines += _repository(profile, choices, number, target)
        lines += _retention(number, profile.keep, backup.incremental)
    lines += [
        f"compress-type={_COMPRESS_TYPES[choices.compression]}",
        f"process-max={PROCESSES}",
        f"lock-path={names_of(profile).backup_state}/lock",
        "# what it has to say is in PostgreSQL's log and in the journal",
        "log-level-file=off",
        "",
        f"[{profile.name}]",
        *place.lines,
        f"pg1-user={profile.postgres.user}",
        f"pg1-database={profile.postgres.database}",
    ]
    return "\n".join(lines) + "\n"


def _repository(
    profile: Profile, choices: DropletChoices, number: int, target: BucketTarget
) -> Iterator[str]:
    split, section = urlsplit(target.endpoint), remote_of(target)
    options = {
        "type": "s3",
        "path": f"/{target.prefix.strip('/')}",
        "bundle": "y",
        "s3-bucket": target.bucket,
        "s3-endpoint": split.hostname or "",
        "s3-region": target.signing_region,
        "s3-uri-style": "path" if target.path_style else "host",
        "s3-key": f"@id {section}@",
        "s3-key-secret": f"@secret {section}@",
    }
    if split.port not in (None, _TLS_PORT):
        options["storage-port"] = str(split.port)
    if target.ca_file and choices.authorities.text:
        options["storage-ca-file"] = names_of(profile).authorities
    yield from (f"repo{number}-{name}={value}" for name, value in options.items())


def _retention(number: int, keep: Keep | None, incremental: int) -> Iterator[str]:
    """pgBackRest has one rule, by number or by age: of both the one by which more stays.

    A full backup is taken every night, or after so many incremental ones: so many nights are so many days.
    """
    if keep is None:
        return
    if keep.days is None:
        yield f"repo{number}-retention-full-type=count"
        yield f"repo{number}-retention-full={keep.full}"
        return
    days = max(keep.days, (keep.full or 0) * (incremental + 1))
    yield f"repo{number}-retention-full-type=time"
    yield f"repo{number}-retention-full={math.ceil(days)}"
