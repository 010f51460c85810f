"""The long-lived shell on a real OpenSSH server."""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.connect_parts import open_shell, target, text, through
from tests.servers.fixtures import MakeProxy, MakeSshd
from tests.servers.sshd import SshServer
from tests.servers.workspace import Workspace
from walconsole.adapters.ssh import frames as ssh_frames
from walconsole.adapters.ssh.shell import SshShell
from walconsole.domain.patience import Patience
from walconsole.errors import ShellError
from walconsole.observe.host.invocation import as_user

pytestmark = pytest.mark.server

needs_root = pytest.mark.root("only root can let another user log in")


@pytest.mark.parametrize(
    ("script", "stdout", "status"),
    [
        ("printf 'no newline'", b"no newline", 0),
        ("echo out; echo err >&2; exit 3", b"out\nerr\n", 3),
        ("printf '\\377\\000\\033[31m'", b"\xff\x00\x1b[31m", 0),
        ("", b"", 0),
        ("# only a comment", b"", 0),
        ('cat; echo "quotes \' \\""', b"quotes ' \"\n", 0),
        ("exec true", b"", 0),
        (
            "printf '%s %d\\n' ']00000000000000000000000000000000' 0",
            b"]00000000000000000000000000000000 0\n",
            0,
        ),
        ("cat <<'END'\nhere\nEND", b"here\n", 0),
        ("pwd; echo $LC_ALL", b"/\nC\n", 0),
        ("head -c 300000 /dev/zero", bytes(300_000), 0),
    ],
)
async def test_output_and_status_come_back_as_they_were(
    sshd: SshServer, script: str, stdout: bytes, status: int
) -> None:
    async with open_shell(target(sshd)) as shell:
        answer = await shell.run(script)
        assert (answer.stdout, answer.status) == (stdout, status)
        assert answer.sent_at <= answer.answered_at


async def test_a_syntax_error_is_the_script_s_own(sshd: SshServer) -> None:
    async with open_shell(target(sshd)) as shell:
        answer = await shell.run("if then fi )")
        assert answer.status == 2
        assert b"yntax error" in answer.stdout
        assert await text(shell, "echo next") == "next"


async def test_nothing_leaks_from_one_script_into_the_next(sshd: SshServer) -> None:
    async with open_shell(target(sshd)) as shell:
        await shell.run("cd /tmp; leak=1; umask 0; (sleep 0.1; echo late) & echo started")
        await asyncio.sleep(0.4)
        assert await text(shell, "pwd; echo [$leak]") == "/\n[]"


async def test_one_process_serves_all_scripts(sshd: SshServer) -> None:
    async with open_shell(target(sshd)) as shell:
        pids = {await text(shell, "echo $$") for _ in range(5)}
        assert len(pids) == 1


async def test_concurrent_scripts_share_their_round_trips(
    sshd: SshServer, make_proxy: MakeProxy, tmp_path: Path
) -> None:
    proxy = make_proxy(sshd.port)
    async with open_shell(through(sshd, proxy.port, tmp_path)) as shell:
        await shell.run(":")
        proxy.delay(0.1)
        began = time.monotonic()
        answers = await asyncio.gather(*(text(shell, f"echo {number}") for number in range(8)))
        assert answers == [str(number) for number in range(8)]
        assert time.monotonic() - began < 0.6  # one by one it would be 1.6 s


async def test_the_first_answer_costs_about_eight_round_trips(
    sshd: SshServer, make_proxy: MakeProxy, tmp_path: Path
) -> None:
    """asyncssh's own way takes ten: two questions before it signs."""
    near, far, round_trip_s = make_proxy(sshd.port), make_proxy(sshd.port), 0.3
    far.delay(round_trip_s / 2)

    async def took_s(port: int) -> float:
        began = time.monotonic()
        async with open_shell(through(sshd, port, tmp_path)) as shell:
            await shell.run(":")
            return time.monotonic() - began

    # What both ends compute is taken off, and the best of three taken: the machine may be busy.
    near_s = [await took_s(near.port) for _ in range(3)]
    far_s = [await took_s(far.port) for _ in range(3)]
    assert (min(far_s) - min(near_s)) / round_trip_s < 9, (near_s, far_s)


async def test_a_script_that_runs_too_long_is_killed_with_its_children(sshd: SshServer) -> None:
    async with open_shell(target(sshd)) as shell:
        with pytest.raises(ShellError, match="longer than") as raised:
            await shell.run("sleep 86399; echo never", timeout_s=0.3)
        assert raised.value.code == "Hangs"
        assert await text(shell, "echo next") == "next"
        await _gone(shell, "sleep 86399")


async def test_scripts_behind_one_that_hangs_are_run_all_the_same(sshd: SshServer) -> None:
    async with open_shell(target(sshd)) as shell:
        hung, *others = await asyncio.gather(
            shell.run("sleep 86398", timeout_s=0.5),
            text(shell, "echo one", timeout_s=2),
            text(shell, "echo two", timeout_s=2),
            return_exceptions=True,
        )
        assert isinstance(hung, ShellError)
        assert others == ["one", "two"]


async def test_closing_ends_what_still_runs(sshd: SshServer) -> None:
    async with open_shell(target(sshd)) as shell:
        running = asyncio.create_task(shell.run("sleep 86397", timeout_s=60))
        await text(shell, ":") if running.done() else await asyncio.sleep(0.3)
        running.cancel()
    async with open_shell(target(sshd)) as shell:
        await _gone(shell, "sleep 86397")


async def test_a_cancelled_call_does_not_confuse_the_next(sshd: SshServer) -> None:
    async with open_shell(target(sshd)) as shell:
        await shell.run(":")
        call = asyncio.create_task(shell.run("sleep 0.3; echo first"))
        await asyncio.sleep(0.1)
        call.cancel()
        assert await text(shell, "echo second") == "second"
        assert call.cancelled()


async def test_endless_output_is_cut_off(sshd: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_frames, "OUTPUT_LIMIT", 1 << 20)
    async with open_shell(target(sshd)) as shell:
        with pytest.raises(ShellError, match="printed more than"):
            await shell.run("yes 86396", timeout_s=20)
        assert await text(shell, "echo next") == "next"
        await _gone(shell, "yes 86396")


async def test_a_shell_that_is_killed_is_replaced(sshd: SshServer) -> None:
    async with open_shell(target(sshd)) as shell:
        assert await text(shell, "echo before") == "before"
        with pytest.raises(ShellError, match="the shell ended"):
            await shell.run("kill -s KILL $$; sleep 1")
        assert await text(shell, "echo after") == "after"
        assert (await shell.link()).reconnects == 0


async def test_a_talkative_login_shell_does_no_harm(make_sshd: MakeSshd, tmp_path: Path) -> None:
    greeting = tmp_path / "greeting.sh"
    greeting.write_text("printf 'Welcome ] 0\\nto \\377 this host'; echo warning >&2\n")
    greeting.chmod(0o644)
    server = make_sshd({"SetEnv": f"BASH_ENV={greeting}"})
    async with open_shell(target(server)) as shell:
        assert await text(shell, "echo clean") == "clean"
        assert [chunk async for chunk in shell.stream("echo clean")] == [b"clean\n"]


@pytest.mark.parametrize(
    "sudo", [False, pytest.param(True, marks=pytest.mark.root("another user's sudo may want a password"))]
)
async def test_a_login_shell_that_spoils_the_path_does_no_harm(
    make_sshd: MakeSshd, tmp_path: Path, sudo: bool
) -> None:
    spoiling = tmp_path / "spoiling.sh"
    spoiling.write_text("export PATH=/nowhere\n")
    spoiling.chmod(0o644)
    server = make_sshd({"SetEnv": f"BASH_ENV={spoiling}"})
    async with open_shell(target(server), sudo=sudo) as shell:
        assert await text(shell, "id -u") == str(os.geteuid())
        assert [chunk async for chunk in shell.stream("echo $(id -u)")] == [b"%d\n" % os.geteuid()]


async def test_sessions_used_up_name_the_setting(make_sshd: MakeSshd) -> None:
    server = make_sshd({"MaxSessions": "1"})
    async with open_shell(target(server)) as shell:
        assert await text(shell, "echo one") == "one"
        with pytest.raises(ShellError, match="MaxSessions"):
            await anext(aiter(shell.stream("echo two")))
        assert await text(shell, "echo still") == "still"


def _logins(server: SshServer) -> int:
    return server.log().count("Accepted publickey")


async def test_a_shell_beside_shares_the_connection_and_leaves_it_open(make_sshd: MakeSshd) -> None:
    server = make_sshd({})
    async with open_shell(target(server)) as shell:
        beside = shell.beside()
        slow = asyncio.create_task(text(beside, "sleep 1; echo $$"))
        await asyncio.sleep(0.2)
        begun = time.monotonic()
        own = await text(shell, "echo $$")
        assert time.monotonic() - begun < 0.7
        assert await slow != own
        assert [chunk async for chunk in beside.stream("echo said")] == [b"said\n"]
        await beside.aclose()
        assert await text(shell, "echo $$") == own
        assert await text(beside, "echo again") == "again"
        await beside.aclose()
    assert _logins(server) == 1


async def test_what_a_shell_beside_runs_ends_with_it(make_sshd: MakeSshd) -> None:
    server = make_sshd({})
    async with open_shell(target(server)) as shell:
        beside = shell.beside()
        running = asyncio.create_task(beside.run("sleep 86395"))
        await text(shell, "until pgrep -f '[s]leep 86395$'; do sleep 0.1; done")
        running.cancel()
        await beside.aclose()
        await _gone(shell, "sleep 86395")
    assert _logins(server) == 1


async def test_without_room_for_another_session_a_shell_beside_makes_a_connection(
    make_sshd: MakeSshd,
) -> None:
    server = make_sshd({"MaxSessions": "1"})
    async with open_shell(target(server)) as shell:
        own = await text(shell, "echo $$")
        beside = shell.beside()
        assert await text(beside, "echo other") == "other"
        assert (_logins(server), beside.connection.connected) == (2, True)
        extra = beside.connection
        await beside.aclose()
        assert not extra.connected
        assert await text(shell, "echo $$") == own


async def test_a_forced_command_is_told(make_sshd: MakeSshd) -> None:
    server = make_sshd({"ForceCommand": "/bin/echo This is not available."})
    async with open_shell(target(server)) as shell:
        with pytest.raises(ShellError, match="not available") as raised:
            await shell.run("echo never")
        assert "ForceCommand" in raised.value.remedy


async def test_the_link_tells_what_it_is(sshd: SshServer) -> None:
    async with open_shell(target(sshd)) as shell:
        link = await shell.link()
    assert link.address == f"{sshd.host}:{sshd.port}"
    assert link.user == sshd.user
    assert link.server_version.startswith("SSH-2.0-OpenSSH")
    assert link.host_key_fingerprint == sshd.fingerprint()
    assert 0 < link.round_trip_s < 5
    assert link.reconnects == 0


@pytest.mark.root("the server's user is not root")
async def test_root_needs_no_sudo(make_sshd: MakeSshd) -> None:
    server = make_sshd({"SetEnv": "PATH=/bin:/usr/bin:/nowhere"})
    async with open_shell(target(server), sudo=True) as shell:
        assert await text(shell, "id -u") == "0"


@needs_root
async def test_sudo_that_wants_a_password_is_told(make_sshd: MakeSshd) -> None:
    server = make_sshd({"UsePAM": "yes"})  # postgres has no password: sshd alone would not let it in
    async with open_shell(target(server, user="postgres"), sudo=True) as shell:
        with pytest.raises(ShellError, match="NOPASSWD") as raised:
            await shell.run("id -u")
        assert raised.value.code == "Sudo"
    async with open_shell(target(server, user="postgres")) as shell:
        assert await text(shell, "id -un") == "postgres"


@contextmanager
def host_with_sudo(workspace: Workspace, rules: str) -> Iterator[SshServer]:
    """A host whose name is not resolved, with the real sudo and these rules, which it alone sees."""
    folder = workspace.folder("sudoers.d")
    (folder / "rules").write_text(rules)
    (folder / "rules").chmod(0o440)
    own = f'mount --bind {folder} /etc/sudoers.d && hostname no.such.host.invalid && exec "$@"'
    behind = ("unshare", "--mount", "--uts", "sh", "-c", own, "sh")
    if subprocess.run([*behind, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no namespace can be made here")
    server = SshServer(workspace, {"UsePAM": "yes"}, behind=behind)
    server.start()
    try:
        yield server
    finally:
        server.stop()


_NOISE = "Defaults lecture=always\n"


PATIENT_S = 30.0
"""sudo asks for a host name that nobody knows, once a call, and on a busy machine that takes its time."""


@needs_root
@pytest.mark.parametrize("broken", ["", "this is no rule\n"])
async def test_sudo_that_prints_what_it_likes_does_no_harm(workspace: Workspace, broken: str) -> None:
    """It complains of the host's name, and of a rule, at every call."""
    with host_with_sudo(workspace, f"{_NOISE}postgres ALL=(ALL) NOPASSWD: ALL\n{broken}") as server:
        where = target(server, user="postgres")
        async with open_shell(where, sudo=True) as shell:
            assert await text(shell, "id -u", timeout_s=PATIENT_S) == "0"
            assert [chunk async for chunk in shell.stream("id -u")] == [b"0\n"]
            assert (
                await text(shell, as_user("nobody", "id -un; echo words >&2"), timeout_s=PATIENT_S)
                == "nobody\nwords"
            )
        async with open_shell(where) as shell:
            noise = await text(shell, "sudo -n true 2>&1", timeout_s=PATIENT_S)
            assert "unable to resolve host" in noise
            assert (
                await text(shell, as_user("nobody", "id -un; echo words >&2"), timeout_s=PATIENT_S)
                == "nobody\nwords"
            )
            assert (await shell.run(as_user("nobody", "exit 42"), timeout_s=PATIENT_S)).status == 42


@needs_root
@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ("postgres ALL=(ALL) ALL\n", "sudo wants a password"),
        ("Defaults requiretty\npostgres ALL=(ALL) NOPASSWD: ALL\n", "sudo wants a terminal"),
        ("postgres ALL=(nobody) NOPASSWD: ALL\n", "sudo wants a password"),
    ],
)
async def test_sudo_that_refuses_is_told_among_its_noise(workspace: Workspace, rules: str, why: str) -> None:
    with host_with_sudo(workspace, _NOISE + rules) as server:
        where = target(server, user="postgres")
        async with open_shell(where, sudo=True) as shell:
            with pytest.raises(ShellError, match=why) as raised:
                await shell.run("id -u", timeout_s=PATIENT_S)
            assert raised.value.code == "Sudo"
            assert raised.value.remedy
            with pytest.raises(ShellError, match=why):
                await anext(aiter(shell.stream("id -u")))
        async with open_shell(where) as shell:
            answer = await shell.run(as_user("root", "id -u"), timeout_s=PATIENT_S)
            assert answer.status == 125, answer
            assert b"sudo: " in answer.stdout


@needs_root
async def test_a_sudo_that_asks_and_waits_is_told(make_sshd: MakeSshd, tmp_path: Path) -> None:
    """One that does not heed -n, or whose PAM asks (a second factor): it would wait for ever."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    (tmp_path / "sudo").write_text("#!/bin/sh\nprintf '[sudo] password for postgres: ' >&2\nsleep 30\n")
    (tmp_path / "sudo").chmod(0o755)
    server = make_sshd({"UsePAM": "yes", "SetEnv": f"PATH={tmp_path}:/usr/bin:/bin"})
    async with open_shell(target(server, user="postgres"), sudo=True) as shell:
        with pytest.raises(ShellError, match="sudo wants a password") as raised:
            await shell.run("id -u", timeout_s=1)
        assert raised.value.code == "Sudo"
        assert "NOPASSWD" in raised.value.remedy


async def test_a_shell_that_never_begins_is_told(make_sshd: MakeSshd) -> None:
    server = make_sshd({"ForceCommand": "echo please wait; sleep 30"})
    async with open_shell(target(server), patience=Patience(1.0)) as shell:
        with pytest.raises(ShellError, match="had not begun after 1 s; it said: please wait") as raised:
            await shell.run("id -u", timeout_s=1)
        assert raised.value.code == "Hangs"


async def _gone(shell: SshShell, command: str) -> None:
    """Wait until no process of that command line is left."""
    pattern = f"[{command[0]}]{command[1:]}"
    for _ in range(50):
        if await text(shell, f"ps -A -o args= | grep -c '^{pattern}'") == "0":
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"{command} still runs")
