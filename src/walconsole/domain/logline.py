"""Lines of the server's log and of the journal, told apart by whether they are about archiving."""

import re
from dataclasses import dataclass
from enum import StrEnum


class LogLevel(StrEnum):
    """How bad a line says it is, in one order for PostgreSQL's and the journal's words."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    FATAL = "fatal"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line, printable and redacted already.

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
_LEVEL = re.compile(rf"\b({'|'.join(_LEVELS)})[1-5]?:\s")
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:[A-Z]{2,5}|[+-]\d\d:?\d\d)\b)?)")
_ARCHIVING = re.compile(
    r"archiv|\bWAL\b|pg_wal|rclone"
    r"|\b[0-9A-F]{24}\b|\.ready\b|No space left on device|checkpoints are occurring",
    re.IGNORECASE,
)


def read_line(origin: str, text: str, *, always: bool = False) -> LogLine:
    """A line that is printable already; `always` marks every line of this stream as about archiving."""
    stamp = _STAMP.search(text[:64])
    level = _LEVEL.search(text)
    return LogLine(
        origin=origin,
        stamp=stamp[1] if stamp else "",
        level=_LEVELS[level[1]] if level else LogLevel.INFO,
        text=text,
        about_archiving=always or _ARCHIVING.search(text) is not None,
    )
