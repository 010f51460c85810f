"""What OpenSSH itself would use for a host: `ssh -G`, where it is installed."""

import os
import pwd
import tempfile
from collections.abc import Callable, Mapping

from walconsole.adapters.ssh.local import run_here
from walconsole.domain.profile import SshTarget

_TIMEOUT_S = 5.0
_MOST_BYTES = 256 * 1024
_LISTS = frozenset({"identityfile", "certificatefile"})
_DEFAULT_IDENTITY = "~/.ssh/id_"
"""Where all are like this, they may be what OpenSSH tries by itself: the configuration need not name them."""
_NAMES = {
    "hostname": "Hostname", "port": "Port", "user": "User", "proxyjump": "ProxyJump",
    "proxycommand": "ProxyCommand", "identityfile": "IdentityFile", "certificatefile": "CertificateFile",
    "hostkeyalias": "HostKeyAlias", "identityagent": "IdentityAgent", "identitiesonly": "IdentitiesOnly",
    "userknownhostsfile": "UserKnownHostsFile", "globalknownhostsfile": "GlobalKnownHostsFile",
    "hashknownhosts": "HashKnownHosts", "stricthostkeychecking": "StrictHostKeyChecking",
}  # fmt: skip
_STRICT = {"true": "yes", "false": "no"}
_READ: Mapping[str, Callable[[str], object]] = {
    "userknownhostsfile": str.split,
    "globalknownhostsfile": str.split,
    "identitiesonly": lambda value: value == "yes",
    "hashknownhosts": lambda value: value == "yes",
    "stricthostkeychecking": lambda value: _STRICT.get(value, value),
}


def asked(target: SshTarget, config_file: str | None) -> dict[str, object] | None:
    """OpenSSH's options by asyncssh's names; None where it is not there, or does not take its configuration.

    No shell is in between, and it ends within seconds; a Match exec of its configuration is run, as it
    always is. `config_file` is the profile's, None for OpenSSH's usual ones.
    """
    user = ["-l", target.user] if target.user else []
    port = ["-p", str(target.port)] if target.port else []
    file = ["-F", config_file] if config_file else []
    command = ["ssh", "-G", "-T", *file, *user, *port, "--", target.host]
    if target.host.startswith("-"):
        return None
    with tempfile.TemporaryFile() as output:
        status = run_here(command, timeout_s=_TIMEOUT_S, output=output)
        output.seek(0)
        answer = output.read(_MOST_BYTES)
    return options_of(answer) if status == 0 else None


def has_usual_home(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether OpenSSH, which goes by the user's entry and not by HOME, would read the same ~/.ssh/config."""
    try:
        return environment.get("HOME", "") == pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return False


def options_of(answer: bytes) -> dict[str, object] | None:
    """The options in an answer of `ssh -G`, a line each; None where it names no host name and port."""
    found: dict[str, object] = {}
    lists: dict[str, list[str]] = {name: [] for name in _LISTS}
    for line in answer.decode("utf-8", "replace").splitlines():
        keyword, _, value = line.strip().partition(" ")
        if not value.isprintable() or keyword not in _NAMES:
            continue
        if keyword in _LISTS:
            lists[keyword].append(value)
        elif value != "none":
            found[_NAMES[keyword]] = _READ.get(keyword, str)(value)
    for keyword, values in lists.items():
        if any(value != "none" and not value.startswith(_DEFAULT_IDENTITY) for value in values):
            found[_NAMES[keyword]] = [value for value in values if value != "none"]
    port = str(found.get("Port", ""))
    if not found.get("Hostname") or not (port.isascii() and port.isdigit()):
        return None
    return found | {"Port": int(port)}
