"""How the old server, and the one that takes its place, are stopped and started on this host."""

from shlex import join, quote

from walconsole.domain.profile import ClusterName
from walconsole.domain.records import record
from walconsole.domain.recovery.recover_state import RecoveryState
from walconsole.provision.droplet.commands import os_user, programs, status_of
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import Command
from walconsole.provision.engine.site import Site
from walconsole.provision.recovering.host_look import data_of

_PROGRAMS = "sed -n '1s/^\\([^ ]*\\)\\/postgres .*/\\1/p' {data}/postmaster.opts 2>/dev/null"
"""The folder of the programs by which it was started last (postmaster.c, CreateOptsFile)."""


@record
class OldServer:
    """The server that the profile names. `stop` and `start` are None where nothing is known that does it.

    `configuration` is the folder of its postgresql.conf, empty where that is not known.
    """

    data: str
    cluster: ClusterName | None
    runs: bool
    stop: Command | None
    start: Command | None
    configuration: str = ""

    @classmethod
    async def of(cls, site: Site, kept: str = "") -> "OldServer":
        """Its place is surveyed once, whether it runs is looked at now. Raises what the shell raises.

        `kept` is its data directory as a recovery noted it: a plain server that was stopped is in no list.
        """
        survey = await site.survey()
        cluster, server, config = survey.cluster, survey.server, ""
        data = kept or data_of(survey)
        if server is not None and server.data_directory.rstrip("/") == data:
            config = server.config_file
        if cluster is not None and not await _is_same(site, cluster.data_directory, data):
            cluster = None  # another one that runs by now, the recovered one above all
        if cluster is not None:
            config = config or cluster.config_file or ""
        name = cluster.name if cluster is not None else None
        stop, start = await _control(survey, name, data, site)
        folder = config.rpartition("/")[0] or (data if name is None else "")
        return cls(data, name, bool(data) and await runs_in(site, data), stop, start, folder)


NOBODYS = OldServer("", None, runs=False, stop=None, start=None)
"""Where nothing is known of the old server."""


async def _is_same(site: Site, path: str, other: str) -> bool:
    """Whether both name one folder, maybe through a link."""
    if path.rstrip("/") == other:
        return True
    script = f'[ "$(readlink -f -- {quote(path)})" = "$(readlink -f -- {quote(other)})" ]'
    status, _ = await status_of(site, script)
    return status == 0


async def runs_in(site: Site, data: str) -> bool:
    """Whether a server works there: its pid file names a process that lives, and stands in that folder.

    After a power cut the number is nobody's, or another process's by now, which a stop would end.
    """
    script = f"""at={quote(data)}
pid=$(head -n 1 "$at/postmaster.pid" 2>/dev/null)
case $pid in '' | *[!0-9]*) exit 1 ;; esac
grep -qs '^State:.[^ZX]' "/proc/$pid/status" || exit 1
[ "$(readlink "/proc/$pid/cwd")" = "$(readlink -f -- "$at")" ]"""
    status, _ = await status_of(site, script, user=os_user(site))
    return status == 0


async def _control(
    survey: Survey, name: ClusterName | None, data: str, site: Site
) -> tuple[Command | None, Command | None]:
    if survey.systemd and survey.unit:
        unit = quote(survey.unit)
        stop = f"systemctl stop {unit}"
        if survey.outside and name is not None:  # systemd does not know of the one that runs
            stop = of_cluster(name, "stop --skip-systemctl-redirect -m fast", site)
        return Command(stop), Command(f"systemctl reset-failed {unit}; systemctl start {unit}")
    if name is not None:
        return Command(of_cluster(name, "stop -m fast", site)), Command(of_cluster(name, "start", site))
    _, said = (
        await status_of(site, _PROGRAMS.format(data=quote(data)), user=os_user(site)) if data else (1, "")
    )
    folder = said.strip()
    if not folder.startswith("/"):
        return None, None
    stop = join((f"{folder}/pg_ctl", "-D", data, "-w", "-t", "600", "-m", "fast", "stop"))
    return Command(stop, user=os_user(site)), start_of_folder(folder, data, f"{data}.log", site)


def of_cluster(name: ClusterName, action: str, site: Site) -> str:
    """Debian's own command: `pg_ctlcluster 15 main start`; systemd's unit where systemd runs the host."""
    verb, _, options = action.partition(" ")
    words = join(("pg_ctlcluster", *options.split(), name.version, name.name, verb))
    return f"{programs(site)}{words}"


def start_of_folder(folder: str, data: str, log: str, site: Site) -> Command:
    """A server that is in no list. Only `restart` takes its options, from postmaster.opts (pg_ctl.c)."""
    words = (f"{folder}/pg_ctl", "-D", data, "-w", "-t", "600", "-l", log, "-s", "restart")
    return Command(join(words), user=os_user(site))


async def start_of_new(state: RecoveryState, site: Site) -> Command:
    """How what was made just now is started, where it is not the old server's own place."""
    name = state.place.cluster
    if name is None:
        return start_of_folder(state.bin, state.tree, f"{state.work}/server.log", site)
    survey = await site.survey()
    if survey.systemd and survey.unit:
        unit = quote(f"postgresql@{name.version}-{name.name}.service")
        return Command(f"systemctl daemon-reload; systemctl start {unit}")
    return Command(of_cluster(name, "start", site))
