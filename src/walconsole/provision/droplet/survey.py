"""What is known of a droplet before anything is changed: one look, shared by all steps.

Pure: what scripts/survey.sh answered, read from its records, and which programs are missing without which the
installed scripts cannot work.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from walconsole.domain.facts.host import ClusterFacts
from walconsole.domain.records import record
from walconsole.domain.redaction import safe
from walconsole.observe.host.host_script import Group
from walconsole.provision.engine.model import Check, CheckState


@record
class RemoteFacts:
    """A section of the droplet's production rclone configuration: never its secret.

    `access_key` is the key's id, empty where the section has none: `env_auth` says that it is elsewhere.
    """

    name: str
    kind: str
    access_key: str
    endpoint: str
    region: str
    provider: str
    env_auth: bool = False


@record
class RcloneFacts:
    """rclone on the droplet. `problem` is why its configuration cannot be used, empty where it can.

    `readable` is whether the database's OS user can read the configuration; `mode` as 0640.
    """

    version: tuple[int, int, int] | None
    config: str
    exists: bool
    readable: bool
    owner: str
    group: str
    mode: int
    remotes: tuple[RemoteFacts, ...]
    problem: str = ""

    def remote(self, name: str) -> RemoteFacts | None:
        """The section of that name."""
        return next((remote for remote in self.remotes if remote.name == name), None)


@record
class ServerSurvey:
    """PostgreSQL, asked as its own OS user through its socket. Settings are as SHOW prints them.

    `tablespaces` counts those besides the two that every cluster has.
    """

    version_num: int
    in_recovery: bool
    system_identifier: str
    segment_bytes: int
    timeline: int
    config_file: str
    data_directory: str
    started_at: float
    settings: Mapping[str, str]
    """wal_level, archive_mode, archive_command, archive_timeout, from 15 on archive_library, and more."""
    tablespaces: int = 0


@record
class ConfiguredSetting:
    """What a server that is started now would take: the value, and `where`: `FILE:LINE` or an argument."""

    value: str
    where: str


@record
class Survey:
    """What one look found. What could not be found out is None or empty, and `missing` says why.

    `tools` has each program that is there with its path. `systemd` is whether it runs the host.
    `conf_d` is the folder that the live configuration includes, None where it includes none.
    `region` is the droplet's own by DigitalOcean's metadata service.
    """

    taken_at: float
    hostname: str
    login: str
    root: bool
    tools: Mapping[str, str]
    systemd: bool
    cluster: ClusterFacts | None
    server: ServerSurvey | None
    server_problem: str
    conf_d: str | None
    rclone: RcloneFacts
    clock_offset_s: float | None
    free_bytes: Mapping[str, int]
    region: str | None
    missing: tuple[str, ...] = ()
    unit: str = ""
    """The systemd unit that runs the cluster, `postgresql@15-main.service`; empty where none does."""
    outside: str = ""
    """Where the running server is instead of in that unit; empty where it is in it, or nothing tells."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Of the postmaster, names of AWS_* and RCLONE_* variables alone, their values left out."""
    configured: Mapping[str, ConfiguredSetting] = field(default_factory=dict)
    """Of the settings about archiving, those that files or the command line set; with archiving off the
    server itself shows every archive_command as `(disabled)`."""
    crontabs: bool = False
    """Whether there are a cron and its /etc/cron.d."""


_VERSION = re.compile(r"rclone v(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?")
_REGION = re.compile(r"[a-z0-9-]{2,20}")
_ENCRYPTED = "!encrypted"


def words(answer: Group, key: str) -> list[str]:
    """A record's lines."""
    return [line for line in (answer.text(key) or "").split("\n") if line]


def tools_of(answer: Group) -> Mapping[str, str]:
    """Programs that are there, each with its path."""
    pairs = (line.partition(" ") for line in words(answer, "tools"))
    return {name: place for name, _, place in pairs if place}


def region_of(answer: Group) -> str | None:
    """The droplet's region, where the metadata service told one."""
    said = (answer.text("region") or "").strip()
    return said if _REGION.fullmatch(said) else None


def free_bytes(answer: Group) -> Iterator[tuple[str, int]]:
    """Folders with the bytes that may still be written there."""
    for line in words(answer, "free"):
        kib, _, folder = line.partition(" ")
        if kib.isdigit() and len(kib) < 16:
            yield folder, int(kib) * 1024


def rclone_facts(answer: Group, config: str, os_user: str) -> RcloneFacts:
    """rclone and its configuration, as the server's user `os_user` sees it."""
    stat = (answer.text("rclone.stat") or "").split(" ", 3)
    exists = len(stat) == 4
    readable = answer.text("rclone.readable") is not None
    lines = words(answer, "rclone.remotes")
    mode = int(stat[0], 8) if exists and re.fullmatch(r"[0-7]{1,5}", stat[0]) else 0
    return RcloneFacts(
        version=_version(answer.text("rclone.version") or ""),
        config=config,
        exists=exists or bool(lines),
        readable=readable,
        owner=stat[1] if exists else "",
        group=stat[2] if exists else "",
        mode=mode,
        remotes=tuple(_remotes(lines)),
        problem=_problem(stat, lines, readable, os_user),
    )


def _version(line: str) -> tuple[int, int, int] | None:
    found = _VERSION.search(line)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def _problem(stat: list[str], lines: list[str], readable: bool, os_user: str) -> str:
    """Why the configuration cannot be used; empty where it can."""
    if len(stat) != 4 and not readable:
        return "it is not there"
    if len(stat) == 4 and not stat[3].startswith("regular"):
        return f"it is no file but a {stat[3]}"
    if not readable:
        return f"user {os_user} may not read it"
    if _ENCRYPTED in lines:
        return "it is encrypted, and nobody is there to type its password when PostgreSQL archives"
    return "" if lines else "it has no section"


def _remotes(lines: list[str]) -> Iterator[RemoteFacts]:
    """`[name` begins a section, `option=value` belongs to it. A repeated section goes on, as in rclone."""
    sections: dict[str, dict[str, str]] = {}
    section: dict[str, str] | None = None
    for line in lines:
        if line.startswith("["):
            section = sections.setdefault(line[1:], {})
        elif section is not None:
            name, _, value = line.partition("=")
            section[name] = value
    for name, options in sections.items():
        yield RemoteFacts(
            name=name,
            kind=options.get("type", ""),
            access_key=options.get("access_key_id", ""),
            endpoint=options.get("endpoint", ""),
            region=options.get("region", ""),
            provider=options.get("provider", ""),
            env_auth=options.get("env_auth", "").lower() in ("true", "1", "yes"),
        )


def read_server(answer: Group, os_user: str) -> tuple[ServerSurvey | None, str]:
    """The server, or None and why it cannot be asked."""
    if answer.text("server.user") is None:
        return None, f"nothing can be run as user {os_user} (status {answer.text('asked') or 'unknown'})"
    said = answer.text("server.said") or ""
    if answer.text("server.status") != "0":
        return None, _complaint(said) or "psql failed without a word"
    try:
        row = json.loads(next((line for line in said.split("\n") if line.startswith("{")), ""))
        return _server(row), ""
    except (ValueError, KeyError, TypeError):
        return None, f"psql printed what cannot be understood: {_complaint(said)}"


def _server(row: Mapping[str, Any]) -> ServerSurvey:
    settings = {str(name): str(value) for name, value in (row["settings"] or {}).items() if value is not None}
    return ServerSurvey(
        version_num=int(row["version_num"]),
        in_recovery=bool(row["in_recovery"]),
        system_identifier=str(row["system_identifier"]),
        segment_bytes=int(row["segment_bytes"]),
        timeline=int(row["timeline"]),
        config_file=settings.get("config_file", ""),
        data_directory=settings.get("data_directory", ""),
        started_at=float(row["started_at"]),
        settings=settings,
        tablespaces=int(row["tablespaces"]),
    )


def _complaint(said: str) -> str:
    return safe("; ".join(line.strip() for line in said.splitlines()[:3] if line.strip()))[:400]


FIRST_RCLONE = (1, 53, 0)
"""The first with --s3-no-check-bucket, without which a limited key may not write."""
PACKAGES: Mapping[str, str] = {
    "rclone": "rclone",
    "timeout": "coreutils",
    "psql": "postgresql-client",
    "zstd": "zstd",
    "gzip": "gzip",
    "systemctl": "systemd",
    "flock": "util-linux",
}


def how_to_install(program: str) -> str:
    """What an operator types, on Debian and Ubuntu."""
    return f"apt-get install {PACKAGES.get(program, program)}"


def version_text(version: tuple[int, int, int]) -> str:
    """`1.60.1`."""
    return ".".join(map(str, version))


def blocked_without(survey: Survey, *programs: str) -> Check | None:
    """BLOCKED by the first of `programs` that is missing or too old; None where all can be used."""
    for program in programs:
        if program not in survey.tools:
            return Check(
                CheckState.BLOCKED, f"there is no {program} on the droplet", remedy=how_to_install(program)
            )
    version = survey.rclone.version
    if "rclone" in programs and version is not None and version < FIRST_RCLONE:
        return Check(
            CheckState.BLOCKED,
            f"rclone {version_text(version)} is too old: it takes {version_text(FIRST_RCLONE)}",
            remedy="install a newer one (rclone.org/install)",
        )
    return None
