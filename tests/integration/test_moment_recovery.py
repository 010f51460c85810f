"""A change at a moment that nobody knows is found in the archived WAL, and recovery stops just before it.

Real servers of 15 and 18 are restored from a base backup to each target that is offered, and asked what is
there.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.long import always
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.fixtures import PostgresRelease, bin_dir_of, or_skip
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.workspace import Workspace
from walconsole.domain.moments.collecting import Collected, Collecting
from walconsole.domain.moments.events import Kind, Moment
from walconsole.domain.moments.targets import ArchiveEnd, By, Target, loss_after, targets_before, targets_with
from walconsole.domain.wal import Segment, format_lsn

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

MIB = 1024 * 1024
BEFORE, AFTER = 25, 7
RELEASES: tuple[PostgresRelease, ...] = ("system", "wheel")


@dataclass(frozen=True)
class Disaster:
    """A base backup and the archive of a server on which tables were lost; `found` is what its WAL says."""

    server: PostgresServer
    base: Path
    archive: Path
    found: Collected
    end_lsn: int

    def of(self, kind: Kind, place: int = 0) -> Moment:
        return [moment for moment in self.found.moments if moment.kind is kind][place]


@pytest.fixture(scope="module")
def disasters(workspace: Workspace) -> Iterator[dict[PostgresRelease, Disaster]]:
    made: dict[PostgresRelease, Disaster] = {}
    yield made
    for each in made.values():
        each.server.stop("immediate")


@pytest.fixture(params=always("system", of=RELEASES), ids=str)
def disaster(
    request: pytest.FixtureRequest, workspace: Workspace, disasters: dict[PostgresRelease, Disaster]
) -> Disaster:
    release: PostgresRelease = request.param
    if release not in disasters:
        disasters[release] = _lost(workspace, release)
    return disasters[release]


def _lost(workspace: Workspace, release: PostgresRelease) -> Disaster:
    bin_dir = or_skip(lambda: bin_dir_of(workspace, release))
    server = PostgresServer.make(workspace, bin_dir, wal_segment_mib=1)
    archive, base = server.folder / "archive", server.folder / "base"
    server.run(["mkdir", str(archive)])
    server.configure(
        archive_mode="on", archive_command=f"cp %p {archive}/%f", wal_keep_size="200MB", autovacuum="off"
    )
    server.start()
    server.sql("CREATE TABLE orders (n int PRIMARY KEY, note text)")
    server.sql("CREATE TABLE emptied (n int)")
    server.sql("CREATE TABLE log (n int)")
    source = f"host={server.host} port={server.port} user={server.user} password={server.password}"
    pg_basebackup = str(server.bin_dir / "pg_basebackup")
    server.run([pg_basebackup, "-d", source, "-D", str(base), "-X", "none", "-c", "fast"])
    for n in range(BEFORE):
        server.sql("INSERT INTO orders VALUES (%s, repeat('x', 3000))", n)
        server.sql("INSERT INTO emptied VALUES (%s)", n)
    server.sql("SELECT pg_create_restore_point('by name')")
    with server.connect(autocommit=False) as open_one:  # it began before, and is committed after
        open_one.execute("INSERT INTO log VALUES (-1)")
        server.sql("DROP TABLE orders")
        server.sql("INSERT INTO log VALUES (0)")
        open_one.commit()
    server.sql("DELETE FROM emptied WHERE n > 2")
    server.sql("TRUNCATE emptied")
    for n in range(1, AFTER + 1):
        server.sql("INSERT INTO log VALUES (%s)", n)
    last = fill_segment(server)
    wait_archived(server, [last])
    server.stop()
    label = next(archive.glob("*.backup")).name
    end = Segment.parse(last, MIB).next().start_lsn(MIB)
    return Disaster(server, base, archive, _dumped(server, archive, label[:24], last), end)


def _dumped(server: PostgresServer, archive: Path, first: str, last: str) -> Collected:
    """What the release's own pg_waldump says of those segments."""
    command = [str(server.bin_dir / "pg_waldump"), "-p", str(archive), first, last]
    said = subprocess.run(command, env={**os.environ, "TZ": "UTC"}, capture_output=True, check=False)
    return Collecting(1).read([said.stdout])


@contextmanager
def recovered(disaster: Disaster, workspace: Workspace, target: Target) -> Iterator[PostgresServer]:
    """A server that was recovered to that target, and promoted."""
    of = disaster.server
    server = PostgresServer(workspace, of.bin_dir, workspace.folder("recovered", of.os_user))
    server.run(["cp", "-a", str(disaster.base), str(server.data_dir)])
    server._finish()
    server.configure(
        restore_command=f"cp {disaster.archive}/%f %p",
        archive_mode="off",
        recovery_target_action="promote",
        **dict(target.settings()),
    )
    server.run(["touch", str(server.data_dir / "recovery.signal")])
    try:
        server.start()
        recovering = "SELECT pg_is_in_recovery()"
        wait_until(lambda: server.sql(recovering) == [(False,)], "recovery ended", timeout_s=60)
        yield server
    finally:
        server.stop("immediate")


def _count(server: PostgresServer, table: str) -> int:
    ((count,),) = server.sql(f"SELECT count(*) FROM {table}")  # noqa: S608  # the test's own
    return int(count)


def test_the_drop_is_found_with_what_is_lost_by_going_back_before_it(disaster: Disaster) -> None:
    drop = disaster.of(Kind.DROPPED)
    assert disaster.found.doubts == ()
    assert len(drop.gone) == 4
    loss = loss_after(drop, disaster.found.ends, ArchiveEnd(disaster.end_lsn, None, True))
    # the drop itself, two in log, the delete, the truncate, those after it, and what filled the segment
    assert loss.transactions == 1 + 2 + 1 + 1 + AFTER + 1
    assert loss.is_all
    assert 0 < (loss.wal_bytes or 0) < 2 * MIB
    assert loss.kept is not None
    assert loss.kept.lsn < drop.lsn
    assert (loss.seconds or 0) > 0


@pytest.mark.parametrize("by", [By.LSN, By.XID, By.TIME], ids=lambda by: by.value)
def test_recovered_to_just_before_the_drop_every_row_is_there(
    disaster: Disaster, workspace: Workspace, by: By
) -> None:
    targets = targets_before(disaster.of(Kind.DROPPED), disaster.found.ends)
    target = next(each for each in targets if each.by is by)
    assert target.fault == ""
    with recovered(disaster, workspace, target) as server:
        assert _count(server, "orders") == BEFORE
        assert _count(server, "log") == 0
        # what was open when it was dropped was committed after it: it is lost, as it is said
        assert server.sql("SELECT to_regclass('orders')::text") == [("orders",)]


@pytest.mark.parametrize("by", [By.LSN, By.XID, By.TIME], ids=lambda by: by.value)
def test_recovered_with_the_drop_it_is_the_last_that_is_kept(
    disaster: Disaster, workspace: Workspace, by: By
) -> None:
    drop = disaster.of(Kind.DROPPED)
    target = next(each for each in targets_with(drop, disaster.found.ends) if each.by is by)
    with recovered(disaster, workspace, target) as server:
        assert server.sql("SELECT to_regclass('orders')::text") == [(None,)]
        assert _count(server, "log") == 0


def test_a_restore_point_is_reached_by_its_name(disaster: Disaster, workspace: Workspace) -> None:
    point = disaster.of(Kind.RESTORE_POINT)
    target = next(each for each in targets_with(point, disaster.found.ends) if each.by is By.NAME)
    with recovered(disaster, workspace, target) as server:
        assert (_count(server, "orders"), _count(server, "emptied")) == (BEFORE, BEFORE)


@pytest.mark.parametrize(("kind", "rows"), [(Kind.DELETED, BEFORE), (Kind.TRUNCATED, 3)])
def test_rows_are_back_before_they_were_deleted_and_before_the_truncate(
    disaster: Disaster, workspace: Workspace, kind: Kind, rows: int
) -> None:
    moment = disaster.of(kind)
    target = targets_before(moment, disaster.found.ends)[0]
    with recovered(disaster, workspace, target) as server:
        assert _count(server, "emptied") == rows
        assert _count(server, "log") == 2


@pytest.mark.parametrize("release", RELEASES)
def test_across_a_promotion_the_drop_on_the_new_timeline_is_gone_back_before(
    workspace: Workspace, release: PostgresRelease
) -> None:
    bin_dir = or_skip(lambda: bin_dir_of(workspace, release))
    server = PostgresServer.make(workspace, bin_dir, wal_segment_mib=1)
    archive, base = server.folder / "archive", server.folder / "base"
    server.run(["mkdir", str(archive)])
    server.configure(archive_mode="on", archive_command=f"cp %p {archive}/%f", autovacuum="off")
    server.start()
    try:
        server.sql("CREATE TABLE orders (n int)")
        source = f"host={server.host} port={server.port} user={server.user} password={server.password}"
        server.run(
            [str(bin_dir / "pg_basebackup"), "-d", source, "-D", str(base), "-X", "none", "-c", "fast"]
        )
        server.sql("INSERT INTO orders SELECT generate_series(1, 10)")
        server.run(["touch", str(server.data_dir / "standby.signal")])
        server.restart()
        server.sql("SELECT pg_promote()")
        server.sql("INSERT INTO orders SELECT generate_series(11, 15)")
        server.sql("DROP TABLE orders")
        wait_archived(server, [fill_segment(server)])
    finally:
        server.stop()
    switched = min(path.name for path in archive.glob("00000002*") if len(path.name) == 24)
    before = sorted(path.name for path in archive.glob("00000001*") if len(path.name) == 24)
    collecting = Collecting(1)
    begun = Segment.parse(switched, MIB).start_lsn(MIB)
    collecting.feed(_printed(server, archive, 1, Segment.parse(before[0], MIB).start_lsn(MIB), begun))
    collecting.next_timeline(2)
    collecting.feed(_printed(server, archive, 2, begun, None))
    found = collecting.end()
    assert found.doubts == ()
    (ended,) = [moment for moment in found.moments if moment.kind is Kind.TIMELINE]
    (drop,) = [moment for moment in found.moments if moment.kind is Kind.DROPPED]
    assert (ended.text, drop.timeline) == ("timeline 1 ended, 2 began", 2)
    disaster = Disaster(server, base, archive, found, 0)
    for target in targets_before(drop, found.ends)[:2]:
        with recovered(disaster, workspace, target) as back:
            assert _count(back, "orders") == 15


def _printed(server: PostgresServer, archive: Path, timeline: int, start: int, end: int | None) -> bytes:
    """As the droplet's script calls it: one timeline, from a segment's begin on."""
    command = [str(server.bin_dir / "pg_waldump"), "-p", str(archive), "-t", str(timeline)]
    command += ["-s", format_lsn(start)]
    command += [] if end is None else ["-e", format_lsn(end)]
    return subprocess.run(command, env={**os.environ, "TZ": "UTC"}, capture_output=True, check=False).stdout
