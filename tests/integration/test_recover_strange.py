"""What a tired operator tries, by the program: it is refused before it costs anything, or told in words."""

import asyncio
import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.integration.drill_parts import Drills
from tests.integration.droplet_parts import PREFIX
from tests.integration.failure_stage import deployment, provisioned
from tests.integration.provision_stage import Stage
from tests.integration.recover_parts import Program, text_of
from tests.integration.test_recover_script import Recoveries, beside
from tests.integration.test_recover_unfit import whole_installation
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.fixtures import MakePostgres, or_skip
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.reaper import Ward
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.moments.collecting import Collecting
from walconsole.domain.recovery.lock import LockMarker
from walconsole.domain.wal import format_lsn
from walconsole.droplet.names import names_of
from walconsole.errors import BlockedError, ProvisionError, UsageError

pytestmark = [pytest.mark.server, pytest.mark.timeout(900), pytest.mark.long]

INTO = ("--into", "15/restored")


@pytest.fixture
async def stage(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    async with deployment(workspace, rgw, rgw_dr, f"s{secrets.token_hex(2)}") as made:
        await provisioned(made)
        yield made


def with_what_is_odd(cluster: PostgresServer) -> tuple[str, str]:
    """Twelve orders, an unlogged table, a prepared transaction that is open; the place after them, and the
    number of a transaction that is a part of another.
    """
    cluster.write_config("zz_prepared.conf", {"max_prepared_transactions": "5"})
    cluster.stop()
    cluster.start()
    cluster.sql("CREATE TABLE orders AS SELECT generate_series(1, 10) AS n")
    cluster.sql("CREATE UNLOGGED TABLE sessions AS SELECT generate_series(1, 10) AS n")
    with cluster.connect() as connection:
        connection.autocommit = True
        for statement in (
            "BEGIN",
            "INSERT INTO orders VALUES (99)",
            "PREPARE TRANSACTION 'left open'",
            "BEGIN",
            "INSERT INTO orders VALUES (11)",
            "SAVEPOINT a",
            "INSERT INTO orders VALUES (12)",
        ):
            connection.execute(statement)
        row = connection.execute("SELECT max(xmin::text::bigint) FROM orders").fetchone()
        assert row is not None
        connection.execute("COMMIT")
    at = text_of(cluster, "SELECT pg_current_wal_insert_lsn()")
    cluster.sql("INSERT INTO orders SELECT generate_series(101, 110)")
    wait_archived(cluster, [fill_segment(cluster)])
    return at, str(row[0])


async def test_none_of_it_is_lost_by_what_is_typed_wrongly(stage: Stage, tmp_path: Path) -> None:
    cluster, program = stage.cluster, Program(stage, tmp_path)
    at, part = with_what_is_odd(cluster)
    code, said = await program.run()
    assert (code, said.count("none was begun") < 3) == (BlockedError.exit_code, True), said

    code, said = await program.run("--to-xid", part, *INTO, "--apply", *program.confirm)
    assert code == ProvisionError.exit_code, said
    assert f"xid {part}, inclusive was not reached" in said
    assert "is a part of another one, of a SAVEPOINT" in said
    assert (await program.run("--give-up", *program.confirm))[0] == 0
    code, said = await program.run()
    assert (code, "was given up; none goes on" in said) == (0, True), said

    code, said = await program.run("--to-immediate", *INTO, "--apply", *program.confirm)
    assert (code, "it stands at the target" in said) == (0, True), said
    assert (await program.run("--give-up", *program.confirm))[0] == 0

    for into, why in (("", "whose place --in-place takes"), ("/base/it", "the data directory of a cluster")):
        code, said = await program.run("--to-latest", "--into", f"{cluster.data_dir}{into}", "--plan")
        assert (code, why in said) == (BlockedError.exit_code, True), said
    tree = cluster.data_dir.with_name("restored")
    cluster.run(["mkdir", str(tree)])
    code, said = await program.run("--to-lsn", at, *INTO, "--plan")
    assert (code, f"{tree} is there already" in said) == (BlockedError.exit_code, True), said
    cluster.run(["rmdir", str(tree)])
    counted = ("--count", "orders", "--count", "sessions")
    code, said = await program.run("--to-lsn", at, *INTO, *counted, "--apply", *program.confirm)
    assert (code, "    12" in said, "an UNLOGGED table is in it" in said) == (0, True, True), said

    await no_later_target_that_is_nowhere(program)
    await a_look_moves_nothing(stage, program)
    await it_is_opened_where_there_is_room_for_it(stage, program, tree)


async def no_later_target_that_is_nowhere(program: Program) -> None:
    """Replayed to the end of all WAL, the copy would never be at its target again."""
    for typed, expected, why in (
        ("1795874520", UsageError.exit_code, "seconds since 1970"),
        ("2090-01-01 00:00Z", BlockedError.exit_code, "no server has written it yet"),
        ("FF/0", BlockedError.exit_code, "ahead of where the server writes"),
        ("999999", BlockedError.exit_code, "the transaction 999999 has not ended"),
    ):
        code, said = await program.run("--step-to", typed, *program.confirm)
        assert (code, why in said) == (expected, True), said
        assert "--to-latest" not in said, "that is how another one begins"
    code, said = await program.run("--step-to", "mistyped", "--plan")
    assert (code, "only a new restore leads back" in said) == (0, True), said
    code, said = await program.run("--look-only", "--count", "orders")
    assert (code, "    12" in said) == (0, True), said


async def a_look_moves_nothing(stage: Stage, program: Program) -> None:
    written = stage.cluster.folder / "written"
    asked = (
        "SELECT pg_wal_replay_resume()",
        "SELECT PG_PROMOTE ()",
        f"COPY orders TO '{written}'",
        f"\\! touch {written}",
        "\\d orders",
        "DELETE FROM orders",
    )
    code, said = await program.run("--look-only", *(word for sql in asked for word in ("--look", sql)))
    assert (code, said.count("not asked: that"), "read-only transaction" in said) == (0, 4, True), said
    assert "integer" in said, "a table's description is no more than a look"
    assert not written.exists()
    assert of_copy(stage, "SELECT pg_is_in_recovery()") == "t"
    code, said = await program.run("--dump", "sessions", *program.confirm)
    assert (code, "UNLOGGED table are in no backup" in said) == (ProvisionError.exit_code, True), said


async def it_is_opened_where_there_is_room_for_it(stage: Stage, program: Program, tree: Path) -> None:
    """The place that was free when it was planned; then, by whoever resumed it, the copy itself."""
    cluster = stage.cluster
    cluster.run(["mkdir", str(tree)])
    code, said = await program.run("--promote", *program.confirm)
    assert (code, f"{tree} is there already" in said) == (BlockedError.exit_code, True), said
    assert of_copy(stage, "SELECT pg_is_in_recovery()") == "t"
    assert cluster.sql("SELECT count(*) FROM orders") == [(22,)], "the old server goes on"
    cluster.run(["rmdir", str(tree)])

    of_copy(stage, "SELECT pg_wal_replay_resume()")
    wait_until(lambda: of_copy(stage, "SELECT pg_is_in_recovery()") == "f", "it is opened", 30)
    code, said = await program.run("--look-only")
    assert (code, "somebody opened it" in said) == (ProvisionError.exit_code, True), said
    cluster.workspace.reaper.take(Ward("pidfile", str(tree / "postmaster.pid")))
    code, said = await program.run("--promote", *program.confirm)
    assert (code, "STILL OPEN, as at the target: 1 prepared" in said) == (0, True), said
    code, said = await program.run()
    assert (code, "is done; none goes on" in said) == (0, True), said


async def test_given_up_while_it_is_brought_the_old_server_is_back_at_once(
    stage: Stage, tmp_path: Path
) -> None:
    """A restore may take hours: who stopped the old server by mistake does not wait for its end."""
    cluster, program = stage.cluster, Program(stage, tmp_path)
    cluster.sql("CREATE TABLE orders AS SELECT generate_series(1, 10) AS n")
    wait_archived(cluster, [fill_segment(cluster)])
    slow = Path(stage.profile.paths.root) / "usr/local/bin/rclone"
    slow.write_text('#!/bin/sh\ncase "$*" in *base.tar.zst*) sleep 600 ;; esac\nexec /usr/bin/rclone "$@"\n')
    slow.chmod(0o755)
    console = await program.begin("--to-latest", "--in-place", "--apply", *program.confirm)
    status = Path(names_of(stage.profile).recover_state) / "status.json"
    await asyncio.to_thread(
        wait_until, lambda: status.exists() and '"fetching"' in status.read_text(), "it is brought", 120
    )
    console.send_signal(signal.SIGINT)
    said = (await console.communicate())[0].decode()
    assert console.returncode not in (0, None), said
    assert not cluster.running
    code, said = await program.run()
    assert (code, "its script is at it now -> run it again: it is followed" in said) == (0, True), said
    began = time.monotonic()
    code, said = await program.run("--give-up", *program.confirm)
    assert (code, "a phase of it is under way, and is ended" in said) == (0, True), said
    assert time.monotonic() - began < 60
    assert cluster.sql("SELECT count(*) FROM orders") == [(10,)]
    script = names_of(stage.profile).recover
    assert cluster.run(["sh", "-c", f"pgrep -f '[/]{script[1:]} ' || true"]) == "", "nothing of it runs"


def of_copy(stage: Stage, sql: str) -> str:
    """The paused server's answer."""
    socket = names_of(stage.profile).recover_state
    psql = ["psql", "-XAtq", "-h", socket, "-p", "5499", "-U", "postgres", "-d", "postgres"]
    return stage.cluster.run([*psql, "-c", sql]).strip()


# -- By the script alone.


@pytest.fixture
def recoveries(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> Iterator[Recoveries]:
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    with beside(server, rgw, rgw_dr) as made:
        yield made


def test_where_wal_level_was_minimal_for_a_while_it_goes_up_to_there(recoveries: Recoveries) -> None:
    """For an import, say: no segment is missing, and no server replays it. Its WAL says so before that."""
    first, place = it_goes_up_to_there(recoveries)
    assert barriers_in(recoveries.server, first) == [place]


def test_so_it_is_with_an_older_server(
    make_postgres: MakePostgres, rgw: RadosGateway, rgw_dr: RadosGateway
) -> None:
    """PostgreSQL 13 says it in other words."""
    server = make_postgres(release=13, wal_segment_mib=1, start=False)
    server.bin_dir = whole_installation(server)
    with beside(server, rgw, rgw_dr) as recoveries:
        it_goes_up_to_there(recoveries)


def it_goes_up_to_there(recoveries: Recoveries) -> tuple[str, str]:
    """The segment before that, and the place from which on it was minimal."""
    server = recoveries.server
    server.sql("CREATE TABLE kept AS SELECT 17 AS n")
    taken = recoveries.backups.taken()
    server.sql("INSERT INTO kept VALUES (18)")
    wait_archived(server, [fill_segment(server)])
    first = text_of(server, "SELECT pg_walfile_name(pg_current_wal_lsn())")
    minimal = {"wal_level": "minimal", "max_wal_senders": "0", "archive_mode": "off"}
    for settings in (minimal, {"wal_level": "replica", "max_wal_senders": "10", "archive_mode": "on"}):
        server.write_config("zz_import.conf", settings)
        server.stop()
        server.start()
        server.sql("INSERT INTO kept VALUES (19)")
    wait_archived(server, [fill_segment(server)])
    recoveries.begin("20261128T140200Z", "latest", backup=taken)
    recoveries.goes_well("restore")
    told = [places_named(recoveries) for _ in range(2)]
    assert len(set(told)) == 1, "its control file says so by then, and no log tells where"
    assert recoveries.run("note", "phase", "given-up").status == 0
    aim = ("lsn", told[0], "off")
    recoveries.begin("20261128T150200Z", *aim, backup=taken)
    recoveries.goes_well("restore")
    recoveries.goes_well("replay", *aim)
    assert recoveries.ask("SELECT string_agg(n::text, ' ' ORDER BY n) FROM kept") == "17 18"
    return first, told[0]


def barriers_in(server: PostgresServer, first: str) -> list[str]:
    """By the server's own pg_waldump, from the segment `first` on: where its WAL says so."""
    command = [str(server.bin_dir / "pg_waldump"), "-p", str(server.data_dir / "pg_wal"), first]
    command += [fill_segment(server)]
    said = subprocess.run(command, env={**os.environ, "TZ": "UTC"}, capture_output=True, check=False)
    return [format_lsn(each.lsn) for each in Collecting(1).read([said.stdout]).moments if each.minimal]


def places_named(recoveries: Recoveries) -> str:
    """Up to where it says that it can be had."""
    ended = recoveries.run("replay", "latest")
    assert ended.status == 4, ended.stderr
    told = re.search(r"from (\S+) on the server that wrote the WAL ran with wal_level", ended.stderr)
    assert told is not None, ended.stderr
    assert f"--to-lsn {told[1]} --before" in " ".join(ended.stderr.split())
    return told[1]


def test_a_drill_gives_way_to_a_recovery_and_retention_does_not(recoveries: Recoveries) -> None:
    backups = recoveries.backups
    taken = backups.taken()
    wait_archived(recoveries.server, [fill_segment(recoveries.server)])
    recoveries.begin("20261128T140200Z", "latest", backup=taken)
    where, key = backups.dr, f"{PREFIX}walconsole/lock.json"
    client = where.gateway.client()
    lock = LockMarker("x@y", "retention", 1_999_999_999.0, "a" * 32).document()
    client.put_object(Bucket=where.to.bucket, Key=key, Body=lock)
    ended = recoveries.run("restore")
    assert ended.status == 3, ended.stderr
    assert "is locked: retention by x@y holds it, until 03:33:19Z" in ended.stderr
    client.delete_object(Bucket=where.to.bucket, Key=key)

    drills = Drills(backups)
    eager = drills.script.read_text()
    assert "-ge 300 ]" in eager
    drills.script.write_text(eager.replace("-ge 300 ]", "-ge 1 ]"))
    drill = drills.begin()
    status = drills.state / "status.json"
    wait_until(
        lambda: status.exists() and drills.status["state"] in ("fetching", "replaying"), "it reads", 60
    )
    recoveries.goes_well("restore")
    _, said = drill.communicate(timeout=120)
    assert drill.returncode in (0, 3), said
    if drill.returncode == 3:
        assert "another took the lock" in said
        assert "a recovery by" in said
    drills.assert_nothing_left()
    recoveries.goes_well("replay", "latest")

    # one whose host was switched off leaves its lock
    dead = LockMarker("it@gone", "a restore drill", 1_999_999_999.0, "b" * 32).document()
    client.put_object(Bucket=where.to.bucket, Key=key, Body=dead)
    recoveries.goes_well("replay", "latest")
    assert key not in {
        one["Key"] for one in client.list_objects_v2(Bucket=where.to.bucket).get("Contents", [])
    }
