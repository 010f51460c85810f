"""A base backup while things break: never half a backup for a reader, and nothing left after the next run."""

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.backup_parts import CHOICES, UPLOADS, Backups, Region, region
from tests.integration.deaths import each_death, share_of
from tests.integration.droplet_parts import PREFIX
from tests.long import always
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.fixtures import MakeProxy, or_skip
from tests.servers.full_disk import full_disk
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.programs import ServerMissing
from tests.servers.reaper import descendants, kill
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace

pytestmark = pytest.mark.server


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A backup is killed at thirty random moments by `make deaths`, at four else."""
    each_death(metafunc, "moment", 4, 30)


SLOWLY = replace(CHOICES, read_mib_s=8)
"""A backup of this cluster takes three seconds then, in which something may happen."""


@pytest.fixture(scope="module")
def backups(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> Iterator[Backups]:
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    with ExitStack() as stack:
        stack.callback(server.stop, "immediate")
        made = Backups(server, region(rgw), region(rgw_dr))
        made.archive()
        made.taken()
        yield made


@pytest.fixture(autouse=True)
def settled(backups: Backups) -> None:
    """No run of a test before goes on, and the keys may what they should."""
    for each in backups.regions:
        each.allow(*UPLOADS)
    wait_until(lambda: not backups.runs, "no backup runs", timeout_s=60)


def wait_streaming(backups: Backups) -> None:
    """Return when the server sends, and both copies have an upload that is under way."""
    sending = "SELECT count(*) FROM pg_stat_progress_basebackup WHERE backup_streamed > 0"
    wait_until(lambda: backups.server.sql(sending) == [(1,)], "the server sends", timeout_s=30)
    wait_until(lambda: all(each.uploads for each in backups.regions), "it is uploaded", timeout_s=30)


def program(pid: int) -> str:
    """The name of a process's program; empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def assert_behind_all_else(pid: int) -> None:
    """What reads, packs and sends has the low priority of the script, for the processor and for the disk."""
    parts = {program(each): each for each in descendants(pid)}
    for name in ("pg_basebackup", "zstd", "rclone"):
        assert os.getpriority(os.PRIO_PROCESS, parts[name]) == CHOICES.nice, name
        told = subprocess.run(["ionice", "-p", str(parts[name])], capture_output=True, text=True, check=True)
        assert told.stdout.strip() == "idle", name


# -- Killed.


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "SIGKILL", "SIGKILL to the script alone"])
@pytest.mark.long
def test_killed_in_the_midst_nothing_is_left_after_the_next_run(backups: Backups, how: str) -> None:
    before = backups.complete
    running = backups.begin(backups.render(SLOWLY, "slowly"))
    wait_streaming(backups)
    assert_behind_all_else(running.pid)
    if how == "SIGKILL":
        os.killpg(running.pid, signal.SIGKILL)
    elif how.startswith("SIGKILL"):
        running.kill()  # what it started goes on to its end, and holds the lock until then
    else:
        os.killpg(running.pid, signal.Signals[how])
    _, said = running.communicate(timeout=60)
    if how in ("SIGTERM", "SIGINT"):
        assert running.returncode == 9, said
        assert "interrupted" in said
        backups.assert_nothing_left()
        assert backups.complete == before
    wait_until(lambda: backups.sessions() == [], "the server's session ends", timeout_s=30)
    take_when_free(backups)
    backups.assert_nothing_left()


def take_when_free(backups: Backups) -> None:
    """The next run, once what a killed one had started has ended."""
    wait_until(lambda: not backups.runs, "the lock is free", timeout_s=60)
    backups.taken()


def test_killed_at_a_random_moment_no_reader_sees_half_a_backup(backups: Backups, moment: int) -> None:
    running = backups.begin()
    time.sleep(share_of(moment) * backups.took_s)
    if moment % 2:
        os.killpg(running.pid, signal.SIGKILL)
    else:
        running.terminate()
    running.communicate(timeout=60)
    for each, complete in zip(backups.regions, backups.complete, strict=True):
        for identity in complete:
            assert each.backups[identity] == {"base.tar.zst", "backup_manifest", "backup.json"}
    if moment % 2:
        take_when_free(backups)
    else:
        assert running.returncode in (0, 9, -signal.SIGTERM)
    backups.assert_nothing_left()


@pytest.mark.parametrize("part", ["pg_basebackup", "zstd", "perl"])
def test_where_one_part_of_the_pipe_is_killed_there_is_no_backup(backups: Backups, part: str) -> None:
    """The parts after it end with 0, and what they stored looks complete."""
    before = backups.complete
    running = backups.begin(backups.render(SLOWLY, "slowly"))
    wait_streaming(backups)
    kill([pid for pid in descendants(running.pid) if program(pid) == part], signal.SIGTERM)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "ended with" in said
    assert backups.complete == before
    backups.assert_nothing_left()


KNOWN = hashlib.sha256(b"abc").hexdigest()
OPENSSL = {
    "as it is": ('exec /usr/bin/openssl "$@"\n', 0, ""),
    "absent": ("exit 127\n", 0, ""),
    "wrong": ("cat >/dev/null; echo 00 '*stdin'\n", 0, ""),
    "wrong of a large file": (
        f'said=$(/usr/bin/openssl "$@"); case $said in {KNOWN}*) ;; '
        '*) said=$(echo "$said" | tr 0-9 1-90) ;; esac; echo "$said"\n',
        1,
        " is not what the manifest says",
    ),
    "killed in mid-file": (
        f'[ "$(head -c 4 | tr -d "\\0")" = abc ] || kill -9 $$; echo "{KNOWN} *stdin"\n',
        1,
        "ended with",
    ),
}
"""Scripts of that name with the status and the words: what it says of `abc` decides whether it is asked."""


@pytest.mark.parametrize("how", always("wrong of a large file", of=OPENSSL))
def test_whoever_sums_a_large_file_it_is_compared_with_the_manifest(backups: Backups, how: str) -> None:
    text, status, words = OPENSSL[how]
    large = "SELECT string_agg(md5(i::text), '') AS text FROM generate_series(1, 200000) i"
    backups.server.sql(f"CREATE TABLE IF NOT EXISTS large AS {large}")
    backups.server.sql("ALTER TABLE large ALTER text SET STORAGE EXTERNAL")
    backups.server.sql(f"TRUNCATE large; INSERT INTO large {large}")
    before = backups.complete
    ended = backups.take(backups.render(CHOICES, "summed", backups.tools(openssl=text)))
    assert (ended.status, words in ended.stderr) == (status, True), ended.stderr
    if status:
        assert backups.complete == before
    else:
        (identity,) = backups.complete[0] - before[0]
        said = json.loads(backups.primary.get(identity, "backup.json"))
        body = backups.primary.get(identity, "base.tar.zst")
        assert said["objects"][0]["sha256"] == hashlib.sha256(body).hexdigest()
    backups.assert_nothing_left()


# -- The store.


def test_one_copy_that_cannot_be_sent_to_leaves_the_other_complete(backups: Backups) -> None:
    failing = (
        'case "$*" in rcat*spaces-dr:*base.tar.zst*) head -c 9 >/dev/null; echo refused >&2; exit 1 ;; esac\n'
    )
    tools = backups.tools(rclone=f'{failing}exec /usr/bin/rclone "$@"\n')
    before = backups.complete
    ended = backups.take(backups.render(CHOICES, "half", tools))
    assert ended.status == 5, ended.stderr
    assert "complete in primary alone" in ended.stderr
    assert "not stored in spaces-dr:" in ended.stderr
    identity = backups.status["id"]
    assert backups.status["state"] == "taken"
    assert backups.complete == [before[0] | {identity}, before[1]]
    assert identity not in backups.dr.backups
    backups.assert_nothing_left()


SPOILED = {
    "altered": "perl -pe 'substr($_, 0, 1) ^= chr 1 if $. == 50'",
    "cut": "head -c -1",
    "empty": "cat >/dev/null",
}


@pytest.mark.parametrize("how", SPOILED)
def test_what_is_stored_otherwise_than_sent_is_found(backups: Backups, how: str) -> None:
    spoil = f'case "$*" in rcat*base.tar.zst*) {SPOILED[how]} | /usr/bin/rclone "$@"; exit ;; esac\n'
    tools = backups.tools(rclone=f'{spoil}exec /usr/bin/rclone "$@"\n')
    before = backups.complete
    ended = backups.take(backups.render(CHOICES, "spoiled", tools))
    assert (ended.status, "is not what was sent" in ended.stderr) == (4, True), ended.stderr
    assert backups.complete == before
    backups.assert_nothing_left()


def test_a_connection_that_breaks_while_it_reads_back_is_made_again(backups: Backups) -> None:
    """Once, in each copy."""
    breaks = """case "$*" in cat*spaces-*base.tar.zst*)
    once=$(printf '%s' "$2" | cksum | tr -d ' ')
    if mkdir "$(dirname "$0")/$once" 2>/dev/null; then
        /usr/bin/rclone "$@" | head -c 1000
        echo 'Failed to cat: read: connection reset by peer' >&2
        exit 1
    fi ;;
esac
exec /usr/bin/rclone "$@"
"""
    before = backups.complete
    ended = backups.take(backups.render(CHOICES, "broken", backups.tools(rclone=breaks)))
    assert ended.status == 0, ended.stderr
    identity = backups.status["id"]
    assert backups.complete == [each | {identity} for each in before]
    backups.assert_nothing_left()


@pytest.mark.long
def test_a_key_that_loses_its_grant_is_told_and_the_next_run_mends_it(backups: Backups) -> None:
    """Archiving fails, too, so that the server waits for its WAL until patience ends."""
    before = backups.complete
    running = backups.begin(backups.render(replace(SLOWLY, patience_s=4), "slowly"))
    wait_streaming(backups)
    backups.dr.gateway.revoke(backups.dr.to.bucket, backups.dr.to.keys)
    _, said = running.communicate(timeout=90)
    assert running.returncode == 1, said
    assert "spaces-dr:" in said
    assert "nothing moved for" in said
    assert backups.complete == before
    identity = backups.status["id"]
    assert (backups.state / "unfinished").read_text().split() == [identity]
    backups.dr.allow(*UPLOADS)
    wait_archived(backups.server, [fill_segment(backups.server)])
    backups.taken()
    assert (backups.state / "unfinished").read_text() == ""
    backups.assert_nothing_left()


@pytest.mark.long
def test_a_store_that_hangs_is_given_up(
    workspace: Workspace, rgw: RadosGateway, make_proxy: MakeProxy
) -> None:
    """Not even its upload can be aborted then: that is left to the next run."""
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    proxy = make_proxy(rgw.port)
    with ExitStack() as stack:
        stack.callback(server.stop, "immediate")
        endpoint = f"http://{proxy.host}:{proxy.port}"
        choices = replace(SLOWLY, patience_s=4)
        backups = Backups(server, region(rgw), region(rgw), endpoint=endpoint, choices=choices)
        backups.archive()
        running = backups.begin()
        wait_streaming(backups)
        proxy.stall()
        _, said = running.communicate(timeout=100)
        assert (running.returncode, "nothing moved for" in said) == (1, True), said
        assert "so the next run looks again" in said
        assert (backups.dr.uploads, backups.complete) == ([], [set(), set()])
        proxy.cut()
        proxy.resume()
        works = "SELECT last_archived_time > last_failed_time FROM pg_stat_archiver"
        wait_until(lambda: server.sql(works) == [(True,)], "it archives again", timeout_s=60)
        backups.taken()
        backups.assert_nothing_left()


@pytest.mark.long
def test_a_bucket_that_vanishes_is_told(workspace: Workspace, rgw: RadosGateway) -> None:
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    with ExitStack() as stack:
        stack.callback(server.stop, "immediate")
        backups = Backups(server, region(rgw), region(rgw), choices=replace(SLOWLY, patience_s=4))
        backups.archive()
        running = backups.begin()
        wait_streaming(backups)
        for each in backups.regions:
            delete_bucket(each)
        _, said = running.communicate(timeout=90)
        assert running.returncode == 1, said
        assert "waiting for wal archiving" in said
        assert backups.sessions() == []


def delete_bucket(gone: Region) -> None:
    """With all that is in it, whatever the archive command adds meanwhile."""
    client, bucket = gone.gateway.client(), gone.to.bucket

    def deleted() -> bool:
        for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
            client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        for one in client.list_objects_v2(Bucket=bucket).get("Contents", []):
            client.delete_object(Bucket=bucket, Key=one["Key"])
        try:
            client.delete_bucket(Bucket=bucket)
        except client.exceptions.ClientError as error:
            if error.response["Error"].get("Code") != "BucketNotEmpty":
                raise
            return False
        return True

    wait_until(deleted, "the bucket is deleted")


def test_a_key_that_may_not_abort_uploads_is_told_of_and_others_backups_stay(
    workspace: Workspace, rgw: RadosGateway
) -> None:
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    with ExitStack() as stack:
        stack.callback(server.stop, "immediate")
        backups = Backups(server, region(rgw), region(rgw), to_dr=False)
        backups.primary.allow()
        backups.primary.put("20200101T000000Z", "base.tar.zst", b"somebody else's, still being sent")
        backups.archive()
        running = backups.begin(backups.render(SLOWLY, "slowly"))
        wait_streaming(backups)
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate(timeout=60)
        ended = backups.take()
        assert ended.status == 0
        assert "cannot be aborted (a rule of the bucket's lifecycle can)" in ended.stderr
        assert set(backups.primary.backups) == {"20200101T000000Z", backups.status["id"]}


# -- The droplet.


def test_on_a_full_disk_it_goes_on_in_memory_and_else_says_so(backups: Backups) -> None:
    with ExitStack() as stack:
        try:
            stack.enter_context(full_disk(backups.server, backups.at.temp_root))
        except ServerMissing as missing:
            pytest.skip(str(missing))
        backups.taken()
        before = backups.complete
        stack.enter_context(full_disk(backups.server, backups.memory_root))
        ended = backups.take()
        assert (ended.status, "no room for a small file" in ended.stderr) == (1, True)
        assert backups.complete == before
    backups.assert_nothing_left()


def test_a_server_that_is_killed_is_told(backups: Backups) -> None:
    before = backups.complete
    running = backups.begin(backups.render(SLOWLY, "slowly"))
    wait_streaming(backups)
    backups.server.kill()
    _, said = running.communicate(timeout=60)
    backups.server.start()
    assert running.returncode == 1
    assert "pg_basebackup" in said
    assert backups.complete == before
    backups.assert_nothing_left()


def test_a_clock_that_was_set_back_takes_nobodys_name(backups: Backups) -> None:
    """What another host is still storing under that name stays as it is."""
    once = backups.state / "set-back"
    back = f"""case $* in *Y%m%dT*) if mkdir {once} 2>/dev/null; then echo 20200101T000000Z; exit; fi ;; esac
exec /usr/bin/date "$@"
"""
    script = backups.render(CHOICES, "set-back", backups.tools(date=back))
    backups.dr.put("20200101T000000Z", "base.tar.zst", b"another host's, not complete")
    try:
        ended = backups.take(script)
        assert ended.status == 0, ended.stderr
        assert once.is_dir()
        assert backups.status["id"] > "20200101T000000Z"
        assert backups.dr.backups["20200101T000000Z"] == {"base.tar.zst"}
    finally:
        key = f"{PREFIX}base/20200101T000000Z/base.tar.zst"
        backups.dr.gateway.client().delete_object(Bucket=backups.dr.to.bucket, Key=key)
    backups.assert_nothing_left()
