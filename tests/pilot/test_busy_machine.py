"""A busy machine takes the processor away at any moment: nothing may wait for ever for that."""

import pytest
from textual import _time
from textual.timer import Timer

from tests.data.snapshots import healthy
from tests.data.stage import stage, until

LATE_S = 0.05


async def test_a_first_picture_whose_timer_is_late_as_it_begins_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between the two looks at the clock with which each of Textual's timers begins."""
    now, begin = _time.get_time, Timer._run
    taken_away: list[float] = []
    late: list[Timer] = []

    async def run(one: Timer) -> None:
        if one._repeat == 0 and one._interval < LATE_S:
            taken_away[:] = [0.0, LATE_S]
            late.append(one)
        await begin(one)

    monkeypatch.setattr(_time, "get_time", lambda: now() + (taken_away.pop(0) if taken_away else 0.0))
    monkeypatch.setattr(Timer, "_run", run)
    app = stage(healthy())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.dashboard.taken is not None, within_s=15)
    assert late
