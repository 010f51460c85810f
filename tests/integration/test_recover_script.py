"""A recovery by the rendered script alone: of an encrypted base backup; of pgBackRest's, with tablespaces."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.backup_parts import Backups, region
from tests.integration.drill_parts import CHOICES
from tests.integration.droplet_parts import Ended
from tests.integration.test_drill_encrypted import behind_crypt
from tests.integration.test_droplet_base_backup import sealing
from tests.servers.archived import fill_segment, start_archiving, wait_archived
from tests.servers.fixtures import or_skip
from tests.servers.pgbackrest import pgbackrest
from tests.servers.ports import free_port
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.reaper import Ward
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.recovery.recover_state import RecoveryPhase, RecoveryState, read_recovery
from walconsole.droplet.names import names_of
from walconsole.droplet.rendering import recover_script

pytestmark = [pytest.mark.server, pytest.mark.timeout(300), pytest.mark.long]


class Recoveries:
    """The recovery's script on the droplet that `backups` describes; each has a folder of its own."""

    def __init__(self, backups: Backups) -> None:
        self.backups, self.server = backups, backups.server
        names = names_of(backups.profile)
        self.state_dir, self.restore = Path(names.recover_state), Path(names.restore)
        for folder in (self.state_dir, *reversed(self.restore.parents[:3])):
            if not folder.exists():
                folder.mkdir()
                self.server.give(folder)
        self.restore.write_text(backups.at.restore.read_text())
        self.restore.chmod(0o755)
        self.script = backups.at.folder / "tried-recover"
        self.script.write_text(recover_script(backups.profile, backups.at.choices, CHOICES))
        self.script.chmod(0o755)

    def run(self, *words: str) -> Ended:
        """A phase, to its end."""
        process = self.backups.at.start(self.script, *words)
        stdout, stderr = process.communicate(timeout=120)
        return Ended(process.returncode, stdout, stderr)

    def goes_well(self, *words: str) -> None:
        """The same, and it must."""
        ended = self.run(*words)
        assert ended.status == 0, ended.stderr

    def begin(self, id: str, *target: str, backup: str, old: str = "-", into: str = "-") -> Path:
        """Note what shall be done: the folder in which it will be."""
        work = self.server.folder / f"restored.recovery-{id}"
        self.server.run(["mkdir", "-m", "700", str(work)])
        ended = self.run("begin", id, backup, "primary", "1", str(work), old, into, *target)
        assert ended.status == 0, ended.stderr
        return work

    @property
    def state(self) -> RecoveryState:
        """Where it stands."""
        found = read_recovery((self.state_dir / "recovery").read_text())
        assert found is not None
        return found

    def ask(self, sql: str) -> str:
        """The paused server's answer."""
        psql = ["psql", "-XAtq", "-h", str(self.state_dir), "-p", "5499", "-U", "postgres", "-d", "postgres"]
        return self.server.run([*psql, "-c", sql]).strip()


@pytest.fixture
def recoveries(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> Iterator[Recoveries]:
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    with beside(server, rgw, rgw_dr) as made:
        yield made


@contextmanager
def beside(server: PostgresServer, rgw: RadosGateway, rgw_dr: RadosGateway) -> Iterator[Recoveries]:
    """This server archives, and is stopped at the end, with whatever was recovered beside it."""
    with ExitStack() as stack:
        stack.callback(server.stop, "immediate")
        backups = Backups(server, region(rgw), region(rgw_dr))
        backups.archive()
        made = Recoveries(backups)
        stack.callback(made.run, "stop")
        yield made


def test_an_encrypted_base_backup_takes_its_key(recoveries: Recoveries) -> None:
    backups, server = recoveries.backups, recoveries.server
    sealed, other = sealing(backups), sealing(backups)
    server.sql("CREATE TABLE kept AS SELECT 17 AS n")
    ended = backups.take(sealed.script())
    assert ended.status == 0, ended.stderr
    server.sql("INSERT INTO kept VALUES (18)")
    wait_archived(server, [fill_segment(server)])
    work = recoveries.begin("20261128T140200Z", "latest", backup=backups.status["id"])

    without = recoveries.run("restore")
    assert (without.status, "its secret key is not on this host" in without.stderr) == (2, True)
    for path, status, why in (
        (work / "nowhere", 2, "cannot be read as user"),
        (other.secret, 1, f"cannot be decrypted with {other.secret}"),
        (sealed.secret, 0, "is what its manifest says"),
    ):
        assert recoveries.run("note", "identity", str(path)).status == 0
        ended = recoveries.run("restore")
        assert (ended.status, why in ended.stderr) == (status, True), ended.stderr
    ended = recoveries.run("replay", "latest")
    assert ended.status == 0, ended.stderr
    assert recoveries.ask("SELECT string_agg(n::text, ' ' ORDER BY n) FROM kept") == "17 18"
    secret = sealed.secret.read_text().splitlines()[-1]
    told = [path for path in (*work.iterdir(), *recoveries.state_dir.iterdir()) if path.is_file()]
    assert told
    assert all(secret not in path.read_text(errors="replace") for path in told)


def test_how_its_backup_is_brought_is_known_as_soon_as_it_is_begun(recoveries: Recoveries) -> None:
    """Noted by a later call it was lost with a connection, or a console, that ended between the two."""
    work = recoveries.server.folder / "restored.recovery-20261128T140200Z"
    recoveries.server.run(["mkdir", "-m", "700", str(work)])
    words = ["20261128T140200Z", "20261128-130000F", "primary", "1", str(work), "-", "-", "latest"]
    call = "pgbackrest --config=/etc/of-it.conf --stanza=main"
    ended = recoveries.run("begin", "--pgbackrest", call, "--identity", "/dev/shm/key", *words)
    assert ended.status == 0, ended.stderr
    assert recoveries.state.pgbackrest == call
    assert "identity=/dev/shm/key" in (recoveries.state_dir / "recovery").read_text().splitlines()
    ended = recoveries.run("begin", "--pgbackrest", "pgbackrest; false", *words)
    assert (ended.status, "cannot be handled" in ended.stderr) == (2, True)


def test_an_archive_behind_rclones_crypt_is_recovered_as_it_is(recoveries: Recoveries) -> None:
    backups, server = recoveries.backups, recoveries.server
    config = Path(backups.profile.paths.rclone_config)
    config.write_text(behind_crypt(config.read_text(), backups))
    server.sql("CREATE TABLE kept AS SELECT 17 AS n")
    taken = backups.taken()
    server.sql("INSERT INTO kept VALUES (18)")
    wait_archived(server, [fill_segment(server)])
    recoveries.begin("20261128T140200Z", "latest", backup=taken)
    recoveries.goes_well("restore")
    recoveries.goes_well("replay", "latest")
    assert recoveries.ask("SELECT string_agg(n::text, ' ' ORDER BY n) FROM kept") == "17 18"


def test_role_and_database_of_the_profile_may_have_come_later(recoveries: Recoveries) -> None:
    """At the target neither is there, by which the script asks: it comes to its pause, and is promoted."""
    backups, server = recoveries.backups, recoveries.server
    server.sql("CREATE TABLE kept AS SELECT 17 AS n")
    taken = backups.taken()
    ((lsn,),) = server.sql("SELECT pg_current_wal_insert_lsn()")
    server.sql("CREATE ROLE later SUPERUSER LOGIN")
    server.sql("CREATE DATABASE later")
    wait_archived(server, [fill_segment(server)])
    late = replace(
        backups.profile, postgres=replace(backups.profile.postgres, user="later", database="later")
    )
    recoveries.script.write_text(recover_script(late, backups.at.choices, CHOICES))
    aim = ("lsn", str(lsn), "off")
    recoveries.begin("20261128T140200Z", *aim, backup=taken)
    recoveries.goes_well("restore")
    recoveries.goes_well("replay", *aim)
    assert (recoveries.state.phase, recoveries.ask("SELECT n FROM kept")) == (RecoveryPhase.PAUSED, "17")
    recoveries.goes_well("promote")
    assert recoveries.state.phase.value == "promoted"


def test_what_the_group_could_read_it_reads_again(recoveries: Recoveries) -> None:
    """As after `initdb -g`: whoever backs the cluster up by the group reads every file, keys but for."""
    backups, server = recoveries.backups, recoveries.server
    server.stop()
    server.run(["chmod", "-R", "g+rX", str(server.data_dir)])
    server.run(["sh", "-c", f"umask 077; echo secret >{server.data_dir}/server.key"])
    server.start()
    server.sql("CREATE TABLE kept AS SELECT 17 AS n")
    taken = backups.taken()
    wait_archived(server, [fill_segment(server)])
    old = server.data_dir
    folder = old.with_name("restored")
    work = recoveries.begin("20261128T140200Z", "latest", backup=taken, old=str(old), into=str(folder))
    recoveries.goes_well("restore")
    assert (work / "data").stat().st_mode & 0o777 == 0o750
    recoveries.goes_well("replay", "latest")
    recoveries.goes_well("promote")
    recoveries.goes_well("take-place", str(old))
    assert folder.stat().st_mode & 0o777 == 0o750
    unreadable = [
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.is_file() and not path.stat().st_mode & 0o040 and "pg_wal" not in path.parts
    ]
    assert [str(path) for path in unreadable] == ["server.key"]


def test_what_was_not_archived_is_not_copied_onto_a_disk_without_room(recoveries: Recoveries) -> None:
    backups, server = recoveries.backups, recoveries.server
    taken = backups.taken()
    server.configure(archive_mode="on", archive_command="false")
    server.reload()
    left = [fill_segment(server), fill_segment(server)]
    server.stop("immediate")
    work = recoveries.begin("20261128T140200Z", "latest", backup=taken, old=str(server.data_dir))
    reserved = recover_script(backups.profile, backups.at.choices, replace(CHOICES, reserve_mib=1 << 30))
    roomy = recoveries.script.read_text()
    recoveries.script.write_text(reserved)
    ended = recoveries.run("keep-wal")
    assert ended.status == 6, ended.stderr
    assert f"what {server.data_dir}/pg_wal has and the archive has not takes " in ended.stderr
    assert [*(work / "saved").iterdir()] == []
    recoveries.script.write_text(roomy)
    recoveries.goes_well("keep-wal")
    assert set(left) <= {path.name for path in (work / "saved").iterdir()}


# -- Another tool's, with tablespaces.


ODD = 'sl/ow it\'s "so" größe'
"""A tablespace's name, by which pgBackRest calls its folder; PostgreSQL takes any but pg_..."""


def test_a_backup_of_pgbackrests_with_two_tablespaces(recoveries: Recoveries) -> None:
    backups, server = recoveries.backups, recoveries.server
    writer = pgbackrest(server, backups.primary.to)
    start_archiving(server, writer.archive_command)
    options = f"--config={server.folder}/pgbackrest-main.conf --stanza=main"
    for name, space in (("fast", "fast"), ("slow", ODD)):
        place = server.folder / f"space-{name}"
        server.run(["mkdir", str(place)])
        quoted = space.replace('"', '""')
        server.sql(f"CREATE TABLESPACE \"{quoted}\" LOCATION '{place}'")
        server.sql(f'CREATE TABLE at_{name} TABLESPACE "{quoted}" AS SELECT generate_series(1, 100) AS n')
    server.run(["sh", "-c", f"pgbackrest {options} --type=full backup"])
    told = json.loads(server.run(["sh", "-c", f"pgbackrest {options} --output=json info"]))
    label = told[0]["backup"][-1]["label"]
    server.sql("INSERT INTO at_fast VALUES (101)")
    server.sql("INSERT INTO at_slow VALUES (101)")
    ((lsn,),) = server.sql("SELECT pg_current_wal_insert_lsn()")
    server.sql("DROP TABLE at_fast")
    wait_archived(server, [fill_segment(server)])
    server.sql("CHECKPOINT")
    (server.folder / "space-fast").rename(server.folder / "unmounted")  # the disk under it is gone
    folder = server.data_dir.with_name("restored")
    aim = ("lsn", str(lsn), "off")
    work = recoveries.begin(
        "20261128T140200Z", *aim, backup=label, old=str(server.data_dir), into=str(folder)
    )
    assert recoveries.run("note", "pgbackrest", options).status == 0
    recoveries.goes_well("restore")
    recoveries.goes_well("replay", *aim)
    assert recoveries.ask("SELECT count(*) FROM at_fast") == "101"
    links = {each.readlink() for each in (work / "data/pg_tblspc").iterdir()}
    assert links == {work / "tablespaces/fast", work / "tablespaces" / ODD}
    recoveries.goes_well("promote")
    recoveries.goes_well("take-place", str(server.data_dir))
    beside = server.data_dir.with_name("restored.tablespaces-20261128T140200Z")
    assert {each.readlink() for each in (folder / "pg_tblspc").iterdir()} == {
        beside / "fast",
        beside / ODD,
    }
    assert server.sql("SELECT count(*) FROM at_slow") == [(101,)], "the old one goes on in its own"
    with started(server, folder) as again:
        assert again("SELECT (SELECT count(*) FROM at_fast), (SELECT count(*) FROM at_slow)") == "101|101"

    # One that was made after the backup would be made again at its old path.
    assert recoveries.run("note", "phase", "done").status == 0
    late = server.folder / "space-late"
    server.run(["mkdir", str(late)])
    server.sql(f"CREATE TABLESPACE late LOCATION '{late}'")
    recoveries.begin("20261128T150200Z", "latest", backup=label, old=str(server.data_dir))
    assert recoveries.run("note", "pgbackrest", f"pgbackrest {options}").status == 0
    ended = recoveries.run("restore")
    assert (ended.status, f"the tablespace at {late} was made after {label}" in ended.stderr) == (2, True)


@contextmanager
def started(server: PostgresServer, folder: Path) -> Iterator[Callable[[str], str]]:
    """A server on the recovered files, archiving nothing, beside the old one; what answers a statement."""
    port = free_port()
    server.workspace.reaper.take(Ward("pidfile", str(folder / "postmaster.pid")))
    words = [
        str(server.bin_dir / "pg_ctl"),
        "-D",
        str(folder),
        "-s",
        "-w",
        "-l",
        str(server.folder / "again.log"),
    ]
    server.run([*words, "-o", f"-p {port} -c archive_mode=off", "start"])

    def ask(sql: str) -> str:
        socket = str(server.socket_dir)
        return server.run(
            ["psql", "-XAtq", "-h", socket, "-p", str(port), "-U", "postgres", "-d", "postgres", "-c", sql]
        ).strip()

    try:
        yield ask
    finally:
        server.run([*words[:3], "-m", "fast", "stop"])
