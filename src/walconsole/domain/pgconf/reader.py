"""Configuration files as the server reads them: each line as guc-file.l does, all as ParseConfigFile().

A statement never spans lines, and flex takes the longest token, so a line is either one of the
three valid forms below or a syntax error. The pattern's tokens are atomic: where the longest token
leads nowhere, flex does not try a shorter one either. No group is repeated possessively: Python
before 3.11.5 matches too little then (CPython issue 106052).

What reading all files in their order comes to is the server's own list of settings and errors, the one
behind pg_file_settings, before anything is checked or applied.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from walconsole.domain.pgconf.tree import ConfigTree, EntryKind, FileContent, Obstacle, join, located
from walconsole.domain.records import record
from walconsole.domain.redaction import decode

MAX_SYNTAX_ERRORS = 100
"""After so many syntax errors the server gives a file up."""

_ID = rb"[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*+"
_QUALIFIED = rb"%b\.%b" % (_ID, _ID)
_LONGER = rb"[A-Za-z0-9_\x80-\xff.:/-]"
_BLANK = rb"[ \t\r]*+"
_STATEMENT = re.compile(
    rb"%(blank)b(?:"
    rb"(?P<name>(?>%(id)b(?:\.%(id)b)?)(?!%(longer)b))%(blank)b=?+%(blank)b"
    rb"(?:(?P<string>'[^'\\\n]*+(?:(?:\\[^\n]|'')[^'\\\n]*+)*')"
    rb"|(?!%(qualified)b(?!%(longer)b))(?P<word>[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff.:/-]*+)"
    rb"|(?P<number>(?>[-+]?[0-9]*+\.[0-9]*+(?:[Ee][-+]?[0-9]++)?"
    rb"|[-+]?(?:0x[0-9a-fA-F]++|[0-9]++)[A-Za-z]*+)))"
    rb"%(blank)b)?(?:#[^\n]*)?" % {b"blank": _BLANK, b"id": _ID, b"longer": _LONGER, b"qualified": _QUALIFIED}
)
_UNFINISHED = re.compile(
    rb"%(blank)b%(id)b(?:\.%(id)b)?(?!%(longer)b)%(blank)b=?+%(blank)b(?:#[^\n]*)?"
    % {b"blank": _BLANK, b"id": _ID, b"longer": _LONGER}
)
_ESCAPED = re.compile(rb"\\([0-7]{1,3}|[^\n])|''", re.DOTALL)
_HASH = ord("#")
_CONTROL = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


class Statement(NamedTuple):
    """`name = value` on a line (counted from 1). `name` is None where the line is a syntax error.

    A tuple, for thousands are made at each look.

    `line` is the number that the server reports: one too small for an error at the end of a file
    that does not end in a newline.
    """

    line: int
    name: str | None = None
    value: str = ""


def statements(raw: bytes, max_syntax_errors: int = MAX_SYNTAX_ERRORS) -> Iterator[Statement]:
    """The statements of a file in order, syntax errors among them; ends after `max_syntax_errors`."""
    errors = 0
    lines = raw.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line or line[0] == _HASH:
            continue
        found = _STATEMENT.fullmatch(line)
        if found is None:
            ends_file = number == len(lines) and _UNFINISHED.fullmatch(line)
            yield Statement(number - 1 if ends_file else number)
            errors += 1
            if errors >= max_syntax_errors:
                return
        elif found["name"] is not None:
            yield Statement(number, decode(found["name"]), _value(found))


def _value(found: re.Match[bytes]) -> str:
    quoted: bytes | None = found["string"]
    if quoted is None:
        return decode(found["word"] or found["number"])
    if b"\\" in quoted or b"\0" in quoted or b"''" in quoted[1:-1]:
        return decode(unquoted(quoted))
    return decode(quoted[1:-1])


def unquoted(quoted: bytes) -> bytes:
    """DeescapeQuotedString(): quotes and escapes taken off, as far as the first NUL byte.

    The server takes the last character before a NUL in the file for the closing quote.
    """
    if b"\0" in quoted:
        quoted = quoted[: quoted.index(b"\0")]
    return _ESCAPED.sub(_plain, quoted[1:-1]).partition(b"\0")[0]


def _plain(escape: re.Match[bytes]) -> bytes:
    what: bytes | None = escape[1]
    if what is None:
        return b"'"
    if what.isdigit() and what[:1] < b"8":
        return bytes([int(what, 8) & 0xFF])
    return _CONTROL.get(what, what)


def fold(name: str) -> str:
    """guc_name_compare()'s folding: ASCII only."""
    return name.translate(_LOWER) if not name.islower() else name


_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


MAX_DEPTH = 10
"""CONF_FILE_MAX_DEPTH: the nesting of includes that the server allows."""

MAX_ENTRIES = 100_000
"""Includes that call each other twice would grow without end; so far they are followed."""

AUTO_CONF = "postgresql.auto.conf"


class Entry(NamedTuple):
    """One setting, or one error (`name` is None), in the server's order."""

    file: str
    line: int
    name: str | None = None
    value: str | None = None
    error: str | None = None


@record
class Visit:
    """A file that was opened: by which line of which file, None for the first ones."""

    path: str
    by_file: str | None
    by_line: int


@record
class Skipped:
    """A file that is left out without an error: `include_if_exists`, or no postgresql.auto.conf."""

    path: str
    why: str
    by_file: str | None
    by_line: int


@record
class Reading:
    """What reading all files gave.

    `complete` is False where an error makes the server throw everything away. `uncertain` names
    what was not looked at on the host or only in part: there the truth may differ. `statements` are
    each file's own, by its path.
    """

    entries: tuple[Entry, ...]
    visits: tuple[Visit, ...]
    skipped: tuple[Skipped, ...]
    complete: bool
    uncertain: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    statements: Mapping[str, tuple[Statement, ...]] = field(default_factory=dict, repr=False)


@dataclass(slots=True)
class _Reader:
    tree: ConfigTree
    data_directory: str | None
    max_syntax_errors: int
    major: int | None
    entries: list[Entry] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    uncertain: dict[str, None] = field(default_factory=dict)
    wanted: dict[str, None] = field(default_factory=dict)
    parsed: dict[str, tuple[Statement, ...]] = field(default_factory=dict)

    def fail(self, error: str, caller: Visit) -> bool:
        """record_config_file_error(); always False."""
        self.entries.append(Entry(caller.by_file or "", caller.by_line, error=error))
        return False

    def file(self, location: str, strict: bool, caller: Visit, depth: int) -> bool:
        """ParseConfigFile(). `caller.path` is not used: it is what this call finds out."""
        if not location.strip(" \t\r\n"):
            return self.fail("empty configuration file name", caller)
        if depth > MAX_DEPTH:
            return self.fail("nesting depth exceeded", caller)
        path = located(location, caller.by_file, self.data_directory, self.major)
        if path == caller.by_file:
            return self.fail("configuration file recursion", caller)
        content = self.tree.file(path)
        if content is None:
            self.wanted[path] = None
            self.uncertain[f"{path}: nobody looked whether it is there"] = None
            content = FileContent(path, obstacle=Obstacle.MISSING)
        obstacle = _obstacle_to_server(content)
        if obstacle is Obstacle.TOO_MANY:  # the console's limit, and none of the server's
            self.uncertain[f"{path}: {obstacle.value}"] = None
            self.visits.append(Visit(path, caller.by_file, caller.by_line))
            return True
        if obstacle is not None and obstacle is not Obstacle.DIRECTORY:
            if strict:
                return self.fail(f'could not open file "{path}"', caller)
            self.skipped.append(Skipped(path, obstacle.value, caller.by_file, caller.by_line))
            return True
        self.visits.append(Visit(path, caller.by_file, caller.by_line))
        if obstacle is Obstacle.DIRECTORY:
            return self.fail("input in flex scanner failed", Visit(path, path, 1))
        return self.statements(content, depth)

    def statements(self, content: FileContent, depth: int) -> bool:
        """ParseConfigFp()."""
        if content.cut:
            self.uncertain[f"{content.path}: longer than what was read of it"] = None
        good = True
        for statement in self.lexed(content):
            if len(self.entries) >= MAX_ENTRIES:
                self.uncertain[f"{content.path}: more than {MAX_ENTRIES} settings, not followed on"] = None
                return good
            if statement.name is None:
                self.entries.append(Entry(content.path, statement.line, error="syntax error"))
                good = False
                continue
            if len(statement.name) in _INCLUDE_LENGTHS and fold(statement.name) in _INCLUDES:
                caller = Visit("", content.path, statement.line)
                good &= self.include(fold(statement.name), statement.value, caller, depth + 1)
            else:
                self.entries.append(Entry(content.path, statement.line, statement.name, statement.value))
        return good

    def lexed(self, content: FileContent) -> tuple[Statement, ...]:
        if content.path not in self.parsed:
            self.parsed[content.path] = tuple(statements(content.raw or b"", self.max_syntax_errors))
        return self.parsed[content.path]

    def include(self, directive: str, location: str, caller: Visit, depth: int) -> bool:
        if directive == "include_dir":
            return self.directory(location, caller, depth)
        return self.file(location, directive == "include", caller, depth)

    def directory(self, location: str, caller: Visit, depth: int) -> bool:
        """ParseConfigDirectory(): stops at the first file that has an error."""
        if not location.strip(" \t\r\n"):
            return self.fail("empty configuration directory name", caller)
        path = located(location, caller.by_file, self.data_directory, self.major)
        listing = self.tree.listing(path)
        if listing is None:
            self.wanted[path] = None
            self.uncertain[f"{path}: nobody looked whether it is there"] = None
        if listing is None or listing.obstacle is not None:
            return self.fail(f'could not open directory "{path}"', caller)
        inside = {
            join(path, name, self.major): kind for name, kind in listing.entries.items() if is_included(name)
        }
        for name, kind in inside.items():
            if kind is EntryKind.DANGLING:
                return self.fail(f'could not stat file "{name}"', caller)
        found = (name for name, kind in inside.items() if kind is not EntryKind.DIRECTORY)
        in_order = sorted(found, key=lambda name: name.encode("utf-8", "surrogateescape"))
        return all(self.file(name, True, caller, depth) for name in in_order)


_INCLUDES = frozenset({"include", "include_if_exists", "include_dir"})
_INCLUDE_LENGTHS = frozenset(map(len, _INCLUDES))


def is_included(name: str) -> bool:
    """Whether include_dir takes a file of this name: `*.conf` in lower case, no leading dot."""
    return len(name) >= 6 and name.endswith(".conf") and not name.startswith(".")


def _obstacle_to_server(content: FileContent) -> Obstacle | None:
    """What keeps the server from reading it, which need not be what kept the console."""
    if content.obstacle is Obstacle.DENIED and content.server_reads:
        return None
    if content.obstacle is None and content.server_reads is False:
        return Obstacle.DENIED
    return content.obstacle


def read(
    tree: ConfigTree,
    config_file: str,
    data_directory: str | None,
    max_syntax_errors: int = MAX_SYNTAX_ERRORS,
    major: int | None = None,
) -> Reading:
    """Read `config_file`, then postgresql.auto.conf in `data_directory`, and all that they include.

    postgresql.auto.conf is not read after an error in the files before it, as in the server.
    pg_file_settings itself stops at a file's first syntax error (`max_syntax_errors` = 1).
    `major` is the server's version, None where it is not known: then as the newest ones do.
    """
    reader = _Reader(tree, data_directory, max_syntax_errors, major)
    nobody = Visit("", None, 0)
    complete = reader.file(config_file, True, nobody, 0)
    if complete and data_directory is not None:
        complete = reader.file(AUTO_CONF, False, nobody, 0)
    return Reading(
        tuple(reader.entries),
        tuple(reader.visits),
        tuple(reader.skipped),
        complete,
        tuple(reader.uncertain),
        tuple(reader.wanted),
        reader.parsed,
    )


def directives(content: FileContent) -> Iterator[tuple[str, str, int]]:
    """The include directives of one file: which one, its location as written, its line."""
    for statement in statements(content.raw or b""):
        if statement.name is not None and fold(statement.name) in _INCLUDES:
            yield fold(statement.name), statement.value, statement.line
