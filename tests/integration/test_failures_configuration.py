"""Failure modes of the configuration.

Each is really brought about on a deployment that archives: found as the root, mended, green again.
"""

import pytest

from tests.integration.failure_stage import Watched, grantless, placed

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("_table"),
]


@pytest.mark.failure_mode("command-empty")
@pytest.mark.long
async def test_command_empty(console: Watched) -> None:
    with console.broken("archive_command = ''"):
        console.config(archive_command="")
        console.switch()
        await console.root("command-empty", evidence="archive_command")
    await console.green("the setting taken back")


@pytest.mark.failure_mode("auto-conf-override")
async def test_auto_conf_override(console: Watched) -> None:
    with console.broken("ALTER SYSTEM SET archive_command = 'false'"):
        console.sql("ALTER SYSTEM SET archive_command = 'false'")
        console.cluster.reload()
        console.switch()
        await console.root("auto-conf-override", evidence="postgresql.auto.conf")
        console.sql("ALTER SYSTEM RESET archive_command")
        console.cluster.reload()
    await console.green("ALTER SYSTEM RESET")


@pytest.mark.failure_mode("pending-restart")
async def test_pending_restart(console: Watched) -> None:
    with console.broken("archive_mode = off in a file, reloaded"):
        console.config(archive_mode="off")
        await console.root("pending-restart", evidence="archive_mode")
    await console.green("the setting taken back")


UNSAFE = [
    ("fsync-off", "fsync", "off"),
    ("full-page-writes-off", "full_page_writes", "off"),
    ("damage-passed-over", "zero_damaged_pages", "on"),
]


@pytest.mark.failure_mode("fsync-off", "full-page-writes-off", "damage-passed-over")
async def test_settings_by_which_a_crash_damages_the_cluster(console: Watched) -> None:
    for rule, name, value in UNSAFE:
        with console.broken(f"{name} = {value}"):
            console.config(**{name: value})
            await console.root(rule, evidence=f"{name} = {value}", within_s=15)
        await console.green("the setting taken back")


@pytest.mark.failure_mode("archive-off")
async def test_archive_off(console: Watched) -> None:
    with console.broken("archive_mode = off, restarted", restarted=True):
        console.config(archive_mode="off")
        console.cluster.restart()
        await console.root("archive-off", evidence="archive_mode = off", within_s=10)
    await console.green("archive_mode = on, restarted")


@pytest.mark.failure_mode("dead-config")
async def test_dead_config(console: Watched) -> None:
    dead = console.cluster.data_dir / "postgresql.conf"
    what = "archiving is set up in a file that is never read"
    with console.broken(what, restarted=True), placed(dead, "archive_mode = on\n"):
        console.cluster.give(dead)
        console.config(archive_mode="off")
        console.cluster.restart()
        console.observer.refresh()
        await console.root("dead-config", evidence="archive_mode", within_s=10)
        await console.until(lambda: console.chain() == ["archive-off"], "archive-off as its consequence", 10)
    await console.green("the dead file taken away, archive_mode = on")


@pytest.mark.failure_mode("library-and-command")
async def test_library_and_command(console: Watched) -> None:
    with console.broken("archive_library and archive_command both set"):
        console.config(archive_library="basic_archive")
        console.switch()
        await console.root("library-and-command", evidence="basic_archive")
    await console.green("archive_library unset")


@pytest.mark.failure_mode("no-archive-timeout")
async def test_a_setting_that_bounds_nothing_is_a_note_and_no_alarm(console: Watched) -> None:
    with console.broken("archive_timeout = 0"):
        console.config(archive_timeout="0")
        await console.noted("no-archive-timeout", within_s=6)
        assert not console.stories()
    await console.green("the setting taken back")


async def test_an_override_and_a_lost_grant_are_two_stories(console: Watched) -> None:
    with console.broken("ALTER SYSTEM override and a lost grant"), grantless(console):
        console.sql(f"ALTER SYSTEM SET archive_command = 'sleep 0; {console.command}'")
        console.cluster.reload()
        console.switch()
        both = {"key-403", "auto-conf-override"}
        await console.until(lambda: {s.root.rule for s in console.stories()} >= both, "both causes", 8)
        await console.until(lambda: "failing" in console.rules(), "the failure", 8)
        told = [each.rule for story in console.stories() for each in story.consequences]
        assert told.count("failing") == 1
        console.sql("ALTER SYSTEM RESET archive_command")
        console.cluster.reload()
        await console.until(
            lambda: {s.root.rule for s in console.stories()} & both == {"key-403"}, "one cause less", 8
        )
    await console.green("both taken back")


@pytest.mark.failure_mode("recovery-target-left", "recovery-settings-left")
async def test_what_an_earlier_recovery_left_in_postgresql_auto_conf(console: Watched) -> None:
    with console.broken("recovery_target_time, primary_conninfo of before in postgresql.auto.conf"):
        console.sql("ALTER SYSTEM SET recovery_target_time = '2026-11-28 14:02:00+00'")
        console.sql("ALTER SYSTEM SET primary_conninfo = 'host=10.0.0.9 password=not-shown-anywhere'")
        console.config(archive_timeout="59")  # seen at once, and then the files are read
        await console.root("recovery-target-left", evidence="recovery_target_time = 2026-11-28")
        await console.noted("recovery-settings-left")
        assert "not-shown-anywhere" not in str(console.diagnosis())
        console.sql("ALTER SYSTEM RESET recovery_target_time")
        console.sql("ALTER SYSTEM RESET primary_conninfo")
    await console.green("ALTER SYSTEM RESET")
    assert "recovery-settings-left" not in console.rules()


@pytest.mark.failure_mode("signal-file-left")
async def test_signal_file_left(console: Watched) -> None:
    signal = console.cluster.data_dir / "standby.signal"
    with console.broken("standby.signal beside the running primary"), placed(signal, ""):
        await console.root("signal-file-left", evidence="standby.signal")
    await console.green("the file taken away")
