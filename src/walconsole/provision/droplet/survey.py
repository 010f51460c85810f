"""What is known of a droplet before anything is changed: one look, shared by all steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from walconsole.domain.facts.observed import ClusterFacts


@dataclass(frozen=True, slots=True)
class RemoteFacts:
    """A section of the droplet's production rclone configuration: never its secret.

    `access_key` is the key's id, empty where the section has none: `env_auth` says that it is elsewhere.
    """

    name: str
    kind: str
    access_key: str
    endpoint: str
    region: str
    provider: str
    env_auth: bool = False


@dataclass(frozen=True, slots=True)
class RcloneFacts:
    """rclone on the droplet. `problem` is why its configuration cannot be used, empty where it can.

    `readable` is whether the database's OS user can read the configuration; `mode` as 0640.
    """

    version: tuple[int, int, int] | None
    config: str
    exists: bool
    readable: bool
    owner: str
    group: str
    mode: int
    remotes: tuple[RemoteFacts, ...]
    problem: str = ""

    def remote(self, name: str) -> RemoteFacts | None:
        """The section of that name."""
        return next((remote for remote in self.remotes if remote.name == name), None)


@dataclass(frozen=True, slots=True)
class ServerSurvey:
    """PostgreSQL, asked as its own OS user through its socket. Settings are as SHOW prints them."""

    version_num: int
    in_recovery: bool
    system_identifier: str
    segment_bytes: int
    timeline: int
    config_file: str
    data_directory: str
    started_at: float
    settings: Mapping[str, str]
    """wal_level, archive_mode, archive_command, archive_timeout, from 15 on archive_library, and more."""


@dataclass(frozen=True, slots=True)
class ConfiguredSetting:
    """What a server that is started now would take: the value, and `where`: `FILE:LINE` or an argument."""

    value: str
    where: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What one look found. What could not be found out is None or empty, and `missing` says why.

    `tools` has each program that is there with its path. `systemd` is whether it runs the host.
    `conf_d` is the folder that the live configuration includes, None where it includes none.
    `region` is the droplet's own by DigitalOcean's metadata service.
    """

    taken_at: float
    hostname: str
    login: str
    root: bool
    tools: Mapping[str, str]
    systemd: bool
    cluster: ClusterFacts | None
    server: ServerSurvey | None
    server_problem: str
    conf_d: str | None
    rclone: RcloneFacts
    clock_offset_s: float | None
    free_bytes: Mapping[str, int]
    region: str | None
    missing: tuple[str, ...] = ()
    unit: str = ""
    """The systemd unit that runs the cluster, `postgresql@15-main.service`; empty where none does."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Of the postmaster, names of AWS_* and RCLONE_* variables alone, their values left out."""
    configured: Mapping[str, ConfiguredSetting] = field(default_factory=dict)
    """Of the settings about archiving, those that files or the command line set; with archiving off the
    server itself shows every archive_command as `(disabled)`."""
    crontabs: bool = False
    """Whether there are a cron and its /etc/cron.d."""
