"""Is this the host we know? An unknown key is the operator's question, a changed one is refused.

known_hosts files are read and written as OpenSSH does it (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). Unreadable
lines are passed over, as ssh does: one bad line must not lock the operator out.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from fnmatch import fnmatchcase
from pathlib import Path

import asyncssh
from asyncssh.public_key import get_default_certificate_algs, get_default_public_key_algs

from walconsole.adapters.ssh.settings import SshSettings
from walconsole.domain.facts.observed import HostKeyQuestion
from walconsole.domain.records import record
from walconsole.errors import HostKeyError, SshError
from walconsole.operator_files.private import open_appending
from walconsole.ports import Operator

SSH_PORT = 22


@record
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


@record
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


def look_up_in(files: Iterable[str], host: str, port: int) -> KnownHost:
    """Everything that `files` say about the host; files that cannot be read say nothing.

    As in ssh, a host on another port is looked up without its port when nothing is known with it.
    """
    lines = [line for file in files for line in _read(file)]
    name = host_name(host, port)
    found = _matching(lines, name)
    if port != SSH_PORT and not any(known.marker != "revoked" for known in found):
        found += _matching(lines, host.lower())
    return KnownHost(name, tuple(found))


@record
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


def _port(settings: SshSettings) -> int:
    """ssh looks an alias up without a port."""
    return settings.port if settings.host_key_alias == settings.host else SSH_PORT


def look_up(settings: SshSettings, accepted: Mapping[str, asyncssh.SSHKey]) -> KnownHost:
    """What the known_hosts files say about the host under the name it goes by (HostKeyAlias, HostName).

    A key `accepted` in this session counts even where the files do not keep it (/dev/null).
    """
    known = look_up_in(settings.known_hosts_files, settings.host_key_alias, _port(settings))
    key = accepted.get(known.name)
    if key is None or known.keys_of_host:
        return known
    return replace(known, keys=(*known.keys, KnownKey("", key, "this session", 0)))


def algorithms(known: KnownHost) -> list[str]:
    """Host key algorithms in the order to ask for them: the known keys' first, so that what the
    server shows can be compared with them. Certificates only where an authority is known."""
    first = [name for key in known.trusted for name in key.sig_algorithms]
    certificates = get_default_certificate_algs() if known.authorities else []
    ordered = [*certificates, *first, *get_default_public_key_algs()]
    return [name.decode() for name in dict.fromkeys(ordered)]


def trusted_by(known: KnownHost) -> Sequence[Sequence[asyncssh.SSHKey]]:
    """asyncssh's `known_hosts`: host keys, authorities, revoked keys."""
    return known.trusted, known.authorities, known.revoked


def refusal(settings: SshSettings, known: KnownHost, shown: asyncssh.SSHKey | None, why: str) -> HostKeyError:
    """Why the host is not let in, other than being unknown."""
    tried = f"ssh {settings.user}@{settings.address}"
    revoked = next((known_key for known_key in known.keys if known_key.marker == "revoked"), None)
    if shown is None and revoked is not None and "revoked" in why:  # asyncssh does not say which
        shown = revoked.key
    if shown is None:
        return HostKeyError(tried, f"the host's certificate is refused: {why}", "ask who runs the host")
    if shown in known.revoked:
        return HostKeyError(
            tried,
            f"the host's key {fingerprint(shown)} is revoked in {known.revoked_where(shown)}",
            "this key is known to be in wrong hands: do not connect",
        )
    if not known.keys_of_host:
        return HostKeyError(tried, f"the host's key {fingerprint(shown)} is refused: {why}")
    expected = known.keys_of_host[0]
    return HostKeyError(
        tried,
        f"THE HOST KEY HAS CHANGED: it shows {fingerprint(shown)} ({shown.get_algorithm()}), "
        f"but {expected.where} says {fingerprint(expected.key)} ({expected.key.get_algorithm()})",
        "someone may be listening in. If the host was reinstalled, compare the fingerprint on its console, "
        f"then: ssh-keygen -R '{known.name}' -f {expected.file}",
    )


async def ask(settings: SshSettings, shown: asyncssh.SSHKey, operator: Operator) -> None:
    """Have the operator accept the unknown key `shown`, and remember it. Raises errors.HostKeyError."""
    tried = f"ssh {settings.user}@{settings.address}"
    print_of_key = fingerprint(shown)
    if not settings.known_hosts_files or settings.strict == "yes":
        raise HostKeyError(
            tried,
            f"the host key {print_of_key} is unknown and StrictHostKeyChecking is yes",
            "add the host to known_hosts, for instance by ssh-keyscan after comparing the fingerprint",
        )
    file = settings.known_hosts_files[0]
    question = HostKeyQuestion(
        settings.host_key_alias, settings.port, shown.get_algorithm(), print_of_key, file
    )
    if settings.strict == "ask" and not await operator.trust_host_key(question):
        raise HostKeyError(
            tried,
            f"the host key {print_of_key} is unknown and was not accepted",
            "compare it on the host (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub); r asks again",
        )
    try:
        append(file, settings.host_key_alias, _port(settings), shown, hashed=settings.hash_known_hosts)
    except OSError as error:
        raise SshError(tried, f"cannot write {file}: {error.strerror}", "make it writable") from error
