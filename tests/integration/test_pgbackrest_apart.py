"""pgBackRest is configured for a restore in the old place: none of that may count for one beside it.

The cluster's pg_wal is a link to a disk of its own, `link-all` makes it one again, a map leads the tablespace
to where the old one's is, and `delta` deletes there what the backup has not.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.backup_parts import Backups, region
from tests.integration.drill_parts import Drills, with_queries
from tests.integration.test_recover_script import Recoveries
from tests.servers.archived import destination, fill_segment, start_archiving, wait_archived
from tests.servers.fixtures import or_skip
from tests.servers.pgbackrest import pgbackrest
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.archivers.own_restore import own_restore

pytestmark = [pytest.mark.server, pytest.mark.timeout(400), pytest.mark.long]

FOR_ITS_PLACE = """
[global:restore]
link-all=y
delta=y
link-map=pg_wal={wal}
tablespace-map=wide={space}
db-exclude=other
"""


@dataclass
class Linked:
    """The server; where its pg_wal and its tablespace lie; how pgBackRest is called."""

    server: PostgresServer
    wal: Path
    space: Path
    call: str
    label: str
    backups: Backups

    def lies_there(self) -> set[Path]:
        """What the old cluster has in both, and what was laid beside it."""
        return {path for place in (self.wal, self.space) for path in place.rglob("*")}


@pytest.fixture(scope="module")
def linked(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> Iterator[Linked]:
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    with ExitStack() as stack:
        stack.callback(server.stop, "immediate")
        server.start()
        or_skip(lambda: pgbackrest(server, destination(rgw)))
        server.stop()
        wal, space = (server.workspace.folder(name, server.os_user) for name in ("wal", "space"))
        server.run(["mv", str(server.data_dir / "pg_wal"), f"{wal}/pg_wal"])
        server.run(["ln", "-s", f"{wal}/pg_wal", str(server.data_dir / "pg_wal")])
        config = server.folder / "pgbackrest-main.conf"
        config.write_text(config.read_text() + FOR_ITS_PLACE.format(wal=f"{wal}/pg_wal", space=space))
        call = f"pgbackrest --config={config} --stanza=main"
        start_archiving(server, f"{call} archive-push %p")
        server.sql(f"CREATE TABLESPACE wide LOCATION '{space}'")
        server.sql("CREATE TABLE kept (n int) TABLESPACE wide")
        server.sql("CREATE DATABASE other")
        server.sql("INSERT INTO kept SELECT generate_series(1, 500)")
        server.run(["sh", "-c", f"{call} --type=full --start-fast backup"])
        server.sql("INSERT INTO kept SELECT generate_series(501, 1000)")
        wait_archived(server, [fill_segment(server), fill_segment(server)])
        for place in (wal, space):
            (place / "not-in-the-backup").write_text("kept")
        (wal / "pg_wal/not-in-the-backup").write_text("kept")
        told = json.loads(server.run(["sh", "-c", f"{call} --output=json info"]))
        label = told[0]["backup"][-1]["label"]
        yield Linked(server, wal, space, call, label, Backups(server, region(rgw), region(rgw_dr)))


def test_a_drill_lies_in_its_own_folder(linked: Linked) -> None:
    found = own_restore(f"{linked.call} archive-push %p")
    assert found is not None
    rows = "SELECT 1 FROM kept HAVING max(n) = 1000"
    drills = Drills(linked.backups, with_queries(rows), found)
    before = linked.lies_there()
    ended = drills.run()
    assert ended.status == 0, ended.stderr
    assert drills.result["level"] == 4
    gone = {path.name for path in before - linked.lies_there()}
    assert not [name for name in gone if len(name) != 24], f"pg_wal's own segments are recycled: {gone}"
    assert (linked.wal / "pg_wal/not-in-the-backup").exists()
    drills.assert_nothing_left()


def test_a_recovery_lies_in_its_own_folder(linked: Linked) -> None:
    server = linked.server
    recoveries = Recoveries(linked.backups)
    ((lsn,),) = server.sql("SELECT pg_current_wal_insert_lsn()")
    server.sql("DROP TABLE kept")
    wait_archived(server, [fill_segment(server)])
    server.sql("CHECKPOINT")
    before = linked.lies_there()
    aim = ("lsn", str(lsn), "off")
    work = recoveries.begin("20261128T140200Z", *aim, backup=linked.label)
    try:
        recoveries.goes_well("note", "pgbackrest", linked.call)
        recoveries.goes_well("restore")
        assert not (work / "data/pg_wal").is_symlink()
        assert before <= linked.lies_there()
        recoveries.goes_well("replay", *aim)
        assert recoveries.ask("SELECT count(*) FROM kept") == "1000"
        links = {each.readlink() for each in (work / "data/pg_tblspc").iterdir()}
        assert links == {work / "tablespaces/wide"}
    finally:
        recoveries.run("stop")


def test_a_tree_that_leads_to_the_old_cluster_is_not_started(linked: Linked) -> None:
    """Whatever made it so: a server would write its own WAL over the old one's."""
    server = linked.server
    recoveries = Recoveries(linked.backups)
    recoveries.run("note", "phase", "done")
    work = recoveries.begin("20261128T150200Z", "latest", backup=linked.label)
    recoveries.goes_well("note", "pgbackrest", linked.call)
    recoveries.goes_well("restore")
    server.run(["mv", str(work / "data/pg_wal"), str(work / "data/pg_wal.was")])
    server.run(["ln", "-s", f"{linked.wal}/pg_wal", str(work / "data/pg_wal")])
    ended = recoveries.run("replay", "latest")
    assert ended.status == 2, ended.stderr
    assert f"data/pg_wal of {linked.label} leads to {linked.wal}/pg_wal" in ended.stderr
