"""PostgreSQL clusters on the host, and which of them is observed."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from walconsole.domain.facts.host import ClusterFacts, ServerState
from walconsole.domain.pgconf.start import started_in
from walconsole.domain.pgconf.tree import join
from walconsole.domain.profile import ClusterName, PostgresTarget, Profile
from walconsole.domain.records import record
from walconsole.domain.redaction import decode
from walconsole.errors import ClusterChoiceError
from walconsole.observe.host.host_script import Group, argv, options

DEFAULT_PORT = 5432
_PRIVATE = re.compile(r"/[^/]+(?:\.recovery-\d{8}T\d{6}Z|-restore-drill\.\d+\.\w{8})/data/?\Z", re.ASCII)
DEFAULT_SOCKET_DIR = "/var/run/postgresql"


@record
class Cluster:
    """A cluster as the host's script saw it.

    `path` is its data directory in the host's own bytes, `log` what pg_lsclusters calls its log
    file, `unreadable` what this SSH user may not look into. Without `port_known` its port is a guess.
    `by_hand`: its start.conf says that it does not start with the host.
    """

    facts: ClusterFacts
    path: bytes
    pid: int | None
    log: str | None
    unreadable: str | None
    port_known: bool = True
    by_hand: bool = False

    @property
    def listed(self) -> bool:
        """Whether pg_lsclusters knows it."""
        return self.facts.name is not None


def read_cluster(group: Group, default_owner: str) -> Cluster:
    """A cluster from its records: the running postmaster's word counts more than any list's."""
    pid = group.integer("cluster.pid")
    given = options(argv(group.raw.get("cluster.argv")))
    unreadable = group.text("cluster.unreadable")
    status = group.text("cluster.status") or ""
    listed = group.text("cluster.name")
    path = group.raw.get("cluster", b"")
    path = (path.rstrip(b" ") if listed else path) or given.get("data_directory", "").encode()
    listed_port = group.integer("cluster.listed_port")
    given_port = int(given["port"]) if given.get("port", "").isdigit() else None
    port = group.integer("cluster.port") or given_port or listed_port
    socket = (
        group.text("cluster.socket")
        or given.get("unix_socket_directories", "").split(",")[0].strip()
        or group.text("cluster.guessed_socket")
        or DEFAULT_SOCKET_DIR
    )
    state, began, doing = (*(group.text("cluster.state") or "").split(" "), "", "", "")[:3]
    facts = ClusterFacts(
        name=_name(listed),
        port=port or DEFAULT_PORT,
        socket_dir=socket,
        data_directory=decode(path),
        config_file=_config_file(given, decode(path)) or group.text("cluster.config"),
        running=pid is not None or (unreadable is not None and status.startswith("online")),
        owner=group.text("cluster.owner") or default_owner,
        signals=tuple(
            f"{each}.signal" for each in ("standby", "recovery") if group.raw.get(f"cluster.{each}")
        ),
        state=_STATES.get(state, ServerState.UNKNOWN),
        started_at=float(began) if _SECONDS.fullmatch(began) else None,
        held=doing in _HELD,
    )
    log = (group.text("cluster.log") or "").strip(" ") or None
    by_hand = group.text("cluster.hand") is not None
    return Cluster(facts, path, pid, log, unreadable, port is not None, by_hand)


_SECONDS = re.compile(r"\d{1,12}", re.ASCII)
_HELD = ("T", "t")
"""proc(5), /proc/pid/stat, field 3: stopped by a signal, stopped by a debugger."""
_STATES = {state.value: state for state in ServerState}


def _config_file(given: Mapping[str, str], data_directory: str) -> str | None:
    """What the arguments name; a relative path only where it is known from where the server was started."""
    named = given.get("config_file")
    if named is None or named.startswith("/"):
        return named
    folder = started_in(given.get("data_directory"), None, data_directory or None)
    return join(folder, named) if folder is not None else None


def _name(text: str | None) -> ClusterName | None:
    version, _, name = (text or "").partition(" ")
    return ClusterName(version, name) if version and name else None


def public(clusters: Sequence[Cluster]) -> Sequence[Cluster]:
    """Without the private servers of drills and recoveries, which the console itself starts."""
    return [each for each in clusters if not _PRIVATE.search(each.facts.data_directory)]


def candidates(
    clusters: Sequence[Cluster], target: PostgresTarget, *, boxed: int | None = None
) -> Sequence[Cluster]:
    """The clusters that the profile may mean: one is the answer, several are a question.

    A name, a port or a socket directory in the profile decides. Else Debian's list does where there
    is one: a stopped cluster of the list is not passed over for a stranger that runs beside it, unless it
    starts by hand alone (start.conf). `boxed` is the process of a server in a container, which is none of
    them.
    Raises errors.ClusterChoiceError when there is none.
    """
    clusters = public(clusters)
    matching = [_at(cluster, target.port) for cluster in clusters if _matches(cluster, target)]
    if not matching:
        raise _none_matches(clusters, target, boxed)
    matching = [cluster for cluster in matching if cluster.port_known] or matching
    known = [cluster for cluster in matching if cluster.listed] or matching
    if all(cluster.by_hand and not cluster.facts.running for cluster in known):
        known = [cluster for cluster in matching if cluster.facts.running] or known
    running = [cluster for cluster in known if cluster.facts.running]
    return running if len(running) == 1 else known


def of_cluster(profile: Profile, chosen: ClusterFacts | None) -> Profile:
    """The profile, which means that very cluster and no other; as it is where none was chosen."""
    if chosen is None:
        return profile
    said = profile.postgres
    if chosen.name is not None:
        return replace(profile, postgres=replace(said, cluster=chosen.name))
    return replace(profile, postgres=replace(said, port=chosen.port, socket_dir=chosen.socket_dir))


def _at(cluster: Cluster, port: int | None) -> Cluster:
    """The cluster at the profile's port, where its own could not be read."""
    if cluster.port_known or port is None:
        return cluster
    return replace(cluster, facts=replace(cluster.facts, port=port))


def _matches(cluster: Cluster, target: PostgresTarget) -> bool:
    facts = cluster.facts
    if target.cluster is not None and facts.name is not None and facts.name != target.cluster:
        return False
    if target.cluster is not None and facts.name is None and target.port is None:
        return False
    if target.port is not None and cluster.port_known and facts.port != target.port:
        return False
    known = facts.running and cluster.port_known
    return target.socket_dir is None or not known or _same_path(facts.socket_dir, target.socket_dir)


def _same_path(one: str, other: str) -> bool:
    """/var/run is a link to /run on every distribution that has both."""
    return one.rstrip("/").removeprefix("/var") == other.rstrip("/").removeprefix("/var")


def _none_matches(
    clusters: Sequence[Cluster], target: PostgresTarget, boxed: int | None
) -> ClusterChoiceError:
    wanted = ", ".join(
        f"{what} {value}"
        for what, value in (
            ("cluster", target.cluster),
            ("port", target.port),
            ("socket directory", target.socket_dir),
        )
        if value is not None
    )
    if not clusters and boxed is not None:
        return ClusterChoiceError(
            "find PostgreSQL on the host",
            f"it runs in a container (process {boxed}), and the console does not look into containers",
            "connect to the container itself, where a sshd runs in it",
        )
    if not clusters:
        return ClusterChoiceError(
            "find PostgreSQL on the host",
            "pg_lsclusters lists no cluster, and no postmaster runs",
            "start PostgreSQL, or name its port and socket_dir in the profile",
        )
    there = ", ".join(describe(cluster.facts) for cluster in clusters[:8])
    return ClusterChoiceError(
        "find PostgreSQL on the host",
        f"none with {wanted}; there is {there}",
        "correct the profile's [postgres] section",
    )


def describe(facts: ClusterFacts) -> str:
    """`15/main on port 5432 (running)`."""
    return f"{facts} ({'running' if facts.running else 'stopped'})"


# -- Which of several clusters is observed: asked once, and remembered.


class ClusterChoice:
    """The question which of several clusters is meant, and its answer. `asked` is set while it is open."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.among: tuple[ClusterFacts, ...] = ()
        self._answer: ClusterFacts | None = None
        self._declined = False

    @property
    def made(self) -> bool:
        """Whether somebody chose one."""
        return self._answer is not None

    def settle(self, among: Sequence[Cluster]) -> Cluster | None:
        """The one that was chosen before, if it is among these; else ask, unless nobody wanted to answer."""
        if self._answer is not None:
            for cluster in among:
                if (cluster.facts.data_directory, cluster.facts.port) == (
                    self._answer.data_directory,
                    self._answer.port,
                ):
                    return cluster
        self.among = tuple(cluster.facts for cluster in among)
        if not self._declined:
            self.asked.set()
        return None

    def answer(self, choice: ClusterFacts | None) -> None:
        """What the operator said; None: would not say. Looks in the meantime asked no other question."""
        self.asked.clear()
        self._answer, self._declined = choice, choice is None

    def reopen(self) -> None:
        """Ask again if nobody answered."""
        self._declined = False
