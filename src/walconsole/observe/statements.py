"""SQL from queries/*.sql, joined so that one statement, and one round trip, brings all of it."""

from functools import cache
from importlib.resources import files

from walconsole.domain.pgconf.archive_settings import ARCHIVE_SETTINGS


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
