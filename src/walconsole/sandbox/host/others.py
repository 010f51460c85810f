"""Archives that others set up on the embedded droplet: a folder, and pgBackRest's repository."""

import shutil
from pathlib import Path

from walconsole.errors import SandboxError
from walconsole.sandbox.host.process import Account, run
from walconsole.sandbox.scenarios.scenario import Archiver
from walconsole.sandbox.workspace import Workspace, make_folder, write

STANZA = "demo"
_CONFIG = """\
[global]
repo1-path={repository}
repo1-retention-full=2
log-level-file=off
lock-path={root}/run/pgbackrest
spool-path={root}/var/tmp
start-fast=y

[{stanza}]
pg1-path={data}
pg1-port={port}
pg1-socket-path={socket}
pg1-user=postgres
"""
_SETTINGS = "archive_mode = on\narchive_command = '{command}'\narchive_timeout = 60\n"


def pgbackrest() -> str:
    """Where it is. Raises SandboxError where it is not installed."""
    found = shutil.which("pgbackrest")
    if found is None:
        why = "pgBackRest is not installed here"
        remedy = "install it (apt install pgbackrest), or choose another scenario"
        raise SandboxError("start the scenario pgbackrest", why, remedy)
    return found


def archive_settings(archiver: Archiver, space: Workspace, account: Account, port: int) -> str:
    """What turns archiving on, and what it needs besides: its folder, its configuration."""
    make_folder(space.archive, account)
    if archiver is Archiver.CP:  # as PostgreSQL's documentation has it (26.3.1)
        into = f"{space.archive}/%f"
        return _SETTINGS.format(command=f"test ! -f {into} && cp %p {into}")
    text = _CONFIG.format(
        repository=space.archive,
        root=space.root,
        stanza=STANZA,
        data=space.data,
        port=port,
        socket=space.socket_dir,
    )
    write(_config(space), text, account, 0o640)
    make_folder(space.root / "run/pgbackrest", account)
    return _SETTINGS.format(
        command=f"{pgbackrest()} --config={_config(space)} --stanza={STANZA} archive-push %p"
    )


async def run_pgbackrest(space: Workspace, account: Account, *words: str) -> None:
    """A command of pgBackRest on the demo's stanza. Raises SandboxError with its last words."""
    argv: list[str | Path] = [pgbackrest(), f"--config={_config(space)}", f"--stanza={STANZA}", *words]
    await run(argv, space.root, account, timeout_s=120.0)


def _config(space: Workspace) -> Path:
    return space.etc / "pgbackrest.conf"
