"""`walconsole drill`, the program itself, on a deployment that the console set up."""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.failure_stage import deployment, provisioned
from tests.integration.provision_stage import Stage
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.config.writer import profile_as_toml
from walconsole.domain.profile import BucketRole, DrillSettings
from walconsole.droplet.names import names_of

pytestmark = [pytest.mark.server, pytest.mark.timeout(500), pytest.mark.long]


@pytest.fixture
async def stage(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    name = f"d{secrets.token_hex(2)}"  # short: its folder, below a long one of the tests, holds a socket
    async with deployment(workspace, rgw, rgw_dr, name) as made:
        await provisioned(made)
        yield made


class Program:
    """The program with a home of its own, and in it the stage's profile."""

    def __init__(self, stage: Stage, home: Path) -> None:
        self.stage, self.file = stage, home / ".config/walconsole/config.toml"
        self.environment: Mapping[str, str] = {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": ""}
        self.file.parent.mkdir(parents=True)

    def configure(self, drills: DrillSettings) -> None:
        self.file.write_text(profile_as_toml(replace(self.stage.profile, drills=drills), "it"))
        self.file.chmod(0o600)

    async def begin(self, *options: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "walconsole", "drill", "it", *options,
            env=self.environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip

    async def run(self, *options: str) -> tuple[int | None, str]:
        """The exit code, and what it said on both streams."""
        child = await self.begin(*options)
        said, _ = await child.communicate()
        return child.returncode, said.decode()


def results(stage: Stage) -> list[set[str]]:
    return [{key for key in stage.objects(role) if "/drills/" in f"/{key}"} for role in BucketRole]


def installed(stage: Stage) -> bool:
    return Path(names_of(stage.profile).drill).exists()


async def test_planned_refused_made_and_ended(stage: Stage, tmp_path: Path) -> None:
    program, name = Program(stage, tmp_path), stage.profile.name
    program.configure(DrillSettings(reserve_mib=1 << 24))
    code, said = await program.run("--plan")
    assert code == 10, said
    assert "16.0 TiB that stay free" in said

    program.configure(DrillSettings(reserve_mib=64, queries=("SELECT 1",)))
    code, said = await program.run("--plan")
    assert code == 0, said
    assert "how long it takes is not known: none was made yet" in said
    assert results(stage) == [set(), set()]
    assert not installed(stage), "a plan changes nothing"

    code, said = await program.run("--apply", "--confirm", name)
    assert code == 0, said
    for role in BucketRole:
        assert f"so it stands in {stage.target(role).bucket}" in said
    primary, dr = results(stage)
    assert len(primary) == 1
    assert primary == dr

    code, said = await program.run("--plan")
    assert code == 0, said
    assert "it may take, by the drill " in said

    child = await program.begin("--apply", "--confirm", name)
    state = Path(names_of(stage.profile).drill_state)
    while '"state":"fetching"' not in await asyncio.to_thread((state / "status.json").read_text):
        assert child.returncode is None
        await asyncio.sleep(0.05)
    child.send_signal(signal.SIGTERM)
    text, _ = await child.communicate()
    assert child.returncode == 128 + signal.SIGTERM, text.decode()
    left = await asyncio.to_thread(lambda: {path.name for path in state.iterdir()})
    assert left <= {"by-hand.ended", "by-hand.said", "last.json", "proved", "status.json"}
    assert results(stage) == [primary, dr]
    for role in BucketRole:
        assert not any("lock.json" in key for key in stage.objects(role))
