"""Whether the running server is in its unit: by cgroup and main process, as hosts with systemd answer."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.data.configuration import ARGV, CONF_D, gathered, incident_texts, tree
from tests.data.facts import CLUSTER, healthy, host
from tests.data.surveys import PROFILE, SURVEY
from tests.unit.test_preflight_facts import of_droplet, the_one
from walconsole.domain.facts.observed import ConfigFiles
from walconsole.domain.failures import diagnose
from walconsole.domain.pgconf.start import Launch
from walconsole.domain.pgconf.unit import UnitOfServer, unit_of
from walconsole.domain.profile import ClusterName
from walconsole.domain.standing.remedies import restart_by_hand
from walconsole.observe.server.configuration import launch_of
from walconsole.provision.engine.model import FactState
from walconsole.provision.steps.restarting import Control, control_of

MAIN = "postgresql@17-main.service"
OWN = f"0::/system.slice/system-postgresql.slice/{MAIN}\n"
SESSION = "0::/user.slice/user-0.slice/session-3.scope\n"
V1 = f"12:pids:/system.slice\n1:name=systemd:/user.slice/user-0.slice/session-c2.scope\n0::{MAIN}\n"
UP = {"LoadState": "loaded", "ActiveState": "active", "MainPID": "712"}
FAILED = {"LoadState": "loaded", "ActiveState": "failed", "MainPID": "0"}
IDLE = {"LoadState": "loaded", "ActiveState": "inactive", "MainPID": "0"}
NONE = {"LoadState": "not-found", "ActiveState": "inactive", "MainPID": "0"}
Units = Mapping[str, Mapping[str, str]]


@pytest.mark.parametrize(
    ("units", "pid", "cgroup", "holds", "place"),
    [
        pytest.param({MAIN: UP}, 712, OWN, True, MAIN, id="in its unit"),
        pytest.param({MAIN: UP}, 712, "", True, MAIN, id="by its main process alone"),
        pytest.param({MAIN: UP | {"MainPID": "0"}}, 712, OWN, True, MAIN, id="by its cgroup alone"),
        pytest.param({MAIN: FAILED}, 712, SESSION, False, "session-3.scope", id="restarted by hand"),
        pytest.param({MAIN: IDLE}, 712, SESSION, False, "session-3.scope", id="started by hand"),
        pytest.param({MAIN: IDLE}, 712, V1, False, "session-c2.scope", id="the same with cgroups of old"),
        pytest.param(
            {MAIN: FAILED}, 712, "0::/system.slice/cron.service\n", False, "cron.service", id="by a job"
        ),
        pytest.param(
            {"cron.service": UP | {"MainPID": "9"}, MAIN: FAILED},
            712,
            "0::/system.slice/cron.service\n",
            False,
            "cron.service",
            id="a job's service is nobody's unit",
        ),
        pytest.param({MAIN: IDLE}, 712, "0::/\n", False, "", id="at the hierarchy's root"),
        pytest.param({MAIN: UP | {"MainPID": "99"}}, 712, "0::/\n", None, "", id="a container's own view"),
        pytest.param({MAIN: NONE}, 712, SESSION, None, "session-3.scope", id="no unit would start it"),
        pytest.param({MAIN: {}}, 712, SESSION, None, "session-3.scope", id="systemd does not answer"),
        pytest.param(
            {MAIN: {"LoadState": "loaded", "ActiveState": "active"}},
            712,
            SESSION,
            None,
            "session-3.scope",
            id="no main process is told",
        ),
        pytest.param({MAIN: FAILED}, 712, "", None, "", id="the cgroup cannot be read"),
        pytest.param({MAIN: FAILED}, None, "", None, "", id="no server runs"),
        pytest.param({}, 712, SESSION, None, "session-3.scope", id="no unit is known"),
    ],
)
def test_the_unit_holds_the_server_by_its_cgroup(
    units: Units, pid: int | None, cgroup: str, holds: bool | None, place: str
) -> None:
    found = unit_of(units, pid, cgroup)
    assert (found.holds, found.place) == (holds, place)
    assert found.name == (MAIN if MAIN in units else "")


def test_a_unit_that_runs_it_for_another_is_the_server_s() -> None:
    """Patroni starts the server itself: it is in Patroni's unit, and Debian's is not meant to hold it."""
    units: Units = {"patroni.service": UP | {"MainPID": "600"}, MAIN: IDLE}
    found = unit_of(units, 712, "0::/system.slice/patroni.service\n")
    assert found == UnitOfServer("patroni.service", "active", True, "patroni.service")


def test_a_name_that_systemd_would_not_give_is_none() -> None:
    assert unit_of({MAIN: FAILED}, 712, "0::/x\x1b[31m evil.service\n").place == ""


def test_what_the_host_said_becomes_how_it_was_launched() -> None:
    told = replace(
        gathered(tree(incident_texts(), dirs={CONF_D: ()}), argv=ARGV),
        units={MAIN: FAILED},
        pid=712,
        cgroup=SESSION,
    )
    launch = launch_of(told, "/etc/postgresql/15/main/postgresql.conf")
    assert (launch.unit, launch.active_state, launch.outside) == (MAIN, "failed", "session-3.scope")
    assert launch_of(replace(told, units={MAIN: UP}, cgroup=OWN), "/etc/x").outside == ""


BESIDE = ConfigFiles((), launch=Launch(unit=MAIN, active_state="failed", outside="session-3.scope"))


def test_a_server_beside_its_unit_is_a_finding_that_says_how_to_end_it() -> None:
    named = replace(CLUSTER, name=ClusterName("17", "main"))
    snapshot = healthy(files=BESIDE, host=host(cluster=named))
    [finding] = [
        each for each in diagnose(snapshot, snapshot.taken_at).findings if each.rule == "outside-unit"
    ]
    assert finding.title == f"the server runs outside {MAIN}"
    assert "session-3.scope" in finding.evidence[0]
    assert f"{MAIN} is failed" in finding.evidence[0]
    assert finding.fixes[0].commands == (
        "pg_ctlcluster --skip-systemctl-redirect 17 main stop",
        f"systemctl reset-failed {MAIN}",
        f"systemctl start {MAIN}",
    )
    assert restart_by_hand(snapshot) == ("pg_ctlcluster --skip-systemctl-redirect 17 main restart",)


@pytest.mark.parametrize("launch", [None, Launch(unit=MAIN, active_state="active"), Launch()])
def test_a_server_in_its_unit_is_none(launch: Launch | None) -> None:
    snapshot = healthy(files=ConfigFiles((), launch=launch))
    assert "outside-unit" not in {each.rule for each in diagnose(snapshot, snapshot.taken_at).findings}


def test_it_is_restarted_where_it_runs() -> None:
    unit = SURVEY.unit
    start = f"systemctl reset-failed {unit}; systemctl start {unit}"
    assert control_of(SURVEY) == Control(f"systemctl restart {unit}", start)
    beside = "pg_ctlcluster --skip-systemctl-redirect 15 main"
    outside = replace(SURVEY, outside="session-3.scope")
    assert control_of(outside) == Control(f"{beside} restart", f"{beside} start")
    assert SURVEY.cluster is not None
    unnamed = replace(outside, cluster=replace(SURVEY.cluster, name=None))
    assert control_of(unnamed) is None


def test_preflight_says_how_it_will_be_restarted() -> None:
    assert PROFILE.postgres.os_user == "postgres"
    inside = the_one(of_droplet(SURVEY), "restart")
    assert (inside.state, inside.value) == (
        FactState.OK,
        f"where one is needed, by systemctl restart {SURVEY.unit}",
    )
    beside = the_one(of_droplet(replace(SURVEY, outside="session-3.scope")), "restart")
    assert beside.state is FactState.WARNING
    assert beside.value == (
        f"the server runs in session-3.scope, not in {SURVEY.unit}: it is restarted there, by "
        "pg_ctlcluster --skip-systemctl-redirect 15 main restart"
    )
    assert f"systemctl start {SURVEY.unit}" in beside.remedy
