"""All of pg_settings, and what ALTER DATABASE and ALTER ROLE set."""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from functools import lru_cache

from walconsole.domain.facts.observed import CatalogueFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.pgconf.loading import InForce
from walconsole.domain.pgconf.reader import fold
from walconsole.domain.pgconf.resolution import RoleSetting
from walconsole.domain.pgconf.values import Context, SettingMeta, VarType
from walconsole.domain.round_trips import Row
from walconsole.errors import DatabaseError
from walconsole.observe.poller.probe import Fact
from walconsole.observe.server.statements import integer, number, query, text
from walconsole.ports import Database

SOURCE = "pg_settings, pg_db_role_setting"
_OF_THE_SESSION = frozenset({"client", "session", "interactive", "test", "database", "user", "database user"})
"""Sources that say what the console's own session has, not what the server has."""

_MOST_SHARED = 4096
"""Settings of some ten versions, with what extensions add."""
_VARTYPES, _CONTEXTS = frozenset(VarType), frozenset(Context)


class CatalogueProbe:
    """Fills CATALOGUE: some 380 rows, so rarely, and at once when a setting in force has changed."""

    name = SOURCE
    slots = (Snapshot.catalogue,)
    cadence_s = 30.0
    timeout_s = 20.0

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self) -> Sequence[Fact]:
        """Raises errors.DatabaseError and what the connection raises."""
        await self._database.version_num()  # lets the archiver's statement go first: it queued before
        answer = await self._database.fetch(query("catalogue"))
        if len(answer.rows) != 1:
            why = f"it answered with {len(answer.rows)} rows instead of one"
            raise DatabaseError("read pg_settings", why, "is this a PostgreSQL server?")
        at = (answer.sent_at + answer.answered_at) / 2
        return [Fact(Snapshot.catalogue, read_catalogue(answer.rows[0]), at, SOURCE)]


def read_catalogue(row: Row) -> CatalogueFacts:
    """The answer of queries/catalogue.sql. Raises errors.DatabaseError where it is another's."""
    try:
        settings = json.loads(text(row, "settings") or "[]")
        metas = _shared(dict(map(_meta, settings)))
        in_force = dict(_in_force(settings))
        assigned = tuple(_role_settings(json.loads(text(row, "role_settings") or "[]")))
    except (ValueError, TypeError, IndexError) as error:
        why = f"its rows are not what pg_settings has ({type(error).__name__})"
        raise DatabaseError("read pg_settings", why, "is this a PostgreSQL server?") from error
    return CatalogueFacts(
        metas,
        in_force,
        assigned,
        loaded_at=number(row, "loaded_at"),
        version_num=integer(row, "version_num") or 0,
    )


_METAS: deque[dict[str, SettingMeta]] = deque(maxlen=8)
"""Those of the servers that were asked last, by kind: hundreds in a list have the same."""


def _shared(metas: dict[str, SettingMeta]) -> dict[str, SettingMeta]:
    found = next((each for each in _METAS if each == metas), None)
    if found is None:
        _METAS.append(metas)
    return metas if found is None else found


def _meta(columns: Sequence[object]) -> tuple[str, SettingMeta]:
    name, _, unit, vartype, context, low, high, choices, boot, *_ = columns
    return _described(
        name,
        unit,
        vartype,
        context,
        low,
        high,
        tuple(map(str, choices)) if isinstance(choices, list) else (),
        boot,
    )


@lru_cache(maxsize=_MOST_SHARED)
def _described(
    name: object,
    unit: object,
    vartype: object,
    context: object,
    low: object,
    high: object,
    choices: tuple[str, ...],
    boot: object,
) -> tuple[str, SettingMeta]:
    """By its folded name. One for all servers of a version: a list of clusters holds it once."""
    return fold(str(name)), SettingMeta(
        str(name),
        VarType(str(vartype)) if vartype in _VARTYPES else VarType.OTHER,
        Context(str(context)) if context in _CONTEXTS else Context.OTHER,
        None if boot is None else str(boot),
        None if unit is None else str(unit),
        None if low is None else float(str(low)),
        None if high is None else float(str(high)),
        choices,
    )


def _in_force(settings: Sequence[Sequence[object]]) -> Iterator[tuple[str, InForce]]:
    """What the server has; not what belongs to the console's own session."""
    for columns in settings:
        name, value, *_ = columns
        source, file, line, pending, hidden = (*columns[9:14], None)[:5]
        if source not in _OF_THE_SESSION:
            if source == "default" and (file, line, pending, hidden) == (None, None, False, None):
                yield _as_built(name, value)
                continue
            yield (
                fold(str(name)),
                InForce(
                    "" if value is None else str(value),
                    str(source),
                    None if file is None else str(file),
                    line if isinstance(line, int) else None,
                    pending is True,
                    None if hidden is None else str(hidden),
                ),
            )


@lru_cache(maxsize=_MOST_SHARED)
def _as_built(name: object, value: object) -> tuple[str, InForce]:
    """What nobody has set, so nobody's secret: held once, as what describes it."""
    return fold(str(name)), InForce("" if value is None else str(value), "default")


def _role_settings(rows: Sequence[Sequence[str]]) -> Iterator[RoleSetting]:
    for database, role, assignment in rows:
        name, _, value = assignment.partition("=")
        yield RoleSetting(name, value, database, role)
