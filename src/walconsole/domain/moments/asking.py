"""What an operator asks for: a time as it is written, how far around it, what of the events."""

import re
from datetime import UTC, datetime, timedelta

from walconsole.domain.moments.events import Kind, Moment
from walconsole.domain.moments.names import Names, judged_kind, relations_of
from walconsole.domain.records import record

LONGEST_S = 7 * 86_400.0
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?Z?")
_PART = re.compile(r"(\d{1,6})\s*(s|sec|min|m|h|d)")
_UNITS_S = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_BEFORE = re.compile(r"-\s*(\d.*)|(\d.*)\s+ago", re.IGNORECASE)
_DAYS_BACK = {"today": 0, "yesterday": 1}
_FARTHEST_S = 366 * 86_400.0
"""A span that goes back from now may be longer than one that is looked through."""
PLAIN = frozenset((Kind.INSERTED, Kind.OTHER, Kind.CHECKPOINT))
"""What takes nothing away, and is listed only where all is asked for."""
FEW_UPDATED = 10
"""Updates of fewer rows are an application's daily work, and are listed likewise. A row that was deleted
is not.
"""


def read_time(text: str, now: float) -> float:
    """Seconds since the epoch: ISO 8601, without a zone in UTC; a clock's time, which is today's or
    yesterday's; a day by its word, `yesterday 14:00`; or a span before now, `-2h` and `2h ago`.

    Raises ValueError with what is wrong.
    """
    text = text.strip()
    try:
        return _told_time(text, now)
    except (ValueError, OverflowError):
        raise ValueError(
            "write a time as 2026-11-29T14:02:00Z, 14:02 or yesterday 14:02, which is UTC, or as -2h"
        ) from None


def _told_time(text: str, now: float) -> float:
    """Raises ValueError, OverflowError."""
    today = datetime.fromtimestamp(now, UTC)
    before = _BEFORE.fullmatch(text)
    if before is not None:
        return now - _span(before[1] or before[2], _FARTHEST_S)
    word, _, rest = text.partition(" ")
    if word.lower() in _DAYS_BACK:
        day = today - timedelta(days=_DAYS_BACK[word.lower()])
        return _at_clock(day, rest.strip() or "0:00").timestamp()
    if _CLOCK.fullmatch(text) is not None:
        at = _at_clock(today, text)
        return (at if at <= today else at - timedelta(days=1)).timestamp()
    if text.isdecimal():
        raise ValueError(text)
    told = datetime.fromisoformat(text)
    return (told if told.tzinfo is not None else told.replace(tzinfo=UTC)).timestamp()


def _at_clock(day: datetime, text: str) -> datetime:
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        raise ValueError(text)
    return day.replace(hour=int(clock[1]), minute=int(clock[2]), second=int(clock[3] or 0), microsecond=0)


def read_span(text: str) -> float:
    """Seconds: `10min`, `2h`, `90s`, `1h 30min`. Raises ValueError with what is wrong."""
    try:
        return _span(text, LONGEST_S)
    except ValueError:
        raise ValueError("write a span as 90s, 10min or 2h, from 1 s to 7 d") from None


def _span(text: str, longest_s: float) -> float:
    parts = _PART.findall(text)
    seconds = sum(int(count) * _UNITS_S[unit] for count, unit in parts)
    if not parts or _PART.sub("", text).strip() or not 1 <= seconds <= longest_s:
        raise ValueError(text)
    return float(seconds)


def read_asked(text: str, now: float, within_s: float = 600.0) -> tuple[float, float]:
    """A time, and after it the span where one is written: `14:02 30min`. Raises ValueError with what is
    wrong.
    """
    time, _, span = text.strip().rpartition(" ")
    if time and _PART.match(span) and not _PART.sub("", span):
        return read_time(time, now), read_span(span)
    return read_time(text, now), within_s


@record
class Shown:
    """Which events: those from `since_us` to `until_us` (None: no bound), about `about` (a part of a
    relation's name, of its number, of what happened or of a text), and without `everything` those alone
    that take something away, change definitions, or are marks.
    """

    since_us: int | None = None
    until_us: int | None = None
    about: str = ""
    everything: bool = False

    def has(self, moment: Moment, names: Names) -> bool:
        """Whether it is one."""
        at = moment.time_us
        if at is not None:
            if self.since_us is not None and at < self.since_us:
                return False
            if self.until_us is not None and at > self.until_us:
                return False
        kind = judged_kind(moment, names)
        if not self.everything and not self.about and _is_plain(kind, moment):
            return False
        if not self.about:
            return True
        wanted = self.about.casefold()
        words = (kind.value, moment.text, *relations_of(moment, names), *_databases(moment, names))
        numbers = {str(moment.xid), *(str(each.oid) for each in (*moment.gone, *moment.locked))}
        return any(wanted in word.casefold() for word in words) or self.about in numbers


def _is_plain(kind: Kind, moment: Moment) -> bool:
    if kind is not Kind.UPDATED:
        return kind in PLAIN
    total = moment.total()
    return not total.deleted and total.updated < FEW_UPDATED


def _databases(moment: Moment, names: Names) -> tuple[str, ...]:
    return tuple(names.database(oid) for oid in moment.databases)
