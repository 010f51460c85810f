"""The droplet as it runs PostgreSQL: too slow to answer, or with the server beside its unit."""

from collections.abc import Iterator
from shlex import quote

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.patience import seconds_text
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.mode import FailureMode, Page
from walconsole.domain.standing.model import Finding, Fix, Proof, Severity
from walconsole.domain.standing.remedies import as_server
from walconsole.domain.standing.slowness import slowness


def slow_droplet(assessment: Assessment) -> Iterator[Finding]:
    """It answers, and late: what is read of it is old, and some of it is not read."""
    snapshot = assessment.snapshot
    found = slowness(snapshot)
    if found is None:
        return
    host, overdue = snapshot.host.value, found.overdue
    busy = host.strain.text if host is not None else ""
    took = f"the last look at it took {seconds_text(found.answer_s)}" if found.answer_s else ""
    yield Finding(
        "slow-droplet",
        Severity.WARNING if found.is_severe else Severity.NOTE,
        "the droplet is slow to answer",
        tuple(
            filter(
                None,
                (
                    overdue.why if overdue is not None else "",
                    f"{took} (a few tenths of a second are usual)" if took else "",
                    f"{busy} (/proc)" if busy else "",
                ),
            )
        ),
        "see what keeps it busy; the console waits longer meanwhile, and shows how old each value is",
        found.slot,
        since=snapshot.host.failing_since if overdue is not None else None,
        proof=(Proof(busy, "/proc", snapshot.host.read_at),) if busy else (),
        fixes=(
            Fix(
                "see what keeps it busy",
                ("ps -A -o pid,stat,pcpu,pmem,args --sort=-pcpu | head -n 15", "cat /proc/pressure/*"),
            ),
        ),
    )


def outside_unit(assessment: Assessment) -> Iterator[Finding]:
    """The server runs, and not in the unit that the next boot starts."""
    snapshot = assessment.snapshot
    files = snapshot.files.value
    launch = files.launch if files is not None else None
    if launch is None or not launch.outside or snapshot.files.problem is not None:
        return
    unit, state = launch.unit, launch.active_state or "not running"
    fact = f"the postmaster runs in {launch.outside}; {unit} is {state}"
    yield Finding(
        "outside-unit",
        Severity.WARNING,
        f"the server runs outside {unit}",
        (f"{fact} (/proc/PID/cgroup, systemctl show)",),
        f"stop it when that suits, and start {unit}: a boot or an upgrade would try to, beside it",
        Snapshot.files,
        proof=(Proof(fact, "/proc/PID/cgroup, systemctl show", snapshot.files.read_at),),
        fixes=tuple(_into_its_unit(snapshot, unit)),
    )


def _into_its_unit(snapshot: Snapshot, unit: str) -> Iterator[Fix]:
    cluster = snapshot.host.value.cluster if snapshot.host.value is not None else None
    if cluster is None:
        return
    if cluster.name is not None:
        name = f"{quote(cluster.name.version)} {quote(cluster.name.name)}"
        stop = f"pg_ctlcluster --skip-systemctl-redirect {name} stop"
    else:
        stop = as_server(snapshot, f"pg_ctl -D {quote(cluster.data_directory)} stop")
    start = (f"systemctl reset-failed {quote(unit)}", f"systemctl start {quote(unit)}")
    yield Fix("move it into its unit", (stop, *start), risk="ends every connection")


MODES: tuple[FailureMode, ...] = (
    FailureMode(
        "slow-droplet",
        Page(
            title="the droplet is slow to answer",
            symptom="Values grow old, panes say that no answer came yet; PostgreSQL may serve all the while.",
            cause=(
                "Too little processor or memory for what runs there: a load above the number of "
                "processors, swapping, or a hypervisor that gives its time to other guests (steal). Or the "
                "network is slow."
            ),
            signal=(
                "A look at the host takes more than 5 s, or is not answered in its usual time while the "
                "connection stands. A command of nothing, asked then, tells a slow droplet from one script "
                "that hangs. The finding has the load, the memory and the steal time."
            ),
            fix=(
                "See what keeps it busy. With much steal time, move to another droplet, or to dedicated "
                "processors.\n\n"
                "```\n"
                "ps -A -o pid,stat,pcpu,pmem,args --sort=-pcpu | head -n 15\n"
                "cat /proc/pressure/*\n"
                "```"
            ),
            never="Do not take it for an outage: a restart of PostgreSQL makes a busy droplet busier.",
            source="proc(5); the kernel's documentation of PSI",
        ),
        look=slow_droplet,
        untried="a droplet that is slow for minutes takes as long to try: one check of one is tried whole",
        explains=("host-unreadable",),
    ),
    FailureMode(
        "outside-unit",
        Page(
            title="the server runs outside its systemd unit",
            symptom=(
                "Everything works. systemctl says that the unit is inactive or failed, a restart by it fails "
                "(`Cluster is already running`), and pg_lsclusters may call a running server down."
            ),
            cause=(
                "It was started beside systemd: `pg_ctlcluster --skip-systemctl-redirect`, `pg_ctl` in a "
                "terminal, a job. The next boot starts the unit instead, with its environment and limits; "
                "the next upgrade of the package restarts the unit, and so leaves the old program running."
            ),
            signal=(
                "The postmaster's cgroup (/proc/PID/cgroup) is a session's, or that of the service of a job, "
                "and the unit's MainPID is not the postmaster. A unit's file alone proves nothing."
            ),
            fix=(
                "When connections may end: stop the server as it was started, and start the unit. Until "
                "then provisioning restarts it where it is.\n\n"
                "```\n"
                "pg_ctlcluster --skip-systemctl-redirect VERSION NAME stop\n"
                "systemctl reset-failed postgresql@VERSION-NAME\n"
                "systemctl start postgresql@VERSION-NAME\n"
                "```"
            ),
            never="Do not run `systemctl restart` while it runs beside its unit: the unit is failed then.",
            source="pg_ctlcluster(1); systemd.unit(5)",
        ),
        look=outside_unit,
        untried="it takes a host that systemd runs; the decision is tried on what such hosts answered",
    ),
)
