"""known_hosts files as OpenSSH reads and writes them (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).

Unreadable lines are passed over, as ssh does: one bad line must not lock the operator out.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import asyncssh

from walconsole.operator_files.private import open_appending

SSH_PORT = 22


@dataclass(frozen=True, slots=True)
class KnownKey:
    """One key of a known_hosts file. `marker` is empty, `revoked` or `cert-authority`."""

    marker: str
    key: asyncssh.SSHKey
    file: str
    line: int

    @property
    def where(self) -> str:
        """file:line"""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class KnownHost:
    """What the files say about one host and port."""

    name: str
    keys: tuple[KnownKey, ...] = field(default=())

    def _marked(self, marker: str) -> list[asyncssh.SSHKey]:
        return [known.key for known in self.keys if known.marker == marker]

    @property
    def trusted(self) -> list[asyncssh.SSHKey]:
        """The host's own keys."""
        return self._marked("")

    @property
    def authorities(self) -> list[asyncssh.SSHKey]:
        """Keys whose host certificates are trusted."""
        return self._marked("cert-authority")

    @property
    def revoked(self) -> list[asyncssh.SSHKey]:
        """Keys that are never to be trusted again."""
        return self._marked("revoked")

    @property
    def keys_of_host(self) -> list[KnownKey]:
        """The lines behind `trusted` and `authorities`."""
        return [known for known in self.keys if known.marker != "revoked"]

    def revoked_where(self, key: asyncssh.SSHKey) -> str:
        """file:line that revokes `key`, empty when none does."""
        return next((k.where for k in self.keys if k.key == key and k.marker == "revoked"), "")


def host_name(host: str, port: int) -> str:
    """How known_hosts calls a host: `name`, or `[name]:port` when the port is not 22."""
    return host.lower() if port == SSH_PORT else f"[{host.lower()}]:{port}"


def fingerprint(key: asyncssh.SSHKey) -> str:
    """`SHA256:…`, as ssh-keygen -l prints it."""
    return str(key.get_fingerprint())


def look_up(files: Iterable[str], host: str, port: int) -> KnownHost:
    """Everything that `files` say about the host; files that cannot be read say nothing.

    As in ssh, a host on another port is looked up without its port when nothing is known with it.
    """
    lines = [line for file in files for line in _read(file)]
    name = host_name(host, port)
    found = _matching(lines, name)
    if port != SSH_PORT and not any(known.marker != "revoked" for known in found):
        found += _matching(lines, host.lower())
    return KnownHost(name, tuple(found))


@dataclass(frozen=True, slots=True)
class _Line:
    file: str
    number: int
    text: str


def _read(file: str) -> list[_Line]:
    try:
        text = Path(file).read_text("utf-8", "replace")
    except OSError:
        return []
    return [_Line(file, number, line.strip()) for number, line in enumerate(text.split("\n"), 1)]


def _matching(lines: Iterable[_Line], name: str) -> list[KnownKey]:
    found = []
    for line in lines:
        words = line.text.split(None, 2)
        marker = ""
        if words and words[0] in ("@revoked", "@cert-authority"):
            marker, words = words[0][1:], line.text.split(None, 3)[1:]
        if len(words) < 3 or words[0].startswith(("#", "@")) or not _names(words[0], name):
            continue
        try:
            key = asyncssh.import_public_key(f"{words[1]} {words[2]}")
        except (asyncssh.KeyImportError, ValueError):
            continue
        found.append(KnownKey(marker, key, line.file, line.number))
    return found


def _names(patterns: str, name: str) -> bool:
    """Whether the first field of a line means the host: patterns with * ? and !, or one hash."""
    if patterns.startswith("|"):
        return _hash_names(patterns, name)
    matched = False
    for pattern in patterns.lower().split(","):
        if pattern.startswith("!"):
            if _glob(pattern[1:], name):
                return False
        elif _glob(pattern, name):
            matched = True
    return matched


def _glob(pattern: str, name: str) -> bool:
    return fnmatchcase(name, pattern.replace("[", "[[]"))  # brackets are literal in known_hosts


def _hash_names(hashed: str, name: str) -> bool:
    parts = hashed.split("|")
    if len(parts) != 4 or parts[1] != "1":
        return False
    try:
        salt, digest = base64.b64decode(parts[2]), base64.b64decode(parts[3])
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(_digest(salt, name), digest)


def _digest(salt: bytes, name: str) -> bytes:
    return hmac.new(salt, name.encode(), hashlib.sha1).digest()  # the format's only hash


def append(file: str, host: str, port: int, key: asyncssh.SSHKey, *, hashed: bool = False) -> None:
    """Add a line for the host; make the file (0600) and its folder (0700) where there are none.

    Raises OSError.
    """
    name = host_name(host, port)
    if hashed:
        salt = secrets.token_bytes(20)
        name = f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(_digest(salt, name)).decode()}"
    line = f"{name} {_openssh_form(key)}\n".encode()
    path = Path(file)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = open_appending(path, readable=True, through_links=True)
    try:
        status = os.fstat(descriptor)
        if status.st_size and os.pread(descriptor, 1, status.st_size - 1) != b"\n":
            line = b"\n" + line
        os.write(descriptor, line)
        if stat.S_ISREG(status.st_mode):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _openssh_form(key: asyncssh.SSHKey) -> str:
    """Algorithm and data only: a comment of the server's choosing does not belong in the file."""
    return " ".join(key.export_public_key("openssh").decode().split()[:2])
