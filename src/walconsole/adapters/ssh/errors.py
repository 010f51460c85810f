"""What asyncssh and the operating system say about a failed connection, in one line with what to do."""

import asyncio
import errno
import socket
from collections.abc import Collection

import asyncssh

from walconsole.adapters.ssh.settings import Identities, SshSettings
from walconsole.domain.redaction import safe
from walconsole.errors import AuthenticationError, ShellError, SshError

_REMEDY_BY_ERRNO = {
    errno.ECONNREFUSED: (
        "connection refused",
        "check the port, and that sshd runs and no firewall rejects this address",
    ),
    errno.EHOSTUNREACH: ("no route to the host", "check the address, the network and the VPN"),
    errno.ENETUNREACH: ("the network is unreachable", "check this machine's network and the VPN"),
    errno.ETIMEDOUT: ("no answer", "check the address and the firewall"),
    errno.ECONNRESET: (
        "the connection was reset",
        "sshd may be refusing this address (MaxStartups, fail2ban)",
    ),
}

_HUNG_UP = (asyncssh.ConnectionLost, BrokenPipeError, ConnectionResetError)
"""How a program that ended is met, by what comes first: reading of it, or writing to it."""


def connection_error(error: BaseException, settings: SshSettings, timeout_s: float) -> SshError:
    """`error`, raised while connecting to `settings`, as one of ours. Authentication is not in here."""
    found = _connection_error(error, settings, timeout_s)
    return SshError(found.tried, found.why, _with_lines_passed_over(found.remedy, settings))


def _with_lines_passed_over(remedy: str, settings: SshSettings) -> str:
    """A line of the ssh configuration that was not understood may be what would have led there."""
    if not settings.not_understood:
        return remedy
    passed = safe(settings.not_understood[0])
    return f"{remedy}{'; ' if remedy else ''}of the ssh configuration this was passed over: {passed}"


def _connection_error(error: BaseException, settings: SshSettings, timeout_s: float) -> SshError:
    tried = f"ssh {settings.user}@{settings.address}"
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)) and not getattr(error, "errno", None):
        why = f"no answer within {timeout_s:g} s"
        return SshError(tried, why, "check the address, the port and the firewall")
    if isinstance(error, (socket.gaierror, UnicodeError)):  # UnicodeError: no name of the DNS could be it
        why = f"unknown host {safe(settings.host)} ({getattr(error, 'strerror', 'not a name')})"
        return SshError(tried, why, "check the name and the DNS")
    if settings.proxy_command and isinstance(error, _HUNG_UP):
        why = f"its ProxyCommand ended: {safe(settings.proxy_command)}"
        return SshError(tried, why, "run the command by hand: what it says there is not seen here")
    if isinstance(error, OSError):
        return _os_error(error, tried)
    if isinstance(error, asyncssh.ChannelOpenError):
        return SshError(
            tried,
            f"the jump host could not reach it: {safe(error.reason)}",
            "check the address as seen from the jump host, and AllowTcpForwarding there",
        )
    return _protocol_error(error, tried)


def _os_error(error: OSError, tried: str) -> SshError:
    number = error.errno
    if number is None and "Multiple exceptions" in str(error):  # asyncio: one per address of the host
        number = next((code for code in _REMEDY_BY_ERRNO if f"[Errno {code}]" in str(error)), None)
    why, remedy = _REMEDY_BY_ERRNO.get(number or 0, (safe(error.strerror or str(error)), ""))
    return SshError(tried, why, remedy)


def _protocol_error(error: BaseException, tried: str) -> SshError:
    text = safe(getattr(error, "reason", "") or str(error))
    if isinstance(error, (asyncssh.ProtocolNotSupported, asyncssh.ProtocolError)):
        return SshError(tried, f"what answers does not speak SSH 2: {text}", "check the port")
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return SshError(tried, text, "client and server share no algorithm: see both ssh configurations")
    if isinstance(error, asyncssh.ConnectionLost):
        return SshError(
            tried,
            "the connection was closed before it was set up",
            "what listens there may not be sshd, or sshd refuses this address (MaxStartups, fail2ban)",
        )
    return SshError(tried, text or type(error).__name__)


def authentication_error(
    error: asyncssh.Error, settings: SshSettings, keys: Identities, wrong: Collection[str] = ()
) -> AuthenticationError:
    """None of `keys` was accepted; the files in `wrong` did not open with the passphrase that was given."""
    tried = f"ssh {settings.user}@{settings.address}"
    if "oo many authentication failures" in error.reason:
        return AuthenticationError(
            tried,
            f"sshd gave up after too many of the {len(keys.keys)} keys offered",
            "name the key in the profile (identity_files) and set IdentitiesOnly yes in ~/.ssh/config",
        )
    if not keys.keys:
        remedy = _with_lines_passed_over(_no_key_remedy(keys), settings)
        return AuthenticationError(tried, _no_key(settings, keys, wrong), remedy)
    offered = f"{len(keys.keys)} key{'s' if len(keys.keys) > 1 else ''}"
    why = f"{offered} offered, none accepted" if len(keys.keys) > 1 else f"{offered} offered, not accepted"
    if keys.unreadable:
        why += f" ({safe('; '.join(keys.unreadable))})"
    return AuthenticationError(
        tried,
        why,
        _with_lines_passed_over(
            f"check the user name, and that ~{settings.user}/.ssh/authorized_keys there has the key", settings
        ),
    )


def _no_key(settings: SshSettings, keys: Identities, wrong: Collection[str]) -> str:
    agent = "no agent"
    if keys.agent_error:
        agent = f"the agent cannot be asked ({safe(keys.agent_error)})"
    elif settings.agent_path:
        agent = "the agent has no keys" if not keys.agent_keys else "the agent has none of the named keys"
    files = "; ".join(keys.unreadable) or "no identity file"
    if keys.locked:
        files = ", ".join(
            f"{file} {'does not open with that passphrase' if file in wrong else 'stayed locked'}"
            for file in keys.locked
        )
    return f"no key to offer: {agent}, {safe(files)}"


def _no_key_remedy(keys: Identities) -> str:
    if keys.locked:
        return "r asks for the passphrase again; or load the key into the agent with ssh-add"
    return "load a key with ssh-add, or name one in the profile (identity_files)"


def channel_error(tried: str, error: asyncssh.ChannelOpenError) -> ShellError:
    """sshd would not open one more channel on a connection that works."""
    reason = safe(error.reason)
    if error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
        return ShellError(
            tried, f"sshd forbids it ({reason})", "allow it in sshd_config (AllowTcpForwarding)"
        )
    if error.code == asyncssh.OPEN_REQUEST_SESSION_FAILED:
        return ShellError(tried, "sshd would not run a command", "check ForceCommand and the user's shell")
    return ShellError(
        tried, f"sshd opened no further session ({reason})", "raise MaxSessions in sshd_config to 10 or more"
    )
