"""Is this the host we know? An unknown key is the operator's question, a changed one is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import asyncssh
from asyncssh.public_key import get_default_certificate_algs, get_default_public_key_algs

from walconsole.adapters.ssh import known_hosts as ssh_known_hosts
from walconsole.adapters.ssh.known_hosts import KnownHost, KnownKey, fingerprint
from walconsole.adapters.ssh.settings import SshSettings
from walconsole.domain.facts.observed import HostKeyQuestion
from walconsole.errors import HostKeyError, SshError
from walconsole.ports import Operator


def _port(settings: SshSettings) -> int:
    """ssh looks an alias up without a port."""
    return settings.port if settings.host_key_alias == settings.host else ssh_known_hosts.SSH_PORT


def look_up(settings: SshSettings, accepted: Mapping[str, asyncssh.SSHKey]) -> KnownHost:
    """What the known_hosts files say about the host under the name it goes by (HostKeyAlias, HostName).

    A key `accepted` in this session counts even where the files do not keep it (/dev/null).
    """
    known = ssh_known_hosts.look_up(settings.known_hosts_files, settings.host_key_alias, _port(settings))
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
        ssh_known_hosts.append(
            file, settings.host_key_alias, _port(settings), shown, hashed=settings.hash_known_hosts
        )
    except OSError as error:
        raise SshError(tried, f"cannot write {file}: {error.strerror}", "make it writable") from error
