"""What is installed on the droplet: the stand-ins, PostgreSQL's programs, the archive's scripts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from shlex import quote

from walconsole.sandbox.host.process import Account
from walconsole.sandbox.host.programs import PostgresPrograms
from walconsole.sandbox.keys_api.keys import Key
from walconsole.sandbox.profile import backup_state, backup_timer, droplet_paths, installed_files, timer
from walconsole.sandbox.scenarios.scenario import DR_REGION, NAME, PORT, REGION
from walconsole.sandbox.workspace import CLUSTER, Workspace, make_folder, write

_COMMANDS = ("systemctl", "journalctl", "logger", "pg_ctlcluster", "pg_lsclusters", "pg_wrapper")
_CLIENTS = ("psql", "pg_basebackup", "pg_dump", "pg_isready", "pg_receivewal")
_SERVER_PROGRAMS = ("pg_controldata", "pg_waldump", "pg_verifybackup", "pg_archivecleanup")


@dataclass(frozen=True, slots=True)
class Tools:
    """Installs into a workspace, before PostgreSQL starts."""

    workspace: Workspace
    account: Account
    postgres: PostgresPrograms
    rclone: Path

    def install(self) -> None:
        """Everything that needs no key."""
        space = self.workspace
        for name in _COMMANDS:
            self._render(name, space.bin / name, 0o755)
        self._render("postgresql@.service", space.root / "lib/systemd/system/postgresql@.service", 0o644)
        for name in _CLIENTS:
            (space.bin / name).symlink_to("pg_wrapper")
        for name in _SERVER_PROGRAMS:
            (space.bin / name).symlink_to(self.postgres.bin / name)
        self._write(space.journal, "", 0o640)
        self.throttle(0.0)

    def install_archiving(self) -> None:
        """What provisioning installs, with both timers switched on."""
        for file in installed_files(self.workspace, self.account):
            self._write(Path(file.path), file.text, file.mode)
        make_folder(Path(backup_state(self.workspace, self.account)), self.account)
        for unit in (timer(self.workspace, self.account), backup_timer(self.workspace, self.account)):
            for switched in (self.workspace.timers_enabled, self.workspace.timers_active):
                self._write(switched / unit, "", 0o644)

    def throttle(self, delay_s: float) -> None:
        """Have the droplet's rclone wait before each transfer; 0 does not."""
        pause = f"sleep {delay_s:g}\n" if delay_s else ""
        text = f'#!/bin/sh\n{pause}exec {quote(str(self.rclone))} "$@"\n'
        self._write(self.workspace.bin / "rclone", text, 0o755)

    def configure_rclone(self, primary: Key, dr: Key, endpoints: Mapping[str, str]) -> None:
        """The droplet's own rclone configuration, with the production keys in it, as a droplet has it."""
        remotes = (("spaces-prod", primary, REGION), ("spaces-dr", dr, DR_REGION))
        text = "\n".join(_remote(name, key, endpoints[region]) for name, key, region in remotes)
        self._write(self.workspace.etc / f"rclone-{NAME}.conf", text, 0o640)

    def break_endpoint(self) -> None:
        """Another address in rclone's configuration, at which nothing listens; the port of discard."""
        path = self.workspace.etc / f"rclone-{NAME}.conf"
        text = re.sub(r"(?m)^endpoint = .*$", "endpoint = http://127.0.0.1:9", path.read_text("utf-8"))
        self._write(path, text, 0o640)

    def _render(self, name: str, target: Path, mode: int) -> None:
        text = files("walconsole.sandbox").joinpath("standins", name).read_text(encoding="utf-8")
        for mark, value in self._marks().items():
            text = text.replace(f"@{mark}@", value)
        self._write(target, text, mode)

    def _marks(self) -> dict[str, str]:
        paths = droplet_paths(self.workspace.root)
        return {
            "ROOT": str(self.workspace.root),
            "VERSION": self.workspace.version,
            "CLUSTER": CLUSTER,
            "PGBIN": str(self.postgres.bin),
            "PORT": str(PORT),
            "SOCKET_DIR": str(self.workspace.socket_dir),
            "OWNER": self.account.name,
            "UID": str(self.account.uid),
            "GID": str(self.account.gid),
            "NAME": NAME,
            "TAG": paths.journal_tag,
        }

    def _write(self, path: Path, text: str, mode: int) -> None:
        write(path, text, self.account, mode)


def _remote(name: str, key: Key, endpoint: str) -> str:
    # rclone's own S3 server gives an object that came in parts another ETag than every other store does
    return (
        f"[{name}]\ntype = s3\nprovider = Ceph\nregion = us-east-1\nendpoint = {endpoint}\n"
        f"force_path_style = true\nuse_multipart_etag = false\n"
        f"access_key_id = {key.access_key}\nsecret_access_key = {key.secret}\n"
    )
