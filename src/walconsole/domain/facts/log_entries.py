"""What a line of PostgreSQL's log tells about archiving.

Wordings from PostgreSQL's sources, 13 to 18: pgarch.c, shell_archive.c, postmaster.c, xlog.c; in other
languages than English those of `log_languages`.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from walconsole.domain.facts import log_languages as languages
from walconsole.domain.facts.evidence import LogEntry, LogKind
from walconsole.domain.facts.log_line import (
    ARCHIVER,
    PrivateKeys,
    is_a_programs,
    plain_text,
    servers_level,
    whole_records,
)
from walconsole.domain.patterns import pattern
from walconsole.domain.redaction import MASK, safe

LOG_LINE = re.compile(
    r"[Aa]rchiv|No space left|SIGHUP|accept connections|shut down|shutting down|terminated by signal|PANIC"
    r"|could not load library|lock file is invalid|reinitializing|rclone|archtemp|/000000"
    # The same of other languages, by a stem: bytes of UTF-8, for the script compares bytes.
    r"|arquiv|arkiver|La orden fallida|アーカイブ|არქივ|아카이브|архив|архів|归档|ar[^ ]+iv komutu"
    r"|kein Speicherplatz|No queda espacio|Aucun espace disponible|Spazio esaurito|空き領域が|장치에 남은"
    r"|Brak miejsca|no dispositivo|свободного места|Enheten [^ ]+r full|设备上没有空间"
)
"""Lines of the server's own that can matter; scripts/server_log_end.sh asks for these words too."""

_KINDS: tuple[tuple[LogKind, re.Pattern[str]], ...] = (
    (
        LogKind.DISK_FULL,
        pattern(rf"^(?!.*\w ?:  .*(?:pg_tblspc/|pgsql_tmp)).*(?:{languages.FULL})", re.IGNORECASE),
    ),
    (LogKind.FAILED, languages.FAILED),
    (LogKind.KILLED, languages.KILLED),
    (LogKind.COMMAND, languages.COMMAND),
    (LogKind.NOT_CONFIGURED, languages.NOT_CONFIGURED),
    (LogKind.ORPHAN, languages.ORPHAN),
    (
        LogKind.ARCHIVER_FATAL,
        pattern(
            r"archive_command\"? and \"?archive_library|archive_library\"? and \"?archive_command"
            r"|archive modules? (?:have to|must)",
            re.IGNORECASE,
        ),
    ),
    (LogKind.CRASHED, pattern(r"all server processes terminated; reinitializing|PANI[CK]:  ")),
    (LogKind.STARTED, languages.STARTED),
    (
        LogKind.STOPPED,
        pattern(
            r"database system is shut down|received \w+ shutdown request|lock file is invalid", re.IGNORECASE
        ),
    ),
    (LogKind.RELOADED, languages.RELOADED),
)
_ISO = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[ T](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,6}))?"
    r" ?(Z\b|UTC\b|GMT\b|[+-]\d\d(?::?\d\d)?\b|[A-Z]{2,5}\b(?! ?:))?"
)
_EPOCH = re.compile(r"\b(\d{10})\.(\d{3})\b")
_STAMP_WITHIN = 64
_LOOKED_AT = 8192
_LONGEST = 2000
"""Characters that are kept of a line: a program may print megabytes without a line break."""
Zone = Callable[[datetime], timedelta | None]
"""How far local time is from UTC at a (naive) local time; None: not known."""


def utc(_: datetime) -> timedelta | None:
    """A server that logs in UTC, as Debian's do by default."""
    return timedelta(0)


def entries_of(
    lines: Iterable[tuple[str, float | None]], zone: Zone, archivers: Collection[int] = ()
) -> tuple[LogEntry, ...]:
    """What lines of one log say, oldest first, each with the time that it is not older than, where known.

    `archivers` are the process ids that the archiver is known to have had. Never raises.
    """
    keys = PrivateKeys()
    plain = ((plain_text(line), since) for line, since in whole_records(lines))
    listed = [(MASK if keys.hidden(text) else text, since) for text, since in plain]
    prefixed = any(servers_level(text)[1] > 0 for text, _ in listed)
    reader = _Reader(zone, frozenset(archivers), prefixed=prefixed)
    told: list[tuple[LogEntry, float | None]] = []
    for text, since in listed:
        for entry in reader.read(text):
            known = entry.at is not None or entry.kind is LogKind.PROGRAM
            told.append((entry if known else replace(entry, at=since), since))
    entries = with_times(entry for entry, _ in told)
    if any(entry.at is not None for entry in entries):
        return entries
    return tuple(replace(entry, at=since) for entry, since in told)


def read_entry(line: str, zone: Zone) -> LogEntry | None:
    """What a line by itself says, or None where it is about nothing that matters here. Never raises."""
    return next(iter(_Reader(zone, frozenset(), prefixed=False).read(plain_text(line))), None)


class _Reader:
    """Reads lines of one log in their order. `prefixed`: the server's own begin with log_line_prefix."""

    def __init__(self, zone: Zone, archivers: frozenset[int], *, prefixed: bool) -> None:
        self._zone, self._archivers, self._prefixed = zone, archivers, prefixed
        self._own = False
        """Whether the server's line before was an error of the archiver's."""
        self._errors: dict[str, str] = {}
        """The last errors of whom nobody knows yet, by what stands before the level."""

    def read(self, text: str) -> Iterator[LogEntry]:
        """What a line says; and an error before it, where this line tells that it was the archiver's."""
        level, place = servers_level(text)
        if place == 0 and self._prefixed:
            level, place = "", _NO_PREFIX  # a program wrote it: the server's own lines have one
        kind, value = self._kind(text, level, place)
        if level:
            yield from self._error_before(text, level, place, kind)
            self._own = kind in _ERRORS_OWN
        if kind is not None:
            yield self._entry(text, kind, value)

    def _entry(self, text: str, kind: LogKind, value: int | None = None) -> LogEntry:
        shown = safe(text)
        return LogEntry(
            shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…",
            kind,
            at=None if kind is LogKind.PROGRAM else stamp_at(text, self._zone),
            exit_code=value if kind is LogKind.FAILED else None,
            signal=value if kind is LogKind.KILLED else None,
        )

    def _kind(self, text: str, level: str, place: int) -> tuple[LogKind | None, int | None]:
        """What it is, and the number that it tells."""
        if level in languages.DETAILS:
            if languages.COMMAND.search(text):
                return LogKind.COMMAND, None
            return (LogKind.DETAIL if self._own else None), None
        if level in languages.STATEMENTS:
            return None, None  # somebody's words: what they are about stands in the message above them
        known = _known(text[:_LOOKED_AT])
        if known is not None:
            return known
        if text.startswith("\t") or not text.strip():
            return None, None
        if level in languages.ERRORS:
            return self._of_error(text, level, place), None
        if place == _NO_PREFIX or is_a_programs(text):
            return LogKind.PROGRAM, None
        named = level and languages.TOO_OFTEN.search(text)
        return (LogKind.OTHER if named or _ABOUT.search(text) else None), None

    def _of_error(self, text: str, level: str, place: int) -> LogKind | None:
        """An error: whether it is the archiver's."""
        library = languages.LIBRARY.search(text, place) is not None
        numbers = {int(each) for each in _WORD_OF_DIGITS.findall(_ISO.sub("", text[:place]))}
        if not library and ARCHIVER not in text[:place] and not numbers & self._archivers:
            return LogKind.OTHER if _ABOUT.search(text, place) else None
        return LogKind.ARCHIVER_FATAL if library or level in languages.DIED else LogKind.ARCHIVER_ERROR

    def _error_before(self, text: str, level: str, place: int, kind: LogKind | None) -> Iterator[LogEntry]:
        """The last error of the process that gives a file up for now: that was why."""
        who = _COUNTED.sub("", _ISO.sub("", text[:place]))
        if level in languages.ERRORS and kind in (None, LogKind.OTHER):
            self._errors.pop(who, None)
            self._errors[who] = text
            if len(self._errors) > _ERRORS_KEPT:
                del self._errors[next(iter(self._errors))]
        elif kind is LogKind.OTHER and who.strip() and languages.TOO_OFTEN.search(text):
            before = self._errors.pop(who, None)
            if before is not None:
                yield self._entry(before, LogKind.ARCHIVER_ERROR)


@lru_cache(maxsize=1024)
def _known(text: str) -> tuple[LogKind, int | None] | None:
    """What its wording says, whoever wrote it. The same lines are read again at each look."""
    for kind, wording in _KINDS:
        if found := wording.search(text):
            number = next((each for each in found.groups() if each), "")
            return kind, int(number) if number.isdecimal() and len(number) < 6 else None
    return None


_ERRORS_OWN = frozenset({LogKind.ARCHIVER_FATAL, LogKind.ARCHIVER_ERROR, LogKind.DETAIL})
_ERRORS_KEPT = 50
_NO_PREFIX = -2
_WORD_OF_DIGITS = pattern(r"(?<![\d.])\d{1,9}(?![\d.])")
_COUNTED = pattern(r"\b\d+-\d+\b|\b\d{10}\.\d{3}\b")
"""What differs from line to line: %l in its usual form, %n."""
_ABOUT = pattern(r"archiv|arquiv|arkiver|アーカイブ|არქივ|아카이브|архив|архів|归档", re.IGNORECASE)


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
