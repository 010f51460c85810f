"""Clusters as Debian makes them: pg_createcluster and pg_ctlcluster, kept out of /etc/postgresql."""

import functools
import os
import pwd
import subprocess
from pathlib import Path

from tests.servers.postgres import (
    PACKAGE,
    PASSWORD,
    PostgresServer,
    allow_owner,
    server_user,
    system_bin_dir,
)
from tests.servers.programs import ServerMissing, find_program
from tests.servers.workspace import Workspace, identity


class DebianCluster(PostgresServer):
    """A Debian cluster `version/name`, its configuration under `conf_root`/version/name.

    `environment` (PG_CLUSTER_CONF_ROOT) is what a command needs to see it: pg_lsclusters, pg_conftool.
    """

    def __init__(self, workspace: Workspace, bin_dir: Path, folder: Path, name: str) -> None:
        super().__init__(workspace, bin_dir, folder)
        self.name = name
        self.debian_version = bin_dir.parent.name
        self.config_dir = self.conf_root / self.debian_version / name
        self.data_dir = folder / "lib" / self.debian_version / name
        self.environment = {"PG_CLUSTER_CONF_ROOT": str(self.conf_root)}

    @classmethod
    def create(
        cls, workspace: Workspace, *, name: str = "main", wal_segment_mib: int = 16, anew: bool = False
    ) -> "DebianCluster":
        """A cluster as pg_createcluster makes it, not started yet: a copy, which takes no second.

        `anew`: one with a system identifier of its own. Raises ServerMissing.
        """
        find_program("pg_createcluster", server="PostgreSQL", package=PACKAGE)
        bin_dir = system_bin_dir()
        if not bin_dir.is_relative_to("/usr/lib/postgresql"):
            raise ServerMissing("PostgreSQL", f"{bin_dir} is not one of Debian's packages", PACKAGE)
        cluster = cls(workspace, bin_dir, workspace.folder("cluster", server_user()), name)
        if anew:
            cluster._create(wal_segment_mib)
        else:
            cluster._copy(_template(workspace, bin_dir, name, wal_segment_mib))
        cluster._finish()
        return cluster

    def start(self) -> None:
        """As pg_ctlcluster starts it, but for the two seconds that it sleeps to see whether the server stays.

        Where a test has written into the files that pg_ctlcluster goes by, that itself is run.
        """
        if self._as_created():
            self._pg_ctl_start()
        else:
            self._pg_ctlcluster("start")

    def _as_created(self) -> bool:
        """Whether pg_ctlcluster would find there what pg_createcluster has written."""
        main = (self.config_dir / "postgresql.conf").read_text()
        named = {
            "data_directory": self.data_dir,
            "hba_file": self.config_dir / "pg_hba.conf",
            "ident_file": self.config_dir / "pg_ident.conf",
            "external_pid_file": self._external_pid_file,
            "unix_socket_directories": self.socket_dir,
        }
        return (
            self.log_file.exists()
            and all(f"\n{setting} = '{path}'" in main for setting, path in named.items())
            and _settings(self.config_dir / "pg_ctl.conf") == ["pg_ctl_options = ''"]
            and _settings(self.config_dir / "environment") == []
        )

    def _pg_ctl_start(self) -> None:
        options = f' -c config_file="{self.config_dir}/postgresql.conf" '
        places = ["-D", str(self.data_dir), "-l", str(self.log_file)]
        who = identity(self.os_user)
        if who:  # the server's certificate is readable by a group
            who["extra_groups"] = os.getgrouplist(self.os_user, who["group"])
        done = subprocess.run(
            [self.bin_dir / "pg_ctl", "start", *places, "-s", "-o", options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd="/", env={"LANG": "C", "PG_OOM_ADJUST_FILE": "/proc/self/oom_score_adj"},
            check=False, timeout=120, start_new_session=True, **who,
        )  # fmt: skip
        if done.returncode:
            log = self.log_file.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"pg_ctl start: exit status {done.returncode}\n{done.stdout}{log}")

    @property
    def _external_pid_file(self) -> Path:
        return self.socket_dir / "server.pid"

    def debian(self, *command: str) -> str:
        """Run one of postgresql-common's commands on this cluster's configuration; returns its output.

        Raises RuntimeError with the output, and with the server's log, when it fails.
        """
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C"} | self.environment,
            check=False,
            timeout=120,
        )
        if done.returncode:
            log = self.log_file.read_text(errors="replace")[-2000:] if self.log_file.exists() else ""
            raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{log}")
        return done.stdout

    def _pg_ctlcluster(self, action: str, *options: str) -> None:
        self.debian(
            "pg_ctlcluster", "--skip-systemctl-redirect", *options, self.debian_version, self.name, action
        )

    def _create(self, wal_segment_mib: int) -> None:
        password_file = self.folder / "password"
        password_file.write_text(PASSWORD)
        self.give(password_file)
        self.run(["mkdir", "-p", str(self.socket_dir), str(self.conf_root), str(self.data_dir.parent)])
        owner = pwd.getpwnam(self.os_user)
        who = ["-u", str(owner.pw_uid), "-g", str(owner.pw_gid)] if os.geteuid() == 0 else []
        places = ["-d", self.data_dir, "-s", self.socket_dir, "-l", self.log_file, "-p", self.port]
        kind = ["--start-conf", "manual", "--locale=C", "-e", "UTF8", self.debian_version, self.name]
        access = ["--auth-local=peer", "--auth-host=scram-sha-256", f"--pwfile={password_file}"]
        initdb = [
            "-U",
            "postgres",
            "--no-sync",
            "--data-checksums",
            f"--wal-segsize={wal_segment_mib}",
            *access,
        ]
        self.debian("pg_createcluster", *who, *map(str, places), *kind, "--", *initdb)
        allow_owner(self.config_dir, self.os_user)
        self._set_main("external_pid_file", str(self._external_pid_file))

    def _copy(self, template: "DebianCluster") -> None:
        """The template's files, with this cluster's folder and port where its configuration names them."""
        parts = [str(part) for part in template.folder.iterdir()]
        subprocess.run(["cp", "-a", "--reflink=auto", "--", *parts, str(self.folder)], check=True)
        old, new = (f"{each.folder}/" for each in (template, self))
        for path in self.config_dir.iterdir():
            if path.is_symlink():
                target, owner = str(path.readlink()).replace(old, new), path.lstat()
                path.unlink()
                path.symlink_to(target)
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
            elif path.is_file():
                text, owner = path.read_text().replace(old, new), path.stat()
                path.write_text(text.replace(f"port = {template.port}", f"port = {self.port}"))
                os.chown(path, owner.st_uid, owner.st_gid)

    def _set_main(self, setting: str, value: str) -> None:
        self.debian("pg_conftool", self.debian_version, self.name, "set", setting, value)


def _settings(path: Path) -> list[str]:
    """Its lines that are neither empty nor a comment."""
    lines = path.read_text().splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


@functools.cache
def _template(workspace: Workspace, bin_dir: Path, name: str, wal_segment_mib: int) -> DebianCluster:
    """Never started: it is there to be copied; one for each worker, as postgres.py says."""
    with workspace.lasting():
        cluster = DebianCluster(workspace, bin_dir, workspace.folder("template", server_user()), name)
    cluster._create(wal_segment_mib)
    return cluster
