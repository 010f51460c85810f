"""The ends of each interval to which a restore can go: what is judged of them, and servers that really try.

At an end a restore succeeds, and what lies beyond it is refused, by the console as by the server: before the
base backup's stop, after the archive's end, in a hole, on a new timeline, and from the DR copy alone.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.integration.test_recovery_windows import COPIES, MIB, Restored
from tests.servers.archived import fill_segment, segment_numbers, system_identifier, wait_archived
from tests.servers.fixtures import or_skip
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.workspace import Workspace
from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.timelines import parse_history
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Unreadable, Writer
from walconsole.domain.recovery.held import Cluster
from walconsole.domain.recovery.label import read_label
from walconsole.domain.recovery.recover_target import RecoverTo, read_target
from walconsole.domain.recovery.recoverability import recoverability
from walconsole.domain.recovery.target_judgement import judged_target
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.domain.wal import format_lsn, parse_lsn

pytestmark = [pytest.mark.server, pytest.mark.timeout(300), pytest.mark.long]

APART_S = 1.2
"""Between two rows: a second beyond one is before the next."""


@dataclass(frozen=True)
class Turn:
    """A row: the place in the WAL behind its commit, a moment right after that, and its segment."""

    lsn: str
    at: datetime
    segment: str


@dataclass
class History:
    """Two base backups, rows before, between and after them, and what was archived of it all."""

    server: PostgresServer
    archive: Path
    bases: Mapping[str, Path]
    backups: tuple[BaseBackup, ...]
    turns: dict[str, Turn]
    cluster: Cluster

    def copy(self, role: BucketRole, folder: Path) -> ArchiveCopy:
        """What lies in `folder`, as the console would know it."""
        files = list(folder.iterdir())
        timelines, times = {}, StoredTimes()
        for timeline in (1, 2):
            mine = [each for each in files if each.name.startswith(f"{timeline:08X}")]
            timelines[timeline] = Runs()
            for number in sorted(segment_numbers([each.name for each in mine], MIB)):
                timelines[timeline].add(number, number)
            for each in mine:
                for number in segment_numbers([each.name], MIB):
                    times.note(timeline, number, each.stat().st_mtime)
        left = folder / "00000002.history"
        histories = {2: parse_history(2, left.read_text())} if left.exists() else {}
        return ArchiveCopy(role, timelines, self.backups, histories, set(histories), times)


def turn(server: PostgresServer, name: str, *, ends: bool = True) -> Turn:
    """A row of that name, a while after what was before; its segment is ended, but where more follows."""
    time.sleep(APART_S)
    server.sql("INSERT INTO turns VALUES (%s)", name)
    lsn, at = server.sql("SELECT pg_current_wal_insert_lsn()::text, clock_timestamp()")[0]
    segment = fill_segment(server) if ends else ""
    return Turn(str(lsn), at, segment)


def backed_up(server: PostgresServer, base: Path, during: list[str]) -> dict[str, Turn]:
    """A base backup by the server's own functions; rows are committed meanwhile."""
    with server.connect() as session:
        session.execute("SELECT pg_backup_start('a test', true)")
        turns = {name: turn(server, name, ends=False) for name in during}
        server.run(["cp", "-a", str(server.data_dir), str(base)])
        time.sleep(APART_S)
        row = session.execute("SELECT labelfile FROM pg_backup_stop()").fetchone()
    assert row is not None
    server.run(["sh", "-c", f"rm -rf {base}/postmaster.pid {base}/pg_wal/0* {base}/pg_wal/archive_status/*"])
    label = base / "backup_label"
    label.write_text(row[0])
    server.give(label)
    return turns


@pytest.fixture(scope="module")
def past(workspace: Workspace) -> Iterator[History]:
    server = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    try:
        yield written(server)
    finally:
        server.stop("immediate")


def written(server: PostgresServer) -> History:
    """A primary, backed up twice, that archives for a while; its standby is promoted, and does so, too."""
    archive = server.folder / "archive"
    server.run(["mkdir", str(archive)])
    into = f"cp %p {archive}/.%f && mv {archive}/.%f {archive}/%f"
    server.configure(archive_mode="on", archive_command=into, wal_keep_size="200MB")
    server.start()
    server.sql("CREATE TABLE turns (segment text)")
    bases = {name: server.folder / name for name in ("one", "two")}
    turns = backed_up(server, bases["one"], ["in the backup", "later in it"])
    for name in ("first", "lost", "after the hole"):
        turns[name] = turn(server, name)
    turns |= backed_up(server, bases["two"], [])
    for name in ("second", "last"):
        turns[name] = turn(server, name)
    standby = server.standby()
    standby.configure(archive_mode="on", archive_command=into, wal_keep_size="200MB")
    standby.start()
    try:
        wait_until(lambda: standby.sql("SELECT count(*) FROM turns") == [(7,)], "the standby has all rows")
        wait_archived(server)
        server.configure(archive_mode="on", archive_command="false", wal_keep_size="200MB")
        server.reload()
        standby.sql("SELECT pg_promote()")
        turns["never archived"] = turn(server, "never archived")
        turns["promoted"] = turn(standby, "promoted")
        turns["promoted last"] = turn(standby, "promoted last")
        wait_archived(standby)
        standby.configure(archive_mode="on", archive_command="false", wal_keep_size="200MB")
        standby.reload()
        turns["promoted, never archived"] = turn(standby, "promoted, never archived")
    finally:
        standby.stop("immediate")
    whose = int(system_identifier(server))
    backups = tuple(described(each) for each in sorted(archive.glob("00000001*.backup"))[:2])
    return History(server, archive, bases, backups, turns, Cluster(MIB, whose))


def described(label: Path) -> BaseBackup:
    made = read_label(label.name, label.name, "", label.read_bytes())
    assert not isinstance(made, Unreadable)
    return replace(made, writer=Writer.OURS, completeness=Completeness.COMPLETE, why="")


ROWS = ("in the backup", "later in it", "first", "lost", "after the hole", "second", "last")
NEW = ("promoted", "promoted last")

CASES = {
    "all there": (1, (), ("primary", "dr")),
    "a hole": (1, ("lost",), ("primary", "dr")),
    "DR alone": (1, (), ("dr",)),
    "promoted": (2, (), ("primary", "dr")),
}
"""The timeline, of which rows both copies lost the segment, and which copies there are."""

TRIES: list[tuple[str, str, RecoverTo, str, tuple[str, ...] | None]] = [
    ("all there", "one", RecoverTo.TIME, "in the backup", None),
    ("all there", "one", RecoverTo.LSN, "in the backup", None),
    ("all there", "one", RecoverTo.LSN, "stop of one", ROWS[:2]),
    ("all there", "one", RecoverTo.TIME, "second", ROWS[:6]),
    ("all there", "two", RecoverTo.LSN, "last", ROWS),
    ("all there", "two", RecoverTo.LSN, "never archived", None),
    ("all there", "two", RecoverTo.TIME, "never archived", None),
    ("a hole", "one", RecoverTo.LSN, "first", ROWS[:3]),
    ("a hole", "one", RecoverTo.LSN, "lost", None),
    ("a hole", "one", RecoverTo.TIME, "lost", None),
    ("a hole", "two", RecoverTo.LSN, "after the hole", None),
    ("a hole", "two", RecoverTo.LSN, "stop of two", ROWS[:5]),
    ("a hole", "two", RecoverTo.TIME, "second", ROWS[:6]),
    ("DR alone", "one", RecoverTo.LSN, "last", ROWS),
    ("DR alone", "one", RecoverTo.TIME, "never archived", None),
    ("promoted", "two", RecoverTo.LSN, "promoted last", (*ROWS, *NEW)),
    ("promoted", "one", RecoverTo.TIME, "promoted", (*ROWS, *NEW[:1])),
    ("promoted", "two", RecoverTo.LSN, "promoted, never archived", None),
    ("promoted", "two", RecoverTo.TIME, "promoted, never archived", None),
]
"""In which case, from which base backup, to what; the rows that are there then, None: it is refused."""


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, past: History) -> tuple[str, Path]:
    """Two copies of the archive in a folder of their own, as the case wants them."""
    name = str(request.param)
    _, lost, there = CASES[name]
    folder = past.server.folder / name.replace(" ", "-")
    past.server.run(["mkdir", str(folder)])
    for copy in COPIES.values():
        if copy in there:
            past.server.run(["cp", "-rp", str(past.archive), str(folder / copy)])
            for row in lost:
                (folder / copy / past.turns[row].segment).unlink()
        else:
            past.server.run(["mkdir", str(folder / copy)])
    return name, folder


def test_at_the_ends_a_restore_succeeds_and_beyond_them_it_is_refused(
    case: tuple[str, Path], past: History, workspace: Workspace
) -> None:
    name, folder = case
    timeline, _, there = CASES[name]
    copies = [past.copy(role, folder / copy) for role, copy in COPIES.items() if copy in there]
    found = recoverability(copies, past.cluster, timeline)
    stops = {f"stop of {base}": each.stop_lsn for base, each in zip(past.bases, past.backups, strict=True)}
    for _, base, to, what, rows in (each for each in TRIES if each[0] == name):
        lsn = stops[what] if what in stops else parse_lsn(past.turns[what].lsn)
        assert lsn is not None
        value = format_lsn(lsn) if to is RecoverTo.LSN else past.turns[what].at.astimezone(UTC).isoformat(" ")
        target = read_target(to, value, inclusive=to is RecoverTo.TIME)
        chosen = past.backups[list(past.bases).index(base)].id
        judged = judged_target(target, found, backup=chosen)
        tried = (name, base, to, what, [each.text for each in judged.refusals])
        assert judged.possible == (rows is not None), tried
        until = {
            f"recovery_target_{to.value}": value,
            "recovery_target_inclusive": "on" if to is RecoverTo.TIME else "off",
        }
        restored = Restored(past.server, past.bases[base], workspace, folder, timeline, **until).rows()
        assert restored == (None if rows is None else set(rows)), tried
