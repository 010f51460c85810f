"""What a server makes of its configuration files: at its start, at a reload, in pg_file_settings.

ProcessConfigFileInternal() and set_config_option() of guc.c. At the start any error is fatal. At a
reload a syntax error, a missing include or an unknown name makes the server throw all of it away;
a bad value makes it skip that one line. A setting that only a restart can change keeps its value.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import NamedTuple

from walconsole.domain.pgconf.catalogue import Catalogue
from walconsole.domain.pgconf.commandline import Argument
from walconsole.domain.pgconf.reader import Entry, Reading
from walconsole.domain.pgconf.values import BadValueError, Context, SettingMeta, stored
from walconsole.domain.records import record

NOT_APPLIED = "setting could not be applied"
UNRECOGNIZED = "unrecognized configuration parameter"


class Source(StrEnum):
    """pg_settings.source, as far as it concerns files; a later one wins over an earlier one."""

    DEFAULT = "default"
    ENVIRONMENT = "environment variable"
    FILE = "configuration file"
    COMMAND_LINE = "command line"
    DATABASE = "database"
    USER = "user"
    DATABASE_USER = "database user"
    OVERRIDE = "override"


@record
class InForce:
    """A setting of a running server: a row of pg_settings. `value` is in the words of `setting`.

    `hidden` is what is set where `value` reads `(disabled)`, None where that is not known.
    """

    value: str
    source: str
    file: str | None = None
    line: int | None = None
    pending_restart: bool = False
    hidden: str | None = None


class Judged(NamedTuple):
    """An entry and what becomes of it. `superseded` by a later line of the same name."""

    entry: Entry
    applied: bool = False
    error: str | None = None
    why: str | None = None
    superseded: bool = False


@record
class Loaded:
    """The outcome: every entry judged, and the settings that are in force afterwards.

    `removed` are settings that are in no file any more and wait for a restart to go back to their
    default. `discarded` is True where the server threw everything away.
    """

    entries: tuple[Judged, ...]
    in_force: Mapping[str, InForce]
    removed: tuple[str, ...] = ()
    discarded: bool = False

    @property
    def errors(self) -> tuple[Judged, ...]:
        """What the server complains about."""
        return tuple(judged for judged in self.entries if judged.error is not None)


def superseded(entries: Sequence[Entry]) -> frozenset[int]:
    """The indexes of entries that a later one of exactly the same name makes void.

    The server compares these names with strcmp(): `Port` does not void `port`, it is merely applied
    after it.
    """
    last = {entry.name: index for index, entry in enumerate(entries) if entry.name is not None}
    return frozenset(
        index for index, entry in enumerate(entries) if entry.name is not None and last[entry.name] != index
    )


def _thrown_away(reading: Reading, catalogue: Catalogue) -> tuple[Judged, ...] | None:
    """The first pass: syntax, includes and names. None where all of it holds."""
    names = {entry.name for entry in reading.entries if entry.name is not None}
    unknown = {name for name in names if not catalogue.knows(name)} if reading.complete else set()
    if reading.complete and not unknown:
        return None
    return tuple(
        Judged(entry, error=UNRECOGNIZED, why="no setting has this name")
        if entry.name in unknown
        else Judged(entry, error=entry.error)
        for entry in reading.entries
    )


def at_start(
    reading: Reading,
    catalogue: Catalogue,
    arguments: Iterable[Argument] = (),
    defaults: Mapping[str, InForce] | None = None,
) -> Loaded:
    """What a starting server would have in force. Any error would keep it from starting.

    `defaults` are the settings before the files are read; without them, the built-in ones.
    """
    in_force = dict(defaults) if defaults is not None else {}
    for argument in arguments:
        name = catalogue.canonical_name(argument.name)
        value = _stored_or_text(argument.value, catalogue.meta(name))
        in_force[name] = InForce(value, Source.COMMAND_LINE)
    thrown_away = _thrown_away(reading, catalogue)
    if thrown_away is not None:
        return Loaded(thrown_away, in_force, discarded=True)
    judged = _apply_all(reading, catalogue, in_force, starting=True)
    return Loaded(judged, in_force, discarded=any(one.error for one in judged))


def at_reload(reading: Reading, catalogue: Catalogue, running: Mapping[str, InForce]) -> Loaded:
    """What a running server makes of its files when it is told to reload, or in pg_file_settings."""
    in_force = dict(running)
    thrown_away = _thrown_away(reading, catalogue)
    if thrown_away is not None:
        return Loaded(thrown_away, in_force, discarded=True)
    removed = _reset_removed(reading, catalogue, in_force)
    return Loaded(_apply_all(reading, catalogue, in_force, starting=False), in_force, removed)


def _apply_all(
    reading: Reading, catalogue: Catalogue, in_force: dict[str, InForce], *, starting: bool
) -> tuple[Judged, ...]:
    """The second pass, line by line; changes `in_force`."""
    dead = superseded(reading.entries)
    return tuple(
        Judged(entry, superseded=True)
        if index in dead
        else _apply(entry, catalogue, in_force, starting=starting)
        for index, entry in enumerate(reading.entries)
    )


def _reset_removed(reading: Reading, catalogue: Catalogue, in_force: dict[str, InForce]) -> tuple[str, ...]:
    """Settings that came from a file and are in none any more go back to their defaults."""
    present = {catalogue.canonical_name(entry.name) for entry in reading.entries if entry.name is not None}
    waiting: list[str] = []
    for name, value in in_force.items():
        if value.source != Source.FILE or name in present:
            continue
        meta = catalogue.meta(name)
        if meta is not None and meta.context in (Context.POSTMASTER, Context.INTERNAL):
            in_force[name] = replace(value, pending_restart=True)
            waiting.append(name)
        else:
            in_force[name] = InForce(meta.boot or "" if meta is not None else "", Source.DEFAULT)
    return tuple(waiting)


def _stored_or_text(text: str, meta: SettingMeta | None) -> str:
    try:
        return stored(text, meta) if meta is not None else text
    except BadValueError:
        return text


def _apply(entry: Entry, catalogue: Catalogue, in_force: dict[str, InForce], *, starting: bool) -> Judged:
    """set_config_option() for one line; changes `in_force`."""
    if entry.name is None or entry.value is None:
        return Judged(entry, error=entry.error)
    name = catalogue.canonical_name(entry.name)
    meta = catalogue.meta(name)
    if meta is not None and meta.context is Context.INTERNAL:
        return Judged(entry, error=NOT_APPLIED, why="this setting cannot be changed")
    try:
        value = stored(entry.value, meta) if meta is not None else entry.value
    except BadValueError as bad:
        return Judged(entry, error=NOT_APPLIED, why=str(bad))
    now = in_force.get(name)
    if not starting and meta is not None and meta.context is Context.POSTMASTER and now is not None:
        if now.value != value:
            in_force[name] = replace(now, pending_restart=True)
            return Judged(entry, error=NOT_APPLIED, why="takes effect only when the server is restarted")
        in_force[name] = replace(now, file=entry.file, line=entry.line, pending_restart=False)
        return Judged(entry, applied=True)
    if now is None or now.source in (Source.DEFAULT, Source.ENVIRONMENT, Source.FILE):
        in_force[name] = InForce(value, Source.FILE, entry.file, entry.line)
    return Judged(entry, applied=True)
