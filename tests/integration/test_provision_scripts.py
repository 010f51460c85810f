"""The steps that install scripts, on a real sshd beside a real cluster; systemd is a stand-in."""

import os
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.data.provisioning import MemoryRecord, a_site, events
from tests.integration.observed import connected, profile_of
from tests.servers.fixtures import MakeCluster
from tests.servers.postgres_debian import DebianCluster
from tests.servers.sshd import SshServer
from walconsole.droplet.names import names_of
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.surveying import take_survey
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
    CheckState,
    Event,
    Printed,
    Proved,
    Step,
)
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.archive_command import ArchiveCommand
from walconsole.provision.steps.backup_command import BackupCommand
from walconsole.provision.steps.backup_schedule import BackupSchedule
from walconsole.provision.steps.first_backup import FirstBackup
from walconsole.provision.steps.verifier import Verifier

pytestmark = pytest.mark.server

SYSTEMCTL = """\
#!/bin/sh
# stands in for systemctl: a unit is enabled, and active, where a file of its name says so
state={root}/state
echo "$*" >>$state/calls
now=; [ "${{2:-}}" = --now ] && now=1 && set -- "$1" "$3"
there() {{ [ -f "{root}/etc/systemd/system/$1" ]; }}
case $1 in
    daemon-reload) ;;
    is-enabled) there "$2" || {{ echo "no such unit" >&2; exit 1; }}
        if [ -e "$state/$2.enabled" ]; then echo enabled; else echo disabled; exit 1; fi ;;
    is-active) if [ -e "$state/$2.active" ]; then echo active; else echo inactive; exit 3; fi ;;
    enable) there "$2" || exit 1; touch "$state/$2.enabled" ${{now:+"$state/$2.active"}} ;;
    disable) there "$2" || exit 1; rm -f "$state/$2.enabled" ${{now:+"$state/$2.active"}} ;;
    *) exit 64 ;;
esac
"""


class Droplet:
    """A root folder with what the steps look for, open to the server's own user."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("usr/local/bin", "etc/systemd/system", "run/systemd/system", "run", "state", "var/tmp"):
            (root / name).mkdir(parents=True, exist_ok=True)
        self.program("systemctl", SYSTEMCTL.format(root=root))
        for folder in (root, *root.parents):
            if os.access(folder, os.W_OK) and folder != Path("/tmp"):
                folder.chmod(folder.stat().st_mode | 0o011)

    def program(self, name: str, text: str) -> None:
        path = self.root / "usr/local/bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def calls(self) -> list[str]:
        """What systemctl was asked to change so far."""
        path = self.root / "state/calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if not line.startswith("is-")]


async def site_on(
    sshd: SshServer, cluster: DebianCluster, root: Path, record: MemoryRecord
) -> AsyncIterator[Site]:
    Droplet(root)
    profile = profile_of(sshd, cluster)
    paths = replace(
        profile.paths,
        root=str(root),
        log=f"{root}/var/log/observed/wal-archive.log",
        heartbeat=f"{root}/run/heartbeat",
        rclone_config=f"{root}/etc/rclone-observed.conf",
    )
    profile = replace(profile, paths=paths)
    async with connected(profile) as parts:
        yield a_site(profile, parts.shell, take_survey, record=record)


@pytest.fixture
async def site(sshd: SshServer, debian_cluster: DebianCluster, tmp_path: Path) -> AsyncIterator[Site]:
    async for site in site_on(sshd, debian_cluster, tmp_path / "root", MemoryRecord()):
        yield site


def droplet_of(site: Site) -> Droplet:
    return Droplet(Path(site.profile.paths.root))


async def carried_out(site: Site, step: Step) -> list[Event]:
    """Applied and verified, as the runner does."""
    return [*await events(site, step.apply()), *await events(site, step.verify())]


async def state_of(step: Step) -> CheckState:
    return (await step.check()).state


def changed(seen: list[Event]) -> list[str]:
    return [event.change.what for event in seen if isinstance(event, Changing)]


def newest_first(site: Site) -> tuple[Change, ...]:
    return tuple(reversed(site.record.changes()))


def mode_of(path: str) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


def tree(root: Path) -> set[str]:
    """Every file that is no state, and nothing that was kept."""
    found = (path for path in root.rglob("*") if path.is_file())
    names = {str(path.relative_to(root)) for path in found}
    return {name for name in names if not name.startswith(("state/", "var/lib/"))}


def text_at(path: str) -> str:
    return Path(path).read_text()


def is_there(path: str) -> bool:
    return Path(path).exists()


def remove(path: str) -> None:
    Path(path).unlink()


def put(path: str, text: str) -> None:
    Path(path).write_text(text)


def set_mode(path: str, mode: int) -> None:
    Path(path).chmod(mode)


async def test_both_commands_are_installed_once_and_repaired_one_by_one(site: Site) -> None:
    step, names = ArchiveCommand(site), names_of(site.profile)
    assert await state_of(step) is CheckState.NEEDED
    plan = await step.plan()
    assert [file.path for file in plan.files] == [names.archive, names.restore]
    assert plan.confirm == ""
    seen = await carried_out(site, step)
    assert changed(seen) == [names.archive, names.restore]
    assert [event for event in seen if isinstance(event, Proved)]
    assert any("usage:" in event.text for event in seen if isinstance(event, Printed))
    assert mode_of(names.archive) == mode_of(names.restore) == 0o755
    assert await state_of(step) is CheckState.DONE

    set_mode(names.restore, 0o700)
    assert "its mode" in str((await step.check()).facts)
    assert changed(await carried_out(site, step)) == [names.restore]
    remove(names.archive)
    assert changed(await carried_out(site, step)) == [names.archive]
    assert await state_of(step) is CheckState.DONE

    undo = await step.undo_plan(newest_first(site))
    assert undo is not None
    assert {file.path: file.after for file in undo.files} == {names.archive: None, names.restore: None}
    await events(site, step.undo(newest_first(site)))
    assert not is_there(names.archive)
    assert not is_there(names.restore)


async def test_a_script_of_somebody_else_is_named_kept_and_put_back(site: Site) -> None:
    step, names = ArchiveCommand(site), names_of(site.profile)
    put(names.archive, '#!/bin/sh\nexec rsync "$1" backup:\n')
    plan = await step.plan()
    assert plan.confirm == "observed-pg-archive"
    assert any(names.archive in note for note in plan.notes)
    await carried_out(site, step)
    assert "walconsole" in text_at(names.archive)
    await events(site, step.undo(newest_first(site)))
    assert "rsync" in text_at(names.archive)
    assert not is_there(names.restore)


async def test_verifying_finds_what_does_not_run(site: Site) -> None:
    step, names = ArchiveCommand(site), names_of(site.profile)
    await events(site, step.apply())
    set_mode(names.restore, 0o700)
    with pytest.raises(ProvisionError, match="not as it was written"):
        await events(site, step.verify())


@pytest.mark.parametrize(
    ("missing", "why"), [("rclone", "no rclone"), ("timeout", "no timeout"), ("old", "too old")]
)
async def test_blocked_without_what_the_command_needs(site: Site, missing: str, why: str) -> None:
    survey = await site.survey()
    tools = {name: path for name, path in survey.tools.items() if name != missing}
    rclone = replace(survey.rclone, version=(1, 52, 3)) if missing == "old" else survey.rclone
    site._survey = replace(survey, tools=tools, rclone=rclone)
    check = await ArchiveCommand(site).check()
    assert check.state is CheckState.BLOCKED
    assert why in check.summary
    assert check.remedy


async def test_the_verifier_with_its_timer_is_installed_and_repaired_piece_by_piece(site: Site) -> None:
    step, names, here = Verifier(site), names_of(site.profile), droplet_of(site)
    before = tree(here.root)
    assert (await site.survey()).systemd
    assert await state_of(step) is CheckState.NEEDED
    plan = await step.plan()
    assert {file.path for file in plan.files} >= {names.verifier, names.service, names.timer}
    seen = await carried_out(site, step)
    timer = Path(names.timer).name
    assert changed(seen)[-1] == timer
    assert here.calls() == ["daemon-reload", f"enable --now {timer}"]
    assert any("archiving is off" in event.text for event in seen if isinstance(event, Printed))
    assert await state_of(step) is CheckState.DONE
    text = text_at(names.verifier)
    cluster = (await site.survey()).cluster
    assert cluster is not None
    assert f"-p {cluster.port}" in text
    assert cluster.socket_dir in text

    (here.root / f"state/{timer}.enabled").unlink()
    check = await step.check()
    assert check.state is CheckState.NEEDED
    assert "the timer is disabled, active" in check.summary
    assert (await step.plan()).summary.startswith("switch the timer on:")
    assert changed(await carried_out(site, step)) == [timer]
    remove(names.verifier)
    assert changed(await carried_out(site, step)) == [names.verifier]
    remove(names.timer)
    assert changed(await carried_out(site, step)) == [names.timer, timer]
    assert await state_of(step) is CheckState.DONE

    assert await step.undo_plan(newest_first(site)) is not None
    await events(site, step.undo(newest_first(site)))
    assert tree(here.root) == before
    assert here.calls()[-2:] == [f"disable --now {timer}", "daemon-reload"]
    assert not list((here.root / "state").glob("*.timer.*"))


async def test_the_backups_timer_is_installed_repaired_and_taken_away(site: Site) -> None:
    step, names, here = BackupSchedule(site), names_of(site.profile), droplet_of(site)
    before = tree(here.root)
    timer = Path(names.backup_timer).name
    assert await state_of(step) is CheckState.NEEDED
    plan = await step.plan()
    assert {file.path for file in plan.files} == {names.backup_service, names.backup_timer}
    assert "by a systemd timer, a base backup is taken" in plan.summary
    assert changed(await carried_out(site, step)) == [names.backup_service, names.backup_timer, timer]
    assert here.calls() == ["daemon-reload", f"enable --now {timer}"]
    assert await state_of(step) is CheckState.DONE
    (here.root / f"state/{timer}.enabled").unlink()
    assert "the timer is disabled, active" in (await step.check()).summary
    assert changed(await carried_out(site, step)) == [timer]
    remove(names.backup_timer)
    assert changed(await carried_out(site, step)) == [names.backup_timer, timer]
    assert await step.undo_plan(newest_first(site)) is not None
    await events(site, step.undo(newest_first(site)))
    assert tree(here.root) == before
    assert here.calls()[-2:] == [f"disable --now {timer}", "daemon-reload"]


async def test_the_backup_command_is_not_offered_without_what_it_calls(site: Site) -> None:
    survey = await site.survey()
    for missing in ("zstd", "perl", "flock"):
        tools = {name: path for name, path in survey.tools.items() if name != missing}
        site._survey = replace(survey, tools=tools)
        for step in (BackupCommand(site), FirstBackup(site)):
            check = await step.check()
            assert check.state is CheckState.BLOCKED
            assert f"there is no {missing} on the droplet" in check.summary
            assert check.remedy.startswith("apt-get install")


async def test_cron_where_there_is_no_systemd_and_nothing_without_either(site: Site) -> None:
    here, names = droplet_of(site), names_of(site.profile)
    (here.root / "run/systemd/system").rmdir()
    for cron in ("cron", "crond"):
        here.program(cron, "#!/bin/sh\n")
    assert not (await site.survey()).systemd
    check = await Verifier(site).check()
    assert check.state is CheckState.BLOCKED
    assert "cron" in check.remedy

    (here.root / "etc/cron.d").mkdir()
    await site.survey(again=True)
    step = Verifier(site)
    seen = await carried_out(site, step)
    assert names.cron in changed(seen)
    assert names.timer not in changed(seen)
    assert here.calls() == []
    assert names.verifier in text_at(names.cron)
    assert await state_of(step) is CheckState.DONE
    remove(names.cron)
    assert changed(await carried_out(site, step)) == [names.cron]
    await events(site, step.undo(newest_first(site)))
    assert not is_there(names.cron)


async def test_where_archiving_is_on_the_verifier_is_run_and_its_findings_are_told(
    sshd: SshServer, make_cluster: MakeCluster, tmp_path: Path
) -> None:
    cluster = make_cluster(start=False)
    cluster.configure(archive_mode="on", archive_command="/bin/true")
    cluster.start()
    async for site in site_on(sshd, cluster, tmp_path / "root", MemoryRecord()):
        cluster.sql("SELECT pg_switch_wal()")
        step = Verifier(site)
        seen = await carried_out(site, step)
        told = [event.text for event in seen if isinstance(event, Printed | Proved)]
        assert any("verifier works" in text or "nothing wrong" in text for text in told)
        assert not is_there(site.profile.paths.log), "looking leaves no alarm"
        cluster.stop()
        with pytest.raises(ProvisionError, match="cannot ask PostgreSQL"):
            await events(site, step.verify())
        assert site.record.changes()[-1].kind is ChangeKind.SCHEDULE
