"""ssh_config as OpenSSH reads it; what is not understood is passed over with its line, and OpenSSH asked."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.adapters.ssh import settings as ssh_settings
from walconsole.adapters.ssh.connection import carried_files
from walconsole.adapters.ssh.openssh import options_of
from walconsole.adapters.ssh.settings import SshSettings, resolve
from walconsole.domain.profile import SshTarget
from walconsole.domain.ssh_config import criteria, directive, matches, words
from walconsole.errors import SshError

pytestmark = pytest.mark.cases("ssh_config, as OpenSSH reads it")

ELSEWHERE = "Host other\n  HostName 203.0.113.1\n"


def resolved(config: str, tmp_path: Path, host: str = "db1", **more: object) -> SshSettings:
    file = tmp_path / "config"
    file.write_text(config)
    return resolve(SshTarget(host, config_file=str(file), **more))  # type: ignore[arg-type]


def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_settings, "asked", lambda *_: None)


@pytest.mark.parametrize(
    ("config", "host", "port"),
    [
        ("Host db1\n  HostName 192.0.2.5 # the primary\n", "192.0.2.5", 22),
        ("Match originalhost db1\n  HostName 192.0.2.5\n  Port 2201\n", "192.0.2.5", 2201),
        (
            "Match localnetwork 198.51.100.0/24\n  ProxyJump none\nHost db1\n  HostName 192.0.2.5\n",
            "192.0.2.5",
            22,
        ),
        ("Match host db1 user nobody\n  Port 1\nHost db1\n  Port 2\n", "db1", 2),
        ("Match !host db2\n  Port 7\n", "db1", 7),
        ("Match host=db1\n  Port 7\n", "db1", 7),
        ("Match host db2,db*,!db3\n  Port 7\n", "db1", 7),
        ("Host db* !db1\n  Port 1\nHost web db1 # both\n  Port 2\n", "db1", 2),
        ("Host [ab]*\n  Port 1\n", "db1", 22),
        ("Host db?\n  Port = 9\n", "db1", 9),
        ('Host "db1"\n  Hostname="192.0.2.9"\n', "192.0.2.9", 22),
        ("Tag inner\nMatch tagged inner\n  Port 7\n", "db1", 7),
        ("Match tagged inner\n  Port 7\n", "db1", 22),
        ("Match exec true\n  Port 7\n", "db1", 7),
        ("Match exec false\n  Port 7\n", "db1", 22),
        ('Match exec "test %n = db1"\n  Port 7\n', "db1", 7),
        ("Match final\n  Port 7\nMatch all\n  HostName 192.0.2.5\n", "192.0.2.5", 7),
        ("Match canonical\n  Port 7\n", "db1", 22),
        (
            "Match final host *.example.com\n  Port 7\nHost db1\n  HostName db1.example.com\n",
            "db1.example.com",
            7,
        ),
        ("Host DB1 db1\nhostname=192.0.2.5\n", "192.0.2.5", 22),
        ("Host db1\r\n  HostName 192.0.2.5\r\n  Port 2201\r\n", "192.0.2.5", 2201),
        ("Host db1#x\n  Port 1\nHost db1\n  Port 2\n", "db1", 2),
        (
            "Host x.example.com\n Port 9\nHost db1\n HostName x.example.com\n Port 8\nMatch final\n User f\n",
            "x.example.com",
            8,
        ),
        (
            "Match final\n  User f\nHost db1\n  HostName x.example.com\nHost x.*\n  Port 9\n",
            "x.example.com",
            9,
        ),
        ("Host db1\n  HostName %h.example.com\n  Port ssh\n", "db1.example.com", 22),
        ("ServerAliveInterval 1m\nPubkeyAuthentication host-bound\nHost db1\n  Port 7\n", "db1", 7),
        ("IgnoreUnknown x\nUseKeychain yes\nHost db1\n  Port 7\n", "db1", 7),
        ("Host db1 # \xe4\n  Port 7 # caf\xe9\n", "db1", 7),
    ],
)
def test_hosts_as_openssh_finds_them(
    config: str, host: str, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_here(monkeypatch)
    found = resolved(config, tmp_path)
    assert (found.host, found.port) == (host, port)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("Match version OpenSSH_99*", "Match: version"),
        ("Match sessiontype shell", "Match: sessiontype"),
        ("Match localnetwork nonsense", "Match: localnetwork"),
        ("Match host", "Match: Match host has no pattern"),
        ("Compression maybe", "Compression"),
        ("ServerAliveInterval 1m", "ServerAliveInterval"),
        ('HostKeyAlias "open', "a quote is not closed"),
        ("HashKnownHosts yes no", "more follows"),
    ],
)
def test_a_line_that_is_not_understood_is_named_and_no_host_is_lost(
    line: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_here(monkeypatch)
    found = resolved(f"{line}\nHost db1\n  HostName 192.0.2.5\n", tmp_path)
    assert found.host == "192.0.2.5"
    (note,) = found.not_understood
    assert f"{tmp_path / 'config'} line 1" in note
    assert named in note


@pytest.mark.parametrize(
    ("lines", "jump", "command"),
    [
        ("ProxyCommand none\n  ProxyJump hop", "", ""),
        ("ProxyJump none\n  ProxyCommand nc %h %p", "", ""),
        ("ProxyJump hop\n  ProxyCommand nc %h %p", "hop", ""),
        ("ProxyCommand nc %h %p\n  ProxyJump hop", "", "nc db1 22"),
    ],
)
def test_of_a_jump_and_a_command_the_first_counts(
    lines: str, jump: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_here(monkeypatch)
    found = resolved(f"Host db1\n  {lines}\n", tmp_path)
    assert (found.jump or "", found.proxy_command or "") == (jump, command)


@pytest.mark.parametrize("line", ["Port many", "Port", 'Hostname ""'])
def test_what_openssh_refuses_is_an_error(line: str, tmp_path: Path) -> None:
    with pytest.raises(SshError, match="line 2"):
        resolved(f"Host db1\n  {line}\n", tmp_path)


def test_lines_under_a_criterion_that_cannot_be_decided_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_here(monkeypatch)
    assert resolved("Match version x\n  HostName 203.0.113.9\n", tmp_path).host == "db1"
    decided = resolved("Match host web version x\n  HostName 203.0.113.9\n", tmp_path)
    assert decided.not_understood == ()


def test_includes_in_their_order_each_within_its_conditions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_here(monkeypatch)
    (tmp_path / "b.conf").write_text("Port 2\n")
    (tmp_path / "a.conf").write_text("Host web\n  Port 1\nHost db1\n  User wal\n")
    found = resolved(
        f"Include {tmp_path}/*.conf {tmp_path}/missing\nHost db1\n  HostName 192.0.2.5\n", tmp_path
    )
    assert (found.port, found.user, found.host) == (2, "wal", "192.0.2.5")
    found = resolved(f"Host web\n  Include {tmp_path}/b.conf\nHost *\n  User x\n", tmp_path)
    assert (found.port, found.user) == (22, "x")
    assert resolved("Include ~nosuchuser/x\nPort 9\n", tmp_path).port == 9
    looped = resolved(f"Include {tmp_path}/config\nPort 9\n", tmp_path)
    assert looped.port == 9
    assert any("deeply" in note for note in looped.not_understood)


def test_tokens_that_are_not_known_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_here(monkeypatch)
    config = "Host db1\n  ProxyCommand nc %h %p # %Z ${NO_SUCH_VARIABLE}\n  UserKnownHostsFile ~/.ssh/%k\n"
    found = resolved(config, tmp_path)
    assert found.proxy_command == "nc db1 22 # %Z ${NO_SUCH_VARIABLE}"
    assert found.known_hosts_files[0].endswith("/.ssh/db1")


def test_ciphers_and_the_like_are_carried_without_their_conditions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_here(monkeypatch)
    config = (
        "Match host db1\n  Ciphers +aes256-cbc # old\n  AddressFamily inet\nHost *\n  Ciphers aes128-ctr\n"
    )
    assert resolved(config, tmp_path).carried == ('Ciphers "+aes256-cbc"', 'AddressFamily "inet"')


needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="no OpenSSH client")


@needs_ssh
def test_openssh_is_asked_where_a_line_was_not_understood(tmp_path: Path) -> None:
    config = (
        "Host db1\n  HostName 192.0.2.5\n  ServerAliveInterval 1m\n  IdentityFile ~/.ssh/wal\n"
        "  ProxyJump hop\n  StrictHostKeyChecking yes\n  UserKnownHostsFile /a/%k /b\n"
    )
    found = resolved(config, tmp_path, user="wal", port=2201)
    assert found.not_understood == ()
    assert (found.host, found.port, found.user, found.jump) == ("192.0.2.5", 2201, "wal", "hop")
    assert [Path(each).name for each in found.identity_files] == ["wal"]
    assert (found.strict, found.known_hosts_files[1]) == ("yes", "/b")


@needs_ssh
@pytest.mark.parametrize("host", ["-oProxyCommand=touch x", "db1; touch x", "$(touch x)", "a b"])
def test_a_hostile_host_is_no_option_and_no_command(host: str, tmp_path: Path) -> None:
    resolved("ServerAliveInterval 1m\n", tmp_path, host)
    assert not list(tmp_path.glob("x"))
    assert not Path("x").exists()


def test_openssh_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("ssh", 5)

    monkeypatch.setattr(subprocess, "run", hangs)
    found = resolved("ServerAliveInterval 1m\nHost db1\n  Port 7\n", tmp_path)
    assert (found.port, len(found.not_understood)) == (7, 1)


@pytest.mark.parametrize(
    "answer",
    [b"", b"\xff\x00\n", b"hostname \nport 22\n", b"hostname a\nport x\n", b"hostname a\n", b"port 22\n" * 9],
)
def test_a_hostile_answer_is_none(answer: bytes) -> None:
    assert options_of(answer) is None


@given(st.binary(max_size=400))
def test_no_answer_makes_it_raise(answer: bytes) -> None:
    options_of(b"hostname h\nport 22\n" + answer)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), min_size=1)))
def test_quoted_words_come_back(values: list[str]) -> None:
    quoted = ('"' + each.replace("\\", "\\\\").replace('"', '\\"') + '"' for each in values)
    assert words("  ".join(quoted) + " # a comment") == values


@pytest.mark.parametrize(
    ("line", "split"),
    [
        ("Host=a b", ("host", "a b")),
        ("  HostName   x ", ("hostname", "x")),
        ("# Host a", ("", "")),
        ("Port = 22", ("port", "22")),
        ('"Port" 22', ("port", "22")),
    ],
)
def test_a_keyword_and_its_rest(line: str, split: tuple[str, str]) -> None:
    assert directive(line) == split


def test_patterns() -> None:
    assert matches(["*.example.com"], "a.example.com")
    assert not matches(["*", "!db1"], "db1")
    assert not matches([], "db1")
    assert list(criteria(["host=a,b", "!user", "x", "final"])) == [
        ("host", False, "a,b"), ("user", True, "x"), ("final", False, ""),
    ]  # fmt: skip


def test_what_asyncssh_reads_itself_leaves_no_file_behind_whatever_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no name while it is read, so that a console which is killed meanwhile cannot leave it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with carried_files(()) as nothing:
        assert nothing is None
    with carried_files(("Ciphers aes128-ctr", "AddressFamily inet")) as files:
        assert files is not None
        for _ in range(2):  # asyncssh reads it again for a name that it has made canonical
            assert Path(files[0]).read_text() == "Ciphers aes128-ctr\nAddressFamily inet\n"
        assert list(tmp_path.iterdir()) == []
