"""The look at a host: a real shell through a real sshd, real clusters, hostile names."""

import asyncio
import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from tests.integration.observed import Connected, RecordingScreen, connected, profile_of
from tests.servers.fixtures import MakePostgres, MakeSshd
from tests.servers.postgres import PostgresServer
from tests.servers.postgres_debian import DebianCluster
from tests.servers.sshd import SshServer
from walconsole.domain.facts.host import ClusterFacts, HostFacts, ServerState, VerifierSchedule
from walconsole.domain.facts.observed import WalDiskFacts
from walconsole.domain.facts.snapshot import Problem, Snapshot
from walconsole.domain.profile import ClusterName, PostgresTarget
from walconsole.domain.wal import Segment
from walconsole.droplet.names import names_of
from walconsole.errors import ClusterChoiceError
from walconsole.observe.host.host import MANY_EVERY, HostProbe
from walconsole.observe.poller.probe import Fact
from walconsole.observe.server.statements import query

pytestmark = pytest.mark.server
T = TypeVar("T")
SEGMENT = Segment(1, 77).name()

needs_root = pytest.mark.root("only root can log in as another user")


def value(facts: Sequence[Fact], kind: type[T]) -> T:
    found = next((fact.value for fact in facts if isinstance(fact.value, kind)), None)
    assert found is not None, [fact.value for fact in facts]
    return found


@pytest.fixture
def quiet(make_postgres: MakePostgres) -> PostgresServer:
    """A running server that leaves archive_status alone: archive_mode is off."""
    return make_postgres()


def beat(to: Connected) -> None:
    Path(to.profile.paths.heartbeat).touch()


def install(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def as_owner(server: PostgresServer, command: str) -> None:
    server.run(["sh", "-c", command])


async def test_a_running_server(postgres: PostgresServer, sshd: SshServer) -> None:
    async with connected(profile_of(sshd, postgres)) as to:
        beat(to)
        facts = await to.host.take()
        host, disk = value(facts, HostFacts), value(facts, WalDiskFacts)
        assert host.hostname == os.uname().nodename
        assert host.kernel == os.uname().release
        assert host.uptime_s is not None
        assert host.uptime_s > 1
        assert host.load_1min is not None
        assert abs(host.clock_offset_s) < 2
        assert host.postmaster_pid == postgres.pid
        assert host.heartbeat_at is not None
        assert host.missing == ()
        assert host.cluster is not None
        assert host.cluster.running
        assert (host.cluster.port, host.cluster.socket_dir) == (postgres.port, str(postgres.socket_dir))
        assert host.cluster.data_directory == str(postgres.data_dir)
        assert disk.directory == str(postgres.data_dir / "pg_wal")
        assert disk.wal_files is not None
        assert disk.wal_files >= 1
        assert disk.wal_bytes == disk.wal_files * 16 * 1024 * 1024
        free = os.statvfs(postgres.data_dir)
        assert disk.total_bytes == pytest.approx(free.f_blocks * free.f_frsize, rel=0.01)
        assert disk.free_bytes == pytest.approx(free.f_bavail * free.f_frsize, rel=0.05)
        assert (disk.ready_count, disk.oldest_ready, disk.oldest_ready_at) == (0, None, None)
        quick = value(await to.host.take(), HostFacts)
        assert quick.cluster == host.cluster
        assert quick.heartbeat_at == host.heartbeat_at


SCHEDULES = [
    ((), "active", VerifierSchedule.NOT_INSTALLED),
    (("cron",), "active", VerifierSchedule.NOT_INSTALLED),
    (("verifier",), "active", VerifierSchedule.MISSING),
    (("verifier", "cron"), "inactive", VerifierSchedule.RUNS),
    (("verifier", "timer"), "active", VerifierSchedule.RUNS),
    (("verifier", "timer"), "inactive", VerifierSchedule.STOPPED),
    (("verifier", "timer"), "failed", VerifierSchedule.STOPPED),
    (("verifier", "timer"), "", VerifierSchedule.RUNS),
]
"""What is installed, what systemctl says of the timer, and what follows."""


async def test_what_runs_the_verifier(postgres: PostgresServer, make_sshd: MakeSshd, tmp_path: Path) -> None:
    """systemctl is a script that answers as systemd's own does: no systemd runs where the tests do."""
    sshd = make_sshd({"SetEnv": f"PATH={tmp_path}:{os.environ['PATH']}"})
    for number, (installed, said, schedule) in enumerate(SCHEDULES):
        root = tmp_path / str(number)
        profile = profile_of(sshd, postgres)
        profile = replace(profile, paths=replace(profile.paths, root=str(root)))
        names = names_of(profile)
        unit = names.timer.rpartition("/")[2]
        script = f'#!/bin/sh\n[ "$*" = "is-active {unit}" ] && echo {said}\n'
        install(tmp_path / "systemctl", script)
        for part in installed:
            install(Path(getattr(names, part)), "")
        async with connected(profile) as to:
            host = value(await to.host.take(), HostFacts)
            assert host.verifier is schedule, (installed, said)


async def test_the_backlog_as_the_archiver_takes_it(quiet: PostgresServer, sshd: SshServer) -> None:
    status = quiet.data_dir / "pg_wal" / "archive_status"
    names = (SEGMENT, Segment(1, 78).name(), "00000002.history", f"{SEGMENT}.00000028.backup")
    as_owner(quiet, " && ".join(f"touch {status}/{name}.ready" for name in names[:2]))
    as_owner(quiet, f"touch -d @1700000000 {status}/{SEGMENT}.ready && touch {status}/{SEGMENT}.done")
    as_owner(quiet, f"touch {status}/nonsense.ready '{status}/a b\nc.ready' '{status}/00000001.ready'")
    async with connected(profile_of(sshd, quiet)) as to:
        disk = value(await to.host.take(), WalDiskFacts)
        assert disk.ready_count == 2
        assert (disk.oldest_ready, disk.oldest_ready_at) == (SEGMENT, 1700000000.0)
        as_owner(quiet, f"touch {status}/{names[2]}.ready {status}/{names[3]}.ready")
        disk = value(await to.host.take(), WalDiskFacts)
        assert disk.ready_count == 4
        assert disk.oldest_ready == "00000002.history"


JUNK = (
    "0123456789ABCDEF.ready", "cab.history.part.ready", f"{SEGMENT}.bak.ready", f"{SEGMENT}.00.backup.ready",
    f"{SEGMENT[:-1]}.ready", f"{SEGMENT.lower()}.ready", f"{SEGMENT}.partial.gz.ready",
    "0000000G.history.ready", f"x\n{SEGMENT}.ready", "a\x1b[2J*'\"$(id).done", f"{SEGMENT}.tmp",
)  # fmt: skip


async def test_another_programs_files_in_archive_status_wait_for_nobody(
    quiet: PostgresServer, sshd: SshServer
) -> None:
    status = quiet.data_dir / "pg_wal" / "archive_status"
    real = (f"{SEGMENT}.ready", f"{SEGMENT}.done", f"{SEGMENT}.partial.ready", "0000000A.history.ready")
    for name in (*JUNK, *real):
        quiet.run(["touch", "--", str(status / name)])
    async with connected(profile_of(sshd, quiet)) as to:
        disk = value(await to.host.take(), WalDiskFacts)
    assert (disk.ready_count, disk.oldest_ready) == (3, "0000000A.history")
    assert (disk.strange_count, len(disk.strangers)) == (len(JUNK), 3)
    assert all(name.isascii() and name.isprintable() for name in disk.strangers)
    assert quiet.sql(query("wal_directory"))[0][0] == 3


async def test_hostile_names_do_not_break_out(quiet: PostgresServer, sshd: SshServer) -> None:
    """pg_wal on a path of quotes, line breaks, record marks and bytes that are no UTF-8."""
    quiet.stop()
    wal = quiet.data_dir / "pg_wal"
    strange = Path(os.fsdecode(os.fsencode(quiet.folder) + b"/x'\"$(id)`\n\x01wal.ready 99 %s\xff\xfe"))
    quiet.run(["mkdir", str(strange)])
    wal.rename(strange / "wal")
    wal.symlink_to(strange / "wal")
    quiet.run(["touch", str(strange / f"wal/\x01wal.files 7\n{SEGMENT}")])
    quiet.start()
    async with connected(profile_of(sshd, quiet)) as to:
        facts = await to.host.take()
        disk = value(facts, WalDiskFacts)
        assert disk.ready_count == 0
        assert disk.directory.endswith("/wal")
        assert "\ufffd" in disk.directory
        assert value(facts, HostFacts).cluster is not None


async def test_a_data_directory_of_strange_bytes_is_looked_at_again(
    make_postgres: MakePostgres, sshd: SshServer
) -> None:
    server = make_postgres(start=False)
    server.data_dir = server.data_dir.rename(server.folder / "dätä 'dir * x")
    server.start()
    try:
        async with connected(profile_of(sshd, server)) as to:
            first = value(await to.host.take(), HostFacts)
            again = await to.host.take()
            assert value(again, HostFacts).cluster == first.cluster
            assert value(again, HostFacts).postmaster_pid == server.pid
            assert value(again, WalDiskFacts).wal_files
    finally:
        server.stop("immediate")


async def test_down_is_no_failure(make_postgres: MakePostgres, sshd: SshServer) -> None:
    server = make_postgres()
    async with connected(profile_of(sshd, server)) as to:
        up = value(await to.host.take(), HostFacts)
        server.stop()
        facts = await to.host.take()
        down = value(facts, HostFacts)
        assert down.cluster is not None
        assert up.cluster is not None
        assert up.cluster.state is ServerState.READY
        assert up.cluster.started_at is not None
        assert abs(up.cluster.started_at - up.clock) < 60
        gone = replace(up.cluster, running=False, state=ServerState.UNKNOWN, started_at=None)
        assert down.cluster == gone
        assert down.postmaster_pid is None
        assert value(facts, WalDiskFacts).wal_files
        server.kill() if server.running else server.start()
        again = value(await to.host.take(), HostFacts)
        assert again.cluster is not None
        assert (again.cluster.started_at or 0.0) >= up.cluster.started_at, "it was started anew"
        assert replace(again.cluster, started_at=up.cluster.started_at) == up.cluster
        assert again.postmaster_pid == server.pid


async def test_a_pid_file_that_a_power_cut_left_is_no_server(
    make_postgres: MakePostgres, sshd: SshServer
) -> None:
    server = make_postgres()
    async with connected(profile_of(sshd, server)) as to:
        await to.host.take()
        pid_file = server.data_dir / "postmaster.pid"
        text = pid_file.read_text()
        server.stop()
        pid_file.write_text(text.replace(text.split("\n")[0], str(os.getpid()), 1))
        host = value(await to.host.take(), HostFacts)
        pid_file.unlink()
        assert host.cluster is not None
        assert not host.cluster.running


async def test_debian_clusters_are_listed_by_name(debian_cluster: DebianCluster, make_sshd: MakeSshd) -> None:
    sshd = make_sshd({"SetEnv": f"PG_CLUSTER_CONF_ROOT={debian_cluster.conf_root}"})
    async with connected(replace(profile_of(sshd), postgres=PostgresTarget())) as to:
        host = value(await to.host.take(), HostFacts)
        assert host.cluster is not None
        assert host.cluster.name == ClusterName(debian_cluster.debian_version, "main")
        assert host.cluster.running
        main = debian_cluster.conf_root / debian_cluster.debian_version / "main" / "postgresql.conf"
        assert host.cluster.config_file == str(main)
        assert to.host.observed is not None
        assert to.host.observed.log == str(debian_cluster.log_file)
        assert (await to.host.locate()).port == debian_cluster.port


async def test_no_such_cluster_says_what_there_is(postgres: PostgresServer, sshd: SshServer) -> None:
    profile = profile_of(sshd)
    async with connected(replace(profile, postgres=PostgresTarget(cluster=ClusterName("9.4", "gone")))) as to:
        facts = await to.host.take()
        host = value(facts, HostFacts)
        assert host.cluster is None
        assert host.clusters
        problem = value(facts, Problem)
        assert problem.code == "NoCluster"
        assert "9.4/gone" in problem.why
        assert str(postgres.port) in problem.why or len(host.clusters) > 8
        assert [fact.slot for fact in facts] == [Snapshot.host, Snapshot.backup_script, Snapshot.wal_disk]
        with pytest.raises(ClusterChoiceError, match=r"9\.4/gone"):
            await to.host.locate()


async def test_several_clusters_are_a_question_asked_once(
    make_postgres: MakePostgres, sshd: SshServer
) -> None:
    one, other = make_postgres(), make_postgres()
    target = PostgresTarget(os_user=one.os_user)
    async with connected(replace(profile_of(sshd), postgres=target)) as to:
        host = HostProbe(_OnlyThese(to, [one, other]), to.profile, to.clock)  # type: ignore[arg-type]
        with pytest.raises(ClusterChoiceError, match="choose"):
            await host.locate()
        screen = RecordingScreen(choice=lambda among: next(c for c in among if c.port == other.port))
        chosen = asyncio.Event()
        answering = asyncio.create_task(host.answer_choices(screen, chosen.set))
        await asyncio.wait_for(chosen.wait(), 5)
        looked_at = None
        for _ in range(3):
            looked_at = value(await host.take(), HostFacts).cluster
        assert looked_at == await host.locate()
        assert (await host.locate()).port == other.port
        assert screen.questions == 1
        answering.cancel()


async def test_who_declines_to_choose_is_asked_again_only_by_a_refresh(
    make_postgres: MakePostgres, sshd: SshServer
) -> None:
    one, other = make_postgres(start=False), make_postgres(start=False)
    target = PostgresTarget(os_user=one.os_user)
    async with connected(replace(profile_of(sshd), postgres=target)) as to:
        host = HostProbe(_OnlyThese(to, [one, other]), to.profile, to.clock)  # type: ignore[arg-type]
        screen = _Hesitant()
        answering = asyncio.create_task(host.answer_choices(screen, host.refresh))
        await host.take()
        await asyncio.wait_for(screen.asked.wait(), 5)
        await host.take()  # while the question stands
        screen.decided.set()
        assert await _questions_after_a_look(host, screen) == 1
        assert await _questions_after_a_look(host, screen) == 1
        host.refresh()
        assert await _questions_after_a_look(host, screen) == 2
        answering.cancel()


async def _questions_after_a_look(host: HostProbe, screen: RecordingScreen) -> int:
    """How often the operator was asked, once a question that is due has been put."""
    await host.take()
    await asyncio.sleep(0.1)
    return screen.questions


class _Hesitant(RecordingScreen):
    """Declines to choose, after a while."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.decided = asyncio.Event(), asyncio.Event()

    async def choose_cluster(self, clusters: Sequence[ClusterFacts]) -> ClusterFacts | None:
        self.asked.set()
        await self.decided.wait()
        return await super().choose_cluster(clusters)


class _OnlyThese:
    """The real shell on a host where no clusters but these run: others' servers run here too."""

    def __init__(self, to: Connected, servers: Sequence[PostgresServer]) -> None:
        self._to, self._servers = to, servers

    async def run(self, script: str, *, timeout_s: float = 5.0) -> object:
        look = "\n".join(f"say_cluster '{server.data_dir}'" for server in self._servers)
        script = script.replace("\nsay_debian\n", f"\n{look}\n").replace("\nsay_other_postmasters\n", "\n")
        return await self._to.shell.run(script, timeout_s=timeout_s)


class _AsNobody:
    """A real shell of a user who may do nothing (whose login shell no sshd would start)."""

    def __init__(self, to: Connected, server: PostgresServer) -> None:
        self._to, self._server = to, server

    async def run(self, script: str, *, timeout_s: float = 5.0) -> object:
        script = script.replace("/proc/[0-9]*;", f"/proc/{self._server.pid};")  # others' servers run here too
        quoted = f"exec setpriv --reuid=nobody --regid=nogroup --clear-groups sh -c {shlex.quote(script)}"
        return await self._to.shell.run(quoted, timeout_s=timeout_s)


@needs_root
async def test_without_privilege_it_says_what_it_could_not_read(
    postgres: PostgresServer, sshd: SshServer
) -> None:
    async with connected(profile_of(sshd, postgres)) as to:
        facts = await HostProbe(_AsNobody(to, postgres), to.profile, to.clock).take()  # type: ignore[arg-type]
    host = value(facts, HostFacts)
    assert host.cluster is not None
    assert host.cluster.running
    assert host.cluster.port == postgres.port
    assert host.postmaster_pid
    disk = next(fact.value for fact in facts if fact.slot is Snapshot.wal_disk)
    missing = disk.missing if isinstance(disk, WalDiskFacts) else (f"{disk}",)
    assert "sudo = true" in "".join(missing)


async def test_fifty_thousand_files_are_counted_rarely(quiet: PostgresServer, sshd: SshServer) -> None:
    status = quiet.data_dir / "pg_wal" / "archive_status"
    count = 20_000
    as_owner(quiet, f"cd {status} && seq -f '0000000100000001%08.0f.ready' 1 {count} | xargs touch")
    async with connected(profile_of(sshd, quiet)) as to:
        assert value(await to.host.take(), WalDiskFacts).ready_count == count
        looks = [await to.host.take() for _ in range(2 * MANY_EVERY + 2)]
        counted = [facts for facts in looks if any(fact.slot is Snapshot.wal_disk for fact in facts)]
        assert len(counted) == 2


async def test_with_more_clusters_than_one_look_goes_into_the_chosen_one_is_seen_at_once(
    make_postgres: MakePostgres, sshd: SshServer
) -> None:
    servers = [make_postgres() for _ in range(9)]
    for server in servers:
        async with connected(profile_of(sshd, server)) as to:
            disk = value(await to.host.take(), WalDiskFacts)
            assert disk.directory.startswith(str(server.data_dir))
