"""Each practice scenario shows its failure mode as the root cause, by the console's own check."""

import asyncio
import os
import time

import pytest

from tests.integration.sandbox_child import Child, sandbox
from tests.long import always
from walconsole.domain.failures import Diagnosis, Severity, diagnose
from walconsole.operator_files.kept import for_this_session
from walconsole.process.clock import SystemClock
from walconsole.sandbox.scenarios.scenario import PRACTICE
from walconsole.session.one_look import look_once

pytestmark = [pytest.mark.server, pytest.mark.timeout(120)]
LATER = {"command-hangs": 45.0, "slot-retention": 30.0}
"""Seconds until it shows: a command must have hung for a while, a checkpoint must have come."""

NO_OTHER_TEST_BRINGS_ABOUT = ("backup-broken", "drill-fails", "no-backup", "silent-loss")
"""On a real server, in every run: but for the last, which stands for the rest."""


@pytest.mark.parametrize("name", always(*NO_OTHER_TEST_BRINGS_ABOUT, of=sorted(PRACTICE)))
async def test_the_failure_mode_is_the_root(name: str) -> None:
    rule = PRACTICE[name].finding or name
    async with sandbox("--scenario", name) as child:
        until = time.monotonic() + LATER.get(name, 12.0)
        while True:
            diagnosis = await looked(child)
            alarming = [story for story in diagnosis.stories if story.severity >= Severity.WARNING]
            if alarming and alarming[0].root.rule == rule:
                break
            assert time.monotonic() < until, [f"{s.root.rule}: {s.root.title}" for s in diagnosis.stories]
            await asyncio.sleep(1.0)
    assert alarming[0].root.proof


async def looked(child: Child) -> Diagnosis:
    clock = SystemClock()
    environment = {**os.environ, **child.environment}
    snapshot, _ = await look_once(child.profile, clock, environment, for_this_session(), 10.0)
    return diagnose(snapshot, clock.now())
