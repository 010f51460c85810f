"""Failure modes of restore drills: a deployment that archives, and on which a restore is tried for real."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from tests.integration.failure_stage import Watched, deployment, provisioned, watching
from tests.servers.rgw import RadosGateway
from tests.servers.s3 import S3Keys
from tests.servers.workspace import Workspace
from walconsole.domain.failures import Severity
from walconsole.domain.profile import BucketRole, DrillSettings
from walconsole.domain.standing.model import Level
from walconsole.droplet.choices import DrillChoices
from walconsole.droplet.names import names_of
from walconsole.provision.engine.model import Moving, Printed, Proved
from walconsole.provision.engine.model import Stage as At
from walconsole.provision.engine.runner import Runner
from walconsole.provision.steps.catalogue import drill_steps

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("_table"),
    pytest.mark.long,
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def drilled(workspace: Workspace, rgw: RadosGateway, rgw_dr: RadosGateway) -> AsyncIterator[Watched]:
    """Set up by the console itself, with a profile that wants drills; none was made yet."""
    async with deployment(workspace, rgw, rgw_dr, "drilled") as stage:
        await provisioned(stage)
        stage.profile = replace(stage.profile, drills=DrillSettings(every_days=7))
        stage.site.profile = stage.profile
        stage.site.drill = DrillChoices.for_profile(stage.profile)
        async with watching(stage) as watched:
            yield watched


async def says(console: Watched, level: Level, text: str) -> None:
    def does() -> bool:
        verdict = console.diagnosis().verdict
        return verdict.level is level and text in verdict.text

    await console.until(does, f"{level}: {text}", 15)


async def drill(console: Watched, *, fails: bool = False) -> None:
    """By the installed script, as its schedule would; the console looks."""
    program = names_of(console.stage.profile).drill
    if fails:
        with pytest.raises(RuntimeError, match="FAILED"):
            await asyncio.to_thread(console.cluster.run, [program])
    else:
        await asyncio.to_thread(console.cluster.run, [program])
    console.observer.refresh()


def newest(console: Watched) -> str:
    keys = console.stage.objects(BucketRole.PRIMARY)
    return max(key for key in keys if "walconsole/drills/" in key)


@pytest.mark.failure_mode("drill-stale")
async def test_without_a_good_drill_for_long_nothing_is_proved(drilled: Watched) -> None:
    story = await drilled.root("drill-stale", within_s=30)
    assert story.severity is Severity.WARNING
    assert "no restore was ever proved" in story.root.title

    stage = drilled.stage
    runner = Runner(stage.site, drill_steps(stage.site), stage.gate, stage.told.append)
    stage.told.clear()
    await runner.run()
    assert runner.done
    assert runner.stages == dict.fromkeys(("drill-command", "drill-schedule", "drill"), At.CHANGED)
    events = [news.event for news in stage.told]
    proved = [each.text for each in events if isinstance(each, Proved)]
    for role in BucketRole:
        assert any(text.endswith(f"so it stands in {stage.target(role).bucket}") for text in proved)
    assert any(isinstance(each, Moving) for each in events)
    assert any("segments replayed" in each.text for each in events if isinstance(each, Printed))
    drilled.observer.refresh()
    await drilled.green("a good drill")
    await says(drilled, Level.OK, "; proved ")

    def age(text: str) -> str:
        then = [datetime.now(UTC) - timedelta(days=9, minutes=minutes) for minutes in (9, 5)]
        began, ended = (f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in then)
        return json.dumps({**json.loads(text), "began": began, "ended": ended})

    with drilled.broken("the newest good restore drill nine days old"):
        drilled.rewrite(newest(drilled), age)
        state = names_of(stage.profile).drill_state  # which remembers it, too
        drilled.cluster.run(["rm", f"{state}/last.json", f"{state}/proved"])
        drilled.observer.refresh()
        story = await drilled.root("drill-stale", within_s=15)
        assert "the last restore that was proved is 9 d old" in story.root.title
    await drill(drilled)
    await drilled.green("another drill")


@pytest.mark.failure_mode("drill-failed")
async def test_a_backup_that_nobody_sees_to_be_damaged_fails_its_drill(drilled: Watched) -> None:
    """Its object has the size that it should have: only who reads it to its end can tell."""
    key = f"base/{drilled.back_up()}/base.tar.zst"
    with drilled.broken("a byte of the newest base backup changed"):
        for role in BucketRole:
            gateway, bucket = drilled.stage.gateways[role], drilled.stage.target(role).bucket
            client, key_of = gateway.client(), drilled.stage.app_key
            key_of = key_of if role is BucketRole.PRIMARY else drilled.stage.dr_key
            keys = S3Keys(f"spaces-{key_of.access_key}", key_of.access_key, key_of.secret)
            body = gateway.client(keys).get_object(Bucket=bucket, Key=key)["Body"].read()
            at = len(body) // 2
            client.put_object(Bucket=bucket, Key=key, Body=body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
        await drill(drilled, fails=True)
        story = await drilled.root("drill-failed", evidence="damaged-object", within_s=15)
        assert story.severity is Severity.CRITICAL
        assert key in story.root.title
        await says(drilled, Level.CRITICAL, "the restore drill FAILED: an object is damaged")
    drilled.back_up()
    await drill(drilled)
    await drilled.green("a base backup, and a drill of it")
    await says(drilled, Level.OK, "; proved ")
