"""For every setting the chain of places that set it, which one wins, and what is in force.

`resolve` works from files alone; with what a running server has in force it also tells what waits
for a reload or a restart.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from enum import StrEnum
from typing import NamedTuple

from walconsole.domain.pgconf.catalogue import ARCHIVE_RELEVANT, Catalogue
from walconsole.domain.pgconf.commandline import CommandLine, parse
from walconsole.domain.pgconf.loading import InForce, Judged, Loaded, Source, at_start
from walconsole.domain.pgconf.reader import AUTO_CONF, Reading, read
from walconsole.domain.pgconf.together import fatal_together
from walconsole.domain.pgconf.tree import ConfigTree, canonical, join, located
from walconsole.domain.pgconf.values import BadValueError, Context, SettingMeta, VarType, same, stored
from walconsole.domain.records import record


class Origin(StrEnum):
    """The kinds of places, in the order in which the server lets a later one win."""

    DEFAULT = "built-in default"
    ENVIRONMENT = "environment"
    FILE = "file"
    AUTO_CONF = "ALTER SYSTEM"
    COMMAND_LINE = "command line"
    DATABASE = "ALTER DATABASE"
    ROLE = "ALTER ROLE"
    ROLE_IN_DATABASE = "ALTER ROLE IN DATABASE"


class State(StrEnum):
    """What becomes of a place."""

    APPLIED = "applied"
    OVERRIDDEN = "overridden"
    ERROR = "in error"
    NOT_LOADED = "not yet loaded"
    DISCARDED = "thrown away"


class Place(NamedTuple):
    """One place that sets a setting. `where` is `FILE:LINE`, an argument, or what the origin says.

    `why` explains an error, or why it is not loaded; `overridden_by` is the winner's `where`.
    """

    origin: Origin
    where: str
    value: str
    state: State
    file: str | None = None
    line: int | None = None
    why: str = ""
    overridden_by: str = ""


@record
class Chain:
    """All places of one setting in the server's order.

    `winner` is the one that a server started now would take, None where nothing is known of the
    default. `in_force` is what the running server has, None where it was not asked. `waits_for` is
    "reload" or "restart" when the two differ in meaning, else empty.
    """

    name: str
    places: tuple[Place, ...]
    winner: Place | None
    meta: SettingMeta | None = None
    in_force: InForce | None = None
    waits_for: str = ""


@record
class ServerStart:
    """How the server is, or would be, started: its arguments and what its environment says.

    `config_file` and `data_directory` override what follows from `argv` (PGDATA, -D) where they are
    known better. `pg_environment` holds PGDATA, PGPORT and the like, nothing else.
    """

    argv: tuple[str, ...] = ()
    config_file: str | None = None
    data_directory: str | None = None
    pg_environment: Mapping[str, str] = field(default_factory=dict)
    major: int | None = None


@record
class RoleSetting:
    """A row of pg_db_role_setting: `database` or `role` is empty where it is for all."""

    name: str
    value: str
    database: str = ""
    role: str = ""


@record
class Resolution:
    """The whole configuration. `from_files_alone` is True where no running server was asked.

    `errors` are what a start would die of; `uncertain` what was not seen on the host. `major` is the version
    whose rules it was resolved by, None where it is not known.
    """

    config_file: str
    data_directory: str | None
    chains: Mapping[str, Chain]
    reading: Reading
    loaded: Loaded
    command_line: CommandLine
    from_files_alone: bool
    major: int | None = None

    @property
    def errors(self) -> tuple[Judged, ...]:
        """What would keep the server from starting, in its order."""
        return self.loaded.errors

    @property
    def problems(self) -> tuple[str, ...]:
        """What else would keep it from starting: its arguments, and settings that do not go together."""
        return (*self.command_line.problems, *fatal_together(self._stored))

    def _stored(self, name: str) -> str | None:
        chain = self.chain(name)
        if chain is None or chain.winner is None:
            return None
        try:
            return stored(chain.winner.value, chain.meta) if chain.meta is not None else chain.winner.value
        except BadValueError:
            return None

    @property
    def uncertain(self) -> tuple[str, ...]:
        """What was not seen, one line each."""
        return self.reading.uncertain

    def chain(self, name: str) -> Chain | None:
        """The chain of a setting, None where nothing sets it and nothing is known of it."""
        return self.chains.get(name.lower())

    def located(self, location: str, calling_file: str) -> str:
        """The path that an include's `location` in `calling_file` means to this server."""
        return located(location, calling_file, self.data_directory, self.major)

    def value(self, name: str) -> str | None:
        """What the setting would be after a start with these files."""
        chain = self.chain(name)
        return chain.winner.value if chain is not None and chain.winner is not None else None


def config_file_of(start: ServerStart, command_line: CommandLine) -> str | None:
    """SelectConfigFiles(): -c config_file, else postgresql.conf in -D's folder, else in PGDATA's."""
    chosen = start.config_file or command_line.value("config_file")
    if chosen:
        return canonical(chosen, start.major)
    folder = command_line.directory or start.pg_environment.get("PGDATA")
    return join(folder, "postgresql.conf", start.major) if folder else None


def data_directory_of(
    start: ServerStart, command_line: CommandLine, tree: ConfigTree, config_file: str
) -> str | None:
    """data_directory on the command line, else in the files before auto.conf, else -D, else PGDATA."""
    if start.data_directory:
        return start.data_directory
    chosen = command_line.value("data_directory")
    if chosen is None:
        for entry in read(tree, config_file, None, major=start.major).entries:
            if entry.name == "data_directory":
                chosen = entry.value
    chosen = chosen or command_line.directory or start.pg_environment.get("PGDATA")
    return canonical(chosen, start.major) if chosen else None


def resolve(
    tree: ConfigTree,
    start: ServerStart,
    catalogue: Catalogue | None = None,
    in_force: Mapping[str, InForce] | None = None,
    role_settings: Sequence[RoleSetting] = (),
) -> Resolution | None:
    """The configuration that `start` leads to; None where no configuration file is named at all."""
    if start.major is None and catalogue is not None:
        start = replace(start, major=catalogue.major)
    command_line = parse(start.argv, start.major)
    config_file = config_file_of(start, command_line)
    if config_file is None:
        return None
    catalogue = catalogue or Catalogue(major=start.major)
    data_directory = data_directory_of(start, command_line, tree, config_file)
    reading = read(tree, config_file, data_directory, major=start.major)
    loaded = at_start(reading, catalogue, command_line.settings)
    chains = _Chains(start, command_line, catalogue, loaded, data_directory, in_force)
    return Resolution(
        config_file,
        data_directory,
        chains.all(role_settings),
        reading,
        loaded,
        command_line,
        in_force is None,
        start.major,
    )


@record
class _Chains:
    start: ServerStart
    command_line: CommandLine
    catalogue: Catalogue
    loaded: Loaded
    data_directory: str | None
    in_force: Mapping[str, InForce] | None

    def all(self, role_settings: Sequence[RoleSetting]) -> dict[str, Chain]:
        places = {name: self.before_files(name) for name in (*ARCHIVE_RELEVANT, *self.catalogue.names)}
        for name, place in self.after_defaults(role_settings):
            if name not in places:
                places[name] = self.before_files(name)
            places[name].append(place)
        return {name: self.chain(name, found) for name, found in sorted(places.items())}

    def after_defaults(self, role_settings: Sequence[RoleSetting]) -> Iterator[tuple[str, Place]]:
        """Every place but the defaults, in the server's order, with its setting's name."""
        auto = None
        if self.data_directory is not None:
            auto = join(self.data_directory, AUTO_CONF, self.start.major)
        names = {entry.entry.name: "" for entry in self.loaded.entries if entry.entry.name is not None}
        names = {name: self.catalogue.canonical_name(name) for name in names}
        why = _why_discarded(self.loaded) if self.loaded.discarded else ""
        for judged in self.loaded.entries:
            if judged.entry.name is not None:
                yield names[judged.entry.name], _from_file(judged, auto, why)
        for argument in self.command_line.settings:
            said = Place(Origin.COMMAND_LINE, argument.text, argument.value, State.APPLIED)
            yield self.catalogue.canonical_name(argument.name), said
        for row in role_settings:
            yield self.catalogue.canonical_name(row.name), _from_role(row)

    def before_files(self, name: str) -> list[Place]:
        """The default, and the environment variable where the server takes one."""
        meta = self.catalogue.meta(name)
        found: list[Place] = []
        if meta is not None and meta.boot is not None:
            found.append(Place(Origin.DEFAULT, Origin.DEFAULT.value, meta.boot, State.APPLIED))
        variable = _VARIABLES.get(name)
        if variable is not None and variable in self.start.pg_environment:
            text = self.start.pg_environment[variable]
            found.append(Place(Origin.ENVIRONMENT, f"{variable}={text}", text, State.APPLIED))
        return found

    def chain(self, name: str, places: list[Place]) -> Chain:
        meta = self.catalogue.meta(name)
        able = [place for place in places if place.state is not State.ERROR and not _session_only(place)]
        winner = able[-1] if able else None
        running = self.in_force.get(name) if self.in_force is not None else None
        waits = "" if self.is_computed(winner, meta) else _waits_for(winner, running, meta)
        marked = tuple(self.marked(place, winner, waits) for place in places)
        at = next((i for i, place in enumerate(places) if place is winner), None)
        return Chain(name, marked, None if at is None else marked[at], meta, running, waits)

    def is_computed(self, winner: Place | None, meta: SettingMeta | None) -> bool:
        """Whether the running server has what it computes by itself where the winner leaves it to it."""
        if winner is None or meta is None or self.in_force is None or meta.name not in _COMPUTED:
            return False
        try:
            if stored(winner.value, meta) != _COMPUTED[meta.name]:
                return False
        except BadValueError:
            return False
        running = self.in_force.get(meta.name)
        return meta.name != "wal_buffers" or running is None or running.value == self.wal_buffers()

    def wal_buffers(self) -> str:
        """XLOGChooseNumBuffers(): a 32nd of shared_buffers, at most a segment, at least 8 blocks."""
        in_force = self.in_force or {}
        sizes = [in_force.get(name) for name in ("shared_buffers", "wal_segment_size")]
        shared, segment = (
            int(each.value) if each is not None and each.value.isdigit() else 0 for each in sizes
        )
        return str(max(8, min(shared // 32, (segment or 16 << 20) // 8192)))

    def marked(self, place: Place, winner: Place | None, waits: str) -> Place:
        """The place with its final state, once the winner is known."""
        if place.state is State.ERROR or _session_only(place):
            return place
        if place is not winner and winner is not None:
            return _with(place, State.OVERRIDDEN, overridden_by=winner.where)
        if waits and place.state is State.APPLIED:
            return _with(place, State.NOT_LOADED, why=f"waits for a {waits}")
        return place


def _from_file(judged: Judged, auto_conf: str | None, why_discarded: str) -> Place:
    """A line's place; `why_discarded` is empty unless everything is thrown away."""
    entry = judged.entry
    origin = Origin.AUTO_CONF if entry.file == auto_conf else Origin.FILE
    state, why = State.APPLIED, ""
    if judged.error is not None:
        state, why = State.ERROR, judged.why or judged.error
    elif why_discarded and not judged.superseded:
        state, why = State.DISCARDED, why_discarded
    where = f"{entry.file}:{entry.line}"
    return Place(origin, where, entry.value or "", state, entry.file, entry.line, why)


_VARIABLES = {"port": "PGPORT", "datestyle": "PGDATESTYLE"}


def _with(place: Place, state: State, *, why: str = "", overridden_by: str = "") -> Place:
    return Place(
        place.origin, place.where, place.value, state, place.file, place.line, why or place.why, overridden_by
    )


def _session_only(place: Place) -> bool:
    """ALTER DATABASE and ALTER ROLE concern the sessions they name, not the server."""
    return place.origin in (Origin.DATABASE, Origin.ROLE, Origin.ROLE_IN_DATABASE)


def _from_role(row: RoleSetting) -> Place:
    if row.database and row.role:
        origin, where = Origin.ROLE_IN_DATABASE, f"ALTER ROLE {row.role} IN DATABASE {row.database}"
    elif row.role:
        origin, where = Origin.ROLE, f"ALTER ROLE {row.role}"
    else:
        origin, where = Origin.DATABASE, f"ALTER DATABASE {row.database}"
    return Place(origin, where, row.value, State.APPLIED)


def _why_discarded(loaded: Loaded) -> str:
    first = loaded.errors[0]
    return f"{first.entry.file}:{first.entry.line}: {first.why or first.error}" if loaded.errors else ""


_CLEANED = frozenset({"cluster_name", "application_name"})
_REWORDED = frozenset({"datestyle", "timezone", "log_timezone", "client_encoding"})
"""Texts that the server rewrites in its own words: `iso, mdy` is shown as `ISO, MDY`."""


_COMPUTED = {
    "wal_buffers": "-1", "commit_timestamp_buffers": "0", "subtransaction_buffers": "0",
    "transaction_buffers": "0",
}  # fmt: skip
"""Values that leave it to the server, which then shows what it chose."""


def _cleaned(text: str) -> tuple[str, str]:
    """pg_clean_ascii(): what is not printable ASCII is a `?` before version 16, else written as `\\xNN`."""
    raw = text.encode("utf-8", "surrogateescape")
    signs = [(chr(byte), chr(byte)) if 32 <= byte < 127 else ("?", f"\\x{byte:02x}") for byte in raw]
    return "".join(old for old, _ in signs), "".join(new for _, new in signs)


def _alike(winner: Place, running: InForce, meta: SettingMeta | None) -> bool:
    if meta is not None and meta.name.lower() in _REWORDED:
        return winner.value.casefold().split() == running.value.casefold().split()
    if meta is not None and meta.name in _CLEANED and running.value in _cleaned(winner.value):
        return True
    return same(winner.value, running.value, meta)


_CHANGED_BY_A_RESTART = (Context.POSTMASTER, Context.INTERNAL, Context.OTHER)


def _waits_for(winner: Place | None, running: InForce | None, meta: SettingMeta | None) -> str:
    """What it takes until the running server has the winner's value; empty when it has it."""
    if running is None or winner is None:
        return ""
    if running.source == Source.OVERRIDE and (meta is None or meta.name not in _COMPUTED):
        return ""
    if winner.origin is Origin.DEFAULT and (
        meta is None or meta.boot is None or running.source != Source.FILE
    ):
        return ""  # the server computes it, or set it itself: no file ever said otherwise
    if running.value == "(disabled)":
        running = replace(running, value=winner.value if running.hidden is None else running.hidden)
    if _alike(winner, running, meta):
        return ""
    if meta is not None and meta.vartype is VarType.OTHER:
        return ""  # two texts may mean the same
    restart = meta is not None and meta.context in _CHANGED_BY_A_RESTART
    return "restart" if restart else "reload"
