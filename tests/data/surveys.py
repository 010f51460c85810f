"""A survey of a droplet where nothing is wrong, for tests that make one thing so."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from walconsole.domain.facts.host import ClusterFacts
from walconsole.domain.facts.observed import LinkFacts
from walconsole.domain.profile import (
    ApiTarget,
    BucketRole,
    ClusterName,
    PostgresTarget,
    Profile,
    SshTarget,
    default_bucket,
    default_paths,
)
from walconsole.domain.round_trips import ShellAnswer
from walconsole.provision.droplet.survey import RcloneFacts, RemoteFacts, ServerSurvey, Survey

NAME = "shithub"
SYSTEM = "7400000000000000001"
CONFIG = f"/etc/rclone-{NAME}.conf"
PROFILE = Profile(
    name=NAME,
    ssh=SshTarget("droplet"),
    sudo=False,
    postgres=PostgresTarget(),
    primary=default_bucket(BucketRole.PRIMARY, NAME, "nyc3"),
    dr=default_bucket(BucketRole.DR, NAME, "sfo3"),
    paths=default_paths(NAME),
    api=ApiTarget(),
)
CLUSTER = ClusterFacts(
    ClusterName("15", "main"),
    5432,
    "/var/run/postgresql",
    "/var/lib/postgresql/15/main",
    "/etc/postgresql/15/main/postgresql.conf",
    running=True,
    owner="postgres",
)
SERVER = ServerSurvey(
    version_num=150018,
    in_recovery=False,
    system_identifier=SYSTEM,
    segment_bytes=16 * 1024 * 1024,
    timeline=1,
    config_file="/etc/postgresql/15/main/postgresql.conf",
    data_directory=CLUSTER.data_directory,
    started_at=1_800_000_000.0,
    settings={"archive_mode": "off", "archive_command": "(disabled)", "wal_level": "replica"},
)


def a_remote(name: str, access_key: str, region: str) -> RemoteFacts:
    """A section as the runbook has it."""
    return RemoteFacts(
        name, "s3", access_key, f"{region}.digitaloceanspaces.com", "us-east-1", "DigitalOcean"
    )


RCLONE = RcloneFacts(
    version=(1, 60, 1),
    config=CONFIG,
    exists=True,
    readable=True,
    owner="root",
    group="postgres",
    mode=0o640,
    remotes=(a_remote("spaces-prod", "DO00PRIMARY", "nyc3"), a_remote("spaces-dr", "DO00DR", "sfo3")),
)
TOOLS = ("rclone", "timeout", "zstd", "gzip", "psql", "perl", "flock", "systemctl", "logrotate")
SURVEY = Survey(
    taken_at=1_800_000_100.0,
    hostname="droplet",
    login="root",
    root=True,
    tools={name: f"/usr/bin/{name}" for name in TOOLS},
    systemd=True,
    cluster=CLUSTER,
    server=SERVER,
    server_problem="",
    conf_d="/etc/postgresql/15/main/conf.d",
    rclone=RCLONE,
    clock_offset_s=0.1,
    free_bytes={"/var/lib/postgresql/15/main/pg_wal": 20 * 1024**3, "/var/tmp": 20 * 1024**3},
    region="nyc3",
    unit="postgresql@15-main.service",
)


def without(survey: Survey, *programs: str) -> Survey:
    """The same droplet, these programs not installed."""
    return replace(survey, tools={name: path for name, path in survey.tools.items() if name not in programs})


def with_server(survey: Survey, **changed: Any) -> Survey:
    """The same droplet, its server otherwise."""
    assert survey.server is not None
    return replace(survey, server=replace(survey.server, **changed))


def with_rclone(survey: Survey, **changed: Any) -> Survey:
    """The same droplet, its rclone otherwise."""
    return replace(survey, rclone=replace(survey.rclone, **changed))


class NoShell:
    """ports.Shell of which nothing is asked."""

    async def run(self, script: str, *, timeout_s: float = 5.0) -> ShellAnswer:
        raise AssertionError(script)

    def stream(self, command: str) -> AsyncIterator[bytes]:
        raise AssertionError(command)

    async def link(self) -> LinkFacts:
        raise AssertionError

    def retry(self) -> None:
        raise AssertionError
