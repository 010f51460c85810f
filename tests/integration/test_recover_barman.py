"""What a recovery refuses to do for Barman it tells as commands: they restore, and stop at the target."""

from dataclasses import replace

import pytest

from tests.servers.archived import destination, fill_segment, start_archiving, wait_archived
from tests.servers.barman_cloud import barman_cloud
from tests.servers.fixtures import or_skip
from tests.servers.ports import free_port, wait_until
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.reaper import Ward
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.profile import BucketRole, default_bucket
from walconsole.domain.recovery.backups import BaseBackup, Writer
from walconsole.domain.recovery.by_tool import by_its_tool
from walconsole.domain.recovery.recover_target import RecoverTo, read_target

pytestmark = [pytest.mark.server, pytest.mark.timeout(300), pytest.mark.long]


def test_the_commands_that_are_told_for_barman_restore_to_the_target(
    workspace: Workspace, rgw: RadosGateway
) -> None:
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    to = destination(rgw)
    start_archiving(server, barman_cloud(server, to).archive_command)
    keys = f"AWS_ACCESS_KEY_ID={to.keys.access_key} AWS_SECRET_ACCESS_KEY={to.keys.secret_key}"
    export = f"export {keys} AWS_DEFAULT_REGION=us-east-1\n"
    try:
        server.sql("CREATE TABLE kept AS SELECT generate_series(1, 10) AS n")
        where = f"--endpoint-url {to.endpoint} s3://{to.bucket}/barman server"
        at = f"-h {server.socket_dir} -p {server.port} -U postgres"
        server.run(["sh", "-c", f"{export}barman-cloud-backup --immediate-checkpoint {at} {where}"])
        listed = server.run(["sh", "-c", f"{export}barman-cloud-backup-list --format json {where}"])
        id = listed.partition('"backup_id": "')[2].partition('"')[0]
        server.sql("INSERT INTO kept VALUES (11)")
        ((lsn,),) = server.sql("SELECT pg_current_wal_insert_lsn()")
        server.sql("DELETE FROM kept")
        wait_archived(server, [fill_segment(server)])
        archive = replace(
            default_bucket(BucketRole.PRIMARY, "it", "nyc3"),
            bucket=to.bucket, endpoint=to.endpoint, prefix="",
        )  # fmt: skip
        backup = BaseBackup(Writer.BARMAN, id, "barman/server/base/")
        folder = server.folder / "by-barman"
        target = read_target(RecoverTo.LSN, str(lsn), timeline=1)
        command = by_its_tool(backup, target, str(folder), archive=archive)
        server.run(["sh", "-c", f"{export}{command}"])
        assert rows(server, str(folder), export) == "11"
    finally:
        server.stop("immediate")


def rows(server: PostgresServer, folder: str, export: str) -> str:
    """Of the restored table, once the server that is started there is paused."""
    port, log = free_port(), f"{folder}.log"
    server.workspace.reaper.take(Ward("pidfile", f"{folder}/postmaster.pid"))
    control = f"{server.bin_dir}/pg_ctl -D {folder} -s -w -t 200 -l {log}"
    server.run(["sh", "-c", f"{export}{control} -o '-p {port}' start"])
    ask = ["psql", "-XAtq", "-h", str(server.socket_dir), "-p", str(port), "-U", "postgres", "-d", "postgres"]
    paused = "SELECT pg_get_wal_replay_pause_state() = 'paused'"
    try:
        wait_until(lambda: server.run([*ask, "-c", paused]).strip() == "t", "it is paused", timeout_s=120)
        return server.run([*ask, "-c", "SELECT count(*) FROM kept"]).strip()
    finally:
        server.run(["sh", "-c", f"{control} -m immediate stop"])
