"""A dropped table is brought back on the demo's droplet, in a terminal, by what the screen offers alone."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.integration.walking import demo

pytestmark = [pytest.mark.server, pytest.mark.timeout(400), pytest.mark.long]

WITHIN_S = 300.0


def test_a_dropped_table_comes_back_within_five_minutes_by_keys_alone(tmp_path: Path) -> None:
    with demo("dropped-table", tmp_path, 120, 40) as operator:
        began, terminal = time.monotonic(), operator.terminal
        operator.press("v")
        terminal.wait_for("Base backups")
        operator.press("M")
        terminal.wait_for("around when")
        terminal.type(f"{datetime.now(UTC):%H:%M} 15min\r")
        terminal.wait_for("Bring WAL to the droplet?", 60.0)
        terminal.type("\x1b[C\r")
        terminal.wait_for("dropped", 60.0)
        terminal.wait_for("public.orders", 60.0)
        operator.press("U")
        terminal.wait_for("happened", 30.0)
        terminal.wait_for("into the new cluster", 30.0)
        operator.press("x")
        operator.steps()
        terminal.wait_for("it stands at the target, and can be read", 60.0)
        operator.press("P")
        terminal.wait_for("read-only SQL")
        terminal.type("orders\r")
        operator.steps()
        assert any("480" in line for line in operator.walked.told), operator.walked.told
        terminal.wait_for("it stands at the target, and can be read", 60.0)
        operator.press("e")
        terminal.wait_for("dump (")
        terminal.type("public.orders\r")
        operator.steps()
        told = " ".join(" ".join(operator.walked.told).split())
        assert "public.orders has 480 rows in the running server, as in the copy" in told
        terminal.wait_for("it stands at the target, and can be read", 60.0)
        operator.press("u")
        operator.steps()
        terminal.wait_for("no recovery goes on there", 60.0)
        assert time.monotonic() - began < WITHIN_S
