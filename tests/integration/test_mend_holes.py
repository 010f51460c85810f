"""Holes of the archive, mended from wherever the segments are: real PostgreSQL, rclone and Ceph."""

import asyncio
import gzip
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import pytest_asyncio
import zstandard

from tests.data.provisioning import MemoryRecord
from tests.integration.failure_stage import deployment, provisioned
from tests.integration.provision_stage import Stage
from tests.servers.ports import wait_until
from tests.servers.rgw import RadosGateway
from tests.servers.s3 import S3Keys
from tests.servers.workspace import Workspace
from walconsole.adapters.decompress import PLAIN
from walconsole.domain.profile import BucketRole, KeyReference, KeySource
from walconsole.domain.standing.model import Fix
from walconsole.errors import BlockedError, ProvisionError
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

    def runner(self, gate: Asked | None = None, subject: str = "") -> Runner:
        self.stage.told.clear()
        steps = fix_steps(self.stage.site, Fix("", step="mend-holes", subject=subject))
        return Runner(self.stage.site, steps, gate or Asked(), self.stage.told.append)

    def said(self) -> str:
        events = [news.event for news in self.stage.told]
        return "\n".join(event.text for event in events if isinstance(event, Printed | Proved))

    async def mend(self, gate: Asked | None = None, subject: str = "") -> str:
        """What it said; it must end well, and find nothing more to do."""
        running = self.runner(gate, subject)
        await running.run()
        assert running.stages["mend-holes"] is At.CHANGED, self.said()
        said = self.said()
        again = self.runner(subject=subject)
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
    assert any("2 segments are in pg_wal alone" in note for note in plan.notes), plan.notes
    typed = "\n".join(command.text for command in plan.commands)
    copyto = (
        f"copyto --immutable spaces-prod:{made.bucket(PRIMARY)}/{dr}.zst spaces-dr:{made.bucket(DR)}/{dr}.zst"
    )
    assert copyto in typed
    assert f"/pg_wal/{both[0]} | zstd -c | " in typed
    assert "…" not in typed
    stored = [line[:24] for line in said.splitlines() if "stored, read back" in line]
    assert stored == [both[0], both[0], both[1], both[1], dr, primary]
    assert f"{made.bucket(PRIMARY)} holds 3 segments that it lacked, each read back whole" in said
    assert made.leftovers() == []


async def test_what_was_recycled_since_the_plan_is_said_and_the_rest_is_brought(made: Archive) -> None:
    gone, other = made.names[3], made.names[6]
    made.lose(PRIMARY, gone, other)
    made.lose(DR, gone)
    kept = made.pg_wal / f"kept.{gone}"
    try:
        running = made.runner(Asked(before=lambda: (made.pg_wal / gone).rename(kept) and None))
        with pytest.raises(ProvisionError, match=f"not whole anywhere: {gone}: pg_wal: it is not there"):
            await running.run()
        assert running.stages["mend-holes"] is At.FAILED
        assert made.key(PRIMARY, other) in made.stage.objects(PRIMARY)
        with pytest.raises(BlockedError, match="2 segments can be brought from nowhere"):
            await made.runner().run()
    finally:
        kept.rename(made.pg_wal / gone)
    await made.mend()
    assert made.whole()


async def test_another_file_under_the_name_in_pg_wal_is_not_taken_for_it(made: Archive) -> None:
    """As after a recycling: the name is there, and what is in it is older."""
    gone, older = made.names[3], made.names[1]
    made.lose(PRIMARY, gone)
    made.lose(DR, gone)
    path, kept = made.pg_wal / gone, made.pg_wal / f"kept.{gone}"
    path.rename(kept)
    try:
        path.write_bytes((made.pg_wal / older).read_bytes())
        path.chmod(0o644)
        with pytest.raises(ProvisionError, match="its first page is not this segment's"):
            await made.runner().run()
        path.write_bytes(kept.read_bytes()[:1_000_000])
        with pytest.raises(ProvisionError, match="it has 1000000 bytes, not 1048576"):
            await made.runner().run()
    finally:
        kept.rename(path)
    assert made.key(PRIMARY, gone) not in made.stage.objects(PRIMARY)


async def test_a_damaged_source_is_passed_over_for_the_next(made: Archive) -> None:
    name = made.names[4]
    made.lose(PRIMARY, name)
    key = made.key(DR, name)
    whole = made.saved[DR][key]
    made.put(DR, key, whole[: len(whole) // 2])
    said = await made.mend()
    assert f"{name} is not taken from {made.bucket(DR)}: it is damaged, or cannot be unpacked" in said
    assert made.plain(PRIMARY, made.key(PRIMARY, name)) == (made.pg_wal / name).read_bytes()
    assert made.get(DR, key) == whole[: len(whole) // 2]  # nothing that is there is replaced


async def test_a_damaged_source_without_another_is_said(made: Archive) -> None:
    name, path = made.names[4], made.pg_wal / made.names[4]
    made.lose(PRIMARY, name)
    key = made.key(DR, name)
    wrong = PLAIN.whole(key, made.saved[DR][made.key(DR, made.names[2])], 64 << 20)
    made.put(DR, key, zstandard.compress(wrong))  # another segment under this one's name
    kept = path.rename(path.with_name(f"kept.{name}"))
    try:
        with pytest.raises(ProvisionError, match=f"{made.bucket(DR)}: its first page is not this segment's"):
            await made.runner().run()
    finally:
        kept.rename(path)
    assert made.key(PRIMARY, name) not in made.stage.objects(PRIMARY)


async def test_a_name_that_holds_other_content_by_then_is_not_overwritten(made: Archive) -> None:
    """Somebody stores something else between the plan and the copy, in another form."""
    name, same = made.names[4], made.names[5]
    made.lose(PRIMARY, name, same)
    other = gzip.compress(b"not this")

    def meanwhile() -> None:
        made.put(PRIMARY, f"{name}.gz", other)
        made.put(PRIMARY, f"{same}.gz", gzip.compress((made.pg_wal / same).read_bytes()))

    with pytest.raises(ProvisionError, match=f"{name}.gz is there, and its content is not the same"):
        await made.runner(Asked(before=meanwhile)).run()
    assert made.get(PRIMARY, f"{name}.gz") == other
    assert made.key(PRIMARY, name) not in made.stage.objects(PRIMARY)
    assert f"{same} in {made.bucket(PRIMARY)}: is there already, the same" in made.said()
    assert made.key(PRIMARY, same) not in made.stage.objects(PRIMARY)


@pytest.mark.long
async def test_a_copy_that_refuses_writes_is_said_and_the_other_is_mended(made: Archive) -> None:
    names = made.names[2:7]
    made.lose(PRIMARY, *names)
    made.lose(DR, *names)
    key = made.stage.dr_key
    grants = key.grants
    made.stage.keys.replace(key, key.name, tuple(replace(grant, permission="read") for grant in grants))
    try:
        with pytest.raises(ProvisionError, match=r"not stored: .*DR.*(AccessDenied|403)") as raised:
            await made.runner().run()
    finally:
        made.stage.keys.replace(key, key.name, grants)
    assert "and 2 more" in raised.value.why  # after three in a row it is not asked any more
    assert all(made.key(PRIMARY, name) in made.stage.objects(PRIMARY) for name in names)
    assert not any(made.key(DR, name) in made.stage.objects(DR) for name in names)
    await made.mend()
    assert made.whole()


def scripts_of(made: Archive) -> list[int]:
    """The processes of what mends just now."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if b"walconsole-mend" in (said := path.read_bytes()) and str(made.stage.root).encode() in said:
                found.append(int(path.parent.name))
    return found


async def test_stopped_in_the_middle_it_goes_on_from_there(made: Archive) -> None:
    names = made.names[2:7]
    made.lose(PRIMARY, *names)
    running = asyncio.create_task(made.runner().run())
    async with asyncio.timeout(60):
        while "stored, read back" not in made.said():  # noqa: ASYNC110  # the run is another task
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)  # amid the next
    running.cancel()
    await asyncio.wait([running])
    async with asyncio.timeout(30):
        while scripts_of(made):  # noqa: ASYNC110  # what it started ends with it, a moment later
            await asyncio.sleep(0.1)
    there = [name for name in names if made.key(PRIMARY, name) in made.stage.objects(PRIMARY)]
    assert 1 <= len(there) < len(names)
    for name in there:
        assert made.plain(PRIMARY, made.key(PRIMARY, name)) == (made.pg_wal / name).read_bytes()
    gate = Asked()
    await made.mend(gate)
    assert f"bring back {len(names) - len(there)} segment" in gate.plans[0].summary
    assert made.whole()
    assert made.leftovers() == []


async def test_killed_in_the_middle_it_is_said_and_run_again(made: Archive) -> None:
    names = made.names[2:6]
    made.lose(PRIMARY, *names)
    running = asyncio.create_task(made.runner().run())
    async with asyncio.timeout(90):
        while "stored, read back" not in made.said() or not scripts_of(made):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    for process in scripts_of(made):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    with pytest.raises(ProvisionError):
        await running
    assert 1 <= sum(made.key(PRIMARY, name) in made.stage.objects(PRIMARY) for name in names) < len(names)
    await made.mend()
    assert made.whole()
    assert made.leftovers() == []


async def test_a_standbys_pg_wal_on_the_same_host_is_a_source(made: Archive) -> None:
    """As pg_lsclusters lists it: the server has recycled the segment, and both copies lack it."""
    cluster = made.stage.cluster
    standby = await asyncio.to_thread(cluster.standby)
    listed = made.stage.cluster.config_dir.parent / "standby"
    listed.mkdir()
    main = f"data_directory = '{standby.data_dir}'\nport = {standby.port}\n"
    (listed / "postgresql.conf").write_text(main)
    standby.start()
    try:
        await asyncio.to_thread(made.write, 2)
        await asyncio.to_thread(made.save)
        gone = made.names[-2]
        theirs = standby.data_dir / "pg_wal" / gone
        wait_until(lambda: theirs.exists(), "it is there")
        wait_until(lambda: theirs.read_bytes() == (made.pg_wal / gone).read_bytes(), "it is received")
        for role in BucketRole:
            made.lose(role, gone)
        kept = (made.pg_wal / gone).rename(made.pg_wal / f"kept.{gone}")
        gate = Asked()
        try:
            await made.mend(gate)
        finally:
            kept.rename(made.pg_wal / gone)
        assert f"1 from {standby.data_dir}/pg_wal" in gate.plans[0].summary
        assert made.whole()
        assert made.plain(PRIMARY, made.key(PRIMARY, gone)) == theirs.read_bytes()
    finally:
        standby.stop("immediate")
        (listed / "postgresql.conf").unlink()
        listed.rmdir()


async def test_a_folder_that_the_archive_command_copies_into_is_a_source(made: Archive) -> None:
    """It is named by the command in force; what is in it may be compressed."""
    gone, user = made.names[3], made.stage.cluster.os_user
    folder = made.stage.cluster.workspace.folder("beside", user)
    (folder / f"{gone}.gz").write_bytes(gzip.compress((made.pg_wal / gone).read_bytes()))
    (folder / f"{gone}.gz").chmod(0o644)
    for role in BucketRole:
        made.lose(role, gone)
    kept = (made.pg_wal / gone).rename(made.pg_wal / f"kept.{gone}")
    before = str(made.stage.cluster.sql("SHOW archive_command")[0][0])
    made.stage.cluster.sql(f"ALTER SYSTEM SET archive_command = $$cp %p {folder}/%f && {before}$$")
    made.stage.cluster.reload()
    wait_until(lambda: str(folder) in str(made.stage.cluster.sql("SHOW archive_command")), "it is in force")
    gate = Asked()
    try:
        await made.mend(gate)
    finally:
        kept.rename(made.pg_wal / gone)
        made.stage.cluster.sql("ALTER SYSTEM RESET archive_command")
        made.stage.cluster.reload()
    assert f"1 from {folder}" in gate.plans[0].summary
    assert made.whole()


@contextmanager
def keys_here(made: Archive) -> Iterator[None]:
    """The profile's keys come from the console's own environment: the droplet is not asked to use any."""
    site, profile, own = made.stage.site, made.stage.site.profile, made.stage.site.own
    assert own is not None
    keys = KeyReference(KeySource.ENVIRONMENT)
    primary, dr = (replace(target, keys=keys) for target in (profile.primary, profile.dr))
    site.profile = replace(profile, primary=primary, dr=dr)
    site.own = lambda target: own(made.stage.target(target.role))
    try:
        yield
    finally:
        site.profile, site.own = profile, own


async def test_where_only_the_console_has_the_keys_it_carries(made: Archive) -> None:
    both, primary, dr, spoilt, taken = (
        made.names[3],
        made.names[6],
        made.names[1],
        made.names[4],
        made.names[5],
    )
    made.lose(PRIMARY, both, primary, spoilt, taken)
    made.lose(DR, both, dr)
    made.put(DR, made.key(DR, spoilt), made.saved[DR][made.key(DR, spoilt)][:-9])
    other = gzip.compress(b"not this")
    gate = Asked(before=lambda: made.put(PRIMARY, f"{taken}.gz", other))
    with keys_here(made):
        with pytest.raises(ProvisionError, match=f"not stored: {taken} .*{taken}.gz is there") as raised:
            await made.runner(gate).run()
        assert "more" not in raised.value.why
        assert any("through this console, by its own keys" in note for note in gate.plans[0].notes)
        assert f"{spoilt} is not taken from {made.bucket(DR)}: it is cut off" in made.said()
        assert made.get(PRIMARY, f"{taken}.gz") == other
        made.delete(PRIMARY, f"{taken}.gz")
        made.put(DR, made.key(DR, spoilt), made.saved[DR][made.key(DR, spoilt)])
        await made.mend()
    assert made.whole()


async def test_the_console_reads_no_file_that_was_recycled(made: Archive) -> None:
    gone, older, other = made.names[3], made.names[1], made.names[5]
    for role in BucketRole:
        made.lose(role, gone, other)
    path, kept = made.pg_wal / gone, made.pg_wal / f"kept.{gone}"
    path.rename(kept)
    path.write_bytes((made.pg_wal / older).read_bytes())
    path.chmod(0o644)
    away, back = made.pg_wal / other, made.pg_wal / f"kept.{other}"
    try:
        with keys_here(made), pytest.raises(ProvisionError, match=f"{gone}: pg_wal: it begins at ") as raised:
            await made.runner(Asked(before=lambda: away.rename(back) and None)).run()
        assert "and 1 more" in raised.value.why
        assert f"{other} is not taken from pg_wal: it is not there any more" in made.said()
    finally:
        kept.rename(path)
        back.rename(away)
    assert not any(made.key(role, gone) in made.stage.objects(role) for role in BucketRole)


@pytest.mark.long
async def test_what_a_copy_lost_at_its_ends_or_all_of_it_comes_back(made: Archive) -> None:
    """The finding remembers what that was; an empty copy takes the form of the other."""
    wal = [key for key in made.saved[PRIMARY] if "/" not in key]
    names = sorted({key[:24] for key in wal if key.endswith(".zst") and ".backup" not in key})
    made.delete(PRIMARY, *[made.key(PRIMARY, name) for name in names])
    made.lose(DR, names[-1])  # which pg_wal still has
    ends = f"{names[0]}-{names[-1]}"
    gate = Asked()
    await made.mend(gate, f"primary:{ends} dr:{names[-1]}-{names[-1]}")
    assert any(
        "is empty of WAL: it is stored there as the other copy" in note for note in gate.plans[0].notes
    )
    assert made.whole()
    with pytest.raises(ProvisionError, match="is no stretch of a copy's segments"):
        await made.runner(subject="primary:../../etc").run()
