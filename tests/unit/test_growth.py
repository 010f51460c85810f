"""How fast an archive grows, and what it costs."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.data.facts import NOW, SEGMENT, holding
from walconsole.domain.archive.cost import GIB, SPACES_PRICE, Cost, Price, cost, with_zstd
from walconsole.domain.archive.growth import DAY_S, LEAST_S, WINDOW_S, Growth, compression, growth
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.wal import Segment

MINUTE_S = 60.0


def held(
    times: Mapping[int, float], *, stored: Iterable[int] | None = None, stored_bytes: int | None = None
) -> Holding:
    """Segments of timeline 1 by the time at which each was stored; `stored` are there, `times` sampled."""
    runs, samples = Runs(), StoredTimes()
    for number in times if stored is None else stored:
        runs.add(number, number)
    for number, at in times.items():
        samples.note(1, number, at)
    return replace(
        holding(),
        timelines={1: runs},
        times=samples,
        newest=Segment(1, runs.last) if runs.count else None,
        stored_bytes=runs.count * SEGMENT if stored_bytes is None else stored_bytes,
        suffixes={"": runs.count},
    )


def every_minute(first: int, last: int, last_at: float) -> dict[int, float]:
    """One segment a minute, the last at `last_at`."""
    return {number: last_at - (last - number) * MINUTE_S for number in range(first, last + 1)}


def measured(archive: Holding, now: float = NOW) -> Growth:
    """The growth, which is known."""
    found = growth(archive, now)
    assert found is not None
    return found


@pytest.mark.parametrize("minutes", [10, 60, 1440])
def test_one_a_minute_is_1440_a_day(minutes: int) -> None:
    found = measured(held(every_minute(100, 100 + minutes, NOW)))
    assert found.measured_s == minutes * MINUTE_S
    assert found.segments_per_day == pytest.approx(1440)
    assert found.bytes_per_day == pytest.approx(1440 * SEGMENT)


def test_of_a_longer_history_the_last_seven_days_count() -> None:
    """A segment a day for a year, then one an hour for seven days."""
    times = {number: NOW - WINDOW_S - (365 - number) * DAY_S for number in range(1, 366)}
    times |= {365 + hour: NOW - WINDOW_S + hour * 3600 for hour in range(1, 169)}
    found = measured(held(times))
    assert found.measured_s == WINDOW_S
    assert found.segments_per_day == pytest.approx(24)


def test_between_samples_the_growth_is_even() -> None:
    """1,400 in 14 days of which only the ends are sampled: 100 a day."""
    found = measured(held({1: NOW - 2 * WINDOW_S, 1401: NOW}, stored=range(1, 1402)))
    assert found.segments_per_day == pytest.approx(100)


def test_silence_counts() -> None:
    times = every_minute(1, 60, NOW)
    assert measured(held(times), NOW + 59 * MINUTE_S).segments_per_day == pytest.approx(720)
    assert measured(held(times), NOW + 30 * DAY_S) == Growth(0.0, 0.0, WINDOW_S)


def test_what_is_missing_did_not_grow() -> None:
    times = every_minute(0x100, 0x100 + 100, NOW)
    kept = [number for number in times if number % 2 == 0]
    assert measured(held(times, stored=kept)).segments_per_day == pytest.approx(720)


def test_a_segment_that_was_pushed_again_is_no_growth() -> None:
    times = every_minute(1, 1000, NOW)
    again = times | {5: NOW, 17: NOW}
    assert measured(held(again)) == measured(held(times))


def test_the_store_s_clock_may_be_ahead() -> None:
    assert measured(held(every_minute(1, 61, NOW + 300)), NOW).segments_per_day == pytest.approx(1440)


@pytest.mark.parametrize(
    "archive",
    [
        held({}),
        held({5: NOW}),
        held(every_minute(1, 10, NOW)),  # nine minutes
        held({}, stored=range(1, 100)),
    ],
)
def test_too_little_history_is_none(archive: Holding) -> None:
    assert growth(archive, NOW) is None


@given(st.dictionaries(st.integers(1, 500), st.floats(NOW - 30 * DAY_S, NOW), min_size=1), st.floats(0, 2e6))
def test_any_times_give_a_growth_that_was_possible(times: dict[int, float], later: float) -> None:
    archive = held(times)
    found = growth(archive, NOW + later)
    if found is None:
        assert NOW + later - min(times.values()) < LEAST_S
        return
    assert LEAST_S <= found.measured_s <= WINDOW_S
    assert 0 <= found.segments_per_day * found.measured_s / DAY_S <= archive.segments + 1e-6
    assert found.bytes_per_day == pytest.approx(found.segments_per_day * SEGMENT)


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.integers(0, 5_000))
def test_a_steady_archive_grows_by_what_it_stores(every_s: int, count: int, asleep_s: int) -> None:
    assume(every_s * (count - 1) >= LEAST_S and asleep_s <= every_s)
    ends = {1: NOW - every_s * (count - 1), count: NOW}
    found = measured(held(ends, stored=[1, *range(2, count + 1)]), NOW + asleep_s)
    whole = found.measured_s / every_s
    assert found.segments_per_day * found.measured_s / DAY_S == pytest.approx(whole, abs=1.001)


@pytest.mark.parametrize(
    ("stored_bytes", "suffixes", "ratio"),
    [
        (65 * SEGMENT, {"": 65}, 1.0),
        (65 * SEGMENT // 4, {".zst": 60, ".gz": 5}, 0.25),
        (130 * SEGMENT, {"": 130}, 1.0),  # each stored twice
        (65 * SEGMENT, {}, 1.0),  # 65 segments
        (0, {"": 65}, None),
    ],
)
def test_compression_is_stored_by_plain(
    stored_bytes: int, suffixes: dict[str, int], ratio: float | None
) -> None:
    assert compression(holding(stored_bytes=stored_bytes, suffixes=suffixes)) == ratio


def test_without_segments_there_is_no_compression() -> None:
    assert compression(holding(timelines={}, stored_bytes=0, suffixes={})) is None


def test_spaces_price_is_what_its_list_says() -> None:
    """A gibibyte a day, on top of one tebibyte."""
    found = cost(1024 * GIB, GIB)
    assert found.currency == "$"
    assert found.month == pytest.approx(20.48)
    assert found.month_in_a_year == pytest.approx((1024 + 365) * 0.02)
    assert (SPACES_PRICE.included_gib, SPACES_PRICE.base_month) == (250, 5)


def test_without_a_growth_later_is_not_known() -> None:
    assert cost(100 * GIB, None, Price("€", 0.01)) == Cost("€", 1.0, None)


@given(st.integers(0, 2**60), st.floats(0, 2**40), st.floats(0, 10))
def test_a_growing_archive_never_gets_cheaper(stored: int, per_day: float, price: float) -> None:
    found = cost(stored, per_day, Price(per_gib_month=price))
    assert found.month_in_a_year is not None
    assert 0 <= found.month <= found.month_in_a_year


def test_zstd_takes_its_share_of_the_plain_bytes() -> None:
    assert with_zstd(4 * GIB, 0.25) == GIB
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="a ratio of compressed to plain"):
            with_zstd(GIB, wrong)
