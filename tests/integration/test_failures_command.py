"""Failure modes of the archive command, and of what keeps WAL.

Each is really brought about on a deployment that archives: found as the root, mended, green again.
"""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.integration.failure_stage import (
    Watched,
    edited,
    fill,
    mode,
    placed,
    stopped_archiver,
)

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("_table"),
]


@pytest.mark.failure_mode("command-not-found")
async def test_command_not_found(console: Watched) -> None:
    with console.broken("a typo in the program's name"):
        console.config(archive_command="/usr/local/bin/pg-arhive %p")
        console.switch()
        await console.root("command-not-found", evidence="exit code 127")
    await console.green("the setting taken back")


@pytest.mark.failure_mode("archiver-crash-loop")
@pytest.mark.long
async def test_killed_by_a_signal(console: Watched) -> None:
    with console.broken("the command kills itself"):
        console.config(archive_command="kill -9 $$")
        console.switch()
        await console.root("archiver-crash-loop", evidence="signal 9|exit code 137")
    await console.green("the setting taken back")


@pytest.mark.failure_mode("archiver-crash-loop")
@pytest.mark.long
async def test_exit_above_125(console: Watched) -> None:
    with console.broken("the command exits with 200"):
        console.config(archive_command="exit 200")
        console.switch()
        await console.root("archiver-crash-loop", evidence="exit code 200")
    await console.green("the setting taken back")


@pytest.mark.failure_mode("command-not-executable")
async def test_command_not_executable(console: Watched) -> None:
    with console.broken("chmod 0644 on the archive command"), mode(console.program, 0o644):
        console.switch()
        story = await console.root("command-not-executable", evidence="no execute permission")
        assert [fix.step for fix in story.root.fixes] == ["executable-command"]
    await console.green("chmod 0755")


@pytest.mark.failure_mode("command-not-executable")
async def test_a_program_in_a_folder_that_may_not_be_entered(console: Watched) -> None:
    with console.broken("a folder above the archive command is closed"), mode(console.program.parent, 0o600):
        console.switch()
        await console.root("command-not-executable", evidence="may not be entered|exit code 126")
    await console.green("chmod 0755")


@pytest.mark.failure_mode("rclone-config-unreadable")
@pytest.mark.long
async def test_rclone_configuration_unreadable(console: Watched) -> None:
    bits = 0o600 if os.geteuid() == 0 else 0o000
    config = console.stage.profile.paths.rclone_config
    with console.broken("rclone's configuration is root's alone"), mode(config, bits, roots=True):
        console.switch()
        story = await console.root("rclone-config-unreadable", evidence="mode [06]00|mode 0,")
        assert story.root.fixes[0].step == "readable-config"
    await console.green("root:postgres 0640")


@pytest.mark.failure_mode("rclone-config-unreadable")
async def test_a_section_of_rclones_configuration_is_gone(console: Watched) -> None:
    config = console.stage.profile.paths.rclone_config
    with console.broken("the remote's section renamed"), edited(config, "[spaces-dr]", "[spaces-other]"):
        console.switch()
        await console.root("rclone-config-unreadable", evidence="spaces-dr")
    await console.green("the section put back")


@pytest.mark.failure_mode("permission")
async def test_permission(console: Watched, tmp_path: Path) -> None:
    with mode(tmp_path, 0o555, roots=True):  # until all is archived elsewhere: none of it is to land here
        with console.broken("the target folder is somebody else's"):
            console.config(archive_command=f"cp %p {tmp_path}/%f")
            console.switch()
            await console.root("permission", evidence="[Pp]ermission denied")
        await console.green("the setting taken back")


@pytest.mark.failure_mode("disk-full")
async def test_disk_full(console: Watched) -> None:
    with console.broken("no space left where the command writes"):
        console.config(archive_command="cat %p >/dev/full")
        console.switch()
        await console.root("disk-full", evidence="No space left on device")
    await console.green("the setting taken back")


@pytest.mark.failure_mode("too-slow")
async def test_too_slow(console: Watched) -> None:
    with console.broken("every push takes 3 s"):
        console.config(archive_command=f"sleep 3 && {console.command}")
        console.switch(12)
        await console.root("too-slow", evidence="wait", within_s=10)
    await console.green("the delay taken away")


@pytest.mark.failure_mode("slot-retention")
async def test_slot_retention(console: Watched) -> None:
    with console.broken("a replication slot that nobody reads"):
        console.config(max_wal_size="2MB", min_wal_size="2MB")
        console.sql("SELECT pg_create_physical_replication_slot('gone', true)")
        console.switch(6)
        await console.root("slot-retention", evidence="gone", within_s=10)
        console.sql("SELECT pg_drop_replication_slot('gone')")
        console.sql("CHECKPOINT")
    await console.green("the slot dropped")


@pytest.mark.failure_mode("slot-idle")
async def test_slot_idle(console: Watched) -> None:
    """Little is kept yet: a note, which ends with the slot."""
    with console.broken("a replication slot that nobody reads yet keeps little"):
        console.sql("SELECT pg_create_physical_replication_slot('idle', true)")
        console.observer.refresh()
        try:
            await console.noted("slot-idle", within_s=90)  # a standby that is restarted has a minute
            assert not console.stories(), console.told()
        finally:
            console.sql("SELECT pg_drop_replication_slot('idle')")
        console.observer.refresh()
        await console.until(lambda: "slot-idle" not in console.rules(), "the note gone", 20)
    await console.green("the slot dropped")


@pytest.mark.failure_mode("orphan-ready")
async def test_orphan_ready(console: Watched) -> None:
    """The archiver, which would take it away, stands still: that is told first, and does not hide it."""
    name = "000000010000000000000001"
    ready = console.pg_wal / "archive_status" / f"{name}.ready"
    with console.broken("a .ready file without its segment"), stopped_archiver(console), placed(ready, ""):
        console.cluster.give(ready)
        await console.noted("orphan-ready", within_s=8)
        await console.until(lambda: console.roots() == {"archiver-held-still", "orphan-ready"}, "both", 8)
        (root,) = (story.root for story in console.stories() if story.root.rule == "orphan-ready")
        assert name in root.title
        assert root.fixes[0].subject == name
    await console.green("the .ready file moved away")


@pytest.mark.failure_mode("strange-status-files")
async def test_strange_status_files(console: Watched) -> None:
    """What another program left there waits for nobody, and is told."""
    odd = console.pg_wal / "archive_status" / "notes.txt.ready"
    with console.broken("a file of another program's in archive_status"), placed(odd, ""):
        await console.noted("strange-status-files", within_s=8)
        (found,) = (one for one in console.diagnosis().findings if one.rule == "strange-status-files")
        assert found.evidence[0].startswith("notes.txt.ready ")
        assert console.stories() == []
    await console.until(lambda: "strange-status-files" not in console.rules(), "nothing strange", 8)
    await console.green("the file taken away")


@pytest.mark.failure_mode("command-hangs")
@pytest.mark.long
async def test_command_hangs_while_something_else_fills_the_disk(console: Watched) -> None:
    """Two causes, for pg_wal is not what grows: neither hides the other."""
    filler = console.cluster.folder / "filler"
    with console.broken("the command never ends"), placed(filler, ""):
        console.config(archive_command="sleep 1000")
        console.switch()
        filling = asyncio.create_task(fill(filler, 200))
        story = await console.root("command-hangs", within_s=45, evidence="sleep 1000")
        assert story.root.since is not None
        console.own_disk = True
        await console.until(lambda: console.roots() == {"disk-filling", "command-hangs"}, "both", 10)
        filling.cancel()
        await asyncio.wait([filling])
        console.own_disk = False
    end = next(fix for fix in story.root.fixes if fix.step == "kill-hung-command")
    os.kill(int(end.commands[0].split()[1]), signal.SIGTERM)
    await console.green("the process ended")
