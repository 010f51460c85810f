"""What a host has otherwise than what was restored there wants it: told as that, by the script."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.drill_parts import CHOICES
from tests.integration.test_recover_script import Recoveries, recoveries
from tests.servers.archived import fill_segment, wait_archived
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


def test_limits_that_were_raised_after_the_base_backup_are_no_target(recoveries: Recoveries) -> None:
    """A server whose limits are lower pauses there, from 14 on; the recovery goes on with higher ones."""
    server, backups = recoveries.server, recoveries.backups
    server.sql("CREATE TABLE kept AS SELECT 17 AS n")
    taken = backups.taken()
    for setting in ("max_connections", "max_worker_processes"):
        server.write_config(f"70_{setting}.conf", {setting: "150"})
        server.restart()
        server.sql("INSERT INTO kept SELECT max(n) + 1 FROM kept")
    ((lsn,),) = server.sql("SELECT pg_current_wal_insert_lsn()")
    server.sql("DROP TABLE kept")
    wait_archived(server, [fill_segment(server)])
    aim = ("lsn", str(lsn), "off")
    recoveries.begin("20261128T140200Z", *aim, backup=taken)
    recoveries.goes_well("restore")
    recoveries.goes_well("replay", *aim)
    assert recoveries.ask("SELECT string_agg(n::text, ' ' ORDER BY n) FROM kept") == "17 18 19"
    assert recoveries.ask("SHOW max_connections") == recoveries.ask("SHOW max_worker_processes") == "150"
    assert recoveries.state.phase is RecoveryPhase.PAUSED
    recoveries.goes_well("promote")
