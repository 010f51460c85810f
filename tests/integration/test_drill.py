"""A restore drill by the rendered script: what it proves, what it refuses, and what it leaves alone."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.integration.backup_parts import Backups, region
from tests.integration.drill_parts import Drills, with_queries
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.fixtures import or_skip
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def drills(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> Iterator[Drills]:
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    with ExitStack() as stack:
        stack.callback(server.stop, "immediate")
        backups = Backups(server, region(rgw), region(rgw_dr))
        backups.archive()
        server.sql("CREATE TABLE kept (n int)")
        server.sql("INSERT INTO kept SELECT generate_series(1, 1000)")
        backups.taken()
        yield Drills(backups)


def test_a_good_drill_proves_both_sides_of_now_and_leaves_nothing(drills: Drills) -> None:
    server = drills.server
    server.sql("INSERT INTO kept VALUES (1001)")
    wait_archived(server, [fill_segment(server), fill_segment(server)])
    before = drills.listing()
    ended = drills.run(drills.render(with_queries("SELECT 1 FROM kept HAVING count(*) = 1001"), "drill-query"))
    assert ended.status == 0, ended.stderr
    told = drills.result
    assert (told["outcome"], told["level"]) == ("proved", 4)
