"""Which keys are offered to a server, in OpenSSH's order, and where their passphrases come from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
from asyncssh.public_key import load_keypairs

from walconsole.adapters.ssh.settings import SshSettings


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


async def collect(settings: SshSettings, passphrases: dict[str, str]) -> Identities:
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
            _load(file, settings, passphrases.get(file), found)
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


def _load(file: str, settings: SshSettings, passphrase: str | None, found: Identities) -> None:
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
