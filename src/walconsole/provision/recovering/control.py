"""How the old server, and the one that takes its place, are stopped and started on this host."""

from dataclasses import dataclass
from shlex import join, quote

from walconsole.domain.profile import ClusterName
from walconsole.provision.droplet.commands import os_user, programs, status_of
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.site import Site
from walconsole.provision.recovering.host_look import data_of


@dataclass(frozen=True, slots=True)
class OldServer:
    """The server that the profile names. `stop` and `start` are commands for `user`, None: nothing is known.

    `configuration` is the folder of its postgresql.conf, empty where that is not known.
    """

    data: str
    cluster: ClusterName | None
    runs: bool
    stop: str | None
    start: str | None
    configuration: str = ""

    @classmethod
    async def of(cls, site: Site) -> "OldServer":
        """Its place is surveyed once, whether it runs is looked at now. Raises what the shell raises."""
        survey = await site.survey()
        cluster, config, data = survey.cluster, "", data_of(survey)
        if survey.server is not None:
            config = survey.server.config_file
        elif cluster is not None:
            config = cluster.config_file or ""
        name = cluster.name if cluster is not None else None
        stop, start = _control(survey, name, site)
        return cls(data, name, await runs_in(site, data), stop, start, config.rpartition("/")[0])


async def runs_in(site: Site, data: str) -> bool:
    """Whether a server's process has that data directory: its pid file names one that lives."""
    script = f"""pid=$(head -n 1 {quote(data)}/postmaster.pid 2>/dev/null)
case $pid in '' | *[!0-9]*) exit 1 ;; esac
grep -qs '^State:.[^ZX]' "/proc/$pid/status" && [ "$(stat -c %U "/proc/$pid")" = {quote(os_user(site))} ]"""
    status, _ = await status_of(site, script, user=os_user(site))
    return status == 0


def _control(survey: Survey, name: ClusterName | None, site: Site) -> tuple[str | None, str | None]:
    if survey.systemd and survey.unit:
        unit = quote(survey.unit)
        return f"systemctl stop {unit}", f"systemctl reset-failed {unit}; systemctl start {unit}"
    if name is not None:
        return of_cluster(name, "stop -m fast", site), of_cluster(name, "start", site)
    return None, None


def of_cluster(name: ClusterName, action: str, site: Site) -> str:
    """Debian's own command: `pg_ctlcluster 15 main start`; systemd's unit where systemd runs the host."""
    verb, _, options = action.partition(" ")
    words = join(("pg_ctlcluster", *options.split(), name.version, name.name, verb))
    return f"{programs(site)}{words}"


def start_of_new(name: ClusterName, survey: Survey, site: Site) -> str:
    """How a cluster that was made just now is started."""
    if survey.systemd and survey.unit:
        unit = quote(f"postgresql@{name.version}-{name.name}.service")
        return f"systemctl daemon-reload; systemctl start {unit}"
    return of_cluster(name, "start", site)
