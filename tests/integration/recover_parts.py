"""A recovery on a stage: what is run, what it told, and what the recovered server holds."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.data.provisioning import RealClock
from tests.integration.provision_stage import Stage
from tests.servers.archived import MIB
from tests.servers.postgres import PostgresServer
from tests.servers.s3 import S3Keys
from walconsole.config.writer import profile_as_toml
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import BucketRole, Profile
from walconsole.domain.recovery.recover_state import RecoveryPhase, RecoveryState
from walconsole.domain.wal import wal_name
from walconsole.droplet.choices import DrillChoices
from walconsole.provision.engine.model import Printed, Proved, Step
from walconsole.provision.engine.runner import Runner
from walconsole.provision.recovering.recovery import Recovery
from walconsole.session.one_look import look_anew

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def observed(stage: Stage) -> None:
    """Let the steps look at the archive as a console does."""
    site = stage.site

    async def snapshot() -> Snapshot:
        return await look_anew(stage.profile, site.shell, RealClock(), {})  # type: ignore[arg-type]

    async def whole(profile: Profile) -> Snapshot:
        return await look_anew(profile, site.shell, RealClock(), {}, whole=True)  # type: ignore[arg-type]

    site.snapshot, site.whole = snapshot, whole
    site.drill = DrillChoices(poll_s=1, reserve_mib=64)


async def ran(stage: Stage, steps: Sequence[Step]) -> str:
    """What the run of these steps told; it must go through."""
    stage.told.clear()
    await Runner(stage.site, steps, stage.gate, stage.told.append).run()
    events = [news.event for news in stage.told]
    return "\n".join(event.text for event in events if isinstance(event, Printed | Proved))


async def looked(stage: Stage, steps: Sequence[Step]) -> set[str]:
    """Where a look, which changes nothing, found these steps."""
    runner = Runner(stage.site, steps, stage.gate, stage.told.append)
    await runner.check_all()
    return {str(stage) for stage in runner.stages.values()}


def orders(server: PostgresServer) -> int:
    """The rows of the table that the tests recover."""
    ((rows,),) = server.sql("SELECT count(*) FROM orders")
    return int(rows)


def text_of(server: PostgresServer, sql: str) -> str:
    """One value."""
    ((value,),) = server.sql(sql)
    return str(value)


def names(folder: str | Path) -> set[str]:
    """What lies in it."""
    return {path.name for path in Path(folder).iterdir()}


def listing(stage: Stage) -> list[dict[str, str]]:
    """All objects of each copy, with ETag and time."""
    found = []
    for role in BucketRole:
        client, bucket = stage.gateways[role].client(), stage.target(role).bucket
        listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
        found.append({one["Key"]: f"{one['ETag']} {one['LastModified'].isoformat()}" for one in listed})
    return found


def assert_untouched(was: list[dict[str, str]], now: list[dict[str, str]]) -> set[str]:
    """In each copy what lay there is as it was. What is new and no segment, which production archives."""
    new = set[str]()
    for before, after in zip(was, now, strict=True):
        assert before.items() <= after.items(), "what lay there is as it was"
        new |= {key for key in after.keys() - before.keys() if not is_segment(key)}
    return new


def is_segment(key: str) -> bool:
    """What a server archives by itself."""
    return wal_name(key.rpartition("/")[2].split(".")[0], MIB) is not None


def own_client(stage: Stage, role: BucketRole) -> "S3Client":
    """By the archiver's own key: what it stored nobody else reads."""
    key = stage.app_key if role is BucketRole.PRIMARY else stage.dr_key
    keys = S3Keys(f"spaces-{key.access_key}", key.access_key, key.secret)
    return stage.gateways[role].client(keys)


async def until_phase(recovery: Recovery, *phases: RecoveryPhase) -> RecoveryState:
    """The state, once it is in one of these."""
    state = await recovery.state()
    if state.phase in phases:
        return state
    await asyncio.sleep(0.1)
    return await until_phase(recovery, *phases)


class Program:
    """The program with a home of its own, and in it the stage's profile."""

    def __init__(self, stage: Stage, home: Path) -> None:
        self._file = home / ".config/walconsole/config.toml"
        self.environment: Mapping[str, str] = {
            **os.environ,
            "HOME": str(home),
            "XDG_CONFIG_HOME": "",
            "XDG_STATE_HOME": "",
        }
        self._file.parent.mkdir(parents=True)
        self.configure(stage.profile)
        self.confirm = ("--confirm", stage.profile.name)

    def configure(self, profile: Profile) -> None:
        """What it will read."""
        self._file.write_text(profile_as_toml(profile, "it"))
        self._file.chmod(0o600)

    async def begin(self, *options: str, command: str = "recover") -> asyncio.subprocess.Process:
        """One that goes on by itself."""
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "walconsole", command, "it", *options,
            env=self.environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip

    async def run(self, *options: str, command: str = "recover") -> tuple[int | None, str]:
        """The exit code, and what it said on both streams."""
        child = await self.begin(*options, command=command)
        said, _ = await child.communicate()
        return child.returncode, said.decode()
