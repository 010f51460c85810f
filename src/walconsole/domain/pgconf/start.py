"""How the server was started, by whom, and where those who say how contradict each other."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from walconsole.domain.pgconf.commandline import parse
from walconsole.domain.pgconf.resolution import Resolution, ServerStart, config_file_of
from walconsole.domain.pgconf.tree import canonical, parent
from walconsole.domain.redaction import decode

_ENVIRONMENT = re.compile(r"\s*Environment\s*=\s*(?P<words>.*)")
_EXEC_START = re.compile(r"\s*ExecStart\s*=\s*(?P<command>.*\S)?\s*")
_DEBIAN = re.compile(r"(?P<root>.*)/(?P<version>[0-9][0-9.]*)/(?P<name>[^/]+)/postgresql\.conf")


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable that someone sets for the server, and `where`: `FILE:LINE`."""

    name: str
    value: str
    where: str


@dataclass(frozen=True, slots=True)
class Launch:
    """How the server is started: systemd's unit and its files, and what the postmaster was told.

    `variables` are only PGDATA and the like, whatever else an Environment= holds. `exec_start` is
    the last one in systemd's order; `pg_ctl_options` is what Debian's pg_ctl.conf adds. `argv` is
    empty when the server does not run. `texts` are systemd's files by path, as they were read.
    """

    unit: str = ""
    active_state: str = ""
    unit_files: tuple[str, ...] = ()
    variables: tuple[Variable, ...] = ()
    exec_start: str = ""
    exec_start_from: str = ""
    pg_ctl_options: str = ""
    argv: tuple[str, ...] = ()
    environ: Mapping[str, str] | None = None
    texts: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    @property
    def by_debian(self) -> bool:
        """Started by pg_ctlcluster, which empties the environment and names the files itself."""
        return "pg_ctlcluster" in self.exec_start or self.unit.startswith("postgresql@")


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two places that say different things: what wins, what does not, and why."""

    said: str
    said_by: str
    instead: str
    why: str


def read_unit_files(unit_files: Mapping[str, bytes]) -> tuple[tuple[Variable, ...], str, str]:
    """PG* variables in systemd's files, and the last ExecStart= with its `FILE:LINE`."""
    variables: list[Variable] = []
    exec_start = exec_from = ""
    for path, raw in unit_files.items():
        for number, line in enumerate(decode(raw).split("\n"), 1):
            assigned = _ENVIRONMENT.fullmatch(line.rstrip("\r"))
            if assigned is not None:
                variables.extend(_variables(assigned["words"], f"{path}:{number}"))
            command = _EXEC_START.fullmatch(line.rstrip("\r"))
            if command is not None and command["command"]:
                exec_start, exec_from = command["command"], f"{path}:{number}"
    return tuple(variables), exec_start, exec_from


def _variables(words: str, where: str) -> Iterator[Variable]:
    try:
        found = shlex.split(words)
    except ValueError:
        found = words.split()
    for word in found:
        name, equals, value = word.partition("=")
        if equals and name.startswith("PG"):
            yield Variable(name, value, where)


def contradictions(launch: Launch, resolution: Resolution) -> tuple[Contradiction, ...]:
    """Where PGDATA, -D, data_directory and the unit disagree with what the server uses."""
    folders = _folders(resolution)
    found = [
        Contradiction(
            f"PGDATA={variable.value}",
            variable.where,
            f"the server reads {resolution.config_file}",
            why_pgdata_is_void(launch, resolution),
        )
        for variable in launch.variables
        if variable.name == "PGDATA" and canonical(variable.value) not in folders
    ]
    named = resolution.command_line.directory
    if named is not None and canonical(named) not in folders:
        found.append(
            Contradiction(
                f"-D {named}",
                "the postmaster's arguments",
                f"the data directory is {resolution.data_directory}",
                "data_directory is set, and wins over -D",
            )
        )
    return tuple(found)


def _folders(resolution: Resolution) -> frozenset[str]:
    """The folders that PGDATA may name without contradicting anything."""
    return frozenset(filter(None, (resolution.data_directory, parent(resolution.config_file))))


def why_pgdata_is_void(launch: Launch, resolution: Resolution) -> str:
    """The fact that makes a PGDATA in the environment have no effect."""
    if resolution.command_line.value("config_file"):
        text = f"the postmaster was started with -c config_file={resolution.config_file}"
        return f"{text}, which wins over PGDATA" + ("; pg_ctlcluster does that" if launch.by_debian else "")
    if launch.by_debian or _DEBIAN.fullmatch(resolution.config_file):
        return (
            f"pg_ctlcluster empties the environment and starts with -c config_file={resolution.config_file}"
        )
    if resolution.command_line.directory:
        return (
            f"the postmaster was started with -D {resolution.command_line.directory}, which wins over PGDATA"
        )
    return f"the server reads {resolution.config_file}"


def debian_cluster(config_file: str) -> str | None:
    """`VERSION/NAME` of a configuration that lies where Debian keeps clusters, else None."""
    found = _DEBIAN.fullmatch(config_file)
    return f"{found['version']}/{found['name']}" if found else None


def server_start(
    argv: Sequence[str],
    environ: Mapping[str, str] | None,
    *,
    config_file: str | None,
    data_directory: str | None,
    major: int | None = None,
) -> ServerStart:
    """What `resolve` needs. A running postmaster's own arguments decide which file it reads.

    `config_file` and `data_directory` are what the host's list of clusters says; the file counts
    only where there are no arguments that name one.
    """
    told = ServerStart(tuple(argv), pg_environment=environ or {}, major=major)
    named = config_file_of(told, parse(argv)) if argv else None
    return replace(told, config_file=named or config_file, data_directory=data_directory)
