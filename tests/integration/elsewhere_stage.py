"""A deployment, a second host beside it, and the program with a profile that can reach both."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.integration.failure_stage import deployment, provisioned
from tests.integration.provision_stage import Stage
from tests.servers.rgw import RadosGateway
from tests.servers.second_host import SecondHost, second_host
from tests.servers.workspace import Workspace
from walconsole.config.writer import profile_as_toml
from walconsole.domain.profile import DrillSettings, Profile


@dataclass
class Elsewhere:
    """`stage` is production, `spare` the other host; `home` is where the program's files are."""

    stage: Stage
    spare: SecondHost
    home: Path

    @property
    def profile(self) -> Profile:
        """By which both hosts are reached."""
        ssh = self.stage.profile.ssh
        keys = (*ssh.identity_files, str(self.spare.sshd.identity_file))
        return replace(
            self.stage.profile,
            ssh=replace(ssh, identity_files=keys, known_hosts_file=str(self.home / "known_hosts")),
        )

    @property
    def confirm(self) -> tuple[str, str]:
        return "--confirm", self.stage.profile.name

    def configure(self, profile: Profile | None = None, *, spare_known: bool = True) -> None:
        """Write the program's files."""
        file = self.home / ".config/walconsole/config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(profile_as_toml(profile or self.profile, "it"))
        file.chmod(0o600)
        known = self.stage.sshd.known_hosts_file.read_text()
        spare = self.spare.sshd.known_hosts_file.read_text() if spare_known else ""
        (self.home / "known_hosts").write_text(known + spare)

    async def begin(
        self, command: str, *options: str, on: tuple[str, ...] | None = None
    ) -> asyncio.subprocess.Process:
        """`walconsole COMMAND it --on SPARE OPTIONS`."""
        environment: Mapping[str, str] = {**os.environ, "HOME": str(self.home), "XDG_CONFIG_HOME": ""}
        there = ("--on", self.spare.address) if on is None else on
        words = (sys.executable, "-m", "walconsole", command, "it", *there, *options)
        return await asyncio.create_subprocess_exec(
            *words,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def run(
        self, command: str, *options: str, on: tuple[str, ...] | None = None
    ) -> tuple[int | None, str]:
        """The exit code, and what it said on both streams, in which no secret is."""
        child = await self.begin(command, *options, on=on)
        said, _ = await child.communicate()
        text = said.decode()
        for key in (self.stage.app_key, self.stage.dr_key):
            assert key.secret not in text
        return child.returncode, text

    def left(self, folder: str) -> set[str]:
        """What lies in a folder below the deployment's root on the other host; nothing where none is."""
        place = self.spare.root / folder
        return {each.name for each in place.iterdir()} if place.exists() else set()


@asynccontextmanager
async def elsewhere(
    workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway, name: str, home: Path
) -> AsyncIterator[Elsewhere]:
    """Production archives and has a base backup; the other host has nothing of it yet."""
    async with deployment(workspace, rgw, rgw_dr, name) as stage:
        await provisioned(stage)
        with second_host(workspace, stage.root, stage.cluster.folder) as spare:
            made = Elsewhere(stage, spare, home)
            made.configure(replace(made.profile, drills=DrillSettings(reserve_mib=64)))
            yield made
