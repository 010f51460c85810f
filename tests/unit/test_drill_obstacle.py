"""What keeps a drill from being made before anything is installed: the key of encrypted base backups."""

import getpass
from dataclasses import replace
from pathlib import Path

import pytest

from tests.data.provisioning import a_site
from tests.data.surveys import PROFILE, SURVEY, with_server
from tests.servers.fixtures import or_skip
from tests.servers.programs import find_program
from tests.unit.test_rclone_hostile import LocalShell
from walconsole.droplet.choices import BackupChoices, DrillChoices
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import Check, CheckState
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.drill_command import drill_obstacle

MINE = replace(PROFILE, postgres=replace(PROFILE.postgres, os_user=getpass.getuser()))
WITH_AGE = replace(SURVEY, tools={**SURVEY.tools, "age": "/usr/bin/age"})


async def obstacle(recipients: str, identity: str, survey: Survey = WITH_AGE) -> Check | None:
    async def look(_: Site) -> Survey:
        return survey

    site = a_site(MINE, LocalShell(), look)
    site.backup, site.drill = BackupChoices(recipients=recipients), DrillChoices(identity=identity)
    return await drill_obstacle(survey, site)


async def test_what_is_encrypted_takes_a_key_that_the_profile_names(tmp_path: Path) -> None:
    or_skip(lambda: find_program("age", server="age", package="age"))
    assert await obstacle("", "") is None
    blocked = await obstacle("/etc/recipients", "")
    assert blocked is not None
    assert blocked.state is CheckState.BLOCKED
    assert "drills.identity" in blocked.remedy
    key = tmp_path / "it's a key"
    key.write_text("AGE-SECRET-KEY-1QQQ")
    key.chmod(0o600)
    assert await obstacle("/etc/recipients", str(key)) is None
    blocked = await obstacle("/etc/recipients", str(key), SURVEY)
    assert blocked is not None
    assert "no age" in blocked.summary


@pytest.mark.parametrize(("mode", "why"), [(0o644, "everybody may read it"), (None, "cannot read it")])
async def test_a_key_that_everybody_may_read_or_nobody_is_refused(
    tmp_path: Path, mode: int | None, why: str
) -> None:
    key = tmp_path / "key"
    if mode is not None:
        key.write_text("AGE-SECRET-KEY-1QQQ")
        key.chmod(mode)
    blocked = await obstacle("/etc/recipients", str(key))
    assert blocked is not None
    assert why in blocked.summary
    assert "QQQ" not in str(blocked)


async def test_beside_a_standby_a_drill_can_be_made() -> None:
    assert await obstacle("", "", with_server(WITH_AGE, in_recovery=True)) is None
