"""The fixtures that start the servers. Those of the session are shared: leave them as they are."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import pytest

from tests.servers.moto import MotoS3
from tests.servers.postgres import PostgresServer, system_bin_dir, wheel_bin_dir
from tests.servers.postgres_debian import DebianCluster
from tests.servers.postgres_packages import package_bin_dir
from tests.servers.programs import ServerMissing
from tests.servers.proxy import Proxy
from tests.servers.rclone import RcloneS3
from tests.servers.rgw import RadosGateway
from tests.servers.sshd import SshServer
from tests.servers.wheel import Installed, installed_wheel
from tests.servers.workspace import Workspace

T = TypeVar("T")


_SPACE: list[Workspace] = []


@pytest.fixture(scope="session")
def workspace() -> Iterator[Workspace]:
    """The run's private folder; all its servers end with it, even when the run is killed.

    What was made in it for a module of tests, or for one of its tests, goes when the module is done with.
    """
    space = Workspace()
    _SPACE.append(space)
    yield space
    _SPACE.remove(space)
    space.close()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
    """What a fixture of the session makes in the workspace lasts."""
    with ExitStack() as stack:
        if fixturedef.scope == "session":
            for space in _SPACE:
                stack.enter_context(space.lasting())
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
    """The module is done with, and its servers have stopped."""
    yield
    if nextitem is None or nextitem.path != item.path:
        for space in _SPACE:
            space.sweep()


def or_skip(make: Callable[[], T]) -> T:
    """What `make` returns; a skip that names what is missing where it raises ServerMissing."""
    try:
        return make()
    except ServerMissing as missing:
        pytest.skip(str(missing))


# --- the package


@pytest.fixture(scope="session")
def installed(workspace: Workspace) -> Installed:
    """walconsole installed from the built wheel, in a virtual environment of its own."""
    return installed_wheel(workspace)


# --- OpenSSH


class MakeSshd(Protocol):
    def __call__(self, overrides: Mapping[str, str] | None = None) -> SshServer: ...


@pytest.fixture(scope="session")
def sshd(workspace: Workspace) -> Iterator[SshServer]:
    """One running sshd for tests that leave it as it is. Those that stop or break it use make_sshd."""
    server = or_skip(lambda: SshServer(workspace))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def make_sshd(workspace: Workspace) -> Iterator[MakeSshd]:
    """Make and start an sshd for one test, with sshd_config overrides."""
    with ExitStack() as stack:

        def make(overrides: Mapping[str, str] | None = None) -> SshServer:
            server = or_skip(lambda: SshServer(workspace, overrides))
            server.start()
            stack.callback(server.stop)
            return server

        yield make


# --- PostgreSQL


PostgresRelease = Literal["system", "wheel"] | int
"""The system's version, the wheel's 18, or a major version from a package (postgres_packages.MAJORS)."""


class MakePostgres(Protocol):
    def __call__(
        self, *, release: PostgresRelease = "system", wal_segment_mib: int = 16, start: bool = True
    ) -> PostgresServer: ...


class PostgresOf(Protocol):
    def __call__(self, major: int) -> PostgresServer: ...


class MakeCluster(Protocol):
    def __call__(
        self, *, name: str = "main", wal_segment_mib: int = 16, start: bool = True
    ) -> DebianCluster: ...


def bin_dir_of(workspace: Workspace, release: PostgresRelease) -> Path:
    """Where that release's programs are. Raises ServerMissing."""
    if release == "system":
        return system_bin_dir()
    return wheel_bin_dir(workspace) if release == "wheel" else package_bin_dir(workspace, release)


def _server(workspace: Workspace, release: PostgresRelease) -> PostgresServer:
    return PostgresServer.make(workspace, bin_dir_of(workspace, release))


@pytest.fixture(scope="session")
def postgres(workspace: Workspace) -> Iterator[PostgresServer]:
    """A running server of the system's version, for tests that leave it as it is."""
    server = or_skip(lambda: _server(workspace, "system"))
    server.start()
    yield server
    server.stop("immediate")


@pytest.fixture(scope="session")
def postgres18(workspace: Workspace) -> Iterator[PostgresServer]:
    """A running PostgreSQL 18 from the wheel, for tests that leave it as it is."""
    server = or_skip(lambda: _server(workspace, "wheel"))
    server.start()
    yield server
    server.stop("immediate")


@pytest.fixture(scope="session")
def postgres_of(workspace: Workspace) -> Iterator[PostgresOf]:
    """A running server of a major version from npm, one each, for tests that leave it as it is."""
    running: dict[int, PostgresServer] = {}

    def of(major: int) -> PostgresServer:
        if major not in running:
            with workspace.lasting():
                server = or_skip(lambda: _server(workspace, major))
            server.start()
            running[major] = server
        return running[major]

    yield of
    for server in running.values():
        server.stop("immediate")


@pytest.fixture(scope="session")
def debian_cluster(workspace: Workspace) -> Iterator[DebianCluster]:
    """A running Debian cluster (`15/main`), for tests that leave it as it is."""
    cluster = or_skip(lambda: DebianCluster.create(workspace))
    cluster.start()
    yield cluster
    cluster.stop("immediate")


@pytest.fixture
def make_postgres(workspace: Workspace) -> Iterator[MakePostgres]:
    """Make a server for one test to configure, stop and break: the system's version, or another."""
    with ExitStack() as stack:

        def make(
            *, release: PostgresRelease = "system", wal_segment_mib: int = 16, start: bool = True
        ) -> PostgresServer:
            bin_dir = or_skip(lambda: bin_dir_of(workspace, release))
            server = PostgresServer.make(workspace, bin_dir, wal_segment_mib=wal_segment_mib)
            stack.callback(server.stop, "immediate")
            if start:
                server.start()
            return server

        yield make


@pytest.fixture
def make_cluster(workspace: Workspace) -> Iterator[MakeCluster]:
    """Make a Debian cluster for one test to configure, stop and break; each has its own system identifier."""
    made: list[DebianCluster] = []
    with ExitStack() as stack:

        def make(*, name: str = "main", wal_segment_mib: int = 16, start: bool = True) -> DebianCluster:
            cluster = or_skip(
                lambda: DebianCluster.create(
                    workspace, name=name, wal_segment_mib=wal_segment_mib, anew=bool(made)
                )
            )
            made.append(cluster)
            stack.callback(cluster.stop, "immediate")
            if start:
                cluster.start()
            return cluster

        yield make


# --- S3


@pytest.fixture(scope="session")
def rgw(workspace: Workspace) -> Iterator[RadosGateway]:
    """The primary region on Ceph. Make a bucket of your own in it: `rgw.bucket()`."""
    yield from _gateway(workspace, "nyc3")


@pytest.fixture(scope="session")
def rgw_dr(workspace: Workspace) -> Iterator[RadosGateway]:
    """The DR region: another Ceph, which knows nothing of the first."""
    yield from _gateway(workspace, "sfo3")


def _gateway(workspace: Workspace, region: str) -> Iterator[RadosGateway]:
    gateway = or_skip(lambda: RadosGateway(workspace, region))
    gateway.start()
    yield gateway
    gateway.stop()


@pytest.fixture(scope="module")
def rclone_s3(workspace: Workspace) -> Iterator[RcloneS3]:
    """`rclone serve s3`, as the embedded droplet uses it. For one module: without a cache it never rests."""
    server = or_skip(lambda: RcloneS3(workspace))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def moto_s3(workspace: Workspace) -> Iterator[MotoS3]:
    """moto as a server, for one module."""
    server = or_skip(lambda: MotoS3(workspace))
    server.start()
    yield server
    server.stop()


# --- networks


class MakeProxy(Protocol):
    def __call__(self, target_port: int) -> Proxy: ...


@pytest.fixture
def make_proxy() -> Iterator[MakeProxy]:
    """Put a proxy that can cut, stall, delay and refuse in front of a loopback port, for one test."""
    with ExitStack() as stack:

        def make(target_port: int) -> Proxy:
            proxy = Proxy(target_port)
            stack.callback(proxy.close)
            return proxy

        yield make
