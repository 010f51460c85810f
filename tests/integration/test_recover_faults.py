"""A recovery where things are odd: a disk that fills, pg_wal elsewhere, names, roles, processes that died."""

import asyncio
import os
import secrets
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shlex import quote

import pytest

from tests.integration.failure_stage import deployed, deployment, provisioned
from tests.integration.provision_stage import Stage
from tests.integration.recover_parts import Program, names, observed, orders, text_of, until_phase
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.fixtures import or_skip
from tests.servers.postgres import PostgresServer
from tests.servers.postgres_debian import DebianCluster
from tests.servers.programs import find_program
from tests.servers.reaper import Ward
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace, identity
from walconsole.domain.profile import BackupSettings, DrillSettings
from walconsole.domain.recovery.recover_state import RecoveryPhase
from walconsole.droplet.choices import BackupChoices
from walconsole.errors import BlockedError
from walconsole.provision.recovering.recovery import Recovery

pytestmark = [pytest.mark.server, pytest.mark.timeout(900), pytest.mark.long]

SMALL = DrillSettings(reserve_mib=64)
MIB = 1024 * 1024


# -- A disk that fills.


@pytest.fixture
async def stage(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    async with deployment(workspace, rgw, rgw_dr, f"f{secrets.token_hex(2)}") as made:
        await provisioned(made)
        observed(made)
        yield made


@contextmanager
def small_disk(stage: Stage, mib: int) -> Iterator[Path]:
    """A file system of its own, the server's owner's."""
    point = stage.cluster.workspace.folder("small", stage.cluster.os_user)
    options = f"size={mib}m,mode=0755,uid={stage.cluster.os_user}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "small", point], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", "-l", point], check=True)


@contextmanager
def filled(disk: Path, leave_mib: int) -> Iterator[None]:
    """Somebody else's file takes all of it but so much."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        free = os.statvfs(disk)
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - leave_mib * MIB)
    try:
        yield
    finally:
        ballast.unlink()


@pytest.mark.root("only root mounts a file system")
async def test_a_disk_that_fills_ends_it_and_with_room_the_same_command_goes_on(
    stage: Stage, tmp_path: Path
) -> None:
    cluster, recovery, program = stage.cluster, Recovery(stage.site), Program(stage, tmp_path)
    program.configure(replace(stage.profile, drills=SMALL))
    cluster.sql("CREATE TABLE orders AS SELECT generate_series(1, 70) AS n")
    for _ in range(3):
        wait_archived(cluster, [fill_segment(cluster) for _ in range(10)])
    with small_disk(stage, 500) as disk:
        wish = ("--to-latest", "--into", f"{disk}/restored", "--count", "orders")
        with filled(disk, 40):
            code, said = await program.run(*wish, "--plan")
        assert (code, "no room: " in said) == (BlockedError.exit_code, True), said

        child = await program.begin(*wish, "--apply", *program.confirm)
        await until_phase(recovery, RecoveryPhase.RESTORING)
        with filled(disk, 4):
            code, said = await ended(child)
            assert (code, "refused (no-room)" in said or "no room: " in said) == (10, True), said
            assert cluster.running
        child = await program.begin("--apply", *program.confirm)
        await until_phase(recovery, RecoveryPhase.REPLAYING)
        with filled(disk, 4):
            code, said = await ended(child)
            assert (code, "no room: " in said) == (10, True), said
        code, said = await program.run("--apply", *program.confirm, "--count", "orders")
        assert code == 0, said
        assert "    70" in said
        code, said = await program.run("--give-up", *program.confirm)
        assert code == 0, said


async def ended(child: asyncio.subprocess.Process) -> tuple[int | None, str]:
    said, _ = await child.communicate()
    return child.returncode, said.decode()


# -- pg_wal elsewhere, a crash, odd names.

PLACES = ('a"b c', "größe", "x" * 63, "n=1 host=nowhere")
"""Names of databases that programs of libpq's, a shell or a file name might take for something else."""


@pytest.fixture
async def linked(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    """A cluster whose pg_wal is a link to another folder (initdb --waldir)."""
    cluster = or_skip(lambda: DebianCluster.create(workspace, wal_segment_mib=1))
    wal = cluster.folder / "wal"
    cluster.run(["mv", str(cluster.data_dir / "pg_wal"), str(wal)])
    cluster.run(["ln", "-s", str(wal), str(cluster.data_dir / "pg_wal")])
    async with deployed(workspace, cluster, rgw, rgw_dr, f"l{secrets.token_hex(2)}") as made:
        await provisioned(made)
        observed(made)
        yield made


async def test_pg_wal_elsewhere_after_a_crash_with_odd_names(linked: Stage, tmp_path: Path) -> None:
    server, program, recovery = linked.cluster, Program(linked, tmp_path), Recovery(linked.site)
    program.configure(replace(linked.profile, drills=SMALL))
    server.sql("CREATE TABLE orders (n int)")
    server.sql("INSERT INTO orders SELECT generate_series(1, 20)")
    server.sql("CREATE UNLOGGED TABLE passing AS SELECT 1 AS n")
    for name in PLACES:
        server.sql(f'CREATE DATABASE "{name.replace(chr(34), chr(34) * 2)}" TEMPLATE template0')
        with server.connect(name) as connection:
            connection.execute('CREATE TABLE "Kö = 1" AS SELECT generate_series(1, 3) AS n')
    place = text_of(server, "SELECT pg_current_wal_insert_lsn()")
    server.sql("DELETE FROM orders")
    wait_archived(server, [fill_segment(server)])

    code, said = await program.run("--apply", *program.confirm, command="drill")
    assert code == 0, said
    await beside_with_odd_names(linked, program, place)
    await killed_and_started_by_the_operator(linked, program, recovery)
    await in_its_place_after_a_crash(linked, program, recovery)


async def beside_with_odd_names(stage: Stage, program: Program, place: str) -> None:
    """Each database is looked at and dumped, each into a file of its own."""
    wish = ("--to-lsn", place, "--into", "15/beside")
    code, said = await program.run(*wish, "--plan")
    assert code == 0, said
    assert f"the old cluster's pg_wal is a link to {stage.cluster.folder}/wal" in said
    code, said = await program.run(
        *wish, "--apply", *program.confirm, "--count", "orders", "--count", "passing"
    )
    assert code == 0, said
    assert "    20" in said
    assert "cannot access temporary or unlogged relations during recovery" in said
    table = '"Kö = 1"'
    for name in PLACES:
        code, said = await program.run("--look-only", "--in-database", name, "--count", table)
        assert (code, "    3" in said) == (0, True), said
        code, said = await program.run("--dump", table, "--in-database", name, *program.confirm)
        assert (code, "holds the rows of 1 tables" in said) == (0, True), said
    code, said = await program.run("--dump", "database", *program.confirm)
    assert (code, "holds the rows of 1 tables" in said) == (0, True), said
    dumps = [each for each in names(work_of(stage)) if each.endswith(".dump")]
    assert len(dumps) == len(PLACES) + 1, dumps


def work_of(stage: Stage) -> Path:
    (work,) = [each for each in stage.cluster.data_dir.parent.iterdir() if ".recovery-" in each.name]
    return work


async def killed_and_started_by_the_operator(stage: Stage, program: Program, recovery: Recovery) -> None:
    """The paused server dies; somebody starts it by its own configuration; then it is given up."""
    state = await recovery.state()
    os.kill(int((Path(state.data) / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    await asyncio.sleep(1)
    code, said = await program.run()
    assert "but its server does not run" in said, said
    stage.cluster.workspace.reaper.take(Ward("pidfile", f"{state.data}/postmaster.pid"))
    start = ["-D", state.data, "-w", "-l", f"{state.work}/by-hand.log", "-s"]
    own = ["-o", f"-c config_file={state.work}/postgresql.conf"]
    stage.cluster.run([str(stage.cluster.bin_dir / "pg_ctl"), *start, *own, "start"])
    code, said = await program.run("--look-only", "--count", "orders")
    assert (code, "    20" in said) == (0, True), said
    code, said = await program.run("--give-up", *program.confirm)
    assert code == 0, said
    assert not (await recovery.state()).lives
    stage.cluster.run(["rm", "-r", state.work])


@contextmanager
def named_by_its_pid_file(server: PostgresServer) -> Iterator[subprocess.Popen[bytes]]:
    """Another process of the same user's, whose number the dead server's pid file has."""
    pid_file = server.data_dir / "postmaster.pid"
    other = subprocess.Popen(["sleep", "600"], **identity(server.os_user))
    try:
        pid_file.write_text(f"{other.pid}\n{server.data_dir}\n{int(time.time())}\n{server.port}\n")
        server.give(pid_file)
        yield other
    finally:
        other.kill()
        other.wait()


async def in_its_place_after_a_crash(stage: Stage, program: Program, recovery: Recovery) -> None:
    """A number in the old server's pid file that is another process's by now: that one is left alone."""
    server = stage.cluster
    server.sql("INSERT INTO orders SELECT generate_series(1, 5)")
    server.sql("CHECKPOINT")
    server.kill()
    with named_by_its_pid_file(server) as other:
        code, said = await program.run(
            "--to-latest", "--in-place", "--count", "orders", "--apply", *program.confirm
        )
        assert code == 0, said
        assert "    5" in said
        code, said = await program.run("--promote", *program.confirm)
        assert code == 0, said
        assert other.poll() is None, "nobody ended what is not a server"
    state = await recovery.state()
    assert state.phase is RecoveryPhase.DONE
    assert (orders(server), text_of(server, "SELECT count(*) FROM passing")) == (5, "0")
    assert not (server.data_dir / "pg_wal").is_symlink()
    old = Path(f"{state.old}.before-{state.id}")
    assert (old / "pg_wal").readlink() == server.folder / "wal"
    assert names(server.folder / "wal") >= {"archive_status"}, "the old server's WAL stays where it was"
    assert quote(str(old)) in said


# -- Encrypted base backups.


@pytest.fixture
async def sealed(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    """A deployment that encrypts its base backups for a key whose secret lies in `secret` beside `public`."""
    async with deployment(workspace, rgw, rgw_dr, f"s{secrets.token_hex(2)}") as made:
        for name in ("right", "wrong"):
            key_pair(made, name)
        backups = BackupSettings(encrypt_for=str(made.root / "right.public"))
        made.profile = replace(made.profile, backups=backups)
        made.site.profile = made.profile
        made.site.backup = BackupChoices.for_profile(made.profile)
        await provisioned(made)
        observed(made)
        yield made


def key_pair(stage: Stage, name: str) -> None:
    """A new pair of age's: NAME.public and NAME.secret, which the server's user alone may read."""
    tool = or_skip(lambda: find_program("age-keygen", server="age", package="age"))
    keys = subprocess.run([tool], capture_output=True, text=True, check=True).stdout
    public, secret = stage.root / f"{name}.public", stage.root / f"{name}.secret"
    public.write_text(keys.partition("public key: ")[2].partition("\n")[0] + "\n")
    secret.write_text(keys)
    secret.chmod(0o600)
    stage.cluster.give(secret)


def spoilt(stage: Stage) -> Path:
    """The right file of keys, with two letters too many in it."""
    mangled = stage.root / "mangled.secret"
    text = (stage.root / "right.secret").read_text()
    mangled.write_text(text.replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1XX"))
    mangled.chmod(0o600)
    stage.cluster.give(mangled)
    return mangled


async def test_a_wrong_or_missing_key_is_told_before_anything_is_stopped(
    sealed: Stage, tmp_path: Path
) -> None:
    cluster, program, recovery = sealed.cluster, Program(sealed, tmp_path), Recovery(sealed.site)
    cluster.sql("CREATE TABLE orders AS SELECT generate_series(1, 30) AS n")
    wait_archived(cluster, [fill_segment(cluster)])
    wish = ("--to-latest", "--in-place", "--count", "orders")
    keys = {name: str(sealed.root / f"{name}.secret") for name in ("right", "wrong")}
    mangled = spoilt(sealed)
    profile = replace(sealed.profile, drills=replace(SMALL, identity=keys["wrong"]))
    for options, why in (
        ((), "no key in it is one for whom it was encrypted"),
        (("--identity", str(mangled)), "age cannot read it as a file of secret keys"),
        (("--identity", f"{sealed.root}/nowhere"), "user postgres cannot read it"),
    ):
        program.configure(profile)
        for phase in (("--plan",), ("--apply", *program.confirm)):
            code, said = await program.run(*wish, *options, *phase)
            assert (code, why in said) == (BlockedError.exit_code, True), said
            assert "AGE-SECRET-KEY" not in said
        assert cluster.running, "nothing was stopped"
        assert (await recovery.state()).phase is RecoveryPhase.NONE
    program.configure(replace(sealed.profile, drills=SMALL))
    code, said = await program.run(*wish, "--plan")
    assert (code, "its secret key is not on this host" in said) == (BlockedError.exit_code, True), said

    # The one that the profile names for drills.
    program.configure(replace(sealed.profile, drills=replace(SMALL, identity=keys["right"])))
    code, said = await program.run(*wish, "--apply", *program.confirm)
    assert code == 0, said
    assert "    30" in said
    code, said = await program.run("--promote", *program.confirm)
    assert code == 0, said
    assert orders(cluster) == 30
    assert (await recovery.state()).phase is RecoveryPhase.DONE
