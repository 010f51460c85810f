"""Streams beside the shell."""

import asyncio
from pathlib import Path

import pytest

from tests.integration.connect_parts import open_shell, target, text, through
from tests.servers.fixtures import MakeProxy, MakeSshd
from tests.servers.sshd import SshServer
from walconsole.errors import ShellError, SshError

pytestmark = pytest.mark.server


async def test_a_stream_carries_everything_in_order(sshd: SshServer) -> None:
    async with open_shell(target(sshd)) as shell:
        received = b"".join(
            [chunk async for chunk in shell.stream("seq 1 200000; printf '\\377'; echo err >&2")]
        )
    assert received == b"".join(b"%d\n" % n for n in range(1, 200_001)) + b"\xfferr\n"


async def test_closing_a_stream_ends_its_command(sshd: SshServer) -> None:
    async with open_shell(target(sshd)) as shell:
        stream = aiter(shell.stream("echo begun; sleep 86390 | cat"))
        assert await anext(stream) == b"begun\n"
        await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
        for _ in range(50):
            if await text(shell, "ps -A -o args= | grep -c '^[s]leep 86390'") == "0":
                break
            await asyncio.sleep(0.1)
        else:
            pytest.fail("the command still runs")


async def test_a_shell_that_ends_at_once_is_told_with_its_words(make_sshd: MakeSshd) -> None:
    server = make_sshd({"ForceCommand": "/bin/echo This is not available."})
    async with open_shell(target(server)) as shell:
        for _ in range(5):  # its end comes before, while or after the command is written
            with pytest.raises(ShellError, match="not available"):
                await anext(aiter(shell.stream("echo never")))


async def test_a_slow_reader_holds_the_command_back(sshd: SshServer) -> None:
    async with open_shell(target(sshd)) as shell:
        stream = aiter(shell.stream("yes | head -c 100000000"))
        await anext(stream)
        assert await text(shell, "echo meanwhile") == "meanwhile"
        await stream.aclose()  # type: ignore[attr-defined]  # it is a generator


async def test_a_lost_connection_ends_a_stream_with_an_error(
    sshd: SshServer, make_proxy: MakeProxy, tmp_path: Path
) -> None:
    proxy = make_proxy(sshd.port)
    async with open_shell(through(sshd, proxy.port, tmp_path)) as shell:
        stream = aiter(shell.stream("echo begun; sleep 30"))
        assert await anext(stream) == b"begun\n"
        proxy.cut()
        with pytest.raises(SshError, match="lost"):
            await anext(stream)
