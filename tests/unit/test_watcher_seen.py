"""A console that is open shows whether a watcher runs; one that died, or hangs, is a finding."""

import pytest

from tests.data.facts import NOW, healthy, read
from walconsole.domain.facts.evidence import WATCHER_SILENT_S, WatcherFacts
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.domain.failures import diagnose
from walconsole.domain.standing.model import Level
from walconsole.observe.poller.observer import WatcherProbe
from walconsole.ui.board.content import View
from walconsole.ui.dashboard import droplet

RUNS = WatcherFacts(NOW - 7200, True, NOW - 3, None, 0, 3.0)
HANGS = WatcherFacts(NOW - 7200, True, NOW - 400, None, 2, WATCHER_SILENT_S)
DIED = WatcherFacts(NOW - 7200, False, NOW - 60, None, 1)
ENDED = WatcherFacts(NOW - 7200, False, NOW - 60, NOW - 60)


@pytest.mark.parametrize(
    ("watcher", "title", "shown"),
    [
        (WatcherFacts(), None, None),
        (RUNS, None, "runs for 2 h 00 min, heard of 3 s ago"),
        (ENDED, None, "ended, last heard of 1 min 00 s ago"),
        (DIED, "the watcher DIED: nobody would be told", "died, last heard of 1 min 00 s ago"),
        (HANGS, "the watcher HANGS: nobody would be told", "hangs, last heard of 6 min 40 s ago"),
    ],
)
def test_it_is_shown_and_its_end_found(watcher: WatcherFacts, title: str | None, shown: str | None) -> None:
    snapshot = fold(healthy(), read(Snapshot.watcher, watcher), NOW)
    diagnosis = diagnose(snapshot, NOW)
    found = [each.title for each in diagnosis.findings if each.rule == "watcher-died"]
    assert found == ([] if title is None else [title])
    assert diagnosis.verdict.level is (Level.OK if title is None else Level.WARNING)
    rows = [
        line.value
        for line in droplet.render(View(snapshot, diagnosis, NOW, 58, rows=30)).lines
        if line.entry == "watcher"
    ]
    assert [row.removeprefix("▲ ") for row in rows] == ([] if shown is None else [shown])


class Clock:
    """Both clocks; the wall one may be set."""

    def __init__(self) -> None:
        self.wall, self.on = NOW, 0.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.on


async def test_its_silence_is_counted_and_a_clock_that_is_set_says_nothing() -> None:
    clock, beat = Clock(), NOW
    probe = WatcherProbe(lambda: WatcherFacts(NOW, True, beat), clock)

    async def silent_s() -> float:
        (fact,) = await probe.take()
        assert isinstance(fact.value, WatcherFacts)
        return fact.value.silent_s

    assert await silent_s() == 0.0
    clock.wall += 1e6
    clock.on += 15
    assert await silent_s() == 15.0
    clock.on += 300
    assert await silent_s() == 315.0
    beat -= 5000
    assert await silent_s() == 0.0
