"""PostgreSQL configured as Debian does it: configuration in /etc, data in /var/lib, a conf.d."""

import re
from pathlib import Path

from walconsole.domain.records import record
from walconsole.errors import SandboxError
from walconsole.sandbox.host.process import Account, run
from walconsole.sandbox.host.programs import PostgresPrograms
from walconsole.sandbox.profile import installed_dropin
from walconsole.sandbox.scenarios.scenario import PORT
from walconsole.sandbox.workspace import CLUSTER, Workspace, make_folder, write

SEGMENT_MB = 1

_HBA = """\
# TYPE  DATABASE        USER            ADDRESS                 METHOD
local   all             postgres                                peer map=droplet
local   all             all                                     peer map=droplet
local   replication     all                                     peer map=droplet
host    all             all             127.0.0.1/32            scram-sha-256
"""
_IDENT = """\
# MAPNAME       SYSTEM-USERNAME         PG-USERNAME
# The embedded droplet's stand-in for the operating system's user postgres:
"""


@record
class Postgres:
    """The server in a workspace."""

    programs: PostgresPrograms
    workspace: Workspace
    account: Account

    async def create(self) -> None:
        """initdb; the slow part of a start. Nothing is synced: the folder does not outlive the demo."""
        data = self.workspace.data
        make_folder(data.parent, self.account)
        argv: list[str | Path] = [self.programs.bin / "initdb", "-D", data, "-U", "postgres", "-A", "peer"]
        argv += ["-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        argv += [f"--wal-segsize={SEGMENT_MB}", "--data-checksums"]
        await run(argv, self.workspace.root, self.account)

    def configure(self, *, archiving: bool, others: str = "") -> None:
        """Write the live configuration, and the dead one where the live one does not archive.

        `others` is a file of settings in the place of ours: another archives.
        """
        made = self.workspace.data / "postgresql.conf"
        sample = made.read_text(encoding="utf-8")
        for name in ("postgresql.conf", "pg_hba.conf", "pg_ident.conf"):
            (self.workspace.data / name).unlink()  # as pg_createcluster: they live in /etc
        own_name = "" if self.account.name == "postgres" else f"droplet {self.account.name} postgres\n"
        files = {
            "postgresql.conf": _with_settings(sample, self._settings()),
            "pg_hba.conf": _HBA,
            "pg_ident.conf": f"{_IDENT}{own_name}droplet root postgres\ndroplet /^(.*)$ \\1\n",
            "start.conf": "auto\n",
            "pg_ctl.conf": "pg_ctl_options = ''\n",
            "environment": "# environment variables for postgres processes: VARIABLE = 'value'\n",
        }
        for name, text in files.items():
            self._write(self.workspace.config_dir / name, text)
        make_folder(self.workspace.config_dir / "conf.d", self.account)
        if others:
            self._write(self.workspace.config_dir / "conf.d" / "archive.conf", others)
            return
        dropin = installed_dropin(self.workspace, self.account)
        if archiving:
            self._write(Path(dropin.path), dropin.text)
        else:
            self._write_dead_configuration(dropin.text)

    def _settings(self) -> dict[str, str]:
        """What differs from the server's own sample: Debian's changes, and what keeps a demo small."""
        space = self.workspace
        return {
            "data_directory": f"'{space.data}'",
            "hba_file": f"'{space.config_dir}/pg_hba.conf'",
            "ident_file": f"'{space.config_dir}/pg_ident.conf'",
            "external_pid_file": f"'{space.socket_dir}/{space.version}-{CLUSTER}.pid'",
            "listen_addresses": "''",
            "port": str(PORT),
            "max_connections": "30",
            "unix_socket_directories": f"'{space.socket_dir}'",
            "shared_buffers": "16MB",
            "max_wal_size": "64MB",
            "min_wal_size": "5MB",
            "log_line_prefix": "'%m [%p] %q%u@%d '",
            "cluster_name": f"'{space.version}/{CLUSTER}'",
            "autovacuum_naptime": "5min",
            "timezone": "'Etc/UTC'",
            "log_timezone": "'Etc/UTC'",
            "include_dir": "'conf.d'",
        }

    def _write_dead_configuration(self, settings: str) -> None:
        """The incident: the template's file lies where PGDATA points, and pg_ctlcluster reads /etc."""
        head = "# Managed by the deployment's template; local changes are overwritten.\n"
        tail = f"listen_addresses = 'localhost'\nport = {PORT}\nshared_buffers = 128MB\n"
        self._write(self.workspace.dead_data / "postgresql.conf", head + tail + settings)
        unit = f"postgresql@{self.workspace.version}-{CLUSTER}.service.d"
        pinned = f"[Service]\nEnvironment=PGDATA={self.workspace.dead_data}\n"
        self._write(self.workspace.etc / "systemd/system" / unit / "override.conf", pinned)

    async def start(self) -> None:
        """Start it as systemd would. Raises SandboxError with the log's last lines."""
        control: list[str | Path] = [self.workspace.bin / "systemctl", "start", self.unit]
        try:
            await run(control, self.workspace.root, self.account)
        except SandboxError as error:
            raise SandboxError("start PostgreSQL", f"{error.why}; {self._last_words()}") from None

    @property
    def unit(self) -> str:
        return f"postgresql@{self.workspace.version}-{CLUSTER}"

    def _last_words(self) -> str:
        try:
            lines = self.workspace.postgres_log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return "it wrote no log"
        return " / ".join(lines[-3:])

    def _write(self, path: Path, text: str) -> None:
        write(path, text, self.account)


def _with_settings(sample: str, settings: dict[str, str]) -> str:
    """The sample with settings put where it mentions them, as pg_createcluster's set_conf_value does."""
    for name, value in settings.items():
        line = re.compile(rf"^#?{name}\s*=[^#\n]*", re.MULTILINE)
        new = f"{name} = {value}"
        sample, found = line.subn(lambda _, new=new: f"{new}\t\t", sample, count=1)  # type: ignore[misc]
        if not found:
            sample += f"{new}\n"
    return sample
