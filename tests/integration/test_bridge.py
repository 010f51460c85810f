"""The bridge: each way to become the database's user, each relay, and the socket on this side."""

import asyncio
import os
import pwd
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.integration.connect_parts import open_database, postgres_target, target
from tests.servers.fixtures import MakeSshd
from tests.servers.postgres import PostgresServer
from walconsole.adapters.postgres.bridge import LAUNCH, LOCAL_PORT, NO_RELAY, Bridge, bridge_script
from walconsole.errors import DatabaseError

pytestmark = pytest.mark.server

BASICS = ("sh", "id", "true", "echo", "cat", "ls")
RELAYS = ("socat", "nc", "python3", "perl")
as_root = pytest.mark.root("only root can become another user")


def tools(folder: Path, *names: str) -> str:
    """A PATH on which there is only this."""
    folder.mkdir()
    folder.chmod(0o755)
    for name in (*BASICS, *names):
        found = "/usr/bin/python3" if name == "python3" else shutil.which(name)
        if found is None or not Path(found).exists():
            pytest.skip(f"{name} is not installed")
        (folder / name).symlink_to(found)
    return str(folder)


def echo_server(path: Path, *, abstract: bool = False) -> socket.socket:
    """A Unix socket that anybody may connect to; `abstract`: of that name, without a file."""
    if abstract:
        server = socket.socket(socket.AF_UNIX)
        server.bind(f"\0{path}")
        server.listen()
        return server
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    path.chmod(0o777)
    server.listen()
    return server


@pytest.fixture
def open_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that every user may enter."""
    folder = tmp_path_factory.mktemp("bridge")
    top = Path(tempfile.gettempdir())
    for parent in (folder, *folder.parents):
        if parent == top:
            break
        parent.chmod(0o755)
    return folder


def own_name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


@contextmanager
def remote_end(path: str) -> Iterator[tuple[IO[bytes], IO[bytes], "subprocess.Popen[bytes]"]]:
    """The remote end as sshd starts it: its standard input and output, and the process."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", LAUNCH],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": path},
    )
    with process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            yield process.stdin, process.stdout, process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("relay", "abstract"),
    [*((relay, False) for relay in RELAYS), *((relay, True) for relay in RELAYS if relay != "nc")],
)
def test_each_relay_carries_bytes_both_ways_and_ends(open_folder: Path, relay: str, abstract: bool) -> None:
    path = open_folder / "s"
    named = f"@{path}" if abstract else str(path)
    answer = os.urandom(300_000)
    with (
        echo_server(path, abstract=abstract) as server,
        remote_end(tools(open_folder / "bin", relay)) as (up, down, process),
    ):
        # the script, the path and the first bytes in one write: nothing may be lost on the way
        up.write(bridge_script(own_name(), "a-name").encode() + b"\n" + named.encode() + b"\nfirst\x00\xff\n")
        up.flush()
        server.settimeout(10)
        peer, _ = server.accept()
        with peer:
            peer.settimeout(10)
            assert peer.recv(100) == b"first\x00\xff\n"
            sender = threading.Thread(target=peer.sendall, args=(answer,))
            sender.start()
            assert down.readline() == b"a-name\n"
            assert down.read(len(answer)) == answer
            sender.join()
            up.close()
            assert peer.recv(100) == b""  # so that PostgreSQL ends its backend
        assert process.wait(10) is not None


def test_a_host_without_any_relay_says_so(open_folder: Path) -> None:
    path = open_folder / "s"
    with echo_server(path):
        done = subprocess.run(
            ["/bin/sh", "-c", LAUNCH],
            input=f"{bridge_script(own_name(), 'a-name')}\n{path}\n".encode(),
            env={"PATH": tools(open_folder / "bin")},
            capture_output=True,
            check=False,
        )
    assert (done.returncode, done.stdout) == (NO_RELAY, b"a-name\n")


@as_root
@pytest.mark.parametrize("way", ["setpriv", "runuser", "su"])
async def test_each_way_to_become_the_user(
    make_sshd: MakeSshd, postgres: PostgresServer, open_folder: Path, way: str
) -> None:
    path = tools(open_folder / "bin", "socat", way)
    server = make_sshd({"SetEnv": f"PATH={path}"})
    async with open_database(target(server), postgres_target(postgres)) as database:
        assert (await database.fetch("SELECT 1 AS one")).rows == [{"one": 1}]


async def test_what_the_login_shell_prints_is_none_of_the_server_s_words(
    make_sshd: MakeSshd, postgres: PostgresServer, tmp_path: Path
) -> None:
    greeting = tmp_path / "greeting.sh"
    greeting.write_text("echo N; printf 'S\\001\\000E'; echo warning >&2; export PATH=/nowhere\n")
    greeting.chmod(0o644)
    sshd = make_sshd({"SetEnv": f"BASH_ENV={greeting}"})
    async with open_database(target(sshd), postgres_target(postgres)) as database:
        assert (await database.fetch("SELECT 1 AS one")).rows == [{"one": 1}]


@as_root
async def test_the_database_s_own_user_needs_nobody(make_sshd: MakeSshd, postgres: PostgresServer) -> None:
    server = make_sshd({"UsePAM": "yes"})
    where = target(server, user=postgres.os_user)
    async with open_database(where, postgres_target(postgres)) as database:
        assert (await database.fetch("SELECT 1 AS one")).rows == [{"one": 1}]


@as_root
async def test_sudo_that_wants_a_password(make_sshd: MakeSshd, postgres: PostgresServer) -> None:
    server = make_sshd({"UsePAM": "yes"})
    where = postgres_target(postgres)
    async with open_database(
        target(server, user="postgres"), type(where)(os_user="root", socket_dir="/x", port=1)
    ) as database:
        with pytest.raises(DatabaseError, match="sudo"):
            await database.fetch("SELECT 1")


@asynccontextmanager
async def connected(folder: str) -> AsyncIterator[socket.socket]:
    """A connection to the bridge's socket, as libpq makes it."""
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, f"{folder}/.s.PGSQL.{LOCAL_PORT}")
        yield client


async def gone(folder: str) -> None:
    """Wait until there is no such folder any more."""
    for _ in range(100):
        if not await asyncio.to_thread(os.path.lexists, folder):
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"{folder} stays")


async def test_the_socket_is_private_and_gone_after_one_connection() -> None:
    bridge = Bridge()
    folder = await bridge.listen()
    status = await asyncio.to_thread(os.stat, folder)
    assert stat.S_IMODE(status.st_mode) == 0o700
    async with connected(folder):
        await gone(folder)
        with pytest.raises(FileNotFoundError):
            async with connected(folder):
                pass
        bridge.close()


async def test_another_user_is_not_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    bridge = Bridge()
    folder = await bridge.listen()
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    async with connected(folder) as client:
        assert await asyncio.get_running_loop().sock_recv(client, 1) == b""
    bridge.close()
    await gone(folder)


async def test_a_long_temporary_folder_is_avoided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    bridge = Bridge()
    folder = await bridge.listen()
    async with connected(folder):
        await gone(folder)
    bridge.close()
    assert list(long.iterdir()) == []
