"""To which moments a restore can go: what is said of it, against servers that are really restored."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from tests.servers.archived import fill_segment, segment_numbers, system_identifier, wait_archived
from tests.servers.fixtures import MakePostgres
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.workspace import Workspace
from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.timelines import parse_history
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Unreadable, Writer
from walconsole.domain.recovery.held import Cluster, StopKind
from walconsole.domain.recovery.label import read_label
from walconsole.domain.recovery.recoverability import Recoverability, recoverability
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.domain.wal import Segment, format_lsn

pytestmark = pytest.mark.server

MIB = 1024 * 1024
REFUSALS = re.compile(
    "FATAL:  (recovery target timeline 2 does not exist|could not locate required checkpoint"
    "|recovery ended before configured recovery target was reached"
    "|requested recovery stop point is before consistent recovery point)"
)
COPIES = {BucketRole.PRIMARY: "primary", BucketRole.DR: "dr"}


@dataclass
class Deployment:
    """A base backup, the archive of the server that it is of, and of the standby that was promoted.

    `written` has a row for each segment, by the server's turns: before the promotion, on the old timeline
    after it, on the new one.
    """

    server: PostgresServer
    base: Path
    archive: Path
    backup: BaseBackup
    cluster: Cluster
    written: dict[str, list[str]]

    def copies(self, folder: Path) -> list[ArchiveCopy]:
        """What lies in `folder`, as the console would know it."""
        return [self._copy(role, folder / name) for role, name in COPIES.items()]

    def _copy(self, role: BucketRole, folder: Path) -> ArchiveCopy:
        names = [each.name for each in folder.iterdir()]
        timelines = {}
        for timeline in (1, 2):
            mine = [name for name in names if name.startswith(f"{timeline:08X}")]
            timelines[timeline] = Runs()
            for number in sorted(segment_numbers(mine, MIB)):
                timelines[timeline].add(number, number)
        left = folder / "00000002.history"
        histories = {2: parse_history(2, left.read_text())} if left.exists() else {}
        return ArchiveCopy(role, timelines, (self.backup,), histories, set(histories))


def row(server: PostgresServer) -> str:
    """A row that names the segment in which it was committed, which is then ended."""
    server.sql("INSERT INTO turns SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
    return fill_segment(server)


@pytest.fixture
def deployment(make_postgres: MakePostgres) -> Deployment:
    """A primary that wrote on after its standby was promoted, in the middle of a segment."""
    server = make_postgres(wal_segment_mib=1, start=False)
    archive, base = server.folder / "archive", server.folder / "base"
    server.run(["mkdir", str(archive)])
    server.configure(archive_mode="on", archive_command=f"cp %p {archive}/%f", wal_keep_size="200MB")
    server.start()
    server.sql("CREATE TABLE turns (segment text)")
    source = f"host={server.host} port={server.port} user={server.user} password={server.password}"
    pg_basebackup = str(server.bin_dir / "pg_basebackup")
    server.run([pg_basebackup, "-d", source, "-D", str(base), "-X", "none", "-c", "fast"])
    before = [row(server) for _ in range(3)]
    standby = server.standby()
    standby.configure(archive_mode="on", archive_command=f"cp %p {archive}/%f", wal_keep_size="200MB")
    standby.start()
    try:
        server.sql("INSERT INTO turns VALUES ('the last that both have')")
        wait_until(lambda: standby.sql("SELECT count(*) FROM turns") == [(4,)], "the standby has replayed it")
        standby.sql("SELECT pg_promote()")
        written = {
            "both": [*before, "the last that both have"],
            "old": [row(server) for _ in range(2)],
            "new": [row(standby) for _ in range(3)],
        }
        for each in (server, standby):
            wait_archived(each)
    finally:
        standby.stop("immediate")
    label = min(archive.glob("*.backup"))  # the next is of the standby's own base backup
    made = read_label(label.name, label.name, "", label.read_bytes())
    assert not isinstance(made, Unreadable)
    made = replace(made, writer=Writer.OURS, completeness=Completeness.COMPLETE, why="")
    cluster = Cluster(MIB, int(system_identifier(server)))
    server.stop()
    return Deployment(server, base, archive, made, cluster, written)


class Restored:
    """A server restored from a base backup of `of` by what lies in `folder`, towards a timeline.

    `until` are settings that name a target, without which it goes to the end.
    """

    def __init__(
        self, of: PostgresServer, base: Path, workspace: Workspace, folder: Path, target: int, **until: str
    ) -> None:
        server = PostgresServer(workspace, of.bin_dir, workspace.folder("restored", of.os_user))
        server.run(["cp", "-a", str(base), str(server.data_dir)])
        server._finish()
        server.configure(
            restore_command=f"cp {folder}/primary/%f %p || cp {folder}/dr/%f %p",
            recovery_target_timeline=str(target),
            archive_mode="off",
            recovery_target_action="promote",
            **until,
        )
        server.run(["touch", str(server.data_dir / "recovery.signal")])
        self.server = server

    def rows(self) -> set[str] | None:
        """What it has when replay has ended; None where the server gives up."""
        server = self.server
        try:
            server.start()
            wait_until(self._ended, "replay has ended", timeout_s=60)
            return {str(each) for (each,) in server.sql("SELECT segment FROM turns")}
        except RuntimeError as error:
            if not REFUSALS.search(str(error)):
                raise
            return None
        finally:
            server.stop("immediate")
            server.run(["rm", "-r", str(server.data_dir)])  # they are many

    def _ended(self) -> bool:
        """Whether it is open, which is later than it answers. Raises RuntimeError where it gave up."""
        server = self.server
        try:
            return server.sql("SELECT pg_is_in_recovery()") == [(False,)]
        except psycopg.OperationalError:
            if server.running:
                return False
            raise RuntimeError(server.log_file.read_text()) from None


def promised(made: Deployment, found: Recoverability) -> set[str] | None:
    """The rows that a restore to the end of the newest window has."""
    window = found.window
    if window is None:
        return None
    turns = ["both", "old" if found.target == 1 else "new"]
    last = window.until_lsn // MIB - 1
    (left,) = parse_history(2, (made.archive / "00000002.history").read_text()).switches
    rows = {
        each: Segment.parse(each, MIB).number if len(each) == 24 else left.lsn // MIB
        for turn in turns
        for each in made.written[turn]
    }
    return {each for each, number in rows.items() if number <= last}


Arrange = Callable[[Deployment, Path], None]


def lose(*wanted: tuple[str, int, str]) -> Arrange:
    """Take these files away: of which turn, which of its rows, from which copy."""

    def arrange(made: Deployment, folder: Path) -> None:
        for turn, at, copy in wanted:
            (folder / copy / made.written[turn][at]).unlink()

    return arrange


def lose_history(_made: Deployment, folder: Path) -> None:
    for copy in COPIES.values():
        (folder / copy / "00000002.history").unlink()


def lose_start(made: Deployment, folder: Path) -> None:
    start = made.backup.first_segment(MIB)
    assert start is not None
    for copy in COPIES.values():
        (folder / copy / start.name(MIB)).unlink()


BOTH = ("primary", "dr")
CASES: list[tuple[str, int, Arrange, StopKind | None]] = [
    ("all there", 2, lose(), None),
    ("the old timeline", 1, lose(), None),
    ("each copy lacks something", 2, lose(("both", 1, "primary"), ("new", 1, "dr")), None),
    ("a hole in both", 2, lose(*(("both", 1, copy) for copy in BOTH)), StopKind.SEGMENT_MISSING),
    ("a hole after the promotion", 2, lose(*(("new", 1, copy) for copy in BOTH)), StopKind.SEGMENT_MISSING),
    ("no history", 2, lose_history, StopKind.HISTORY_MISSING),
    ("the backup's own WAL", 1, lose_start, StopKind.SEGMENT_MISSING),
]


def test_what_is_promised_is_what_a_restored_server_has(deployment: Deployment, workspace: Workspace) -> None:
    made = deployment
    for name, target, arrange, stops in CASES:
        folder = arranged(made, name, arrange)
        found = recoverability(made.copies(folder), made.cluster, target)
        stop = found.reach[target].reaches[0].stop
        assert (stop.kind if stop is not None else None) == stops, name
        rows = Restored(made.server, made.base, workspace, folder, target).rows()
        assert rows == promised(made, found), name


def test_where_the_childs_first_segment_is_missing_a_server_goes_astray(
    deployment: Deployment, workspace: Workspace
) -> None:
    made = deployment
    folder = arranged(made, "astray", lose(*(("new", 0, copy) for copy in BOTH)))
    found = recoverability(made.copies(folder), made.cluster, 2)
    assert found.window is not None
    assert found.window.stop is not None
    assert "onto another branch" in found.window.stop.text
    astray = Restored(made.server, made.base, workspace, folder, 2).rows()
    assert astray is not None
    assert made.written["old"][0] in astray
    end = {"recovery_target_lsn": format_lsn(found.window.until_lsn), "recovery_target_inclusive": "off"}
    rows = Restored(made.server, made.base, workspace, folder, 2, **end).rows()
    assert rows == promised(made, found) == set(made.written["both"][:3])


def arranged(made: Deployment, name: str, arrange: Arrange) -> Path:
    """Two copies of the archive in a folder of their own, without what `arrange` takes away."""
    folder = made.server.folder / name.replace(" ", "-").replace("'", "")
    made.server.run(["mkdir", str(folder)])
    for copy in COPIES.values():
        made.server.run(["cp", "-r", str(made.archive), str(folder / copy)])
    arrange(made, folder)
    return folder
