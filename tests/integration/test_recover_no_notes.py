"""No room for the small files in which a script's parts tell each other what they found; and an archive that
goes away while it is replayed, and comes back.

A list that could not be written is none that is empty, and a word that could not be is nobody's death.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.drill_parts import Drills
from tests.integration.droplet_parts import PREFIX
from tests.integration.test_recover_script import Recoveries, recoveries
from tests.servers.archived import fill_segment, wait_archived
from tests.servers.full_disk import FILLER, fill, small_disk
from tests.servers.ports import wait_until
from walconsole.domain.recovery.drill_status import read_drill_status
from walconsole.domain.recovery.recover_state import RecoveryPhase

pytestmark = [pytest.mark.server, pytest.mark.timeout(300), pytest.mark.long]
__all__ = ["recoveries"]

KIB = 4096
FILL = 'head -c 9999999 /dev/zero >"$temp_root/filler" 2>/dev/null\n'
"""In a script, at the moment at which it is to be tried: to the last page."""
FULL = "nothing more can be written in "


@contextmanager
def small_temp(recoveries: Recoveries) -> Iterator[Path]:
    """The scripts' folder for temporary files, on a disk of its own; the file that fills it."""
    root = recoveries.backups.at.temp_root
    with small_disk(root, KIB):
        recoveries.server.give(root)
        yield root / FILLER


def lock_lies(recoveries: Recoveries) -> bool:
    """In any copy."""
    found = [
        each.gateway.client().list_objects_v2(Bucket=each.to.bucket, Prefix=f"{PREFIX}walconsole/lock.json")
        for each in recoveries.backups.regions
    ]
    return any("Contents" in each for each in found)


def test_what_was_not_archived_is_kept_or_it_is_said_that_it_is_not(recoveries: Recoveries) -> None:
    """An empty list of what the old server had not archived would be the loss of its last transactions."""
    server, backups = recoveries.server, recoveries.backups
    taken = backups.taken()
    server.configure(archive_mode="on", archive_command="false")
    server.reload()
    left = {fill_segment(server), fill_segment(server)}
    server.stop("immediate")
    work = recoveries.begin("20261128T140200Z", "latest", backup=taken, old=str(server.data_dir))
    with small_temp(recoveries) as filler:
        fill(filler)
        ended = recoveries.run("keep-wal")
        assert (ended.status, FULL in ended.stderr) == (1, True), ended.stderr
    recoveries.goes_well("keep-wal")
    assert left <= {path.name for path in (work / "saved").iterdir()}


def replayable(recoveries: Recoveries, segments: int) -> tuple[str, ...]:
    """A base backup, so many segments after it, and the target behind them: what the replay is given."""
    server = recoveries.server
    server.sql("CREATE TABLE kept AS SELECT 17 AS n")
    taken = recoveries.backups.taken()
    wait_archived(server, [fill_segment(server) for _ in range(segments)])
    server.sql("INSERT INTO kept VALUES (18)")
    ((lsn,),) = server.sql("SELECT pg_current_wal_insert_lsn()")
    server.sql("DROP TABLE kept")
    wait_archived(server, [fill_segment(server)])
    aim = ("lsn", str(lsn), "off")
    recoveries.begin("20261128T140200Z", *aim, backup=taken)
    recoveries.goes_well("restore")
    return aim


def begun(recoveries: Recoveries, *words: str) -> subprocess.Popen[str]:
    return recoveries.backups.at.start(recoveries.script, *words)


def brought(recoveries: Recoveries) -> int:
    """Segments, by the log of the recovery's server."""
    log = Path(recoveries.state.work) / "log"
    return log.read_text().count("restored log file") if log.exists() else 0


def test_a_replay_without_room_for_its_notes_says_so_and_goes_on_with_it(recoveries: Recoveries) -> None:
    aim = replayable(recoveries, 6)
    whole = recoveries.script.read_text()
    with small_temp(recoveries) as filler:
        fill(filler)
        ended = recoveries.run("replay", *aim)
        assert (ended.status, FULL in ended.stderr) == (1, True), ended.stderr
        assert not lock_lies(recoveries), "an empty one would be nobody's, and would keep retention away"
        assert recoveries.run("stop").status == 0, "it can be given up"
    with small_temp(recoveries) as filler:
        replay = begun(recoveries, "replay", *aim)
        wait_until(lambda: brought(recoveries) >= 2, "it replays", 60)
        fill(filler)
        _, said = replay.communicate(timeout=120)
        assert (replay.returncode, FULL in said) == (1, True), said
    told = 'echo paused >"$temp/how"'
    assert whole.count(told) == 1
    recoveries.script.write_text(whole.replace(told, FILL + told))
    with small_temp(recoveries):
        ended = recoveries.run("replay", *aim)
        assert (ended.status, FULL in ended.stderr) == (1, True), ended.stderr
        assert recoveries.state.phase is RecoveryPhase.REPLAYING, "it is not forgotten"
    recoveries.script.write_text(whole)
    recoveries.goes_well("replay", *aim)
    assert recoveries.ask("SELECT string_agg(n::text, ' ' ORDER BY n) FROM kept") == "17 18"


def test_without_a_folder_for_temporary_files_it_can_be_given_up(recoveries: Recoveries) -> None:
    aim = replayable(recoveries, 1)
    recoveries.goes_well("replay", *aim)
    root = recoveries.backups.at.temp_root
    root.rename(root.with_name("unmounted"))
    ended = recoveries.run("replay", *aim)
    assert (ended.status, f"no folder can be made in {root}" in ended.stderr) == (1, True), ended.stderr
    recoveries.goes_well("stop")
    recoveries.goes_well("note", "phase", "given-up")
    assert recoveries.state.phase is RecoveryPhase.GIVEN_UP


def test_while_no_copy_can_be_asked_it_says_for_what_it_waits(recoveries: Recoveries) -> None:
    aim, regions = replayable(recoveries, 6), recoveries.backups.regions
    replay = begun(recoveries, "replay", *aim)
    wait_until(lambda: brought(recoveries) >= 2, "it replays", 60)
    for each in regions:
        each.gateway.revoke(each.to.bucket, each.to.keys)
    try:
        wait_until(lambda: "cannot be asked" in waits_for(recoveries), "it says what it waits for", 60)
        assert replay.poll() is None, "it goes on by itself"
    finally:
        for each in regions:
            each.gateway.grant(each.to.bucket, each.to.keys, "readwrite")
    wait_until(lambda: waits_for(recoveries) == "", "it waits for nothing", 60)
    _, said = replay.communicate(timeout=120)
    assert replay.returncode == 0, said
    assert recoveries.ask("SELECT string_agg(n::text, ' ' ORDER BY n) FROM kept") == "17 18"


def waits_for(recoveries: Recoveries) -> str:
    """As the console reads it of a run that goes on."""
    status = read_drill_status((recoveries.state_dir / "status.json").read_bytes())
    return status.message if status is not None and status.exit_status is None else ""


# -- A drill.

MOMENTS = {
    "the copies are asked": "choose_backup\njudge_room",
    "it is fetched": "timed fetch",
    "it is compared": "timed verify",
    "it is replayed": "timed replay",
    "it is read": "timed check",
    "it is read to its end": 'level=$(cat "$temp/level")',
    "all is known": "conclude\n",
}


def test_a_drill_without_room_for_its_notes_finds_nothing(recoveries: Recoveries) -> None:
    """Neither that the archive is broken, nor that somebody was killed; and it stores no half word of it."""
    server = recoveries.server
    server.sql("CREATE TABLE kept AS SELECT 17 AS n")
    recoveries.backups.taken()
    wait_archived(server, [fill_segment(server)])
    drills = Drills(recoveries.backups)
    whole = drills.script.read_text()
    for moment, place in MOMENTS.items():
        at = whole.rindex(place)
        drills.script.write_text(whole[:at] + FILL + whole[at:])
        with small_temp(recoveries):
            ended = drills.run()
            assert ended.status == 1, (moment, ended.stderr)
            assert re.search(r"(written|noted) in \S+ \(is its disk full\?\)", ended.stderr), (
                moment,
                ended.stderr,
            )
        assert not (drills.state / "last.json").exists(), moment
    assert results_of(drills) == []
    drills.script.write_text(whole)
    assert drills.run().status == 0
    assert [json.loads(each)["outcome"] for each in results_of(drills)] == ["proved", "proved"]


def results_of(drills: Drills) -> list[bytes]:
    """What drills stored, in all copies."""
    found: list[bytes] = []
    for each in drills.backups.regions:
        client = each.gateway.client(each.to.keys)
        listed = client.list_objects_v2(Bucket=each.to.bucket, Prefix=f"{PREFIX}walconsole/drills/")
        keys = [one["Key"] for one in listed.get("Contents", [])]
        found += [client.get_object(Bucket=each.to.bucket, Key=key)["Body"].read() for key in keys]
    return found
