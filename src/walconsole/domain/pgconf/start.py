"""How the server was started, by whom, and where those who say how contradict each other."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace

from walconsole.domain.pgconf.commandline import CommandLine, parse
from walconsole.domain.pgconf.resolution import Resolution, ServerStart, config_file_of
from walconsole.domain.pgconf.tree import canonical, join, parent
from walconsole.domain.records import record
from walconsole.domain.redaction import decode

_ASSIGNMENT = re.compile(r"\s*(?P<key>Environment|UnsetEnvironment|ExecStart)\s*=(?P<value>.*)")
_DEBIAN = re.compile(r"(?P<root>.*)/(?P<version>[0-9]+(?:\.[0-9]+)?)/(?P<name>[^/]+)/postgresql\.conf")
_NO_CONFIGURATION = re.compile(
    r".*/var/lib/(?:pgsql|postgres(?:ql)?)/.*|.*/(?:data|docker|pgdata|PGDATA)/[^/]*"
)
"""Data directories of other packages, and of containers: their names have a version, too."""


@record
class Variable:
    """An environment variable that someone sets for the server, and `where`: `FILE:LINE`."""

    name: str
    value: str
    where: str


@record
class Launch:
    """How the server is started: systemd's unit and its files, and what the postmaster was told.

    `variables` are only PGDATA and the like, whatever else an Environment= holds. `exec_start` is
    the last one in systemd's order; `pg_ctl_options` is what Debian's pg_ctl.conf adds. `argv` is
    empty when the server does not run. `texts` are systemd's files by path, as they were read.
    `outside` is where the running server is instead of in its unit (`session-3.scope`, `cron.service`): empty
    where it is in it, and where that cannot be told.
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
    outside: str = ""

    @property
    def by_debian(self) -> bool:
        """Started by pg_ctlcluster, which empties the environment and names the files itself."""
        return "pg_ctlcluster" in self.exec_start or self.unit.startswith("postgresql@")


@record
class Contradiction:
    """Two places that say different things: what wins, what does not, and why."""

    said: str
    said_by: str
    instead: str
    why: str


def read_unit_files(unit_files: Mapping[str, bytes]) -> tuple[tuple[Variable, ...], str, str]:
    """PG* variables in systemd's files, and the last ExecStart= with its `FILE:LINE`.

    A later assignment replaces one of the same name, an empty one all that came before it, and
    UnsetEnvironment= takes names away in the end (systemd.exec(5)).
    """
    variables: dict[str, Variable] = {}
    unset: list[str] = []
    exec_start = exec_from = ""
    for key, value, where in _assignments(in_effect(unit_files)):
        if key == "Environment":
            if not value:
                variables.clear()
            for variable in _variables(value, where):
                variables.pop(variable.name, None)
                variables[variable.name] = variable
        elif key == "UnsetEnvironment":
            unset = [*unset, *value.split()] if value else []
        elif key == "ExecStart" and value:
            exec_start, exec_from = value, where
    kept = (each for each in variables.values() if not {each.name, f"{each.name}={each.value}"} & set(unset))
    return tuple(kept), exec_start, exec_from


_HOMES = ("/etc/systemd/system/", "/run/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/")


def in_effect(unit_files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Those that count, in systemd's order: one unit file, then drop-ins by name (systemd.unit(5)).

    Of several of one name the one of the first folder counts; an instance's own unit file hides its template.
    """
    placed = [path for path in unit_files if any(home in path for home in _HOMES)]
    units = [path for path in placed if not parent(path).endswith(".d")]
    chosen = sorted(units, key=lambda path: ("@." in path, _home_of(path)))[:1]
    dropins: dict[str, str] = {}
    for path in sorted(
        (path for path in placed if path not in units), key=lambda path: (_home_of(path), "@." in path)
    ):
        dropins.setdefault(path.rpartition("/")[2], path)
    others = [path for path in unit_files if path not in placed]
    ordered = (*chosen, *others, *(dropins[name] for name in sorted(dropins)))
    return {path: unit_files[path] for path in ordered}


def _home_of(path: str) -> int:
    return next(at for at, home in enumerate(_HOMES) if home in path)


def _assignments(unit_files: Mapping[str, bytes]) -> Iterator[tuple[str, str, str]]:
    """Names and values with their `FILE:LINE`; a backslash at a line's end goes on with the next line."""
    for path, raw in unit_files.items():
        begun, text = 0, ""
        for number, line in enumerate(decode(raw).split("\n"), 1):
            bare = line.rstrip("\r")
            if bare.lstrip().startswith(("#", ";")):
                continue
            text, begun = text + bare, begun or number
            if text.endswith("\\"):
                text = text[:-1] + " "
                continue
            assigned = _ASSIGNMENT.fullmatch(text)
            if assigned is not None:
                yield assigned["key"], assigned["value"].strip(), f"{path}:{begun}"
            begun, text = 0, ""


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
    if named is not None and named.startswith("/") and canonical(named) not in folders:
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
    if launch.by_debian or debian_cluster(resolution.config_file, resolution.data_directory):
        return (
            f"pg_ctlcluster empties the environment and starts with -c config_file={resolution.config_file}"
        )
    if resolution.command_line.directory:
        return (
            f"the postmaster was started with -D {resolution.command_line.directory}, which wins over PGDATA"
        )
    return f"the server reads {resolution.config_file}"


def debian_cluster(config_file: str, data_directory: str | None = None) -> str | None:
    """`VERSION/NAME` of a configuration that lies where Debian keeps clusters, else None.

    Debian keeps it apart from the data; where the two are one folder, it is somebody else's.
    """
    if parent(config_file) == data_directory or _NO_CONFIGURATION.fullmatch(config_file):
        return None
    found = _DEBIAN.fullmatch(config_file)
    return f"{found['version']}/{found['name']}" if found else None


def server_start(
    argv: Sequence[str],
    environ: Mapping[str, str] | None,
    *,
    config_file: str | None,
    data_directory: str | None,
    major: int | None = None,
    pg_ctl_options: str = "",
) -> ServerStart:
    """What `resolve` needs. A running postmaster's own arguments decide which file it reads.

    `config_file` and `data_directory` are what the host's list of clusters says; the file counts
    only where there are no arguments that name one. `pg_ctl_options` are Debian's, which the next
    start of a server that does not run will have as arguments.
    """
    given = tuple(argv) or _arguments(pg_ctl_options)
    environment = {name: value for name, value in (environ or {}).items() if name != "PWD"}
    told = ServerStart(given, pg_environment=environment, major=major)
    line = parse(given)
    named = config_file_of(told, line) if argv else None
    if named is not None and not named.startswith("/"):
        named = _made_absolute(named, line, (environ or {}).get("PWD"), data_directory, major)
    return replace(told, config_file=named or config_file, data_directory=data_directory)


def _made_absolute(
    named: str, line: CommandLine, pwd: str | None, data_directory: str | None, major: int | None
) -> str | None:
    """A configuration file that is named from where the postmaster was started, if that is known."""
    if line.value("config_file") is None and data_directory is not None:
        return join(data_directory, "postgresql.conf", major)  # it was named by a relative -D or PGDATA
    folder = started_in(line.directory, pwd, data_directory)
    return join(folder, named, major) if folder is not None else None


def _arguments(pg_ctl_options: str) -> tuple[str, ...]:
    """A postmaster's arguments from pg_ctl's -o (--options) in pg_ctl.conf; empty where there are none.

    pg_ctlcluster splits that text at blanks, quoted or not. Where quotes mean otherwise, pg_ctl does not
    start anything: the last argument is then one that is refused, and says so.
    """
    split = _handed_on(pg_ctl_options.split())
    try:
        meant = _handed_on(shlex.split(pg_ctl_options))
    except ValueError:
        meant = split or []
    if not meant and split is not None:
        return ()
    refused = f"pg_ctl.conf's {pg_ctl_options}: it is split at blanks, whatever is quoted"
    return ("postgres", *(meant or ()), *(() if split == meant else (refused,)))


def _handed_on(words: Sequence[str]) -> list[str] | None:
    """What -o hands on, which may be given several times and goes through a shell; None where that fails."""
    handed: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word in ("-o", "--options"):
            said = next(waiting, "")
        elif word.startswith("--options="):
            said = word.removeprefix("--options=")
        elif word.startswith("-o"):
            said = word[2:]
        else:
            continue
        try:
            handed += shlex.split(said)
        except ValueError:
            return None
    return handed


def started_in(directory: str | None, pwd: str | None, data_directory: str | None) -> str | None:
    """The folder in which a postmaster was started, where a relative path of its arguments counts from.

    It changes to its data directory itself. `directory` is -D's value, `pwd` its environment's PWD; None
    where neither tells.
    """
    if directory is not None and data_directory is not None and not directory.startswith("/"):
        relative = canonical(directory)
        if relative == ".":
            return data_directory
        if ".." not in relative.split("/") and data_directory.endswith(f"/{relative}"):
            return data_directory[: -len(relative) - 1] or "/"
    return pwd if pwd is not None and pwd.startswith("/") else None
