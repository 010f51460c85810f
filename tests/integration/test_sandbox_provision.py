"""Every scenario of the demo is provisioned to green, by the program itself as a script would run it."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest

from tests.integration.sandbox_child import Child, sandbox
from walconsole.config.writer import profile_as_toml
from walconsole.operator_files.history_file import HistoryFile
from walconsole.sandbox.scenarios.scenario import SCENARIOS
from walconsole.ui.provisioning.past_run import PastRun

pytestmark = [pytest.mark.server, pytest.mark.long]

ALL = {
    "temporary-key", "buckets", "delete-temporary-key", "grants", "write-probe", "archive-command", "drop-in",
    "verifier", "restart", "proof", "backup-command", "backup-schedule", "first-backup",
}  # fmt: skip
BY_ITSELF = {"proof"}
"""Once its key may write again PostgreSQL archives by itself, and may have done so before it is looked at."""
MENDED: dict[str, set[str]] = {
    "incident": ALL,
    "failing": {
        "temporary-key",
        "buckets",
        "delete-temporary-key",
        "grants",
        "write-probe",
        "proof",
    },
    "holes": {"first-backup"},
    **{name: set() for name in ("healthy", "idle", "slow", "dropped-table")},
}


async def provision(child: Child, folder: Path, name: str = "provision") -> dict[str, str]:
    """Run `walconsole NAME --apply`; where each step is at the end."""
    config = folder / "config.toml"
    config.write_text(profile_as_toml(child.profile, "droplet"), "utf-8")
    environment = {**os.environ, **child.environment, "XDG_STATE_HOME": str(folder), "HOME": str(folder)}
    command = [
        name,
        "droplet",
        "--config",
        str(config),
        "--apply",
        "--confirm",
        child.profile.name,
        "--json",
    ]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "walconsole", *command,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=environment,
    )  # fmt: skip
    said, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    last = json.loads(said.splitlines()[-1])
    return {str(step): str(stage) for step, stage in last["stages"].items()}


def as_kept(folder: Path) -> dict[str, str]:
    """The same, of the last run, as its past shows it."""
    (*_, run) = HistoryFile({"XDG_STATE_HOME": str(folder)}).runs_until("droplet", time.time())
    shown = PastRun(run, time.time())
    assert (shown.busy, shown.failure, shown.by) == (False, None, "without a screen")
    return {step.id: shown.news[step.id].stage.value for step in shown.steps}


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
async def test_provisioned_to_green(scenario: str, tmp_path: Path) -> None:
    async with sandbox("--scenario", scenario) as child:
        stages = await provision(child, tmp_path)
        assert as_kept(tmp_path) == stages
        assert set(stages.values()) <= {"done", "done already"}
        changed = {step for step, stage in stages.items() if stage == "done"}
        assert MENDED[scenario] - BY_ITSELF <= changed <= MENDED[scenario]
        if MENDED[scenario]:
            assert set((await provision(child, tmp_path)).values()) == {"done already"}
        if scenario == "incident":
            one_more = await provision(child, tmp_path, "backup")
            assert one_more == {"backup-command": "done already", "backup": "done"}
            assert as_kept(tmp_path) == one_more
    assert list((tmp_path / "walconsole" / "temporary-keys").glob("*")) == []
