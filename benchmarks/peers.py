"""Other consoles, each installed into an environment of its own under build/peers."""

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path("build/peers")


@dataclass(frozen=True, slots=True)
class Peer:
    """A program to compare with. DSN in its command stands for a PostgreSQL to connect to.

    `beside` are further requirements that its package should have named.
    """

    package: str
    command: tuple[str, ...]
    beside: tuple[str, ...] = ()


PEERS = (
    Peer("pg_activity", ("pg_activity", "DSN"), ("psycopg[binary]",)),
    Peer("harlequin", ("harlequin",)),
    Peer("posting", ("posting",), ("tree-sitter==0.25.2",)),  # 0.26 crashes its JSON grammar
    Peer("dolphie", ("dolphie", "--user", "nobody", "--password", "x", "--host", "127.0.0.1", "--port", "1")),
)


class NotInstalled(Exception):  # noqa: N818  # a state of the machine
    """The peer could not be installed; the text says why."""


def program(peer: Peer) -> Path:
    """The peer's program, installing it when it is not there yet. Raises NotInstalled."""
    home = FOLDER / peer.package
    found = home / "bin" / peer.command[0]
    if not found.exists():
        print(f"installing {peer.package} into {home}", flush=True)
        venv.create(home, with_pip=False, clear=True, symlinks=True)
        pip = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "install", "--quiet"]
        done = subprocess.run(
            [*pip, peer.package, *peer.beside],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not found.exists():
            reasons = [line for line in done.stderr.splitlines() if "ERROR" in line] or ["pip failed"]
            raise NotInstalled(reasons[-1])
    return found.absolute()
