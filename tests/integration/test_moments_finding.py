"""The archived WAL of a moment, brought from two real regions to a droplet and read there by pg_waldump."""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest

from tests.data.provisioning import RealClock
from tests.integration.droplet_parts import PREFIX, Droplet
from tests.integration.observed import RecordingScreen, profile_of
from tests.long import always
from tests.servers.archived import MIB, destination, fill_segment, start_archiving, wait_archived
from tests.servers.fixtures import PostgresRelease, bin_dir_of, or_skip
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.rgw import RadosGateway
from tests.servers.sshd import SshServer
from tests.servers.workspace import Workspace
from walconsole.adapters.ssh.shell import SshShell
from walconsole.domain.moments.collecting import Collected
from walconsole.domain.moments.events import Kind, Moment
from walconsole.domain.moments.names import relations_of
from walconsole.domain.moments.page_images import Past
from walconsole.domain.moments.span import WalSpan
from walconsole.domain.moments.targets import ArchiveEnd
from walconsole.domain.moments.words import about_text, unknown_text
from walconsole.domain.wal import Segment
from walconsole.droplet.choices import DEFAULT_PATH, DropletChoices
from walconsole.observe.moments.finding import MomentError, MomentFinder, Progress, Server

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]


@dataclass
class Scene:
    """A droplet whose server lost a table; `segments` hold all of it, and are in both copies."""

    at: Droplet
    sshd: SshServer
    segments: tuple[Segment, ...]
    rgw: RadosGateway
    rgw_dr: RadosGateway

    @property
    def span(self) -> WalSpan:
        return WalSpan(self.segments, MIB, ArchiveEnd(self.segments[-1].next().start_lsn(MIB), None, True))

    @property
    def server(self) -> Server:
        return Server(self.at.server.version, str(self.at.server.data_dir))

    def key(self, number: int) -> str:
        """The object of a segment, as it lies in both copies."""
        return f"{PREFIX}{self.segments[number].name(MIB)}.zst"


@pytest.fixture(scope="module", params=always("system", of=["system", "wheel"]))
def scene(
    request: pytest.FixtureRequest,
    workspace: Workspace,
    sshd: SshServer,
    rgw: RadosGateway,
    rgw_dr: RadosGateway,
) -> Iterator[Scene]:
    release: PostgresRelease = request.param
    bin_dir = or_skip(lambda: bin_dir_of(workspace, release))
    with ExitStack() as stack:
        server = PostgresServer.make(workspace, bin_dir, wal_segment_mib=1)
        stack.callback(server.stop, "immediate")
        choices = DropletChoices(restore_pauses_s=(), idle_timeout_s=5, path=f"{bin_dir}:{DEFAULT_PATH}")
        at = Droplet(server, destination(rgw), destination(rgw_dr), choices)
        server.write_config("60_images.conf", {"full_page_writes": "on"})
        start_archiving(server, f'{at.archive} "%p" "%f"')
        server.sql("CREATE DATABASE shop")
        with server.connect("shop") as shop:
            shop.execute("CREATE TABLE items (id int PRIMARY KEY, note text)")
            shop.execute('CREATE SCHEMA "Shop 2"')
            shop.execute('CREATE TABLE "Shop 2".lost (id int PRIMARY KEY, note text)')
            shop.execute("INSERT INTO items SELECT n, 'x' FROM generate_series(1, 30) n")
            first = fill_segment(server)
            shop.execute("DELETE FROM items WHERE id <= 20")
            shop.execute('INSERT INTO "Shop 2".lost SELECT generate_series(1, 10)')
            shop.execute("CHECKPOINT")
            shop.execute('DELETE FROM "Shop 2".lost WHERE id > 5')
            shop.execute('DROP TABLE "Shop 2".lost')
            shop.execute('CREATE TABLE "odd\nname, \u001b[31m" (id int)')
            shop.execute('TRUNCATE "odd\nname, \u001b[31m"')
        last = fill_segment(server)
        wait_archived(server, [first, last])
        begin, end = Segment.parse(first, MIB), Segment.parse(last, MIB)
        segments = tuple(Segment(1, number) for number in range(begin.number, end.number + 1))
        yield Scene(at, sshd, segments, rgw, rgw_dr)


@pytest.fixture
async def finder(scene: Scene) -> AsyncIterator[MomentFinder]:
    profile = profile_of(scene.sshd, scene.at.server)
    mine = scene.at.profile
    profile = replace(profile, name=mine.name, primary=mine.primary, dr=mine.dr, paths=mine.paths)
    shell = SshShell(profile.ssh, sudo=False, operator=RecordingScreen(), clock=RealClock())
    yield MomentFinder(profile, shell, scene.at.choices, reserve_bytes=0)
    await shell.aclose()


def _one(found: Collected, kind: Kind) -> Moment:
    (moment,) = [each for each in found.moments if each.kind is kind]
    return moment


async def test_what_happened_is_found_and_named_by_todays_catalogue(
    scene: Scene, finder: MomentFinder
) -> None:
    told: list[Progress] = []
    found = await finder.read(scene.span, scene.server, told.append)
    assert found.doubts == ()
    assert told[-1].records > 100
    names = await finder.names(found)
    assert names.unasked == ()
    deleted, later = [each for each in found.moments if each.kind is Kind.DELETED]
    dropped = _one(found, Kind.DROPPED)
    assert relations_of(deleted, names) == ("public.items",)
    assert deleted.total().deleted == 20
    (database,) = dropped.databases
    assert names.database(database) == "shop"
    # today's catalogue does not know it: the WAL has it in an image of pg_class's page
    assert relations_of(dropped, names) == ('"Shop 2".lost',)
    assert relations_of(later, names) == ('"Shop 2".lost',)
    assert len(dropped.gone) == 4
    assert unknown_text(dropped, names) == ""
    assert about_text(dropped, replace(names, past=Past())).startswith(f"shop: OID {dropped.locked[0].oid}, ")
    (odd,) = relations_of(_one(found, Kind.TRUNCATED), names)
    assert odd.startswith('public."odd')
    assert odd.isprintable()
    assert scene.at.leftovers == []


async def test_each_copy_serves_what_the_other_lacks_or_has_damaged(
    scene: Scene, finder: MomentFinder
) -> None:
    primary = scene.rgw.client(scene.at.primary.keys)
    dr = scene.rgw_dr.client(scene.at.dr.keys)
    bucket, other = scene.at.primary.bucket, scene.at.dr.bucket
    first = primary.get_object(Bucket=bucket, Key=scene.key(0))["Body"].read()
    last = dr.get_object(Bucket=other, Key=scene.key(-1))["Body"].read()
    primary.put_object(Bucket=bucket, Key=scene.key(0), Body=first[:-9])
    dr.delete_object(Bucket=other, Key=scene.key(-1))
    try:
        assert _one(await finder.read(scene.span, scene.server), Kind.DROPPED).gone
        dr.delete_object(Bucket=other, Key=scene.key(0))
        with pytest.raises(MomentError) as damaged:
            await finder.read(scene.span, scene.server)
        assert f"{scene.segments[0].name(MIB)} is in no copy, or cannot be had" in damaged.value.why
        assert "damaged" in damaged.value.why
    finally:
        for each in ((primary, bucket), (dr, other)):
            each[0].put_object(Bucket=each[1], Key=scene.key(0), Body=first)
        dr.put_object(Bucket=other, Key=scene.key(-1), Body=last)
    assert scene.at.leftovers == []


async def test_with_the_primarys_bucket_gone_all_comes_from_dr(scene: Scene, finder: MomentFinder) -> None:
    profile = finder._profile
    gone = replace(profile, primary=replace(profile.primary, bucket="this-bucket-is-gone"))
    found = await MomentFinder(gone, finder._shell, scene.at.choices, reserve_bytes=0).read(
        scene.span, scene.server
    )
    assert _one(found, Kind.DROPPED).gone
    assert scene.at.leftovers == []


async def test_without_a_server_the_names_of_the_wal_are_left_and_why_is_said(
    scene: Scene, finder: MomentFinder
) -> None:
    nowhere = replace(finder._profile, postgres=replace(finder._profile.postgres, port=1))
    other = MomentFinder(nowhere, finder._shell, scene.at.choices, reserve_bytes=0)
    found = await other.read(scene.span, scene.server)
    names = await other.names(found)
    (lost,) = relations_of(_one(found, Kind.DROPPED), names)
    assert re.fullmatch(r"schema \d+\.lost", lost)
    assert "today's catalogues could not be asked" in names.unasked[0]
    assert "No such file or directory" in names.unasked[0]


async def test_nothing_is_brought_where_there_is_no_room(scene: Scene, finder: MomentFinder) -> None:
    room = await finder.room()
    assert room.folder == str(scene.at.temp_root)
    assert room.free is not None
    assert room.total is not None
    greedy = MomentFinder(finder._profile, finder._shell, scene.at.choices, reserve_bytes=room.total)
    with pytest.raises(MomentError, match=r"no room in .* KiB are free"):
        await greedy.read(scene.span, scene.server)
    assert scene.at.leftovers == []


async def test_a_version_that_is_not_there_is_named(scene: Scene, finder: MomentFinder) -> None:
    with pytest.raises(MomentError, match=r"there is no pg_waldump of PostgreSQL 9"):
        await finder.read(scene.span, Server(9))
    assert scene.at.leftovers == []


async def test_what_a_killed_run_left_is_taken_away_and_a_living_ones_is_not(
    scene: Scene, finder: MomentFinder
) -> None:
    dead, living, young = (scene.at.temp_root / f"walconsole-moment.{name}" for name in ("a", "b", "c"))
    for folder in (dead, living, young):
        folder.mkdir()
        (folder / "lock").touch()
        for path in (folder / "lock", folder):
            scene.at.server.give(path)
            if folder is not young:
                os.utime(path, (time.time() - 600,) * 2)
    holder = await asyncio.create_subprocess_exec("flock", str(living / "lock"), "sleep", "60")
    try:
        await asyncio.sleep(0.5)
        os.utime(living, (time.time() - 600,) * 2)
        assert (await finder.read(scene.span, scene.server)).records
        assert [dead.exists(), living.exists(), young.exists()] == [False, True, True]
    finally:
        holder.kill()
        await holder.wait()
        for folder in (living, young):
            (folder / "lock").unlink()
            folder.rmdir()


async def test_a_reading_that_is_cut_off_leaves_nothing(scene: Scene, finder: MomentFinder) -> None:
    stream = asyncio.create_task(finder.read(scene.span, scene.server))
    await asyncio.to_thread(wait_until, lambda: bool(scene.at.leftovers), "it has begun", every_s=0.01)
    stream.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stream
    await asyncio.to_thread(wait_until, lambda: not scene.at.leftovers, "its folder is gone")
