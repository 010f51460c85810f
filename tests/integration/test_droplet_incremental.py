"""Incremental base backups by the rendered script: what they build upon, and that all of it restores."""

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.backup_parts import CHOICES, Backups, region
from tests.integration.droplet_parts import PREFIX, Ended
from tests.integration.test_droplet_base_backup import restored, rows, sealing
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.fixtures import or_skip
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer, wheel_bin_dir
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace

pytestmark = [pytest.mark.server, pytest.mark.timeout(300), pytest.mark.long]


@pytest.fixture(scope="module")
def backups(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> Iterator[Backups]:
    server = or_skip(lambda: PostgresServer.make(workspace, wheel_bin_dir(workspace), wal_segment_mib=1))
    with ExitStack() as stack:
        stack.callback(server.stop, "immediate")
        made = Backups(server, region(rgw), region(rgw_dr))
        made.archive()
        server.write_config("70_summaries.conf", {"summarize_wal": "on"})
        server.reload()
        server.sql("CREATE TABLE changing AS SELECT n, md5(n::text) AS t FROM generate_series(1, 20000) AS n")
        made.taken()
        yield made


def take(backups: Backups, *arguments: str, script: Path | None = None) -> Ended:
    return backups.at.run(script or backups.script, *arguments)


def increment(backups: Backups) -> tuple[str, str]:
    """One that went well: its id, and whose child it is."""
    ended = take(backups, "--incremental")
    assert ended.status == 0, ended.stderr
    said = described(backups)
    assert (said["kind"], f"; incremental, upon {said['parent']}" in ended.stderr) == ("incremental", True)
    return str(said["id"]), str(said["parent"])


def described(backups: Backups) -> dict[str, object]:
    told: dict[str, object] = json.loads(backups.dr.get(backups.status["id"], "backup.json"))
    return told


def change(backups: Backups, *numbers: int) -> None:
    for number in numbers:
        backups.server.sql("UPDATE changing SET t = 'changed' WHERE n = %s", number)


def newest(backups: Backups) -> str:
    return max(backups.complete[1])


def test_a_full_and_two_incremental_ones_are_joined_and_have_every_row(backups: Backups) -> None:
    full = newest(backups)
    change(backups, 1)
    first, upon = increment(backups)
    assert upon == full
    change(backups, 2)
    second, upon = increment(backups)
    assert upon == first
    sizes = [len(backups.dr.get(each, "base.tar.zst")) for each in (full, first, second)]
    assert max(sizes[1:]) < sizes[0] / 5
    change(backups, 3)
    wait_archived(backups.server, [fill_segment(backups.server)])
    query = "SELECT n FROM changing WHERE t = 'changed' ORDER BY n"
    every = "SELECT ('x' || left(md5(n || t), 7))::bit(28)::int FROM changing ORDER BY n"
    truth = [number for (number,) in backups.server.sql(every)]
    with restored(backups, f"spaces-dr:{backups.dr.to.bucket}", incremental=True) as again:
        assert rows(again, query) == [1, 2, 3]
        assert rows(again, every) == truth
    backups.assert_nothing_left()


def test_a_standby_takes_one_upon_its_own(backups: Backups) -> None:
    server = backups.server
    server.write_config("60_test.conf", {"full_page_writes": "on"})
    server.reload()
    server.sql("CHECKPOINT")
    standby = server.standby()
    standby.configure(archive_mode="on", archive_command="false")
    standby.start()
    try:
        here = Backups(standby, backups.primary, backups.dr)
        of_standby(backups, here)
        full = here.status["id"]
        change(backups, 7)
        server.sql("CHECKPOINT")
        position = server.sql("SELECT pg_current_wal_lsn()")[0][0]
        behind = f"SELECT pg_last_wal_replay_lsn() >= '{position}'"
        wait_until(lambda: standby.sql(behind) == [(True,)], "it has replayed that", timeout_s=60)
        said = of_standby(backups, here, "--incremental")
        assert f"; incremental, upon {full}" in said
        assert described(here)["from_standby"] is True
    finally:
        standby.stop("immediate")
    wait_archived(server, [fill_segment(server)])
    with restored(backups, f"spaces-dr:{backups.dr.to.bucket}", incremental=True) as again:
        assert rows(again, "SELECT n FROM changing WHERE n = 7 AND t = 'changed'") == [7]


def of_standby(backups: Backups, here: Backups, *arguments: str) -> str:
    """One that went well, while the primary goes on and archives: what it said."""
    running = here.at.start(here.script, *arguments)
    while running.poll() is None:
        fill_segment(backups.server)
        time.sleep(1)
    _, said = running.communicate()
    assert running.returncode == 0, said
    return said


# -- Where it cannot be, a full one is taken, and it is said why.


def full_instead(backups: Backups, ended: Ended) -> str:
    """Why, in the script's words."""
    assert ended.status == 0, ended.stderr
    said = described(backups)
    assert (said["kind"], said["parent"]) == ("full", None)
    return ended.stderr.partition("; a full one: ")[2]


def test_in_turn_a_full_one_follows(backups: Backups) -> None:
    script = backups.render(replace(CHOICES, incremental=1), "in-turn")
    backups.taken()
    assert take(backups, "--in-turn", script=script).status == 0
    assert described(backups)["kind"] == "incremental"
    ended = take(backups, "--in-turn", script=script)
    assert full_instead(backups, ended).strip() == "in turn after 1 incremental ones"
    assert "in turn, as each" in full_instead(backups, take(backups, "--in-turn"))


def test_without_the_servers_notes_it_is_a_full_one(backups: Backups) -> None:
    backups.server.write_config("70_summaries.conf", {"summarize_wal": "off"})
    backups.server.reload()
    try:
        assert "summarize_wal is off" in full_instead(backups, take(backups, "--incremental"))
        for notes in (backups.server.data_dir / "pg_wal/summaries").iterdir():
            notes.unlink()
    finally:
        backups.server.write_config("70_summaries.conf", {"summarize_wal": "on"})
        backups.server.reload()


def test_what_the_server_refuses_is_taken_whole_and_nothing_of_it_stays(backups: Backups) -> None:
    """Its notes do not reach back: as they were while summarize_wal was off, or are after ten days."""
    backups.taken()
    notes = "SELECT count(*) FROM pg_available_wal_summaries()"
    change(backups, 4)
    backups.server.sql("CHECKPOINT")
    wait_until(lambda: backups.server.sql(notes) != [(0,)], "it notes what changed")
    refusing = f"""case "$*" in
    *--incremental=*) rm -f {backups.server.data_dir}/pg_wal/summaries/*.summary ;;
esac
exec {backups.server.bin_dir}/pg_basebackup "$@"
"""
    before = backups.complete
    script = backups.render(CHOICES, "refused", backups.tools(pg_basebackup=refusing))
    elsewhere(script)
    why = full_instead(backups, take(backups, "--incremental", script=script))
    assert why.startswith("the server says: ")
    assert "WAL summaries are required" in why
    assert [len(now - then) for now, then in zip(backups.complete, before, strict=True)] == [1, 1]
    backups.assert_nothing_left()
    backups.taken()


def test_it_builds_upon_nothing_that_one_copy_lacks(backups: Backups) -> None:
    backups.taken()
    upon = newest(backups)
    lacking, _ = increment(backups)
    for name in ("backup_manifest", "base.tar.zst"):
        kept = backups.dr.get(lacking, name)
        backups.dr.put(lacking, name, kept[:-1])
        made, parent = increment(backups)
        assert parent == upon, name
        upon = made
        backups.dr.put(lacking, name, kept)
    for role in backups.regions:
        role.clear()
    assert "there is none yet to build upon" in full_instead(backups, take(backups, "--incremental"))
    other = described(backups)
    for role in backups.regions:
        body = json.dumps({**other, "system_identifier": "7"}, separators=(",", ":"))
        role.put(str(other["id"]), "backup.json", body.encode())
    assert "its system_identifier is not" in full_instead(backups, take(backups, "--incremental"))


@pytest.mark.parametrize("to_dr", [True, False])
def test_a_chain_without_its_beginning_is_not_built_upon(backups: Backups, to_dr: bool) -> None:
    for role in backups.regions:
        role.clear()
    here = Backups(backups.server, backups.primary, backups.dr, to_dr=to_dr)
    full = here.taken()
    for _ in range(2):
        ended = take(here, "--incremental")
        assert (ended.status, ended.stderr.count("\n")) == (0, 1), ended.stderr
    assert json.loads(here.primary.get(here.status["id"], "backup.json"))["parent"] != full
    key = f"{PREFIX}base/{full}/backup_manifest"
    here.primary.gateway.client().delete_object(Bucket=here.primary.to.bucket, Key=key)
    ended = take(here, "--incremental")
    assert ended.status == 0, ended.stderr
    assert "; a full one: there is none yet to build upon (" in ended.stderr
    assert f"{full} in spaces-prod:{here.primary.to.bucket}/" in ended.stderr
    assert "incomplete: backup_manifest is not there" in ended.stderr
    here.assert_nothing_left()


def test_a_full_one_in_its_place_is_not_called_incremental(backups: Backups) -> None:
    """Whatever pg_basebackup says: the label tells what the server sent."""
    backups.taken()
    before = backups.complete
    ignoring = f"""
for each in "$@"; do
    shift
    case $each in --incremental=*) ;; *) set -- "$@" "$each" ;; esac
done
exec {backups.server.bin_dir}/pg_basebackup "$@"
"""
    script = backups.render(CHOICES, "ignoring", backups.tools(pg_basebackup=ignoring))
    elsewhere(script)
    ended = take(backups, "--incremental", script=script)
    assert ended.status == 1
    assert "by its label it builds upon '', not upon '1 " in ended.stderr
    assert backups.complete == before
    backups.assert_nothing_left()


def elsewhere(script: Path) -> None:
    """Have it take pg_basebackup from where all other programs are looked for."""
    own = "program=$bin/pg_basebackup"
    assert own in script.read_text()
    script.write_text(script.read_text().replace(own, "program=$(command -v pg_basebackup)"))


def test_an_encrypted_one_builds_upon_encrypted_ones_alone_and_they_are_restored(backups: Backups) -> None:
    plain = backups.taken()
    pair = sealing(backups)
    script = pair.script()
    assert "its encryption is not age" in full_instead(backups, take(backups, "--incremental", script=script))
    full = str(described(backups)["id"])
    change(backups, 6)
    ended = take(backups, "--incremental", script=script)
    assert f"; incremental, upon {full}" in ended.stderr
    wait_archived(backups.server, [fill_segment(backups.server)])
    where = f"spaces-prod:{backups.primary.to.bucket}"
    with restored(backups, where, secret=pair.secret, incremental=True) as again:
        assert rows(again, "SELECT n FROM changing WHERE n = 6 AND t = 'changed'") == [6]
    assert increment(backups)[1] == plain


# -- While it runs.


@pytest.mark.parametrize("moment", ["rcat*/backup_manifest*", "cat\\ spaces-*/backup.json*"])
def test_what_it_builds_upon_deleted_meanwhile_makes_it_none(backups: Backups, moment: str) -> None:
    """Before its backup.json is written, and after."""
    backups.taken()
    parent, before = newest(backups), backups.complete
    reached, go = backups.state / "reached", backups.state / "go"
    held = f'case "$*" in {moment}) : >{reached}; while [ ! -e {go} ]; do sleep 0.1; done ;; esac\n'
    tools = backups.tools(rclone=f'{held}exec /usr/bin/rclone "$@"\n')
    running = backups.at.start(backups.render(CHOICES, "held", tools), "--incremental")
    wait_until(reached.exists, "it is stored", timeout_s=60)
    for role in backups.regions:
        key = f"{PREFIX}base/{parent}/backup.json"
        role.gateway.client().delete_object(Bucket=role.to.bucket, Key=key)
    go.touch()
    _, said = running.communicate(timeout=60)
    reached.unlink()
    go.unlink()
    assert (running.returncode, "what it builds upon is gone meanwhile" in said) == (1, True), said
    assert backups.complete == [each - {parent} for each in before]
    for role in backups.regions:
        role.clear()
    backups.assert_nothing_left()


@pytest.mark.parametrize("moment", range(3))
def test_killed_at_a_random_moment_it_is_whole_or_none(backups: Backups, moment: int) -> None:
    backups.taken()
    change(backups, 5)
    running = backups.at.start(backups.script, "--incremental")
    time.sleep(random.Random(moment).random() * backups.took_s)  # noqa: S311  # a moment is no secret
    os.killpg(running.pid, signal.SIGKILL if moment % 2 else signal.SIGTERM)
    running.communicate(timeout=60)
    wait_until(lambda: not backups.runs, "the lock is free", timeout_s=60)
    for role, complete in zip(backups.regions, backups.complete, strict=True):
        for each in complete:
            assert role.backups[each] == {"base.tar.zst", "backup_manifest", "backup.json"}
    increment(backups)
    backups.assert_nothing_left()
