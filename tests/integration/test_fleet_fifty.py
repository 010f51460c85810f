"""Fifty clusters in the list, ten of them broken in ten ways: each is told within a minute, its mend, too.

Eight real deployments, each with a server, a host and buckets of its own, of which seven are broken. All the
other rows look at the eighth, three of them through proxies and a key of their own, which are broken, too.
"""

import asyncio
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.integration.failure_stage import LATE, deployment, mode, provisioned
from tests.integration.fleet_parts import through
from tests.integration.provision_stage import Stage
from tests.servers.fixtures import MakeProxy
from tests.servers.proxy import Proxy
from tests.servers.rgw import RadosGateway
from tests.servers.s3 import S3Keys
from tests.servers.workspace import Workspace
from walconsole.domain.fleet.row import FleetRow
from walconsole.domain.profile import BucketRole, KeyReference, KeySource, Profile
from walconsole.domain.standing.model import Level
from walconsole.process.cleanup import Cleanups
from walconsole.session.fleet import Fleet
from walconsole.session.wish import Session

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = [
    pytest.mark.server,
    pytest.mark.long,
    pytest.mark.timeout(1500),
    pytest.mark.asyncio(loop_scope="module"),
]

CLUSTERS, WITHIN_S = 50, 60.0
ALONE = ("server-down", "archive-off", "no-program", "no-backup", "segment-gone", "slot", "key-refused")
"""Each has a deployment of its own."""


@dataclass(frozen=True, slots=True)
class Way:
    """What breaks it until the end, and what its row must then begin with."""

    broken: Callable[[], AbstractContextManager[None]]
    level: Level
    says: str

    def is_told_by(self, row: FleetRow) -> bool:
        return row.level is self.level and re.match(self.says, row.verdict) is not None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stages(
    workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway
) -> AsyncIterator[dict[str, Stage]]:
    """By what will be broken there; `calm` stays as it is."""
    made: dict[str, Stage] = {}
    async with AsyncExitStack() as stack:
        for name in ("calm", *ALONE):
            own = f"{name}-{secrets.token_hex(2)}"
            made[name] = await stack.enter_async_context(deployment(workspace, rgw, rgw_dr, own))
            await provisioned(made[name])
        yield made


# -- The ten ways.


def switch(stage: Stage, times: int = 1) -> None:
    for _ in range(times):
        stage.cluster.sql("SELECT pg_create_restore_point('due')")
        stage.cluster.sql("SELECT pg_switch_wal()")


@contextmanager
def stopped(stage: Stage) -> Iterator[None]:
    stage.cluster.stop()
    yield
    stage.cluster.start()


@contextmanager
def configured(stage: Stage, **settings: str) -> Iterator[None]:
    """These settings win, after a restart."""
    stage.cluster.write_config(LATE, settings)
    stage.cluster.restart()
    yield
    (stage.cluster.config_dir / "conf.d" / LATE).unlink()
    stage.cluster.restart()


@contextmanager
def without_program(stage: Stage) -> Iterator[None]:
    with mode(stage.root / f"usr/local/bin/{stage.profile.name}-pg-archive", 0o644):
        switch(stage)
        yield
    stage.cluster.reload()  # it starts an archiver that gave up: else within a minute


@contextmanager
def taken_away(stage: Stage, is_meant: Callable[[str], bool], *roles: BucketRole) -> Iterator[None]:
    """Objects of these copies; then they are put back by whose they were."""
    kept: list[tuple[BucketRole, str, bytes]] = []
    for role in roles:
        bucket = stage.target(role).bucket
        for key in sorted(filter(is_meant, stage.objects(role))):
            body = owner(stage, role).get_object(Bucket=bucket, Key=key)["Body"].read()
            kept.append((role, key, body))
            stage.gateways[role].client().delete_object(Bucket=bucket, Key=key)
    assert kept
    yield
    for role, key, body in kept:
        owner(stage, role).put_object(Bucket=stage.target(role).bucket, Key=key, Body=body)


def owner(stage: Stage, role: BucketRole) -> "S3Client":
    """By the key of who writes there, whose objects they are."""
    key = stage.app_key if role is BucketRole.PRIMARY else stage.dr_key
    return stage.gateways[role].client(S3Keys(f"spaces-{key.access_key}", key.access_key, key.secret))


def is_of_backup(key: str) -> bool:
    return "base/" in key or ".backup" in key


@contextmanager
def held_by_a_slot(stage: Stage) -> Iterator[None]:
    stage.cluster.write_config(LATE, {"max_wal_size": "2MB", "min_wal_size": "2MB"})
    stage.cluster.reload()
    stage.cluster.sql("SELECT pg_create_physical_replication_slot('gone', true)")
    switch(stage, 6)
    yield
    stage.cluster.sql("SELECT pg_drop_replication_slot('gone')")
    (stage.cluster.config_dir / "conf.d" / LATE).unlink()
    stage.cluster.reload()
    stage.cluster.sql("CHECKPOINT")


@contextmanager
def without_grants(stage: Stage) -> Iterator[None]:
    key = stage.app_key
    grants = key.grants
    stage.keys.replace(key, key.name, ())
    switch(stage)
    yield
    stage.keys.replace(key, key.name, grants)
    stage.cluster.reload()


@contextmanager
def undone(do: Callable[[], object], undo: Callable[[], object]) -> Iterator[None]:
    do()
    yield
    undo()


def vanish(store: Proxy) -> None:
    store.refuse()
    store.cut()


@dataclass(frozen=True, slots=True)
class Fifty:
    """The list's profiles by their names, ten of which have a way to be broken."""

    profiles: dict[str, Profile]
    ways: dict[str, Way]


def fifty(stages: dict[str, Stage], environment: dict[str, str], folder: Path, make: MakeProxy) -> Fifty:
    profiles = {name: replace(stages[name].profile, remembered_as=name) for name in ALONE}
    critical, unknown = Level.CRITICAL, Level.UNKNOWN
    segments = sorted(key for key in stages["segment-gone"].objects(BucketRole.PRIMARY) if len(key) == 28)
    missing = segments[len(segments) // 2]
    both = BucketRole.PRIMARY, BucketRole.DR
    ways = {
        "server-down": Way(partial(stopped, stages["server-down"]), critical, "PostgreSQL is DOWN"),
        "archive-off": Way(
            partial(configured, stages["archive-off"], archive_mode="off"), critical, "archiving is OFF"
        ),
        "no-program": Way(
            partial(without_program, stages["no-program"]), critical, "the server's user may not run "
        ),
        "no-backup": Way(
            partial(taken_away, stages["no-backup"], is_of_backup, *both), critical, "NOTHING can be restored"
        ),
        "segment-gone": Way(
            partial(taken_away, stages["segment-gone"], missing.__eq__, *both),
            critical,
            f"nothing after .* can be restored: {missing[:24]} is missing",
        ),
        "slot": Way(
            partial(held_by_a_slot, stages["slot"]), Level.WARNING, "replication slot gone keeps .* of WAL"
        ),
        "key-refused": Way(
            partial(without_grants, stages["key-refused"]), critical, "archiving FAILS.*403|archiving FAILS"
        ),
    }
    calm = stages["calm"]
    host, store = make(calm.sshd.port), make(int(calm.profile.primary.endpoint.rpartition(":")[2]))
    environment |= {"OWN_KEY": calm.app_key.access_key, "OWN_SECRET": calm.app_key.secret}
    own = KeyReference(KeySource.ENVIRONMENT, "OWN_KEY", "OWN_SECRET")
    primary = calm.profile.primary
    profiles["host-dead"] = replace(calm.profile, ssh=through(calm, host.port, folder))
    ways["host-dead"] = Way(
        partial(undone, host.stall, host.resume), unknown, "cannot tell: the droplet cannot be reached"
    )
    there = replace(primary, endpoint=f"http://127.0.0.1:{store.port}")
    profiles["store-gone"] = replace(calm.profile, primary=there)
    ways["store-gone"] = Way(
        partial(undone, partial(vanish, store), store.accept),
        unknown,
        "cannot tell: .*primary bucket",
    )
    profiles["key-unknown"] = replace(calm.profile, primary=replace(primary, keys=own))
    right, wrong = {"OWN_KEY": calm.app_key.access_key}, {"OWN_KEY": "DO00UNKNOWNKEYUNKNOWN"}
    ways["key-unknown"] = Way(
        partial(undone, lambda: environment.update(wrong), lambda: environment.update(right)),
        unknown,
        "cannot tell: .*InvalidAccessKeyId",
    )
    for number in range(CLUSTERS - len(profiles)):
        profiles[f"well-{number:02}"] = calm.profile
    return Fifty({name: replace(one, remembered_as=name) for name, one in profiles.items()}, ways)


async def seconds_until(holds: Callable[[], bool], limit_s: float) -> float | None:
    """None where it did not come about in time."""
    began = time.monotonic()
    while not holds():  # nothing tells of it
        if time.monotonic() - began >= limit_s:
            return None
        await asyncio.sleep(0.2)
    return time.monotonic() - began


@dataclass(slots=True)
class Listed:
    """The list, as it is seen from outside; `late` has what it did not say in time."""

    fleet: Fleet
    late: list[str] = field(default_factory=list)
    seconds: dict[str, int] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)

    def row(self, name: str) -> FleetRow:
        return next(each for each in self.fleet.rows if each.name == name)

    def ill(self) -> dict[str, str]:
        return {each.name: each.verdict for each in self.fleet.rows if each.level is not Level.OK}

    async def within_a_minute(self, what: str, name: str, holds: Callable[[FleetRow], bool]) -> None:
        lasted = await seconds_until(lambda: holds(self.row(name)), WITHIN_S)
        row = self.row(name)
        if lasted is None:
            self.late.append(f"{name} {what}: after a minute it is {row.level}: {row.verdict}")
        else:
            self.seconds[f"{name} {what}"], self.told[name] = round(lasted), row.verdict


async def test_of_fifty_ten_are_broken_in_ten_ways_and_each_is_told_within_a_minute(
    stages: dict[str, Stage],
    tmp_path: Path,
    make_proxy: MakeProxy,
    record_property: Callable[[str, object], None],
) -> None:
    switch(stages["segment-gone"], 4)
    await asyncio.sleep(5.0)
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    all_of_them = fifty(stages, environment, tmp_path, make_proxy)
    wishes = [
        Session(profile, tmp_path / "log", called=name, environment=environment)
        for name, profile in all_of_them.profiles.items()
    ]
    ways = all_of_them.ways
    assert (len(wishes), len(ways)) == (CLUSTERS, 10)
    async with Cleanups() as cleanups:
        listed = Listed(Fleet(wishes, cleanups))
        running = asyncio.create_task(listed.fleet.run())
        assert await seconds_until(lambda: not listed.ill(), 300.0) is not None, listed.ill()
        with ExitStack() as stack:
            mending: dict[str, ExitStack] = {}
            for name, way in ways.items():
                mending[name] = stack.enter_context(ExitStack())
                await asyncio.to_thread(mending[name].enter_context, way.broken())
                await listed.within_a_minute("broken", name, way.is_told_by)
            if not listed.late:
                assert set(listed.ill()) == set(ways), "all ten at once, and nobody else"
                assert len(set(listed.told.values())) == 10, "each in words of its own"
            for name in ways:
                await asyncio.to_thread(mending[name].close)
                await listed.within_a_minute("mended", name, lambda row: row.level is Level.OK)
        record_property("seconds", listed.seconds)
        assert listed.late == []
        assert listed.ill() == {}
        running.cancel()
        await asyncio.wait([running])
    assert cleanups.left == []
