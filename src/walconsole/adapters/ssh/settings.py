"""What ~/.ssh/config and the profile say about reaching one host, and which keys are offered to it.

The configuration is read as OpenSSH does (`client_config`); where a line of it was not understood, OpenSSH
itself is asked, if it is there (`openssh`). Added are its default known_hosts files and identities.
"""

import getpass
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import asyncssh
from asyncssh.config import ConfigParseError
from asyncssh.public_key import load_keypairs

from walconsole.adapters.ssh.client_config import ClientConfig
from walconsole.adapters.ssh.openssh import asked, has_usual_home
from walconsole.domain.profile import SshTarget
from walconsole.domain.records import record
from walconsole.errors import SshError

SYSTEM_CONFIG = "/etc/ssh/ssh_config"
SYSTEM_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
DEFAULT_IDENTITIES = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk")  # ssh_config(5)


@record
class SshSettings:
    """One host, resolved. `alias` is the name that was asked for, `jump` is ProxyJump's value,
    `carried` is what asyncssh reads itself (ciphers, address family, …), as lines of a configuration.
    `not_understood` are lines that were passed over, where OpenSSH could not be asked either."""

    alias: str
    host: str
    port: int
    user: str
    host_key_alias: str
    known_hosts_files: tuple[str, ...]
    identity_files: tuple[str, ...]
    identities_explicit: bool
    identities_only: bool
    certificate_files: tuple[str, ...]
    agent_path: str
    jump: str | None
    proxy_command: str | None
    strict: str
    hash_known_hosts: bool
    host_key_algorithms_configured: bool
    carried: tuple[str, ...] = ()
    ciphers_configured: bool = False
    not_understood: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """host:port for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def resolve(target: SshTarget) -> SshSettings:
    """The settings for `target`. Reads files. Raises errors.SshError naming the file and the line."""
    config = _load(target, _config_files(target))
    options = config.get_options(reload=False)
    host = str(options.get("Hostname") or target.host)
    explicit = target.identity_files or tuple(cast(list[str], options.get("IdentityFile") or ()))
    return SshSettings(
        alias=target.host,
        host=host,
        port=int(cast(int, options.get("Port") or 22)),
        user=str(options.get("User") or _local_user(target)),
        host_key_alias=str(options.get("HostKeyAlias") or host),
        known_hosts_files=_known_hosts_files(target, options),
        identity_files=tuple(_home(file) for file in explicit) or _default_identities(),
        identities_explicit=bool(explicit),
        identities_only=bool(options.get("IdentitiesOnly")),
        certificate_files=tuple(_home(f) for f in cast(list[str], options.get("CertificateFile") or ())),
        agent_path=_agent_path(target, options),
        jump=cast(str | None, options.get("ProxyJump")),
        proxy_command=cast(str | None, options.get("ProxyCommand")),
        strict=str(options.get("StrictHostKeyChecking") or "ask").lower(),
        hash_known_hosts=bool(options.get("HashKnownHosts")),
        host_key_algorithms_configured=options.get("HostKeyAlgorithms") is not None,
        carried=tuple(f"{option} {value}" for option, value in config.carried.items()),
        ciphers_configured="ciphers" in {option.lower() for option in config.carried},
        not_understood=tuple(config.not_understood),
    )


def _local_user(target: SshTarget) -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:  # a user ID without a name, and no LOGNAME
        why = "this machine does not tell the name of its user"
        raise SshError(f"ssh {target}", why, "name the user in the profile") from error


def _config_files(target: SshTarget) -> tuple[str, ...]:
    if target.config_file is not None:
        path = Path(_home(target.config_file))
        if not path.exists() or path.is_dir():  # /dev/null is the usual way to name no configuration
            raise SshError(f"ssh {target}", f"there is no {path}", "correct ssh.config_file in the profile")
        return (str(path),)
    candidates = (Path("~/.ssh/config").expanduser(), Path(SYSTEM_CONFIG))
    return tuple(str(path) for path in candidates if path.is_file() and os.access(path, os.R_OK))


def _load(target: SshTarget, files: tuple[str, ...]) -> ClientConfig:
    try:
        config = _read(target, files)
        if config.asks_final:
            config = _read(target, files, config)
        if config.not_understood:
            _ask_openssh(config, target)
        config.expand()
    except (ConfigParseError, ValueError) as error:
        raise SshError(f"ssh {target}", str(error), "correct the ssh configuration") from error
    except OSError as error:
        raise SshError(f"ssh {target}", f"{error.filename}: {error.strerror}") from error
    return config


def _read(target: SshTarget, files: tuple[str, ...], first: ClientConfig | None = None) -> ClientConfig:
    """Read all of them; a second time where a `Match final` waits for what the `first` reading found."""
    user: Any = target.user if target.user is not None else ()
    port: Any = target.port if target.port is not None else ()
    config = ClientConfig(_local_user(target), user, target.host, port, first)
    config.read(files)
    return config


def _ask_openssh(config: ClientConfig, target: SshTarget) -> None:
    file = None if target.config_file is None else _home(target.config_file)
    if file is None and not has_usual_home():
        file = str(Path("~/.ssh/config").expanduser())
    answer = asked(target, file)
    if answer is not None:
        config.take(answer)


def _known_hosts_files(target: SshTarget, options: dict[str, object]) -> tuple[str, ...]:
    """User's files first: the first is where a new key is written."""
    if target.known_hosts_file is not None:
        return (_home(target.known_hosts_file),)
    user = cast(list[str] | None, options.get("UserKnownHostsFile"))
    if user is None:
        user = ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]
    system = cast(list[str] | None, options.get("GlobalKnownHostsFile"))
    return tuple(_home(file) for file in [*user, *(SYSTEM_KNOWN_HOSTS if system is None else system)])


def _default_identities() -> tuple[str, ...]:
    return tuple(_home(f"~/.ssh/{name}") for name in DEFAULT_IDENTITIES)


def _agent_path(target: SshTarget, options: dict[str, object]) -> str:
    if not target.use_agent:
        return ""
    agent = options.get("IdentityAgent", "SSH_AUTH_SOCK")
    if agent is None:  # IdentityAgent none
        return ""
    if agent == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK", "")
    return _home(os.path.expandvars(str(agent)))


def _home(file: str) -> str:
    return str(Path(file).expanduser())


@dataclass(slots=True)
class Identities:
    """The keys for one connection: what can be offered, what is locked, what could not be read."""

    keys: list[asyncssh.SSHKeyPair] = field(default_factory=list)
    locked: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    agent_keys: int = 0
    agent_error: str = ""
    agent: asyncssh.SSHAgentClient | None = None

    def close(self) -> None:
        """Let go of the agent; its keys cannot sign any more."""
        if self.agent is not None:
            self.agent.close()
            self.agent = None


async def collect_identities(settings: SshSettings, passphrases: dict[str, str]) -> Identities:
    """The keys to offer: those of the agent that are also named as files, then the agent's others
    (unless IdentitiesOnly), then files (ssh_config(5), IdentityFile and IdentitiesOnly).

    `passphrases` maps files to what the operator entered.
    """
    found = Identities()
    named = _public_halves(settings.identity_files)
    from_agent = await _agent_keys(settings, found)
    found.agent_keys = len(from_agent)
    in_agent = {key.public_data for key in from_agent}
    first = [
        key for file in settings.identity_files for key in from_agent if key.public_data == named.get(file)
    ]
    rest = [] if settings.identities_only else [key for key in from_agent if key not in first]
    found.keys += [*first, *rest]
    for file in settings.identity_files:
        if named.get(file) not in in_agent:
            _add_key(file, settings, passphrases.get(file), found)
    return found


async def _agent_keys(settings: SshSettings, found: Identities) -> Sequence[asyncssh.SSHKeyPair]:
    if not settings.agent_path:
        return ()
    try:
        found.agent = await asyncssh.connect_agent(settings.agent_path)
        return await found.agent.get_keys()
    except (OSError, ValueError) as error:
        found.agent_error = getattr(error, "strerror", None) or str(error)
        found.close()
        return ()


def _public_halves(files: Sequence[str]) -> dict[str, bytes]:
    """Public key data of the identity files whose `.pub` is beside them."""
    halves = {}
    for file in files:
        for path in (f"{file}.pub", file):
            try:
                halves[file] = asyncssh.read_public_key(path).public_data
                break
            except (OSError, asyncssh.KeyImportError, ValueError):
                continue
    return halves


def _add_key(file: str, settings: SshSettings, passphrase: str | None, found: Identities) -> None:
    """Add the key in `file`. A file that is not there is passed over, as ssh does."""
    path = Path(file)
    if not path.exists():
        if settings.identities_explicit:
            found.unreadable.append(f"{file}: no such file")
        return
    certificates = [f for f in settings.certificate_files if Path(f).is_file()]
    try:
        found.keys += load_keypairs(path, passphrase, certificates)
    except asyncssh.KeyEncryptionError:
        found.locked.append(file)
    except asyncssh.KeyImportError as error:
        if "assphrase" in str(error):  # asyncssh: "Passphrase must be specified to import …"
            found.locked.append(file)
        else:
            found.unreadable.append(f"{file}: {error}")
    except OSError as error:
        found.unreadable.append(f"{file}: {error.strerror}")
