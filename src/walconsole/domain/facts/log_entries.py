"""What a line of PostgreSQL's log tells about archiving.

Wordings from PostgreSQL's sources, 13 to 18: pgarch.c, shell_archive.c, postmaster.c, xlog.c. They are those
of `lc_messages = C` and of English; of a log in another language only the programs' own words are understood.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from walconsole.domain.facts.evidence import LogEntry, LogKind
from walconsole.domain.facts.log_line import is_a_programs, plain_text
from walconsole.domain.redaction import safe

LOG_LINE = re.compile(
    r"archiv|No space left|SIGHUP|accept connections|shut down|shutting down|terminated by signal|PANIC"
    r"|could not load library|reinitializing|rclone"
)
"""Lines of the server's own that can matter; scripts/server_log_end.sh asks for these words too."""

_KINDS: tuple[tuple[LogKind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            LogKind.DISK_FULL,
            r"^(?!.*[A-Z]:  .*(?:pg_tblspc/|pgsql_tmp)).*(?:no space left on device|disk quota exceeded)",
        ),
        (LogKind.FAILED, r"archive command failed with exit code \d+"),
        (LogKind.KILLED, r"archive command was terminated by (?:signal|exception)"),
        (LogKind.COMMAND, r"the failed archive command was:"),
        (LogKind.NOT_CONFIGURED, r"archive_mode enabled, yet arch"),
        (LogKind.ORPHAN, r"orphan archive status file"),
        (
            LogKind.ARCHIVER_FATAL,
            r"archive_command\"? and \"?archive_library|archive_library\"? and \"?archive_command"
            r"|archive modules? (?:have to|must)",
        ),
        (LogKind.ARCHIVER_FATAL, r"(?:FATAL|ERROR):  (?:could not load library|could not access file)"),
        (LogKind.CRASHED, r"all server processes terminated; reinitializing|PANIC:  "),
        (LogKind.STARTED, r"database system is ready to accept"),
        (LogKind.STOPPED, r"database system is shut down|received \w+ shutdown request"),
        (LogKind.RELOADED, r"received SIGHUP, reloading configuration files"),
    )
)
_NUMBER = re.compile(r"(?:exit code|by signal|by exception) (?:0x)?(\w+)")
_ISO = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[ T](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,6}))?"
    r" ?(Z\b|UTC\b|GMT\b|[+-]\d\d(?::?\d\d)?\b|[A-Z]{2,5}\b(?! ?:))?"
)
_EPOCH = re.compile(r"\b(\d{10})\.(\d{3})\b")
_STAMP_WITHIN = 64
_LONGEST = 2000
"""Characters that are kept of a line: a program may print megabytes without a line break."""
_FOREIGN = re.compile(
    r"\b(?:FEHLER|PROTOKOLL|PANIK|ERREUR|ERRORE|REGISTRO|ОШИБКА|СООБЩЕНИЕ|FEL|BŁĄD|DZIENNIK):  "
)

Zone = Callable[[datetime], timedelta | None]
"""How far local time is from UTC at a (naive) local time; None: not known."""


def utc(_: datetime) -> timedelta | None:
    """A server that logs in UTC, as Debian's do by default."""
    return timedelta(0)


def read_entry(line: str, zone: Zone) -> LogEntry | None:
    """What a line says, or None where it is about nothing that matters here. Never raises."""
    text = plain_text(line)
    kind = _kind(text)
    if kind is None:
        return None
    number = _NUMBER.search(text)
    value = int(number[1]) if number is not None and number[1].isdigit() and len(number[1]) < 6 else None
    shown = safe(text)
    return LogEntry(
        shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…",
        kind,
        at=None if kind is LogKind.PROGRAM else stamp_at(text, zone),
        exit_code=value if kind is LogKind.FAILED else None,
        signal=value if kind is LogKind.KILLED else None,
    )


def _kind(text: str) -> LogKind | None:
    for kind, pattern in _KINDS:
        if pattern.search(text):
            return kind
    if text.startswith("\t") or not text.strip():
        return None
    if is_a_programs(text):
        return LogKind.PROGRAM
    return LogKind.OTHER if "archiv" in text.lower() else None


def stamp_at(text: str, zone: Zone) -> float | None:
    """The time in a line's prefix, seconds since the epoch; None where there is none that can be read."""
    epoch = _EPOCH.search(text, 0, _STAMP_WITHIN)
    stamp = _ISO.search(text, 0, _STAMP_WITHIN)
    if stamp is None:
        return None if epoch is None else float(epoch[0])
    year, month, day, hour, minute, second = (int(stamp[group]) for group in range(1, 7))
    try:
        local = datetime(year, month, day, hour, minute, min(second, 59))  # noqa: DTZ001  # its zone is told next
        offset = _offset(stamp[8] or "", local, zone)
        if offset is None:
            return None
        at = local.replace(tzinfo=timezone(offset)).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        return None
    return at + float(f"0.{stamp[7]}") if stamp[7] else at


def _offset(named: str, local: datetime, zone: Zone) -> timedelta | None:
    """The distance from UTC. An abbreviation of letters is ambiguous: log_timezone knows what is meant."""
    if named in ("Z", "UTC", "GMT"):
        return timedelta(0)
    if named[:1] in ("+", "-"):
        digits = named[1:].replace(":", "").ljust(4, "0")
        minutes = int(digits[:2]) * 60 + int(digits[2:])
        return timedelta(minutes=-minutes if named[0] == "-" else minutes)
    return zone(local)


def with_times(entries: Iterable[LogEntry]) -> tuple[LogEntry, ...]:
    """Lines without a time of the server's get that of the next line which has one, else of the one before.

    What an archive command prints comes right before the server's word on how it ended.
    """
    listed = list(entries)
    following: float | None = None
    for index in range(len(listed) - 1, -1, -1):
        if listed[index].at is not None:
            following = listed[index].at
        elif following is not None:
            listed[index] = replace(listed[index], at=following)
    before: float | None = None
    for index, entry in enumerate(listed):
        if entry.at is not None:
            before = entry.at
        elif before is not None:
            listed[index] = replace(entry, at=before)
    return tuple(listed)


def is_foreign(text: str) -> bool:
    """Whether the server writes in a language that is not understood here."""
    return _FOREIGN.search(text) is not None
