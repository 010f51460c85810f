"""The configuration files on the host: which line wins, which file is never read."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace

from walconsole.domain.facts.host import ClusterFacts
from walconsole.domain.facts.observed import ConfigFiles
from walconsole.domain.facts.snapshot import Problem, Snapshot
from walconsole.domain.pgconf.dead import classify
from walconsole.domain.pgconf.reader import statements
from walconsole.domain.pgconf.resolution import Resolution, ServerStart, resolve
from walconsole.domain.pgconf.start import (
    Launch,
    contradictions,
    debian_cluster,
    read_unit_files,
    server_start,
)
from walconsole.domain.pgconf.tree import parent
from walconsole.domain.pgconf.unit import unit_of
from walconsole.errors import ShellError
from walconsole.observe.poller.probe import Fact
from walconsole.observe.server.configuration_answer import Errand, Gathered, new_token, read_answer
from walconsole.ports import ClusterLocator, Shell

SOURCE = "the host's configuration files"
MAX_MORE_LOOKS = 3
"""So often what an include names in a way that the script could not follow is looked up afterwards."""
MAX_TORN_LOOKS = 3
"""So often the host is asked where files change while it is."""


class ConfigurationProbe:
    """Fills FILES. One round trip for the whole tree, with PostgreSQL up or down."""

    name = SOURCE
    slots = (Snapshot.files,)
    cadence_s = 30.0
    timeout_s = 15.0

    def __init__(self, shell: Shell, locator: ClusterLocator) -> None:
        self._shell, self._locator = shell, locator
        self._before: tuple[Gathered, ClusterFacts, ConfigFiles | None] | None = None

    async def take(self) -> Sequence[Fact]:
        """Raises errors.ShellError, SshError, ClusterChoiceError."""
        cluster = await self._locator.locate()
        if not cluster.config_file and not cluster.data_directory:
            why = "neither its data directory nor its configuration file is known"
            raise ShellError("read the cluster's configuration", why, "name the cluster in the profile")
        errand = Errand(_config_file(cluster), cluster.data_directory, _debian_name(cluster), cluster.owner)
        gathered, read_at = await self._gather(errand)
        understood = await self._understand(gathered, cluster)
        for _ in range(MAX_MORE_LOOKS):
            wanted = _wanted(understood)
            if not wanted:
                break
            errand = replace(errand, more=(*errand.more, *wanted), token=new_token())
            gathered, read_at = await self._gather(errand)
            understood = await self._understand(gathered, cluster)
        if understood is None:
            problem = Problem("which configuration file the server reads could not be found out")
            return [Fact(Snapshot.files, problem, read_at, SOURCE)]
        return [Fact(Snapshot.files, understood, read_at, SOURCE)]

    async def _understand(self, gathered: Gathered, cluster: ClusterFacts) -> ConfigFiles | None:
        """What the answer means; of an answer like the one before, the same object.

        In a thread: thousands of lines take long enough to be felt at the keys.
        """
        before = self._before
        if before is not None and (before[0], before[1]) == (gathered, cluster):
            return before[2]
        files = await asyncio.to_thread(understand, gathered, cluster)
        self._before = gathered, cluster, files
        return files

    async def _gather(self, errand: Errand) -> tuple[Gathered, float]:
        """One round trip, and another one where a file went or came during it."""
        gathered, read_at = await self._look(errand)
        for _ in range(MAX_TORN_LOOKS - 1):
            if not gathered.tree.torn:
                break
            gathered, read_at = await self._look(replace(errand, token=new_token()))
        return gathered, read_at

    async def _look(self, errand: Errand) -> tuple[Gathered, float]:
        answer = await self._shell.run(errand.script(), timeout_s=self.timeout_s)
        return read_answer(answer.stdout, errand.token), (answer.sent_at + answer.answered_at) / 2


def _wanted(files: ConfigFiles | None) -> tuple[str, ...]:
    """What an include names and the host was not asked for."""
    return files.resolution.reading.wanted if files is not None and files.resolution is not None else ()


def understand(gathered: Gathered, cluster: ClusterFacts) -> ConfigFiles | None:
    """What the host showed, resolved; None where no configuration file is named at all."""
    start = _start(gathered, cluster)
    resolution = resolve(gathered.tree, start)
    return config_files(gathered, resolution, start) if resolution is not None else None


def _start(gathered: Gathered, cluster: ClusterFacts) -> ServerStart:
    return server_start(
        gathered.argv,
        gathered.environ,
        config_file=_config_file(cluster),
        data_directory=cluster.data_directory or None,
        major=gathered.major or _major(cluster),
        pg_ctl_options=_pg_ctl_options(gathered, _config_file(cluster)),
    )


def _config_file(cluster: ClusterFacts) -> str:
    return cluster.config_file or f"{cluster.data_directory}/postgresql.conf"


def _debian_name(cluster: ClusterFacts) -> str:
    """`VERSION/NAME`, from pg_lsclusters or from where the configuration lies; empty where it is neither."""
    if cluster.name is not None:
        return str(cluster.name)
    return debian_cluster(_config_file(cluster), cluster.data_directory or None) or ""


def _major(cluster: ClusterFacts) -> int | None:
    """By the cluster's name, where its data directory may not be entered."""
    version = _debian_name(cluster).partition("/")[0].partition(".")[0]
    return int(version) if version.isdigit() else None


def config_files(gathered: Gathered, resolution: Resolution, start: ServerStart) -> ConfigFiles:
    """What the host showed, as the snapshot keeps it."""
    launch = launch_of(gathered, resolution.config_file)
    return ConfigFiles(
        classify(gathered.tree, resolution, launch),
        gathered.tree.cut,
        tuple(dict.fromkeys(_errors(resolution))),
        tuple(
            f"{one.said} ({one.said_by}), yet {one.instead}: {one.why}"
            for one in contradictions(launch, resolution)
        ),
        resolution.uncertain,
        resolution,
        launch,
        gathered.tree,
        start,
    )


def launch_of(gathered: Gathered, config_file: str) -> Launch:
    """How the server was, or would be, started."""
    variables, exec_start, exec_from = read_unit_files(gathered.unit_files)
    environ = gathered.environ
    if environ is not None:
        environ = {name: value for name, value in environ.items() if name != "PWD"}
    unit = unit_of(gathered.units, gathered.pid, gathered.cgroup)
    return Launch(
        unit=unit.name,
        active_state=unit.state,
        unit_files=tuple(gathered.unit_files),
        variables=variables,
        exec_start=exec_start,
        exec_start_from=exec_from,
        pg_ctl_options=_pg_ctl_options(gathered, config_file),
        argv=gathered.argv,
        environ=environ,
        texts=gathered.unit_files,
        outside=(unit.place or "no unit") if unit.holds is False else "",
    )


def _pg_ctl_options(gathered: Gathered, config_file: str) -> str:
    """pg_ctl_options of Debian's pg_ctl.conf beside the configuration, where there is one."""
    content = gathered.tree.file(f"{parent(config_file)}/pg_ctl.conf")
    if content is None or not content.raw:
        return ""
    found = {one.name: one.value for one in statements(content.raw)}
    return found.get("pg_ctl_options", "")


def _errors(resolution: Resolution) -> Iterator[str]:
    for judged in resolution.errors:
        entry = judged.entry
        what = f"{entry.name} = {entry.value}: " if entry.name is not None else ""
        yield f"{entry.file}:{entry.line}: {what}{judged.why or judged.error}"
    yield from resolution.problems
