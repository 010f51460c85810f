"""The archive command as the server's own user meets it: real files, a real archiver with a real child."""

import os
import shlex
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.observed import Connected, connected, profile_of
from tests.servers.fixtures import or_skip
from tests.servers.ports import LOOPBACK, wait_until
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.sshd import SshServer
from tests.servers.workspace import Workspace
from tests.servers.writer import write_private
from walconsole.domain.facts.evidence import CommandFacts, ConfigAccess, ProgramFacts
from walconsole.observe.command.command import CommandProbe

pytestmark = [pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]

CONFIG = (
    "[spaces-prod]\ntype = s3\nendpoint = https://x.example.net\nregion=nyc3\n"
    "secret_access_key = not-to-be-seen\n\n[other remote]\ntype = s3\n"
)
GONE = "0000000100000000000000AB"


@pytest.fixture(scope="module")
def server(workspace: Workspace) -> Iterator[PostgresServer]:
    """Archives by a command that connects somewhere and hangs there."""
    made = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    made.configure(archive_mode="on", archive_command="", min_wal_size="2MB")
    made.start()
    yield made
    made.stop("immediate")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def droplet(server: PostgresServer, sshd: SshServer) -> AsyncIterator[Connected]:
    async with connected(profile_of(sshd, server)) as to:
        await to.host.locate()
        yield to


async def looked(to: Connected, command: str, *, waiting: int = 0) -> CommandFacts:
    os_user = to.profile.postgres.os_user
    probe = CommandProbe(to.shell, to.host, to.clock, os_user, lambda: command, lambda: waiting)
    (fact,) = await probe.take()
    assert isinstance(fact.value, CommandFacts)
    assert fact.value.command == command
    return fact.value


async def program(to: Connected, command: str) -> ProgramFacts:
    (found,) = (await looked(to, command)).programs
    return found


async def config(to: Connected, command: str) -> ConfigAccess:
    (found,) = (await looked(to, command)).configs
    return found


def script(server: PostgresServer, name: str, text: str, mode: int = 0o755) -> Path:
    return write_private(server, name, text, mode)


@contextmanager
def closed(folder: Path) -> Iterator[None]:
    """A folder that the server's user may not enter, whoever that is."""
    before = folder.stat()
    folder.chmod(0)
    if os.geteuid() == 0:
        os.chown(folder, 0, 0)
    try:
        yield
    finally:
        os.chown(folder, before.st_uid, before.st_gid)
        folder.chmod(before.st_mode & 0o7777)


async def test_nothing_is_looked_at_before_the_command_is_known(droplet: Connected) -> None:
    probe = CommandProbe(droplet.shell, droplet.host, droplet.clock, "postgres", lambda: None, lambda: 0)
    assert await probe.take() == ()


async def test_a_program_that_works(droplet: Connected, server: PostgresServer) -> None:
    path = script(server, "works.sh", "#!/bin/sh\nexit 0\n")
    facts = await looked(droplet, f"{path} %p %f")
    (found,) = facts.programs
    assert (found.name, found.path, found.executable, found.why_not) == (str(path), str(path), True, "")
    assert found.mode == 0o755
    assert found.owner == server.os_user
    assert found.modified_at == pytest.approx(time.time(), abs=120)
    assert facts.script == "#!/bin/sh\nexit 0"
    assert facts.missing == ()


async def test_a_program_by_its_name_alone(droplet: Connected) -> None:
    found = await program(droplet, "cp %p /archive/%f")
    assert found.executable
    assert found.path is not None
    assert found.path.endswith("/cp")


@pytest.mark.parametrize("command", ["no-such-program-anywhere %p", "/no/such/folder/archive %p"])
async def test_a_program_that_is_not_there(droplet: Connected, command: str) -> None:
    found = await program(droplet, command)
    assert (found.path, found.executable) == (None, None)


async def test_a_command_that_is_not_set(droplet: Connected) -> None:
    os_user = droplet.profile.postgres.os_user
    probe = CommandProbe(droplet.shell, droplet.host, droplet.clock, os_user, lambda: "(disabled)", lambda: 0)
    (fact,) = await probe.take()
    assert isinstance(fact.value, CommandFacts)
    assert (fact.value.command, fact.value.programs) == ("", ())


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        ("#!/bin/sh\nexit 0\n", 0o644, "no execute permission"),
        ("#!/no/such/interpreter\nexit 0\n", 0o755, "/no/such/interpreter is not there"),
        ("#!/bin/sh\r\nexit 0\r\n", 0o755, "carriage return"),
    ],
)
async def test_why_a_program_cannot_be_run(
    droplet: Connected, server: PostgresServer, text: str, mode: int, why: str
) -> None:
    path = script(server, f"broken-{mode:o}-{len(text)}.sh", text, mode)
    found = await program(droplet, f"{path} %p")
    assert found.path == str(path)
    assert found.executable is False
    assert why in found.why_not


async def test_a_folder_that_may_not_be_entered(droplet: Connected, server: PostgresServer) -> None:
    folder = server.folder / "closed"
    server.run(["mkdir", str(folder)])
    path = folder / "archive.sh"
    server.run(["sh", "-c", f"printf '#!/bin/sh\\n' >{path} && chmod 755 {path}"])
    with closed(folder):
        found = await program(droplet, f"{path} %p")
    assert found.executable is False
    assert found.why_not == f"the folder {folder} may not be entered"


async def test_a_name_with_everything_in_it_runs_nothing(droplet: Connected, server: PostgresServer) -> None:
    mark = server.folder / "it-ran"
    hostile = f"$(touch {mark})`touch {mark}`;'x"
    found = await program(droplet, f"{shlex.quote(f'/opt/{hostile}')} %p")
    assert found.path is None
    assert not mark.exists()


async def test_a_configuration_that_can_be_read(droplet: Connected, server: PostgresServer) -> None:
    path = write_private(server, "rclone-ok.conf", CONFIG)
    facts = await looked(droplet, f"rclone --config {path} copyto %p spaces-prod:shithub-wal/%f")
    (found,) = facts.configs
    assert (found.exists, found.readable, found.why_not) == (True, True, "")
    assert found.sections == ("spaces-prod", "other remote")
    assert found.remotes == ("spaces-prod",)
    assert found.places == (
        ("spaces-prod", "endpoint", "https://x.example.net"),
        ("spaces-prod", "region", "nyc3"),
    )
    assert found.modified_at == pytest.approx(time.time(), abs=120)
    assert "not-to-be-seen" not in repr(facts)


async def test_a_configuration_that_only_root_may_read(droplet: Connected, server: PostgresServer) -> None:
    path = write_private(server, "rclone-roots.conf", CONFIG)
    if os.geteuid() == 0:
        os.chown(path, 0, 0)
    else:
        path.chmod(0)
    found = await config(droplet, f"rclone --config={path} copyto %p spaces-prod:shithub-wal/%f")
    assert (found.exists, found.readable) == (True, False)
    assert "mode" in found.why_not
    assert "owner" in found.why_not
    assert found.sections == ()


async def test_a_configuration_that_is_not_there(droplet: Connected) -> None:
    found = await config(droplet, "RCLONE_CONFIG=/nowhere/rclone.conf rclone copyto %p r1:bucket/%f")
    assert (found.path, found.exists, found.readable) == ("/nowhere/rclone.conf", False, False)


async def test_a_configuration_that_only_the_script_names(droplet: Connected, server: PostgresServer) -> None:
    rclone = write_private(server, "rclone-in-script.conf", CONFIG)
    text = f'#!/bin/sh\nconfig={rclone}\nrclone --config "$config" copyto "$1" \'spaces-dr:wal-dr/x/\'\n'
    path = script(server, "uses-rclone.sh", text)
    found = await config(droplet, f"{path} %p %f")
    assert found.path == str(rclone)
    assert found.readable
    assert found.remotes == ("spaces-dr",)


async def test_where_rclone_looks_by_itself(droplet: Connected) -> None:
    found = await config(droplet, "rclone copyto %p spaces-prod:shithub-wal/%f")
    assert found.path.endswith("/.config/rclone/rclone.conf")
    assert found.path.startswith("/")


async def test_the_files_are_looked_at_anew_when_told(droplet: Connected, server: PostgresServer) -> None:
    path = script(server, "mended.sh", "#!/bin/sh\n", 0o644)
    os_user = droplet.profile.postgres.os_user
    probe = CommandProbe(droplet.shell, droplet.host, droplet.clock, os_user, lambda: f"{path} %p", lambda: 0)

    async def executable() -> bool | None:
        (fact,) = await probe.take()
        assert isinstance(fact.value, CommandFacts)
        return fact.value.programs[0].executable

    assert await executable() is False
    server.run(["chmod", "755", str(path)])
    assert await executable() is False  # remembered for a while: files change rarely
    probe.refresh()
    assert await executable() is True


async def test_a_child_of_the_archiver_and_what_it_waits_for(
    droplet: Connected, server: PostgresServer
) -> None:
    with socket.create_server((LOOPBACK, 0)) as listening:
        port = listening.getsockname()[1]
        command = f'bash -c "exec 3<>/dev/tcp/{LOOPBACK}/{port}; sleep 61; : --password=hunter2"'
        server.configure(archive_mode="on", archive_command=command, min_wal_size="2MB")
        server.reload()
        server.sql("SELECT pg_switch_wal()")
        connection, _ = listening.accept()
        with connection:
            wait_until(lambda: _sleeps(server), "the command sleeps")
            facts = await looked(droplet, command, waiting=1)
    deepest = facts.children[-1]
    try:
        assert deepest.command == "sleep 61"
        assert deepest.state == "sleeping"
        assert deepest.started_at == pytest.approx(time.time(), abs=5)
        assert f"{LOOPBACK}:{port}" in deepest.sockets
        assert all("archiver" not in child.command for child in facts.children)
        assert "hunter2" not in repr(facts.children)
    finally:
        server.run(["kill", *(str(child.pid) for child in facts.children)])
        server.configure(archive_mode="on", archive_command="", min_wal_size="2MB")
        server.reload()


def _sleeps(server: PostgresServer) -> bool:
    return "sleep 61" in server.run(["sh", "-c", "ps -eo args | grep '^sleep 61' || :"])


async def test_orphans_and_histories(droplet: Connected, server: PostgresServer) -> None:
    wal = server.data_dir / "pg_wal"
    status = wal / "archive_status"
    made = [status / f"{GONE}.ready", wal / "00000009.history", wal / "junk.history"]
    made += [status / f"{GONE}.of-another-program.ready", status / f"x\n{GONE}.ready", status / "core.ready"]
    server.run(["touch", *map(str, made)])
    try:
        facts = await looked(droplet, "", waiting=1)
        idle = await looked(droplet, "", waiting=0)
    finally:
        server.run(["rm", "-f", *map(str, made)])
    assert (facts.orphans, facts.orphan_count) == ((GONE,), 1)
    assert idle.orphans == ()  # nothing waits: nothing is looked for


async def test_many_orphans_are_counted_and_few_are_told(droplet: Connected, server: PostgresServer) -> None:
    status = server.data_dir / "pg_wal" / "archive_status"
    server.run(["sh", "-c", f"for n in $(seq 100 160); do : >{status}/000000070000000000000$n.ready; done"])
    try:
        facts = await looked(droplet, "", waiting=61)
    finally:
        server.run(["sh", "-c", f"rm -f {status}/00000007*.ready"])
    assert (len(facts.orphans), facts.orphan_count) == (20, 61)


async def test_a_program_is_looked_for_where_the_commands_own_path_has_it(
    droplet: Connected, server: PostgresServer
) -> None:
    folder = script(server, "ship-wal", "#!/bin/sh\nexit 0\n").parent
    for mode, runs in ((0o755, True), (0o644, False)):
        beside = script(server, "ship-wal", "#!/bin/sh\nexit 0\n", mode)
        for command in (f"PATH={folder}:$PATH ship-wal %p", f"export PATH=$PATH:{folder}; ship-wal %p"):
            found = await program(droplet, command)
            assert (found.name, found.path, found.executable) == ("ship-wal", str(beside), runs)
    gone = await program(droplet, f"PATH={folder}/nowhere:$PATH ship-wal %p")
    assert (gone.name, gone.path) == ("ship-wal", None)
    usual = await program(droplet, f"PATH={folder}:$PATH cat %p")
    assert usual.executable
    assert usual.path is not None
    assert usual.path.endswith("/cat")
