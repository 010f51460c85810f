"""Why a source cannot be asked: the connection, the shell, or the server itself."""

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
