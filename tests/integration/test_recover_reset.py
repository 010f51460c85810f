"""WAL or pages that were made otherwise after the base backup: by pg_resetwal, by pg_checksums."""

import pytest

from tests.integration.drill_parts import Drills
from tests.integration.test_recover_script import Recoveries, recoveries
from tests.servers.archived import fill_segment, wait_archived
from walconsole.domain.recovery.recover_state import RecoveryPhase

pytestmark = [pytest.mark.server, pytest.mark.timeout(300), pytest.mark.long]
__all__ = ["recoveries"]

MADE_OTHERWISE = {
    "another place in the WAL": ("pg_resetwal", "-l", "0000000100000000000000F0"),
    "the next place in the WAL": ("pg_resetwal", "-f"),
    "segments of another size": ("pg_resetwal", "--wal-segsize=2", "-l", "0000000100000000000000F0"),
    "no checksums": ("pg_checksums", "--disable", "--no-sync"),
}


@pytest.mark.parametrize("how", MADE_OTHERWISE)
def test_what_was_made_otherwise_ends_what_is_replayed_and_not_what_is_said(
    recoveries: Recoveries, how: str
) -> None:
    backups, server = recoveries.backups, recoveries.server
    program, *options = MADE_OTHERWISE[how]
    server.sql("CREATE TABLE kept AS SELECT 17 AS n")
    taken = backups.taken()
    server.sql("INSERT INTO kept VALUES (18)")
    wait_archived(server, [fill_segment(server)])
    server.stop()
    server.run([str(server.bin_dir / program), *options, "-D", str(server.data_dir)])
    server.start()
    server.sql("INSERT INTO kept VALUES (19)")
    wait_archived(server, [fill_segment(server), fill_segment(server)])
    drills = Drills(backups)
    ended = drills.run()
    if program == "pg_resetwal":
        assert ended.status == 4, ended.stderr
        assert "FAILED (missing-segment)" in ended.stderr or "FAILED (wrong-identifier)" in ended.stderr
    else:
        assert ended.status == 0, ended.stderr
    recoveries.begin("20261128T140200Z", "latest", backup=taken)
    recoveries.goes_well("restore")
    recoveries.goes_well("replay", "latest")
    rows = recoveries.ask("SELECT string_agg(n::text, ' ' ORDER BY n) FROM kept")
    there = "17 18" if program == "pg_resetwal" else "17 18 19"
    assert (rows, recoveries.state.phase) == (there, RecoveryPhase.ENDED)
    assert backups.take().status == 0
    if options[0].startswith("--wal-segsize"):
        return
    assert drills.run().status == 0
