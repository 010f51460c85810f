"""An rclone configuration that somebody else wrote on the droplet: read as text, and as nothing more."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from walconsole.adapters.s3.key_sources import DropletKeys, RcloneConfig, _read_script, parse_rclone
from walconsole.domain.facts.observed import LinkFacts
from walconsole.domain.round_trips import ShellAnswer
from walconsole.errors import ObjectStoreError

SECRET = "canary-of-a-secret"
_S3 = f"type = s3\naccess_key_id = DO00\nsecret_access_key = {SECRET}\n"


class LocalShell:
    """ports.Shell on this machine's own sh."""

    async def run(self, script: str, *, timeout_s: float = 5.0) -> ShellAnswer:
        done = await asyncio.to_thread(
            subprocess.run, ["sh", "-c", script], capture_output=True, timeout=timeout_s, check=False
        )
        return ShellAnswer(done.stdout, done.returncode, 0.0, 0.0)

    def stream(self, command: str) -> AsyncIterator[bytes]:
        raise NotImplementedError(command)

    async def link(self) -> LinkFacts:
        raise NotImplementedError

    def retry(self) -> None: ...


async def read(path: Path) -> str:
    """What comes of it: the pair's key and endpoint, or the error's line."""
    try:
        pair = await DropletKeys(RcloneConfig(LocalShell(), str(path)), "spaces").key_pair()
    except ObjectStoreError as error:
        return error.line()
    assert pair.secret == SECRET
    return f"{pair.access_key} {pair.endpoint}"


@pytest.mark.parametrize(
    "text",
    [
        "[spaces]\ntype = $(touch {ran})\n",
        "[spaces]\n" + _S3 + "endpoint = `touch {ran}`\n",
        "[spaces]\n" + _S3 + "password_command = touch {ran}\nRCLONE_CONFIG_PASS = x\nexec = touch {ran}\n",
        "[spaces$(touch {ran})]\n" + _S3,
        "[spaces]\n[spaces]]\n[[spaces]\n[spaces\n" + _S3,
        "[spaces]\ntype = \x1b]0;pwned\x07" + "x" * 100_000 + "\n",
        "[spaces]\n" + _S3.replace("DO00", "DO00\x1b[31m"),
        "[spaces]\n" + "\x00\xff\xfe" * 10_000,
        "[spaces]\n" + _S3 + "\n" * 1_000_000,
        "no section at all " + SECRET,
    ],
    ids=["type", "endpoint", "commands", "name", "brackets", "escapes", "key", "binary", "huge", "none"],
)
async def test_nothing_is_run_and_no_secret_is_shown(text: str, tmp_path: Path) -> None:
    path, ran = tmp_path / "rclone.conf", tmp_path / "ran"
    path.write_text(text.replace("{ran}", str(ran)))
    said = await read(path)
    assert not ran.exists()
    assert SECRET not in said
    assert "\x1b" not in said
    assert len(said) < 2_000


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
async def test_what_is_no_file_does_not_hang(kind: str, tmp_path: Path) -> None:
    path = Path("/dev/zero") if kind == "device" else tmp_path / "rclone.conf"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    assert "it is no regular file" in await read(path)


@pytest.mark.parametrize("name", ["'; touch {ran}; '", "$(touch {ran})", "-n {ran}", "a\n touch {ran}\n"])
def test_no_path_of_the_profile_is_run(name: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    script = _read_script(name.replace("{ran}", str(ran)))
    done = subprocess.run(["sh", "-c", script], capture_output=True, timeout=5, check=False)
    assert done.returncode == 61
    assert not ran.exists()


def test_a_million_sections_take_no_time() -> None:
    assert len(parse_rclone("".join(f"[{number}]\n" for number in range(60_000)), "x")) == 60_000
