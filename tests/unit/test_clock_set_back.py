"""A server whose clock was set back: its last success is to come, and no age and no order follows from it."""

from typing import Any

import pytest

from tests.data.facts import NOW, SEGMENT, archiver, healthy
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures import diagnose
from walconsole.domain.standing.archiver import last_success_age
from walconsole.domain.standing.model import Level
from walconsole.domain.wal import Segment

CURRENT, FAILED = Segment(1, 0x45), Segment(1, 0x42).name(SEGMENT)


def set_back(by_s: float, **changes: Any) -> Snapshot:
    """A success that much in the server's future, and what waits now."""
    facts = archiver(
        lsn=CURRENT.number * SEGMENT + 5,
        current_wal=CURRENT.name(SEGMENT),
        last_archived_at=NOW + by_s,
        clock=NOW,
        **changes,
    )
    return healthy(archiver=facts)


@pytest.mark.parametrize("by_s", [300.0, 7200.0, 3 * 365 * 86400.0])
def test_a_failure_is_seen_by_what_fails_where_the_times_say_otherwise(by_s: float) -> None:
    failing = {"last_failed_at": NOW - 10, "failed_count": 5, "last_failed_wal": FAILED, "ready_count": 3}
    snapshot = set_back(by_s, **failing)
    found = diagnose(snapshot, NOW)
    assert found.verdict.level is Level.CRITICAL
    assert "archiving FAILS, since when is not known" in found.verdict.text
    assert "never succeeded" not in found.verdict.text
    assert last_success_age(snapshot, NOW) is None


def test_a_failure_of_what_was_archived_since_is_none() -> None:
    before = Segment(1, 0x40).name(SEGMENT)
    snapshot = set_back(
        7200.0, last_failed_at=NOW - 10, last_failed_wal=before, failed_count=1, ready_count=1
    )
    assert "FAILS" not in diagnose(snapshot, NOW).verdict.text


def test_nothing_is_said_to_be_zero_seconds_behind() -> None:
    assert ", 0 s behind" not in diagnose(set_back(7200.0, ready_count=0), NOW).verdict.text


@pytest.mark.parametrize("by_s", [0.0, 20.0])
def test_what_a_clock_is_corrected_by_in_passing_is_no_setting_back(by_s: float) -> None:
    assert last_success_age(set_back(by_s, ready_count=0), NOW) == 0.0
