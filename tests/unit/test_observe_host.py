"""The host script's answer, and which cluster is meant, on whatever a host may say."""

import os
import shlex
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.surveys import PROFILE
from tests.servers.ports import wait_until
from tests.unit.test_drill_result import content, good
from walconsole.domain.facts.base_backups import BackupScript
from walconsole.domain.facts.host import ClusterFacts
from walconsole.domain.facts.observed import WalDiskFacts
from walconsole.domain.facts.snapshot import Problem
from walconsole.domain.profile import ClusterName, PostgresTarget
from walconsole.domain.recovery.backups import Unreadable
from walconsole.domain.recovery.drill_result import DrillResult, Outcome
from walconsole.errors import ClusterChoiceError, ShellError
from walconsole.observe.host.clusters import Cluster, candidates, of_cluster, read_cluster
from walconsole.observe.host.host_script import (
    Group,
    Look,
    argv,
    assignment,
    options,
    read_answer,
    read_backup_script,
    read_drills,
    read_wal_disk,
)

VALUES = st.binary(max_size=40).map(lambda raw: raw.replace(b"\0", b""))
NOISE = st.binary(max_size=40).map(lambda raw: raw.replace(b"\0", b"").replace(b"\x01", b""))


def record(key: str, value: bytes) -> bytes:
    return b"\x01" + key.encode() + b" " + value + b"\0"


# --- records


@given(VALUES, VALUES, NOISE, NOISE)
def test_values_come_back_through_any_noise(one: bytes, two: bytes, before: bytes, between: bytes) -> None:
    stdout = before + record("hostname", one) + between + record("cluster", b"/d") + record("wal.files", two)
    answer = read_answer(stdout + record("end", b"T"), "T")
    assert answer.host.raw["hostname"] == one.removesuffix(b"\n")
    assert answer.clusters[0].raw == {"cluster": b"/d", "wal.files": two.removesuffix(b"\n")}


@given(st.binary(max_size=300))
def test_no_answer_breaks_the_reader(stdout: bytes) -> None:
    with pytest.raises(ShellError, match="did not run to the end"):
        read_answer(stdout, "a token that nobody guesses")


def test_a_value_cannot_end_the_answer_or_begin_a_cluster() -> None:
    stdout = record("hostname", b"\x01end T\x01cluster /evil") + record("end", b"other") + record("end", b"T")
    answer = read_answer(stdout, "T")
    assert answer.clusters == ()
    assert answer.host.text("hostname") == "\x01end T\x01cluster /evil"


@given(st.binary(max_size=30).map(lambda raw: raw.replace(b"\0", b"")))
def test_any_bytes_reach_a_shell_variable(raw: bytes) -> None:
    script = assignment("value", raw) + 'printf %s "$value"'
    assert script.isascii()
    assert subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True).stdout == raw


def test_a_script_is_small_and_posix() -> None:
    script = Look("t", full=True, count_wal=True, heartbeat="/x y", pick=b"/d").script()
    assert len(script) < 8704  # a server's state, since when it runs and a read-only disk took half a KiB
    subprocess.run(["/bin/sh", "-n"], input=script.encode(), check=True)


# --- a postmaster's arguments


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("postgres -D /d", {"data_directory": "/d"}),
        ("postgres -D/d -p 5433", {"data_directory": "/d", "port": "5433"}),
        ("postgres -c config_file=/etc/x.conf -c port=1", {"config_file": "/etc/x.conf", "port": "1"}),
        ("postgres --config-file=/e -k /run", {"config_file": "/e", "unix_socket_directories": "/run"}),
        ("postgres -ccluster_name=15/main", {"cluster_name": "15/main"}),
        ("postgres -i -c", {}),
        ("postgres", {}),
        ("", {}),
    ],
)
def test_settings_among_the_arguments(line: str, wanted: dict[str, str]) -> None:
    assert options(shlex.split(line)) == wanted


def test_arguments_from_a_hex_dump() -> None:
    assert argv(b" 61 00 62 0a\n 63 00\n") == ("a", "b\nc")
    assert argv(b"zz") == argv(b"") == argv(None) == ()


# --- which cluster


def cluster(
    name: str | None = None, port: int = 5432, *, running: bool = True, port_known: bool = True
) -> Cluster:
    cluster_name = ClusterName(*name.split("/")) if name else None
    facts = ClusterFacts(cluster_name, port, "/var/run/postgresql", f"/d/{port}", None, running, "postgres")
    return Cluster(facts, facts.data_directory.encode(), 1 if running else None, None, None, port_known)


MAIN, OTHER = cluster("15/main"), cluster("15/other", 5433)
STOPPED = cluster("14/main", 5434, running=False)
BY_HAND = replace(STOPPED, by_hand=True)
STRANGER = cluster(None, 6000)


@pytest.mark.parametrize(
    ("there", "target", "wanted"),
    [
        ([MAIN], PostgresTarget(), [MAIN]),
        ([MAIN, STOPPED], PostgresTarget(), [MAIN]),
        ([MAIN, STOPPED], PostgresTarget(cluster=ClusterName("14", "main")), [STOPPED]),
        ([STOPPED, STRANGER], PostgresTarget(), [STOPPED]),
        ([BY_HAND, STRANGER], PostgresTarget(), [STRANGER]),
        ([BY_HAND, STRANGER], PostgresTarget(cluster=ClusterName("14", "main")), [BY_HAND]),
        ([BY_HAND, STRANGER], PostgresTarget(port=5434), [BY_HAND]),
        ([BY_HAND, STOPPED, STRANGER], PostgresTarget(), [BY_HAND, STOPPED]),
        ([BY_HAND], PostgresTarget(), [BY_HAND]),
        ([STRANGER], PostgresTarget(), [STRANGER]),
        ([MAIN, OTHER], PostgresTarget(), [MAIN, OTHER]),
        ([MAIN, OTHER], PostgresTarget(port=5433), [OTHER]),
        ([MAIN, STRANGER], PostgresTarget(port=6000), [STRANGER]),
        ([MAIN, STRANGER], PostgresTarget(socket_dir="/run/postgresql/", port=5432), [MAIN]),
    ],
)
def test_which_cluster_is_meant(there: list[Cluster], target: PostgresTarget, wanted: list[Cluster]) -> None:
    assert list(candidates(there, target)) == wanted


@pytest.mark.parametrize(
    ("start", "by_hand"),
    [("auto", False), ("manual", True), ("disabled", True), ("# manual\n\n auto\n", False), (None, False),
     ("# a comment\nmanual # no need\n", True)],
)  # fmt: skip
def test_a_start_conf_is_read_as_pg_ctlcluster_does(
    tmp_path: Path, start: str | None, by_hand: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = tmp_path / "etc" / "15" / "idle"
    configuration.mkdir(parents=True)
    data = tmp_path / "data"
    data.mkdir()
    (configuration / "postgresql.conf").write_text(f"data_directory = '{data}'\nport = 7200\n")
    if start is not None:
        (configuration / "start.conf").write_text(start)
    (tmp_path / "bin").mkdir()
    listing = tmp_path / "bin" / "pg_lsclusters"  # where it fails, the files are read
    listing.write_text("#!/bin/sh\nexit 1\n")
    listing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("PG_CLUSTER_CONF_ROOT", str(tmp_path / "etc"))
    look = Look("t", full=True, count_wal=False, heartbeat="")
    answer = subprocess.run(["sh", "-c", look.script()], capture_output=True, check=True)
    found = [read_cluster(each, "postgres") for each in read_answer(answer.stdout, "t").clusters]
    (idle,) = (each for each in found if each.path == bytes(data))
    assert idle.by_hand is by_hand


@pytest.mark.parametrize(
    ("there", "target", "said"),
    [
        ([], PostgresTarget(), "no cluster"),
        ([MAIN], PostgresTarget(cluster=ClusterName("9.4", "x")), "15/main on port 5432 (running)"),
        ([STOPPED], PostgresTarget(port=1), "14/main on port 5434 (stopped)"),
        ([MAIN], PostgresTarget(socket_dir="/elsewhere"), "socket directory /elsewhere"),
    ],
)
def test_none_is_told_with_what_there_is(there: list[Cluster], target: PostgresTarget, said: str) -> None:
    with pytest.raises(ClusterChoiceError) as raised:
        candidates(there, target)
    assert said in raised.value.line()


def test_a_server_in_a_container_is_told_where_there_is_no_other() -> None:
    with pytest.raises(ClusterChoiceError, match=r"runs in a container \(process 71\)"):
        candidates([], PostgresTarget(), boxed=71)
    assert list(candidates([MAIN], PostgresTarget(), boxed=71)) == [MAIN]


def test_a_server_that_has_another_number_in_a_namespace_of_its_own_runs(tmp_path: Path) -> None:
    program, data = tmp_path / "postgres", tmp_path / "data"
    shutil.copy("/bin/sleep", program)
    data.mkdir()
    (data / "postmaster.pid").write_text(f"2\n{data}\n1796049618\n7106\n{tmp_path}\n127.0.0.1\n")
    with subprocess.Popen([program, "60"], cwd=data) as server:
        try:
            first = Look("t", full=True, count_wal=False, heartbeat="")
            for look in (first, replace(first, full=False, pick=bytes(data), pick_pid=server.pid)):
                answer = subprocess.run(["sh", "-c", look.script()], capture_output=True, check=True)
                found = [read_cluster(each, "postgres") for each in read_answer(answer.stdout, "t").clusters]
                (here,) = (each for each in found if each.path == bytes(data))
                assert (here.pid, here.facts.port, here.facts.running) == (server.pid, 7106, True)
                assert here.facts.socket_dir == str(tmp_path)
        finally:
            server.kill()


def test_a_port_that_could_not_be_read_is_the_profile_s_where_no_other_is_known() -> None:
    hidden = cluster(None, 5432, port_known=False)
    (found,) = candidates([hidden], PostgresTarget(port=7000))
    assert found.facts.port == 7000
    assert list(candidates([hidden, STRANGER], PostgresTarget(port=6000))) == [STRANGER]


@pytest.mark.parametrize(
    "data",
    [
        "/var/lib/postgresql/15/restored.recovery-20261128T140200Z/data",
        "/var/lib/shop-restore-drill/shop-restore-drill.4711.AbCd0123/data",
    ],
)
def test_the_private_server_of_a_drill_or_a_recovery_is_never_meant(data: str) -> None:
    private = cluster(None, 5499)
    private = replace(private, facts=replace(private.facts, data_directory=data))
    assert list(candidates([STRANGER, private], PostgresTarget())) == [STRANGER]
    with pytest.raises(ClusterChoiceError):
        candidates([private], PostgresTarget())


def test_the_running_postmaster_s_word_counts_more_than_the_list_s() -> None:
    raw = {
        "cluster": b"/d",
        "cluster.name": b"15 main",
        "cluster.listed_port": b"5432",
        "cluster.port": b"5999",
        "cluster.socket": b"/s",
        "cluster.pid": b"77",
        "cluster.status": b"down",
        "cluster.config": b"/etc/listed",
        "cluster.argv": b"70 00 2d 63 00 63 6f 6e 66 69 67 5f 66 69 6c 65 3d 2f 65 00",
    }
    read = read_cluster(Group(raw), "postgres")
    assert read.facts == ClusterFacts(ClusterName("15", "main"), 5999, "/s", "/d", "/e", True, "postgres")


# --- pg_wal's disk


def disk(df: str, **more: str) -> WalDiskFacts | Problem | None:
    raw = {"wal.df": df.encode()} | {key.replace("_", ".", 1): text.encode() for key, text in more.items()}
    return read_wal_disk(Group(raw), "/d", "be root")


HEAD = "Filesystem     Type 1024-blocks  Used Available Capacity Mounted on\n"


@pytest.mark.parametrize(
    ("df", "device", "filesystem", "total", "free"),
    [
        (HEAD + "/dev/vda1      ext4 100 60 40 60% /", "/dev/vda1", "ext4", 100, 40),
        (HEAD + "tank/pg data   zfs  100 60 40 60% /var/lib/my data", "tank/pg data", "zfs", 100, 40),
        (
            "Filesystem 1024-blocks Used Available Capacity Mounted on\nnone 100 60 -4 100% /",
            "none",
            "n/a",
            100,
            0,
        ),
    ],
)
def test_df_as_it_is_printed(df: str, device: str, filesystem: str, total: int, free: int) -> None:
    found = disk(df)
    assert isinstance(found, WalDiskFacts)
    assert (found.device, found.filesystem) == (device, filesystem)
    assert (found.total_bytes, found.free_bytes) == (total * 1024, free * 1024)
    assert (found.wal_files, found.wal_bytes, found.ready_count) == (None, None, None)


def test_what_df_could_not_do_is_a_problem_in_its_words() -> None:
    found = disk("df: /d: Permission denied\n")
    assert found == Problem("df /d: df: /d: Permission denied", "be root", "Shell")
    assert read_wal_disk(Group({"cluster": b"/d"}), "/d", "be root") is None


def test_what_is_missing_is_never_zero() -> None:
    found = disk(HEAD + "/dev/vda1 ext4 100 60 40 60% /", wal_missing="pg_wal")
    assert isinstance(found, WalDiskFacts)
    assert found.missing == ("/d/pg_wal: cannot be read; be root",)
    assert found.wal_files is None


# -- What pg_lsclusters lists.


@pytest.mark.parametrize(
    ("data", "log"),
    [
        ("main", "/var/log/main.log"),
        ("main", "/var/log/odd place/x-%a.csv,jsonlog"),
        ("main two", "/var/log/main.log"),
        ("main two", "/var/log/odd place/x.log"),
        ("not mounted", "/var/log/main.log"),
    ],
)
def test_the_list_s_data_directory_and_log_may_have_spaces(tmp_path: Path, data: str, log: str) -> None:
    for there in ("main", "main two"):
        (tmp_path / there).mkdir()
    listing = tmp_path / "pg_lsclusters"
    listing.write_text(f"#!/bin/sh\necho '15 main 5432 down postgres {tmp_path}/{data}  {log}'\n")
    listing.chmod(0o755)
    script = Look("t", full=True, count_wal=False, heartbeat="").script()
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    answer = subprocess.run(["sh", "-c", script], capture_output=True, check=True, timeout=20, env=path)
    groups = read_answer(answer.stdout, "t").clusters
    (listed,) = (each for each in (read_cluster(group, "postgres") for group in groups) if each.listed)
    assert (listed.facts.data_directory, listed.log) == (f"{tmp_path}/{data}", log)


# -- What the base backup's script tells of itself.

TOLD = (
    '{"format":1,"id":"20261129T031000Z","state":"%s","pid":%d,"began":1,"at":2,'
    '"expected_bytes":3,"read_bytes":2,"exit":%s,"message":""}'
)


def told(state: Path) -> BackupScript:
    """By the look at the host, whose script this shell runs whole."""
    look = Look("t", False, False, "", run_state=str(state), run_name="shithub-base-backup")
    answer = subprocess.run(["sh", "-c", look.script()], capture_output=True, check=True, timeout=20)
    return read_backup_script(read_answer(answer.stdout, "t").host, "sudo")


def test_where_the_script_never_ran_nothing_is_told(tmp_path: Path) -> None:
    assert told(tmp_path) == told(tmp_path / "none") == BackupScript()


def test_it_runs_where_its_process_is_that_script(tmp_path: Path) -> None:
    script = tmp_path / "shithub-base-backup"
    script.write_text("sleep 60\n:")
    status = tmp_path / "status.json"
    with subprocess.Popen(["sh", str(script)], start_new_session=True) as running:
        try:
            status.write_text(TOLD % ("streaming", running.pid, "null"))
            wait_until(lambda: told(tmp_path).lives, "it is seen to run")
            found = told(tmp_path)
            assert found.status is not None
            assert (found.status.pid, found.status.state) == (running.pid, "streaming")
            status.write_text(TOLD % ("failed", running.pid, "1"))
            found = told(tmp_path)
            assert (found.lives, found.status and found.status.exit_status) == (False, 1)
        finally:
            os.killpg(running.pid, signal.SIGKILL)
    status.write_text(TOLD % ("streaming", running.pid, "null"))
    assert (told(tmp_path).lives, told(tmp_path).missing) == (False, ())
    status.write_text(TOLD % ("streaming", os.getpid(), "null"))  # its number is another's by now
    assert not told(tmp_path).lives


@pytest.mark.parametrize(
    "kind", ["a link", "a link to nothing", "a pipe", "a folder", "no status", "too long"]
)
def test_what_stands_there_instead_is_said_and_never_taken_for_none(tmp_path: Path, kind: str) -> None:
    status = tmp_path / "status.json"
    if kind == "a link":
        (tmp_path / "other").write_text(TOLD % ("streaming", 1, "null"))
        status.symlink_to(tmp_path / "other")
    elif kind == "a link to nothing":
        status.symlink_to(tmp_path / "nothing")
    elif kind == "a pipe":
        os.mkfifo(status)
    elif kind == "a folder":
        status.mkdir()
    else:
        long = (TOLD % ("streaming", 1, "null")).replace('"message":"', f'"message":"{"x" * 5000}')
        status.write_text("x" if kind == "no status" else long)
    found = told(tmp_path)
    assert (found.status, found.lives) == (None, False)
    (missing,) = found.missing
    assert "status.json" in missing


# -- What restore drills left on the host.


def drills_in(state: Path) -> tuple[object, ...]:
    """By the look at the host, whose script this shell runs whole."""
    look = Look("t", True, False, "", drills=str(state))
    answer = subprocess.run(["sh", "-c", look.script()], capture_output=True, check=True, timeout=20)
    return read_drills(read_answer(answer.stdout, "t").host, str(state), "be root")


def test_what_drills_left_on_the_host_is_read_as_what_lies_in_a_copy(tmp_path: Path) -> None:
    assert drills_in(tmp_path) == drills_in(tmp_path / "none") == ()
    (tmp_path / "proved").touch()  # as scripts before it left it
    failed = content(outcome="failed", reason="query", id="20261130T000000Z")
    (tmp_path / "last.json").write_bytes(failed + b"\n")
    (last,) = drills_in(tmp_path)
    assert isinstance(last, DrillResult)
    assert (last.id, last.outcome, last.reason) == ("20261130T000000Z", Outcome.FAILED, "query")
    (tmp_path / "proved").write_bytes(content() + b"\n")
    assert drills_in(tmp_path) == (last, good())
    (tmp_path / "last.json").write_bytes(content() + b"\n")
    assert drills_in(tmp_path) == (good(),), "the last is the newest that proved one"


@pytest.mark.parametrize("kind", ["a link", "a pipe", "a folder"])
def test_what_stands_there_instead_of_a_drills_result_is_not_read(tmp_path: Path, kind: str) -> None:
    last = tmp_path / "last.json"
    if kind == "a link":
        (tmp_path / "other").write_bytes(content() + b"\n")
        last.symlink_to(tmp_path / "other")
    elif kind == "a pipe":
        os.mkfifo(last)
    else:
        last.mkdir()
    assert drills_in(tmp_path) == ()


def test_what_is_no_result_of_a_drill_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "last.json").write_text("{}\x1b[2J\n")
    (tmp_path / "proved").write_bytes(content(witness_after="committed") + b"\n")
    unreadable = drills_in(tmp_path)
    assert [type(each) for each in unreadable] == [Unreadable, Unreadable]
    assert "witnesses do not bear it out" in str(unreadable[1])


def test_a_cluster_that_was_chosen_is_meant_by_its_name_else_by_its_socket() -> None:
    named = facts_of("/data/one", name=ClusterName("15", "main"), port=5432)
    nameless = facts_of("/data/two", name=None, port=6000)
    assert of_cluster(PROFILE, None) == PROFILE
    assert of_cluster(PROFILE, named).postgres == replace(PROFILE.postgres, cluster=ClusterName("15", "main"))
    said = of_cluster(PROFILE, nameless).postgres
    assert (said.cluster, said.port, said.socket_dir) == (PROFILE.postgres.cluster, 6000, "/run/postgresql")


def facts_of(path: str, *, name: ClusterName | None, port: int) -> ClusterFacts:
    return ClusterFacts(name, port, "/run/postgresql", path, None, True, "postgres")
