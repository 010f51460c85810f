"""A host that archives by streaming alone: its receiver is found, and what it keeps is judged."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_failures_found import Host, host
from tests.servers.archived import fill_segment, start_archiving
from tests.servers.barman_server import Barman
from tests.servers.fixtures import or_skip
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.sshd import SshServer
from tests.servers.workspace import Daemon

__all__ = ["host"]
pytestmark = [pytest.mark.server, pytest.mark.timeout(180)]


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder on a memory's file system, which is another than the data directory's."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="walconsole-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def alarms(document: dict[str, Any]) -> set[str]:
    """The causes that are worse than a note; that its folder is in memory is the test's own doing."""
    return {story["root"]["id"] for story in document["stories"] if story["severity"] != "note"}


@pytest.fixture
def streaming(host: Host) -> Iterator[Host]:
    """archive_mode is off; at the end there is no slot any more."""
    host.server.configure(archive_mode="off")
    host.server.restart()
    yield host
    host.server.sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")
    start_archiving(host.server, "/bin/true")
    host.server.restart()


@contextmanager
def receiving(server: PostgresServer, into: Path, *options: str) -> Iterator[None]:
    """pg_receivewal with a slot of its own, until the end."""
    program = str(server.bin_dir / "pg_receivewal")
    where = ["-h", str(server.socket_dir), "-p", str(server.port), "-U", "postgres", "-S", "wal"]
    server.run([program, *where, "--create-slot", "--if-not-exists"])
    argv = [program, *where, "-D", str(into), "-s", "1", *options]
    daemon = Daemon(
        server.workspace, "pg_receivewal", argv, server.folder / "receive.log", user=server.os_user
    )
    daemon.start(lambda: server.sql("SELECT active FROM pg_replication_slots") == [(True,)])
    try:
        yield
    finally:
        daemon.stop(signal.SIGINT)
        wait_until(lambda: server.sql("SELECT active FROM pg_replication_slots") == [(False,)], "its end")


def holds(folder: Path, names: list[str]) -> None:
    """Wait until all of them are there, and what is written since as .partial."""
    wait_until(
        lambda: all(any(folder.rglob(each)) for each in (*(f"{name}*" for name in names), "*.partial")),
        f"{names} received",
    )


@pytest.mark.parametrize(
    "options", [(), pytest.param(("-Z", "1"), marks=pytest.mark.long)], ids=["plain", "gzip"]
)
async def test_a_host_that_only_streams_is_judged_by_what_its_receiver_keeps(
    streaming: Host, elsewhere: Path, options: tuple[str, ...]
) -> None:
    server, text = streaming.server, streaming.config.read_text()
    into = elsewhere / "received"
    into.mkdir(mode=0o700)
    server.give(into)
    try:
        with receiving(server, into, *options):
            holds(into, [fill_segment(server) for _ in range(2)])
            server.sql("SELECT pg_switch_wal()")
            server.sql("CREATE TABLE written_on AS SELECT 1 AS n")
            holds(into, [])
            code, document = await streaming.checked()
            assert (code, document["level"]) == (3, "unknown"), (document["verdict"], document["stories"])
            assert "no base backup is seen where it keeps it" in document["verdict"]
            streaming.config.write_text(text.replace("use_agent", "expect_base_backups = false\nuse_agent"))
            code, document = await streaming.checked()
            assert (code, alarms(document)) == (1, {"folder-in-memory"}), document["stories"]
            assert "restorable" in document["verdict"] or "is streamed to" in document["verdict"]
            assert "WAL is streamed to pg_receivewal, by the slot wal" in document["verdict"]
            values, _ = await streaming.shown()
            assert values["primary.bucket"][0] == str(into)
        code, document = await streaming.checked()
        assert (code, document["stories"][0]["root"]["id"]) == (2, "archive-off"), document["stories"]
    finally:
        streaming.config.write_text(text)
        server.sql("DROP TABLE IF EXISTS written_on")


@pytest.mark.long
async def test_a_barman_that_streams_to_the_servers_own_host_is_judged_with_its_base_backup(
    streaming: Host, sshd: SshServer, elsewhere: Path
) -> None:
    server, home = streaming.server, elsewhere / "barman"
    home.mkdir(mode=0o750)
    server.give(home)
    barman = or_skip(lambda: Barman.make(server, sshd, streaming=True, home=home))
    barman.run("receive-wal", "--create-slot", "main")
    with barman.receiving():
        holds(home, [fill_segment(server) for _ in range(2)])  # it leaves the newest to its receiver
        barman.run("archive-wal", "main")
        barman.run("backup", "--wait", "main")
        holds(home, [fill_segment(server)])
        barman.run("archive-wal", "main")
        server.sql("CREATE TABLE written_on AS SELECT 1 AS n")
        holds(home, [])
        code, document = await streaming.checked()
        assert (code, alarms(document)) == (1, {"folder-in-memory"}), document["stories"]
        assert "restorable" in document["verdict"]
        assert "restorable to any moment since" in document["verdict"]
        server.sql("DROP TABLE written_on")
