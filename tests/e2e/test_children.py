"""What the programs that the console starts find in their environment: no secret, whatever starts them."""

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Open, Program

pytestmark = pytest.mark.server

SECRETS = {
    "DIGITALOCEAN_TOKEN": "dop_v1_canary0",
    "DIGITALOCEAN_ACCESS_TOKEN": "canary1",
    "AWS_ACCESS_KEY_ID": "canary2",
    "AWS_SECRET_ACCESS_KEY": "canary3",
    "ODD_NAME": "canary4",
    "ODDER_NAME": "canary5",
    "ODDEST": "canary6",
    "PGPASSWORD": "canary7",
}
PLANTED = ("gcc", "cc", "c99", "ld", "ldconfig", "objdump", "proxy", "git", "less", "vi", "editor", "xclip")
# The console as its program starts it, with a note of every program that it starts and what that one gets.
_WATCHED = """
import json, os, sys
from pathlib import Path
notes = Path(sys.argv.pop(1)) / f"started-{os.getpid()}"
def note(event, arguments):
    at = {"subprocess.Popen": 3, "os.posix_spawn": 2, "os.exec": 2, "os.system": None, "os.spawn": 3}
    if event in at:
        given = None if at[event] is None else arguments[at[event]]
        given = dict(os.environ) if given is None else {os.fsdecode(k): os.fsdecode(given[k]) for k in given}
        with notes.open("a") as out:
            out.write(json.dumps([event, str(arguments[0]), given]) + "\\n")
sys.addaudithook(note)
from walconsole.cli import main
sys.exit(main())
"""
_CONFIG = """
[profiles.cut]
host = "192.0.2.1"
ssh_config_file = "{folder}/ssh_config"
postgres.password_env = "ODD_NAME"
primary.bucket = "walwal"
primary.keys = "environment"
primary.secret_key_env = "ODDER_NAME"
[profiles.other]
host = "192.0.2.2"
api.token_envs = ["ODDEST"]
"""


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A folder that comes first in PATH, of programs that tell what they were given."""
    folder = tmp_path / "planted"
    folder.mkdir()
    for name in PLANTED:
        program = folder / name
        program.write_text(f"#!/bin/sh\n/usr/bin/env >>{tmp_path}/seen-{name}-$$\nexit 1\n")
        program.chmod(0o755)
    (tmp_path / "watched.py").write_text(_WATCHED)
    return folder


def given(folder: Path) -> str:
    """All that any program was given, by the console's own account and by the planted programs'."""
    return "\n".join(file.read_text() for file in (*folder.glob("started-*"), *folder.glob("seen-*")))


def canaries(text: str) -> list[str]:
    return [name for name, secret in SECRETS.items() if secret in text]


def test_a_proxy_command_and_a_library_look_up_see_no_secret(
    console: Open, program: Program, planted: Path, tmp_path: Path
) -> None:
    (tmp_path / "ssh_config").write_text(f"Host *\n  ProxyCommand {planted}/proxy\n")
    config = tmp_path / "config.toml"
    config.write_text(_CONFIG.format(folder=tmp_path))
    config.chmod(0o600)
    terminal = console(
        *(str(tmp_path / "watched.py"), str(tmp_path), "--config", str(config), "check", "cut"),
        program=program.python,
        environment={**SECRETS, "PATH": f"{planted}:{program.environment['PATH']}"},
    )
    terminal.wait()
    assert "ProxyCommand ended" in terminal.text
    assert list(tmp_path.glob("seen-proxy-*"))
    assert "/sbin/ldconfig" in given(tmp_path), "no library was looked up: what else starts a compiler?"
    assert canaries(given(tmp_path)) == []


def test_nothing_that_a_whole_demo_starts_sees_a_secret(
    console: Open, program: Program, planted: Path, tmp_path: Path
) -> None:
    terminal = console(
        *(str(tmp_path / "watched.py"), str(tmp_path), "demo"),
        program=program.python,
        environment={**SECRETS, "PATH": f"{planted}:{program.environment['PATH']}"},
    )
    terminal.wait_for("Archiver", timeout=60.0)
    terminal.type("q")
    assert terminal.wait() == 0
    started = [
        json.loads(line) for file in tmp_path.glob("started-*") for line in file.read_text().splitlines()
    ]
    assert started, "nothing was started"
    named = set(SECRETS) - {"ODD_NAME", "ODDER_NAME", "ODDEST"}  # no profile names these here
    assert [name for name in canaries(given(tmp_path)) if name in named] == []
