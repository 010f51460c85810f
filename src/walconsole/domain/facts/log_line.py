"""Lines of the server's log and of the journal, told apart by whether they are about archiving.

PostgreSQL writes its log as text with a prefix of the operator's choice, as CSV or as JSON
(log_destination); syslog and the journal put stamps of their own in front; rclone has one more.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from walconsole.domain.facts.log_languages import STATEMENTS


class LogLevel(StrEnum):
    """How bad a line says it is, in one order for PostgreSQL's and the journal's words."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    FATAL = "fatal"


class LogLine(NamedTuple):
    """One line, printable and redacted already; a tuple, for thousands a second are made of them.

    `stamp` is the line's own time as it was written, empty when it has none; `origin` names the
    stream it came from (`postgresql`, or a journal tag).
    """

    origin: str
    stamp: str
    level: LogLevel
    text: str
    about_archiving: bool


_LEVELS = {
    "DEBUG": LogLevel.DEBUG,
    "LOG": LogLevel.INFO,
    "INFO": LogLevel.INFO,
    "NOTICE": LogLevel.INFO,
    "STATEMENT": LogLevel.INFO,
    "DETAIL": LogLevel.INFO,
    "HINT": LogLevel.INFO,
    "CONTEXT": LogLevel.INFO,
    "WARNING": LogLevel.WARNING,
    "ERROR": LogLevel.ERROR,
    "CRITICAL": LogLevel.ERROR,
    "FATAL": LogLevel.FATAL,
    "PANIC": LogLevel.FATAL,
}
_LEVEL = re.compile(r"([A-Z](?<!\w[A-Z])[A-Z]{2,8})[1-5]? ?:\s")
"""A word in capitals before a colon. That it begins there is asked after its first letter, so that the
search can skip to capitals: three times as fast as with a `\\b` in front."""
_STAMP = re.compile(
    r"\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:[A-Z]{1,5}\b(?! ?:)|[+-]\d\d(?::?\d\d)?\b))?"
    r"|\b[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\b"  # syslog
    r"|\b\d{10}\.\d{3}\b"  # log_line_prefix %n
)
_ARCHIVING_WORDS = (
    "archiv",
    "pg_wal",
    "rclone",
    ".ready",
    "no space left on device",
    "checkpoints are occurring",
)
_ARCHIVING = re.compile(r"\b0000[0-9a-f]{20}\b|\bwal\b")
"""A segment's name (no timeline ever gets beyond 65,535), or WAL as a word."""
_LEVEL_BEFORE = re.compile(r"((?:[^\W\d_a-zß-öø-ÿа-џґії]{2,}|[ა-ჰ]{4,}|文)(?:[1-5])?) ?$")
"""The word of a level, in any language: capitals, or letters without case. `upload failed:  x` has none."""
_OF_SYSLOG = re.compile(
    r"^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\S+T\d\d:\d\d:\d\d\S*) \S+ (?!postgres)\S+\[\d+\]: "
    r"|\w\[\d+\]: (?:\[\d+-\d+\] |#011|\t)"
)
"""Another service's, or a part of a message that syslog numbered, or that goes on with the one before."""
_CSV = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S+,")
ARCHIVER = "archiver"
"""The archiver's backend_type, which log_line_prefix has as %b."""
_STAMP_WITHIN, _LEVEL_WITHIN = 64, 200
"""Characters in which a line's prefix says when it was, and how bad it is."""


def read_line(origin: str, text: str, *, always: bool = False) -> LogLine:
    """A line that is printable already; `always` marks every line of this stream as about archiving."""
    stamp = _STAMP.search(text, 0, _STAMP_WITHIN)
    return LogLine(
        origin=origin,
        stamp=stamp[0] if stamp else "",
        level=_level(text),
        text=text,
        about_archiving=always or _is_about_archiving(text.lower()) or is_a_programs(text),
    )


def _level(text: str) -> LogLevel:
    """The first word in capitals before a colon that is a level."""
    for match in _LEVEL.finditer(text, 0, _LEVEL_WITHIN):
        level = _LEVELS.get(match[1])
        if level is not None:
            return level
    return LogLevel.INFO


def _is_about_archiving(lowered: str) -> bool:
    for word in _ARCHIVING_WORDS:
        if word in lowered:
            return True
    return ("wal" in lowered or "0000" in lowered) and _ARCHIVING.search(lowered) is not None


def is_a_programs(text: str) -> bool:
    """Whether the server did not write this line of its log: then a program that it ran did.

    That is the archive command before all, and its own words are why archiving fails.
    """
    if not text.strip() or servers_level(text)[0]:
        return False
    if text.startswith("{"):
        return '"error_severity"' not in text
    return _CSV.match(text) is None and _OF_SYSLOG.search(text, 0, _LEVEL_WITHIN) is None


def servers_level(text: str) -> tuple[str, int]:
    """The level that the server itself wrote, and where; empty where a program wrote the line.

    PostgreSQL puts two spaces behind the level's colon, in any language (elog.c).
    """
    at = text.find(":  ", 0, _LEVEL_WITHIN)
    while at > 0:
        if found := _LEVEL_BEFORE.search(text, max(0, at - 24), at):
            return found[1], found.start()
        at = text.find(":  ", at + 1, _LEVEL_WITHIN)
    return "", -1


class PrivateKeys:
    """Lines of one log, in their order, without the private keys that a program printed into it.

    Line by line nothing tells a key's body from other words, so that what follows its first line is hidden
    up to the last, or to a line of the server's own. A body whose beginning was not seen is
    told by its width.
    """

    def __init__(self) -> None:
        self._left = 0

    def hidden(self, text: str) -> bool:
        """Whether this line, which comes next, is to be masked as a whole."""
        begins = text.rfind("-----BEGIN")
        if begins >= 0 and "PRIVATE KEY" in text[begins:]:
            self._left = 0 if "-----END" in text[begins:] else _LONGEST_KEY
            return False  # its own shape gives it away
        if not self._left or servers_level(text)[0]:
            self._left = 0
            body = text.strip()
            return len(body) in _KEY_WIDTHS and _KEY_BODY.fullmatch(body) is not None
        self._left = 0 if "-----END" in text else self._left - 1
        return True


_LONGEST_KEY = 200
"""Lines: RSA with 16,384 bits in PEM."""
_KEY_WIDTHS = frozenset({64, 70, 76})
"""Characters a line: OpenSSL's and GnuPG's, OpenSSH's, MIME's."""
_KEY_BODY = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9+/])[A-Za-z0-9+/]+={0,2}")


def continues(raw: bytes) -> bool:
    """Whether a line as it was written goes on with the one before: PostgreSQL indents it by a tab."""
    return raw.startswith(b"\t")


def continuation(before: LogLine, text: str) -> LogLine:
    """A line that goes on with `before`: of its time and level, and about the same matter."""
    return LogLine(before.origin, before.stamp, before.level, text, before.about_archiving)


def below(before: LogLine, line: LogLine, level: str) -> tuple[LogLine, LogLine]:
    """The message `before` and the line of its `level` below it: none is shown without the other.

    A statement that names WAL makes no message one about archiving; the message's own details do.
    """
    if level in STATEMENTS:
        return before, line._replace(about_archiving=before.about_archiving)
    about = before.about_archiving or line.about_archiving
    return before._replace(about_archiving=about), line._replace(about_archiving=about)


def whole_records(lines: Iterable[tuple[str, float | None]]) -> Iterator[tuple[str, float | None]]:
    """Lines of a log, those of one CSV record joined: a message or a command in it may have line breaks.

    Where the end of a record is not there, what follows stays as it is.
    """
    held: list[tuple[str, float | None]] = []
    quotes = 0
    for text, since in lines:
        begins = _CSV.match(text) is not None
        if held and (begins or len(held) >= _RECORD_LINES):
            yield from held
            held, quotes = [], 0
        if held or (begins and text.count('"') % 2):
            held.append((text, since))
            quotes += text.count('"')
            if not quotes % 2:
                yield "\n".join(line for line, _ in held), held[0][1]
                held, quotes = [], 0
        else:
            yield text, since
    yield from held


_RECORD_LINES = 200


def plain_text(raw: str) -> str:
    """A line of PostgreSQL's CSV or JSON log as its text log would have it; any other as it is.

    The order of the CSV's fields is that of the documentation, 20.8.4 "Using CSV-Format Log Output".
    """
    if raw.startswith("{"):
        return _from_json(raw)
    if _CSV.match(raw):
        return _from_csv(raw)
    return raw


def _from_json(raw: str) -> str:
    try:
        record = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    if not isinstance(record, dict) or "message" not in record or "error_severity" not in record:
        return raw  # a program's, which writes JSON too
    fields = (
        record.get(key, "")
        for key in ("timestamp", "pid", "error_severity", "message", "detail", "hint", "backend_type")
    )
    return _as_text(*(str(field) for field in fields))


def _from_csv(raw: str) -> str:
    try:
        lines = (f"{line}\n" for line in raw.split("\n"))
        fields = next(csv.reader(lines), [])  # one that is cut is read, too
    except csv.Error:
        return raw
    if len(fields) < 14:
        return raw
    fields += [""] * (24 - len(fields))
    return _as_text(fields[0], fields[3], fields[11], fields[13], fields[14], fields[15], fields[23])


def _as_text(
    stamp: str, pid: str, severity: str, message: str, detail: str, hint: str, backend: str = ""
) -> str:
    tail = (f"  DETAIL:  {detail}" if detail else "") + (f"  HINT:  {hint}" if hint else "")
    who = f" {ARCHIVER}" if backend == ARCHIVER else ""
    return f"{stamp} [{pid}]{who} {severity or 'LOG'}:  {message}{tail}".replace("\n", " ")
