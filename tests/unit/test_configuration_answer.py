"""The gathering script's answer: what a host may say, and what nobody should be able to make it say."""

from dataclasses import dataclass
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.facts import CLUSTER
from walconsole.domain.facts.host import ClusterFacts
from walconsole.domain.facts.observed import ConfigFiles
from walconsole.domain.pgconf.tree import EntryKind, Obstacle
from walconsole.domain.round_trips import ShellAnswer
from walconsole.errors import ShellError
from walconsole.observe.server.configuration import MAX_TORN_LOOKS, ConfigurationProbe, understand
from walconsole.observe.server.configuration_answer import (
    MAX_FILE_BYTES,
    MAX_FILES,
    Errand,
    Gathered,
    read_answer,
)
from walconsole.ports import Shell

TOKEN = "0123456789abcdef"


def record(kind: str, path: str, body: bytes = b"") -> bytes:
    return f"\n{TOKEN} {kind} {path}".encode() + b"\0" + body


def answer(*records: bytes, end: bool = True) -> Gathered:
    return read_answer(b"".join((*records, record("end", TOKEN) if end else b"")), TOKEN)


def test_files_folders_links_times_and_the_servers_own_rights() -> None:
    gathered = answer(
        record("link", "/etc/a.conf", b"/srv/a.conf"),
        record("modified", "2", b"1790000000 /etc/a.conf\n1790000001 /etc/b c.conf\nnonsense\n"),
        record("file", "/etc/a.conf", b"archive_mode = on\n"),
        record("file", "/etc/b c.conf", b""),
        record("no", "/etc/d.conf", b"denied"),
        record("dir", "/etc", b"file a.conf\0directory conf.d\0dangling x\0odd y\0"),
        record("nodir", "/gone", b"missing"),
        record("asked", "postgres", b"asked\0/etc/d.conf\0"),
    )
    first = gathered.tree.files["/etc/a.conf"]
    assert (first.raw, first.link_target, first.server_reads) == (b"archive_mode = on\n", "/srv/a.conf", True)
    assert first.modified_at == 1_790_000_000.0
    assert gathered.tree.files["/etc/b c.conf"].modified_at == 1_790_000_001.0
    denied = gathered.tree.files["/etc/d.conf"]
    assert (denied.raw, denied.obstacle, denied.server_reads) == (None, Obstacle.DENIED, False)
    assert gathered.tree.listings["/etc"].entries == {
        "a.conf": EntryKind.FILE,
        "conf.d": EntryKind.DIRECTORY,
        "x": EntryKind.DANGLING,
    }
    assert gathered.tree.listings["/gone"].obstacle is Obstacle.MISSING


@pytest.mark.parametrize(
    ("told", "major"), [(b"13\n", 13), (b"18", 18), (b"9.6\n", None), (b"", None), (b"\xd9\xa3\n", None)]
)
def test_the_version_is_the_data_directorys(told: bytes, major: int | None) -> None:
    assert answer(record("version", "/data", told)).major == major
    assert answer().major is None


@pytest.mark.parametrize("obstacle", list(Obstacle))
def test_every_obstacle_has_its_word(obstacle: Obstacle) -> None:
    gathered = answer(record("no", "/x", obstacle.name.lower().encode()))
    assert gathered.tree.files["/x"].obstacle is obstacle


def test_a_file_that_vanished_while_it_was_read_is_gone_not_empty() -> None:
    gathered = answer(record("file", "/x", b""), record("no", "/x", b"gone"))
    assert gathered.tree.files["/x"].obstacle is Obstacle.GONE


def test_a_long_file_is_cut_and_the_cut_is_said() -> None:
    gathered = answer(record("file", "/x", b"a" * (MAX_FILE_BYTES + 1)), record("no", "/y", b"too_many"))
    assert len(gathered.tree.files["/x"].raw or b"") == MAX_FILE_BYTES
    assert gathered.tree.files["/x"].cut
    assert gathered.tree.cut is not None
    assert "1 left unread" in gathered.tree.cut
    assert str(MAX_FILES) in gathered.tree.cut
    assert "/x" in gathered.tree.cut


def test_no_file_breaks_out_of_its_record() -> None:
    forged = b"archive_mode = on\n0123456789abcdeX file /etc/forged\0x\n" + b"\0\n file /y\0"
    gathered = answer(record("file", "/x", forged))
    assert set(gathered.tree.files) == {"/x"}
    assert gathered.tree.files["/x"].raw == forged


def test_the_process_and_its_unit() -> None:
    gathered = answer(
        record("argv", "712", b"postgres\0-D\0/data\xff\0"),
        record("environ", "712", b"PGDATA=/data\nPGOPTIONS=-c a=b\n"),
        record("unit", "postgresql.service", b"ActiveState=active\nExecStart={ path=/usr/bin/x }\n"),
        record("unitfile", "/etc/systemd/system/postgresql.service", b"[Service]\n"),
    )
    assert gathered.argv == ("postgres", "-D", "/data\N{REPLACEMENT CHARACTER}")
    assert gathered.environ == {"PGDATA": "/data", "PGOPTIONS": "-c a=b"}
    assert gathered.pid == 712
    [(name, told)] = gathered.units.items()
    assert (name, told["ActiveState"]) == ("postgresql.service", "active")
    assert list(gathered.unit_files) == ["/etc/systemd/system/postgresql.service"]
    assert answer(record("noenviron", "712", b"denied")).environ is None


def test_what_could_not_be_asked_is_not_known() -> None:
    gathered = answer(record("file", "/x", b""), record("asked", "postgres", b"sh: setpriv: not found"))
    assert gathered.tree.files["/x"].server_reads is None


def test_an_answer_without_its_end_is_none() -> None:
    with pytest.raises(ShellError, match="did not run to the end"):
        answer(record("file", "/x", b"a"), end=False)
    with pytest.raises(ShellError, match="csh: syntax error"):
        read_answer(b"csh: syntax error \x1b[31m\n", TOKEN)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_file_and_without_an_end_a_clear_refusal(noise: bytes) -> None:
    with pytest.raises(ShellError) as refusal:
        read_answer(noise, TOKEN)
    assert refusal.value.line().isprintable()
    assert answer(record("file", "/x", noise)).tree.files["/x"].raw is not None


def test_every_errand_has_its_own_token_and_quotes_what_it_is_told() -> None:
    one, other = Errand("/etc/it's $(id).conf"), Errand("/etc/caf\u00e9.conf", more=("/a", "/b\nc"))
    assert one.token != other.token
    assert one.script().isascii()
    assert other.script().isascii()
    assert "config='/etc/it'\"'\"'s $(id).conf'" in one.script()


@dataclass
class AnsweringHost:
    """A shell, and who locates the cluster: each look has the next answer, at last the same."""

    answers: list[list[tuple[str, str, bytes]]]
    looks: int = 0

    async def run(self, script: str, *, timeout_s: float) -> ShellAnswer:
        token = script.split("token=", 1)[1].splitlines()[0].strip("'")
        records = self.answers[min(self.looks, len(self.answers) - 1)]
        self.looks += 1
        body = b"".join(
            f"\n{token} {kind} {path}".encode() + b"\0" + body
            for kind, path, body in (*records, ("end", token, b""))
        )
        return ShellAnswer(body, 0, 1.0, 2.0)

    async def locate(self) -> ClusterFacts:
        return CLUSTER


MAIN, FOLDER = "/etc/postgresql/15/main/postgresql.conf", "/etc/postgresql/15/main/conf.d"
AUTO = f"{CLUSTER.data_directory}/postgresql.auto.conf"
KEPT = [
    ("file", MAIN, b"include_dir = 'conf.d'\n"),
    ("file", AUTO, b"archive_command = 'true'\n"),
]
WHOLE = [*KEPT, ("dir", FOLDER, b"")]


@pytest.mark.parametrize("obstacle", [b"missing", b"gone"])
async def test_a_file_that_went_during_the_look_is_no_error_in_the_configuration(obstacle: bytes) -> None:
    """Else the server seems to stop at it, and what it reads afterwards to be never read."""
    gone = f"{FOLDER}/99_late.conf"
    torn = [*KEPT, ("dir", FOLDER, b"file 99_late.conf\0"), ("no", gone, obstacle)]
    host = AnsweringHost([torn, WHOLE])
    (fact,) = await ConfigurationProbe(cast(Shell, host), host).take()
    assert isinstance(fact.value, ConfigFiles)
    assert (host.looks, fact.value.errors, fact.value.never_read) == (2, (), ())
    once = understand(answer(*(record(*each) for each in torn)), CLUSTER)
    assert once is not None
    assert AUTO in [file.path for file in once.never_read]


async def test_what_changes_at_each_look_is_looked_at_three_times() -> None:
    host = AnsweringHost([[*KEPT, ("dir", FOLDER, b"file a.conf\0"), ("no", f"{FOLDER}/a.conf", b"missing")]])
    await ConfigurationProbe(cast(Shell, host), host).take()
    assert host.looks == MAX_TORN_LOOKS


def test_what_no_folder_lists_is_missing_and_no_look_is_torn() -> None:
    tree = answer(
        record("file", MAIN, b"include_if_exists = 'more.conf'\n"),
        record("no", "/etc/postgresql/15/main/more.conf", b"missing"),
        record("no", "/alone.conf", b"missing"),
        record("dir", "/etc/postgresql/15/main", b"file postgresql.conf\0dangling more.conf\0"),
    ).tree
    assert not tree.torn
