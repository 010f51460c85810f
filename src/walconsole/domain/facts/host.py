"""What a probe found of the droplet itself and of the clusters on it; times and None are as in `observed`."""

from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING

from walconsole.domain.facts.strain import NOT_KNOWN, Strain
from walconsole.domain.profile import ClusterName
from walconsole.domain.records import record
from walconsole.domain.redaction import safe

if TYPE_CHECKING:
    from walconsole.domain.recovery.backups import Unreadable
    from walconsole.domain.recovery.drill_result import DrillResult


class ServerState(StrEnum):
    """What a server is at, by the last line of its postmaster.pid (utils/pidfile.h, PM_STATUS)."""

    UNKNOWN = ""
    STARTING = "starting"
    STOPPING = "stopping"
    READY = "ready"
    """Also while it recovers from a crash of one of its processes."""
    STANDBY = "standby"
    """It replays, and lets nobody in: hot_standby is off."""
    SINGLE_USER = "single"
    """No server: one process in single-user mode (`postgres --single`)."""


@record
class ClusterFacts:
    """A PostgreSQL cluster on the host, from pg_lsclusters or from a running postmaster.

    `signals` are the files in its data directory that make its next start a recovery, or a standby's:
    `standby.signal`, `recovery.signal`; none where the directory may not be entered. `started_at` is by the
    host's clock, None where no server runs or it may not be read. `held`: its first process is stopped, by a
    signal or a debugger.
    """

    name: ClusterName | None
    port: int
    socket_dir: str
    data_directory: str
    config_file: str | None
    running: bool
    owner: str
    signals: tuple[str, ...] = ()
    state: ServerState = ServerState.UNKNOWN
    started_at: float | None = None
    held: bool = False

    def __str__(self) -> str:
        """`15/main on port 5432`; without a name its data directory, in the host's own words."""
        return safe(f"{self.name or self.data_directory or 'a postmaster'} on port {self.port}")


class VerifierSchedule(StrEnum):
    """What runs the verifier on the droplet. STOPPED: its timer is there, and inactive or failed."""

    NOT_INSTALLED = "not installed"
    RUNS = "runs"
    STOPPED = "its timer is stopped"
    MISSING = "it has neither timer nor cron entry"


@record
class HostFacts:
    """The droplet itself.

    `clock` is the host's time when the console's was `clock_read_at`, the middle of the round trip
    that read it: their difference is the offset, good to half of `round_trip_s`.
    `heartbeat_at` is when the verifier
    last called the archive clean, on the host's clock; None where it never did, or not since a boot. `drills`
    are the last restore drill that was made there and the newest that proved a restore, as far as there are.
    `chosen`: somebody named the cluster, or chose it of several.
    """

    hostname: str
    system: str
    kernel: str
    uptime_s: float | None
    load_1min: float | None
    clock: float
    clock_read_at: float
    round_trip_s: float
    cluster: ClusterFacts | None
    clusters: tuple[ClusterFacts, ...]
    postmaster_pid: int | None
    heartbeat_at: float | None
    missing: tuple[str, ...] = ()
    verifier: VerifierSchedule = VerifierSchedule.NOT_INSTALLED
    strain: Strain = NOT_KNOWN
    chosen: bool = False
    drills: "tuple[DrillResult | Unreadable, ...]" = field(default=(), repr=False)

    @property
    def clock_offset_s(self) -> float:
        """How far the host's clock is ahead of the console's."""
        return self.clock - self.clock_read_at

    @property
    def running_beside(self) -> tuple[ClusterFacts, ...]:
        """The servers that pg_lsclusters does not list and that run, while the observed one does not.

        One of them may be meant where nobody named a cluster: Debian makes one by itself.
        """
        if self.chosen or self.cluster is None or self.cluster.running:
            return ()
        return tuple(each for each in self.clusters if each.running and each.name is None)
