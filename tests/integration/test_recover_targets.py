"""Odd targets, by the program: each is refused or led before anything is changed. And what a server does."""

import asyncio
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest

from tests.integration.failure_stage import deployment, provisioned
from tests.integration.provision_stage import Stage
from tests.integration.recover_parts import Program, orders, own_client, text_of
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.fixtures import MakePostgres
from tests.servers.postgres import PostgresServer
from tests.servers.reaper import Ward
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.recover_target import RecoverTo, read_target
from walconsole.domain.wal import Segment, format_lsn, parse_lsn
from walconsole.droplet.names import names_of
from walconsole.errors import BlockedError, ProvisionError, UsageError

pytestmark = [pytest.mark.server, pytest.mark.timeout(900), pytest.mark.long]

MIB = 1024 * 1024
INTO = ("--into", "15/restored")
BEFORE = ("requested recovery stop point is before consistent recovery point", "paused")
"""What a server makes of a target before the base backup's end: it does not always refuse it."""
UNREACHED = "recovery ended before configured recovery target was reached"


@pytest.fixture
async def stage(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    async with deployment(workspace, rgw, rgw_dr, f"t{secrets.token_hex(2)}") as made:
        await provisioned(made)
        yield made


class Real:
    """The base backup restored by hand, and a server on it that is given a target, once for each."""

    def __init__(self, stage: Stage, workspace: Workspace) -> None:
        self._stage, self._workspace = stage, workspace
        client = own_client(stage, BucketRole.PRIMARY)
        bucket = stage.target(BucketRole.PRIMARY).bucket
        (key,) = [each for each in stage.objects(BucketRole.PRIMARY) if each.endswith("/base.tar.zst")]
        self._tar = workspace.folder("base", stage.cluster.os_user) / "base.tar.zst"
        self._tar.write_bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())

    def makes_of(self, **until: str) -> tuple[str, int | None]:
        """Its last word (`paused`, `open`, or its FATAL), and the rows that it then has."""
        of = self._stage.cluster
        server = PostgresServer(self._workspace, of.bin_dir, self._workspace.folder("tried", of.os_user))
        server.run(["mkdir", "-m", "700", str(server.data_dir)])
        server.run(["sh", "-c", f"zstd -q -dc <{self._tar} | tar -x -f - -C {server.data_dir}"])
        server._take_over_config(of)
        server._finish()
        restore = names_of(self._stage.profile).restore
        settings = {"archive_mode": "off", "recovery_target_action": "pause", **until}
        server.configure(restore_command=f'{restore} "%f" "%p"', **settings)
        server.run(["touch", str(server.data_dir / "recovery.signal")])
        try:
            return self._ended(server)
        finally:
            server.stop("immediate")
            server.run(["rm", "-r", str(server.data_dir)])

    def _ended(self, server: PostgresServer) -> tuple[str, int | None]:
        try:
            server.start()
        except RuntimeError:
            return _fatal(server), None
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                ((recovers, paused),) = server.sql(
                    "SELECT pg_is_in_recovery(), pg_is_in_recovery() AND pg_is_wal_replay_paused()"
                )
                if not recovers or paused:
                    there = server.sql("SELECT to_regclass('orders') IS NOT NULL") == [(True,)]
                    return ("paused" if paused else "open"), orders(server) if there else 0
            except psycopg.Error:
                if not server.running:
                    return _fatal(server), None
            time.sleep(0.2)
        raise AssertionError(server.log_file.read_text()[-3000:])


def _fatal(server: PostgresServer) -> str:
    said = [line for line in server.log_file.read_text().splitlines() if "FATAL" in line]
    return said[-1].partition("FATAL:  ")[2] if said else "it ended without a word"


@dataclass
class Past:
    """Moments of the server's past: when ten more rows were committed, and what came after."""

    tens: list[str]
    number: int
    last: datetime


def with_a_past(cluster: PostgresServer) -> Past:
    """Thirty rows, ten at a time, a restore point called `twice` after each of the first two tens; then only
    what is no commit.
    """
    cluster.sql("CREATE TABLE orders (n int)")
    tens = []
    for ten in range(3):
        cluster.sql(f"INSERT INTO orders SELECT generate_series({ten * 10 + 1}, {ten * 10 + 10})")
        tens.append(text_of(cluster, "SELECT clock_timestamp() AT TIME ZONE 'UTC'"))
        cluster.sql(f"SELECT pg_create_restore_point('{'twice' if ten < 2 else 'once'}')")
    number = int(text_of(cluster, "SELECT pg_snapshot_xmax(pg_current_snapshot())"))
    cluster.write_config("zz_quiet.conf", {"archive_timeout": "0", "autovacuum": "off"})
    cluster.reload()
    time.sleep(2.5)
    for _ in range(2):
        cluster.sql("SELECT pg_create_restore_point('idle')")
        cluster.sql("SELECT pg_switch_wal()")
    wait_archived(cluster)
    return Past(tens, number, datetime.fromisoformat(f"{tens[2]}+00:00"))


def left_by_it(stage: Stage) -> list[str]:
    """What a recovery makes on the host, before all else."""
    names, data = names_of(stage.profile), stage.cluster.data_dir
    made = [names.recover, names.recover_state]
    return [each for each in made if Path(each).exists()] + [
        each.name for each in data.parent.iterdir() if "recover" in each.name or "restored" in each.name
    ]


async def test_each_odd_target_is_refused_or_led_before_anything_is_changed(
    stage: Stage, workspace: Workspace, tmp_path: Path
) -> None:
    cluster, program = stage.cluster, Program(stage, tmp_path)
    past = with_a_past(cluster)
    real = Real(stage, workspace)
    await those_that_lead_nowhere_are_refused(stage, program, real, past)
    await those_whose_place_nobody_knows_are_led(stage, program, real, past)


async def test_a_foreign_branch_is_refused_and_a_hole_is_gone_up_to(
    stage: Stage, workspace: Workspace, tmp_path: Path
) -> None:
    cluster, program = stage.cluster, Program(stage, tmp_path)
    cluster.sql("CREATE TABLE orders AS SELECT generate_series(1, 30) AS n")
    real = Real(stage, workspace)
    await a_branch_that_is_no_child_is_refused(stage, program, real)
    await up_to_a_hole(stage, program, real)


async def those_that_lead_nowhere_are_refused(stage: Stage, program: Program, real: Real, past: Past) -> None:
    """What the console says, and what the server would have said or done."""
    ahead = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d %H:%M:%S}+00"
    never = str(past.number + 100_000)
    cases: tuple[tuple[tuple[str, str], str, Mapping[str, str], str | tuple[str, str]], ...] = (
        (("--to-lsn", "0/100000"), "where the oldest base backup that can be replayed had stopped",
         {"recovery_target_lsn": "0/100000"}, BEFORE),
        (("--to", "2001-01-01 00:00:00Z"), "where the oldest base backup that can be replayed had stopped",
         {"recovery_target_time": "2001-01-01 00:00:00+00"}, BEFORE),
        (("--to-lsn", "FF/0"), "ahead of where the server writes", {"recovery_target_lsn": "FF/0"},
         UNREACHED),
        (("--to", ahead), "no server has written it yet", {"recovery_target_time": ahead}, UNREACHED),
        (("--to-xid", never), f"the transaction {never} has not ended", {"recovery_target_xid": never},
         UNREACHED),
    )  # fmt: skip
    for options, why, until, servers in cases:
        for phase in (("--plan",), ("--apply", *program.confirm)):
            code, said = await program.run(*options, *INTO, *phase)
            assert (code, why in said) == (BlockedError.exit_code, True), said
        assert left_by_it(stage) == []
        word, rows = await asyncio.to_thread(real.makes_of, **until)
        assert word.startswith(servers), (options, word, rows)
    for typed, why in (
        (("--to", past.tens[0]), "its zone"),
        (("--to", "2026-10-25 02:30 Europe/Berlin"), "its zone"),
        (("--to-xid", "2"), "3 or above"),
    ):
        code, said = await program.run(*typed, *INTO, "--apply", *program.confirm)
        assert (code, why in said) == (UsageError.exit_code, True), (typed, said)
    assert left_by_it(stage) == []


async def those_whose_place_nobody_knows_are_led(
    stage: Stage, program: Program, real: Real, past: Past
) -> None:
    """To where there is no more, and it is said that the target was not there."""
    idle = f"{past.last + timedelta(seconds=2):%Y-%m-%d %H:%M:%S.%f}+00"
    kolkata = timezone(timedelta(hours=5, minutes=30))
    same = datetime.fromisoformat(f"{past.tens[1]}+00:00").astimezone(kolkata).isoformat(" ")
    led = (
        (("--to-name", "nowhere"), "restore point nowhere stands in the WAL is not known",
         {"recovery_target_name": "nowhere"}),
        (("--to", idle), "whether anything was committed after", {"recovery_target_time": idle}),
    )  # fmt: skip
    for options, why, until in led:
        code, said = await program.run(*options, *INTO, "--plan")
        assert (code, why in said) == (0, True), said
        assert left_by_it(stage) == [], "a plan changes nothing"
        assert await asyncio.to_thread(real.makes_of, **until) == (UNREACHED, None)
    code, said = await program.run("--to-name", "twice", *INTO, "--plan")
    assert code == 0, said
    assert "of several that are called so the first after the base backup is meant" in said
    assert await asyncio.to_thread(real.makes_of, recovery_target_name="twice") == ("paused", 10)

    counted = ("--count", "orders", *program.confirm)
    code, said = await program.run("--to-name", "twice", *INTO, "--apply", *counted)
    assert code == 0, said
    assert "    10" in said
    code, said = await program.run("--step-to", same, *counted)
    assert code == 0, said
    assert f"time {past.tens[1][:19]}" in said, "the same moment, told by another zone"
    assert "    20" in said
    code, said = await program.run("--step-to", "name nowhere", *counted)
    assert code == ProvisionError.exit_code, said
    assert "name nowhere was not reached: all that could be had is replayed" in said
    assert "    30" in said
    code, said = await program.run("--step-to", past.tens[0] + "Z", *counted)
    assert code == BlockedError.exit_code, said
    assert "is past time" in said
    code, said = await program.run("--give-up", *program.confirm)
    assert code == 0, said


def began_at(stage: Stage) -> int:
    """Where the replay of the base backup begins (bytes)."""
    (key,) = [each for each in stage.objects(BucketRole.PRIMARY) if each.endswith("/backup.json")]
    client = own_client(stage, BucketRole.PRIMARY)
    told = client.get_object(Bucket=stage.target(BucketRole.PRIMARY).bucket, Key=key)["Body"].read()
    return parse_lsn(json.loads(told)["start_lsn"])


async def a_branch_that_is_no_child_is_refused(stage: Stage, program: Program, real: Real) -> None:
    """One that left timeline 1 before the base backup, and one that nobody knows."""
    code, said = await program.run("--to-latest", "--timeline", "7", *INTO, "--plan")
    assert (code, "no copy holds anything of timeline 7" in said) == (BlockedError.exit_code, True), said
    left = began_at(stage) - 2 * MIB
    history = f"1\t{format_lsn(left + 0x28)}\tbefore the base backup\n".encode()
    segment = Segment.at(3, left, MIB).name(MIB)
    for role in BucketRole:
        client, bucket = own_client(stage, role), stage.target(role).bucket
        client.put_object(Bucket=bucket, Key="00000003.history", Body=history)
        client.put_object(Bucket=bucket, Key=segment, Body=bytes(MIB))
    code, said = await program.run("--to-latest", "--timeline", "3", *INTO, "--plan")
    assert code == BlockedError.exit_code, said
    assert "does not lead there" in said
    word, _ = await asyncio.to_thread(real.makes_of, recovery_target_timeline="3")
    assert "requested timeline 3 is not a child of this server's history" in word
    for role in BucketRole:
        client, bucket = own_client(stage, role), stage.target(role).bucket
        for key in ("00000003.history", segment):
            client.delete_object(Bucket=bucket, Key=key)


async def up_to_a_hole(stage: Stage, program: Program, real: Real) -> None:
    """`latest` is refused with the command that goes up to there. What is opened is what was looked at."""
    cluster = stage.cluster
    cluster.sql("INSERT INTO orders SELECT generate_series(31, 40)")
    cluster.sql("SELECT pg_switch_wal()")
    cluster.sql("INSERT INTO orders SELECT generate_series(41, 50)")
    lost = fill_segment(cluster)
    cluster.sql("INSERT INTO orders SELECT generate_series(51, 60)")
    wait_archived(cluster, [fill_segment(cluster)])
    kept: dict[BucketRole, tuple[str, bytes]] = {}
    for role in BucketRole:
        client, bucket = own_client(stage, role), stage.target(role).bucket
        (key,) = [each for each in stage.objects(role) if each.startswith(lost)]
        kept[role] = key, client.get_object(Bucket=bucket, Key=key)["Body"].read()
        client.delete_object(Bucket=bucket, Key=key)
    code, said = await program.run("--to-latest", *INTO, "--apply", *program.confirm)
    assert code == BlockedError.exit_code, said
    assert "opens at" in said
    assert left_by_it(stage) == []
    assert await asyncio.to_thread(real.makes_of) == ("open", 40), "without an error"
    (up_to,) = set(re.findall(r"--to-lsn (\S+) --before", said))
    code, said = await program.run(
        "--to-lsn", up_to, "--before", *INTO, "--count", "orders", "--apply", *program.confirm
    )
    assert code == 0, said
    assert "    40" in said

    # What came since is not opened with it.
    for role, (key, body) in kept.items():
        client, bucket = own_client(stage, role), stage.target(role).bucket
        client.put_object(Bucket=bucket, Key=key, Body=body)
    tree = cluster.data_dir.with_name("restored")
    cluster.workspace.reaper.take(Ward("pidfile", str(tree / "postmaster.pid")))
    code, said = await program.run("--promote", *program.confirm)
    assert code == 0, said
    told = re.search(r"applications: port (\d+)", said)
    assert told is not None, said
    asking = ["psql", "-XAtq", "-h", str(cluster.socket_dir), "-p", told[1], "-U", "postgres"]
    assert cluster.run([*asking, "-c", "SELECT count(*) FROM orders"]).strip() == "40"


# -- Times, in whatever zone and on the night in which a clock is set back.

ZONED = (
    ("2026-10-25 02:30:00+02:00", "2026-10-25 00:30:00+00"),
    ("2026-10-25 02:30:00+01:00", "2026-10-25 01:30:00+00"),
    ("2026-03-29 02:30:00+01:00", "2026-03-29 01:30:00+00"),
    ("2026-10-25T05:59:59.999999+05:30", "2026-10-25 00:29:59.999999+00"),
    ("2026-11-01 01:30:00-05", "2026-11-01 06:30:00+00"),
)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def test_a_time_is_the_same_moment_to_the_server_in_whatever_zone(
    make_postgres: MakePostgres, zone: str
) -> None:
    server = make_postgres()
    with server.connect() as connection:
        connection.execute("SELECT set_config('TimeZone', %s, false)", (zone,))
        for typed, moment in ZONED:
            value = read_target(RecoverTo.TIME, typed).value
            row = connection.execute("SELECT %s::timestamptz = %s::timestamptz", (value, moment)).fetchone()
            assert row == (True,), (typed, value)
