"""What several failure modes ask for is computed once a snapshot."""

import sys
from collections import Counter
from types import CodeType, FrameType

import pytest

from tests.data.facts import NOW
from tests.data.snapshots import STATES
from walconsole.domain.failures import diagnose
from walconsole.domain.standing import archiver, exposure, failure_log, refusals, trends

SHARED = (
    archiver.state,
    exposure.agreement,
    exposure.exposed,
    trends.disk_outlook,
    failure_log.since_success,
    failure_log.last_failure,
    refusals.words_of_refusal,
    refusals.refused_checks,
)
SEEN = {"failing", "slow", "healthy", "incident"}
"""Where PostgreSQL answers: where it does not, the verdict tells the archiver's last known state besides."""


@pytest.mark.parametrize("name", sorted(SEEN))
def test_it_is_computed_once(name: str) -> None:
    snapshot = STATES[name]()
    codes = {function.__code__: function.__name__ for function in SHARED}
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _argument: object) -> None:
        code: CodeType = frame.f_code
        if event == "call" and code in codes:
            calls[codes[code]] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        diagnose(snapshot, NOW)
    finally:
        sys.setprofile(before)
    assert {"state", "since_success"} <= calls.keys()
    assert {shared: times for shared, times in calls.items() if times > 1} == {}
