"""Connecting: host keys, client keys, ~/.ssh/config, and every way in which it fails."""

import asyncio
import os
import socket
import stat
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.connect_parts import ScriptedOperator, make_shell, open_shell, target, text
from tests.servers.fixtures import MakeProxy, MakeSshd
from tests.servers.ports import free_port, wait_until
from tests.servers.sshd import SshServer
from walconsole.domain.profile import SshTarget
from walconsole.errors import AuthenticationError, HostKeyError, ShellError, SshError

pytestmark = pytest.mark.server


def stranger(server: SshServer, folder: Path) -> SshTarget:
    """The server, unknown so far, with a known_hosts file in a folder that does not exist."""
    return replace(target(server), known_hosts_file=str(folder / "dot_ssh" / "known_hosts"))


async def refused(ssh: SshTarget, operator: ScriptedOperator | None = None) -> SshError:
    """The error of connecting to it."""
    async with open_shell(ssh, operator=operator) as shell:
        with pytest.raises(SshError) as raised:
            await shell.run("echo never")
    return raised.value


# --- before anybody asks


async def test_a_connection_that_was_begun_is_the_one_that_is_used(sshd: SshServer) -> None:
    async with open_shell(target(sshd)) as shell:
        shell.connection.dial()
        shell.connection.dial()
        assert await text(shell, "echo in") == "in"
        shell.connection.dial()
        assert shell.connection.connects == 1


async def test_who_asks_after_it_failed_is_told_why(sshd: SshServer) -> None:
    async with open_shell(replace(target(sshd), port=free_port())) as shell:
        shell.connection.dial()
        await asyncio.sleep(0.2)
        with pytest.raises(SshError, match="refused"):
            await shell.run(":")


# --- host keys


async def test_an_accepted_host_key_is_remembered(sshd: SshServer, tmp_path: Path) -> None:
    operator = ScriptedOperator(trusts=True)
    ssh = stranger(sshd, tmp_path)
    async with open_shell(ssh, operator=operator) as shell:
        assert await text(shell, "echo in") == "in"
    (question,) = operator.questions
    assert (question.host, question.port) == (sshd.host, sshd.port)
    assert question.algorithm == "ssh-ed25519"
    assert question.fingerprint == sshd.fingerprint()
    known = tmp_path / "dot_ssh" / "known_hosts"
    assert question.known_hosts_file == str(known)
    assert known.read_text() == sshd.known_hosts_file.read_text()
    assert mode(known) == 0o600
    assert mode(known.parent) == 0o700
    async with open_shell(ssh, operator=operator) as shell:
        assert await text(shell, "echo again") == "again"
    assert len(operator.questions) == 1


async def test_openssh_itself_accepts_what_was_written(sshd: SshServer, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("HashKnownHosts yes\n")
    ssh = replace(stranger(sshd, tmp_path), config_file=str(config))
    async with open_shell(ssh, operator=ScriptedOperator(trusts=True)) as shell:
        await shell.run(":")
    known = tmp_path / "dot_ssh" / "known_hosts"
    assert known.read_text().startswith("|1|")
    assert keygen("-F", f"[{sshd.host}]:{sshd.port}", "-f", known) == 0


async def test_a_file_without_a_last_newline_is_not_spoilt(sshd: SshServer, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text("other.example ssh-ed25519 AAAA")
    ssh = replace(target(sshd), known_hosts_file=str(known))
    async with open_shell(ssh, operator=ScriptedOperator(trusts=True)) as shell:
        await shell.run(":")
    lines = known.read_text().splitlines()
    assert lines[0] == "other.example ssh-ed25519 AAAA"
    assert lines[1].startswith(f"[{sshd.host}]:{sshd.port} ssh-ed25519 ")


async def test_a_refused_host_key_is_not_asked_about_again_until_a_retry(
    sshd: SshServer, tmp_path: Path
) -> None:
    operator = ScriptedOperator(trusts=False)
    async with open_shell(stranger(sshd, tmp_path), operator=operator) as shell:
        for _ in range(3):
            with pytest.raises(HostKeyError, match="not accepted"):
                await shell.run("echo never")
        assert len(operator.questions) == 1
        operator.trusts = True
        shell.retry()
        assert await text(shell, "echo in") == "in"
    assert len(operator.questions) == 2


async def test_one_question_for_many_callers(sshd: SshServer, tmp_path: Path) -> None:
    operator = ScriptedOperator(trusts=True)
    async with open_shell(stranger(sshd, tmp_path), operator=operator) as shell:
        assert await asyncio.gather(*(text(shell, "echo in") for _ in range(5))) == ["in"] * 5
    assert len(operator.questions) == 1


async def test_a_changed_host_key_is_refused_and_never_asked_about(make_sshd: MakeSshd) -> None:
    server = make_sshd()
    before = server.fingerprint()
    server.change_host_key()
    operator = ScriptedOperator(trusts=True)
    error = await refused(target(server), operator)
    assert isinstance(error, HostKeyError)
    assert "CHANGED" in error.why
    assert before in error.why
    assert server.fingerprint() in error.why
    assert f"{server.known_hosts_file}:1" in error.why
    assert f"ssh-keygen -R '[{server.host}]:{server.port}' -f {server.known_hosts_file}" in error.remedy
    assert operator.questions == []


async def test_a_host_known_by_another_kind_of_key_is_refused(sshd: SshServer, tmp_path: Path) -> None:
    key = tmp_path / "ecdsa"
    keygen("-q", "-t", "ecdsa", "-N", "", "-f", key)
    known = tmp_path / "known_hosts"
    known.write_text(f"[{sshd.host}]:{sshd.port} {key.with_suffix('.pub').read_text()}")
    operator = ScriptedOperator(trusts=True)
    error = await refused(replace(target(sshd), known_hosts_file=str(known)), operator)
    assert isinstance(error, HostKeyError)
    assert operator.questions == []


async def test_the_kind_of_key_that_is_known_is_asked_for(make_sshd: MakeSshd) -> None:
    """A server with an ECDSA key too, preferred or not, is still known by its ed25519 key."""
    server = make_sshd()
    key = server.folder / "second"
    keygen("-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", key)
    config = server.folder / "sshd_config"
    config.write_text(f"HostKey {key}\n{config.read_text()}")
    server._daemon.stop(children=True)
    server.start()
    async with open_shell(target(server)) as shell:
        assert (await shell.link()).host_key_fingerprint == server.fingerprint()


async def test_a_revoked_key_is_refused(sshd: SshServer, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    line = sshd.known_hosts_file.read_text()
    known.write_text(f"{line}@revoked * {line.split(' ', 1)[1]}")
    operator = ScriptedOperator(trusts=True)
    error = await refused(replace(target(sshd), known_hosts_file=str(known)), operator)
    assert isinstance(error, HostKeyError)
    assert f"revoked in {known}:2" in error.why
    assert operator.questions == []


async def test_a_certificate_authority_vouches_for_the_host(make_sshd: MakeSshd, tmp_path: Path) -> None:
    server = make_sshd()
    authority = server.new_key("authority")
    certificate = server.host_key_file.with_name("host-cert.pub")
    public = server.host_key_file.with_suffix(".pub")
    keygen("-q", "-s", authority, "-I", "host", "-h", "-n", server.host, public)
    server.restart({"HostCertificate": str(certificate)})
    known = tmp_path / "known_hosts"
    known.write_text(f"@cert-authority [127.0.*]:* {authority.with_suffix('.pub').read_text()}")
    async with open_shell(replace(target(server), known_hosts_file=str(known))) as shell:
        assert await text(shell, "echo in") == "in"


@pytest.mark.parametrize(
    ("strict", "asked", "let_in"), [("yes", 0, False), ("accept-new", 0, True), ("ask", 1, True)]
)
async def test_strict_host_key_checking(
    sshd: SshServer, tmp_path: Path, strict: str, asked: int, let_in: bool
) -> None:
    config = tmp_path / "config"
    config.write_text(f"Host *\n  StrictHostKeyChecking {strict}\n")
    operator = ScriptedOperator(trusts=True)
    ssh = replace(stranger(sshd, tmp_path), config_file=str(config))
    async with open_shell(ssh, operator=operator) as shell:
        if let_in:
            assert await text(shell, "echo in") == "in"
        else:
            with pytest.raises(HostKeyError, match="StrictHostKeyChecking"):
                await shell.run("echo never")
    assert len(operator.questions) == asked


async def test_known_hosts_that_keeps_nothing_is_asked_about_once(sshd: SshServer) -> None:
    operator = ScriptedOperator(trusts=True)
    ssh = replace(target(sshd), known_hosts_file="/dev/null")
    async with open_shell(ssh, operator=operator) as shell:
        assert await text(shell, "echo in") == "in"
        shell.connection.drop()
        assert await text(shell, "echo in") == "in"
    assert len(operator.questions) == 1


async def test_a_known_hosts_file_that_cannot_be_written_is_named(sshd: SshServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    known = tmp_path / "file" / "known_hosts"
    error = await refused(replace(target(sshd), known_hosts_file=str(known)), ScriptedOperator(trusts=True))
    assert f"cannot write {known}" in error.why


# --- client keys


async def test_a_wrong_key_is_offered_once_until_a_retry(make_sshd: MakeSshd) -> None:
    server = make_sshd()
    wrong = server.new_key("wrong")
    async with open_shell(replace(target(server), identity_files=(str(wrong),))) as shell:
        for _ in range(3):
            with pytest.raises(AuthenticationError, match="1 key offered, not accepted"):
                await shell.run("echo never")
        assert server.log().count("Failed publickey") == 1
        server.authorize(wrong)
        shell.retry()
        assert await text(shell, "echo in") == "in"


async def test_the_right_key_after_wrong_ones(make_sshd: MakeSshd) -> None:
    server = make_sshd()
    keys = (str(server.new_key("one")), str(server.folder / "missing"), str(server.identity_file))
    async with open_shell(replace(target(server), identity_files=keys)) as shell:
        assert await text(shell, "echo in") == "in"


async def test_too_many_keys_say_so(make_sshd: MakeSshd) -> None:
    server = make_sshd({"MaxAuthTries": "2"})
    keys = tuple(str(server.new_key(f"k{number}")) for number in range(4))
    error = await refused(replace(target(server), identity_files=keys))
    assert isinstance(error, AuthenticationError)
    assert "too many" in error.why
    assert "IdentitiesOnly" in error.remedy


async def test_no_key_at_all(sshd: SshServer, tmp_path: Path) -> None:
    missing = str(tmp_path / "nothing_here")
    error = await refused(replace(target(sshd), identity_files=(missing,)))
    assert isinstance(error, AuthenticationError)
    assert "no key to offer" in error.why
    assert missing in error.why


@pytest.mark.parametrize(
    ("phrase", "prompts"), [("open sesame", 1), ("wrong", 1), (None, 1)], ids=["right", "wrong", "none"]
)
async def test_a_locked_key_asks_once(make_sshd: MakeSshd, phrase: str | None, prompts: int) -> None:
    server = make_sshd()
    key = server.new_key("locked", passphrase="open sesame")
    server.authorize(key)
    operator = ScriptedOperator(phrase=phrase)
    ssh = replace(target(server), identity_files=(str(key),))
    async with open_shell(ssh, operator=operator) as shell:
        if phrase == "open sesame":
            assert await text(shell, "echo in") == "in"
            shell.connection.drop()
            assert await text(shell, "echo in") == "in"
        else:
            why = "stayed locked" if phrase is None else "does not open with that passphrase"
            for _ in range(2):
                with pytest.raises(AuthenticationError, match=why) as raised:
                    await shell.run("echo never")
                assert "wrong" not in str(raised.value)
    assert len(operator.prompts) == prompts
    assert str(key) in operator.prompts[0]


def keygen(*arguments: str | Path) -> int:
    """Run ssh-keygen; its exit status."""
    return subprocess.run(["ssh-keygen", *arguments], capture_output=True, check=False).returncode


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@asynccontextmanager
async def agent(folder: Path, *keys: Path) -> AsyncIterator[str]:
    """A real ssh-agent with these keys; its socket."""
    path = folder / "agent.sock"
    process = await asyncio.create_subprocess_exec(
        "ssh-agent", "-D", "-a", path, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await asyncio.to_thread(wait_until, path.exists, "the agent listens")
        for key in keys:
            add = ["ssh-add", "-q", str(key)]
            await asyncio.to_thread(
                subprocess.run, add, check=True, env=os.environ | {"SSH_AUTH_SOCK": str(path)}
            )
        yield str(path)
    finally:
        process.terminate()
        await process.wait()


async def test_the_agent_s_key_is_used(
    sshd: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with agent(tmp_path, sshd.identity_file) as path:
        monkeypatch.setenv("SSH_AUTH_SOCK", path)
        ssh = replace(target(sshd), use_agent=True, identity_files=(str(tmp_path / "none"),))
        async with open_shell(ssh) as shell:
            assert await text(shell, "echo in") == "in"


async def test_an_agent_without_keys_is_told(
    sshd: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with agent(tmp_path) as path:
        monkeypatch.setenv("SSH_AUTH_SOCK", path)
        error = await refused(replace(target(sshd), use_agent=True, identity_files=(str(tmp_path / "none"),)))
    assert isinstance(error, AuthenticationError)
    assert "the agent has no keys" in error.why
    assert "ssh-add" in error.remedy


async def test_a_dead_agent_is_told(sshd: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
    error = await refused(replace(target(sshd), use_agent=True, identity_files=(str(tmp_path / "none"),)))
    assert "the agent cannot be asked" in error.why


# --- the way there


async def test_an_alias_of_the_configuration(sshd: SshServer, tmp_path: Path) -> None:
    included = tmp_path / "included"
    included.write_text(
        f"Host droplet\n  HostName {sshd.host}\n  Port {sshd.port}\n  User {sshd.user}\n"
        f"  IdentityFile {sshd.identity_file}\n  UserKnownHostsFile {sshd.known_hosts_file}\n"
        "Match originalhost nobody\n  User nobody\n"
    )
    config = tmp_path / "config"
    config.write_text(
        f"Include {included}\nHost *\n  SendEnv LANG LC_*\n  RequestTTY force\n  ForwardAgent yes\n"
    )
    async with open_shell(SshTarget("droplet", config_file=str(config), use_agent=False)) as shell:
        assert await text(shell, "test -t 0 || echo no terminal") == "no terminal"


@pytest.mark.parametrize(
    ("configured", "used"), [("", "aes256-gcm@openssh.com"), ("  Ciphers aes128-ctr\n", "aes128-ctr")]
)
async def test_the_quickest_cipher_unless_another_is_configured(
    sshd: SshServer, tmp_path: Path, configured: str, used: str
) -> None:
    config = tmp_path / "config"
    config.write_text(f"Host *\n{configured}")
    async with open_shell(replace(target(sshd), config_file=str(config))) as shell:
        connection = await shell.connection.get()
        assert connection.get_extra_info("send_cipher") == used


async def test_a_server_that_has_another_cipher_alone(make_sshd: MakeSshd) -> None:
    async with open_shell(target(make_sshd({"Ciphers": "chacha20-poly1305@openssh.com"}))) as shell:
        assert await text(shell, "echo in") == "in"


async def test_through_a_jump_host(sshd: SshServer, make_sshd: MakeSshd, tmp_path: Path) -> None:
    jump = make_sshd()
    known = tmp_path / "known_hosts"
    known.write_text(sshd.known_hosts_file.read_text())
    jump.authorize(sshd.identity_file)
    config = tmp_path / "config"
    way = f"ProxyJump {jump.user}@localhost:{jump.port}"
    config.write_text(f"Host inner\n  HostName {sshd.host}\n  Port {sshd.port}\n  {way}\n")
    operator = ScriptedOperator(trusts=True)
    ssh = replace(target(sshd), host="inner", port=None, config_file=str(config), known_hosts_file=str(known))
    async with open_shell(ssh, operator=operator) as shell:
        assert await text(shell, "echo in") == "in"
        assert (await shell.link()).address == f"{sshd.host}:{sshd.port}"
    assert [(q.host, q.port) for q in operator.questions] == [("localhost", jump.port)]
    jump.stop()
    error = await refused(ssh, operator)
    assert f"localhost:{jump.port}" in error.tried
    assert error.why == f"its jump host {jump.user}@localhost:{jump.port}: connection refused"
    assert error.why in str(error)


async def test_a_jump_host_that_may_not_forward(sshd: SshServer, make_sshd: MakeSshd, tmp_path: Path) -> None:
    jump = make_sshd({"AllowTcpForwarding": "no"})
    jump.authorize(sshd.identity_file)
    config = tmp_path / "config"
    config.write_text(
        f"Host inner\n  HostName {sshd.host}\n  Port {sshd.port}\n  ProxyJump {jump.host}:{jump.port}\n"
    )
    ssh = replace(target(sshd), host="inner", port=None, config_file=str(config))
    error = await refused(ssh, ScriptedOperator(trusts=True))
    assert "AllowTcpForwarding" in error.remedy


async def test_a_proxy_command(sshd: SshServer, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("ProxyCommand sh -c 'echo noise >&2; exec nc %h %p'\n")
    async with open_shell(replace(target(sshd), config_file=str(config))) as shell:
        assert await text(shell, "echo in") == "in"


async def test_a_proxy_command_that_ends_is_named(sshd: SshServer, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("ProxyCommand false %h\n")
    error = await refused(replace(target(sshd), config_file=str(config)))
    assert f"ProxyCommand ended: false {sshd.host}" in error.why


async def test_jumps_in_a_circle(sshd: SshServer, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
    error = await refused(replace(target(sshd), host="a", config_file=str(config)))
    assert error.why == "ProxyJump leads in a circle"


async def test_a_wrong_line_in_the_configuration_is_named(sshd: SshServer, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host *\n  Port many\n")
    error = await refused(replace(target(sshd), port=None, config_file=str(config)))
    assert f"{config} line 2" in error.why


async def test_a_missing_configuration_file_is_named(sshd: SshServer, tmp_path: Path) -> None:
    error = await refused(replace(target(sshd), config_file=str(tmp_path / "nowhere")))
    assert str(tmp_path / "nowhere") in error.why


async def test_no_configuration_at_all_is_dev_null(sshd: SshServer) -> None:
    async with open_shell(replace(target(sshd), config_file="/dev/null")) as shell:
        assert await text(shell, "echo here") == "here"


@pytest.mark.parametrize(
    ("host", "port", "why"),
    [
        ("walconsole.invalid", 22, "unknown host walconsole.invalid"),
        ("127.0.0.1", None, "connection refused"),
        ("localhost", None, "connection refused"),
        ("a..b", 22, "unknown host"),
    ],
)
async def test_an_address_that_does_not_answer(
    sshd: SshServer, host: str, port: int | None, why: str
) -> None:
    error = await refused(replace(target(sshd), host=host, port=port or free_port()))
    assert why in error.why
    assert error.remedy
    assert "\n" not in error.line()


@pytest.mark.parametrize(
    "greeting",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x\r\n" * 2000, b"SSH-1.5-old\r\n", b"\x00\xff" * 9000, b""],
)
async def test_something_else_listens(sshd: SshServer, greeting: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    error = await refused(target(sshd, port=port))
    server.close()
    await server.wait_closed()
    assert any(sign in error.why for sign in ("SSH", "closed", "reset"))
    assert error.remedy
    assert "\x00" not in error.line()


async def test_a_port_that_stays_silent_times_out(sshd: SshServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ssh = replace(target(sshd, port=silent.getsockname()[1]), connect_timeout_s=0.3)
        error = await refused(ssh)
    assert "no answer within 0.3 s" in error.why


async def test_failures_are_not_repeated_without_a_pause(sshd: SshServer, make_proxy: MakeProxy) -> None:
    """Ten probes that fail at once are one attempt."""
    proxy = make_proxy(free_port())
    async with open_shell(target(sshd, port=proxy.port)) as shell:
        errors = [await _failure(shell.run(":")) for _ in range(10)]
    assert len({error.line() for error in errors}) == 1
    assert proxy.traffic.connections <= 2


async def test_a_closed_shell_does_not_come_back(sshd: SshServer) -> None:
    shell = make_shell(target(sshd))
    await shell.run(":")
    await shell.aclose()
    await shell.aclose()
    with pytest.raises(SshError, match="closing"):
        await shell.run(":")


async def _failure(call: "asyncio.Future[object] | object") -> SshError:
    with pytest.raises((SshError, ShellError)) as raised:
        await call  # type: ignore[misc]  # a coroutine
    assert isinstance(raised.value, SshError)
    return raised.value
