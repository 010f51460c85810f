"""The rendered scripts are plain POSIX sh without a finding of shellcheck, whatever the profile holds."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers.fixtures import or_skip
from tests.servers.programs import find_program
from tests.unit.test_droplet_rendering import a_profile
from walconsole.domain.archive.expected_page import ExpectedPage
from walconsole.domain.archivers.own_restore import own_restore
from walconsole.domain.profile import ClusterName, Engine, PostgresTarget, Profile
from walconsole.domain.wal import Segment
from walconsole.droplet.choices import BackupChoices, DrillChoices, DropletChoices
from walconsole.droplet.files import (
    Schedule,
    backup_files,
    command_files,
    drill_files,
    recover_file,
    verifier_files,
)
from walconsole.droplet.one_time import (
    MendSource,
    MendTarget,
    MomentWish,
    mend_script,
    moment_script,
    names_script,
    probe_script,
    seconds_script,
    verbs_script,
)
from walconsole.droplet.rendering import pgbackrest_backup_script

pytestmark = pytest.mark.server

SEGMENTS = ("000000010000000000000001", "000000010000000000000002")
WISH = MomentWish(
    SEGMENTS,
    ((1, "0/1000000", "0/3000000"),),
    1 << 24,
    1 << 26,
    0,
    15,
    ("/it's $HOME/bin", "/usr/bin"),
    "mark",
)
PAGE = ExpectedPage(Segment(2, 5), 16 << 20, "7711950568243775658", (1,), 15)
SOURCES = [
    MendSource("remote:bucket/$(id)/", "000000020000000000000005.gz", in_copy=True),
    MendSource("/it's `id`", "000000020000000000000005", in_copy=False),
]


def awkward() -> Profile:
    """Nothing in it can be taken by a shell as it stands."""
    profile = a_profile()
    odd = 'it\'s "$HOME" `id` \\ ; & % é'
    return replace(
        profile,
        postgres=PostgresTarget(cluster=ClusterName("15", "main"), socket_dir=f"/{odd}", database=odd),
        primary=replace(profile.primary, prefix=f"{odd}/"),
        paths=replace(profile.paths, rclone_config=f"/{odd}", log=f"/{odd}", journal_tag=odd),
    )


OTHERS = (
    "pgbackrest '--stanza=it is' archive-push %p",
    "env A='b c' /opt/bin/barman-cloud-wal-archive s3://x/y 'my server' %p",
)


@pytest.mark.parametrize(
    ("profile", "to_dr"),
    [
        pytest.param(awkward(), True, id="awkward-both"),
        pytest.param(a_profile(), False, id="ordinary-primary", marks=pytest.mark.long),
        pytest.param(awkward(), False, id="awkward-primary", marks=pytest.mark.long),
        pytest.param(a_profile(), True, id="ordinary-both", marks=pytest.mark.long),
    ],
)
def test_shellcheck_has_nothing_to_say(tmp_path: Path, profile: Profile, to_dr: bool) -> None:
    """Eight seconds of a processor each: every kind of script, and every odd name, is in the first."""
    program = or_skip(lambda: find_program("shellcheck", server="shellcheck", package="shellcheck"))
    choices = DropletChoices(to_dr=to_dr)
    files = (
        *command_files(profile, choices),
        verifier_files(profile, choices, Schedule.CRON)[0],
        backup_files(profile, choices, BackupChoices(recipients="/it's $HOME"), Schedule.CRON)[0],
        recover_file(profile, choices, DrillChoices()),
        drill_files(
            profile, choices, DrillChoices(folder="/it's $HOME", queries=("SELECT '`id`'",)), Schedule.CRON
        )[0],
        *(
            drill_files(profile, choices, DrillChoices(), Schedule.CRON, own_restore(command))[0]
            for command in OTHERS
        ),
    )
    other = replace(profile, engine=Engine.PGBACKREST)
    scripts = [tmp_path / "by-pgbackrest"]
    scripts[0].write_text(pgbackrest_backup_script(other, choices, BackupChoices()))
    for number, file in enumerate(files):
        scripts.append(tmp_path / f"{number}-{Path(file.path).name}")
        scripts[-1].write_text(file.text)
    asked = (
        probe_script(profile, choices, profile.primary, "object"),
        verbs_script(profile, choices, "remote:bucket/it's/", "/etc/it's.conf", "object"),
        moment_script(profile, choices, WISH),
        names_script(profile, choices, "SELECT 1", {5: (16384, 16385)}),
        seconds_script(
            profile,
            choices,
            ("remote:bucket/it's/", "other:bucket/"),
            "/etc/it's.conf",
            wal="/it's/pg_wal/0",
            name="object",
            packs=True,
            limit_s=60,
        ),
        mend_script(profile, choices, PAGE, SOURCES, [MendTarget("dr", "remote:bucket/it's/", ".zst")]),
    )
    for number, text in enumerate(asked):
        scripts.append(tmp_path / f"asked-{number}")
        scripts[-1].write_text(text)
    command = [
        str(program),
        "--shell=sh",
        "--exclude=SC2016",
        *map(str, scripts),
    ]  # what no shell expands is meant so
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    for script in scripts:
        assert subprocess.run(["/bin/sh", "-n", script], check=False).returncode == 0
