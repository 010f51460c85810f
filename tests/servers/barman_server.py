"""Barman's own server from Debian's package, on this host: WAL comes to it by SSH, or is streamed.

`barman-wal-archive` calls ssh by name: the first on its PATH is one that takes the test's key and known
hosts, for the server's user has no home of its own to keep them in.
"""

import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.programs import find_program
from tests.servers.sshd import SshServer
from tests.servers.workspace import Daemon
from tests.servers.writer import Writer, write_private, write_script

CONF = """\
[barman]
barman_user = {user}
barman_home = {home}
log_file = {home}/barman.log
[main]
description = main
conninfo = host={server.socket_dir} port={server.port} user=postgres dbname=postgres
streaming_conninfo = host={server.socket_dir} port={server.port} user=postgres
backup_method = postgres
slot_name = barman
archiver = {archiver}
streaming_archiver = {streaming}
path_prefix = {server.bin_dir}
"""


@dataclass(frozen=True)
class Barman:
    """One Barman, whose server is `main`. `home` is where it keeps everything.

    It runs as `user`: the one who logs in by ssh, or for streaming the server's own, whom PostgreSQL lets in.
    """

    server: PostgresServer
    sshd: SshServer
    home: Path
    user: str

    @classmethod
    def make(
        cls, server: PostgresServer, sshd: SshServer, *, streaming: bool = False, home: Path | None = None
    ) -> "Barman":
        """`home` is a folder that its user owns, else one is made. Raises ServerMissing."""
        find_program("barman", server="Barman", package="barman")
        user = server.os_user if streaming else sshd.user
        home = home or server.workspace.folder("barman", user)
        over = ("off", "on") if streaming else ("on", "off")
        text = CONF.format(user=user, home=home, server=server, archiver=over[0], streaming=over[1])
        (home / "barman.conf").write_text(text)
        return cls(server, sshd, home, user)

    @property
    def command(self) -> str:
        """As it is typed, with its configuration."""
        return f"barman -c {self.home}/barman.conf"

    def run(self, *words: str) -> None:
        """A command of Barman's, as the server's user: of one that streams. Raises RuntimeError."""
        self.server.run([*shlex.split(self.command), *words])

    def kept(self) -> set[str]:
        """The segments that it has, in its archive or on the way there."""
        below = self.home / "main"
        return {file.name for folder in ("incoming", "wals") for file in (below / folder).rglob("0*")}

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """`barman receive-wal` until the end, once PostgreSQL streams to it."""
        argv = [*shlex.split(self.command), "receive-wal", "main"]
        log = self.home / "receive-wal.log"
        daemon = Daemon(self.server.workspace, "barman receive-wal", argv, log, user=self.user)

        def streams() -> bool:
            rows = self.server.sql("SELECT active FROM pg_replication_slots WHERE slot_name = 'barman'")
            return rows == [(True,)]

        daemon.start(streams)
        try:
            yield
        finally:
            daemon.stop(signal.SIGINT)
            wait_until(lambda: not streams(), "its slot is free")

    def wal_archive(self) -> Writer:
        """Archive by barman-wal-archive. Raises ServerMissing."""
        program = find_program("barman-wal-archive", server="Barman", package="barman-cli")
        key = write_private(self.server, "barman-key", self.sshd.identity_file.read_text())
        known = write_private(self.server, "barman-hosts", self.sshd.known_hosts_file.read_text())
        folder = self.server.folder / "ssh-first"
        folder.mkdir(exist_ok=True)
        self.server.give(folder)
        options = [
            "-F",
            "/dev/null",
            "-i",
            str(key),
            "-o",
            f"UserKnownHostsFile={known}",
            "-o",
            "IdentitiesOnly=yes",
        ]
        write_script(self.server, "ssh-first/ssh", f'exec /usr/bin/ssh {shlex.join(options)} "$@"\n')
        words = [
            str(program), "-U", self.sshd.user, "--port", str(self.sshd.port),
            "-c", f"{self.home}/barman.conf", self.sshd.host, "main",
        ]  # fmt: skip
        text = f'PATH={folder}:$PATH\nexport PATH\nexec {shlex.join(words)} "$1"\n'
        return Writer(self.server, write_script(self.server, "archive-barman", text))
