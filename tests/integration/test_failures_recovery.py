"""Failure modes of base backups: a deployment that archives, and from which nothing could be restored.

Each is really brought about on base backups that the installed script took, and mended by another one.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.failure_stage import Watched, away, mode, rewritten
from walconsole.domain.failures import Severity
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import BaseBackup, Writer
from walconsole.domain.standing.model import Level
from walconsole.droplet.names import names_of

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("_table"),
    pytest.mark.long,
]


def first_line(console: Watched) -> tuple[Level, str]:
    verdict = console.diagnosis().verdict
    return verdict.level, verdict.text


async def says(console: Watched, level: Level, beginning: str) -> None:
    await console.until(
        lambda: first_line(console)[0] is level and first_line(console)[1].startswith(beginning),
        f"{level}: {beginning}",
        15,
    )


async def mended(console: Watched, how: str) -> None:
    """A new base backup is seen without anybody's asking for it, when its label is archived."""
    console.back_up()
    await console.green(how)
    await says(console, Level.OK, "restorable to any moment since ")


async def test_what_the_set_up_took_can_be_restored_to_any_moment_since(console: Watched) -> None:
    await says(console, Level.OK, "restorable to any moment since ")
    for reading in (console.screen.last.primary, console.screen.last.dr):
        assert reading.value is not None
        found = [each for each in reading.value.backups or () if isinstance(each, BaseBackup)]
        assert [(each.id, each.verified) for each in found if each.writer is Writer.OURS] == [
            (console.backups()[-1], True)
        ]


@pytest.mark.failure_mode("no-base-backup")
async def test_no_base_backup(console: Watched) -> None:
    with console.broken("all base backups deleted"):
        gone = [
            key for key in console.stage.objects(BucketRole.PRIMARY) if "base/" in key or ".backup" in key
        ]
        console.delete(*gone)
        console.observer.refresh()
        await console.root(
            "archive-shrunk", within_s=15
        )  # what was there and is gone is told before anything
        await console.until(lambda: "no-base-backup" in console.chain(), "what follows from it", 10)
        await console.accept_both("it was deleted on purpose")
        story = await console.root("no-base-backup", within_s=15)
        assert story.severity is Severity.CRITICAL
        assert story.at_risk
        assert first_line(console) == (
            Level.CRITICAL, "NOTHING can be restored: there is no base backup",
        )  # fmt: skip
    await mended(console, "a base backup")


@pytest.mark.failure_mode("backup-stale")
async def test_an_old_base_backup(console: Watched) -> None:
    (newest,) = console.backups()[-1:]

    def age(text: str) -> str:
        told = json.loads(text)
        stopped = datetime.now(UTC) - timedelta(days=9, hours=1)
        return json.dumps({**told, "stopped": f"{stopped:%Y-%m-%dT%H:%M:%SZ}"})

    with console.broken("the newest base backup nine days old"):
        console.rewrite(f"base/{newest}/backup.json", age)
        console.observer.refresh()
        await console.root("backup-stale", within_s=15)
        assert first_line(console)[1].startswith("the newest base backup is 9 d old: a restore would replay ")
    await mended(console, "another base backup")


@pytest.mark.failure_mode("backup-failed")
async def test_a_base_backup_that_fails_is_told_by_its_own_words(console: Watched) -> None:
    """Two nights without one: the newest is made a day and a half old, and a run fails for real."""
    (newest,) = console.backups()[-1:]

    def age(text: str) -> str:
        told = json.loads(text)
        stopped = datetime.now(UTC) - timedelta(hours=36)
        return json.dumps({**told, "stopped": f"{stopped:%Y-%m-%dT%H:%M:%SZ}"})

    program = Path(names_of(console.stage.profile).backup)
    with console.broken("a base backup that cannot reach its server"):
        console.rewrite(f"base/{newest}/backup.json", age)
        with (
            rewritten(program, ' -c "$1" 2>&1; }', ' -p 1 -c "$1" 2>&1; }'),
            pytest.raises(RuntimeError, match="PostgreSQL cannot be asked"),
        ):
            console.cluster.run([str(program), "--fast"])
        console.observer.refresh()
        story = await console.root("backup-failed", evidence="PostgreSQL cannot be asked", within_s=15)
        assert story.severity is Severity.WARNING
        assert "the newest is 1 d 12 h old" in story.root.title
    await mended(console, "a base backup that goes well")


@pytest.mark.failure_mode("backup-broken")
async def test_a_broken_base_backup(console: Watched) -> None:
    newest = console.back_up()
    with console.broken("an object of the newest base backup deleted"):
        console.delete(f"base/{newest}/base.tar.zst")
        console.observer.refresh()
        story = await console.root("backup-broken", evidence="base.tar.zst is missing", within_s=15)
        assert story.severity is Severity.WARNING  # an older one is whole
        assert "; restorable to any moment since " in first_line(console)[1]
        for older in console.backups()[:-1]:
            console.delete(f"base/{older}/backup_manifest")
        console.observer.refresh()
        await says(console, Level.CRITICAL, "NOTHING can be restored: the newest base backup ")
    await mended(console, "another base backup")


@pytest.mark.failure_mode("wal-before-backup-gone")
async def test_wal_that_the_base_backup_needs_is_gone(console: Watched) -> None:
    newest = console.back_up()
    for older in console.backups()[:-1]:
        console.delete(f"base/{older}/backup.json")
    console.switch(3)
    await console.until(lambda: console.waits() == 0, "all is archived", 20)
    marker = console.owner.get_object(Bucket=console.bucket, Key=f"base/{newest}/backup.json")["Body"].read()
    needed = str(json.loads(marker)["stop_wal"])
    stored = [key for key in console.stage.objects(BucketRole.PRIMARY) if key[:24] <= needed]
    with console.broken("the WAL that the base backup needs deleted"):
        console.delete(*(key for key in stored if not key.endswith(".backup") and len(key) < 32))
        console.observer.refresh()
        await console.root("archive-shrunk", within_s=15)
        await console.until(lambda: "wal-before-backup-gone" in console.chain(), "what follows from it", 10)
        await console.accept_both("deleted by its age")
        await console.root("wal-before-backup-gone", evidence=needed[:8], within_s=15)
        assert first_line(console)[1].startswith("NOTHING can be restored: ")
    await mended(console, "another base backup")


@pytest.mark.failure_mode("restore-command-missing")
async def test_the_restore_commands_program_is_gone(console: Watched) -> None:
    program = Path(names_of(console.stage.profile).restore)
    with console.broken("the installed restore command deleted"), away(program):
        console.observer.refresh()
        await console.noted("restore-command-missing", within_s=40)
    await console.until(lambda: "restore-command-missing" not in console.rules(), "it is back", 40)
    with console.broken("the program of the restore_command in force not executable"):
        console.config(restore_command=f'{program} "%f" "%p"')
        with mode(program, 0o644):
            console.observer.refresh()
            story = await console.root(
                "restore-command-missing", evidence="no execute permission", within_s=60
            )
            assert story.severity is Severity.WARNING
    await console.green("its mode")
