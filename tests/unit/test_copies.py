"""What the two copies are worth, in a line each: nothing is claimed of a bucket that cannot be read."""

from dataclasses import replace
from typing import Any

import pytest

from tests.data.archives import sweeping
from tests.data.facts import NOW, SEGMENT, archiver, bucket, healthy, holding
from walconsole.domain.archive.gaps import Gap
from walconsole.domain.facts.history import History
from walconsole.domain.facts.snapshot import AnySlot, Problem, Reading, Snapshot, failed, succeeded
from walconsole.domain.failures import diagnose
from walconsole.domain.profile import BucketRole
from walconsole.domain.standing.archiver import lag
from walconsole.domain.standing.copies import archive_verdict, dr_verdict, gaps_told
from walconsole.domain.standing.exposure import exposure
from walconsole.domain.standing.model import Level
from walconsole.ui.board.content import Tone, View
from walconsole.ui.dashboard.bucket import render


def lost(slot: AnySlot, value: Any, code: str) -> Reading[Any]:
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
    verdict = dr_verdict(replace(healthy(), dr=lost(Snapshot.dr, bucket(BucketRole.DR), "Unreachable")), NOW)
    assert verdict.level is Level.UNKNOWN
    assert verdict.text == (
        "the DR copy cannot be read now: no; last known, 5 min 00 s ago: "
        "the DR copy is complete: it lacks nothing that the primary holds"
    )


def test_a_copy_that_was_read_before_the_primary_went_on_does_not_lack() -> None:
    behind = lost(Snapshot.dr, bucket(BucketRole.DR, holding=holding(last=20)), "Unreachable")
    assert dr_verdict(replace(healthy(), dr=behind), NOW).level is Level.UNKNOWN


def test_a_copy_is_not_compared_with_a_primary_that_cannot_be_read() -> None:
    verdict = dr_verdict(replace(healthy(), primary=lost(Snapshot.primary, bucket(), "AccessDenied")), NOW)
    assert verdict.level is Level.UNKNOWN
    assert verdict.text.startswith(
        "the DR copy cannot be compared now: the primary bucket cannot be read: no; last known, 5 min"
    )


def with_gap(role: BucketRole, seconds: float | None, count: int = 1) -> Any:
    """Segment 0x40 is missing, and the one after it was stored so long ago; so is an older one of two."""
    at = None if seconds is None else NOW - seconds
    older = Gap(1, f"{1:08X}{0x20:016X}", f"{1:08X}{0x20:016X}", 2, until_at=NOW - 900)
    newest = Gap(1, f"{1:08X}{0x40:016X}", f"{1:08X}{0x40:016X}", 1, until_at=at)
    return bucket(role, gaps=(older, newest)[-count:])


def parallel() -> Any:
    """PostgreSQL has not said of the missing one that it is archived."""
    return archiver(last_archived_wal=f"{1:08X}{0x3F:016X}")


@pytest.mark.parametrize("role", BucketRole)
@pytest.mark.parametrize(("seconds", "alarms"), [(None, True), (3.0, False), (14.0, False), (15.0, True)])
def test_what_parallel_writers_still_bring_is_no_hole(
    role: BucketRole, seconds: float | None, *, alarms: bool
) -> None:
    slot = "primary" if role is BucketRole.PRIMARY else "dr"
    snapshot = healthy(archiver=parallel(), **{slot: with_gap(role, seconds)})
    assert [finding.rule for finding in diagnose(snapshot, NOW).findings] == (["gap"] if alarms else [])
    verdicts = archive_verdict(snapshot, NOW), dr_verdict(snapshot, NOW)
    assert any("HOLE" in verdict.text for verdict in verdicts) == alarms
    assert all(verdict.level is Level.OK for verdict in verdicts) != alarms


def test_an_older_hole_alarms_beside_one_that_is_being_filled() -> None:
    snapshot = healthy(archiver=parallel(), primary=with_gap(BucketRole.PRIMARY, 3.0, 2))
    assert "a HOLE of 2 segments in 1 gap" in archive_verdict(snapshot, NOW).text


def test_while_segments_are_to_come_none_is_said_to_be_missing() -> None:
    snapshot = healthy(archiver=parallel(), primary=with_gap(BucketRole.PRIMARY, 3.0))
    text = "65 segments; 1 segment is still to come among the newest"
    assert archive_verdict(snapshot, NOW).text == text
    assert diagnose(snapshot, NOW).verdict.text.endswith("; some of the newest segments are still to come")


@pytest.mark.parametrize("seconds", [None, 3.0, 14.0, 15.0])
@pytest.mark.parametrize("count", [1, 2])
def test_no_pane_calls_missing_what_the_line_above_it_does_not(seconds: float | None, count: int) -> None:
    """An OK archive stood above `1 gap, 1 segment missing`, in red."""
    snapshot = healthy(archiver=parallel(), primary=with_gap(BucketRole.PRIMARY, seconds, count))
    facts = snapshot.primary.value
    assert facts is not None
    said = gaps_told(snapshot, facts, NOW)
    assert said is not None
    text, is_fault = said
    assert is_fault == (archive_verdict(snapshot, NOW).level is Level.CRITICAL)
    assert ("missing" in text) == is_fault
    view = View(snapshot, diagnose(snapshot, NOW), NOW, 118)
    row = next(line for line in render(view).lines if line.text.strip().startswith("segments"))
    assert ("missing" in row.text) == is_fault
    assert (Tone.CRITICAL in {span.tone for span in row.spans}) == is_fault


def test_half_a_listing_lacks_nothing() -> None:
    """It was red while a large bucket was listed, and its exposure was that of a bucket without WAL."""
    snapshot = sweeping()
    text = "\n".join(line.text for line in render(View(snapshot, diagnose(snapshot, NOW), NOW, 118)).lines)
    assert "so far" in text
    assert "missing" not in text
    assert "lacks" not in text
    assert exposure(snapshot, NOW) == lag(snapshot, NOW)


def test_what_postgresql_says_it_archived_is_not_to_come() -> None:
    snapshot = healthy(primary=with_gap(BucketRole.PRIMARY, 3.0))
    assert "a HOLE of 1 segment in 1 gap" in archive_verdict(snapshot, NOW).text


@pytest.mark.parametrize(("before", "holes"), [(3, False), (1, True)])
def test_what_was_archived_since_the_listing_is_not_missing_in_it(before: int, *, holes: bool) -> None:
    just_now = archiver(last_archived_at=NOW - 1)
    earlier = replace(just_now, archived_count=65 - before)
    history = History().with_archiver(earlier, NOW - 3, SEGMENT).with_archiver(just_now, NOW, SEGMENT)
    snapshot = healthy(archiver=just_now, primary=with_gap(BucketRole.PRIMARY, 3.0))
    snapshot = replace(snapshot, history=history)
    assert ("HOLE" in archive_verdict(snapshot, NOW).text) == holes


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
    verdict = archive_verdict(replace(healthy(), primary=lost(Snapshot.primary, bucket(), code)), NOW)
    assert verdict.level is level
    assert ("none missing" in verdict.text) == (level is Level.UNKNOWN)
