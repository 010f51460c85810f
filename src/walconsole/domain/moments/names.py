"""Relations by name, where today's catalogue knows them; else by number, and where to ask.

The WAL has no names. It has files (relfilenode), and of relations that were locked, changed or dropped their
OIDs. A relation that was dropped since is known to no catalogue of today, but to that of a server that was
recovered to just before: `SELECT OID::regclass` there.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import field

from walconsole.domain.moments.events import FIRST_NORMAL, Kind, Moment, RelationFile, RelationId
from walconsole.domain.moments.page_images import Past, PastRelation
from walconsole.domain.records import record
from walconsole.domain.redaction import safe

MOST_ASKED = 2_000
"""OIDs and files of a database that are asked for at a time."""
PUBLIC, PG_TOAST = 2200, 99
"""OIDs of schemas that initdb makes (pg_namespace.dat)."""
_INDEXES = frozenset("iI")
_PARTS = _INDEXES | frozenset("t")
"""What belongs to a table that stands there itself."""
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


@record
class Relation:
    """A relation of today: its name with its schema, as SQL quotes it, its relkind, and for an index or a
    TOAST table the OID of the table that it is part of.
    """

    name: str
    kind: str
    part_of: int | None = None


@record
class Names:
    """What catalogues of today say. `asked` are the databases that answered, `unasked` says why others did
    not.
    """

    databases: Mapping[int, str] = field(default_factory=dict)
    by_oid: Mapping[RelationId, Relation] = field(default_factory=dict)
    by_file: Mapping[tuple[int, int], RelationId] = field(default_factory=dict)
    asked: frozenset[int] = frozenset()
    unasked: tuple[str, ...] = ()
    schemas: Mapping[RelationId, str] = field(default_factory=dict)
    past: Past = field(default_factory=Past)
    """What relations were called in the WAL's own images."""

    def database(self, oid: int) -> str:
        """Its name, else its number."""
        return safe(self.databases[oid]) if oid in self.databases else f"database {oid}"

    def of_file(self, file: RelationFile) -> str:
        """The table whose file it is, an index's and a TOAST table's being its table's."""
        place = file.database, file.node
        oid = self.by_file.get(place) or self.past.by_file.get(place)
        return f"file {file.database}/{file.node}" if oid is None else self.of_oid(oid)

    def of_oid(self, each: RelationId) -> str:
        """The table's name, of today, else of then; its number where neither is known."""
        relation = self.by_oid.get(each)
        if relation is not None:
            return safe(self._whole(each, relation).name)
        was = self.past.by_oid.get(each)
        return f"OID {each.oid}" if was is None else safe(self._past_name(each.database, was))

    def _past_name(self, database: int, was: PastRelation) -> str:
        known = {PUBLIC: "public", PG_TOAST: "pg_toast"}.get(was.schema)
        schema = self.schemas.get(RelationId(database, was.schema), known)
        name = was.name if _PLAIN.fullmatch(was.name) else '"' + was.name.replace('"', '""') + '"'
        return f"{schema or f'schema {was.schema}'}.{name}"

    def _whole(self, each: RelationId, relation: Relation) -> Relation:
        if relation.part_of is None:
            return relation
        return self.by_oid.get(RelationId(each.database, relation.part_of), relation)

    def knows(self, each: RelationId) -> bool:
        """Whether it has a name, of today or of then."""
        return each in self.by_oid or each in self.past.by_oid

    def kind_of(self, each: RelationId) -> str:
        """Its relkind, empty where it is not known."""
        relation = self.by_oid.get(each) or self.past.by_oid.get(each)
        return "" if relation is None else relation.kind

    def is_index(self, each: RelationId) -> bool:
        """Whether it is known to be one."""
        return self.kind_of(each) in _INDEXES


def wanted(moments: Iterable[Moment]) -> dict[int, tuple[int, ...]]:
    """By database, the OIDs and relfilenodes to ask its catalogue for: both are numbers of the same kind."""
    found: dict[int, dict[int, None]] = {}
    for moment in moments:
        for file in (*(file for file, _ in moment.rows), *moment.files_made):
            _want(found, file.database, file.node)
        for each in (*moment.locked, *moment.gone, *moment.truncated):
            _want(found, each.database, each.oid)
        for database in moment.databases:
            for oid in moment.touched:
                _want(found, database, oid)
    return {database: tuple(oids) for database, oids in found.items()}


def _want(found: dict[int, dict[int, None]], database: int, number: int) -> None:
    if number < FIRST_NORMAL or not database:
        return
    oids = found.setdefault(database, {})
    if len(oids) < MOST_ASKED:
        oids[number] = None


def read_names(said: str) -> Names:
    """What the droplet's script printed: a JSON array a line, `["database", oid, name]`, `["relation",
    database, oid, file, name, kind, part_of]`, `["unasked", oid, why]`. What is no such line is left out.
    """
    databases: dict[int, str] = {}
    by_oid: dict[RelationId, Relation] = {}
    by_file: dict[tuple[int, int], RelationId] = {}
    schemas: dict[RelationId, str] = {}
    unasked: list[str] = []
    for line in said.splitlines():
        try:
            what, *rest = json.loads(line)
            if what == "database":
                databases[int(rest[0])] = str(rest[1])
            elif what == "unasked":
                unasked.append(f"{databases.get(int(rest[0]), f'database {int(rest[0])}')}: {rest[1]}")
            elif what == "schema":
                schemas[RelationId(int(rest[0]), int(rest[1]))] = str(rest[2])
            elif what == "relation":
                database, oid, file, name, kind, part_of = rest
                each = RelationId(int(database), int(oid))
                by_oid[each] = Relation(str(name), str(kind), None if part_of is None else int(part_of))
                if file is not None:
                    by_file[each.database, int(file)] = each
        except (ValueError, TypeError, IndexError):
            continue
    asked = frozenset(each.database for each in by_oid)
    return Names(databases, by_oid, by_file, asked, tuple(safe(line) for line in unasked), schemas)


def judged_kind(moment: Moment, names: Names) -> Kind:
    """What it is where names help: new files of indexes alone are REINDEX's, and no rows are gone."""
    if moment.kind is not Kind.TRUNCATED or moment.truncated or not moment.locked:
        return moment.kind
    made = {file.node for file in moment.files_made}
    old = [each for each in moment.locked if each.oid not in made]
    return Kind.DDL if old and all(names.is_index(each) for each in old) else moment.kind


def relations_of(moment: Moment, names: Names) -> tuple[str, ...]:
    """The tables that it is about, each once, those that matter for what it did first."""
    about: list[str] = []
    if moment.kind is Kind.DATABASE_DROPPED:
        return tuple(names.database(oid) for oid in moment.databases)
    if moment.kind is Kind.DROPPED:
        made, gone = {file.node for file in moment.files_made}, set(moment.gone)
        # DROP locks the table that was named first, then what depends on it
        locked = [each for each in moment.locked if each in gone or (not gone and each.oid not in made)]
        every = tuple(dict.fromkeys((*locked, *moment.gone)))
        tables = [each for each in every if names.kind_of(each) not in _PARTS]
        about += [names.of_oid(each) for each in tables or every]
    elif moment.kind in (Kind.TRUNCATED, Kind.REWRITTEN):
        gone, made = set(moment.gone), {file.node for file in moment.files_made}
        about += [names.of_oid(each) for each in moment.truncated]
        about += [names.of_oid(each) for each in moment.locked if each not in gone and each.oid not in made]
    elif moment.kind is Kind.DDL:
        database = next(iter(moment.databases), 0)
        touched = [RelationId(database, oid) for oid in moment.touched]
        # of the past an index and a TOAST table are not known to be which table's
        about += [
            names.of_oid(each)
            for each in touched
            if each in names.by_oid or names.kind_of(each) not in _PARTS
        ]
    about += [names.of_file(file) for file, _ in moment.rows]
    return tuple(dict.fromkeys(about))
