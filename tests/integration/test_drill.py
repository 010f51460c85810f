"""A restore drill by the rendered script: what it proves, what it refuses, and what it leaves alone."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.integration.backup_parts import Backups, Region, region
from tests.integration.drill_parts import CHOICES, Drills, beside_production, with_queries
from tests.integration.droplet_parts import PREFIX
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.fixtures import MakePostgres
from tests.servers.ports import wait_until
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.recovery.lock import LOCK_KEY, LockMarker, read_lock

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def drills(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> Iterator[Drills]:
    with beside_production(workspace, rgw, rgw_dr) as backups:
        yield Drills(backups)


def own(listing: dict[str, str]) -> dict[str, str]:
    """What lies in a copy but for the segments that production archives by itself meanwhile."""
    return {key: told for key, told in listing.items() if len(key.split(".")[0]) != 24}


# -- What it proves.


def test_a_good_drill_proves_both_sides_of_now_and_leaves_nothing(drills: Drills) -> None:
    server = drills.server
    server.sql("INSERT INTO kept VALUES (1001)")
    server.sql("CREATE EXTENSION IF NOT EXISTS amcheck")
    before = drills.listing()
    ended = drills.run(drills.render(with_queries("SELECT 1 FROM kept HAVING max(n) = 1001"), "drill-query"))
    assert ended.status == 0, ended.stderr
    told = drills.result
    assert (told["outcome"], told["reason"], told["level"], told["queries"]) == ("proved", "", 4, 1)
    assert (told["witness_before"], told["witness_after"]) == ("committed", "in progress")
    assert told["segments_replayed"] == told["segments"] > 2
    assert told["databases"] == 2
    assert told["relations"] > 100
    checksums = server.sql("SHOW data_checksums") == [("on",)]
    assert told["checksums"] is (True if checksums else None)
    assert told["amcheck"] is True
    assert all(told[f"{phase}_ms"] > 0 for phase in ("fetch", "verify", "replay", "check"))
    assert drills.status["exit"] == 0
    for was, now in zip(before, drills.listing(), strict=True):
        assert own(was) == own(now)
        assert was.items() <= now.items(), "what lay there is as it was"
    assert server.sql("SELECT count(*) FROM pg_stat_replication") == [(0,)]


@pytest.mark.long
def test_limits_that_were_raised_after_the_base_backup_are_no_failure(drills: Drills) -> None:
    """A restored server with the backup's own pauses there, or ends (13): it is started with higher ones."""
    server = drills.server
    raised = server.write_config(
        "70_raised.conf", {"max_connections": "150", "max_locks_per_transaction": "96"}
    )
    server.restart()
    server.sql("INSERT INTO kept VALUES (1003)")
    ended = drills.run(drills.render(with_queries("SELECT 1 FROM kept HAVING max(n) = 1003"), "drill-raised"))
    raised.unlink()
    server.restart()
    assert ended.status == 0, ended.stderr
    told = drills.result
    assert (told["witness_before"], told["witness_after"]) == ("committed", "in progress")
    assert drills.servers == []
    assert server.sql("SELECT failed_count FROM pg_stat_archiver") == [(0,)]
    drills.assert_nothing_left()


@pytest.mark.long
def test_what_the_servers_owner_set_reaches_no_drill(drills: Drills) -> None:
    """An ALTER SYSTEM lies in the backup, and would archive, listen and wait for a primary."""
    server, folder = drills.server, drills.at.folder / "reached"
    server.sql(f"ALTER SYSTEM SET archive_command = 'touch {folder}; false'")
    server.sql("ALTER SYSTEM SET listen_addresses = '*'")
    server.sql("ALTER SYSTEM SET primary_conninfo = 'host=192.0.2.1'")
    server.sql("ALTER SYSTEM SET recovery_end_command = 'false'")
    try:
        drills.backups.taken()  # not loaded: only the backup's copy has it
        ended = drills.run()
    finally:
        server.sql("ALTER SYSTEM RESET ALL")
    assert ended.status == 0, ended.stderr
    assert not folder.exists()
    assert drills.result["level"] == 3
    drills.assert_nothing_left()


def test_old_results_are_taken_away_but_for_the_newest_good_one(drills: Drills) -> None:
    outcomes = {"20250101T000000Z": "proved", "20250102T000000Z": "proved", "20250103T000000Z": "failed"}
    places = [(each.gateway.client(each.to.keys), each.to.bucket) for each in drills.backups.regions]
    below = f"{PREFIX}walconsole/drills/"

    def lie() -> list[set[str]]:
        listed = [client.list_objects_v2(Bucket=bucket, Prefix=below) for client, bucket in places]
        return [{one["Key"].removeprefix(below) for one in each.get("Contents", [])} for each in listed]

    for client, bucket in places:
        for key in lie()[0] | lie()[1]:
            client.delete_object(Bucket=bucket, Key=f"{below}{key}")
        for id, outcome in outcomes.items():
            told = f'{{"format":1,"id":"{id}","outcome":"{outcome}"}}'.encode()
            client.put_object(Bucket=bucket, Key=f"{below}{id}.json", Body=told)
        client.put_object(Bucket=bucket, Key=f"{below}of somebody else", Body=b"")
    small = replace(CHOICES, kept_results=1, reserve_mib=10**9)  # refused: there is no such disk
    ended = drills.run(drills.render(small, "drill-pruning"))
    assert ended.status == 6, ended.stderr
    newest = f"{drills.result['id']}.json"
    assert lie() == [{newest, "20250102T000000Z.json", "of somebody else"}] * 2


@pytest.mark.long
def test_a_table_that_the_replay_has_locked_is_passed_over_and_said(drills: Drills) -> None:
    """Paused before the commit of an ALTER its lock is held: a read of that table would hang for ever."""
    with drills.server.connect(autocommit=False) as altering:
        altering.execute("ALTER TABLE kept ADD COLUMN later int")
        ended = drills.run(drills.render(with_queries("SELECT 1 FROM kept LIMIT 1"), "drill-locked"))
        altering.rollback()
    assert ended.status == 0, ended.stderr
    told = drills.result
    assert told["level"] == 3, "the query could not be asked"
    assert "a relation was locked" in told["notes"]
    assert "the 1. one was locked out" in told["notes"]


@pytest.mark.long
def test_while_it_runs_its_lock_is_one_that_retention_respects(drills: Drills) -> None:
    running = drills.begin()
    until(drills, "fetching")
    for each in drills.backups.regions:
        marker = read_lock(drills.stored(each, LOCK_KEY))
        assert marker.purpose == "a restore drill"
        assert 600 < marker.until - time.time() <= 900
    _, said = running.communicate(timeout=120)
    assert running.returncode == 0, said
    drills.assert_nothing_left()


@pytest.mark.long
def test_the_restore_command_in_force_is_the_one_that_is_proved(drills: Drills) -> None:
    server, called = drills.server, drills.at.folder / "called"
    command = f"""echo "it's %f" >>{called}; {drills.restore} "%f" "%p" dr"""
    server.write_config("70_restore.conf", {"restore_command": command})
    server.reload()
    try:
        ended = drills.run()
    finally:
        server.write_config("70_restore.conf", {"restore_command": ""})
        server.reload()
    assert ended.status == 0, ended.stderr
    assert drills.result["restore_command"] == "in force"
    assert len([line for line in called.read_text().splitlines() if line.startswith("it's 0000")]) > 2


@pytest.mark.long
def test_a_restore_command_that_brings_nothing_is_what_is_at_fault(drills: Drills) -> None:
    """Its failure looks to the server like the archive's end."""
    drills.server.write_config("70_restore.conf", {"restore_command": "false"})
    drills.server.reload()
    try:
        assert "did not bring 0000000" in failed(drills, "restore-command")
    finally:
        drills.server.write_config("70_restore.conf", {"restore_command": ""})
        drills.server.reload()


@pytest.mark.long
def test_postgresql_18_and_an_incremental_backup(
    make_postgres: MakePostgres, rgw: RadosGateway, rgw_dr: RadosGateway
) -> None:
    server = make_postgres(release="wheel", wal_segment_mib=1, start=False)
    backups = Backups(server, region(rgw), region(rgw_dr))
    server.write_config("70_summaries.conf", {"summarize_wal": "on"})
    backups.archive()
    server.sql("CREATE TABLE kept (n int)")
    backups.taken()
    server.sql("INSERT INTO kept VALUES (7)")
    drills = Drills(backups, with_queries("SELECT n FROM kept WHERE n = 7"))
    taken = backups.at.run(backups.script, "--incremental")
    assert taken.status == 0, taken.stderr
    ended = drills.run()
    assert ended.status == 0, ended.stderr
    told = drills.result
    assert (told["level"], told["server_version_num"] // 10000) == (4, 18)
    assert told["backup"] == backups.status["id"]
    drills.assert_nothing_left()


# -- What is archived is at fault.


def change(where: Region, key: str, body: bytes | None) -> bytes:
    """Put another object in the place of one, or none; what was there."""
    client, full = where.gateway.client(), f"{PREFIX}{key}"
    reader = where.gateway.client(where.to.keys)
    was: bytes = reader.get_object(Bucket=where.to.bucket, Key=full)["Body"].read()
    if body is None:
        client.delete_object(Bucket=where.to.bucket, Key=full)
    else:
        client.put_object(Bucket=where.to.bucket, Key=full, Body=body)
    return was


@contextmanager
def changed(drills: Drills, key: str, change_to: "bytes | Callable[[bytes], bytes] | None") -> Iterator[None]:
    """In both copies another object, or none, in the place of `key`."""
    was = []
    for each in drills.backups.regions:
        now = change_to(drills.stored(each, key)) if callable(change_to) else change_to
        was.append((each, change(each, key, now)))
    try:
        yield
    finally:
        for each, body in was:
            each.gateway.client().put_object(Bucket=each.to.bucket, Key=f"{PREFIX}{key}", Body=body)


def newest(drills: Drills) -> str:
    return max(drills.backups.primary.backups)


def failed(drills: Drills, reason: str) -> str:
    """A drill that fails so; what it says."""
    ended = drills.run()
    assert ended.status == 4, ended.stderr
    told = drills.result
    assert (told["outcome"], told["reason"]) == ("failed", reason), told
    assert drills.status["state"] == "failed"
    drills.assert_nothing_left()
    return str(told["message"])


def a_segment(drills: Drills) -> str:
    """One that a replay needs, and behind which others lie."""
    server = drills.server
    missing = fill_segment(server)
    wait_archived(server, [missing, fill_segment(server)])
    return missing


@pytest.mark.long
def test_a_missing_segment(drills: Drills) -> None:
    missing = a_segment(drills)
    with changed(drills, f"{missing}.zst", None):
        assert failed(drills, "missing-segment").startswith(f"{missing} is missing")


def test_a_damaged_segment(drills: Drills) -> None:
    damaged = a_segment(drills)
    with changed(drills, f"{damaged}.zst", b"not a segment"):
        assert f"{damaged}.zst is damaged" in failed(drills, "damaged-object")


@pytest.mark.long
def test_a_damaged_backup(drills: Drills) -> None:
    key = f"base/{newest(drills)}/base.tar.zst"

    def one_byte(body: bytes) -> bytes:
        at = len(body) // 2
        return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]

    with changed(drills, key, one_byte):
        assert key in failed(drills, "damaged-object")


def test_an_object_of_a_backup_that_is_gone(drills: Drills) -> None:
    key = f"base/{newest(drills)}/base.tar.zst"
    with changed(drills, key, None):
        assert f"{key} is not there as it was stored" in failed(drills, "damaged-object")


@pytest.mark.long
def test_the_backup_of_another_cluster(
    drills: Drills, make_postgres: MakePostgres, rgw: RadosGateway
) -> None:
    """Its description says that it is this cluster's; its control file tells."""
    other = make_postgres(start=False)  # one of another size is not from the same template
    others = Backups(other, region(rgw), region(rgw), to_dr=False)
    others.archive()
    theirs = others.taken()
    named, ours = (
        server.sql("SELECT system_identifier FROM pg_control_system()")[0][0]
        for server in (other, drills.server)
    )
    for each in drills.backups.regions:
        for name in others.primary.backups[theirs]:
            body = others.primary.get(theirs, name).replace(str(named).encode(), str(ours).encode())
            body = body.replace(b'"wal_segment_size":16777216', b'"wal_segment_size":1048576')
            each.put(theirs, name, body)
    try:
        assert str(named) in failed(drills, "wrong-identifier")
    finally:
        for each in drills.backups.regions:
            for name in ("backup.json", "base.tar.zst", "backup_manifest"):
                key = f"{PREFIX}base/{theirs}/{name}"
                each.gateway.client().delete_object(Bucket=each.to.bucket, Key=key)


@pytest.mark.long
def test_a_query_without_a_row(drills: Drills) -> None:
    ended = drills.run(
        drills.render(with_queries("SELECT 1", "SELECT n FROM kept WHERE n < 0"), "drill-no-row")
    )
    assert ended.status == 4, ended.stderr
    assert (drills.result["reason"], drills.result["level"]) == ("query", 2)
    assert "the 2. one gives no row" in drills.result["message"]
    drills.assert_nothing_left()


@pytest.mark.long
def test_a_query_that_no_drill_can_ask_is_no_fault_of_the_archive(drills: Drills) -> None:
    wrong = ("SELECT 1", "INSERT INTO kept VALUES (1)", "SELEC 1")
    ended = drills.run(drills.render(with_queries(*wrong), "drill-odd-queries"))
    assert ended.status == 0, ended.stderr
    told = drills.result
    assert (told["outcome"], told["level"]) == ("proved", 3), "the queries' level is not proved"
    assert "the 2. one cannot be asked of what is paused" in told["notes"]
    assert "the 3. one cannot be asked of what is paused" in told["notes"]
    assert "syntax error" in told["notes"]
    drills.assert_nothing_left()


# -- Nobody's fault, or this host's.


def test_without_room_nothing_is_written(drills: Drills) -> None:
    ended = drills.run(drills.render(replace(CHOICES, reserve_mib=1 << 24), "drill-no-room"))
    assert ended.status == 6, ended.stderr
    told = drills.result
    assert (told["outcome"], told["reason"]) == ("refused", "no-room")
    assert "16777216 that stay free" in told["message"]
    assert told["fetch_ms"] is None
    drills.assert_nothing_left()


def test_while_somebody_else_has_the_lock_there_is_no_drill(drills: Drills) -> None:
    where = drills.backups.dr
    lock = LockMarker("x", "retention", time.time() + 60, "a" * 32).document()
    key = f"{PREFIX}walconsole/lock.json"
    where.gateway.client().put_object(Bucket=where.to.bucket, Key=key, Body=lock)
    try:
        ended = drills.run()
        assert ended.status == 3, ended.stderr
        assert "retention" in ended.stderr
        assert drills.stored(where, "walconsole/lock.json") == lock
    finally:
        where.gateway.client().delete_object(Bucket=where.to.bucket, Key=key)


@pytest.mark.long
def test_by_its_schedule_it_is_made_where_one_is_due(drills: Drills) -> None:
    script = drills.render(replace(CHOICES, every_s=86_400), "drill-due")
    proved = drills.state / "proved"
    proved.unlink(missing_ok=True)
    assert drills.run(script, "--if-due").status == 0
    made = drills.result["id"]
    assert proved.exists()
    assert drills.at.run(script, "--if-due").silently_well
    os.utime(proved, (time.time() - 40_000,) * 2)
    assert drills.at.run(script, "--if-due").silently_well
    assert drills.result["id"] == made
    os.utime(proved, (time.time() - 44_000,) * 2)
    assert drills.run(script, "--if-due").status == 0
    assert drills.result["id"] > made
    assert drills.at.run(script, "--when-due").status == 2


def test_a_drill_that_takes_too_long_ends(drills: Drills) -> None:
    ended = drills.run(drills.render(replace(CHOICES, limit_s=1), "drill-limit"))
    assert ended.status == 1, ended.stderr
    assert "longer than 1 s" in ended.stderr
    drills.assert_nothing_left()


def test_a_path_too_long_for_its_socket_is_no_fault_of_the_archive(drills: Drills) -> None:
    short = drills.at.temp_root
    long = short.with_name("x" * 90)
    long.mkdir(mode=0o700)
    os.chown(long, short.stat().st_uid, short.stat().st_gid)
    script = drills.render(CHOICES, "drill-long")
    script.write_text(script.read_text().replace(str(short), str(long)))
    ended = drills.run(script)
    assert ended.status == 1, ended.stderr
    assert "too long a path for the socket" in ended.stderr
    assert list(long.iterdir()) == []
    drills.assert_nothing_left()


# -- Killed.


def until(drills: Drills, state: str) -> None:
    def is_there() -> bool:
        return bool(drills.status["state"] == state)

    wait_until(is_there, f"it is {state}", timeout_s=60)


STATES = ("witnessing", "fetching", "replaying", "reading")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.long
def test_killed_at_any_moment_it_leaves_what_the_next_one_takes_away(drills: Drills, state: str) -> None:
    server = drills.server
    before = drills.listing()
    running = drills.begin()
    until(drills, state)
    os.kill(running.pid, signal.SIGKILL)
    running.communicate(timeout=60)
    assert server.sql("SELECT count(*) > 0 FROM kept") == [(True,)]
    for was, now in zip(before, drills.listing(), strict=True):
        now.pop("walconsole/lock.json", None)
        assert was.items() <= now.items()
    ended = drills.run()
    assert ended.status == 0, ended.stderr
    drills.assert_nothing_left()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.long
def test_ended_by_a_signal_it_leaves_nothing(drills: Drills, state: str) -> None:
    running = drills.begin()
    until(drills, state)
    os.kill(running.pid, signal.SIGTERM)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 9, said
    assert drills.status["state"] == "not-drilled"
    drills.assert_nothing_left()
