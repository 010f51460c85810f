"""What cannot be seen, and why: a dead source is a finding once, not once a pane."""

from collections.abc import Iterator
from shlex import quote

from walconsole.domain.facts.host import ServerState
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.patience import OVERDUE
from walconsole.domain.postgres_versions import KNOWN, is_newer
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.failure_log import short, why_ended, without_prefix
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Finding, Fix, Proof, Severity
from walconsole.domain.standing.proofs import log_lines
from walconsole.domain.standing.remedies import own_command, start_by_hand
from walconsole.domain.standing.unreachable import (
    CANNOT_CONNECT_NOW,
    LINK_CODES,
    NO_CLUSTER,
    SHELL_CODES,
    is_down,
    link_problem,
    server_state,
    started_for_s,
    unanswered,
)
from walconsole.domain.store.answers import UNREAD_PLACE
from walconsole.domain.units import duration_text


def archive_elsewhere(assessment: Assessment) -> Iterator[Finding]:
    """The profile names another place than the one that the server archives to.

    A store has more than one address: where the bucket that is read holds what PostgreSQL says it archived
    last, it is the same place.
    """
    snapshot = assessment.snapshot
    facts = snapshot.discovery.value
    if facts is None or not facts.differences:
        return
    yield Finding(
        "archive-elsewhere",
        Severity.NOTE if assessment.agreement.ok else Severity.WARNING,
        "the profile and the host name different places for the archive",
        facts.differences,
        "correct the profile, or leave those values out of it: then what the host says is used",
        Snapshot.discovery,
        proof=tuple(
            Proof(f"{name} = {text}", source, snapshot.discovery.read_at)
            for copy in facts.copies
            for name, text, source, _ in copy.rows
            if name in ("endpoint", "bucket", "prefix", "folder", "store")
        ),
        fixes=(Fix("see every value, and where it comes from", ("walconsole config show --ask PROFILE",)),),
    )


def archive_not_read(assessment: Assessment) -> Iterator[Finding]:
    """The server archives to a place that the console cannot read: whether it works there cannot be told."""
    snapshot = assessment.snapshot
    facts, problem = snapshot.discovery.value, snapshot.primary.problem
    if facts is None or problem is None or problem.code != UNREAD_PLACE or not facts.copies:
        return
    first = facts.copies[0]
    yield Finding(
        "archive-not-read",
        Severity.NOTE,
        f"{first.tool} archives to {first.place}, which is not read here",
        tuple(dict.fromkeys(filter(None, (first.unread, *first.notes, *facts.missing)))),
        "look with that program itself; or name in the profile a store that can be read",
        Snapshot.discovery,
        "archive_command",
        fixes=tuple(
            Fix("what it holds, in that program's own words", asked)
            for asked in (own_command(snapshot, "look"),)
            if asked
        ),
    )


def link_lost(assessment: Assessment) -> Iterator[Finding]:
    """No SSH: neither the host nor PostgreSQL can be seen."""
    snapshot, now = assessment.snapshot, assessment.now
    problem = link_problem(snapshot)
    if problem is None:
        return
    since = snapshot.link.failing_since or snapshot.host.failing_since
    lasted = () if since is None or now - since < 1 else (f"for {duration_text(now - since)}",)
    yield Finding(
        "ssh-lost",
        Severity.CRITICAL,
        "the droplet cannot be reached over SSH",
        (problem.why, *lasted),
        problem.remedy or "the console goes on trying by itself",
        Snapshot.link,
    )


def server_down(assessment: Assessment) -> Iterator[Finding]:
    """PostgreSQL does not answer while the host does."""
    snapshot, now = assessment.snapshot, assessment.now
    problem = snapshot.archiver.problem
    if problem is None or problem.code in LINK_CODES | SHELL_CODES or link_problem(snapshot) is not None:
        return
    since = snapshot.archiver.failing_since
    lasted = () if since is None or now - since < 1 else (f"for {duration_text(now - since)}",)
    state = server_state(snapshot)
    closed = problem.code == CANNOT_CONNECT_NOW or state is ServerState.SINGLE_USER
    host = snapshot.host.value
    beside = host.running_beside if host is not None else ()
    remedy = problem.remedy or "look at its log and at its unit"
    owner = host.cluster.owner if host is not None and host.cluster is not None else ""
    if problem.code.startswith("28") and owner not in ("", "postgres") and f"as {owner}" not in problem.why:
        remedy += f"; the server runs as {owner}, and initdb makes a role of that name: `os_user` and `user`"
    if closed:
        remedy = _WHILE_CLOSED.get(state, remedy)
    if beside:
        first = beside[0].port
        remedy += f"; if another one is meant, name it: --cluster {first}, or port = {first} in the profile"
    why = why_ended(snapshot) if is_down(snapshot) else None
    yield Finding(
        "postgres-unreachable",
        Severity.NOTE if closed and state is ServerState.STANDBY else Severity.CRITICAL,
        unanswered(problem, snapshot)
        if why is None
        else f"PostgreSQL is down: {short(without_prefix(why.text))}",
        (
            *([f"{why.text} (the server's log)"] if why is not None else []),
            problem.why,
            *(_state_words(snapshot, now) if closed else ()),
            *(_held_by(snapshot, now) if closed and state is ServerState.STOPPING else ()),
            *lasted,
            *(f"{each} runs beside it" for each in beside),
        ),
        remedy,
        Snapshot.archiver,
        proof=tuple(log_lines(snapshot, [why])) if why is not None else (),
        fixes=() if closed else _start_again(snapshot),
    )


def _start_again(snapshot: Snapshot) -> tuple[Fix, ...]:
    """How a server that does not run is brought back; nothing where the host does not say that it is down."""
    host, files = snapshot.host.value, snapshot.files.value
    if host is None or snapshot.host.problem is not None or host.cluster is None or host.cluster.running:
        return ()
    if host.running_beside:
        return ()  # it may well be the other one that is meant
    launch = files.launch if files is not None else None
    unit = launch.unit if launch is not None else ""
    said = [f"journalctl -u {quote(unit)} -n 50"] if unit else []
    said += ["pg_lsclusters"] if host.cluster.name is not None else []
    start = start_by_hand(snapshot)
    return (
        *(
            [Fix("see why it ended: the end of its log (pg_lsclusters names the file)", tuple(said))]
            if said
            else []
        ),
        *([Fix("start it", start, risk=_TWO_SERVERS)] if start else []),
    )


_TWO_SERVERS = "not where another server was promoted in its place: two would archive under one name"


_WHILE_CLOSED = {
    ServerState.STARTING: "let it: after a crash it replays its WAL since the last checkpoint, and its "
    "process title (ps -C postgres) names the segment it is at; do not kill it, delete nothing in pg_wal",
    ServerState.STOPPING: "it waits for its sessions (a smart shutdown), a checkpoint, standbys or the "
    "archiver: its processes (ps -C postgres) tell which; pg_ctl stop -m fast ends sessions; no kill -9",
    ServerState.READY: "let it: a process of it crashed, and it replays its WAL; its log says which and why",
    ServerState.STANDBY: "look at its primary; hot_standby = on would let the console look at this one, too",
    ServerState.SINGLE_USER: "end that session (Ctrl-D) once its work is done, and start the server; do not "
    "delete its postmaster.pid",
}
"""What to do while it lets nobody in."""


def _state_words(snapshot: Snapshot, now: float) -> Iterator[str]:
    lasts_s, state = started_for_s(snapshot, now), server_state(snapshot)
    if state is not ServerState.UNKNOWN:
        since = "" if lasts_s is None else f"; its first process began {duration_text(lasts_s)} ago"
        yield f"its postmaster.pid says: {state.value}{since}"


def _held_by(snapshot: Snapshot, now: float) -> Iterator[str]:
    """The archive command that a shutdown waits for: the server ends once all is archived (pgarch.c)."""
    facts, host = snapshot.command.value, snapshot.host.value
    if facts is None or not facts.children:
        return
    oldest = facts.children[0]
    age = duration_text(now + (host.clock_offset_s if host is not None else 0.0) - oldest.started_at)
    yield f"it waits for the archive command: process {oldest.pid}, for {age}: {oldest.command}"


def host_unreadable(assessment: Assessment) -> Iterator[Finding]:
    """The shell works and its answer does not: sudo, a missing tool, a permission."""
    snapshot = assessment.snapshot
    for reading in (snapshot.host, snapshot.wal_disk, snapshot.files):
        problem = reading.problem
        if problem is None or problem.code in LINK_CODES or problem.code in (NO_CLUSTER, OVERDUE):
            continue
        alone = snapshot.archiver.problem != problem  # else PostgreSQL was never asked
        facts = f"the host's facts cannot be read ({reading.slot.name.replace('_', ' ')})"
        yield Finding(
            "host-unreadable",
            Severity.WARNING if alone else Severity.CRITICAL,
            facts if alone else unanswered(problem, snapshot),
            (problem.why,),
            problem.remedy or "see the profile's `sudo` and `user`",
            reading.slot,
        )
        return


def privileges(assessment: Assessment) -> Iterator[Finding]:
    """What the database role may not see."""
    snapshot = assessment.snapshot
    server = snapshot.server.value
    if server is not None and server.missing:
        yield Finding(
            "privileges",
            Severity.NOTE,
            f"role {server.role} may not read everything",
            server.missing,
            f"GRANT pg_monitor TO {server.role}; or connect as a role that has it",
            Snapshot.server,
        )


def newer_version(assessment: Assessment) -> Iterator[Finding]:
    """A server of a major version that nobody tried: what it says may mean something else."""
    server = assessment.snapshot.server.value
    if server is not None and is_newer(server.version_num):
        yield Finding(
            "newer-version",
            Severity.NOTE,
            f"PostgreSQL {server.version_num // 10_000} is newer than what this console was tested with",
            (f"server_version {server.version}; tested: {KNOWN}",),
            "look for a newer walconsole; until then hold what it says against the server's own views",
            Snapshot.server,
        )


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "ssh-lost",
        Page(
            title="the droplet cannot be reached over SSH",
            symptom="Everything but the buckets is stale.",
            cause="The network, the droplet, sshd, or the key.",
            signal="The SSH connection.",
            fix="The console goes on trying by itself; `r` tries at once.",
        ),
        look=link_lost,
        explains=("host-unreadable", "postgres-unreachable"),
    ),
    FailureMode(
        "postgres-unreachable",
        Page(
            title="PostgreSQL does not answer",
            symptom="The host answers; the server does not, or refuses the console.",
            cause=(
                "It is down, starts, stops or recovers, runs in single-user mode, is out of connections, or "
                "the role may not log in."
            ),
            signal=(
                "The connection through SSH, as the server's OS user; where it lets nobody in (57P03), the "
                "state in its postmaster.pid, and since when its first process is there. A note on a standby "
                "with hot_standby = off."
            ),
            fix=(
                "Look at its log and its unit.\n\n"
                "```\n"
                "pg_lsclusters\n"
                "journalctl -u postgresql@VERSION-NAME -n 50\n"
                "```"
            ),
            never=(
                "Do not kill a server that recovers, delete its postmaster.pid or anything in pg_wal, or run "
                "pg_resetwal: what it replays is the last of what was committed."
            ),
        ),
        look=server_down,
    ),
    FailureMode(
        "host-unreadable",
        Page(
            title="the host's facts cannot be read",
            symptom="Panes of the droplet say n/a.",
            cause="sudo wants a password, a tool is missing, or a permission.",
            signal="The answer of the shell.",
            fix="As the finding says; sudo = true in the profile needs NOPASSWD.",
        ),
        look=host_unreadable,
        untried="it takes a user whose sudo wants a password, which only the machine itself could give it",
    ),
    FailureMode(
        "privileges",
        Page(
            title="the database role may not see everything",
            symptom="Some values say n/a.",
            cause="pg_monitor (or a part of it) is not granted.",
            signal="What the server refuses.",
            fix="```\nGRANT pg_monitor TO role;\n```",
        ),
        look=privileges,
        untried="the tests' roles may read all; what a lesser one is refused is tested where it is read",
    ),
    FailureMode(
        "newer-version",
        Page(
            title="PostgreSQL is newer than this console knows",
            symptom="Nothing, or a source that could not be read although the role may read everything.",
            cause=(
                "The server is of a major version that this console was never tested with (it was with "
                f"{KNOWN}). A view may have lost a column, a setting may be of a new kind, a word may have "
                "a new meaning."
            ),
            signal=(
                "server_version_num. What such a server does not have is said to be unreadable, and no "
                "verdict is good without it; its other answers are taken as the newest known version means "
                "them."
            ),
            fix="Look for a newer walconsole.",
        ),
        look=newer_version,
        untried="no such server exists yet: the tests let one of today answer as it might",
    ),
    FailureMode(
        "archive-elsewhere",
        Page(
            title="the profile names another place than the server archives to",
            symptom="Everything may look well, or a bucket that nobody writes to looks old.",
            cause=(
                "The server was moved to another bucket, prefix or endpoint, or the profile was copied from "
                "another server. The profile is believed, for somebody wrote it: what the console shows is "
                "not what the server writes."
            ),
            signal=(
                "The archive command, its scripts and its tool's files are read as the server's own user "
                "finds them, and each value that says where a copy is is compared with the profile's."
            ),
            fix=(
                "See which one is right, and correct the other. A value that the profile leaves out is taken "
                "from the host.\n\n"
                "```\n"
                "walconsole config show --ask PROFILE\n"
                "```"
            ),
        ),
        look=archive_elsewhere,
    ),
    FailureMode(
        "archive-not-read",
        Page(
            title="the server archives to a place that the console does not read",
            symptom="The verdict is `cannot tell`: archiving works by PostgreSQL's count, no more is known.",
            cause=(
                "Its tool keeps WAL on a host of its own (Barman's server, pgBackRest's repository host), in "
                "a store that speaks another protocol than S3, or in a place that only the run of the "
                "command tells."
            ),
            signal="What the archive command and its tool's files say, and which of it was understood.",
            fix=(
                "Ask the tool itself, on the host that it names. Where the store can be read by S3, name it "
                "in the profile.\n\n"
                "```\n"
                "barman check SERVER\n"
                "pgbackrest --stanza=STANZA info\n"
                "```"
            ),
        ),
        look=archive_not_read,
    ),
)
