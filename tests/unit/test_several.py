"""Several clusters: how they are named, and what a check of them says."""

import json
import re
from pathlib import Path

import pytest

from tests.data.facts import NOW
from tests.data.snapshots import STATES
from walconsole.cli.arguments import parse
from walconsole.cli.opening import means_several, server_sessions
from walconsole.config.reader import ConfigFile, load
from walconsole.config.several import choose_several
from walconsole.domain.failures import diagnose
from walconsole.errors import UsageError
from walconsole.report.metrics import metrics
from walconsole.report.several import (
    Checked,
    several_document,
    several_for_nagios,
    several_for_people,
    several_for_prometheus,
    worst_exit_code,
)

FILE = """\
[profiles.db-1]
host = "db-1.example"
tags = ["production", "eu"]
[profiles.db-2]
host = "db-2.example"
name = "db-1"
tags = ["eu"]
[profiles.other]
host = "other.example"
"""
SSH = """\
Host web-1 web-2
Host db-3 db-1.example !db-9 db-?
Host *
"""


@pytest.fixture
def file(tmp_path: Path) -> ConfigFile:
    path = tmp_path / "config.toml"
    path.write_text(FILE)
    return load(path)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text(SSH)
    return {"HOME": str(tmp_path), "DEPLOY_HOST": "db-1.example", "WAL_BUCKET": "somewhere-else"}


@pytest.mark.parametrize(
    ("targets", "chosen", "meant"),
    [
        ((), {}, "db-1 db-2 other"),
        (("other", "db-1", "other"), {}, "other db-1"),
        (("db-*",), {}, "db-1 db-2 db-3"),
        (("*-?",), {}, "db-1 db-2 web-1 web-2 db-3"),
        (("web-1", "h.example:2222"), {}, "web-1 h.example:2222"),
        ((), {"tags": ["eu"]}, "db-1 db-2"),
        ((), {"tags": ["production", "nowhere"]}, "db-1"),
        (("db-3",), {"every": True}, "db-1 db-2 other db-3"),
    ],
)
def test_what_is_meant(
    file: ConfigFile, home: dict[str, str], targets: tuple[str, ...], chosen: dict[str, object], meant: str
) -> None:
    found = choose_several(targets, file, home, **chosen)  # type: ignore[arg-type]  # as the table has them
    assert [one.name for one in found] == meant.split()
    assert {one.resolved.profile.primary.bucket for one in found}.isdisjoint({"somewhere-else"})


def test_a_list_of_hosts_is_read(file: ConfigFile, home: dict[str, str], tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("# ours\nother  # a profile\n\nroot@[::1]:22\n")
    assert [one.name for one in choose_several((), file, home, hosts=hosts)] == ["other", "root@[::1]:22"]
    hosts.write_text("a.example b.example\n")
    with pytest.raises(UsageError, match="line 1 has more than one word"):
        choose_several((), file, home, hosts=hosts)


def test_a_list_of_three_hundred_lines_as_somebody_keeps_it(
    file: ConfigFile, home: dict[str, str], tmp_path: Path
) -> None:
    """Begun by a Windows editor, with comments, with each server twice, as it is written here and there."""
    hosts = tmp_path / "hosts"
    each = [
        f"{ways}\r\n"
        for n in range(75)
        for ways in (f"h{n}.example.org # {n}", f"H{n}.example.org:22", "", "#")
    ]
    hosts.write_bytes(b"\xef\xbb\xbf" + "".join(each).encode())
    found = choose_several((), file, home, hosts=hosts)
    assert [one.name for one in found] == [f"h{n}.example.org" for n in range(75)]
    hosts.write_text("::1\n[::1]\n[::1]:22\nroot@[::1]\n[::1]:2222\nfe80::1%eth0\nnowhere.invalid\n")
    assert [one.name for one in choose_several((), file, home, hosts=hosts)] == [
        "::1", "root@[::1]", "[::1]:2222", "fe80::1%eth0", "nowhere.invalid",
    ]  # fmt: skip


def test_a_profile_and_its_host_are_one_row(home: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "two.toml"
    path.write_text('[profiles.a]\nhost = "db.example.org"\n[profiles.b]\nhost = "db2.example.org"\n')
    named = ("db.example.org", "a", "db.example.org:22", "root@db.example.org", "b", "B.example.org")
    found = choose_several(named, load(path), home)
    assert [one.name for one in found] == ["db.example.org", "root@db.example.org", "b", "B.example.org"]


@pytest.mark.parametrize("line", ["db-1x", "x-*", "user:pw@host.example", "a.example,b.example", "\0"])
def test_what_is_wrong_in_a_list_is_told_with_its_line(
    line: str, file: ConfigFile, home: dict[str, str], tmp_path: Path
) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text(f"other\n# a comment\n{line}\n")
    with pytest.raises(UsageError, match=r"hosts line 3: opening ") as caught:
        choose_several((), file, home, hosts=hosts)
    assert "pw@" not in caught.value.line()


@pytest.mark.parametrize(
    ("targets", "chosen", "why"),
    [
        (("x-*",), {}, "is named so"),
        ((), {"tags": ["us"]}, "none has a tag of: us"),
        (("db-1x",), {}, "did you mean 'db-1'"),
    ],
)
def test_what_means_nobody(
    file: ConfigFile, home: dict[str, str], targets: tuple[str, ...], chosen: dict[str, object], why: str
) -> None:
    with pytest.raises(UsageError) as caught:
        choose_several(targets, file, home, **chosen)  # type: ignore[arg-type]  # as the table has them
    assert why in caught.value.line()


@pytest.mark.parametrize(
    ("words", "several"),
    [
        ("a", False),
        ("", False),
        ("a b", True),
        ("a*", True),
        ("--all", True),
        ("--tag eu", True),
        ("--hosts f", True),
    ],
)
def test_one_server_is_checked_as_ever(words: str, several: bool) -> None:
    options = parse(["check", *words.split()])
    assert means_several(options) is several
    assert options.target == (words if words in ("a", "a*") else None)


def test_each_session_is_called_as_it_was_named(
    file: ConfigFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TEST_SECRET_KEY", "s")
    sessions = server_sessions(parse(["check", "--config", str(file.path), "--all"]))
    assert [session.called for session in sessions] == ["db-1", "db-2", "other"]
    assert all(session.environment["TEST_SECRET_KEY"] == "s" for session in sessions)
    with pytest.raises(UsageError, match="one server's"):
        server_sessions(parse(["check", "--config", str(file.path), "--all", "--name", "x"]))


def checks(*states: str) -> list[Checked]:
    made = []
    for state in states:
        snapshot = STATES[state]()
        diagnosis = diagnose(snapshot, NOW)
        numbers = metrics(snapshot, diagnosis, NOW)
        made.append(Checked(f"its-{state}", "shithub", snapshot, diagnosis, numbers, NOW))
    return made


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ("healthy idle", 0),
        ("healthy nothing_readable", 3),
        ("healthy nothing_readable slow", 1),
        ("nothing_readable slow incident", 2),
    ],
)
def test_the_worst_decides(states: str, code: int) -> None:
    found = checks(*states.split())
    assert worst_exit_code(found) == code
    document = several_document(found, NOW)
    assert document["exit_code"] == code
    assert next(several_for_people(found)).split(": ")[1] == str(document["level"]).upper()


def test_a_line_each_the_worst_first_in_every_form() -> None:
    found = checks("healthy", "slow", "incident", "nothing_readable", "hostile")
    named = [line.split(": ")[0] for line in several_for_people(found)]
    assert named[-1] == "its-healthy"
    assert sorted(named) == sorted(each.name for each in found)
    document = json.loads(json.dumps(several_document(found, NOW)))
    assert [cluster["cluster"] for cluster in document["clusters"]] == named
    assert {cluster["document"] for cluster in document["clusters"]} == {"walconsole check"}
    first, *lines = several_for_nagios(found)
    assert first.startswith("WALCONSOLE CRITICAL - 5 clusters: ")
    assert first.count("|") == 1
    assert [line.split(": ")[0] for line in lines] == named
    assert not any("|" in line for line in lines)


def test_prometheus_has_each_family_once_and_no_sample_twice() -> None:
    heads, families = [], []
    for line in several_for_prometheus(checks("healthy", "incident", "nothing_readable")):
        if line.startswith("# TYPE"):
            families.append(line.split()[2])
        elif not line.startswith("#"):
            head = line.rpartition(" ")[0]
            assert re.match(r'walconsole_\w+\{cluster="its-\w+",profile="shithub"', head)
            assert head.startswith(f"{families[-1]}{{")
            heads.append(head)
    assert len(set(families)) == len(families)
    assert len(set(heads)) == len(heads)
    assert sum(head.startswith("walconsole_status{") for head in heads) == 3
