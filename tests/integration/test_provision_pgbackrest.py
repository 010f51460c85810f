"""pgBackRest as the engine: from nothing to green, cut short, restored, undone; on real servers over TLS."""

import asyncio
import json
import os
import re
import secrets
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import walconsole
from tests.integration.provision_stage import Stage, staged
from tests.integration.recover_parts import observed, ran, text_of
from tests.integration.test_provision import outside
from tests.servers.fixtures import MakeCluster, MakeSshd, or_skip
from tests.servers.ports import wait_until
from tests.servers.programs import find_program
from tests.servers.reaper import Ward
from tests.servers.rgw import RadosGateway
from walconsole.config.writer import profile_as_toml
from walconsole.domain.profile import BackupSettings, BucketRole, Engine
from walconsole.domain.recovery.keep import Keep
from walconsole.domain.recovery.recover_plan import RecoveryWish
from walconsole.domain.recovery.recover_state import RecoveryPhase
from walconsole.domain.recovery.recover_target import RecoverTo, read_into, read_target
from walconsole.droplet.choices import BackupChoices, DrillChoices
from walconsole.droplet.names import names_of
from walconsole.droplet.rendering import archive_command, pgbackrest_call
from walconsole.errors import BlockedError, ProvisionError
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import ChangeKind, CheckState, Progress, Proved, Ran
from walconsole.provision.engine.model import Stage as At
from walconsole.provision.engine.runner import Runner
from walconsole.provision.engine.site import Site
from walconsole.provision.fixes.catalogue import undoable
from walconsole.provision.recovering.catalogue import onwards, to_the_pause
from walconsole.provision.recovering.recovery import Recovery
from walconsole.provision.steps.catalogue import backup_steps, drill_steps, steps
from walconsole.provision.steps.repositories import Repositories
from walconsole.provision.steps.stanza import Stanza

pytestmark = [pytest.mark.server, pytest.mark.timeout(600), pytest.mark.long]

STEPS = {
    "temporary-key", "buckets", "delete-temporary-key", "grants", "write-probe", "repositories", "stanza",
    "drop-in", "restart", "proof", "backup-command", "backup-schedule", "first-backup",
}  # fmt: skip
"""What changes something on a droplet where pgBackRest is installed already."""
SOURCES = {"PYTHONPATH": str(Path(walconsole.__file__).parents[1])}


@pytest.fixture
async def stage(
    make_cluster: MakeCluster, make_sshd: MakeSshd, rgw: RadosGateway, rgw_dr: RadosGateway
) -> AsyncIterator[Stage]:
    or_skip(lambda: find_program("pgbackrest", server="pgBackRest", package="pgbackrest"))
    name = f"eng{secrets.token_hex(2)}"  # short: in the path of a drill's socket
    async with staged(make_cluster(), make_sshd, rgw, rgw_dr, name, secure=True) as made:
        chosen(made, engine=Engine.PGBACKREST)
        yield made


def chosen(stage: Stage, **values: object) -> None:
    """As if the profile said so."""
    stage.profile = stage.site.profile = replace(stage.profile, **values)  # type: ignore[arg-type]


async def run(stage: Stage) -> set[str]:
    """Run all steps; those that changed something."""
    runner = stage.runner()
    await runner.run()
    assert runner.done
    return {step for step, at in runner.stages.items() if at is At.CHANGED}


def told(stage: Stage) -> list[str]:
    return [f"{news.step}: {news.check.summary}" for news in stage.told if news.check is not None]


def proofs(stage: Stage) -> list[str]:
    return [news.event.text for news in stage.told if isinstance(news.event, Proved)]


def backups(stage: Stage) -> dict[BucketRole, set[str]]:
    """The labels of which a manifest lies in each copy."""
    place = f"backup/{stage.profile.name}/"
    return {
        role: {
            key.split("/")[2]
            for key in stage.objects(role)
            if key.startswith(place) and key.endswith("/backup.manifest")
        }
        for role in BucketRole
    }


def files(stage: Stage) -> list[Path]:
    """What the steps install, as far as it is there."""
    names = names_of(stage.profile)
    dropin = stage.cluster.config_dir / "conf.d" / stage.profile.paths.dropin
    paths = (names.pgbackrest_config, names.authorities, names.backup, names.backup_cron, dropin)
    return [Path(path) for path in paths if Path(path).exists()]


async def checked(stage: Stage, home: Path) -> tuple[int, dict[str, Any]]:
    """`walconsole check --json`, by another process, from a configuration file."""
    config = home / "config.toml"
    config.write_text(profile_as_toml(stage.profile, "droplet"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "walconsole", "check", "droplet", "--json", "--timeout", "60",
        "--config", str(config), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env={"HOME": str(home), "PATH": os.environ["PATH"]} | SOURCES,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 90)
    assert out, err.decode()
    return process.returncode or 0, json.loads(out)


async def test_from_nothing_to_green_and_again_and_restored(stage: Stage, tmp_path: Path) -> None:
    stage.cluster.sql("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
    assert await run(stage) == STEPS
    assert stage.cluster.sql("SHOW archive_command") == [(archive_command(stage.profile),)]
    for role in BucketRole:
        bucket = stage.target(role).bucket
        assert any(f"in {bucket} " in text and "byte by byte" in text for text in proofs(stage))
        assert any(f"is complete in {bucket} " in text for text in proofs(stage))
        assert len(backups(stage)[role]) == 1
    assert_the_limited_keys_are_in_it(stage)
    assert stage.app_key.secret not in str(stage.told) + str(stage.gate.asked)
    assert {key.name for key in stage.keys} == {stage.app_key.name, stage.dr_key.name}

    before, asked = outside(stage), len(stage.gate.asked)
    assert await run(stage) == set()
    assert len(stage.gate.asked) == asked
    after = outside(stage)
    assert {name: after[name] for name in before if name != "objects"} == {
        name: seen for name, seen in before.items() if name != "objects"
    }

    code, document = await checked(stage, tmp_path)
    assert (code, document["level"]) == (0, "ok"), document
    assert "restorable to any moment since" in document["verdict"]
    await one_more_is_taken_when_it_is_asked_for(stage)
    await a_drill_restores_it_by_pgbackrest(stage)
    code, document = await checked(stage, tmp_path)
    assert "; proved " in document["verdict"], document
    assert document["drills"]["proved"]["restore_seconds"] > 0
    await each_thing_is_repaired_by_itself(stage)
    a_restore_from_the_other_copy_alone(stage)


def configuration(stage: Stage) -> Path:
    return Path(names_of(stage.profile).pgbackrest_config)


def assert_the_limited_keys_are_in_it(stage: Stage) -> None:
    text, status = configuration(stage).read_text(), configuration(stage).stat()
    assert f"repo1-s3-key-secret={stage.app_key.secret}\n" in text
    assert f"repo2-s3-key-secret={stage.dr_key.secret}\n" in text
    assert status.st_mode & 0o777 == 0o640
    if os.geteuid() == 0:
        assert (status.st_uid, configuration(stage).group()) == (0, stage.cluster.os_user)


async def one_more_is_taken_when_it_is_asked_for(stage: Stage) -> None:
    runner = Runner(stage.site, backup_steps(stage.site), stage.gate, stage.told.append)
    await runner.run()
    assert runner.stages == {"backup-command": At.DONE, "backup": At.CHANGED}
    assert [len(labels) for labels in backups(stage).values()] == [2, 2]


async def a_drill_restores_it_by_pgbackrest(stage: Stage) -> None:
    stage.site.drill = DrillChoices(poll_s=1, reserve_mib=64, nice=0)
    stage.told.clear()
    runner = Runner(stage.site, drill_steps(stage.site), stage.gate, stage.told.append)
    await runner.run()
    assert runner.stages == dict.fromkeys(("drill-command", "drill"), At.CHANGED), told(stage)
    assert any("was restored" in text for text in proofs(stage))


async def each_thing_is_repaired_by_itself(stage: Stage) -> None:
    def another_secret() -> None:
        text = configuration(stage).read_text()
        configuration(stage).write_text(text.replace(stage.app_key.secret, "another"))

    def for_everybody() -> None:
        configuration(stage).chmod(0o644)

    def another_rule() -> None:
        chosen(stage, keep=Keep(full=7))

    def no_script() -> None:
        Path(names_of(stage.profile).backup).unlink()

    spoiled = {another_secret: "repositories", for_everybody: "repositories", another_rule: "repositories"}
    for spoil, step in (spoiled | {no_script: "backup-command"}).items():
        spoil()
        assert (spoil.__name__, await run(stage)) == (spoil.__name__, {step})
        assert_the_limited_keys_are_in_it(stage)
    gone = next(iter(backups(stage)[BucketRole.DR]))
    place = f"backup/{stage.profile.name}/"
    client, bucket = stage.gateways[BucketRole.DR].client(), stage.profile.dr.bucket
    for label in backups(stage)[BucketRole.DR]:
        client.delete_object(Bucket=bucket, Key=f"{place}{label}/backup.manifest")
    assert gone not in backups(stage)[BucketRole.DR]
    assert await run(stage) == {"first-backup"}


def a_restore_from_the_other_copy_alone(stage: Stage) -> None:
    """docs/provisioning.md: the server is dead, its data are gone, and the primary bucket is not asked."""
    stage.cluster.sql("INSERT INTO kept SELECT generate_series(1001, 1500)")
    name = str(stage.cluster.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")[0][0])
    stage.cluster.sql("SELECT pg_switch_wal()")
    archived = "SELECT last_archived_wal >= %s FROM pg_stat_archiver"
    wait_until(lambda: bool(stage.cluster.sql(archived, name)[0][0]), "the last segment is archived")
    stage.cluster.kill()
    stage.cluster.run(["find", str(stage.cluster.data_dir), "-mindepth", "1", "-delete"])
    stage.cluster.run(["sh", "-c", f"{pgbackrest_call(stage.profile)} --repo=2 restore"])
    stage.cluster.start()
    wait_until(lambda: stage.cluster.sql("SELECT pg_is_in_recovery()") == [(False,)], "it is promoted")
    assert stage.cluster.sql("SELECT count(*), max(number) FROM kept") == [(1500, 1500)]


async def test_a_recovery_into_a_new_place_archives_from_there(stage: Stage) -> None:
    """`walconsole recover --into /PATH`, by the configuration of which nobody told it."""
    server = stage.cluster
    server.sql("CREATE TABLE kept AS SELECT generate_series(1, 1500) AS number")
    await run(stage)
    observed(stage)
    had = backups(stage)
    server.sql("INSERT INTO kept VALUES (2000)")
    lsn = text_of(server, "SELECT pg_current_wal_insert_lsn()")
    server.sql("DROP TABLE kept")
    folder = server.data_dir.with_name(f"{server.data_dir.name}-elsewhere")
    server.workspace.reaper.take(Ward("pidfile", str(folder / "postmaster.pid")))
    target = read_target(RecoverTo.LSN, lsn)
    recovery = Recovery(stage.site, RecoveryWish(target, read_into(str(folder)), tables=("kept",)))
    assert "    1501" in await ran(stage, to_the_pause(recovery))
    state = await recovery.state()
    assert state.pgbackrest == f"--config={configuration(stage)} --stanza={stage.profile.name}"
    await ran(stage, onwards(recovery, state))
    state = await recovery.state()
    assert (state.phase, state.tree) == (RecoveryPhase.DONE, str(folder))
    assert f"\npg1-path={folder}\npg1-port={server.port}\n" in configuration(stage).read_text()
    assert_the_limited_keys_are_in_it(stage)
    for role in BucketRole:
        assert any(key.endswith("/00000002.history") for key in stage.objects(role)), role
        assert len(backups(stage)[role] - had[role]) == 1, role


async def test_the_whole_plan_is_told_where_nothing_is_there_yet(stage: Stage) -> None:
    """Not even the program: the first step of pgBackRest's would install it."""
    real = stage.site.look

    async def without_pgbackrest(site: Site) -> Survey:
        survey = await real(site)
        there = {name: place for name, place in survey.tools.items() if name != "pgbackrest"}
        return replace(survey, tools=there | {"apt-get": "/usr/bin/apt-get"})

    stage.site.look = without_pgbackrest
    runner = stage.runner()
    await runner.check_all()
    assert At.BLOCKED not in runner.stages.values(), told(stage)
    planned = {news.step for news in stage.told if news.plan is not None}
    assert planned >= {"pgbackrest", "repositories", "stanza", "drop-in", "backup-command", "first-backup"}
    assert files(stage) == []


async def test_undo_leaves_nothing_on_the_host(stage: Stage) -> None:
    await run(stage)
    objects = {role: stage.objects(role) for role in BucketRole}
    assert len(files(stage)) == 5
    runner = Runner(stage.site, undoable(stage.site), stage.gate, stage.told.append)
    await runner.undo()
    assert files(stage) == []
    assert stage.dr_key.grants == ()
    stage.cluster.restart()
    assert stage.cluster.sql("SHOW archive_mode") == [("off",)]
    assert all(stage.objects(role) >= objects[role] for role in BucketRole)
    assert {change.kind for change in stage.site.record.changes()} <= {ChangeKind.BUCKET, ChangeKind.RESTART}
    assert stage.app_key.secret not in str(stage.told) + str(stage.gate.asked)


async def test_a_death_in_the_middle_of_any_step_is_made_good_by_the_next_run(stage: Stage) -> None:
    """The console dies as each command begins, then pgBackRest and the script in the middle of a backup."""
    for step in ("repositories", "stanza", "drop-in", "proof", "backup-command"):
        await dies_in(stage, step)
    running = asyncio.create_task(stage.runner().run())
    script = names_of(stage.profile).backup
    backup = f"--stanza={stage.profile.name}.* backup"
    await asyncio.to_thread(wait_until, lambda: bool(processes(backup)), "a backup is begun")
    for pid in (*processes(f"/bin/sh {script}"), *processes(backup)):
        os.kill(int(pid), 9)
    with pytest.raises(ProvisionError):
        await asyncio.wait_for(running, 90)
    assert "first-backup" in await run(stage)
    assert all(backups(stage).values())
    assert await run(stage) == set()


def processes(pattern: str) -> list[str]:
    """The processes whose command line matches."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = place.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if re.search(pattern, line):
            found.append(place.parts[2])
    return found


async def dies_in(stage: Stage, step: str) -> None:
    """Cancelled as that step's first command begins: nothing of it is finished by this run."""
    begun = asyncio.Event()

    def told(progress: Progress) -> None:
        if progress.step == step and progress.stage is At.APPLYING and isinstance(progress.event, Ran):
            begun.set()

    runner = Runner(stage.site, steps(stage.site), stage.gate, told)
    running = asyncio.create_task(runner.run())
    await asyncio.wait_for(begun.wait(), 90)
    running.cancel()
    await asyncio.wait([running], timeout=30)
    assert running.cancelled(), step


async def test_a_configuration_of_somebody_else_s_is_replaced_only_when_its_name_is_typed(
    stage: Stage,
) -> None:
    def somebody_s() -> None:
        configuration(stage).write_text("[global]\nrepo1-path=/srv\nrepo1-cipher-pass=hush\n")

    somebody_s()
    step = Repositories(stage.site)
    assert (await step.check()).state is CheckState.NEEDED
    plan = await step.plan()
    assert plan.confirm == configuration(stage).name
    assert "hush" not in str(plan)
    assert "+repo2-s3-key-secret=(secret_access_key of [spaces-dr] in" in "\n".join(plan.files[-1].diff())
    await Runner(stage.site, (step,), stage.gate, stage.told.append).run()
    assert_the_limited_keys_are_in_it(stage)
    assert (await step.plan()).confirm == ""
    await Runner(stage.site, (Repositories(stage.site),), stage.gate, stage.told.append).undo()
    assert "repo1-cipher-pass=hush" in "".join(path.read_text() for path in files(stage))


async def test_there_are_never_two_at_once(stage: Stage) -> None:
    stage.cluster.configure(archive_mode="on", archive_command="cp %p /dev/null")
    stage.cluster.restart()
    with pytest.raises(BlockedError, match="cp archives this server already: there are never two at once"):
        await stage.runner().run()
    assert stage.gate.asked == []
    assert files(stage) == []
    other = "pgbackrest --stanza=main archive-push %p"
    stage.cluster.configure(archive_mode="on", archive_command=other)
    stage.cluster.reload()
    await stage.site.survey(again=True)
    check = await Stanza(stage.site).check()
    assert check.state is CheckState.BLOCKED
    assert "pgBackRest by a configuration that is not this console's" in check.summary
    assert "walconsole undo" in check.remedy


async def test_incremental_ones_follow_a_full_one_and_a_broken_repository_is_named(stage: Stage) -> None:
    chosen(stage, backups=BackupSettings(incremental=1))
    stage.site.backup = BackupChoices.for_profile(stage.profile)
    await run(stage)
    script = names_of(stage.profile).backup
    for _ in range(2):
        await asyncio.to_thread(stage.cluster.run, [script, "--fast", "--in-turn"])
    for labels in backups(stage).values():
        assert [label[-1] if "_" in label else "F" for label in sorted(labels)] == ["F", "I", "F"]
    place, client = f"backup/{stage.profile.name}/", stage.gateways[BucketRole.DR].client()
    for name in ("backup.info", "backup.info.copy"):
        client.delete_object(Bucket=stage.profile.dr.bucket, Key=f"{place}{name}")
    runner = Runner(stage.site, backup_steps(stage.site), stage.gate, stage.told.append)
    with pytest.raises(ProvisionError, match=f"complete; not in {stage.profile.dr.bucket}") as failed:
        await runner.run()
    assert "backup.info cannot be opened" in failed.value.why
    assert [len(labels) for labels in backups(stage).values()] == [4, 3]
