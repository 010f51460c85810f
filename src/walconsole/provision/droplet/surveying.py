"""One look at a droplet: the console's own probes, and one script for what only provisioning asks.

Three round trips: the host with its clusters, the configuration tree, and the script. What cannot be found
out is said in the survey; only a shell that does not serve is an error.
"""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from walconsole.domain.facts.host import ClusterFacts, HostFacts
from walconsole.domain.facts.observed import ConfigFiles, WalDiskFacts
from walconsole.domain.facts.snapshot import Problem
from walconsole.domain.pgconf.catalogue import ARCHIVE_SETTINGS
from walconsole.domain.pgconf.reader import AUTO_CONF, fold
from walconsole.domain.pgconf.resolution import Origin, Resolution
from walconsole.domain.records import record
from walconsole.errors import ClusterChoiceError, ShellError
from walconsole.observe.host.host import HostProbe
from walconsole.observe.host.host_script import Group, assignment, compact, read_answer
from walconsole.observe.host.invocation import as_user
from walconsole.observe.server.configuration import ConfigurationProbe
from walconsole.observe.server.statements import query
from walconsole.provision.droplet.commands import os_user, psql_for
from walconsole.provision.droplet.survey import (
    ConfiguredSetting,
    Survey,
    free_bytes,
    rclone_facts,
    read_server,
    region_of,
    tools_of,
    words,
)
from walconsole.provision.engine.site import Site

# -- What the configuration that the server really reads says: where a drop-in goes, what is set, which unit.


@record
class LiveFiles:
    """`conf_d` is the folder whose files the server reads last, None where it includes none."""

    conf_d: str | None = None
    configured: Mapping[str, ConfiguredSetting] = field(default_factory=dict)
    unit: str = ""
    missing: tuple[str, ...] = ()
    outside: str = ""


def live_files(found: ConfigFiles) -> LiveFiles:
    """From the console's own picture of the host's files."""
    resolution, launch = found.resolution, found.launch
    if resolution is None:
        return LiveFiles(missing=("the live configuration could not be read",))
    known = launch is not None and launch.active_state not in ("", "inactive")
    unit = launch.unit if launch is not None and (known or launch.unit_files) else ""
    outside = launch.outside if launch is not None else ""
    return LiveFiles(conf_d(resolution), _configured(resolution), unit, found.uncertain, outside)


def conf_d(resolution: Resolution) -> str | None:
    """The folder that postgresql.conf itself includes last, else the last of all that are included.

    The last one, since of two lines for one setting the later wins. auto.conf's own do not count.
    """
    own = tuple(_included(resolution, resolution.config_file))
    others = (
        folder
        for visit in resolution.reading.visits
        if not visit.path.endswith(f"/{AUTO_CONF}")
        for folder in _included(resolution, visit.path)
    )
    return (own or tuple(others) or (None,))[-1]


def _included(resolution: Resolution, path: str) -> Iterator[str]:
    for statement in resolution.reading.statements.get(path, ()):
        if statement.name is not None and fold(statement.name) == "include_dir" and statement.value.strip():
            yield resolution.located(statement.value, path)


def _configured(resolution: Resolution) -> dict[str, ConfiguredSetting]:
    found: dict[str, ConfiguredSetting] = {}
    for name in ARCHIVE_SETTINGS:
        chain = resolution.chain(name)
        if chain is not None and chain.winner is not None and chain.winner.origin is not Origin.DEFAULT:
            found[name] = ConfiguredSetting(chain.winner.value, chain.winner.where)
    return found


SCRIPT_S = 30.0


async def take_survey(site: Site) -> Survey:
    """What the droplet is like. Raises SshError, and ShellError where no script can be run there."""
    probe = HostProbe(site.shell, site.profile, site.clock)
    seen = await _see(site, probe)
    live = await _live(site, probe, seen.missing) if seen.cluster is not None else LiveFiles()
    pid = seen.host.postmaster_pid if seen.host is not None else None
    answer = await _ask(site, seen.cluster, pid)
    return _survey(site, seen, live, answer)


@dataclass(slots=True)
class _Seen:
    """What the console's own look at the host brought; `missing` grows with what cannot be seen."""

    cluster: ClusterFacts | None
    host: HostFacts | None
    wal: WalDiskFacts | None
    missing: list[str]


async def _see(site: Site, probe: HostProbe) -> _Seen:
    seen = _Seen(None, None, None, [])
    try:
        seen.cluster = await probe.locate()
    except ClusterChoiceError as error:
        seen.missing.append(error.line())
    heartbeat = site.profile.paths.heartbeat  # the verifier's, which may well not be installed yet
    for fact in await probe.take():
        if isinstance(fact.value, HostFacts):
            seen.host = fact.value
            seen.missing += [text for text in fact.value.missing if not text.startswith(f"{heartbeat}:")]
        elif isinstance(fact.value, WalDiskFacts):
            seen.wal = fact.value
        elif isinstance(fact.value, Problem) and seen.cluster is not None:
            seen.missing.append(f"free space for pg_wal: {fact.value.why}")
    return seen


def _survey(site: Site, seen: _Seen, live: LiveFiles, answer: Group) -> Survey:
    user, tools = os_user(site), tools_of(answer)
    server, problem = read_server(answer, user) if seen.cluster is not None else (None, seen.missing[0])
    wal = {seen.wal.directory: seen.wal.free_bytes} if seen.wal is not None else {}
    systemd = answer.text("systemd") is not None and "systemctl" in tools
    return Survey(
        taken_at=site.clock.now(),
        hostname=seen.host.hostname if seen.host is not None else "n/a",
        login=answer.text("login") or "n/a",
        root=answer.text("uid") == "0",
        tools=tools,
        systemd=systemd,
        cluster=seen.cluster,
        server=server,
        server_problem=problem,
        conf_d=live.conf_d,
        rclone=rclone_facts(answer, site.profile.paths.rclone_config, user),
        clock_offset_s=seen.host.clock_offset_s if seen.host is not None else None,
        free_bytes={**dict(free_bytes(answer)), **wal},
        region=region_of(answer),
        missing=tuple(dict.fromkeys(seen.missing)),
        unit=live.unit if systemd else "",
        outside=live.outside if systemd else "",
        environment=dict.fromkeys(words(answer, "environ"), ""),
        configured=live.configured,
        crontabs=answer.text("crontabs") is not None and bool({"cron", "crond"} & tools.keys()),
    )


async def _live(site: Site, host: HostProbe, missing: list[str]) -> LiveFiles:
    try:
        facts = await ConfigurationProbe(site.shell, host).take()
    except (ShellError, ClusterChoiceError) as error:
        missing.append(error.line())
        return LiveFiles()
    value = facts[0].value
    if not isinstance(value, ConfigFiles):
        missing.append(value.why if isinstance(value, Problem) else "the live configuration was not found")
        return LiveFiles()
    live = live_files(value)
    missing += live.missing
    return live


async def _ask(site: Site, cluster: ClusterFacts | None, pid: int | None) -> Group:
    script = SurveyScript(site, cluster, pid, secrets.token_hex(8))
    answer = await site.shell.run(script.text(), timeout_s=SCRIPT_S)
    return read_answer(answer.stdout, script.token).host


@record
class SurveyScript:
    """scripts/survey.sh for the shell's user and then for the server's own; ASCII, without a secret."""

    site: Site
    cluster: ClusterFacts | None
    pid: int | None
    token: str

    def text(self) -> str:
        """The whole script."""
        droplet = self._part("droplet")
        server = as_user(os_user(self.site), self._part("server"))
        ending = f"printf '\\001asked %s\\000\\001end %s\\000' \"$?\" {self.token}\n"
        return f"({droplet})\n{server}\n{ending}"

    def _part(self, part: str) -> str:
        site, paths = self.site, self.site.profile.paths
        psql = psql_for(site, self.cluster) if self.cluster is not None else ""
        values = {
            "part": part,
            "path": site.choices.path,
            "config": paths.rclone_config,
            "root": paths.root,
            "pid": str(self.pid or ""),
            "folders": "\n".join((site.choices.temp_root, paths.log.rpartition("/")[0] or "/")),
            "ask_region": "0" if paths.root else "1",
            "psql": psql if part == "server" else "",
            "sql": query("survey") if part == "server" else "",
        }
        lines = (assignment(name, value.encode("utf-8", "surrogateescape")) for name, value in values.items())
        return "".join(lines) + _body()


@cache
def _body() -> str:
    return compact(files("walconsole.provision.scripts").joinpath("survey.sh").read_text("ascii"))
