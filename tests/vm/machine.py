"""A virtual droplet: Debian 13 with systemd in qemu, from an image that is built once and kept.

It knows this machine's loopback as 10.0.2.2. Every run begins with the image as it was built.
"""

import os
import shlex
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.servers.ports import free_port, wait_until
from tests.servers.programs import find_program
from tests.servers.workspace import Daemon, Workspace

BUILDER = Path(__file__).parent / "image.sh"
CACHE = Path(__file__).parents[2] / ".vm-cache"
HOST_ADDRESS = "10.0.2.2"
SUDOER = "operator"
LONGEST_BOOT_S = 300.0
_PACKAGES = "debootstrap qemu-system-x86 qemu-utils"
_EMULATED = ("tcg,tb-size=512", "Nehalem")
_BY_KVM = ("kvm", "host")
_KERNEL = (
    "root=/dev/vda rw console=ttyS0 earlyprintk=ttyS0 net.ifnames=1 mitigations=off"
    " systemd.show_status=no tsc=reliable init_on_alloc=0 transparent_hugepage=never"
)
"""What an emulated processor is slow at is left out: signs on the console, pages that are cleared for
nothing, and huge ones, of which it forgets all when it is to forget one."""
_ALIVE, _BROKEN = "Linux version", "KVM internal"
_FIRST_WORD_S = 25.0
"""Within which a kernel that really runs by KVM has printed its first line."""


def find_tool(name: str) -> Path:
    """One of qemu's and debootstrap's. Raises ServerMissing."""
    return find_program(name, server="a virtual droplet", package=_PACKAGES)


class Image:
    """What image.sh made in `folder`; made anew where the script is another than it was."""

    def __init__(self, folder: Path = CACHE) -> None:
        self.folder = folder
        self.key = folder / "key"

    def build(self) -> None:
        """Raises ServerMissing; RuntimeError with the end of what the script said where it fails."""
        find_tool("debootstrap")
        done = subprocess.run(
            ["bash", BUILDER, self.folder],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{BUILDER.name} failed:\n{done.stdout.decode(errors='replace')[-3000:]}")

    @property
    def built_in_s(self) -> float:
        """How long it took to make it, whenever that was."""
        return float((self.folder / "seconds").read_text())

    def versions(self, *packages: str) -> dict[str, str]:
        """Of what is installed in it."""
        lines = (line.split("\t") for line in (self.folder / "packages").read_text().splitlines())
        installed = {name.partition(":")[0]: version for name, version in lines}
        return {name: installed[name] for name in packages}


class Machine:
    """One droplet that is booted from `image`. `port` is its SSH's, on loopback.

    Its disk is a layer upon the image, which goes with the workspace.
    """

    def __init__(self, workspace: Workspace, image: Image) -> None:
        self.image, self.folder = image, workspace.folder("machine")
        self._workspace = workspace
        self._qemu = find_tool("qemu-system-x86_64")
        self.port = free_port()
        self.known_hosts = self.folder / "known_hosts"
        self.console = self.folder / "console.log"
        self.accelerator = ""
        disk = self.folder / "disk.qcow2"
        layer = ["-f", "qcow2", "-F", "raw", "-b", str(image.folder / "disk.raw"), str(disk)]
        subprocess.run([find_tool("qemu-img"), "create", "-q", *layer], check=True, timeout=60)
        self._disk = disk
        self._daemon: Daemon | None = None

    def boot(self) -> float:
        """Seconds until SSH answers: by KVM where the kernel comes up with it, else emulated."""
        began = time.monotonic()
        known = self.image.folder / "accelerator"
        tried = [known.read_text().split()] if known.exists() else [_BY_KVM, _EMULATED]
        if not os.access("/dev/kvm", os.R_OK | os.W_OK):
            tried = [_EMULATED]
        for accelerator, cpu in tried:
            self._start(accelerator, cpu)
            if accelerator == _EMULATED[0] or self._says_something():
                self.accelerator = accelerator.partition(",")[0]
                known.write_text(f"{accelerator} {cpu}\n")
                break
            self.stop()
        wait_until(self.answers, "the droplet boots", LONGEST_BOOT_S, every_s=1.0)
        return time.monotonic() - began

    def answers(self) -> bool:
        """Whether SSH lets us in."""
        return self.try_("true", timeout_s=20.0).returncode == 0

    def try_(
        self, command: str, *, user: str = "root", timeout_s: float = 180.0, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run shell on the droplet."""
        options = (
            f"-p {self.port} -i {self.image.key} -o UserKnownHostsFile={self.known_hosts} -F none"
            " -o StrictHostKeyChecking=accept-new -o ConnectTimeout=15 -o LogLevel=ERROR -o BatchMode=yes"
            f" -o IdentitiesOnly=yes -o ControlMaster=auto -o ControlPath={self.folder}/%r"
            " -o ControlPersist=yes -o ServerAliveInterval=15"
        )
        try:
            return subprocess.run(
                ["ssh", *shlex.split(options), f"{user}@127.0.0.1", command],
                input=stdin, capture_output=True, text=True, check=False, timeout=timeout_s,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess([], 124, "", f"nothing within {timeout_s:.0f} s")

    def run(self, command: str, *, user: str = "root", timeout_s: float = 180.0, stdin: str = "") -> str:
        """The same; what it printed. Raises RuntimeError where it fails."""
        done = self.try_(command, user=user, timeout_s=timeout_s, stdin=stdin)
        if done.returncode:
            raise RuntimeError(f"on the droplet: {command}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def sql(self, statement: str, *, cluster: str = "main") -> str:
        """What psql prints of one statement, as the cluster's owner.

        Not by Debian's wrapper of psql, and without a session of PAM's: an emulated processor takes a second
        for each.
        """
        as_owner = "cd / && setpriv --reuid=postgres --regid=postgres --init-groups --"
        port = f"$(sed -n 4p /var/lib/postgresql/17/{cluster}/postmaster.pid)"
        psql = f"/usr/lib/postgresql/17/bin/psql -XAtq -v ON_ERROR_STOP=1 -h /run/postgresql -p {port}"
        return self.run(f"{as_owner} {psql} -c {shlex.quote(statement)}")

    def put(self, path: str, text: str, mode: str = "0644") -> None:
        """A file of root's."""
        self.run(f"install -D -m {mode} /dev/stdin {shlex.quote(path)}", stdin=text)

    def reboot(self) -> None:
        """Ask for it; returns at once."""
        self.try_("systemctl reboot", timeout_s=30.0)

    def boot_id(self) -> str:
        """Another one after every boot; empty while nothing answers."""
        return self.try_("cat /proc/sys/kernel/random/boot_id", timeout_s=20.0).stdout.strip()

    def processor_s(self) -> float:
        """What qemu has used up to now."""
        if self._daemon is None or not self._daemon.running:
            return 0.0
        fields = Path(f"/proc/{self._daemon.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """Its power is cut."""
        if self._daemon is not None:
            self._daemon.stop()
            self._daemon = None

    def _start(self, accelerator: str, cpu: str) -> None:
        self.console.write_bytes(b"")
        arguments: Sequence[str | Path] = [
            self._qemu, "-accel", accelerator, "-cpu", cpu, "-smp", "1", "-m", "1024", "-nographic",
            "-kernel", self.image.folder / "vmlinuz", "-initrd", self.image.folder / "initrd",
            "-append", _KERNEL,
            "-drive", f"file={self._disk},format=qcow2,if=virtio,cache=unsafe",
            "-netdev", f"user,id=n,hostfwd=tcp:127.0.0.1:{self.port}-:22",
            "-device", "virtio-net-pci,netdev=n",
            "-device", "virtio-rng-pci",
        ]  # fmt: skip
        self._daemon = Daemon(self._workspace, "qemu", arguments, self.console)
        self._daemon.start(lambda: True)

    def _says_something(self) -> bool:
        """A nested KVM may open and then not run a guest."""
        daemon = self._daemon
        assert daemon is not None
        try:
            wait_until(
                lambda: not daemon.running or any(word in daemon.output() for word in (_ALIVE, _BROKEN)),
                "a word of the kernel", _FIRST_WORD_S, every_s=0.2,
            )  # fmt: skip
        except TimeoutError:
            return False
        return daemon.running and _BROKEN not in daemon.output()
