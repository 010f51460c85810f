"""The servers that the other tests lean on do what their names say."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import asyncssh
import psycopg
import pytest

from tests.servers.fixtures import MakeCluster, MakePostgres, MakeProxy, MakeSshd
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.postgres_debian import DebianCluster
from tests.servers.reaper import alive
from tests.servers.sshd import SshServer

pytestmark = pytest.mark.server


async def say(server: SshServer, command: str, port: int | None = None) -> str:
    async with asyncssh.connect(
        server.host,
        port or server.port,
        username=server.user,
        client_keys=[str(server.identity_file)],
        known_hosts=None if port else str(server.known_hosts_file),
        config=None,
    ) as connection:
        return str((await connection.run(command, check=True)).stdout)


async def test_sshd_lets_its_user_in(sshd: SshServer) -> None:
    assert (await say(sshd, "id -un")).strip() == sshd.user
    assert sshd.fingerprint().startswith("SHA256:")


async def test_sshd_stops_and_comes_back_on_its_port(make_sshd: MakeSshd) -> None:
    server = make_sshd({"MaxSessions": "3"})
    server.stop()
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await say(server, "true")
    server.start()
    assert await say(server, "echo back") == "back\n"


async def test_a_changed_host_key_is_not_the_known_one(make_sshd: MakeSshd) -> None:
    server = make_sshd()
    before = server.fingerprint()
    server.change_host_key()
    assert server.fingerprint() != before
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        await say(server, "true")
    server.trust_host_key()
    assert await say(server, "echo known") == "known\n"


def test_debian_cluster_is_listed_and_reads_its_drop_ins(debian_cluster: DebianCluster) -> None:
    assert f"{debian_cluster.debian_version} {debian_cluster.name}".encode() in b" ".join(
        debian_cluster.debian("pg_lsclusters", "-h").encode().split()
    )
    assert debian_cluster.sql("SHOW config_file") == [(str(debian_cluster.config_dir / "postgresql.conf"),)]
    assert debian_cluster.sql("SHOW synchronous_commit") == [("off",)]


def test_cluster_restarts_with_a_new_setting(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(name="second", wal_segment_mib=1)
    cluster.configure(archive_mode="on", archive_command="false")
    cluster.restart()
    assert cluster.sql("SELECT current_setting('archive_mode'), current_setting('wal_segment_size')") == [
        ("on", "1MB")
    ]


def test_peer_authentication_lets_the_owner_in_as_postgres(postgres: PostgresServer) -> None:
    command = [str(postgres.bin_dir / "psql"), "-h", str(postgres.socket_dir), "-p", str(postgres.port)]
    who = (
        postgres.run([*command, "-U", "postgres", "-Atc", "SELECT system_user"])
        if postgres.version > 15
        else ""
    )
    assert (
        postgres.run([*command, "-U", "postgres", "-d", "postgres", "-Atc", "SELECT current_user"])
        == "postgres\n"
    )
    assert who in {"", f"peer:{postgres.os_user}\n"}


def test_wheel_server_and_its_standby(make_postgres: MakePostgres) -> None:
    primary = make_postgres(release="wheel")
    assert primary.version >= 18
    standby = primary.standby()
    standby.start()
    try:
        primary.sql("CREATE TABLE seen AS SELECT 1 AS one")
        assert standby.sql("SELECT pg_is_in_recovery()") == [(True,)]
        wait_until(lambda: standby.sql("SELECT to_regclass('seen') IS NOT NULL") == [(True,)], "replayed")
    finally:
        standby.stop("immediate")


def test_killed_server_starts_again(make_postgres: MakePostgres) -> None:
    server = make_postgres()
    server.kill()
    assert not server.running
    with pytest.raises(psycopg.OperationalError):
        server.connect()
    server.start()
    assert server.sql("SELECT 1") == [(1,)]


def test_proxy_delays_each_direction(postgres: PostgresServer, make_proxy: MakeProxy) -> None:
    proxy = make_proxy(postgres.port)
    with postgres.connect(port=proxy.port) as connection:
        proxy.delay(0.05)
        proxy.reset_traffic()
        began = time.monotonic()
        for _ in range(3):
            connection.execute("SELECT 1")
        assert 0.3 <= time.monotonic() - began < 0.6
        assert proxy.traffic.round_trips == 3


def test_a_new_connection_pays_its_handshake(postgres: PostgresServer, make_proxy: MakeProxy) -> None:
    proxy = make_proxy(postgres.port)
    proxy.delay(0.02)
    began = time.monotonic()
    postgres.connect(port=proxy.port, sslmode="disable").close()
    assert time.monotonic() - began >= 0.04 * (1 + proxy.traffic.round_trips)


def test_delay_leaves_the_bandwidth(postgres: PostgresServer, make_proxy: MakeProxy) -> None:
    proxy = make_proxy(postgres.port)
    with postgres.connect(port=proxy.port) as connection:
        proxy.delay(0.05)
        began = time.monotonic()
        row = connection.execute("SELECT repeat('x', 20000000)").fetchone()
        assert row is not None
        assert len(row[0]) == 20_000_000
        assert time.monotonic() - began < 2.0


def test_proxy_cuts(postgres: PostgresServer, make_proxy: MakeProxy) -> None:
    proxy = make_proxy(postgres.port)
    connection = postgres.connect(port=proxy.port)
    proxy.cut()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()
    with postgres.connect(port=proxy.port) as again:
        assert again.execute("SELECT 1").fetchone() == (1,)


def test_proxy_stalls_and_resumes(postgres: PostgresServer, make_proxy: MakeProxy) -> None:
    proxy = make_proxy(postgres.port)
    proxy.stall()
    with socket.create_connection((proxy.host, proxy.port), timeout=0.2) as waiting:
        waiting.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")  # SSLRequest: answered by one byte
        with pytest.raises(TimeoutError):
            waiting.recv(1)
        proxy.resume()
        waiting.settimeout(5)
        assert waiting.recv(1) in {b"S", b"N"}


def test_proxy_refuses_and_accepts_again(postgres: PostgresServer, make_proxy: MakeProxy) -> None:
    proxy = make_proxy(postgres.port)
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((proxy.host, proxy.port), timeout=1)
    proxy.accept()
    postgres.connect(port=proxy.port).close()


CRASHING_RUN = """
import os, sys
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.reaper import alive
from tests.servers.sshd import SshServer
from tests.servers.workspace import Workspace
space = Workspace()
server = PostgresServer.make(space, system_bin_dir())
server.start()
ssh = SshServer(space)
ssh.start()
print(space.root, server.pid, ssh.pid, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_killed_run_leaves_nothing(postgres: PostgresServer, sshd: SshServer) -> None:
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", CRASHING_RUN],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        check=False,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    folder, *pids = run.stdout.split()
    assert run.returncode == -9
    assert len(pids) == 2
    wait_until(lambda: not Path(folder).exists(), "the folder is gone")
    assert [pid for pid in pids if alive(int(pid))] == []
