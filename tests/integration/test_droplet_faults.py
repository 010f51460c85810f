"""A real PostgreSQL archives by the rendered command while things break, and recovers by itself.

After each fault every segment that was written is in both buckets as it was in pg_wal, and nothing that was
stored before has changed, except what went with a deleted bucket. Then a base backup is restored from what is
there.
"""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import zstandard

from tests.integration.droplet_parts import Droplet, content, droplet, objects, put
from tests.servers.archived import (
    MIB,
    archived_names,
    fill_segment,
    start_archiving,
    wait_archived,
    wal_bytes,
)
from tests.servers.fixtures import or_skip
from tests.servers.full_disk import FILLER, full_disk
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.programs import ServerMissing
from tests.servers.proxy import Proxy
from tests.servers.reaper import descendants
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from tests.servers.writer import Destination
from walconsole.domain.wal import Segment
from walconsole.droplet.choices import DropletChoices

pytestmark = pytest.mark.server


class Archiving:
    """A server that archives through a proxy, and a base backup from its beginning."""

    def __init__(self, server: PostgresServer, rgw: RadosGateway, proxy: Proxy) -> None:
        self.server, self.rgw, self.proxy = server, rgw, proxy
        choices = DropletChoices(idle_timeout_s=1, restore_pauses_s=())
        self.at: Droplet = droplet(server, rgw, choices, endpoint=f"http://{proxy.host}:{proxy.port}")
        self.lost: set[str] = set()
        """What was archived in a primary bucket that is no more."""

    @property
    def command(self) -> str:
        return f'{self.at.archive} "%p" "%f"'

    def failures(self) -> int:
        return int(self.server.sql("SELECT failed_count FROM pg_stat_archiver")[0][0])

    def wait_failed(self, before: int) -> None:
        """Return when archiving has failed once more than `before`."""
        wait_until(lambda: self.failures() > before, "archiving fails", timeout_s=30)

    def stored(self) -> list[Mapping[str, str]]:
        return [objects(self.rgw, to) for to in self.at.copies]

    def assert_kept(self, before: list[Mapping[str, str]]) -> None:
        """Nothing of `before`, stored() of then, was changed or taken away."""
        for was, now in zip(before, self.stored(), strict=True):
            assert {key: now[key] for key in was} == was

    def assert_complete(self) -> None:
        """Every copy has each archived file as it is in pg_wal, and nothing else is left behind."""
        for name in archived_names(self.server, 1):
            for to in self.at.copies if name not in self.lost else [self.at.dr]:
                assert self.plain(to, name) == wal_bytes(self.server, name)
        assert self.at.leftovers == []

    def plain(self, to: Destination, name: str) -> bytes:
        keys = objects(self.rgw, to)
        if name in keys:
            return content(self.rgw, to, name)
        packed = content(self.rgw, to, f"{name}.zst")
        return zstandard.ZstdDecompressor().decompressobj().decompress(packed)


@pytest.fixture(scope="module")
def archiving(workspace: Workspace, rgw: RadosGateway) -> Iterator[Archiving]:
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    with ExitStack() as stack:
        proxy = Proxy(rgw.port)
        stack.callback(proxy.close)
        stack.callback(server.stop, "immediate")
        made = Archiving(server, rgw, proxy)
        start_archiving(server, made.command)
        wait_archived(server, [fill_segment(server)])
        yield made


Fault = Callable[[Archiving], AbstractContextManager[None]]


@contextmanager
def grant_revoked(archiving: Archiving) -> Iterator[None]:
    at = archiving.at
    archiving.rgw.revoke(at.dr.bucket, at.dr.keys)
    yield
    archiving.rgw.grant(at.dr.bucket, at.dr.keys, "readwrite")


@contextmanager
def key_deleted(archiving: Archiving) -> Iterator[None]:
    """The primary's key is no more; then a new one stands in rclone's configuration."""
    at, rgw = archiving.at, archiving.rgw
    rgw.revoke(at.primary.bucket, at.primary.keys)
    rgw.remove_user(at.primary.keys)
    yield
    at.primary = replace(at.primary, keys=rgw.limited_user({at.primary.bucket: "readwrite"}))
    at.configure_rclone()


@contextmanager
def connection_stalled(archiving: Archiving) -> Iterator[None]:
    archiving.proxy.stall()
    yield
    archiving.proxy.cut()
    archiving.proxy.resume()


FAULTS: Mapping[str, Fault] = {
    "grant revoked": grant_revoked,
    "key deleted": key_deleted,
    "connection stalled": connection_stalled,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_postgresql_recovers_from(archiving: Archiving, fault: str) -> None:
    before, stored = archiving.failures(), archiving.stored()
    with FAULTS[fault](archiving):
        first = fill_segment(archiving.server)
        archiving.wait_failed(before)
    wait_archived(archiving.server, [first, fill_segment(archiving.server)])
    archiving.assert_kept(stored)
    archiving.assert_complete()


def test_a_bucket_that_was_deleted_and_made_again_gets_what_comes(archiving: Archiving) -> None:
    """Not what it had: the server knows that as archived. And the command makes no bucket by itself."""
    server, at, rgw = archiving.server, archiving.at, archiving.rgw
    before, (_, stored) = archiving.failures(), archiving.stored()
    archiving.lost = archived_names(server, 1)
    _delete_bucket(rgw, at.primary.bucket)
    first = fill_segment(server)
    archiving.wait_failed(before)
    assert "NoSuchBucket" in server.log_file.read_text()
    assert at.primary.bucket not in rgw.bucket_names()
    rgw.bucket(at.primary.bucket)
    rgw.grant(at.primary.bucket, at.primary.keys, "readwrite")
    second = fill_segment(server)
    wait_archived(server, [first, second])
    assert set(archiving.stored()[0]) == {f"{first}.zst", f"{second}.zst"}
    archiving.assert_kept([{}, stored])
    archiving.assert_complete()


def _delete_bucket(rgw: RadosGateway, bucket: str) -> None:
    client = rgw.client()
    for one in client.list_objects_v2(Bucket=bucket)["Contents"]:
        client.delete_object(Bucket=bucket, Key=one["Key"])
    client.delete_bucket(Bucket=bucket)


def commands_below(server: PostgresServer, script: Path) -> list[int]:
    """The processes of a running archive command: the script, what it started, and their shells."""
    return [pid for pid in descendants(server.pid) if str(script).encode() in _cmdline(pid)]


def _cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def fill_with_noise(server: PostgresServer) -> str:
    """fill_segment() with a whole segment of what cannot be compressed."""
    with closing(server.connect()) as connection:
        noise = os.urandom(MIB * 7 // 8)
        connection.execute("SELECT pg_logical_emit_message(true, 'noise', %s::bytea)", (noise,))
    return fill_segment(server)


def kill_command(archiving: Archiving) -> None:
    """SIGKILL every process of the archive command, and return when the archiver noticed."""
    log = archiving.server.log_file
    told = "archive command was terminated by signal 9"
    before = log.read_text().count(told)
    (shell, *_) = commands_below(archiving.server, archiving.at.archive)
    for pid in (shell, *descendants(shell)):  # the shell first: it would end by itself, and say why
        with suppress(ProcessLookupError):  # it went with the one before
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: log.read_text().count(told) > before, "the archiver noticed")


def test_killed_in_mid_upload_the_segment_arrives_later(archiving: Archiving) -> None:
    """The upload to the primary is held half way: a part of it arrived there."""
    server, at, proxy = archiving.server, archiving.at, archiving.proxy
    stored = archiving.stored()
    proxy.reset_traffic()
    proxy.swallow_from = MIB * 5 // 8
    name = fill_with_noise(server)
    wait_until(lambda: proxy.traffic.bytes_up > MIB // 4, "a part of it is sent", every_s=0.002)
    kill_command(archiving)
    proxy.swallow_from = None
    proxy.cut()
    assert not {name, f"{name}.zst"} & objects(archiving.rgw, at.primary).keys()
    wait_archived(server, [name, fill_segment(server)])
    archiving.assert_kept(stored)
    archiving.assert_complete()


def test_killed_while_it_talks_to_the_store_nothing_is_lost(archiving: Archiving) -> None:
    server, proxy = archiving.server, archiving.proxy
    proxy.reset_traffic()
    proxy.stall()
    name = fill_segment(server)
    wait_until(lambda: proxy.traffic.connections > 0, "the command talks to the store")
    kill_command(archiving)
    proxy.cut()
    proxy.resume()
    server.kill()
    server.start()
    wait_archived(server, [name, fill_segment(server)])
    archiving.assert_complete()


def test_on_a_full_disk_it_goes_on_without_a_temporary_file(archiving: Archiving) -> None:
    """Where no disk can be filled, since we may not mount one, no file may be written."""
    server, at = archiving.server, archiving.at
    with ExitStack() as stack:
        try:
            stack.enter_context(full_disk(server, at.temp_root))
        except ServerMissing:
            stack.enter_context(no_file_written(archiving))
        else:
            assert [file.name for file in at.leftovers] == [FILLER]
        name = fill_segment(server)
        wait_archived(server, [name])
        assert {file.name for file in at.leftovers} <= {FILLER}
    assert all(name in keys for keys in archiving.stored())
    archiving.assert_complete()


@contextmanager
def no_file_written(archiving: Archiving) -> Iterator[None]:
    server = archiving.server
    narrow = f"ulimit -f 0; exec {archiving.command} 2>/dev/null"  # PostgreSQL's log is longer
    start_archiving(server, narrow)
    shown = "SELECT current_setting('archive_command')"
    wait_until(lambda: server.sql(shown) == [(narrow,)], "the command is in force")
    yield
    start_archiving(server, archiving.command)


def test_the_same_segment_twice_is_archived_and_another_is_not(archiving: Archiving) -> None:
    server, at = archiving.server, archiving.at
    status = server.data_dir / "pg_wal/archive_status"
    again = fill_segment(server)
    wait_archived(server, [again])
    stored, before = archiving.stored(), archiving.failures()
    (status / f"{again}.done").rename(status / f"{again}.ready")
    wait_archived(server, [again, fill_segment(server)])
    archiving.assert_kept(stored)
    assert archiving.failures() == before
    foreign = Segment.parse(again, MIB).next().next().name(MIB)
    put(archiving.rgw, at.primary, foreign, b"another cluster's")
    assert fill_segment(server) == foreign
    archiving.wait_failed(before)
    stays = archiving.rgw.client().get_object(Bucket=at.primary.bucket, Key=f"pg/main/{foreign}")
    assert stays["Body"].read() == b"another cluster's"
    assert not (status / f"{foreign}.done").exists()
    assert f"{foreign} not archived: spaces-prod:" in server.log_file.read_text()
    archiving.rgw.client().delete_object(Bucket=at.primary.bucket, Key=f"pg/main/{foreign}")
    wait_archived(server, [foreign, fill_segment(server)])
    archiving.assert_complete()


def test_a_base_backup_replays_to_the_end_through_an_outage(archiving: Archiving) -> None:
    server, at, proxy = archiving.server, archiving.at, archiving.proxy
    server.sql("CREATE TABLE kept (n int)")
    restored = server.standby()
    names = []
    for number in range(3):
        server.sql("INSERT INTO kept VALUES (%s)", number)
        names.append(fill_segment(server))
    wait_archived(server, names)
    (restored.data_dir / "standby.signal").rename(restored.data_dir / "recovery.signal")
    command = f'{at.restore} "%f" "%p"'
    restored.configure(restore_command=command, primary_conninfo="", archive_mode="off")
    (restored.data_dir / "postgresql.auto.conf").write_text("")
    proxy.refuse()
    with pytest.raises(RuntimeError, match="not known to be missing"):
        restored.start()
    proxy.accept()
    restored.start()
    try:
        over = "SELECT pg_is_in_recovery()"
        wait_until(lambda: _row(restored, over) == [(False,)], "recovery ends", timeout_s=30)
        assert restored.sql("SELECT n FROM kept ORDER BY n") == [(0,), (1,), (2,)]
        assert restored.sql("SELECT timeline_id FROM pg_control_checkpoint()") == [(2,)]
    finally:
        restored.stop("immediate")


def _row(server: PostgresServer, statement: str) -> list[tuple[object, ...]]:
    try:
        return server.sql(statement)
    except psycopg.OperationalError:
        return []
