"""A server that runs and lets nobody in: what it is at, by its postmaster.pid, and for how long."""

from dataclasses import replace

import pytest

from tests.data.facts import CLUSTER, NOW, broken, healthy, host, wal_disk
from walconsole.domain.facts.host import HostFacts, ServerState
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures import diagnose
from walconsole.domain.standing.model import Finding, Level, Severity, Verdict
from walconsole.observe.host.clusters import read_cluster
from walconsole.observe.host.host_script import Group


def seen(state: ServerState, age_s: float | None = 20.0, **changes: object) -> HostFacts:
    at = None if age_s is None else NOW - age_s
    cluster = replace(CLUSTER, state=state, started_at=at, **changes)  # type: ignore[arg-type]
    return host(cluster=cluster, clusters=(cluster,))


def told(facts: HostFacts, code: str = "57P03") -> tuple[Verdict, Finding]:
    refused = broken(Snapshot.archiver, "le système de bases de données se lance", code, at=NOW - 12)
    found = diagnose(healthy(archiver=refused, host=facts), NOW)
    (finding,) = (each for each in found.findings if each.rule == "postgres-unreachable")
    return found.verdict, finding


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (ServerState.STARTING, "is starting, and lets nobody in"),
        (ServerState.STOPPING, "is shutting down, and lets nobody in"),
        (ServerState.READY, "recovers from a crash of one of its processes"),
        (ServerState.UNKNOWN, "starts, stops or recovers"),
    ],
)
def test_it_is_named_whatever_language_the_server_speaks(state: ServerState, words: str) -> None:
    verdict, finding = told(seen(state))
    assert verdict.level is Level.UNKNOWN
    assert words in verdict.text
    assert "does not answer" not in verdict.text
    assert words in finding.title
    assert finding.severity is Severity.CRITICAL


def test_a_start_that_takes_long_is_an_outage() -> None:
    verdict, finding = told(seen(ServerState.STARTING, 1200.0))
    assert verdict.level is Level.CRITICAL
    assert verdict.text.startswith(
        "PostgreSQL has been STARTING for 20 min 00 s, and lets nobody in: nothing"
    )
    assert "do not kill it" in finding.remedy
    assert any("its first process began 20 min" in line for line in finding.evidence)


@pytest.mark.parametrize("signals", [("standby.signal",), ("recovery.signal",)])
def test_a_standby_and_a_recovery_may_take_long(signals: tuple[str, ...]) -> None:
    verdict, _ = told(seen(ServerState.STARTING, 7200.0, signals=signals))
    assert verdict.level is Level.UNKNOWN


def test_of_a_clock_that_is_off_the_hosts_own_counts() -> None:
    facts = replace(seen(ServerState.STARTING, 20.0), clock=NOW + 3600, clock_read_at=NOW)
    late = replace(CLUSTER, state=ServerState.STARTING, started_at=NOW + 3580)
    assert told(replace(facts, cluster=late))[0].level is Level.UNKNOWN


def test_a_warm_standby_alarms_nobody() -> None:
    verdict, finding = told(seen(ServerState.STANDBY, 9e6, signals=("standby.signal",)))
    assert (verdict.level, finding.severity) == (Level.UNKNOWN, Severity.NOTE)
    assert "hot_standby = off" in verdict.text


def test_single_user_mode_is_not_taken_for_a_server_that_is_down() -> None:
    verdict, finding = told(seen(ServerState.SINGLE_USER, 600.0, running=False), "NoSocket")
    assert verdict.level is Level.CRITICAL
    assert "single-user mode for 10 min" in verdict.text
    assert "DOWN" not in verdict.text
    assert "postmaster.pid" in finding.remedy


def test_a_read_only_disk_is_the_cause_and_not_a_crash_that_heals() -> None:
    refused = broken(Snapshot.archiver, "the database system is in recovery mode", "57P03", at=NOW - 12)
    snapshot = healthy(archiver=refused, host=seen(ServerState.READY), wal_disk=wal_disk(read_only=True))
    found = diagnose(snapshot, NOW)
    assert found.verdict.level is Level.CRITICAL
    assert found.verdict.text.startswith("the file system of pg_wal is READ-ONLY")
    assert found.stories[0].root.rule == "disk-read-only"
    assert [each.rule for each in found.stories[0].consequences] == ["postgres-unreachable"]


@pytest.mark.parametrize("read_only", [False, None])
def test_a_disk_that_is_written_to_says_nothing(read_only: bool | None) -> None:
    found = diagnose(healthy(wal_disk=wal_disk(read_only=read_only)), NOW)
    assert (found.verdict.level, found.findings) == (Level.OK, ())


@pytest.mark.parametrize("said", [b"ready", b"\x1b[2J", b"", b"starting"])
def test_a_state_that_is_none_is_not_known(said: bytes) -> None:
    raw = {"cluster": b"/data", "cluster.pid": b"7", "cluster.state": said + b" 1790000000"}
    facts = read_cluster(Group(raw), "postgres").facts
    known = {"ready": ServerState.READY, "starting": ServerState.STARTING}
    assert facts.state is known.get(said.decode(), ServerState.UNKNOWN)
    assert facts.started_at == 1_790_000_000.0
