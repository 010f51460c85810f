"""A second host on this machine: a sshd in namespaces of its own, from which the first one's files are not
seen.

It has another name and machine-id, its own process tree, its own folder of installed files, its own clusters.
The network is shared, which is how it reaches the stores.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from tests.servers.postgres import server_user
from tests.servers.sshd import SshServer
from tests.servers.workspace import Workspace

NAME = "spare"
_MACHINE_ID = "0123456789abcdef0123456789abcdef\n"
_OF_A_HOST = ("usr/local/bin", "etc/cron.d", "var/tmp", "var/lib", "var/log", "run")


class SecondHost:
    """`installed` is where the deployment's files go, a path that is the first host's elsewhere; `hidden` are
    folders that are empty here. Only root can make one.
    """

    def __init__(self, workspace: Workspace, installed: Path, hidden: tuple[Path, ...]) -> None:
        self.folder = workspace.folder("spare")
        self.root, empty = self.folder / "root", self.folder / "empty"
        for each in _OF_A_HOST:
            (self.root / each).mkdir(parents=True)
        (self.root / "var/tmp").chmod(0o1777)
        cron = self.root / "usr/local/bin/cron"
        cron.write_text("#!/bin/sh\nexit 0\n")
        cron.chmod(0o755)
        empty.mkdir()
        machine_id = self.folder / "machine-id"
        machine_id.write_text(_MACHINE_ID)
        self.clusters = workspace.folder("clusters", server_user())
        self.conf_root = self.folder / "postgresql"
        self.conf_root.mkdir()
        bound = [
            (self.root, installed),
            (machine_id, Path("/etc/machine-id")),
            (self.clusters, Path("/var/lib/postgresql")),
            *((empty, each) for each in hidden),
        ]
        mounts = "".join(f"mount --bind {quote(str(what))} {quote(str(at))} && " for what, at in bound)
        own = f'{mounts}mount -t tmpfs -o mode=3777 run /var/run/postgresql && hostname {NAME} && exec "$@"'
        behind = ("unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
        self.sshd = SshServer(
            workspace,
            {"SetEnv": f"PG_CLUSTER_CONF_ROOT={self.conf_root}"},
            behind=(*behind, "sh", "-c", own, "sh"),
        )

    @property
    def address(self) -> str:
        """As --on takes it."""
        return f"{self.sshd.user}@{self.sshd.host}:{self.sshd.port}"

    def run(self, script: str) -> str:
        """What a shell prints there."""
        (inside,) = Path(f"/proc/{self.sshd.pid}/task/{self.sshd.pid}/children").read_text().split()
        words = ["nsenter", "--target", inside, "--mount", "--uts", "--pid", "sh", "-c", script]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    @contextmanager
    def without(self, path: str) -> Iterator[None]:
        """That program, or that folder, is not there meanwhile."""
        nothing = self.folder / "empty" if Path(path).is_dir() else Path("/dev/null")
        self.run(f"mount --bind {quote(str(nothing))} {quote(path)}")
        try:
            yield
        finally:
            self.run(f"umount {quote(path)}")


@contextmanager
def second_host(workspace: Workspace, installed: Path, *hidden: Path) -> Iterator[SecondHost]:
    """It, and all that runs there ends with it."""
    host = SecondHost(workspace, installed, hidden)
    host.sshd.start()
    try:
        yield host
    finally:
        host.sshd.stop()
