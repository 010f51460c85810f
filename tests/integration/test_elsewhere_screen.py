"""A recovery on another host by the keys that the screen offers, in a terminal, with a second sshd."""

import secrets
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal
from tests.integration.elsewhere_stage import Elsewhere, elsewhere
from tests.integration.recover_parts import text_of
from tests.integration.test_elsewhere import sql_there, state_of, with_own_keys
from tests.integration.walking import ALARMS, GREEN, Operator
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.config.checks import destination
from walconsole.domain.profile import Profile
from walconsole.domain.recovery.recover_state import RecoveryPhase

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(1500),
    pytest.mark.root("only root makes a second host on this machine"),
    pytest.mark.long,
]

STANDS = "it stands at the target, and can be read"


@pytest.fixture
async def both(
    workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway, tmp_path: Path
) -> AsyncIterator[Elsewhere]:
    name = f"w{secrets.token_hex(2)}"  # short: its folder, below a long one of the tests, holds a socket
    async with elsewhere(workspace, rgw, rgw_dr, name, tmp_path) as made:
        yield made


def with_spare(both: Elsewhere, profile: Profile) -> Profile:
    return replace(profile, spare=profile.ssh.instead(destination(both.spare.address)))


@contextmanager
def console(both: Elsewhere, environment: dict[str, str] | None = None) -> Iterator[Operator]:
    """The program with its profile, in a terminal, from its first picture on."""
    home = {"HOME": str(both.home), "LANG": "C.UTF-8", "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    command = [sys.executable, "-m", "walconsole", "it"]
    with Terminal(command, environment=home | (environment or {}), columns=120, rows=40) as terminal:
        operator = Operator(terminal)
        terminal.wait_until(lambda: operator.verdict in (GREEN, "UNKNOWN", *ALARMS), "the first picture", 90)
        yield operator


def to_the_recovery(operator: Operator) -> None:
    operator.press("v")
    operator.terminal.wait_for("Base backups")
    operator.press("U")
    operator.terminal.wait_for("The way", 30.0)


def shown(operator: Operator) -> str:
    return " ".join(operator.terminal.text.split())


def test_looked_at_there_by_keys_killed_found_again_and_opened(both: Elsewhere) -> None:
    stage, spare = both.stage, both.spare
    both.configure(with_spare(both, both.profile))
    stage.cluster.sql("CREATE TABLE orders AS SELECT generate_series(1, 31) AS n")
    place = text_of(stage.cluster, "SELECT pg_current_wal_insert_lsn()")
    stage.cluster.sql("DELETE FROM orders")
    wait_archived(stage.cluster, [fill_segment(stage.cluster)])

    with console(both) as operator:
        terminal = operator.terminal
        to_the_recovery(operator)
        terminal.wait_until(lambda: f"15/restored on {spare.address}" in shown(operator), "where", 60.0)
        operator.press("T")
        terminal.wait_for("to (a time")
        terminal.type(f"{place}\r")
        terminal.wait_for(f"lsn {place}, exclusive", 30.0)
        operator.press("x")
        operator.steps()
        terminal.wait_for(STANDS, 60.0)
        assert f"on {spare.address}" in shown(operator)
        operator.press("P")
        terminal.wait_for("read-only SQL")
        terminal.type("orders\r")
        operator.steps()
        assert any("31" in line for line in operator.walked.told), operator.walked.told
        terminal.process.kill()
    assert state_of(both).phase is RecoveryPhase.PAUSED
    assert stage.cluster.running

    both.configure(both.profile)  # it names no other host: the console's own note does
    with console(both) as operator:
        terminal = operator.terminal
        to_the_recovery(operator)
        terminal.wait_for(STANDS, 60.0)
        assert f"on {spare.address}" in shown(operator)
        operator.press("x")
        operator.steps()
        terminal.wait_for("no recovery goes on there", 60.0)
        terminal.type("q")
        terminal.wait()
    assert state_of(both).phase is RecoveryPhase.DONE
    assert not stage.cluster.running
    assert sql_there(both, "SELECT count(*) FROM orders") == "31"


def test_with_production_gone_the_screen_leads_there(
    both: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, spare = both.stage, both.spare
    stage.cluster.sql("CREATE TABLE orders AS SELECT generate_series(1, 23) AS n")
    wait_archived(stage.cluster, [fill_segment(stage.cluster)])
    both.configure(with_spare(both, with_own_keys(both, monkeypatch)))
    keys = {
        f"WAL_{role}_{part}": value
        for role, key in (("PRIMARY", stage.app_key), ("DR", stage.dr_key))
        for part, value in (("KEY", key.access_key), ("SECRET", key.secret))
    }
    stage.cluster.stop("immediate")
    stage.sshd.stop()
    with console(both, keys) as operator:
        terminal = operator.terminal
        to_the_recovery(operator)
        terminal.wait_until(lambda: f"on {spare.address}" in shown(operator), "where", 90.0)
        operator.press("x")
        operator.steps()
        terminal.wait_for("can be read", 60.0)
        operator.press("u")
        operator.steps()
        terminal.wait_for("no recovery goes on there", 60.0)
        terminal.type("q")
        terminal.wait()
    assert state_of(both).phase is RecoveryPhase.GIVEN_UP
