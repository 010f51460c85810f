"""The host's own facts and pg_wal's, in one script and one round trip; and where the cluster is."""

import asyncio
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

from walconsole.domain.facts.host import ClusterFacts, HostFacts, VerifierSchedule
from walconsole.domain.facts.snapshot import Problem, Snapshot
from walconsole.domain.facts.strain import NOT_KNOWN, ProcessorTime, Strain, processor_time, strain
from walconsole.domain.profile import Profile
from walconsole.domain.records import record
from walconsole.domain.recovery.backups import Unreadable
from walconsole.domain.recovery.drill_result import DrillResult
from walconsole.domain.round_trips import ShellAnswer
from walconsole.droplet.names import names_of
from walconsole.errors import ClusterChoiceError
from walconsole.observe.host.clusters import (
    Cluster,
    ClusterChoice,
    candidates,
    describe,
    public,
    read_cluster,
)
from walconsole.observe.host.host_script import (
    Group,
    HostAnswer,
    Look,
    modified_at,
    read_answer,
    read_backup_script,
    read_drills,
    read_wal_disk,
)
from walconsole.observe.poller.probe import Fact, problem_of
from walconsole.ports import Clock, Operator, Shell

FULL_LOOK_EVERY_S = 60.0
"""pg_lsclusters is a Perl program of 100 ms."""
SEARCH_EVERY_S = 10.0
"""How often the host is searched while no cluster is observed."""
SCRIPT_S = 6.0
MANY_FILES = 5_000
"""Above this many files in pg_wal they are counted only every MANY_EVERY-th look (50,000: 50 ms)."""
MANY_EVERY = 5

_CLOCK = re.compile(r"(\d{1,11})(?:[.,](\d{1,9}))?")
_LASTING = ("name", "listed_port", "status", "owner", "log", "config", "guessed_socket")
"""What only a full look tells about a cluster."""


@record
class _Host:
    """What changes no more than once a minute: from the last full look."""

    hostname: str
    system: str
    kernel: str
    privileged: bool
    verifier: VerifierSchedule
    drills: tuple[DrillResult | Unreadable, ...] = ()


class HostProbe:
    """Fills HOST, WAL_DISK and BACKUP_SCRIPT, and locates the cluster (ports.ClusterLocator).

    PostgreSQL being down is no failure of this probe: the cluster is known, and does not run. What hardly
    ever changes is looked at once in `full_every_s`.
    """

    name = "the host's /proc and file systems"
    slots = (Snapshot.host, Snapshot.wal_disk, Snapshot.backup_script)
    cadence_s = 2.0
    timeout_s = 18.0  # connecting ends by itself, with better words

    def __init__(
        self, shell: Shell, profile: Profile, clock: Clock, full_every_s: float = FULL_LOOK_EVERY_S
    ) -> None:
        self._shell, self._profile, self._clock = shell, profile, clock
        self._full_every_s = full_every_s
        self._installed = names_of(profile)
        self._one_at_a_time = asyncio.Lock()
        self._untaken: Sequence[Fact] | None = None
        self._host: _Host | None = None
        self._groups: dict[bytes, Group] = {}
        self._clusters: tuple[Cluster, ...] = ()
        self._boxed: int | None = None
        self._observed: Cluster | None = None
        self._choice = ClusterChoice()
        self._full_at: float | None = None
        self._looks_since_count = 0
        self._many = False
        self._clock_offset_s = 0.0
        self._processor_time: ProcessorTime | None = None
        self._strained = NOT_KNOWN

    @property
    def observed(self) -> Cluster | None:
        """The observed cluster as of the latest look, None before the first and while the choice is open."""
        return self._observed

    @property
    def clock_offset_s(self) -> float:
        """How far the host's clock is ahead of the console's, as of the latest look; 0 before the first."""
        return self._clock_offset_s

    def refresh(self) -> None:
        """Look at everything, and ask which cluster again when nobody answered."""
        self._full_at = None
        self._looks_since_count = MANY_EVERY
        self._choice.reopen()

    async def take(self) -> Sequence[Fact]:
        """HOST, BACKUP_SCRIPT and, where pg_wal was looked at, WAL_DISK."""
        async with self._one_at_a_time:
            if self._untaken is None:
                await self._look()
            facts, self._untaken = self._untaken or (), None
            return facts

    async def locate(self) -> ClusterFacts:
        """See ports.ClusterLocator. A look that this makes is what the next `take` returns."""
        async with self._one_at_a_time:
            if self._observed is None:
                await self._look()
            return self._observing().facts

    async def answer_choices(self, operator: Operator, chosen: Callable[[], None]) -> None:
        """Put the question to the operator whenever there are several clusters; until cancelled.

        It stands apart from `take`, for a person takes longer than any probe may.
        """
        while True:
            await self._choice.asked.wait()
            self._choice.asked.clear()
            choice = await operator.choose_cluster(self._choice.among)
            self._choice.answer(choice)
            if choice is not None:  # a refresh after a no would ask again
                self._full_at = None
                chosen()

    async def _look(self) -> None:
        now = self._clock.monotonic()
        every_s = self._full_every_s if self._observed is not None else SEARCH_EVERY_S
        full = self._full_at is None or self._host is None or now - self._full_at >= every_s
        counting = full or not self._many or self._looks_since_count >= MANY_EVERY
        observed = self._observed
        look = Look(
            token=secrets.token_hex(8),
            full=full,
            count_wal=counting,
            heartbeat=self._profile.paths.heartbeat,
            verifier=self._installed.verifier,
            timer=self._installed.timer,
            cron=self._installed.cron,
            run_state=self._installed.backup_state,
            run_name=self._installed.backup.rpartition("/")[2],
            drills=self._installed.drill_state,
            pick=observed.path if observed else b"",
            pick_pid=observed.pid if observed else None,
        )
        answer = await self._shell.run(look.script(), timeout_s=SCRIPT_S)
        read = read_answer(answer.stdout, look.token)
        if full:
            self._full_at = now
            self._boxed = read.host.integer("boxed")
            drills = read_drills(
                read.host, self._installed.drill_state, _remedy(read.host.text("uid") == "0")
            )
            self._host = replace(_host(read.host), drills=drills)
        self._learn(read, full=full)
        self._looks_since_count = 0 if counting else self._looks_since_count + 1
        if not observed and self._observed is not None and not _covers(read, self._observed):
            await self._look()  # there are more clusters than are looked into before one of them is chosen
            return
        self._untaken = self._facts(read, answer, counted=counting)

    def _learn(self, read: HostAnswer, *, full: bool) -> None:
        """Update the clusters, and settle which one is observed."""
        groups = {group.raw["cluster"]: self._lasting(group, full=full) for group in read.clusters}
        self._groups = groups if full else self._groups | groups
        owner = self._profile.postgres.os_user
        self._clusters = tuple(read_cluster(group, owner) for group in self._groups.values())
        if self._observed is not None:
            path = self._observed.path
            self._observed = next((one for one in self._clusters if one.path == path), None)
        if self._observed is None:
            self._observed = self._choose()

    def _lasting(self, group: Group, *, full: bool) -> Group:
        """A cluster's records with those that only an earlier look brought."""
        before = self._groups.get(group.raw["cluster"])
        if before is None:
            return group
        raw = dict(group.raw)
        keys = [] if full else [*(f"cluster.{key}" for key in _LASTING), "wal.read_only"]
        if raw.get("cluster.pid") == before.raw.get("cluster.pid"):
            keys.append("cluster.argv")
        for key in keys:
            if key in before.raw:
                raw.setdefault(key, before.raw[key])
        for key, fallback in (
            ("cluster.socket", "cluster.guessed_socket"),
            ("cluster.port", "cluster.listed_port"),
        ):
            if key in before.raw:
                raw.setdefault(fallback, before.raw[key])
        return Group(raw)

    def _choose(self) -> Cluster | None:
        try:
            among = candidates(self._clusters, self._profile.postgres, boxed=self._boxed)
        except ClusterChoiceError:
            return None
        return among[0] if len(among) == 1 else self._choice.settle(among)

    def _observing(self) -> Cluster:
        """The observed cluster. Raises errors.ClusterChoiceError."""
        if self._observed is not None:
            return self._observed
        among = candidates(self._clusters, self._profile.postgres, boxed=self._boxed)
        raise ClusterChoiceError(
            "choose the PostgreSQL cluster to observe",
            f"there are {len(among)}: {', '.join(describe(one.facts) for one in among[:8])}",
            'choose one (r asks again), or name it: --cluster, or cluster = "VERSION/NAME" in the profile',
        )

    def _facts(self, read: HostAnswer, answer: ShellAnswer, *, counted: bool) -> Sequence[Fact]:
        at = (answer.sent_at + answer.answered_at) / 2
        host = self._host_facts(read, answer, at)
        self._clock_offset_s = host.clock_offset_s
        facts = [
            Fact(Snapshot.host, host, at, "/proc, pg_lsclusters"),
            Fact(
                Snapshot.backup_script,
                read_backup_script(read.host, self._remedy()),
                at,
                f"{self._installed.backup_state}/status.json",
            ),
        ]
        if counted:
            facts.append(self._wal_disk(read, at))
        return facts

    def _host_facts(self, read: HostAnswer, answer: ShellAnswer, at: float) -> HostFacts:
        known = self._host or _host(read.host)
        missing = [f"{path}: not there" for path in _lines(read.host, "heartbeat.missing")]
        clock = _seconds(read.host.text("clock"))
        if clock is None:
            missing.append("clock: date +%s gave no number; the offset is unknown")
        observed = self._observed
        if observed is not None and observed.unreadable is not None:
            missing.append(f"{observed.unreadable}: cannot be read; {self._remedy()}")
        return HostFacts(
            hostname=known.hostname,
            system=known.system,
            kernel=known.kernel,
            uptime_s=_first_number(read.host.text("uptime")),
            load_1min=_first_number(read.host.text("load")),
            clock=clock if clock is not None else at,
            clock_read_at=at,
            round_trip_s=answer.answered_at - answer.sent_at,
            cluster=observed.facts if observed else None,
            chosen=self._choice.made or self._profile.postgres.is_named,
            clusters=tuple(cluster.facts for cluster in public(self._clusters)),
            postmaster_pid=observed.pid if observed else None,
            heartbeat_at=self._heartbeat_at(read),
            verifier=known.verifier,
            missing=tuple(missing),
            strain=self._strain(read.host),
            drills=known.drills,
        )

    def _strain(self, host: Group) -> Strain:
        """What keeps it busy, the processors' time since the full look before."""
        load, text = _first_number(host.text("load")), host.text("strain")
        if text is None:
            return replace(self._strained, load=load)
        before, self._processor_time = self._processor_time, processor_time(text)
        self._strained = strain(text, load, before)
        return self._strained

    def _wal_disk(self, read: HostAnswer, at: float) -> Fact:
        source = "df and ls of pg_wal"
        try:
            observed = self._observing()
        except ClusterChoiceError as error:
            return Fact(Snapshot.wal_disk, problem_of(error), at, source)
        group = next((group for group in read.clusters if group.raw["cluster"] == observed.path), None)
        value = read_wal_disk(group, observed.facts.data_directory, self._remedy()) if group else None
        if value is None:
            value = Problem("the data directory is not known", self._remedy(), "Shell")
        if not isinstance(value, Problem):
            self._many = (value.wal_files or 0) + (value.ready_count or 0) > MANY_FILES
        cadence_s = self.cadence_s * (MANY_EVERY + 1) if self._many else None
        return Fact(Snapshot.wal_disk, value, at, source, cadence_s)

    def _remedy(self) -> str:
        """How the SSH user would get to see more."""
        return _remedy(self._host is not None and self._host.privileged)

    def _heartbeat_at(self, read: HostAnswer) -> float | None:
        groups = (read.host, *read.clusters)
        times = (modified_at(group, self._profile.paths.heartbeat) for group in groups)
        return next((time for time in times if time is not None), None)


def _remedy(privileged: bool) -> str:
    if privileged:
        return "is it there?"
    return "this SSH user may not; sudo = true in the profile, or the user root"


def _host(group: Group) -> _Host:
    return _Host(
        hostname=group.text("hostname") or "n/a",
        system=(group.text("system") or "n/a").strip("\"'"),
        kernel=group.text("kernel") or "n/a",
        privileged=group.text("uid") == "0",
        verifier=_schedule(group.text("verifier")),
    )


def _schedule(said: str | None) -> VerifierSchedule:
    """What host.sh says of the verifier; where systemctl gave no word, nothing is claimed of its timer."""
    match (said or "").split():
        case []:
            return VerifierSchedule.NOT_INSTALLED
        case ["none"]:
            return VerifierSchedule.MISSING
        case ["timer", "inactive" | "failed"]:
            return VerifierSchedule.STOPPED
    return VerifierSchedule.RUNS


def _covers(read: HostAnswer, cluster: Cluster) -> bool:
    """Whether this look went into the cluster's pg_wal, or could not have: nobody told it the folder."""
    mine = [group for group in read.clusters if group.raw["cluster"] == cluster.path]
    return all("wal.df" in group.raw for group in mine)


def _lines(group: Group, key: str) -> list[str]:
    return [line for line in (group.text(key) or "").split("\n") if line]


def _first_number(text: str | None) -> float | None:
    try:
        return float((text or "").split(" ", 1)[0])
    except ValueError:
        return None


def _seconds(text: str | None) -> float | None:
    """date +%s.%N, also where %N is not known (busybox prints it as it is)."""
    match = _CLOCK.match(text or "")
    return float(f"{match[1]}.{match[2] or 0}") if match else None
