"""What is said of a connection that did not come about, by what was met first."""

import errno

import asyncssh
import pytest

from walconsole.adapters.ssh.errors import connection_error
from walconsole.adapters.ssh.settings import SshSettings

_MET = (
    asyncssh.ConnectionLost("Connection lost"),
    BrokenPipeError(errno.EPIPE, "Broken pipe"),
    ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
)


def settings(proxy_command: str) -> SshSettings:
    return SshSettings(
        alias="db", host="db.example.net", port=22, user="root", host_key_alias="", known_hosts_files=(),
        identity_files=(), identities_explicit=False, identities_only=False, certificate_files=(),
        agent_path="", jump=None, proxy_command=proxy_command or None, strict="ask", hash_known_hosts=False,
        host_key_algorithms_configured=False,
    )  # fmt: skip


@pytest.mark.parametrize("error", _MET, ids=lambda error: type(error).__name__)
def test_a_proxy_command_that_ended_is_named_however_it_is_met(error: Exception) -> None:
    found = connection_error(error, settings("ssh -W %h:%p gate"), 5.0)
    assert "its ProxyCommand ended: ssh -W %h:%p gate" in found.why
    assert "by hand" in found.remedy


def test_without_one_the_system_s_own_word_is_told() -> None:
    found = connection_error(BrokenPipeError(errno.EPIPE, "Broken pipe"), settings(""), 5.0)
    assert "ProxyCommand" not in str(found)
    assert "Broken pipe" in found.why
