"""SQL from queries/*.sql, joined so that one statement, and one round trip, brings all of it."""

from functools import cache
from importlib.resources import files

from walconsole.domain.pgconf.catalogue import ARCHIVE_SETTINGS
from walconsole.domain.round_trips import Row
from walconsole.errors import DatabaseError


@cache
def query(name: str) -> str:
    """The text of queries/NAME.sql."""
    return files("walconsole.queries").joinpath(f"{name}.sql").read_text("utf-8")


@cache
def joined(names: tuple[str, ...]) -> str:
    """One statement with the columns of several queries, each of which yields one row."""
    parts = (f"(\n{_complete(name)}) AS {name}" for name in names)
    return "SELECT * FROM " + " CROSS JOIN ".join(parts)  # noqa: S608  # our own files


def _complete(name: str) -> str:
    return query(name).replace(":'names'", f"'{','.join(ARCHIVE_SETTINGS)}'")


# -- Typed access to a row that came from outside.


def text(row: Row, name: str) -> str | None:
    """A text column. Raises errors.DatabaseError when it is something else."""
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value
    raise _unexpected(name, value, "text")


def integer(row: Row, name: str) -> int | None:
    """A whole number. Raises errors.DatabaseError when it is something else."""
    value = row.get(name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise _unexpected(name, value, "a whole number")


def number(row: Row, name: str) -> float | None:
    """A number, whole or not. Raises errors.DatabaseError when it is something else."""
    value = row.get(name)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return None if value is None else float(value)
    raise _unexpected(name, value, "a number")


def truth(row: Row, name: str) -> bool:
    """A boolean; null is false."""
    return row.get(name) is True


def _unexpected(name: str, value: object, wanted: str) -> DatabaseError:
    return DatabaseError(
        f"read column {name} of PostgreSQL's answer",
        f"it is {type(value).__name__}, not {wanted}",
        "is this a PostgreSQL server?",
    )
