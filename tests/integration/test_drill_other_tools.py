"""A restore drill of what another tool archives, by that tool's own commands: pgBackRest, barman-cloud."""

import secrets
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.backup_parts import Backups, region
from tests.integration.drill_parts import Drills, with_queries
from tests.integration.failure_stage import deployment
from tests.servers.archived import destination, fill_segment, start_archiving, wait_archived
from tests.servers.fixtures import or_skip
from tests.servers.pgbackrest import pgbackrest
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.programs import find_program
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from tests.servers.writer import Destination, write_private
from walconsole.domain.archivers.own_restore import own_restore
from walconsole.droplet.choices import DrillChoices
from walconsole.provision.engine.model import Proved
from walconsole.provision.engine.model import Stage as At
from walconsole.provision.engine.runner import Runner
from walconsole.provision.steps.catalogue import drill_steps

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = [pytest.mark.server, pytest.mark.timeout(400), pytest.mark.long]

ROWS = "SELECT 1 FROM kept HAVING max(n) = 1000 AND count(*) = 1000"


@dataclass
class Tool:
    """How a server archives by it, and how a base backup is taken."""

    archive: str
    back_up: list[str]
    prefix: str
    """Of its WAL in the bucket."""


def of_pgbackrest(server: PostgresServer, to: Destination) -> Tool:
    pgbackrest(server, to)
    command = f"pgbackrest --config={server.folder}/pgbackrest-main.conf --stanza=main"
    return Tool(
        f"{command} archive-push %p", [*shlex.split(command), "backup", "--type=full"], "repo/archive/"
    )


def of_barman(server: PostgresServer, to: Destination) -> Tool:
    find_program("barman-cloud-backup", server="barman-cloud", package="barman-cli-cloud")
    keys = f"[default]\naws_access_key_id={to.keys.access_key}\naws_secret_access_key={to.keys.secret_key}\n"
    file = write_private(server, "aws-credentials", keys)
    env = ["env", f"AWS_SHARED_CREDENTIALS_FILE={file}", "AWS_DEFAULT_REGION=us-east-1"]
    where = ["--endpoint-url", to.endpoint]
    place = [f"s3://{to.bucket}/barman", "server"]
    asked = ["-h", str(server.socket_dir), "-p", str(server.port), "-U", "postgres"]
    return Tool(
        shlex.join([*env, "barman-cloud-wal-archive", "--gzip", *where, *place]) + " %p",
        [*env, "barman-cloud-backup", "--immediate-checkpoint", *where, *asked, *place],
        "barman/server/wals/",
    )


@dataclass
class Other:
    """A server of which a tool keeps the archive, with a tablespace of its own, and its drills."""

    tool: Tool
    drills: Drills
    gateway: RadosGateway
    to: Destination

    @property
    def owner(self) -> "S3Client":
        """S3 by the tool's own key, whose objects the archive's are."""
        return self.gateway.client(self.to.keys)

    def names(self, *words: str) -> list[str]:
        """The keys of the tool's bucket that hold all of these words."""
        listed = self.gateway.client().list_objects_v2(Bucket=self.to.bucket).get("Contents", [])
        return sorted(one["Key"] for one in listed if all(word in one["Key"] for word in words))

    def put(self, key: str, body: bytes) -> bytes:
        """Another object in its place; what was there."""
        client = self.owner
        was: bytes = client.get_object(Bucket=self.to.bucket, Key=key)["Body"].read()
        client.put_object(Bucket=self.to.bucket, Key=key, Body=body)
        return was


@pytest.fixture(scope="module", params=[of_pgbackrest, of_barman], ids=["pgbackrest", "barman-cloud"])
def other(
    request: pytest.FixtureRequest, workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway
) -> Iterator[Other]:
    make: Callable[[PostgresServer, Destination], Tool] = request.param
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    with ExitStack() as stack:
        stack.callback(server.stop, "immediate")
        to = destination(rgw)
        server.start()
        tool = or_skip(lambda: make(server, to))
        server.stop()
        start_archiving(server, tool.archive)
        space = server.workspace.folder("space", server.os_user)
        server.sql(f"CREATE TABLESPACE \"wide one\" LOCATION '{space}'")
        server.sql('CREATE TABLE kept (n int) TABLESPACE "wide one"')
        server.sql("INSERT INTO kept SELECT generate_series(1, 500)")
        server.run(tool.back_up)
        server.sql("INSERT INTO kept SELECT generate_series(501, 1000)")
        wait_archived(server, [fill_segment(server), fill_segment(server)])
        found = own_restore(tool.archive)
        assert found is not None
        drills = Drills(Backups(server, region(rgw), region(rgw_dr)), with_queries(ROWS), found)
        yield Other(tool, drills, rgw, to)


def test_it_is_restored_by_its_own_commands_and_both_sides_are_proved(other: Other) -> None:
    drills, server = other.drills, other.drills.server
    before, spaces = other.names(), set(Path(space_of(server)).rglob("*"))
    ended = drills.run()
    assert ended.status == 0, ended.stderr
    told = drills.result
    assert (told["outcome"], told["level"]) == ("proved", 4)
    assert (told["witness_before"], told["witness_after"]) == ("committed", "in progress")
    assert told["segments_replayed"] >= 3
    assert set(before) <= set(other.names()), "what lay there lies there"
    new = [key for key in other.names() if key not in before and other.tool.prefix not in key]
    assert new == [], "and what is new is WAL"
    assert spaces <= set(Path(space_of(server)).rglob("*")), "the tablespace is mapped"
    assert server.sql("SELECT failed_count FROM pg_stat_archiver") == [(0,)]
    drills.assert_nothing_left()


def space_of(server: PostgresServer) -> str:
    return str(
        server.sql("SELECT pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'wide one'")[0][0]
    )


def test_its_restore_command_in_force_is_the_one_that_is_proved(other: Other) -> None:
    drills, server = other.drills, other.drills.server
    found = drills.other
    assert found is not None
    called = drills.at.folder / "called"
    command = f"echo %f >>{called}; {found.restore_command}"
    server.write_config("70_restore.conf", {"restore_command": command})
    server.reload()
    try:
        ended = drills.run()
    finally:
        server.write_config("70_restore.conf", {"restore_command": ""})
        server.reload()
    assert ended.status == 0, ended.stderr
    assert drills.result["restore_command"] == "in force"
    assert len([line for line in called.read_text().splitlines() if line.startswith("0000")]) > 2


def test_a_missing_segment(other: Other) -> None:
    server = other.drills.server
    missing = fill_segment(server)
    wait_archived(server, [missing, fill_segment(server)])
    (key,) = [key for key in other.names(missing) if ".backup" not in key]
    body = other.put(key, b"")
    other.owner.delete_object(Bucket=other.to.bucket, Key=key)
    try:
        told = failed(other, "missing-segment")
    finally:
        other.owner.put_object(Bucket=other.to.bucket, Key=key, Body=body)
    assert told.startswith(f"{missing} is missing")


def failed(other: Other, reason: str) -> str:
    """A drill that fails so; what it says."""
    ended = other.drills.run()
    assert ended.status == 4, ended.stderr
    told = other.drills.result
    assert (told["outcome"], told["reason"]) == ("failed", reason), told
    other.drills.assert_nothing_left()
    return str(told["message"])


def test_a_damaged_file_of_the_base_backup(other: Other) -> None:
    """pgBackRest compares sums; of barman-cloud's gzip and tar what is cut off is seen."""
    words = ("pg_data/base/", ".gz") if "pgbackrest" in other.tool.archive else ("/data.tar",)
    key = max(other.names(*words), key=lambda each: size_of(other, each))
    body = other.owner.get_object(Bucket=other.to.bucket, Key=key)["Body"].read()
    try:
        for damaged in (body[: len(body) // 2], b""):
            other.put(key, damaged)
            failed(other, "damaged-object")
        other.owner.delete_object(Bucket=other.to.bucket, Key=key)
        assert "issing file" in failed(other, "damaged-object")
    finally:
        other.owner.put_object(Bucket=other.to.bucket, Key=key, Body=body)


def size_of(other: Other, key: str) -> int:
    return other.owner.head_object(Bucket=other.to.bucket, Key=key)["ContentLength"]


def test_a_store_that_refuses_is_no_fault_of_the_archive(other: Other) -> None:
    other.gateway.revoke(other.to.bucket, other.to.keys)
    try:
        ended = other.drills.run(other.drills.render(with_queries(ROWS), "refused"))
    finally:
        other.gateway.grant(other.to.bucket, other.to.keys, "readwrite")
    assert ended.status == 1, ended.stderr
    assert "cannot be asked for its base backups" in ended.stderr
    other.drills.assert_nothing_left()


async def test_by_the_console_on_a_host_of_which_pgbackrest_keeps_the_archive(
    workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway
) -> None:
    """Nothing of ours is there, not even a bucket: the drill's script is all that is installed."""
    name = f"o{secrets.token_hex(2)}"  # short: its folder, below a long one of the tests, holds a socket
    async with deployment(workspace, rgw, rgw_dr, name) as stage:
        cluster = stage.cluster
        tool = or_skip(lambda: of_pgbackrest(cluster, destination(rgw)))
        cluster.configure(archive_mode="on", archive_command=tool.archive)
        cluster.restart()
        cluster.run(tool.back_up)
        stage.site.drill = DrillChoices(poll_s=1, reserve_mib=64, nice=0)
        runner = Runner(stage.site, drill_steps(stage.site), stage.gate, stage.told.append)
        await runner.run()
        assert runner.done
        assert runner.stages == dict.fromkeys(("drill-command", "drill"), At.CHANGED)
        events = [news.event for news in stage.told]
        (proved,) = [each.text for each in events if isinstance(each, Proved) and "was restored" in each.text]
        assert "a sample of relations can be read" in proved
        assert proved.endswith("so it stands on the droplet alone")
