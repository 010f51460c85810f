"""What is kept of a cluster's past: readings a second, coded by their differences, thinner further back."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import TypeVar

from walconsole.domain.facts.disk_forecast import DiskSample
from walconsole.domain.facts.history import SAMPLE_SPACING_S, SAMPLES_KEPT, ArchiverSample, History
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Reading, Snapshot
from walconsole.domain.records import record
from walconsole.domain.redaction import safe
from walconsole.domain.standing.model import Diagnosis, Severity

T = TypeVar("T")

DAY_S = 86_400
TIERS = ((2 * DAY_S, 1), (10 * DAY_S, 10), (30 * DAY_S, 60))
"""Up to this age, in seconds, a reading is kept in so many seconds; beyond the last nothing is."""
SCREEN_TIERS = ((2 * DAY_S, 10), (10 * DAY_S, 60), (30 * DAY_S, 600))
"""The same of whole screens (domain.kept.screens), besides those at which the first line changed."""
BLOCK_S = 3600
"""A block holds an hour."""
LONGEST_TEXT = 400


@record
class PastReading:
    """What was read at `at`, whole seconds since the epoch; None: not read then.

    `archived` and `failed` are pg_stat_archiver's counts, `ready` the .ready files, `wal_bytes` what pg_wal
    takes and `free_bytes` what its file system has left, `stored_bytes` what each copy's bucket holds.
    """

    at: int
    archived: int | None = None
    failed: int | None = None
    ready: int | None = None
    wal_bytes: int | None = None
    free_bytes: int | None = None
    stored_bytes: int | None = None
    dr_stored_bytes: int | None = None


COLUMNS = tuple(one.name for one in fields(PastReading))
_values = attrgetter(*COLUMNS)


@record
class Said:
    """What the first line said, and what was wrong by then: a key, severity and title for each finding."""

    level: str
    text: str
    found: tuple[tuple[str, str, str], ...] = ()


def reading_of(snapshot: Snapshot, now: float) -> PastReading:
    """What is known now, as far as its last attempt succeeded."""
    archiver, disk = _fresh(snapshot.archiver), _fresh(snapshot.wal_disk)
    return PastReading(
        int(now),
        None if archiver is None else archiver.archived_count,
        None if archiver is None else archiver.failed_count,
        None if disk is None else disk.ready_count,
        None if disk is None else disk.wal_bytes,
        None if disk is None else disk.free_bytes,
        _stored(snapshot.primary),
        _stored(snapshot.dr),
    )


def said_of(diagnosis: Diagnosis) -> Said:
    """Redacted."""
    found = (
        (
            f"{each.rule}/{each.slot.name}/{safe(each.setting or '')}",
            each.severity.name.lower(),
            _text(each.title),
        )
        for each in diagnosis.findings
        if each.severity > Severity.NOTE
    )
    return Said(diagnosis.verdict.level.value, _text(diagnosis.verdict.text), tuple(dict.fromkeys(found)))


def history_of(readings: Sequence[PastReading]) -> History:
    """The last hour of them, for sparklines and forecasts of a console that has just begun to look.

    Counts that fell were reset: what is before that is left out.
    """
    spaced = list(_spaced(readings, int(SAMPLE_SPACING_S)))[-SAMPLES_KEPT:]
    counted = [(each.at, each.archived) for each in spaced if each.archived is not None]
    resets = [at for at in range(1, len(counted)) if counted[at][1] < counted[at - 1][1]]
    counted = counted[resets[-1] :] if resets else counted
    return History(
        archiver=tuple(ArchiverSample(float(at), count) for at, count in counted),
        disk=tuple(
            DiskSample(float(each.at), each.wal_bytes, each.free_bytes, each.ready)
            for each in spaced
            if each.free_bytes is not None
        ),
        earlier_count=counted[-1][1] if counted else None,
    )


def _fresh(reading: Reading[T]) -> T | None:
    return reading.value if reading.problem is None else None


def _stored(reading: Reading[BucketFacts]) -> int | None:
    bucket = _fresh(reading)
    return bucket.stored_bytes if bucket is not None and bucket.complete else None


def _text(text: str) -> str:
    return safe(text)[:LONGEST_TEXT]


# -- What is kept of it.


def spacing_s(age_s: float, tiers: tuple[tuple[int, int], ...] = TIERS) -> int | None:
    """In how many seconds one is kept at that age; None: it goes."""
    return next((every_s for limit_s, every_s in tiers if age_s < limit_s), None)


def thinned(readings: Iterable[PastReading], now: float) -> list[PastReading]:
    """Those that are kept at `now`, in their order: the last one of each span."""
    kept: list[PastReading] = []
    span: tuple[int, int] | None = None
    for each in readings:
        every_s = spacing_s(now - each.at)
        if every_s is None:
            continue
        here = (every_s, each.at // every_s)
        if here == span:
            kept.pop()
        kept.append(each)
        span = here
    return kept


def _spaced(readings: Iterable[PastReading], every_s: int) -> Iterator[PastReading]:
    last = -every_s
    for each in readings:
        if each.at - last >= every_s:
            last = each.at
            yield each


# -- As bytes.


def encoded(readings: Sequence[PastReading]) -> bytes:
    """By rows, each number the difference to the one before it: what stands still takes a byte."""
    before = [0] * len(COLUMNS)
    made = bytearray()
    for each in readings:
        for column, value in enumerate(_values(each)):
            if value is None:
                made.append(0)
                continue
            difference = value - before[column]
            before[column] = value
            _append(made, ((difference << 1) if difference >= 0 else ((-difference << 1) - 1)) + 1)
    return zlib.compress(bytes(made), 6)


def decoded(block: bytes) -> list[PastReading]:
    """What was encoded. Raises ValueError for anything else."""
    try:
        raw = zlib.decompress(block)
    except zlib.error:
        raise ValueError("a block of the history is damaged") from None
    before: list[int] = [0] * len(COLUMNS)
    readings: list[PastReading] = []
    row: list[int | None] = []
    at = 0
    while at < len(raw):
        number, at = _number(raw, at)
        column = len(row)
        if number:
            zigzag = number - 1
            before[column] += -((zigzag + 1) >> 1) if zigzag & 1 else zigzag >> 1
        row.append(before[column] if number else None)
        if len(row) == len(COLUMNS):
            readings.append(_reading(row))
            row = []
    if row:
        raise ValueError("a block of the history is cut")
    return readings


def _reading(row: list[int | None]) -> PastReading:
    at, *values = row
    if at is None:
        raise ValueError("a block of the history has a reading without a time")
    return PastReading(at, *values)


def _append(made: bytearray, number: int) -> None:
    while number >= 0x80:
        made.append((number & 0x7F) | 0x80)
        number >>= 7
    made.append(number)


def _number(raw: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(raw):
        byte = raw[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
    raise ValueError("a block of the history is cut")
