"""moto as a server: the simulation of Amazon's S3 that many projects test with. It checks no key."""

import signal
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tests.servers.ports import LOOPBACK, answers, free_port
from tests.servers.programs import ServerMissing
from tests.servers.s3 import new_keys, s3_client
from tests.servers.workspace import Daemon, Workspace

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class MotoS3:
    """One region, in memory."""

    def __init__(self, workspace: Workspace) -> None:
        if find_spec("moto") is None or find_spec("flask") is None:
            raise ServerMissing("moto", "there is no wheel moto (pip install 'moto[server]')", "moto")
        self.port = free_port()
        self.keys = new_keys("moto")
        argv = [sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(self.port)]
        self._daemon = Daemon(workspace, "moto", argv, workspace.folder("moto") / "moto.log")

    @property
    def endpoint(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Serve until stop()."""
        self._daemon.start(lambda: answers(self.port))

    def stop(self) -> None:
        """End, and forget every object."""
        self._daemon.stop(signal.SIGKILL)

    def bucket(self, name: str) -> str:
        """Make the bucket."""
        self.client().create_bucket(Bucket=name)
        return name

    def client(self, *, timeout_s: float = 10.0) -> "S3Client":
        return s3_client(self.endpoint, self.keys, timeout_s=timeout_s)
