"""A console of its own that gives its connection up while a statement runs on it, many times.

What was freed holds a pattern (MALLOC_PERTURB_ of glibc), and each descriptor that is closed is another
socket's at once, with something to read: whoever goes on with either crashes, or answers wrongly.
"""

import asyncio
import faulthandler
import json
import socket
import sys

from tests.integration.connect_parts import NoLocator, WallClock, make_shell
from walconsole.adapters.postgres.database import PostgresDatabase
from walconsole.adapters.ssh.shell import SshShell
from walconsole.domain.profile import PostgresTarget, SshTarget
from walconsole.errors import DatabaseError

LONG = "SELECT pg_sleep(60)"
RELAY_ENDS_S = 0.1
"""A relay goes on for half a second after its end, and sshd has room for ten."""


def a_database(shell: SshShell, where: PostgresTarget) -> PostgresDatabase:
    """A connection on the shell."""
    return PostgresDatabase(shell, where, NoLocator(), clock=WallClock())


async def dropped(database: PostgresDatabase, how: str) -> object:
    """Give it up as `how` says in the middle of a statement; what the statement ended with."""
    await database.fetch("SELECT 1")
    running = asyncio.create_task(database.fetch(LONG, timeout_s=60))
    await asyncio.sleep(0.02)
    closing = None
    if how == "cancelled":
        running.cancel()
    else:
        closing = asyncio.create_task(database.aclose())
    for _ in range(3):
        await asyncio.sleep(0)
    pairs = [socket.socketpair() for _ in range(4)]
    for one, other in pairs:
        one.send(b"x")
        other.send(b"x")
    try:
        (ended,) = await asyncio.gather(running, return_exceptions=True)
        if closing is not None:
            await closing
    finally:
        for pair in pairs:
            for end in pair:
                end.close()
    return ended


async def main(ssh: SshTarget, where: PostgresTarget, times: int) -> None:
    """One line for each time: how, and what it ended with."""
    shell = make_shell(ssh)
    database = a_database(shell, where)
    for number in range(times):
        how = ("cancelled", "closed")[number % 2]
        ended = await dropped(database, how)
        sys.stdout.write(f"{how} {type(ended).__name__}\n")
        await asyncio.sleep(RELAY_ENDS_S)
        if how == "closed":
            assert isinstance(ended, DatabaseError)
            assert "closed on this side" in ended.why
            database = a_database(shell, where)
    await database.aclose()
    await shell.aclose()


if __name__ == "__main__":
    faulthandler.enable()
    _ssh, _where = json.loads(sys.argv[1])
    _ssh["identity_files"] = tuple(_ssh["identity_files"])
    asyncio.run(main(SshTarget(**_ssh), PostgresTarget(**_where), int(sys.argv[2])))
