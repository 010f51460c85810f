"""One configuration file, line by line, as PostgreSQL's src/backend/utils/misc/guc-file.l reads it.

A statement never spans lines, and flex takes the longest token, so a line is either one of the
three valid forms below or a syntax error. The pattern's tokens are atomic: where the longest token
leads nowhere, flex does not try a shorter one either. No group is repeated possessively: Python
before 3.11.5 matches too little then (CPython issue 106052).
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

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
