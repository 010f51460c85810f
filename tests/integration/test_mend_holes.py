"""Holes of the archive, mended from wherever the segments are: real PostgreSQL, rclone and Ceph."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from tests.data.provisioning import MemoryRecord
from tests.integration.failure_stage import deployment, provisioned
from tests.integration.provision_stage import Stage
from tests.servers.rgw import RadosGateway
from tests.servers.s3 import S3Keys
from tests.servers.workspace import Workspace
from walconsole.adapters.decompress import PLAIN
from walconsole.domain.profile import BucketRole
from walconsole.domain.standing.model import Fix
from walconsole.process.clock import SystemClock
from walconsole.provision.engine.model import Plan, Printed, Proved, Question
from walconsole.provision.engine.model import Stage as At
from walconsole.provision.engine.runner import Runner
from walconsole.provision.fixes.catalogue import fix_steps
from walconsole.session.one_look import look_anew

pytestmark = [pytest.mark.server, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

PRIMARY, DR = BucketRole.PRIMARY, BucketRole.DR
Objects = dict[str, bytes]


@dataclass
class Asked:
    """The gate: says yes, after `before` was done; `plans` are what it was shown."""

    before: Callable[[], None] = lambda: None
    plans: list[Plan] = field(default_factory=list)

    async def ask(self, question: Question) -> bool:
        self.plans.append(question.plan)
        await asyncio.to_thread(self.before)
        return True


class Archive:
    """Both copies of a deployment that archives, and `names`: its segments, the oldest first."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.names: list[str] = []
        self.saved: dict[BucketRole, Objects] = {}

    def client(self, role: BucketRole):  # type: ignore[no-untyped-def]
        key = self.stage.app_key if role is PRIMARY else self.stage.dr_key
        keys = S3Keys(f"spaces-{key.access_key}", key.access_key, key.secret)
        return self.stage.gateways[role].client(keys)

    def bucket(self, role: BucketRole) -> str:
        return self.stage.target(role).bucket

    def get(self, role: BucketRole, key: str) -> bytes:
        return bytes(self.client(role).get_object(Bucket=self.bucket(role), Key=key)["Body"].read())

    def put(self, role: BucketRole, key: str, body: bytes) -> None:
        self.client(role).put_object(Bucket=self.bucket(role), Key=key, Body=body)

    def delete(self, role: BucketRole, *keys: str) -> None:
        for key in keys:
            self.client(role).delete_object(Bucket=self.bucket(role), Key=key)

    def key(self, role: BucketRole, name: str) -> str:
        return next(key for key in sorted(self.saved[role]) if key.startswith(name) and "backup" not in key)

    def lose(self, role: BucketRole, *names: str) -> None:
        self.delete(role, *(self.key(role, name) for name in names))

    def plain(self, role: BucketRole, key: str) -> bytes:
        return PLAIN.whole(key, self.get(role, key), 64 << 20)

    @property
    def pg_wal(self):  # type: ignore[no-untyped-def]
        return self.stage.cluster.data_dir / "pg_wal"

    def write(self, count: int) -> None:
        """Segments that both copies hold."""
        for _ in range(count):
            self.stage.cluster.sql("SELECT pg_create_restore_point('x')")
            self.names.append(str(self.stage.cluster.sql("SELECT pg_walfile_name(pg_switch_wal())")[0][0]))
        deadline = time.monotonic() + 120
        while not all(self.names[-1] in " ".join(self.stage.objects(role)) for role in BucketRole):
            assert time.monotonic() < deadline, "it is not archived"
            time.sleep(0.2)

    def save(self) -> None:
        for role in BucketRole:
            self.saved[role] = {key: self.get(role, key) for key in self.stage.objects(role)}

    def restore(self) -> None:
        """Both buckets as they were saved."""
        for role, objects in self.saved.items():
            there = {key: self.get(role, key) for key in self.stage.objects(role)}
            self.delete(role, *(there.keys() - objects.keys()))
            for key, body in objects.items():
                if there.get(key) != body:
                    self.put(role, key, body)

    def whole(self) -> bool:
        """Whether both copies hold what they held, byte by byte once it is plain."""
        for role, objects in self.saved.items():
            assert self.stage.objects(role) == set(objects), role
            for key, body in objects.items():
                if not key.startswith("base/"):
                    assert self.plain(role, key) == PLAIN.whole(key, body, 64 << 20), key
        return True

    def runner(self, gate: Asked | None = None) -> Runner:
        self.stage.told.clear()
        steps = fix_steps(self.stage.site, Fix("", step="mend-holes"))
        return Runner(self.stage.site, steps, gate or Asked(), self.stage.told.append)

    def said(self) -> str:
        events = [news.event for news in self.stage.told]
        return "\n".join(event.text for event in events if isinstance(event, Printed | Proved))

    async def mend(self, gate: Asked | None = None) -> str:
        """What it said; it must end well, and find nothing more to do."""
        running = self.runner(gate)
        await running.run()
        assert running.stages["mend-holes"] is At.CHANGED, self.said()
        said = self.said()
        again = self.runner()
        await again.run()
        assert again.stages["mend-holes"] is At.DONE, self.said()
        return said

    def leftovers(self) -> list[str]:
        return [path.name for path in (self.stage.root / "var/tmp").iterdir() if "mend" in path.name]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Archive]:
    async with deployment(workspace, rgw, rgw_dr, f"holes-{secrets.token_hex(3)}") as stage:
        await provisioned(stage)
        quiet = {"archive_timeout": "0", "autovacuum": "off", "wal_keep_size": "4GB"}
        stage.cluster.write_config("zz_quiet.conf", quiet)
        stage.cluster.reload()  # no segment comes but those of the test, and none is recycled
        stage.site.snapshot = lambda: look_anew(stage.profile, stage.site.shell, SystemClock(), {})  # type: ignore[arg-type]
        archive = Archive(stage)
        await asyncio.to_thread(archive.write, 9)
        await asyncio.to_thread(archive.save)
        yield archive


@pytest.fixture(autouse=True)
def as_it_was(made: Archive) -> None:
    made.stage.site.record = MemoryRecord()
    made.restore()


async def test_every_hole_of_both_copies_is_mended_by_one_plan(made: Archive) -> None:
    """What both lack comes from pg_wal, first; what one lacks from the other."""
    both, primary, dr = made.names[3:5], made.names[6], made.names[1]
    made.lose(PRIMARY, *both, primary)
    made.lose(DR, *both, dr)
    gate = Asked()
    said = await made.mend(gate)
    assert made.whole()
    (plan,) = gate.plans
    assert f"3 segments into {made.bucket(PRIMARY)}" in plan.summary
    assert f"3 segments into {made.bucket(DR)}" in plan.summary
    assert "2 from pg_wal" in plan.summary
    assert any("2 segments are in pg_wal alone" in note for note in plan.notes)
    stored = [line[:24] for line in said.splitlines() if "stored, read back" in line]
    assert stored == [both[0], both[0], both[1], both[1], dr, primary]
    assert f"{made.bucket(PRIMARY)} holds 3 segments that it lacked, each read back whole" in said
    assert made.leftovers() == []
