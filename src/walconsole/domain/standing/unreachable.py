"""Why a source cannot be asked: the connection, the shell, or the server itself."""

from walconsole.domain.facts.host import ClusterFacts, ServerState
from walconsole.domain.facts.snapshot import Problem, Snapshot
from walconsole.domain.patience import HANGS, OVERDUE

LINK_CODES = frozenset({"SshLost", "HostKey", "Authentication"})
"""Problems of the SSH connection, which every probe behind it repeats."""

SHELL_CODES = frozenset({"Sudo", "Shell", OVERDUE, HANGS})
"""The connection stands and serves no shell to read with, or not in time: PostgreSQL was not asked."""

NO_CLUSTER = "NoCluster"
"""There is none, or the operator must choose; what lies in its directories waits for that."""

_UNANSWERED = {
    NO_CLUSTER: "no PostgreSQL cluster is observed",
    **dict.fromkeys(SHELL_CODES, "the droplet lets nothing be read"),
    OVERDUE: "the droplet is slow to answer",
    HANGS: "a script hangs on the droplet",
    **dict.fromkeys(("42703", "42883", "42P01"), "PostgreSQL does not have what the console asks for"),
    **dict.fromkeys(("28", "3D", "42", "53"), "PostgreSQL refuses the console"),
}
"""By a problem's code, or by the class that a SQLSTATE's first two characters name."""


CANNOT_CONNECT_NOW = "57P03"
"""SQLSTATE of a server that starts, stops or recovers: in the server's own language, hence by its state."""

_LETS_NOBODY_IN = {
    ServerState.STARTING: "PostgreSQL is starting, and lets nobody in",
    ServerState.STOPPING: "PostgreSQL is shutting down, and lets nobody in",
    ServerState.READY: "PostgreSQL recovers from a crash of one of its processes, and lets nobody in",
    ServerState.STANDBY: "PostgreSQL is a standby that lets nobody in (hot_standby = off)",
    ServerState.UNKNOWN: "PostgreSQL starts, stops or recovers, and lets nobody in",
}


def server_state(snapshot: Snapshot) -> ServerState:
    """What the observed server is at, as far as the host was read now."""
    cluster = _cluster(snapshot)
    return cluster.state if cluster is not None else ServerState.UNKNOWN


def is_down(snapshot: Snapshot) -> bool:
    """Whether the server does not answer, and the host's own processes show that none runs."""
    cluster = _cluster(snapshot)
    return snapshot.archiver.problem is not None and cluster is not None and not cluster.running


def is_held(snapshot: Snapshot) -> bool:
    """Whether somebody holds the server's first process still, as far as the host was read now."""
    cluster = _cluster(snapshot)
    return cluster is not None and cluster.held


def is_stopping(snapshot: Snapshot) -> bool:
    """Whether the server ends, and lets nobody in who could ask for its settings."""
    problem = snapshot.settings.problem
    closed = snapshot.settings.value is None and problem is not None and problem.code == CANNOT_CONNECT_NOW
    return closed and server_state(snapshot) is ServerState.STOPPING


def started_for_s(snapshot: Snapshot, now: float) -> float | None:
    """How long the observed server's first process has been there, seconds; None where that is not known."""
    cluster, host = _cluster(snapshot), snapshot.host.value
    if cluster is None or host is None or cluster.started_at is None:
        return None
    return max(0.0, now + host.clock_offset_s - cluster.started_at)


_STARTS_S = 300.0
"""A start takes as long as its WAL takes to replay: after five minutes it is an outage, whatever it does."""


def starts_too_long(snapshot: Snapshot, now: float) -> bool:
    """Whether a primary has been starting for so long that it is as good as down; a standby may take long."""
    cluster, lasts_s = _cluster(snapshot), started_for_s(snapshot, now)
    starting = cluster is not None and cluster.state is ServerState.STARTING and not cluster.signals
    return starting and lasts_s is not None and lasts_s >= _STARTS_S


def _cluster(snapshot: Snapshot) -> ClusterFacts | None:
    host = snapshot.host.value
    return host.cluster if host is not None and snapshot.host.problem is None else None


def unanswered(problem: Problem, snapshot: Snapshot) -> str:
    """What it means that PostgreSQL's own account could not be had, in a few words."""
    code = problem.code
    if server_state(snapshot) is ServerState.SINGLE_USER:
        return "PostgreSQL runs in single-user mode"
    if code == CANNOT_CONNECT_NOW:
        state = server_state(snapshot)
        return _LETS_NOBODY_IN.get(state, _LETS_NOBODY_IN[ServerState.UNKNOWN])
    return _UNANSWERED.get(code) or _UNANSWERED.get(code[:2], "PostgreSQL does not answer")


def link_problem(snapshot: Snapshot) -> Problem | None:
    """Why the host cannot be reached, from whichever probe knows."""
    for reading in (snapshot.link, snapshot.host, snapshot.server):
        if reading.problem is not None and reading.problem.code in LINK_CODES:
            return reading.problem
    return None
