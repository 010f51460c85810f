"""What the two copies are worth, in a line each: nothing is claimed of a bucket that cannot be read."""

from dataclasses import replace
from typing import Any

import pytest

from tests.data.facts import NOW, bucket, healthy, holding
from walconsole.domain.diagnosis.copies import archive_verdict, dr_verdict
from walconsole.domain.diagnosis.model import Level
from walconsole.domain.profile import BucketRole
from walconsole.domain.snapshot import Problem, Reading, Slot, failed, succeeded


def lost(slot: Slot, value: Any, code: str) -> Reading[Any]:
    """Read five minutes ago, and refused since."""
    before = succeeded(Reading(slot), value, NOW - 300, "S3 LIST", 5.0)
    return failed(before, Problem("listing b: no", "", code, brief="no"), NOW, "S3 LIST", 5.0)


def test_both_are_whole() -> None:
    snapshot = healthy()
    assert archive_verdict(snapshot, NOW).level is Level.OK
    assert (
        dr_verdict(snapshot, NOW).text == "the DR copy is complete: it lacks nothing that the primary holds"
    )


def test_a_copy_that_cannot_be_read_is_not_complete() -> None:
    verdict = dr_verdict(replace(healthy(), dr=lost(Slot.DR, bucket(BucketRole.DR), "Unreachable")), NOW)
    assert verdict.level is Level.UNKNOWN
    assert verdict.text == (
        "the DR copy cannot be read now: no; last known, 5 min 00 s ago: "
        "the DR copy is complete: it lacks nothing that the primary holds"
    )


def test_a_copy_that_was_read_before_the_primary_went_on_does_not_lack() -> None:
    behind = lost(Slot.DR, bucket(BucketRole.DR, holding=holding(last=20)), "Unreachable")
    assert dr_verdict(replace(healthy(), dr=behind), NOW).level is Level.UNKNOWN


def test_a_copy_is_not_compared_with_a_primary_that_cannot_be_read() -> None:
    verdict = dr_verdict(replace(healthy(), primary=lost(Slot.PRIMARY, bucket(), "AccessDenied")), NOW)
    assert verdict.level is Level.UNKNOWN
    assert verdict.text.startswith(
        "the DR copy cannot be compared now: the primary bucket cannot be read: no; last known, 5 min"
    )


@pytest.mark.parametrize("offset", [-7200.0, 0.0, 7200.0])
def test_a_clock_that_is_wrong_makes_no_copy_late(offset: float) -> None:
    behind, now = holding(last=0x41 - 10), NOW - offset  # the oldest of them was stored 409 s ago
    primary = bucket(store_clock_offset_s=offset)
    snapshot = healthy(primary=primary, dr=bucket(BucketRole.DR, holding=behind))
    verdict = dr_verdict(snapshot, now)
    assert verdict.level is Level.OK
    assert verdict.text.endswith("the oldest stored 6 min 49 s ago")
    assert "(44 min 24 s ago)" in archive_verdict(snapshot, now).text
    assert dr_verdict(snapshot, now + 600).level is Level.WARNING


@pytest.mark.parametrize(
    ("code", "level"), [("NoSuchBucket", Level.CRITICAL), ("AccessDenied", Level.UNKNOWN)]
)
def test_a_bucket_that_was_deleted_holds_nothing(code: str, level: Level) -> None:
    verdict = archive_verdict(replace(healthy(), primary=lost(Slot.PRIMARY, bucket(), code)), NOW)
    assert verdict.level is level
    assert ("none missing" in verdict.text) == (level is Level.UNKNOWN)
