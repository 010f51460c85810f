"""A survey of a real host: sshd, a Debian cluster, the distribution's rclone."""

import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from tests.data.provisioning import a_site
from tests.integration.observed import connected, profile_of
from tests.servers.fixtures import MakeSshd, or_skip
from tests.servers.postgres_debian import DebianCluster
from tests.servers.programs import find_program
from tests.servers.sshd import SshServer
from walconsole.domain.profile import ClusterName, PostgresTarget, Profile
from walconsole.droplet.filling import template
from walconsole.provision.droplet.surveying import take_survey
from walconsole.provision.engine.site import Site

pytestmark = pytest.mark.server

SECRET = "canary-of-the-survey-0123456789"
CONFIG = f"""\
# the production remotes
[spaces-prod]
type = s3
provider = DigitalOcean
access_key_id = DO00PRIMARY
secret_access_key = {SECRET}
endpoint = nyc3.digitaloceanspaces.com
region = us-east-1

[spaces-dr]
type = s3
secret_access_key={SECRET}
env_auth = true
"""


@asynccontextmanager
async def surveyed(profile: Profile) -> AsyncIterator[Site]:
    async with connected(profile) as parts:
        yield a_site(profile, parts.shell, take_survey)


def with_config(profile: Profile, path: Path, text: str, mode: int = 0o644) -> Profile:
    path.write_text(text)
    path.chmod(mode)
    return replace(profile, paths=replace(profile.paths, rclone_config=str(path)))


async def test_what_a_running_cluster_and_its_host_are(
    sshd: SshServer, debian_cluster: DebianCluster
) -> None:
    profile = with_config(profile_of(sshd, debian_cluster), sshd.folder / "rclone-observed.conf", CONFIG)
    async with surveyed(profile) as site:
        survey = await site.survey()
        assert await site.survey() is survey
    assert survey.login == sshd.user
    assert survey.root == (os.geteuid() == 0)
    assert {"timeout", "rclone", "psql", "gzip"} <= survey.tools.keys()
    assert survey.tools["psql"].startswith("/")
    assert survey.cluster is not None
    assert survey.cluster.port == debian_cluster.port
    assert survey.conf_d == str(debian_cluster.config_dir / "conf.d")
    assert survey.server_problem == ""
    assert survey.server is not None
    assert survey.server.version_num // 10000 == int(debian_cluster.debian_version)
    assert not survey.server.in_recovery
    assert survey.server.segment_bytes == 16 * 1024 * 1024
    assert survey.server.timeline == 1
    assert survey.server.system_identifier.isdigit()
    assert survey.server.config_file == str(debian_cluster.config_dir / "postgresql.conf")
    assert survey.server.settings["archive_mode"] == "off"
    assert survey.server.settings["wal_level"] == "replica"
    assert abs(survey.server.started_at - survey.taken_at) < 3600
    assert survey.clock_offset_s is not None
    assert abs(survey.clock_offset_s) < 2
    assert all(free > 0 for free in survey.free_bytes.values())
    assert str(debian_cluster.data_dir / "pg_wal") in survey.free_bytes
    assert site.choices.temp_root in survey.free_bytes
    assert survey.rclone.version is not None
    assert survey.rclone.version >= (1, 53, 0)


async def test_of_the_rclone_configuration_no_secret_travels(
    sshd: SshServer, debian_cluster: DebianCluster
) -> None:
    profile = with_config(profile_of(sshd, debian_cluster), sshd.folder / "rclone-secret.conf", CONFIG)
    async with connected(profile) as parts:
        seen: list[bytes] = []
        run = parts.shell.run

        async def watched(script: str, *, timeout_s: float = 5.0) -> object:
            answer = await run(script, timeout_s=timeout_s)
            seen.append(answer.stdout)
            return answer

        parts.shell.run = watched  # type: ignore[method-assign, assignment]  # listens in on the wire
        survey = await take_survey(a_site(profile, parts.shell, take_survey))
    rclone = survey.rclone
    assert len(seen) in (3, 4)  # the host twice, where more than eight clusters run on it
    assert not any(SECRET.encode() in answer for answer in seen)
    assert SECRET not in repr(survey)
    primary, dr = rclone.remote("spaces-prod"), rclone.remote("spaces-dr")
    assert primary is not None
    assert dr is not None
    assert (primary.kind, primary.access_key, primary.provider) == ("s3", "DO00PRIMARY", "DigitalOcean")
    assert (primary.endpoint, primary.region) == ("nyc3.digitaloceanspaces.com", "us-east-1")
    assert (dr.access_key, dr.env_auth) == ("", True)
    assert (rclone.exists, rclone.mode, rclone.problem) == (True, 0o644, "")


@pytest.mark.parametrize(
    ("text", "mode", "problem"),
    [
        ("# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nabcdef==\n", 0o644, "encrypted"),
        ("# nothing yet\n", 0o644, "no section"),
        (CONFIG, 0o000, "may not read it"),
        (None, 0, "not there"),
    ],
)
async def test_why_the_rclone_configuration_cannot_be_used(
    sshd: SshServer, debian_cluster: DebianCluster, text: str | None, mode: int, problem: str
) -> None:
    path = sshd.folder / f"rclone-{problem.replace(' ', '-')}.conf"
    profile = with_config(profile_of(sshd, debian_cluster), path, text or "", mode)
    if text is None:
        path.unlink()
    async with surveyed(profile) as site:
        rclone = (await site.survey()).rclone
    assert problem in rclone.problem
    assert rclone.exists == (text is not None)
    assert rclone.readable == (text is not None and mode != 0)


async def test_a_server_that_refuses_and_what_its_files_say(
    make_sshd: MakeSshd, debian_cluster: DebianCluster
) -> None:
    sshd = make_sshd({"SetEnv": f"PG_CLUSTER_CONF_ROOT={debian_cluster.conf_root}"})
    dropin = debian_cluster.config_dir / "conf.d" / "50_other.conf"
    profile = profile_of(sshd, debian_cluster)
    wrong = replace(profile, postgres=replace(profile.postgres, user="nobody-of-that-name"))
    dropin.write_text("archive_command = 'pgbackrest --stanza=main archive-push %p'\n")
    try:
        async with surveyed(wrong) as site:
            survey = await site.survey()
    finally:
        dropin.unlink()
    assert survey.server is None
    assert "nobody-of-that-name" in survey.server_problem
    configured = survey.configured["archive_command"]
    assert configured.value == "pgbackrest --stanza=main archive-push %p"
    assert configured.where == f"{dropin}:1"
    assert json.dumps(dict(survey.environment)) == "{}"


async def test_a_cluster_that_is_not_there(sshd: SshServer, debian_cluster: DebianCluster) -> None:
    profile = profile_of(sshd, debian_cluster)
    gone = PostgresTarget(cluster=ClusterName("99", "gone"), os_user=profile.postgres.os_user)
    async with surveyed(replace(profile, postgres=gone)) as site:
        survey = await site.survey()
    assert (survey.cluster, survey.server, survey.conf_d, survey.unit) == (None, None, None, "")
    assert "99/gone" in survey.server_problem
    assert survey.hostname != "n/a"
    assert survey.tools["psql"]


ODD = (
    "\ufeff[spaces-prod]\r\ntype=s3\r\n; access_key_id = COMMENTED\r\n  ACCESS_KEY_ID\t=  DO00ODD  \r\n"
    f"secret_access_key = {SECRET}\r\n[ spaces-dr ]\r\ntype = s3\r\naccess_key_id = DO\x1b[31m\x0100\r\n"
    f"[{SECRET}\r\n{SECRET}]\r\nendpoint{SECRET}\r\nprovider_{SECRET} = x\r\n[spaces-prod]\r\nregion = fra1"
)


async def test_an_odd_configuration_is_read_as_rclone_would(
    sshd: SshServer, debian_cluster: DebianCluster
) -> None:
    profile = with_config(profile_of(sshd, debian_cluster), sshd.folder / "rclone-odd.conf", ODD)
    async with surveyed(profile) as site:
        survey = await site.survey()
    assert SECRET not in repr(survey)
    assert [(one.name, one.access_key, one.region) for one in survey.rclone.remotes] == [
        ("spaces-prod", "DO00ODD", "fra1"),
        ("spaces-dr", "DO[31m00", ""),
    ]


_STAND = f"READ='' WRITE='' TAKE='' CHANGE='' most=''\n{template('stand.sh')}"
GIVEN = {
    "survey.sh": "part='' path='' config='' root='' pid='' folders='' ask_region='' psql=''\n",
    "reach.sh": "scheme='' host='' port=''\n",
    "other_host.sh": "user='' path='' major='' needed='' own=''\n",
    "files.sh": _STAND,
    "restart.sh": "".join(
        f"{name}() {{ :; }}\n"
        for name in ("restart_server", "start_server", "alive", "log_size", "log_from", "keep", "take_out")
    )
    + "put_back() { :; }\nfolder='' shown='' dropin='' kept='' patience=''\n",
    "pgbackrest.sh": "template='' keys='' path='' user=''\nrefuse() { exit 4; }\n"
    "read_out() { :; }\nput_in() { :; }\n",
    **{f"keeper_{name}.sh": "" for name in ("read", "write", "take", "change")},
}


@pytest.mark.parametrize("name", GIVEN)
def test_shellcheck_has_nothing_to_say_of_the_script(name: str) -> None:
    program = or_skip(lambda: find_program("shellcheck", server="shellcheck", package="shellcheck"))
    script = GIVEN[name] + files("walconsole.provision.scripts").joinpath(name).read_text("ascii")
    argv = [str(program), "--shell=sh", "--exclude=SC2016", "-"]  # what no shell expands is meant so
    checked = subprocess.run(argv, input=script, capture_output=True, text=True, check=False)
    assert checked.stdout == ""


async def test_an_operating_system_user_that_is_not_there(
    sshd: SshServer, debian_cluster: DebianCluster
) -> None:
    profile = profile_of(sshd, debian_cluster)
    profile = replace(profile, postgres=replace(profile.postgres, os_user="nobody-at-all"))
    async with surveyed(profile) as site:
        survey = await site.survey()
    assert survey.server is None
    assert "nobody-at-all" in survey.server_problem
    assert survey.tools["psql"]
