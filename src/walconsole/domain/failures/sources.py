"""What cannot be seen, and why: a dead source is a finding once, not once a pane."""

from collections.abc import Iterator

from walconsole.domain.snapshot import Problem, Slot, Snapshot
from walconsole.domain.standing.model import Finding, Rule, Severity
from walconsole.domain.units import duration_text

LINK_CODES = frozenset({"SshLost", "HostKey", "Authentication"})
"""Problems of the SSH connection, which every probe behind it repeats."""
SHELL_CODES = frozenset({"Sudo", "Shell"})
"""The connection stands and serves no shell to read anything with: PostgreSQL was never asked."""
NO_CLUSTER = "NoCluster"
"""There is none, or the operator must choose; what lies in its directories waits for that."""

_UNANSWERED = {
    NO_CLUSTER: "no PostgreSQL cluster is observed",
    **dict.fromkeys(SHELL_CODES, "the droplet lets nothing be read"),
    **dict.fromkeys(("28", "3D", "42", "53"), "PostgreSQL refuses the console"),
}
"""By a problem's code, or by the class that a SQLSTATE's first two characters name."""


def unanswered(problem: Problem) -> str:
    """What it means that PostgreSQL's own account could not be had, in a few words."""
    code = problem.code
    return _UNANSWERED.get(code) or _UNANSWERED.get(code[:2], "PostgreSQL does not answer")


def link_problem(snapshot: Snapshot) -> Problem | None:
    """Why the host cannot be reached, from whichever probe knows."""
    for reading in (snapshot.link, snapshot.host, snapshot.server):
        if reading.problem is not None and reading.problem.code in LINK_CODES:
            return reading.problem
    return None


def link_lost(snapshot: Snapshot, now: float) -> Iterator[Finding]:
    """No SSH: neither the host nor PostgreSQL can be seen."""
    problem = link_problem(snapshot)
    if problem is None:
        return
    since = snapshot.link.failing_since or snapshot.host.failing_since
    lasted = () if since is None else (f"for {duration_text(now - since)}",)
    yield Finding(
        "ssh-lost",
        Severity.CRITICAL,
        "the droplet cannot be reached over SSH",
        (problem.why, *lasted),
        problem.remedy or "the console goes on trying by itself",
        Slot.LINK,
    )


def server_down(snapshot: Snapshot, now: float) -> Iterator[Finding]:
    """PostgreSQL does not answer while the host does."""
    problem = snapshot.archiver.problem
    if problem is None or problem.code in LINK_CODES | SHELL_CODES or link_problem(snapshot) is not None:
        return
    since = snapshot.archiver.failing_since
    lasted = () if since is None else (f"for {duration_text(now - since)}",)
    yield Finding(
        "postgres-unreachable",
        Severity.CRITICAL,
        unanswered(problem),
        (problem.why, *lasted),
        problem.remedy or "look at its log and at its unit",
        Slot.ARCHIVER,
    )


def host_unreadable(snapshot: Snapshot, _now: float) -> Iterator[Finding]:
    """The shell works and its answer does not: sudo, a missing tool, a permission."""
    for reading in (snapshot.host, snapshot.wal_disk, snapshot.files):
        problem = reading.problem
        if problem is None or problem.code in LINK_CODES or problem.code == NO_CLUSTER:
            continue
        alone = snapshot.archiver.problem != problem  # else PostgreSQL was never asked
        facts = f"the host's facts cannot be read ({reading.slot.value.replace('_', ' ')})"
        yield Finding(
            "host-unreadable",
            Severity.WARNING if alone else Severity.CRITICAL,
            facts if alone else unanswered(problem),
            (problem.why,),
            problem.remedy or "see the profile's `sudo` and `user`",
            reading.slot,
        )
        return


def privileges(snapshot: Snapshot, _now: float) -> Iterator[Finding]:
    """What the database role may not see."""
    server = snapshot.server.value
    if server is not None and server.missing:
        yield Finding(
            "privileges",
            Severity.NOTE,
            f"role {server.role} may not read everything",
            server.missing,
            f"GRANT pg_monitor TO {server.role}; or connect as a role that has it",
            Slot.SERVER,
        )


RULES: tuple[Rule, ...] = (link_lost, server_down, host_unreadable, privileges)
