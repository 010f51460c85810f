"""The drop-in on a real cluster whose configuration is not as one hopes: what is said, and no restart."""

import os
import pwd
import secrets
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from tests.data.provisioning import MemoryRecord, events
from tests.integration.failure_stage import deployment, mode
from tests.integration.provision_stage import Stage
from tests.servers.postgres_debian import DebianCluster
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.droplet.rendering import archive_command
from walconsole.errors import BlockedError, ProvisionError, WalconsoleError
from walconsole.provision.droplet.commands import ask
from walconsole.provision.droplet.file_settings import value_at_start
from walconsole.provision.droplet.files import kept_folder
from walconsole.provision.engine.model import Change, ChangeKind, Changing, Check, CheckState, Plan
from walconsole.provision.engine.model import Stage as At
from walconsole.provision.engine.runner import Runner
from walconsole.provision.steps.dropin import DropIn
from walconsole.provision.steps.restart import Restart
from walconsole.provision.steps.restarting import Control, Restarting

pytestmark = [pytest.mark.server, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

LATE = "zz_late.conf"
AUTO_CONF = "postgresql.auto.conf"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deployed(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    async with deployment(workspace, rgw, rgw_dr, f"dropped-{secrets.token_hex(3)}") as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def stage(deployed: Stage) -> AsyncIterator[Stage]:
    """As it was before the test, whatever that did; and the server was not restarted unless it says so."""
    main = deployed.cluster.config_dir / "postgresql.conf"
    text, pid, before = main.read_text(), deployed.cluster.pid, texts(deployed)
    deployed.site.record = MemoryRecord()
    await deployed.site.survey(again=True)
    yield deployed
    assert deployed.cluster.pid == pid
    main.write_text(text)
    for path in (deployed.cluster.config_dir / "conf.d").iterdir():
        if path.name not in before:
            path.unlink()
    deployed.cluster.sql("ALTER SYSTEM RESET ALL")
    deployed.cluster.reload()


def texts(stage: Stage) -> dict[str, str]:
    """The files in conf.d, the main file and auto.conf."""
    config = stage.cluster.config_dir
    paths = [*(config / "conf.d").glob("*"), config / "postgresql.conf", stage.cluster.data_dir / AUTO_CONF]
    return {path.name: path.read_text(errors="replace") for path in paths}


def auto_conf(stage: Stage) -> dict[str, str]:
    """What ALTER SYSTEM has set."""
    lines = [line for line in texts(stage)[AUTO_CONF].splitlines() if " = " in line]
    return {name: value.strip("'") for name, _, value in (line.partition(" = ") for line in lines)}


def dropin(stage: Stage) -> Path:
    return stage.cluster.config_dir / "conf.d" / stage.profile.paths.dropin


def put(stage: Stage, text: str, name: str = LATE) -> Path:
    """A file in conf.d, read after the drop-in by its name."""
    path = stage.cluster.config_dir / "conf.d" / name
    path.write_text(text)
    stage.cluster.give(path)
    return path


async def run(stage: Stage) -> Runner:
    """The drop-in, and the restart that would follow it."""
    runner = Runner(stage.site, (DropIn(stage.site), Restart(stage.site)), stage.gate, lambda _: None)
    await runner.run()
    return runner


async def written(stage: Stage) -> None:
    """The drop-in alone."""
    await Runner(stage.site, (DropIn(stage.site),), stage.gate, lambda _: None).run()


async def refused(stage: Stage) -> WalconsoleError:
    """Nothing is as the step left it, nothing is in the record, and the restart is not reached."""
    before = texts(stage)
    runner = Runner(stage.site, (DropIn(stage.site), Restart(stage.site)), stage.gate, lambda _: None)
    with pytest.raises(WalconsoleError) as caught:
        await runner.run()
    assert runner.stages["drop-in"] in (At.FAILED, At.BLOCKED)
    assert runner.stages["restart"] is At.SKIPPED
    assert texts(stage) == before
    assert stage.site.record.changes() == ()
    return caught.value


async def test_what_alter_system_set_is_named_reset_and_given_back_by_undo(stage: Stage) -> None:
    stage.cluster.sql("ALTER SYSTEM SET archive_command = '/bin/true ''quoted'' %p'")
    stage.cluster.sql("ALTER SYSTEM SET archive_timeout = '10min'")
    stage.cluster.sql("ALTER SYSTEM SET work_mem = '8MB'")
    set_before = auto_conf(stage)
    step = DropIn(stage.site)
    check = await step.check()
    assert check.state is CheckState.NEEDED
    assert "ALTER SYSTEM sets archive_command; ALTER SYSTEM sets archive_timeout" in check.summary
    plan = await step.plan()
    resets = [command.text for command in plan.commands if "RESET" in command.text]
    assert [text.partition("RESET ")[2].strip("'") for text in resets] == [
        "archive_command",
        "archive_timeout",
    ]
    await written(stage)
    assert auto_conf(stage) == {"work_mem": "8MB"}
    assert await value_at_start(stage.site, "archive_command") == archive_command(stage.profile)
    await Runner(stage.site, (DropIn(stage.site),), stage.gate, lambda _: None).undo()
    assert auto_conf(stage) == set_before
    assert not dropin(stage).exists()
    assert stage.site.record.changes() == ()


async def test_a_wal_level_that_archiving_cannot_do_with_is_found_before_the_restart(stage: Stage) -> None:
    """`postgres -C` does not say that the server would refuse it; the restart would, with the server down."""
    stage.cluster.sql("ALTER SYSTEM SET wal_level = 'minimal'")
    stage.cluster.sql("ALTER SYSTEM SET max_wal_senders = '0'")
    check = await DropIn(stage.site).check()
    assert "ALTER SYSTEM sets wal_level" in check.summary
    await written(stage)
    assert auto_conf(stage) == {"max_wal_senders": "0"}
    assert await value_at_start(stage.site, "wal_level") == "replica"


async def test_logical_wal_stays(stage: Stage) -> None:
    stage.cluster.sql("ALTER SYSTEM SET wal_level = 'logical'")
    await written(stage)
    assert await value_at_start(stage.site, "wal_level") == "logical"


@pytest.mark.parametrize(
    "line",
    [
        "archive_command = '/bin/true'",
        "ARCHIVE_TIMEOUT = 0",
        "wal_level = minimal\nmax_wal_senders = 0",
    ],
)
async def test_a_later_file_is_named_and_nothing_is_left(stage: Stage, line: str) -> None:
    late = put(stage, f"# mine\n{line}\n")
    error = await refused(stage)
    assert f"{late}:2" in error.why, error.line()
    assert line.partition(" ")[0].lower() in error.why
    assert error.remedy


async def test_a_line_after_the_folder_in_the_main_file_is_named(stage: Stage) -> None:
    main = stage.cluster.config_dir / "postgresql.conf"
    with main.open("a") as file:
        file.write("archive_mode = off\n")
    number = len(main.read_text().splitlines())
    error = await refused(stage)
    assert f"{main}:{number}" in error.why, error.line()


async def test_where_it_fails_what_alter_system_set_is_set_again(stage: Stage) -> None:
    stage.cluster.sql("ALTER SYSTEM SET archive_command = '/bin/true %p'")
    put(stage, "archive_mode = off\n")
    assert "archive_mode" in (await refused(stage)).why
    assert auto_conf(stage) == {"archive_command": "/bin/true %p"}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("00_first.conf", "work_mem = = 4MB\n", "syntax error"),
        (LATE, "wrok_mem = 4MB\n", "unrecognized configuration parameter"),
        ("00_first.conf", "max_connections = many\n", "max_connections"),
        (LATE, "include 'nowhere.conf'\n", "nowhere.conf"),
    ],
)
async def test_a_fault_in_another_file_is_named(stage: Stage, name: str, text: str, told: str) -> None:
    file = put(stage, f"\n{text}", name)
    error = await refused(stage)
    assert str(file) in error.line(), error.line()
    assert told in error.why, error.line()
    assert "correct" in error.remedy


async def test_a_file_that_the_server_may_not_read_is_named(stage: Stage) -> None:
    file = put(stage, "work_mem = '4MB'\n", "00_first.conf")
    with mode(file, 0o000, roots=True):
        step = DropIn(stage.site)
        with pytest.raises(ProvisionError) as caught:
            await Runner(stage.site, (step, Restart(stage.site)), stage.gate, lambda _: None).run()
    assert str(file) in caught.value.line(), caught.value.line()
    assert not dropin(stage).exists()
    assert stage.site.record.changes() == ()


@pytest.mark.parametrize("by", ["a file", "ALTER SYSTEM"])
async def test_a_library_is_never_overridden(stage: Stage, by: str) -> None:
    if by == "a file":
        where = str(put(stage, "archive_library = 'basic_archive'\n", "00_library.conf"))
    else:
        stage.cluster.sql("ALTER SYSTEM SET archive_library = 'basic_archive'")
        where = AUTO_CONF
    error = await refused(stage)
    assert isinstance(error, BlockedError)
    assert "archive_library is basic_archive" in error.why
    assert where in error.why
    assert "take it away" in error.remedy


@contextmanager
def no_folder(stage: Stage, last: str = "") -> Iterator[Path]:
    """The main file includes no folder, and there is none."""
    main, folder = stage.cluster.config_dir / "postgresql.conf", stage.cluster.config_dir / "conf.d"
    kept = [line for line in main.read_text().splitlines() if not line.startswith("include_dir")]
    main.write_text("\n".join(kept) + last)
    away = folder.rename(folder.with_name("conf.away"))
    try:
        yield main
    finally:
        for path in folder.glob("*"):
            path.unlink()
        if folder.exists():
            folder.rmdir()
        away.rename(folder)


@pytest.mark.parametrize("last", ["\n", "\nwork_mem = '5MB'"])
async def test_where_no_folder_is_included_the_server_could_start_at_any_moment(
    stage: Stage, last: str
) -> None:
    """The line that includes the folder comes when the folder is there: a crash in between harms nothing."""
    with no_folder(stage, last) as main:
        before = main.read_text()
        owner = (main.stat().st_uid, main.stat().st_gid, main.stat().st_mode)
        step = DropIn(stage.site)
        check = await step.check()
        assert any(fact.value == "not included yet" for fact in check.facts)
        async for event in step.apply():
            if isinstance(event, Changing):
                stage.site.record.add(event.change)
            assert await value_at_start(stage.site, "work_mem")
        assert main.read_text().splitlines()[-1].startswith("include_dir = 'conf.d'")
        assert (main.stat().st_uid, main.stat().st_gid, main.stat().st_mode) == owner
        assert (await step.check()).state is CheckState.DONE
        assert await value_at_start(stage.site, "archive_mode") == "on"
        changed = [change.what for change in stage.site.record.changes()]
        assert changed == [str(dropin(stage)), str(main)]
        await Runner(stage.site, (step,), stage.gate, lambda _: None).undo()
        assert main.read_text() == before
        assert await value_at_start(stage.site, "archive_mode") == "off"


async def test_what_else_lies_in_a_folder_that_is_not_read_yet_is_told(stage: Stage) -> None:
    with no_folder(stage) as main:
        (main.parent / "conf.d").mkdir()
        put(stage, "work_mem = '6MB'\n", "10_dead.conf")
        put(stage, "never read\n", "10_dead.conf.bak")
        await stage.site.survey(again=True)
        plan = await DropIn(stage.site).plan()
        (note,) = [note for note in plan.notes if "from then on" in note]
        assert note.endswith("with what else is in it: 10_dead.conf")


async def test_a_setting_that_waits_for_a_restart_is_no_fault(stage: Stage) -> None:
    """One that was changed since the start, and one that was taken away; both are of no moment here."""
    main = stage.cluster.config_dir / "postgresql.conf"
    kept = [line for line in main.read_text().splitlines() if not line.startswith("external_pid_file")]
    assert len(kept) < len(main.read_text().splitlines())
    main.write_text("\n".join([*kept, "max_connections = 77", ""]))
    await written(stage)
    assert (await DropIn(stage.site).check()).state is CheckState.DONE


async def test_what_came_after_the_drop_in_is_found_before_the_restart(stage: Stage) -> None:
    """Without this the server would be down, and putting the drop-in back would not bring it up."""
    await written(stage)
    for text, told in (
        ("work_mem = = 4MB\n", "syntax error"),
        ("archive_mode = off\n", "archive_mode off"),
        ("shared_buffers = '4096TB'\n", "shared_buffers"),
    ):
        put(stage, text)
        restart = Runner(stage.site, (Restart(stage.site),), stage.gate, lambda _: None)
        with pytest.raises(BlockedError) as caught:
            await restart.run()
        assert told in caught.value.why, caught.value.line()
        assert caught.value.remedy
        if told != "shared_buffers":  # that the running server takes for a change which a restart brings
            assert (await DropIn(stage.site).check()).state is CheckState.BLOCKED
    assert dropin(stage).exists()


async def test_the_drop_in_is_done_once(stage: Stage) -> None:
    await written(stage)
    text = dropin(stage).read_text()
    check: Check = await DropIn(stage.site).check()
    assert check.state is CheckState.DONE
    dropin(stage).write_text(text.replace("archive_mode = on", "archive_mode = off"))
    assert (await DropIn(stage.site).check()).state is CheckState.NEEDED
    plan: Plan = await DropIn(stage.site).plan()
    assert "+archive_mode = on" in plan.files[0].diff()
    await written(stage)
    assert dropin(stage).read_text() == text
    kinds = [change.kind for change in stage.site.record.changes()]
    assert kinds == [ChangeKind.FILE, ChangeKind.FILE]
    newest: Change = stage.site.record.changes()[-1]
    assert newest.kept


SECRET = "LOG:  never to be seen"
led_astray = pytest.mark.root("only root can be led astray")


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    """A file of root's, which stays as it is."""
    path = tmp_path / "victim"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o600)
    before = path.stat()
    yield path
    after = path.stat()
    assert path.read_text() == f"{SECRET}\n"
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)


def plant(stage: Stage, path: Path, to: Path) -> None:
    """As the server's user would."""
    path.unlink(missing_ok=True)
    path.symlink_to(to)
    user = pwd.getpwnam(stage.cluster.os_user)
    os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def old_names(stage: Stage) -> tuple[Path, ...]:
    """What of a copy's name could be foreseen."""
    path = dropin(stage)
    return (path.with_name(f"{path.name}.walconsole-old"), path.with_name(f".walconsole-{path.name}.aaaaaa"))


def kept_texts(stage: Stage) -> list[str]:
    """What is in root's own folder."""
    return [path.read_text() for path in Path(kept_folder(stage.site)).rglob("*") if path.is_file()]


@led_astray
async def test_undo_writes_through_no_link_of_the_server_s_user(stage: Stage, victim: Path) -> None:
    put(stage, "# mine\n", dropin(stage).name)
    await written(stage)
    for path in old_names(stage):
        plant(stage, path, victim)
    await Runner(stage.site, (DropIn(stage.site),), stage.gate, lambda _: None).undo()
    assert dropin(stage).read_text() == "# mine\n"
    assert dropin(stage).owner() == stage.cluster.os_user
    plant(stage, dropin(stage), victim)


@led_astray
async def test_what_is_put_back_by_hand_is_put_back_as_the_server_s_user(stage: Stage, victim: Path) -> None:
    put(stage, "# mine\n", dropin(stage).name).chmod(0o640)
    await written(stage)
    for path in old_names(stage):
        plant(stage, path, victim)
    plan = await DropIn(stage.site).undo_plan(tuple(reversed(stage.site.record.changes())))
    assert plan is not None
    for command in plan.commands:
        await ask(stage.site, command.text, user=command.user)
    assert dropin(stage).read_text() == "# mine\n"
    assert stat.S_IMODE(dropin(stage).stat().st_mode) == 0o640
    assert dropin(stage).owner() == stage.cluster.os_user


@led_astray
async def test_a_link_where_the_drop_in_goes_is_neither_shown_nor_kept(stage: Stage, victim: Path) -> None:
    plant(stage, dropin(stage), victim)
    step = DropIn(stage.site)
    with pytest.raises(ProvisionError, match="it is a link in a folder of postgres's") as caught:
        await step.plan()
    assert SECRET not in caught.value.line()
    with pytest.raises(ProvisionError):
        await events(stage.site, step.apply())
    assert all(SECRET not in text for text in kept_texts(stage))
    dropin(stage).unlink()


@pytest.mark.parametrize("command", ["echo 'Cluster is already running.'; false", "true"])
async def test_the_same_process_is_not_restarted_and_nothing_else(stage: Stage, command: str) -> None:
    """systemd's restart of a server that runs beside its unit fails; another tool's may do nothing at all."""
    await written(stage)
    text, pid = dropin(stage).read_text(), stage.cluster.pid
    data = str(stage.cluster.data_dir)
    restarting = Restarting(stage.site, Control(command, "false"), str(dropin(stage)), "", "", data)
    told = str(await events(stage.site, restarting.run()))
    assert restarting.outcome is not None
    assert (restarting.outcome.word, stage.cluster.pid) == ("unchanged", pid), told
    assert f"it is the same process as before ({pid})" in told
    assert "did not come up" not in told
    assert "away" not in told
    assert dropin(stage).read_text() == text


@led_astray
@pytest.mark.parametrize("before", ["# mine\n", None])
async def test_a_restart_s_way_back_writes_through_no_link(
    stage: Stage, victim: Path, tmp_path: Path, before: str | None
) -> None:
    """The restart fails (nothing is really restarted); the log is where the server's user may put a link."""
    if before is not None:
        put(stage, before, dropin(stage).name)
    await written(stage)
    change = stage.site.record.changes()[-1]
    for path in old_names(stage):
        plant(stage, path, victim)
    log = dropin(stage).with_name("server.log")
    plant(stage, log, victim)
    # with another data directory it is not known which process ran before: a failure is one then
    control = Control("false", "true")
    restarting = Restarting(stage.site, control, str(dropin(stage)), change.kept, str(log), "/nowhere")
    told = await events(stage.site, restarting.run())
    assert restarting.outcome is not None
    assert restarting.outcome.word == "rolled-back", told
    assert SECRET not in str(told)
    assert (dropin(stage).read_text() if dropin(stage).exists() else None) == before
    if before is None:
        assert any("archive_mode = on" in text for text in kept_texts(stage))


async def test_an_argument_of_the_server_is_named(deployed: Stage) -> None:
    """It wins over every file, and `postgres -C` knows nothing of it. The last test: it restarts."""
    cluster = deployed.cluster
    assert isinstance(cluster, DebianCluster)
    cluster.stop()
    which = (cluster.debian_version, cluster.name, "start")
    cluster.debian("pg_ctlcluster", "--skip-systemctl-redirect", "-o", "-c archive_mode=off", *which)
    deployed.site.record = MemoryRecord()
    await deployed.site.survey(again=True)
    pid = cluster.pid
    error = await refused(deployed)
    told = "archive_mode is set to 'off' by the server's argument -c archive_mode=off"
    assert told in error.why, error.line()
    assert cluster.pid == pid
