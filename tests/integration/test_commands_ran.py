"""The adapters tell of every command that they run: over SSH, as a stream, here, and of SQL by name."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.connect_parts import make_shell, open_shell, target
from tests.integration.observed import connected, profile_of
from tests.servers.postgres import PostgresServer
from tests.servers.sshd import SshServer
from walconsole.adapters.ssh.shell import SshShell
from walconsole.command_register import HERE, LASTING, CommandEntry, CommandKind
from walconsole.errors import ShellError, SshError

pytestmark = [pytest.mark.server, pytest.mark.timeout(60)]


def told(shell: SshShell, text: str) -> CommandEntry:
    """The entry of a command that has that text in it."""
    (found,) = [entry for entry in shell.register.entries() if text in entry.text]
    return found


async def test_scripts_with_their_exit_status_host_and_time(sshd: SshServer) -> None:
    async with open_shell(target(sshd)) as shell:
        for _ in range(3):
            await shell.run("true # often")
        await shell.run("exit_with() { return 7; }; exit_with")
        await shell.run("sleep 0.3")
        with pytest.raises(ShellError):
            await shell.run("sleep 30", timeout_s=0.5)
        assert (told(shell, "# often").status, told(shell, "# often").count) == (0, 3)
        seven, slow = told(shell, "exit_with"), told(shell, "sleep 0.3")
        assert (seven.status, seven.kind, seven.failed) == (7, CommandKind.SHELL, True)
        assert seven.where.endswith(f"@{sshd.host}:{sshd.port}")
        assert slow.last.seconds is not None
        assert 0.3 <= slow.last.seconds < 20
        assert (told(shell, "sleep 30").status, "ran longer" in told(shell, "sleep 30").problem) == (
            None,
            True,
        )


async def test_a_stream_while_it_runs_at_its_end_and_when_it_is_left(sshd: SshServer) -> None:
    async with open_shell(target(sshd)) as shell:
        assert [chunk async for chunk in shell.stream("printf hello; exit 5")] == [b"hello"]
        assert (told(shell, "exit 5").status, told(shell, "exit 5").kind) == (5, CommandKind.STREAM)
        stream = shell.stream("echo begun; sleep 60")
        await anext(stream)
        assert told(shell, "sleep 60").running
        await stream.aclose()  # type: ignore[attr-defined]
        assert not told(shell, "sleep 60").running
        assert "nobody reads it" in told(shell, "sleep 60").problem


async def test_a_shell_beside_tells_the_same_and_a_cancelled_call_is_told_as_that(
    sshd: SshServer,
) -> None:
    async with open_shell(target(sshd)) as shell:
        await shell.run("true")
        beside = shell.beside()
        waiting = asyncio.create_task(beside.run("sleep 1 # beside"))
        await until(lambda: any("# beside" in entry.text for entry in shell.register.entries()))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert told(shell, "# beside").problem == "it was not waited for"
        await beside.aclose()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # no event tells it
            await asyncio.sleep(0.01)


async def test_processes_on_this_machine_and_a_connection_that_fails(sshd: SshServer, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(f'Match exec "test -d /"\n  HostName {sshd.host}\n  ProxyCommand exec false %h\n')
    shell = make_shell(replace(target(sshd), host="some.alias", config_file=str(config)))
    try:
        with pytest.raises(SshError):
            await shell.run("true")
    finally:
        await shell.aclose()
    here = [entry for entry in shell.register.entries() if entry.where == HERE]
    assert any(entry.text.startswith(("ssh -G", "/bin/sh -c 'test -d /'")) for entry in here), here
    assert all(entry.kind is CommandKind.LOCAL for entry in here)
    assert not [entry for entry in shell.register.entries() if entry.where != HERE]  # nothing was run there


async def test_statements_by_their_names(sshd: SshServer, postgres: PostgresServer) -> None:
    async with connected(profile_of(sshd, postgres)) as to:
        await to.database.fetch("-- What is asked here.\nSELECT 1 AS one")
        found = [entry for entry in to.shell.register.entries() if entry.kind is CommandKind.SQL]
        assert [(entry.text, entry.status) for entry in found] == [("What is asked here.", 0)]
        (pipe,) = [entry for entry in to.shell.register.entries() if entry.problem == LASTING]
        assert (pipe.kind, pipe.failed) == (CommandKind.STREAM, False)
