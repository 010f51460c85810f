"""A base backup of PostgreSQL 13, 14, 16 and 17 by the script, restored by the page's commands.

The packages of 13, 14 and 16 have a server alone: their client programs are the wheel's 18, which reads all
of them, but for pg_controldata, whose file another version lays out otherwise. 17 has all of its own.
"""

from pathlib import Path

import pytest

from tests.integration.backup_parts import Backups, region
from tests.integration.test_droplet_base_backup import keep, restored, rows
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.fixtures import MakePostgres, or_skip
from tests.servers.postgres import PostgresServer, system_bin_dir, wheel_bin_dir
from tests.servers.postgres_packages import MAJORS
from tests.servers.rgw import RadosGateway

pytestmark = [pytest.mark.server, pytest.mark.timeout(300), pytest.mark.long]

CLIENTS = ("psql", "pg_basebackup", "pg_verifybackup")
_INCREMENTAL = 17
"""PostgreSQL takes incremental ones from then on."""


def with_clients(server: PostgresServer) -> Path:
    """Its programs and those that its package lacks; pg_control_version 1300 is that of 13 to 16."""
    if (server.bin_dir / "pg_basebackup").exists():
        return server.bin_dir
    wheel, control = or_skip(lambda: wheel_bin_dir(server.workspace)), or_skip(system_bin_dir)
    folder = server.workspace.folder("programs")
    folder.chmod(0o755)
    places = dict.fromkeys(("initdb", "pg_ctl", "postgres"), server.bin_dir)
    places |= {**dict.fromkeys(CLIENTS, wheel), "pg_controldata": control}
    for name, place in places.items():
        (folder / name).symlink_to(place / name)
    return folder


@pytest.mark.parametrize("major", MAJORS)
def test_each_version_is_backed_up_and_restored(
    major: int, make_postgres: MakePostgres, rgw: RadosGateway
) -> None:
    server = make_postgres(release=major, wal_segment_mib=1, start=False)
    server.bin_dir = with_clients(server)
    backups = Backups(server, region(rgw), region(rgw), to_dr=False)
    backups.archive()
    keep(server, 1, 2)
    ended = backups.at.run(backups.script, "--incremental")
    assert ended.status == 0, ended.stderr
    why = "summarize_wal is off" if major >= 17 else f"PostgreSQL {major} takes no incremental ones, 17 does"
    assert f"; a full one: {why}" in ended.stderr
    keep(server, 3)
    wait_archived(server, [fill_segment(server)])
    with restored(backups, f"spaces-prod:{backups.primary.to.bucket}") as again:
        assert again.version == major
        assert rows(again) == [1, 2, 3]
    if major >= _INCREMENTAL:
        a_chain_is_joined_by_its_own_programs(backups)
    backups.assert_nothing_left()


def a_chain_is_joined_by_its_own_programs(backups: Backups) -> None:
    """A full one and two upon it; pg_basebackup, pg_combinebackup, pg_verifybackup are the server's own."""
    server = backups.server
    server.write_config("70_summaries.conf", {"summarize_wal": "on"})
    server.reload()
    server.sql("CREATE TABLE changing AS SELECT n, md5(n::text) AS t FROM generate_series(1, 20000) AS n")
    chain = [backups.taken()]
    for number in (1, 2):
        server.sql("UPDATE changing SET t = 'changed' WHERE n = %s", number)
        ended = backups.at.run(backups.script, "--incremental")
        assert ended.status == 0, ended.stderr
        assert f"; incremental, upon {chain[-1]}" in ended.stderr
        chain.append(str(backups.status["id"]))
    server.sql("UPDATE changing SET t = 'changed' WHERE n = 3")
    wait_archived(server, [fill_segment(server)])
    every = "SELECT ('x' || left(md5(n || t), 7))::bit(28)::int FROM changing ORDER BY n"
    truth = [number for (number,) in server.sql(every)]
    where = f"spaces-prod:{backups.primary.to.bucket}"
    with restored(backups, where, incremental=True) as again:
        assert again.version == server.version
        assert rows(again, every) == truth
        assert rows(again, "SELECT n FROM changing WHERE t = 'changed' ORDER BY n") == [1, 2, 3]
