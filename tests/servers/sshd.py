"""A real OpenSSH server with a configuration, a host key and a client key of its own."""

import getpass
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers.ports import LOOPBACK, answers, free_port
from tests.servers.programs import find_program
from tests.servers.workspace import Daemon, Workspace

PACKAGE = "openssh-server"


class SshServer:
    """sshd on loopback. As root one may log in as any user, otherwise as oneself.

    `overrides` are sshd_config settings (`{"MaxSessions": "1"}`). UsePAM is off, so that an account whose
    shadow entry begins with `!` is refused: `{"UsePAM": "yes"}` where such a one shall log in.
    """

    host = LOOPBACK

    def __init__(
        self,
        workspace: Workspace,
        overrides: Mapping[str, str] | None = None,
        *,
        behind: Sequence[str] = (),
    ) -> None:
        self._program = find_program("sshd", server="OpenSSH", package=PACKAGE)
        self._keygen = find_program("ssh-keygen", server="OpenSSH", package="openssh-client")
        self.port = free_port()
        self.user = getpass.getuser() if os.geteuid() else "root"
        self.folder = workspace.folder("sshd")
        self.identity_file = self._key("client")
        self.host_key_file = self._key("host")
        self.known_hosts_file = self.folder / "known_hosts"
        self._config = self.folder / "sshd_config"
        self._overrides = dict(overrides or {})
        shutil.copy(self.identity_file.with_suffix(".pub"), self.folder / "authorized_keys")
        self.trust_host_key()
        self._write_config()
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd insists on it for privilege separation
        self._daemon = Daemon(
            workspace,
            "sshd",
            [*behind, self._program, "-D", "-e", "-f", self._config],
            self.folder / "sshd.log",
        )

    def start(self) -> None:
        """Listen, always on the same port. Returns when connections are accepted."""
        self._daemon.start(lambda: answers(self.port))

    def stop(self, *, sessions: bool = True) -> None:
        """Stop listening; with `sessions` every connection's process is killed as well."""
        self._daemon.stop(children=sessions)

    def restart(self, overrides: Mapping[str, str] | None = None) -> None:
        """Stop with all sessions and start again; `overrides` replace the earlier ones when given."""
        self.stop()
        if overrides is not None:
            self._overrides = dict(overrides)
            self._write_config()
        self.start()

    def freeze(self) -> None:
        """Stop the server's processes without closing anything; thaw() lets them go on."""
        self._daemon.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._daemon.signal(signal.SIGCONT)

    def change_host_key(self) -> None:
        """Give the server another host key, as a reinstalled or an impostor's host has; known_hosts stays."""
        self.stop()
        self.host_key_file = self._key("host-changed")
        self._write_config()
        self.start()

    def trust_host_key(self) -> None:
        """Write the present host key to known_hosts_file (and nothing else)."""
        key = self.host_key_file.with_suffix(".pub").read_text().split()
        self.known_hosts_file.write_text(f"[{self.host}]:{self.port} {key[0]} {key[1]}\n")

    def fingerprint(self) -> str:
        """The host key's fingerprint as OpenSSH prints it, `SHA256:…`."""
        listing = subprocess.run(
            [self._keygen, "-l", "-f", self.host_key_file], check=True, capture_output=True, text=True
        )
        return listing.stdout.split()[1]

    def new_key(self, name: str, passphrase: str = "") -> Path:
        """A further client key, which the server does not know until authorize() is called with it."""
        return self._key(name, passphrase)

    def authorize(self, key: Path) -> None:
        """Let `key` log in."""
        with (self.folder / "authorized_keys").open("a") as known:
            known.write(key.with_suffix(".pub").read_text())

    @property
    def running(self) -> bool:
        return self._daemon.running

    @property
    def pid(self) -> int:
        return self._daemon.pid

    def log(self) -> str:
        """What the server logged so far."""
        return self._daemon.output()

    def _key(self, name: str, passphrase: str = "") -> Path:
        path = self.folder / name
        kind = ["-q", "-t", "ed25519", "-N", passphrase, "-C", name]
        subprocess.run([self._keygen, *kind, "-f", path], check=True, stdin=subprocess.DEVNULL)
        return path

    def _write_config(self) -> None:
        settings = {
            "Port": str(self.port),
            "ListenAddress": self.host,
            "HostKey": str(self.host_key_file),
            "PidFile": "none",
            "AuthorizedKeysFile": str(self.folder / "authorized_keys"),
            "StrictModes": "no",  # the key's folder is under /tmp, which others may write to
            "UsePAM": "no",
            "PermitRootLogin": "prohibit-password",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "Subsystem": "sftp internal-sftp",
            "MaxStartups": "100",
            "LogLevel": "VERBOSE",
        } | self._overrides
        # A home of its own: bash reads ~/.bashrc for every command, and what this machine's does there
        # (it may take a lock that a session which a test killed still holds) is not the tests' affair.
        settings["SetEnv"] = f"HOME={self.folder} {self._overrides.get('SetEnv', '')}".strip()
        self._config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
