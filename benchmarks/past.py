"""The past that is kept: the size of a month, read once a second, and how soon a console has its end."""

import random
import statistics
import tempfile
import time
from collections.abc import Iterator

from benchmarks.report import Result
from walconsole.domain.past import BLOCK_S, DAY_S, PastReading
from walconsole.operator_files.history_file import HistoryFile
from walconsole.session.history_keeper import past_of

SIZE_BUDGET_MIB = 200.0
OPEN_BUDGET_S = 0.3
_NOW = 1_790_000_000 // BLOCK_S * BLOCK_S + BLOCK_S // 2
_SEGMENT = 16 << 20


def measure(runs: int) -> list[Result]:
    """The file's size after the month, and the time until the last hour of it is there."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {"XDG_STATE_HOME": folder}
        file = HistoryFile(environment)
        hour: list[PastReading] = []
        began = time.process_time()
        for reading in _month():
            hour.append(reading)
            if len(hour) == BLOCK_S:
                file.write("db", hour)
                file.tidy("db", reading.at + 1)
                hour.clear()
        file.write("db", hour)
        written_s = time.process_time() - began
        mib = sum(path.stat().st_size for path in file.path.parent.iterdir()) / (1 << 20)
        seconds, of_processor = [], []
        for _ in range(runs):
            began, cpu = time.perf_counter(), time.process_time()
            past = past_of(environment, "db", _NOW)
            seconds.append(time.perf_counter() - began)
            of_processor.append(time.process_time() - cpu)
            assert past is not None
            assert len(past.disk) == BLOCK_S // 5
    note = f"{30 * DAY_S:,} readings, made and written in {written_s:.0f} s of processor time"
    opening = f"{statistics.median(of_processor):.3f} s of processor time"
    return [
        Result("history of a month", mib, "MiB", SIZE_BUDGET_MIB, note),
        Result("the last hour of it", statistics.median(seconds), "s", OPEN_BUDGET_S, opening),
    ]


def _month() -> Iterator[PastReading]:
    """Two segments a minute, a backlog that comes and goes, and other programs' writes."""
    chance = random.Random(1)  # noqa: S311  # no secret
    archived, ready, free, wal, stored = 1000, 0, 50 << 30, 1 << 30, 100 << 30
    for at in range(_NOW - 30 * DAY_S, _NOW):
        if chance.random() < 1 / 30:
            archived += 1
            stored += chance.randrange(_SEGMENT // 4, _SEGMENT)
            wal = (1 << 30) + chance.randrange(64) * _SEGMENT
        ready = max(0, ready + chance.choice((0, 0, 0, 0, 0, 1, -1)))
        free -= chance.randrange(-40, 41) * 4096
        yield PastReading(at, archived, 3, ready, wal, free, stored, stored)
