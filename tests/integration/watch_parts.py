"""`walconsole watch` as a program: begun, asked, told to whom."""

import asyncio
import contextlib
import dataclasses
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.integration.provision_stage import Stage
from walconsole.config.writer import profile_as_toml
from walconsole.domain.profile import NotifySettings


def program_environment(home: Path) -> dict[str, str]:
    """Of the program under test: the same modules as here, nothing of who runs this."""
    return {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}


def replace(config: Path, old: str, new: str) -> None:
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))


@asynccontextmanager
async def watcher(
    tmp_path: Path, config: Path, *, program: Sequence[str] = ("-m", "walconsole"), **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """One that has begun to watch; killed (SIGKILL) at the end unless it ended. Python runs `program`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *program, "watch", "--config", str(config), "--every", "1", "--listen", "0",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        cwd=tmp_path, env={**program_environment(tmp_path), **environment},
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def served_port(process: asyncio.subprocess.Process) -> int:
    """Where it says that it serves; it watches from then on."""
    assert process.stderr is not None
    line = (await asyncio.wait_for(process.stderr.readline(), 30)).decode()
    assert line.startswith("walconsole: serving /metrics and /healthz on 127.0.0.1 port "), line
    return int(line.rpartition(" ")[2])


@contextlib.contextmanager
def systemd(path: Path) -> Iterator[list[str]]:
    """What is said to it there, as it comes."""
    heard: list[str] = []
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        loop.add_reader(listening, lambda: heard.append(listening.recv(4096).decode()))
        try:
            yield heard
        finally:
            loop.remove_reader(listening)


def told_by(settings: NotifySettings, stage: Stage, config: Path) -> None:
    """The profile says who is told."""
    profile = dataclasses.replace(stage.profile, notify=settings)
    config.write_text(profile_as_toml(profile, profile.name))


async def fetched(port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    text = (await reader.read()).decode()
    writer.close()
    return text


async def until(true: Callable[[], bool], what: str, seconds: float = 60) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not true():  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"{what} did not come about within {seconds:g} s")
