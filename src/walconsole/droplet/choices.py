"""What of the droplet's scripts is chosen when they are installed; of backups and drills by the profile."""

from enum import StrEnum
from typing import Self

from walconsole.domain.profile import MOST_INCREMENTAL, MOST_READ_MIB_S, Profile
from walconsole.domain.records import record

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MOST_ARCHIVE_TIMEOUT_S = 2**30
"""PostgreSQL's own upper limit (guc_tables.c: INT_MAX / 2)."""


class Compression(StrEnum):
    """How segments are compressed. AUTO: zstd where the droplet has it, else gzip, else not at all."""

    AUTO = "auto"
    ZSTD = "zstd"
    GZIP = "gzip"
    NONE = "none"


class WalLevel(StrEnum):
    """What the drop-in sets as wal_level. KEEP leaves the line out, so that a server's own is not lowered."""

    REPLICA = "replica"
    LOGICAL = "logical"
    KEEP = "keep"


@record
class Authorities:
    """Certificates (PEM) by which the droplet shall know the stores; empty for none.

    `alone`: instead of the droplet's own; else beside them, since one copy needs those.
    """

    text: str = ""
    alone: bool = True


@record
class DropletChoices:
    """How this droplet shall archive.

    `to_dr`: a file counts as archived only when the DR bucket has it too, so that an outage there holds up
    archiving. `temp_root` is where compressed files stand for as long as it takes to send them. `path` is
    where the scripts look for programs. After `idle_timeout_s` without a byte, or without a connection, a
    request has failed. `restore_pauses_s` are slept between the restore command's tries while the archive
    cannot be asked; up to `restore_ahead` segments it brings at a
    time (1: each by itself). `cron_minute` is when cron, where there is no systemd, verifies. `authorities`
    are whom it trusts to be the stores.

    Raises ValueError for what cannot be.
    """

    compression: Compression = Compression.AUTO
    to_dr: bool = True
    archive_timeout_s: int = 60
    idle_timeout_s: int = 30
    wal_level: WalLevel = WalLevel.REPLICA
    temp_root: str = "/var/tmp"  # noqa: S108  # the droplet's; a private folder is made in it
    path: str = DEFAULT_PATH
    restore_pauses_s: tuple[int, ...] = (1, 2, 4, 8, 16)
    restore_ahead: int = 16
    cron_minute: int = 17
    authorities: Authorities = Authorities()

    @classmethod
    def for_profile(cls, profile: Profile) -> Self:
        """The defaults, as they are below the profile's root; no second copy where it wants none."""
        root, second = profile.paths.root, profile.second_copy
        if not root:
            return cls(to_dr=second)
        path = f"{root}/usr/local/bin:{root}/usr/bin:{DEFAULT_PATH}"
        return cls(to_dr=second, temp_root=f"{root}/var/tmp", path=path)  # noqa: S108  # the droplet's

    def __post_init__(self) -> None:
        if not 1 <= self.archive_timeout_s <= MOST_ARCHIVE_TIMEOUT_S:
            raise ValueError(f"archive_timeout must be 1 to 2**30 seconds, not {self.archive_timeout_s}")
        if self.idle_timeout_s < 1:
            raise ValueError(f"the time-out must be at least one second, not {self.idle_timeout_s}")
        if not 0 <= self.cron_minute <= 59:
            raise ValueError(f"cron's minute must be 0 to 59, not {self.cron_minute}")
        if not self.temp_root.startswith("/"):
            raise ValueError(f"the temporary folder must be an absolute path, not {self.temp_root!r}")
        if not 1 <= self.restore_ahead <= 64:
            raise ValueError(f"1 to 64 segments can be brought at a time, not {self.restore_ahead}")
        if any(pause < 0 for pause in self.restore_pauses_s):
            raise ValueError("a pause must not be negative")


@record
class DrillChoices:
    """How restore drills shall be made.

    Every night at `hour` and `minute`, by the droplet's clock (systemd adds up to `jitter_s`), one is made
    where the last good one is older than `every_s`; None: there is no schedule. The cluster is restored
    below `folder` (empty: the script's own below /var/lib), on whose disk `reserve_mib` stay free. A drill
    that takes longer than `limit_s` ends. After `patience_s` in which its witnesses are not archived it is
    given up; every `poll_s` it is looked at. Each of `queries` must give a row; one statement may take
    `statement_s`. Of what drills proved the newest `kept_results` stay in each copy, and the newest good one.
    `identity` is a file on the droplet with age's secret keys, by which encrypted base backups are restored;
    empty: they cannot be.

    Raises ValueError for what cannot be.
    """

    folder: str = ""
    queries: tuple[str, ...] = ()
    every_s: int | None = None
    hour: int = 5
    minute: int = 10
    jitter_s: int = 3600
    limit_s: int = 6 * 3600
    reserve_mib: int = 1024
    nice: int = 15
    patience_s: int = 900
    poll_s: int = 2
    statement_s: int = 120
    kept_results: int = 60
    identity: str = ""

    @classmethod
    def for_profile(cls, profile: Profile) -> Self:
        """What the profile says, else the defaults."""
        chosen = profile.drills
        hour, minute = (int(part) for part in chosen.at.split(":"))
        return cls(
            folder=chosen.folder,
            queries=chosen.queries,
            every_s=None if chosen.every_days is None else round(chosen.every_days * 86_400),
            hour=hour,
            minute=minute,
            limit_s=max(1, round(chosen.limit_hours * 3600)),
            reserve_mib=chosen.reserve_mib,
            identity=chosen.identity,
        )

    def __post_init__(self) -> None:
        if not (self.folder or "/").startswith("/") or not (self.identity or "/").startswith("/"):
            raise ValueError(f"a path must be absolute: {self.folder!r}, {self.identity!r}")
        if self.limit_s < 1 or self.reserve_mib < 0 or self.statement_s < 1:
            raise ValueError("the limits of a drill must be positive")
        if not 0 <= self.nice <= 19:
            raise ValueError(f"the niceness must be 0 to 19, not {self.nice}")
        if self.poll_s < 1 or self.patience_s < self.poll_s:
            raise ValueError(f"patience must be at least one look of {self.poll_s} s, which must take one")


@record
class BackupChoices:
    """How base backups shall be taken.

    `hour` and `minute` are when the night's backup begins, by the droplet's clock; systemd adds up to
    `jitter_s`. So many `incremental` ones follow a full one, where the server can. `read_mib_s` bounds what
    is read from the server, `send_mib_s` what is sent to each copy; 0 is no bound. After `patience_s` in
    which nothing moves, or in which the WAL that a backup needs does not come into the archive, it has
    failed; every `poll_s` it is looked at. `fast_checkpoint` has the server write its checkpoint at once,
    where otherwise it spreads it. `recipients` is a file of age's public keys on the droplet: only who has a
    secret key of one can restore. `memory_root` is where a few small files stand meanwhile.

    Raises ValueError for what cannot be.
    """

    hour: int = 3
    minute: int = 10
    jitter_s: int = 3600
    incremental: int = 0
    read_mib_s: int = 0
    send_mib_s: int = 0
    nice: int = 10
    patience_s: int = 900
    poll_s: int = 5
    fast_checkpoint: bool = False
    recipients: str = ""
    memory_root: str = "/dev/shm"  # noqa: S108  # the droplet's; a private folder is made in it

    @classmethod
    def for_profile(cls, profile: Profile) -> Self:
        """What the profile says, else the defaults, as they are below the profile's root."""
        chosen = profile.backups
        hour, minute = (int(part) for part in chosen.at.split(":"))
        return cls(
            hour=hour,
            minute=minute,
            incremental=chosen.incremental,
            read_mib_s=chosen.read_mib_s,
            send_mib_s=chosen.send_mib_s,
            recipients=chosen.encrypt_for,
            memory_root=f"{profile.paths.root}/dev/shm",  # noqa: S108  # as above
        )

    def __post_init__(self) -> None:
        if not (0 <= self.hour <= 23 and 0 <= self.minute <= 59):
            raise ValueError(
                f"the hour must be 0 to 23 and the minute 0 to 59, not {self.hour}:{self.minute}"
            )
        if not 0 <= self.read_mib_s <= MOST_READ_MIB_S:
            raise ValueError(
                f"the rate of reading must be 0 to {MOST_READ_MIB_S} MiB/s, not {self.read_mib_s}"
            )
        if self.send_mib_s < 0 or self.jitter_s < 0:
            raise ValueError("a rate, and a delay, must not be negative")
        if not 0 <= self.incremental <= MOST_INCREMENTAL:
            raise ValueError(f"of incremental backups there must be 0 to {MOST_INCREMENTAL} in turn")
        if not 0 <= self.nice <= 19:
            raise ValueError(f"the niceness must be 0 to 19, not {self.nice}")
        if self.poll_s < 1 or self.patience_s < self.poll_s:
            raise ValueError(f"patience must be at least one look of {self.poll_s} s, which must take one")
        if not self.memory_root.startswith("/") or not (self.recipients or "/").startswith("/"):
            raise ValueError(f"a path must be absolute: {self.memory_root!r}, {self.recipients!r}")
