"""A database of gigabytes that is written to while its base backup is taken: killed, and restored by hand."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from tests.integration.backup_parts import CHOICES, Backups, region
from tests.integration.test_droplet_base_backup import restored, rows
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.fixtures import or_skip
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace, identity

pytestmark = [pytest.mark.server, pytest.mark.long, pytest.mark.timeout(2400)]

GIB = 2
SCALE_A_GIB = 68
"""pgbench's scale factor for so much."""
TABLES = ("pgbench_accounts", "pgbench_branches", "pgbench_history", "pgbench_tellers")
SUMS = " UNION ALL ".join(f"SELECT sum(hashtextextended(t::text, 0)) FROM {table} t" for table in TABLES)  # noqa: S608  # the four tables above
"""A row a table, of all of its rows, in no order."""
BALANCES = (
    "SELECT sum(abalance) - (SELECT sum(delta) FROM pgbench_history) FROM pgbench_accounts",
    "SELECT sum(bbalance) - (SELECT sum(delta) FROM pgbench_history) FROM pgbench_branches",
)
"""0, where every transaction came whole or not at all."""


@pytest.fixture
def backups(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> Iterator[Backups]:
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir()))
    server.write_config("60_large.conf", {"max_wal_size": "4GB", "shared_buffers": "256MB"})
    server.configure(archive_mode="on", archive_command="true")
    with ExitStack() as stack:
        stack.callback(server.stop, "immediate")
        server.start()
        server.run(pgbench(server, "-i", "-q", "-s", str(SCALE_A_GIB * GIB)))
        made = Backups(server, region(rgw), region(rgw_dr), choices=replace(CHOICES, nice=0))
        made.archive()
        yield made


def pgbench(server: PostgresServer, *options: str) -> list[str]:
    where = ["-h", str(server.socket_dir), "-p", str(server.port), "-U", server.user]
    return [str(server.bin_dir / "pgbench"), *where, *options, "postgres"]


@contextmanager
def written_to(server: PostgresServer) -> Iterator[None]:
    """Four clients of pgbench write."""
    process = subprocess.Popen(
        pgbench(server, "-n", "-c", "4", "-T", "3600"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=server.folder,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        **identity(server.os_user),
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def test_two_gib_under_load_are_killed_and_restored_with_every_row(backups: Backups) -> None:
    server = backups.server
    assert rows(server, "SELECT pg_database_size(current_database())")[0] > GIB * 0.95 * (1 << 30)
    before = rows(server, "SELECT count(*) FROM pgbench_history")
    with written_to(server):
        running = backups.begin()
        _, said = running.communicate(timeout=1800)
    assert running.returncode == 0, said
    wait_archived(server, [fill_segment(server)], timeout_s=900)
    server.kill()
    server.start()
    sums, written = rows(server, SUMS), rows(server, "SELECT count(*) FROM pgbench_history")
    assert written > before
    server.kill()
    with restored(backups, f"spaces-dr:{backups.dr.to.bucket}") as again:
        assert rows(again, SUMS) == sums
        assert [rows(again, query) for query in BALANCES] == [[0], [0]]
