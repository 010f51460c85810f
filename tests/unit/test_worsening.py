"""When somebody is called: once for each worsening, never at the start."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.standing.model import Level, Verdict
from walconsole.domain.standing.worsening import BLIND_S, RANK, WELL_AGAIN_S, Watched, watch

OK, UNKNOWN, WARNING, CRITICAL = Level.OK, Level.UNKNOWN, Level.WARNING, Level.CRITICAL


def told(course: list[tuple[float, Level]], *, begun_from: float = 0.0) -> list[float]:
    """When somebody was called."""
    watched, calls = Watched(), []
    for at, level in course:
        watched, now = watch(watched, Verdict(level, "x"), at, begun=at >= begun_from)
        calls += [at] if now else []
    return calls


@pytest.mark.parametrize(
    ("course", "calls"),
    [
        ([(0, CRITICAL), (1, CRITICAL)], []),
        ([(0, OK), (1, CRITICAL), (2, CRITICAL), (900, CRITICAL)], [1]),
        ([(0, OK), (1, WARNING), (2, CRITICAL)], [1, 2]),
        ([(0, CRITICAL), (1, WARNING), (2, CRITICAL)], []),
        ([(0, OK), (1, CRITICAL), (2, OK), (3, CRITICAL), (4, OK), (5, CRITICAL)], [1]),
        ([(0, OK), (1, CRITICAL), (2, OK), (2 + WELL_AGAIN_S, OK), (99, CRITICAL)], [1, 99]),
        ([(0, OK), (1, UNKNOWN), (2, OK), (3, UNKNOWN), (4, OK)], []),
        ([(0, OK), (1, UNKNOWN), (1 + BLIND_S, UNKNOWN), (2 + BLIND_S, UNKNOWN)], [1 + BLIND_S]),
        ([(0, OK), (1, UNKNOWN), (2, CRITICAL)], [2]),
        ([(0, WARNING), (1, UNKNOWN), (1000, UNKNOWN), (1001, WARNING)], [1001]),
    ],
)
def test_a_course(course: list[tuple[float, Level]], calls: list[float]) -> None:
    assert told(course) == calls


def test_what_is_found_while_the_first_answers_come_is_the_beginning() -> None:
    assert told([(0, UNKNOWN), (1, OK), (2, CRITICAL), (3, CRITICAL)], begun_from=2.5) == []
    assert told([(0, UNKNOWN), (1, OK), (2, OK), (3, CRITICAL)], begun_from=1.5) == [3]


@given(st.lists(st.sampled_from(list(Level)), min_size=1, max_size=60))
def test_never_twice_for_the_same_level_without_a_better_one_between(levels: list[Level]) -> None:
    course = [(float(at), level) for at, level in enumerate(levels)]
    calls = told(course)
    assert 0.0 not in calls
    assert len(calls) <= 3  # within a minute nothing is forgotten: each level above the first at most once
    assert [RANK[levels[int(at)]] for at in calls] == sorted({RANK[levels[int(at)]] for at in calls})
