"""A base backup by the rendered script: what it stores and refuses, and that it can be restored by hand."""

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.integration.backup_parts import CHOICES, Backups, region
from tests.integration.droplet_parts import PREFIX, newer_rclone_path
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.fixtures import MakePostgres, or_skip
from tests.servers.ports import free_port, wait_until
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.programs import find_program
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.droplet.choices import BackupChoices

pytestmark = pytest.mark.server

PAGE = Path(__file__).parents[2] / "docs/recovery.md"


@pytest.fixture(scope="module")
def backups(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> Iterator[Backups]:
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    with ExitStack() as stack:
        stack.callback(server.stop, "immediate")
        made = Backups(server, region(rgw), region(rgw_dr))
        made.archive()
        yield made


def test_a_backup_is_complete_in_both_copies_and_says_what_it_is(backups: Backups) -> None:
    identity = backups.taken()
    backups.assert_nothing_left()
    assert (backups.state / "unfinished").read_text() == ""
    for each in backups.regions:
        assert each.backups[identity] == {"base.tar.zst", "backup_manifest", "backup.json"}
        said = json.loads(each.get(identity, "backup.json"))
        assert (said["format"], said["id"], said["kind"], said["parent"]) == (1, identity, "full", None)
        assert said["system_identifier"] == str(
            backups.server.sql("SELECT system_identifier FROM pg_control_system()")[0][0]
        )
        assert said["server_version_num"] // 10000 == backups.server.version
        assert (said["timeline"], said["wal_segment_size"], said["from_standby"]) == (1, 1 << 20, False)
        assert said["started"] <= said["stopped"]
        assert said["verified"] == {"read_back": True, "manifest": True, "wal": True}
        for stored in said["objects"]:
            body = each.get(identity, stored["name"])
            assert (len(body), hashlib.sha256(body).hexdigest()) == (stored["bytes"], stored["sha256"])
        manifest_text = each.get(identity, "backup_manifest")
        manifest = json.loads(manifest_text)
        assert said["objects"][0]["files"] == len(manifest["Files"])
        sizes = sum(file["Size"] for file in manifest["Files"])
        assert said["objects"][0]["unpacked_bytes"] == sizes + len(manifest_text)
        (wal,) = manifest["WAL-Ranges"]
        assert (said["start_lsn"], said["stop_lsn"]) == (wal["Start-LSN"], wal["End-LSN"])
        named = "SELECT pg_walfile_name(%s::pg_lsn), pg_walfile_name(%s::pg_lsn - 1)"
        names = backups.server.sql(named, said["start_lsn"], said["stop_lsn"])
        assert names == [(said["start_wal"], said["stop_wal"])]


def test_a_newer_rclone_does_as_well(backups: Backups) -> None:
    path = or_skip(lambda: newer_rclone_path(backups.server))
    ended = backups.take(backups.render(CHOICES, "newer", Path(path.partition(":")[0])))
    assert ended.status == 0, ended.stderr
    said = json.loads(backups.dr.get(backups.status["id"], "backup.json"))
    assert said["tools"]["rclone"] != version("/usr/bin/rclone")
    backups.assert_nothing_left()


def version(program: str) -> str:
    return subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )[0]


# -- By hand, by the page's own commands.


def page_commands(*, incremental: bool = False) -> list[str]:
    """The page's shell blocks, in their order; the first says where from and where to.

    Of an incremental one's, those that the page says take the place of the files.
    """
    blocks = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    whole, joined = map(blocks.findall, PAGE.read_text().split("### An incremental one\n"))
    (files,) = (number for number, block in enumerate(whole) if "pg_verifybackup" in block)
    return [*whole[:files], *joined, *whole[files + 1 :]] if incremental else whole


@contextmanager
def restored(
    backups: Backups, copy: str, *, secret: Path | None = None, incremental: bool = False
) -> Iterator[PostgresServer]:
    """A server that stands where the page's commands restored it from `copy`, a remote and its bucket.

    With `secret` as the page says of what is encrypted.
    """
    original = backups.server
    folder = original.workspace.folder("restored", original.os_user)
    settings, *commands = page_commands(incremental=incremental)
    port = str(free_port())
    where = {
        "copy": f"{copy}/{PREFIX}",
        "bin": str(original.bin_dir),
        "data": str(folder / "data"),
        "work": str(folder / "work"),
        "RCLONE_CONFIG": backups.at.profile.paths.rclone_config,
    }
    assert set(re.findall(r"^(\w+)=", settings, re.MULTILINE)) == set(where)
    given = "".join(f"{name}={shlex.quote(value)}\n" for name, value in where.items())
    script = "\n".join([given, "export RCLONE_CONFIG", *commands]).replace("5499", port)
    if secret is not None:
        assert "`.age`, put `age -d -i SECRET-KEY-FILE |` before `zstd`" in PAGE.read_text()
        decrypt = f"age -d -i {secret} | zstd -q -dc | tar"
        script = script.replace("base.tar.zst", "base.tar.zst.age").replace("zstd -q -dc | tar", decrypt)
    server = PostgresServer(original.workspace, original.bin_dir, folder, int(port))
    server.socket_dir = folder / "work"
    server.log_file = folder / "work/log"
    try:
        server.run(["sh", "-euc", f"PATH={original.bin_dir}:$PATH\n{script}"])
        yield server
    finally:
        server.stop("immediate")
        shutil.rmtree(folder)


def rows(server: PostgresServer, query: str = "SELECT n FROM kept ORDER BY n") -> list[int]:
    psql = [str(server.bin_dir / "psql"), "-XAtq", "-h", str(server.socket_dir), "-p", str(server.port)]
    return [
        int(line) for line in server.run([*psql, "-U", "postgres", "-d", "postgres", "-c", query]).split()
    ]


def keep(server: PostgresServer, *numbers: int) -> None:
    server.sql("CREATE TABLE IF NOT EXISTS kept (n int)")
    for number in numbers:
        server.sql("INSERT INTO kept VALUES (%s)", number)


def test_a_restore_by_the_pages_commands_has_what_was_written_after_the_backup(backups: Backups) -> None:
    server = backups.server
    keep(server, 1, 2)
    backups.taken()
    keep(server, 3)
    first = fill_segment(server)
    keep(server, 4)
    wait_archived(server, [first, fill_segment(server)])
    with restored(backups, f"spaces-dr:{backups.dr.to.bucket}") as again:
        assert rows(again) == [1, 2, 3, 4]
        assert rows(again, "SELECT archived_count + failed_count FROM pg_stat_archiver") == [0]


@pytest.mark.long
def test_postgresql_18_with_large_segments_on_one_copy(
    make_postgres: MakePostgres, rgw: RadosGateway
) -> None:
    server = make_postgres(release="wheel", wal_segment_mib=64, start=False)
    backups = Backups(server, region(rgw), region(rgw), to_dr=False)
    backups.archive()
    keep(server, 1)
    identity = backups.taken()
    assert backups.dr.backups == {}
    assert json.loads(backups.primary.get(identity, "backup.json"))["wal_segment_size"] == 64 << 20
    keep(server, 2)
    wait_archived(server, [fill_segment(server)])
    with restored(backups, f"spaces-prod:{backups.primary.to.bucket}") as again:
        assert rows(again) == [1, 2]


def test_a_standby_can_be_backed_up_and_restored(backups: Backups) -> None:
    server = backups.server
    keep(server, 5)
    server.write_config("60_test.conf", {"full_page_writes": "on"})  # or a standby refuses, and is right
    server.reload()
    server.sql("CHECKPOINT")
    standby = server.standby()
    standby.configure(archive_mode="on", archive_command="false")
    standby.start()
    try:
        wait_until(lambda: standby.sql("SELECT count(*) FROM kept WHERE n = 5") == [(1,)], "it streams")
        of_standby = Backups(standby, backups.primary, backups.dr)
        running = of_standby.begin()
        while running.poll() is None:  # the WAL up to its stop comes from the primary
            fill_segment(server)
            time.sleep(1)
        _, said = running.communicate()
        assert running.returncode == 0, said
        identity = of_standby.status["id"]
        assert json.loads(backups.dr.get(identity, "backup.json"))["from_standby"] is True
    finally:
        standby.stop("immediate")
    keep(server, 6)
    wait_archived(server, [fill_segment(server)])
    with restored(backups, f"spaces-prod:{backups.primary.to.bucket}") as again:
        assert {5, 6} <= set(rows(again))


@pytest.mark.long
def test_of_a_standby_that_is_promoted_meanwhile_nothing_is_left_and_the_next_one_is_whole(
    backups: Backups, rgw: RadosGateway, rgw_dr: RadosGateway
) -> None:
    """The server ends such a backup, for it has no end on one timeline."""
    server = backups.server
    server.write_config("60_test.conf", {"full_page_writes": "on"})
    server.reload()
    keep(server, 7)
    server.sql("CHECKPOINT")
    standby = server.standby()
    standby.configure(archive_mode="on", archive_command="false")
    standby.start()
    try:
        wait_until(lambda: standby.sql("SELECT count(*) FROM kept WHERE n = 7") == [(1,)], "it streams")
        of_standby = Backups(standby, region(rgw), region(rgw_dr))
        running = of_standby.begin(of_standby.render(replace(CHOICES, read_mib_s=2), "slow"))
        wait_until(lambda: bool(of_standby.sessions()), "it streams a base backup")
        standby.sql("SELECT pg_promote()")
        _, said = running.communicate()
        assert running.returncode == 1, said
        assert "promoted" in said
        assert of_standby.complete == [set(), set()]
        of_standby.assert_nothing_left()
        of_standby.archive(standby)
        identity = of_standby.taken()
        told = json.loads(of_standby.dr.get(identity, "backup.json"))
        assert (told["timeline"], told["from_standby"]) == (2, False)
    finally:
        standby.stop("immediate")


# -- What is refused, before anything is written.


def test_tablespaces_are_refused_by_the_name_of_what_can(backups: Backups) -> None:
    server = backups.server
    place = server.workspace.folder("tablespace", server.os_user)
    before = [each.backups for each in backups.regions]
    server.sql(f"CREATE TABLESPACE elsewhere LOCATION '{place}'")
    try:
        ended = backups.take()
    finally:
        server.sql("DROP TABLESPACE elsewhere")
    assert ended.status == 2
    assert "tablespaces of its own: 1" in ended.stderr
    assert "pgBackRest" in ended.stderr
    assert [each.backups for each in backups.regions] == before
    assert backups.status["state"] == "failed"


def test_without_an_archive_that_works_none_is_begun(make_postgres: MakePostgres, rgw: RadosGateway) -> None:
    server = make_postgres()
    backups = Backups(server, region(rgw), region(rgw), choices=replace(CHOICES, patience_s=3))
    off = backups.take()
    assert (off.status, "archive_mode is off" in off.stderr) == (2, True)
    server.configure(archive_mode="on", archive_command="false")
    server.restart()
    fill_segment(server)
    wait_until(lambda: server.sql("SELECT failed_count > 0 FROM pg_stat_archiver") == [(True,)], "it fails")
    failing = backups.take()
    assert (failing.status, "archiving fails, now for 3 s" in failing.stderr) == (1, True)
    server.configure(archive_mode="on", archive_command="true")
    server.reload()
    wait_archived(server, [fill_segment(server)])
    lying = backups.take()
    assert (lying.status, "the WAL that the backup needs is not in" in lying.stderr) == (1, True)
    assert [each.backups for each in backups.regions] == [{}, {}]
    backups.assert_nothing_left()


def test_what_is_installed_wrongly_is_said(backups: Backups) -> None:
    assert backups.at.run(backups.script, "--now").status == 2
    moved = backups.state.rename(backups.state.with_name("elsewhere"))
    ended = backups.take()
    moved.rename(backups.state)
    assert (ended.status, f"install -d -o {backups.server.os_user}" in ended.stderr) == (2, True)


def test_of_two_at_once_one_is_taken(backups: Backups) -> None:
    first = backups.begin()
    # by its own word: to ask for its lock may take that from under it
    wait_until(lambda: backups.status["exit"] is None, "the first begins")
    second = backups.take()
    assert (second.status, "another base backup" in second.stderr) == (3, True)
    _, said = first.communicate(timeout=60)
    assert first.returncode == 0, said
    backups.assert_nothing_left()


@pytest.mark.parametrize(("gib", "part"), [(1, "8M 4"), (100, "12M 4"), (640, "77M 1"), (700, None)])
def test_parts_are_as_large_as_the_cluster_wants_and_memory_allows(
    backups: Backups, gib: int, part: str | None
) -> None:
    """No more than 10,000 of them, and no more than 80 MiB of them under way for a copy."""
    asked = backups.state / "asked"
    grown = f"exec /usr/bin/psql \"$@\" | awk -F '|' -v OFS='|' 'NF > 9 {{ $6 = \"{gib << 30}\" }} 1'\n"
    refusing = f'case $1 in rcat) echo "$*" >>{asked}; exit 1 ;; esac; exec /usr/bin/rclone "$@"\n'
    ended = backups.take(backups.render(CHOICES, "grown", backups.tools(psql=grown, rclone=refusing)))
    if part is None:
        assert (ended.status, "pgBackRest" in ended.stderr) == (2, True)
        return
    size, lanes = part.split()
    assert ended.status == 1
    assert f"--s3-chunk-size {size} --s3-upload-concurrency {lanes} " in asked.read_text()
    asked.unlink()
    backups.assert_nothing_left()


# -- Encrypted: the droplet cannot read what it stores.


@dataclass
class Sealed:
    """A pair of age's keys: the droplet has the public one, and `secret` is whose who restores."""

    backups: Backups
    tools: Path
    secret: Path

    @property
    def recipients(self) -> Path:
        return self.tools / "recipients"

    def script(self) -> Path:
        return self.backups.render(replace(CHOICES, recipients=str(self.recipients)), "sealed", self.tools)


@pytest.fixture
def sealed(backups: Backups) -> Sealed:
    return sealing(backups)


def sealing(backups: Backups) -> Sealed:
    """A new pair of keys for them."""
    age = or_skip(lambda: find_program("age", server="age", package="age"))
    tools = backups.tools(age=f'exec {age} "$@"\n')
    keys = subprocess.run([age.with_name("age-keygen")], capture_output=True, text=True, check=True)
    (public,) = re.findall(r"^# public key: (\S+)$", keys.stdout, re.MULTILINE)
    secret = backups.server.workspace.folder("secret", backups.server.os_user) / "key"
    secret.write_text(keys.stdout)
    backups.server.give(secret)
    made = Sealed(backups, tools, secret)
    made.recipients.write_text(f"# for the vault\n\n{public}\n")
    return made


def test_an_encrypted_one_is_restored_with_the_secret_key(sealed: Sealed) -> None:
    backups, server = sealed.backups, sealed.backups.server
    server.sql("CREATE TABLE sealed AS SELECT 17 AS n")
    ended = backups.take(sealed.script())
    assert ended.status == 0, ended.stderr
    identity = backups.status["id"]
    for each in backups.regions:
        assert each.backups[identity] == {"base.tar.zst.age", "backup_manifest", "backup.json"}
        assert json.loads(each.get(identity, "backup.json"))["encryption"] == "age"
    server.sql("INSERT INTO sealed VALUES (18)")
    wait_archived(server, [fill_segment(server)])
    with restored(backups, f"spaces-dr:{backups.dr.to.bucket}", secret=sealed.secret) as again:
        assert rows(again, "SELECT n FROM sealed ORDER BY n") == [17, 18]
    backups.assert_nothing_left()


SECRET = "AGE-SECRET-KEY-1QQPQQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARCS6S2JS"
"""Nobody's."""


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "it is no file that"),
        ("", "it holds no public key"),
        ("# age1notakey\n", "it holds no public key"),
        (f"age1qqq\n{SECRET}\n", "line 2 holds a secret key"),
        (f"# {SECRET.lower()}\n", "line 1 holds a secret key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\n", "line 1 holds a secret key"),
        ("age1qqq\nhunter2\n", "line 2 is no public key"),
    ],
)
def test_what_holds_no_public_keys_alone_is_refused_and_never_printed(
    sealed: Sealed, content: str | None, why: str
) -> None:
    before = [each.backups for each in sealed.backups.regions]
    sealed.recipients.unlink()
    if content is not None:
        sealed.recipients.write_text(content)
    ended = sealed.backups.take(sealed.script())
    assert (ended.status, why in ended.stderr) == (2, True), ended.stderr
    told = f"{ended.stderr}{ended.stdout}{sealed.backups.status}".lower()
    assert not {"qqp", "hunter2"} & set(re.findall("qqp|hunter2", told))
    assert [each.backups for each in sealed.backups.regions] == before


RATE_MIB_S, MIB = 5, 1024 * 1024


@pytest.mark.long
def test_what_is_sent_to_each_copy_is_no_faster_than_the_rate(backups: Backups) -> None:
    """Of 100 MiB that nothing compresses, with a rate and without: bytes a second by what was stored."""
    server, noise = backups.server, backups.server.data_dir / "noise"
    noise.write_bytes(os.urandom(100 * MIB))
    server.give(noise)
    try:
        free = sent_mib_s(backups, CHOICES)
        bound = sent_mib_s(backups, replace(CHOICES, send_mib_s=RATE_MIB_S))
    finally:
        noise.unlink()
    assert 0.5 * RATE_MIB_S < bound <= 1.1 * RATE_MIB_S, (free, bound)
    assert free > 1.2 * RATE_MIB_S, (free, bound)


def sent_mib_s(backups: Backups, choices: BackupChoices) -> float:
    """What was stored of one in a copy, by how long its script said that it is streamed."""
    process = backups.begin(backups.render(choices, "timed"))
    wait_until(lambda: streaming(backups) or process.poll() is not None, "it is streamed", timeout_s=60)
    began = time.monotonic()
    wait_until(lambda: not streaming(backups), "it is sent", timeout_s=240)
    took_s = time.monotonic() - began
    _, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    return len(backups.dr.get(str(backups.status["id"]), "base.tar.zst")) / MIB / took_s


def streaming(backups: Backups) -> bool:
    """Whether its script says that it is streamed."""
    return (backups.state / "status.json").exists() and backups.status["state"] == "streaming"
