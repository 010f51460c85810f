"""What a host has otherwise than what was restored there wants it: told as that, by the script."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.drill_parts import CHOICES, Drills
from tests.integration.test_base_backup_versions import with_clients
from tests.integration.test_recover_script import Recoveries, beside, recoveries
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.fixtures import MakePostgres
from tests.servers.postgres import PostgresServer
from tests.servers.rgw import RadosGateway
from walconsole.domain.recovery.recover_state import RecoveryPhase
from walconsole.droplet.rendering import recover_script

pytestmark = [pytest.mark.server, pytest.mark.timeout(300), pytest.mark.long]
__all__ = ["recoveries"]


def restored(recoveries: Recoveries) -> Path:
    """A base backup and some WAL, brought and unpacked: the recovery's folder."""
    taken = recoveries.backups.taken()
    wait_archived(recoveries.server, [fill_segment(recoveries.server)])
    work = recoveries.begin("20261128T140200Z", "latest", backup=taken)
    recoveries.goes_well("restore")
    return work


def test_modes_with_which_no_server_starts_are_told_and_mended(recoveries: Recoveries) -> None:
    data = restored(recoveries) / "data"
    for path, wrong, right, why in (
        (data, "755", "700", "has invalid permissions"),
        (data / "pg_xact", "000", "700", "Permission denied"),
        (data / "global/pg_filenode.map", "000", "600", "Permission denied"),
    ):
        recoveries.server.run(["chmod", wrong, str(path)])
        ended = recoveries.run("replay", "latest")
        assert ended.status == 1, ended.stderr
        assert "may not read what was restored, by its owner or its modes" in ended.stderr
        assert why in ended.stderr
        recoveries.server.run(["chmod", right, str(path)])
    recoveries.goes_well("replay", "latest")


def test_a_locale_that_the_host_lacks_is_told_and_not_waited_for(recoveries: Recoveries) -> None:
    """The server runs, and lets nobody into that database."""
    server, backups = recoveries.server, recoveries.backups
    server.sql("CREATE DATABASE other")
    server.sql("UPDATE pg_database SET datcollate = 'xx_XX.UTF-8' WHERE datname = 'other'")
    other = replace(backups.profile, postgres=replace(backups.profile.postgres, database="other"))
    recoveries.script.write_text(recover_script(other, backups.at.choices, CHOICES))
    restored(recoveries)
    ended = recoveries.run("replay", "latest")
    assert ended.status == 1, ended.stderr
    assert "a locale of its databases is not on this host" in ended.stderr


RAISED = {
    "max_connections": "150",
    "max_worker_processes": "33",
    "max_wal_senders": "34",
    "max_prepared_transactions": "35",
    "max_locks_per_transaction": "96",
}
"""All of which a standby must have as much as its primary (PostgreSQL documentation, "Hot Standby")."""


def test_limits_that_were_raised_after_the_base_backup_are_no_target(recoveries: Recoveries) -> None:
    """A server whose limits are lower pauses there, from 14 on; the recovery goes on with higher ones."""
    limits_are_raised(recoveries)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("release", [13, 14])
def test_so_it_is_with_older_servers(
    release: int, make_postgres: MakePostgres, rgw: RadosGateway, rgw_dr: RadosGateway
) -> None:
    """PostgreSQL 13 pauses nowhere: it ends with a FATAL. A drill outgrows them, too."""
    server = make_postgres(release=release, wal_segment_mib=1, start=False)
    server.bin_dir = whole_installation(server)
    with beside(server, rgw, rgw_dr) as recoveries:
        limits_are_raised(recoveries)
        drills = Drills(recoveries.backups)
        ended = drills.run()
        assert ended.status == 0, ended.stderr
        assert (drills.result["witness_before"], drills.result["level"]) == ("committed", 3)
        drills.assert_nothing_left()


def whole_installation(server: PostgresServer) -> Path:
    """Its package with what that lacks: a drill looks for programs where the server was started from."""
    folder = server.workspace.folder("whole")
    folder.chmod(0o755)
    shutil.copytree(server.bin_dir.parent, folder / "native", symlinks=True)
    for program in with_clients(server).iterdir():
        there = folder / "native/bin" / program.name
        if not there.exists():
            there.symlink_to(program.readlink())
    return folder / "native/bin"


def limits_are_raised(recoveries: Recoveries) -> None:
    """Each by itself, with a row after it; all rows are there at the target, and nothing paused before."""
    server, backups = recoveries.server, recoveries.backups
    server.sql("CREATE TABLE kept AS SELECT 17 AS n")
    taken = backups.taken()
    for setting, value in RAISED.items():
        server.write_config(f"70_{setting}.conf", {setting: value})
        server.restart()
        server.sql("INSERT INTO kept SELECT max(n) + 1 FROM kept")
    ((lsn,),) = server.sql("SELECT pg_current_wal_insert_lsn()")
    server.sql("DROP TABLE kept")
    wait_archived(server, [fill_segment(server)])
    aim = ("lsn", str(lsn), "off")
    recoveries.begin("20261128T140200Z", *aim, backup=taken)
    recoveries.goes_well("restore")
    recoveries.goes_well("replay", *aim)
    assert recoveries.ask("SELECT string_agg(n::text, ' ' ORDER BY n) FROM kept") == "17 18 19 20 21 22"
    assert {name: recoveries.ask(f"SHOW {name}") for name in RAISED} == RAISED
    assert recoveries.state.phase is RecoveryPhase.PAUSED
    recoveries.goes_well("promote")


def test_a_folder_with_signs_is_one_or_is_refused(recoveries: Recoveries) -> None:
    """Its path stands in arguments, in a configuration, in patterns and in the command lines of processes."""
    server = recoveries.server
    server.sql("CREATE TABLE kept AS SELECT 17 AS n")
    taken = recoveries.backups.taken()
    wait_archived(server, [fill_segment(server)])
    place = server.folder
    for name, is_one in (("it's größe [1]", False), ("a+b@c,d:e", True)):
        place = server.folder / name
        work = place / "new.recovery-20261128T140200Z"
        server.run(["mkdir", "-p", "-m", "700", str(work)])
        words = ("20261128T140200Z", taken, "primary", "1", str(work), "-", str(place / "new"), "latest")
        ended = recoveries.run("begin", *words)
        said = ended.stderr
        assert (ended.status, "such a name of a folder cannot be handled" in said) == (
            (0, False) if is_one else (2, True)
        ), said
    recoveries.goes_well("restore")
    recoveries.goes_well("replay", "latest")
    recoveries.goes_well("stop")
    recoveries.goes_well("replay", "latest")
    assert recoveries.ask("SELECT n FROM kept") == "17"
    recoveries.goes_well("promote")
    recoveries.goes_well("take-place", "-")
    assert (place / "new/PG_VERSION").exists()
