"""Drills where there is a standby: of the base backup that was taken there, and beside the standby itself."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import pytest

from tests.integration.backup_parts import Backups, region
from tests.integration.drill_parts import CHOICES, Drills, with_queries
from tests.servers.archived import wait_archived
from tests.servers.fixtures import or_skip
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace

pytestmark = [pytest.mark.server, pytest.mark.timeout(300), pytest.mark.long]

IMPATIENT = replace(CHOICES, patience_s=3)


@dataclass
class Pair:
    """A primary that archives and its standby, with the drills beside each; both have the same two copies."""

    primary: Drills
    standby: Drills

    @contextmanager
    def busy(self) -> Iterator[None]:
        """The primary commits, and ends segments, until the end; then all of them are archived."""
        ends = threading.Event()
        server = self.primary.server

        def work() -> None:
            while not ends.wait(2):  # on a busy machine one is not archived sooner
                server.sql("INSERT INTO kept SELECT max(n) + 1 FROM kept")
                server.sql("SELECT pg_switch_wal()")

        working = threading.Thread(target=work)
        working.start()
        try:
            yield
        finally:
            ends.set()
            working.join()
            wait_archived(server)

    def in_step(self) -> bool:
        """Whether the standby has replayed all that the primary wrote."""
        (at,) = self.primary.server.sql("SELECT pg_current_wal_lsn()")[0]
        return self.standby.server.sql("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", at) == [(True,)]


@pytest.fixture(scope="module")
def pair(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> Iterator[Pair]:
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    with ExitStack() as stack:
        stack.callback(server.stop, "immediate")
        server.write_config(
            "60_test.conf", {"full_page_writes": "on"}
        )  # or a standby's backup is refused, and rightly
        backups = Backups(server, region(rgw), region(rgw_dr))
        backups.archive()
        server.sql("CREATE TABLE kept AS SELECT 1 AS n")
        standby = server.standby()
        stack.callback(standby.stop, "immediate")
        standby.configure(archive_mode="on", archive_command="false")
        standby.start()
        here = Backups(standby, backups.primary, backups.dr)
        made = Pair(Drills(backups), Drills(here))
        wait_until(made.in_step, "the standby streams")
        yield made


def test_the_base_backup_of_a_standby_is_proved_beside_the_primary_and_beside_itself(pair: Pair) -> None:
    with pair.busy():
        taken = pair.standby.backups.taken()
        ended = pair.standby.run(
            pair.standby.render(with_queries("SELECT n FROM kept LIMIT 1"), "drill-there")
        )
        assert ended.status == 0, ended.stderr
    told = pair.standby.result
    assert (told["backup"], told["outcome"], told["level"]) == (taken, "proved", 4)
    assert (told["witness_before"], told["segments_replayed"] > 0) == ("committed", True)
    assert told["witness_after"] in ("in progress", "not there")
    assert told["began"][:10] <= told["target"][:10], "its moment is that of the last commit before the place"
    assert pair.standby.server.sql("SELECT pg_is_in_recovery()") == [(True,)]
    pair.standby.assert_nothing_left()

    pair.primary.server.sql("INSERT INTO kept VALUES (1000)")
    last = with_queries("SELECT 1 FROM kept HAVING max(n) = 1000")
    ended = pair.primary.run(pair.primary.render(last, "drill-here"))
    assert ended.status == 0, ended.stderr
    assert (pair.primary.result["backup"], pair.primary.result["level"]) == (taken, 4)


def test_beside_a_standby_of_an_idle_primary_no_archive_is_at_fault(pair: Pair) -> None:
    wait_until(pair.in_step, "the standby has all")
    ended = pair.standby.run(pair.standby.render(IMPATIENT, "drill-idle"))
    assert ended.status == 1, ended.stderr
    assert "no transaction was committed on the primary that came here after 3 s" in ended.stderr
    pair.standby.assert_nothing_left()


def test_beside_a_standby_that_is_behind_the_base_backup_it_waits_for_it(pair: Pair) -> None:
    standby = pair.standby.server
    standby.sql("SELECT pg_wal_replay_pause()")
    try:
        pair.primary.backups.taken()
        ended = pair.standby.run(pair.standby.render(IMPATIENT, "drill-behind"))
    finally:
        standby.sql("SELECT pg_wal_replay_resume()")
    assert ended.status == 1, ended.stderr
    assert "the standby has not replayed the WAL that" in ended.stderr
    with pair.busy():
        ended = pair.standby.run()
    assert ended.status == 0, ended.stderr
