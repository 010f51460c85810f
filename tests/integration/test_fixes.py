"""Each fix on a real deployment: the fault is there, applying mends it, again it is done, undo."""

import os
import pwd
import secrets
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from tests.data.provisioning import MemoryRecord
from tests.integration.failure_stage import deployment, provisioned
from tests.integration.provision_stage import Stage
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from walconsole.domain.profile import BucketRole
from walconsole.domain.standing.model import Fix
from walconsole.errors import BlockedError, ProvisionError, UsageError, WalconsoleError
from walconsole.provision.engine.model import Printed, Proved
from walconsole.provision.engine.model import Stage as At
from walconsole.provision.engine.runner import Runner
from walconsole.provision.fixes.catalogue import fix_steps
from walconsole.provision.fixes.taking_over import DropInOverAll

pytestmark = [pytest.mark.server, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Stage]:
    async with deployment(workspace, rgw, rgw_dr, f"mended-{secrets.token_hex(3)}") as made:
        await provisioned(made)
        yield made


def runner(stage: Stage, step: str, subject: str = "") -> Runner:
    stage.told.clear()
    return Runner(
        stage.site, fix_steps(stage.site, Fix("", step=step, subject=subject)), stage.gate, stage.told.append
    )


async def mend(stage: Stage, step: str, subject: str = "") -> list[str]:
    """Apply it: it changes something. Again: it is done. What was proved."""
    running = runner(stage, step, subject)
    await running.run()
    assert running.stages[step] is At.CHANGED
    proofs = [news.event.text for news in stage.told if isinstance(news.event, Proved)]
    again = runner(stage, step, subject)
    await again.run()
    assert again.stages[step] is At.DONE
    return proofs


async def undo(stage: Stage, step: str) -> None:
    await runner(stage, step).undo()


def setting(stage: Stage, name: str) -> str:
    return str(stage.cluster.sql(f"SHOW {name}")[0][0])


async def test_reset_setting(stage: Stage) -> None:
    stage.cluster.sql("ALTER SYSTEM SET archive_timeout = 77")
    stage.cluster.reload()
    proofs = await mend(stage, "reset-setting", "archive_timeout")
    assert any("99_" in text for text in proofs)
    assert setting(stage, "archive_timeout") == "1min"
    await undo(stage, "reset-setting")
    assert setting(stage, "archive_timeout") == "77s"
    await mend(stage, "reset-setting", "archive_timeout")


async def test_a_subject_that_is_none_is_refused_before_anything_runs(stage: Stage) -> None:
    for step, subject in [
        ("reset-setting", "x; DROP TABLE y"),
        ("push-wal", "../../etc/passwd"),
        ("orphan-ready", "$(id)"),
        ("kill-hung-command", "1 2"),
        ("readable-config", "relative"),
    ]:
        with pytest.raises(ProvisionError, match="is no "):
            await runner(stage, step, subject).run()
    with pytest.raises(UsageError, match="drop-slot"):
        runner(stage, "drop-slot")


async def test_reload_stops_at_an_error_in_the_files(stage: Stage) -> None:
    path = stage.cluster.write_config("zz_wrong.conf", {"archive_timeout": "often"})
    with pytest.raises(BlockedError, match=r"zz_wrong\.conf"):
        await runner(stage, "reload").run()
    path.unlink()
    running = runner(stage, "reload")
    await running.run()
    assert running.stages["reload"] is At.CHANGED


def bits(path: str | Path) -> int:
    return Path(path).stat().st_mode & 0o777


def close(path: str | Path, mode: int) -> None:
    """This mode, and root's where a test may do that."""
    Path(path).chmod(mode)
    if os.geteuid() == 0:
        os.chown(path, 0, 0)


async def test_executable_command(stage: Stage) -> None:
    program = stage.root / f"usr/local/bin/{stage.profile.name}-pg-archive"
    close(program, 0o644)
    await mend(stage, "executable-command", str(program))
    assert bits(program) == 0o755
    await undo(stage, "executable-command")
    assert bits(program) == 0o644
    await mend(stage, "executable-command", str(program))


async def test_readable_config(stage: Stage) -> None:
    config = stage.profile.paths.rclone_config
    close(config, 0o600 if os.geteuid() == 0 else 0o000)
    await mend(stage, "readable-config", config)
    assert bits(config) == 0o640
    with pytest.raises(BlockedError, match="not there"):
        await runner(stage, "readable-config", f"{config}.none").run()


@pytest.mark.root("only root can be led astray")
async def test_in_a_folder_of_the_server_s_a_mode_is_changed_as_the_server(stage: Stage) -> None:
    """There any name may be a link, and root's files may be moved about: root changes none of them."""
    stage.site.record = MemoryRecord()  # else `undo` would take back what the tests before this one mended
    user = pwd.getpwnam(stage.cluster.os_user)
    folder = stage.cluster.workspace.folder("home", stage.cluster.os_user)
    config, roots = folder / "rclone.conf", folder.with_name(f"{folder.name}.roots")
    for path in (config, roots):
        path.write_text("secret\n")
    os.chown(config, user.pw_uid, user.pw_gid)
    config.chmod(0o000)
    roots.chmod(0o600)
    await mend(stage, "readable-config", str(config))
    assert (bits(config), config.stat().st_uid) == (0o640, user.pw_uid)
    await undo(stage, "readable-config")
    assert bits(config) == 0
    config.unlink()
    for plant in (config.symlink_to, config.hardlink_to):
        plant(roots)
        for step in ("readable-config", "executable-command"):
            with pytest.raises(WalconsoleError):
                await runner(stage, step, str(config)).run()
        assert (bits(roots), roots.stat().st_uid, roots.stat().st_gid) == (0o600, 0, 0)
        config.unlink()
    stage.site.record = MemoryRecord()


async def test_push_wal(stage: Stage) -> None:
    stage.cluster.sql("SELECT pg_create_restore_point('push')")
    name = str(stage.cluster.sql("SELECT pg_walfile_name(pg_switch_wal())")[0][0])
    for _ in range(400):
        if all(any(key.startswith(name) for key in stage.objects(role)) for role in BucketRole):
            break
        await stage.site.sleep(0.1)
    key = next(key for key in stage.objects(BucketRole.DR) if key.startswith(name))
    stage.gateways[BucketRole.DR].client().delete_object(Bucket=stage.profile.dr.bucket, Key=key)
    proofs = await mend(stage, "push-wal", name)
    assert any("byte by byte" in text and stage.profile.dr.bucket in text for text in proofs)
    with pytest.raises(BlockedError, match="not in pg_wal"):
        await runner(stage, "push-wal", "0000000100000000000000FE").run()


async def test_orphan_ready(stage: Stage) -> None:
    name = "000000010000000000000001"
    ready = stage.cluster.data_dir / "pg_wal" / "archive_status" / f"{name}.ready"
    with stopped_archiver(stage):  # else the server removes it first
        touch(ready)
        await mend(stage, "orphan-ready", name)
        assert not there(ready)
        await undo(stage, "orphan-ready")
        assert there(ready)
        await mend(stage, "orphan-ready", name)


def there(path: Path) -> bool:
    return path.exists()


def touch(path: Path) -> None:
    path.touch()


@contextmanager
def stopped_archiver(stage: Stage) -> Iterator[None]:
    pid = int(
        str(stage.cluster.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'archiver'")[0][0])
    )
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_kill_hung_command(stage: Stage) -> None:
    stage.cluster.sql("ALTER SYSTEM SET archive_command = 'sleep 3333'")
    stage.cluster.reload()
    stage.cluster.sql("SELECT pg_create_restore_point('hang')")
    stage.cluster.sql("SELECT pg_switch_wal()")
    pid = ""
    for _ in range(300):
        pid = _child_of_archiver(stage)
        if pid:
            break
        await stage.site.sleep(0.2)
    stage.cluster.sql("ALTER SYSTEM RESET archive_command")
    stage.cluster.reload()
    await mend(stage, "kill-hung-command", pid)
    other = runner(stage, "kill-hung-command", str(os.getpid()))
    await other.run()
    assert other.stages["kill-hung-command"] is At.DONE  # it is no child of the archiver, and lives


def _child_of_archiver(stage: Stage) -> str:
    rows = stage.cluster.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'archiver'")
    if not rows:
        return ""
    found = Path(f"/proc/{rows[0][0]}/task/{rows[0][0]}/children").read_text().split()
    return found[0] if found else ""


async def test_reset_statistics(stage: Stage) -> None:
    stage.cluster.sql("ALTER SYSTEM SET archive_command = 'false'")
    stage.cluster.reload()
    stage.cluster.sql("SELECT pg_create_restore_point('fail')")
    stage.cluster.sql("SELECT pg_switch_wal()")
    for _ in range(200):
        if stage.cluster.sql("SELECT failed_count FROM pg_stat_archiver")[0][0]:
            break
        await stage.site.sleep(0.1)
    stage.cluster.sql("ALTER SYSTEM RESET archive_command")
    stage.cluster.reload()
    await runner(stage, "reset-statistics").run()


def text_of(path: Path) -> str:
    return path.read_text("utf-8")


def put_text(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")


async def test_rclone_endpoint(stage: Stage) -> None:
    config = Path(stage.profile.paths.rclone_config)
    before = text_of(config)
    wrong = before.replace(f"endpoint = {stage.profile.dr.endpoint}", "endpoint = http://127.0.0.1:9")
    assert wrong != before
    put_text(config, wrong)
    proofs = await mend(stage, "rclone-endpoint")
    assert text_of(config) == before
    assert any(stage.profile.dr.bucket in text for text in proofs)
    await undo(stage, "rclone-endpoint")
    assert text_of(config) == wrong
    await mend(stage, "rclone-endpoint")


async def test_a_line_that_wins_over_the_drop_in_is_taken_out_and_comes_back(stage: Stage) -> None:
    path = stage.cluster.write_config("zz_later.conf", {"work_mem": "5MB", "archive_command": "/bin/true"})
    stage.cluster.reload()
    text = text_of(path)
    running = runner(stage, "archive-command")
    await running.run()
    assert running.stages["drop-in"] is At.CHANGED
    assert setting(stage, "archive_command").startswith(f"{stage.root}/usr/local/bin/")
    assert "work_mem" in text_of(path).split("# taken out by walconsole")[0]
    changes = [change.what for change in stage.site.record.changes() if change.step == "drop-in"]
    assert changes[-1] == str(path)
    again = runner(stage, "archive-command")
    await again.run()
    assert set(again.stages.values()) == {At.DONE}
    await Runner(stage.site, (DropInOverAll(stage.site),), stage.gate, stage.told.append).undo()
    assert text_of(path) == text
    path.unlink()
    stage.cluster.reload()
    again = runner(stage, "archive-command")
    await again.run()
    assert setting(stage, "archive_command").startswith(f"{stage.root}/usr/local/bin/")


async def test_the_seconds_of_a_segment(stage: Stage) -> None:
    stage.cluster.sql("SELECT pg_create_restore_point('seconds')")
    stage.cluster.sql("SELECT pg_switch_wal()")
    running = runner(stage, "probe-seconds")
    await running.run()
    proofs = [news.event.text for news in stage.told if isinstance(news.event, Proved)]
    printed = [news.event.text for news in stage.told if isinstance(news.event, Printed)]
    assert [text for text in proofs if text.startswith("a segment takes about ")]
    parts = {text.split()[0] for text in printed}
    assert {"start", "ask", "upload", "read"} <= parts
    for role in BucketRole:
        bucket = stage.profile.primary.bucket if role is BucketRole.PRIMARY else stage.profile.dr.bucket
        assert sum(f":{bucket}:" in text for text in printed if text.startswith("upload")) == 1
        assert not [key for key in stage.objects(role) if "walconsole-probe" in key]
