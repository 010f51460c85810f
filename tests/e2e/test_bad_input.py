"""What an operator sees of what cannot be reached, is refused, or is hostile: one clear line, a way out."""

import itertools
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.conftest import Open, Program
from tests.e2e.terminal import Terminal
from tests.integration.observed import profile_of
from tests.servers.fixtures import MakePostgres, MakeProxy, MakeSshd
from tests.servers.ports import LOOPBACK, free_port
from tests.servers.postgres import PostgresServer
from tests.servers.programs import find_program
from tests.servers.sshd import SshServer
from walconsole.config.writer import profile_as_toml
from walconsole.domain.profile import BucketTarget, KeyReference, KeySource, Profile

pytestmark = [pytest.mark.server, pytest.mark.timeout(120)]

LIMIT_S = 40.0
"""How long anything may take on a machine that does much else."""
PATIENCE = r"\d+"
"""Seconds: the profile's at first, more with each attempt; the machine decides which of them is seen."""

Watch = Callable[..., Terminal]

_TITLES = re.compile(r"[─▸](\d [A-Z]\w+(?: on disk)?) ─")


@pytest.fixture
def watch(console: Open, program: Program) -> Watch:
    """Open the console on a profile, by its configuration file."""

    def open_profile(profile: Profile, **options: object) -> Terminal:
        file = program.home / "walconsole.toml"
        file.write_text(profile_as_toml(profile, "x"))
        size = {"columns": 150, "rows": 40} | options
        return console("--config", str(file), "x", **size)

    return open_profile


def verdict(terminal: Terminal) -> str:
    """What stands above the panes, as one line."""
    lines = itertools.takewhile(lambda line: not line.startswith(("─", "▸")), terminal.text.split("\n"))
    return " ".join(" ".join(lines).split())


def wait_for_verdict(terminal: Terminal, pattern: str) -> None:
    """Wait until the verdict matches."""
    terminal.wait_until(lambda: re.search(pattern, verdict(terminal)) is not None, pattern, LIMIT_S)


def wait_for_pane(terminal: Terminal, title: str, *texts: str) -> None:
    """Wait until the pane is alone on the screen, with each of the texts in it once."""

    def shown() -> bool:
        text = " ".join(terminal.text.replace("┃", " ").replace("│", " ").split())
        return _TITLES.findall(text) == [title] and all(text.count(part) == 1 for part in texts)

    terminal.wait_until(shown, f"{title} with {texts}", LIMIT_S)


def leave(terminal: Terminal, keys: str = "q") -> None:
    """Quit; nothing may be left on the terminal, nothing said after the console is gone."""
    terminal.type(keys)
    assert terminal.wait() == 0
    assert terminal.left_behind() == []
    assert terminal.after_console().strip() == ""


# --- the way to the host


class Reached:
    """The profile of one way that does not lead to a shell, and what it needs besides."""

    def __init__(self, sshd: SshServer, stack: ExitStack, folder: Path) -> None:
        self.sshd, self.folder = sshd, folder
        self._stack = stack
        self._profile = profile_of(sshd)

    def to(self, **ssh: object) -> Profile:
        return replace(self._profile, ssh=replace(self._profile.ssh, **ssh))  # type: ignore[arg-type]

    def unknown_host(self) -> Profile:
        return self.to(host="walconsole.invalid")

    def refused(self) -> Profile:
        return self.to(port=free_port())

    def silent(self) -> Profile:
        """Waited for a second only; the others answer, and on a busy machine they may take longer."""
        return self.to(port=self._listening().getsockname()[1], connect_timeout_s=1.0)

    def wrong_key(self) -> Profile:
        return self.to(identity_files=(str(self.sshd.new_key("stranger")),))

    def no_key(self) -> Profile:
        return self.to(identity_files=(str(self.folder / "nowhere"),))

    def empty_agent(self) -> Profile:
        agent = subprocess.Popen(
            [find_program("ssh-agent", server="OpenSSH", package="openssh-client"), "-D", "-a", self.agent],
            stdout=subprocess.DEVNULL,
        )
        self._stack.callback(agent.wait)
        self._stack.callback(agent.terminate)
        return self.to(identity_files=(), use_agent=True)

    def changed_key(self) -> Profile:
        known = self.folder / "changed"
        key = self.sshd.new_key("former").with_suffix(".pub").read_text()
        known.write_text(f"[{self.sshd.host}]:{self.sshd.port} {key}")
        return self.to(known_hosts_file=str(known))

    @property
    def agent(self) -> str:
        return str(self.folder / "agent")

    def _listening(self) -> socket.socket:
        listener = socket.create_server((LOOPBACK, 0))
        self._stack.callback(listener.close)
        return listener


@pytest.fixture
def reached(sshd: SshServer, tmp_path: Path) -> Iterator[Reached]:
    with ExitStack() as stack:
        yield Reached(sshd, stack, tmp_path)


@pytest.mark.parametrize(
    ("way", "why", "remedy"),
    [
        (Reached.unknown_host, "unknown host walconsole.invalid", "check the name and the DNS"),
        pytest.param(Reached.refused, "connection refused", "check the port", marks=pytest.mark.long),
        (Reached.silent, rf"no answer within {PATIENCE} s", "check the address, the port and the firewall"),
        pytest.param(
            Reached.wrong_key, "1 key offered, not accepted", "authorized_keys", marks=pytest.mark.long
        ),
        (Reached.no_key, r"no key to offer: no agent, \S+/nowhere: no such file", "ssh-add"),
        pytest.param(
            Reached.empty_agent, "no key to offer: the agent has no keys", "ssh-add", marks=pytest.mark.long
        ),
        (Reached.changed_key, "THE HOST KEY HAS CHANGED", "ssh-keygen -R"),
    ],
)
def test_a_host_that_cannot_be_reached(
    way: Callable[[Reached], Profile], why: str, remedy: str, reached: Reached, watch: Watch
) -> None:
    terminal = watch(way(reached), environment={"SSH_AUTH_SOCK": reached.agent})
    wait_for_verdict(terminal, rf"^\? UNKNOWN cannot tell: the droplet cannot be reached for \d+ s: {why}")
    terminal.type("6z")
    wait_for_pane(terminal, "6 Findings", remedy, "→")  # the buckets, whose keys lie there, are silent
    terminal.type("z7z")
    wait_for_pane(terminal, "7 Log", "▲ walconsole: ssh ")
    leave(terminal)


def test_an_unknown_host_key_is_asked_about_until_it_is_trusted(
    sshd: SshServer, watch: Watch, tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    profile = profile_of(sshd)
    profile = replace(profile, ssh=replace(profile.ssh, known_hosts_file=str(known)))
    terminal = watch(profile, columns=80, rows=24)
    for no in ("n", "\x1b"):
        terminal.wait_for(sshd.fingerprint(), LIMIT_S)
        terminal.type(no)
        wait_for_verdict(terminal, f"key {re.escape(sshd.fingerprint())} is unknown and was not accepted$")
        assert not known.exists()
        terminal.type("r")
    terminal.wait_for("Trust it", LIMIT_S)
    terminal.type("y")
    terminal.wait_until(lambda: "cannot be reached" not in verdict(terminal), "a connection", LIMIT_S)
    algorithm, key = sshd.host_key_file.with_suffix(".pub").read_text().split()[:2]
    assert known.read_text().split()[-2:] == [algorithm, key]
    assert len(known.read_text().splitlines()) == 1
    leave(terminal)


def test_a_question_can_be_left_with_ctrl_c(sshd: SshServer, watch: Watch, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    profile = profile_of(sshd)
    profile = replace(profile, ssh=replace(profile.ssh, known_hosts_file=str(known)))
    terminal = watch(profile, columns=40, rows=10)
    terminal.wait_for(sshd.fingerprint()[:20], LIMIT_S)  # first of all, however small the terminal
    leave(terminal, "\x03")
    assert not known.exists()


@pytest.mark.root("only root can let another user log in")
def test_sudo_that_wants_a_password(make_sshd: MakeSshd, watch: Watch) -> None:
    profile = profile_of(make_sshd({"UsePAM": "yes"}))
    terminal = watch(replace(profile, sudo=True, ssh=replace(profile.ssh, user="postgres")))
    wait_for_verdict(
        terminal, r"cannot tell: the droplet lets nothing be read for \d+ s: sudo wants a password$"
    )
    terminal.type("6z")
    wait_for_pane(terminal, "6 Findings", "NOPASSWD: ALL", "→")
    assert "no SSH" not in terminal.text
    leave(terminal)


def test_a_network_that_freezes_while_connecting_heals(
    sshd: SshServer, postgres: PostgresServer, make_proxy: MakeProxy, watch: Watch
) -> None:
    proxy = make_proxy(sshd.port)
    profile = profile_of(sshd, postgres, port=proxy.port)
    proxy.stall()
    terminal = watch(replace(profile, ssh=replace(profile.ssh, connect_timeout_s=1.0)))
    wait_for_verdict(terminal, rf"connecting to \S+:{proxy.port}$")
    wait_for_verdict(terminal, rf"cannot be reached for \d+ s: no answer within {PATIENCE} s$")
    proxy.resume()
    wait_for_verdict(terminal, "archiving is OFF")
    proxy.refuse()
    proxy.cut()
    wait_for_verdict(terminal, r"cannot be reached for .*last seen \d+ s ago: OFF$")
    proxy.accept()
    wait_for_verdict(terminal, "archiving is OFF")
    leave(terminal)


# --- PostgreSQL


@pytest.mark.parametrize(
    ("wrong", "why", "remedy"),
    [
        ({"database": "nosuch"}, 'database "nosuch" does not exist', "psql -l"),
        (
            {"user": "weak"},
            'Peer authentication failed for user "weak"',
            "set os_user and user in the profile",
        ),
    ],
)
def test_postgresql_refuses(
    wrong: dict[str, str], why: str, remedy: str, sshd: SshServer, postgres: PostgresServer, watch: Watch
) -> None:
    profile = profile_of(sshd, postgres)
    terminal = watch(replace(profile, postgres=replace(profile.postgres, **wrong)))  # type: ignore[arg-type]
    wait_for_verdict(terminal, rf"cannot tell: PostgreSQL refuses the console for \d+ s: {why}$")
    terminal.type("6z")
    wait_for_pane(terminal, "6 Findings", remedy)
    leave(terminal)


def test_several_clusters_are_chosen_from_once(make_sshd: MakeSshd, watch: Watch, tmp_path: Path) -> None:
    """Debian's list is a stand-in: none of the clusters that really run on this machine is meant."""
    listing = tmp_path / "pg_lsclusters"
    rows = (f"15 {name} 1 down postgres {tmp_path}/{name} /nowhere.log" for name in ("main", "second"))
    listing.write_text("#!/bin/sh\ncat <<END\n" + "\n".join(rows) + "\nEND\n")
    listing.chmod(0o755)
    tmp_path.chmod(0o755)
    sshd = make_sshd({"SetEnv": f"PATH={tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin"})
    terminal = watch(profile_of(sshd))
    terminal.wait_for("Which cluster?", LIMIT_S)
    terminal.type("\x1b")
    terminal.wait_until(lambda: "Which cluster?" not in terminal.text, "the dialog to go", LIMIT_S)
    wait_for_verdict(
        terminal, r"cannot tell: no PostgreSQL cluster is observed for \d+ s: there are 2: 15/main "
    )
    time.sleep(2.5)  # time enough for a look at the host
    assert "Which cluster?" not in terminal.text
    terminal.type("r")
    terminal.wait_for("Which cluster?", LIMIT_S)
    terminal.type("\x1b[B\r")
    terminal.wait_until(lambda: "Which cluster?" not in terminal.text, "the dialog to go", LIMIT_S)
    wait_for_verdict(terminal, "PostgreSQL is DOWN")
    leave(terminal)


# --- what the sources say


def test_hostile_bytes_are_shown_as_text(sshd: SshServer, make_postgres: MakePostgres, watch: Watch) -> None:
    server = make_postgres(start=False)
    settings = server.config_dir / "conf.d/99_hostile.conf"
    settings.write_bytes(
        b"archive_command = 'caf\xe9 \x1b]0;pwned\x07 [red]%p[/x] password=hunter2'\narchive_mode = on\n"
    )
    server.start()
    server.sql("CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    profile = profile_of(sshd, server)
    Path(profile.paths.log).write_bytes(
        b"archive [bold]one[/bold] [/nope] \x1b[2J\x1b]52;c;cHduZWQ=\x07caf\xe9 \xe2\x80\xaetxt.exe\x07\n"
    )
    terminal = watch(replace(profile, postgres=replace(profile.postgres, database="bytes")))
    wait_for_verdict(terminal, "archiving is on, and nothing was due yet")
    terminal.wait_for("archive [bold]one[/bold] [/nope] caf\ufffd txt.exe", LIMIT_S)
    terminal.type("3z")
    wait_for_pane(terminal, "3 Configuration", "caf\ufffd [red]%p[/x] password=[redacted]")
    leave(terminal)
    for hostile in (b"\x1b]52;c;cHdu", b"]0;pwned", b"hunter2", "\u202e".encode()):
        assert hostile not in terminal.output


def _answering(stack: ExitStack, answer: bytes) -> str:
    """The endpoint of a server that gives everybody the same answer."""
    script = (
        "import socketserver,sys\n"
        "class Same(socketserver.StreamRequestHandler):\n"
        "    def handle(self):\n"
        "        while self.rfile.readline().strip(): pass\n"
        f"        self.wfile.write({answer!r})\n"
        f"with socketserver.ThreadingTCPServer(({LOOPBACK!r}, 0), Same) as server:\n"
        "    print(server.server_address[1], flush=True)\n"
        "    server.serve_forever()\n"
    )
    server = stack.enter_context(
        subprocess.Popen(["python3", "-c", script], stdout=subprocess.PIPE, text=True)
    )
    stack.callback(server.kill)
    assert server.stdout is not None
    return f"http://{LOOPBACK}:{int(server.stdout.readline())}"


def test_an_endpoint_that_is_no_s3(sshd: SshServer, postgres: PostgresServer, watch: Watch) -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 18\r\n\r\n<html>hello</html>"
    keys = KeyReference(KeySource.ENVIRONMENT)

    def at(target: BucketTarget, endpoint: str) -> BucketTarget:
        return replace(target, endpoint=endpoint, keys=keys)

    with ExitStack() as stack:
        html, noise = _answering(stack, page), _answering(stack, b"\x00\xff\x1b[31mnoise\r\n\r\n")
        profile = profile_of(sshd, postgres)
        profile = replace(profile, primary=at(profile.primary, html), dr=at(profile.dr, noise))
        pair = {"AWS_ACCESS_KEY_ID": "DO00EXAMPLE", "AWS_SECRET_ACCESS_KEY": "hunter2"}
        terminal = watch(profile, environment=pair)
        wait_for_verdict(terminal, "archiving is OFF")
        terminal.type("4z")
        rubbish = (
            f"{html} sent a listing that cannot be read",
            f"{noise} cannot be reached: the answer is not HTTP",
        )
        wait_for_pane(terminal, "4 Bucket", *rubbish)
        leave(terminal)
    assert b"hunter2" not in terminal.output


def test_a_window_that_is_dragged_about(watch: Watch, reached: Reached) -> None:
    terminal = watch(reached.refused())
    wait_for_verdict(terminal, "connection refused")
    for columns, rows in itertools.product((1, 2, 20, 79, 200), (1, 2, 5, 24, 60)):
        terminal.resize(columns, rows)
        terminal.type("z" if rows == 5 else "\x1b[B")
        time.sleep(0.03)
    terminal.resize(120, 36)
    wait_for_verdict(terminal, "connection refused$")
    leave(terminal)
