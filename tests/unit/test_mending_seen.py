"""What each copy lacks and gives, as a snapshot says, and what a finding tells of the other copy."""

from dataclasses import replace
from typing import Any

import pytest

from tests.data import facts
from tests.data.archives import (
    ACCEPTED,
    DR_RUNS,
    NEWEST,
    OURS,
    PRIMARY_RUNS,
    bucket_of,
    holes,
    identity,
    of,
    whole,
)
from tests.data.facts import NOW, SEGMENT
from walconsole.domain.archive.gaps import Gap
from walconsole.domain.archive.mending import CopyLacks, mend_plan
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures import diagnose
from walconsole.domain.profile import BucketRole
from walconsole.domain.standing.copies import archive_verdict, held_by_other, other_holds
from walconsole.domain.standing.mending import (
    copies_lacking,
    expected_page,
    lost_stretches,
    lost_subject,
    mend_all,
)
from walconsole.domain.wal import Segment

PRIMARY, DR = BucketRole.PRIMARY, BucketRole.DR


def numbers(copy: CopyLacks, timeline: int = 1) -> list[tuple[int, int]]:
    return list(copy.lacks.get(timeline, ()))


def test_a_copy_lacks_its_gaps_accepted_ones_too_and_dr_what_is_newer() -> None:
    primary, dr = copies_lacking(holes(), NOW)
    assert (primary.role, dr.role) == (PRIMARY, DR)
    assert numbers(primary) == [ACCEPTED, (0x1200, 0x1200), (0x2000, 0x2002)]
    assert numbers(dr) == [ACCEPTED, (0x1200, 0x1200), (0x1800, 0x180F), (0x2000, 0x2001)]
    assert numbers(dr, 2) == [(NEWEST.number - 40, NEWEST.number)]
    assert (primary.refuses, dr.refuses) == ("", "")

    plan = mend_plan((primary, dr), (), SEGMENT)
    assert [mend.segment.number for mend in plan.of(PRIMARY)] == [0x2002]  # of the accepted none is anywhere
    assert len(plan.of(DR)) == 0x10 + 41
    assert {(each.first, each.last) for each in plan.unmendable} == {
        ACCEPTED,
        (0x1200, 0x1200),
        (0x2000, 0x2001),
    }


def test_whole_copies_lack_nothing() -> None:
    assert [copy.lacks for copy in copies_lacking(whole(), NOW)] == [{}, {}]


def test_what_was_lost_at_the_ends_comes_back_from_the_copy_that_has_it() -> None:
    gone = Gap(1, Segment(1, 0x50).name(), Segment(1, 0xFF).name(), 0xB0, lost_from="")
    elsewhere = replace(gone, lost_from="other/")
    primary = bucket_of(PRIMARY, PRIMARY_RUNS, lost=(gone,), accepted_gaps=())
    (first, *_) = copies_lacking(of(primary=primary, dr=bucket_of(DR, DR_RUNS)), NOW)
    assert (0x50, 0xFF) in numbers(first)
    primary = replace(primary, lost=(elsewhere,))
    (first, *_) = copies_lacking(of(primary=primary, dr=bucket_of(DR, DR_RUNS)), NOW)
    assert (0x50, 0xFF) not in numbers(first)


def test_a_copy_that_was_not_read_to_its_end_neither_gives_nor_takes() -> None:
    partly = bucket_of(DR, DR_RUNS, complete=False)
    assert [copy.role for copy in copies_lacking(of(dr=partly), NOW)] == [PRIMARY]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"identities": ()}, "cannot be read here"),
        ({"identities": (identity(NEWEST, "1"),)}, "another cluster's WAL"),
        ({"holding": {"newest_key": f"{NEWEST.name()}.gpg"}}, "cannot be made here"),
    ],
)
def test_where_nothing_can_be_stored_it_says_why(changes: dict[str, Any], why: str) -> None:
    bucket = bucket_of(PRIMARY, PRIMARY_RUNS)
    assert bucket.holding is not None
    if "holding" in changes:
        changes = {"holding": replace(bucket.holding, **changes["holding"])}
    snapshot = of(primary=replace(bucket, **changes), dr=bucket_of(DR, DR_RUNS))
    primary = copies_lacking(snapshot, NOW)[0]
    assert why in primary.refuses
    plan = mend_plan(copies_lacking(snapshot, NOW), (), SEGMENT)
    assert plan.of(PRIMARY) == ()
    assert any(each.role is PRIMARY and why in each.why for each in plan.unmendable)


def test_the_first_page_may_be_of_the_timeline_that_was_left_there() -> None:
    snapshot = holes()
    page = expected_page(snapshot, Segment(2, 0x2F10))
    assert page is not None
    assert (page.allowed, page.system_identifier, page.segment_bytes) == ((2, 1), OURS, SEGMENT)
    page = expected_page(snapshot, Segment(2, 0x2F11))
    assert page is not None
    assert page.allowed == (2,)
    unknown = of(server=facts.read(Snapshot.server, facts.server(system_identifier=None)))
    assert expected_page(unknown, NEWEST) is None


def test_what_the_other_copy_holds_is_told_with_the_gap() -> None:
    snapshot = holes()
    primary = snapshot.primary.value
    assert primary is not None
    assert [other_holds(snapshot, PRIMARY, gap) for gap in primary.gaps] == [0, 1]
    assert held_by_other(snapshot, primary, NOW) == 1
    assert "HOLE of 4 segments in 2 gaps (DR holds 1), the newest" in archive_verdict(snapshot, NOW).text
    found = {(each.rule, each.slot): each for each in diagnose(snapshot, NOW).findings}
    gap = found["gap", Snapshot.primary]
    assert any("the DR bucket holds 1 of them: they are not lost" in text for text in gap.evidence)
    assert gap.fixes[0].step == "mend-holes"
    dr = found["gap", Snapshot.dr]
    assert any("the primary bucket holds 16 of them" in text for text in dr.evidence)


def test_a_name_that_is_none_is_held_by_nobody() -> None:
    assert other_holds(holes(), PRIMARY, Gap(1, "x", "y", 1)) == 0


def test_what_was_lost_is_told_to_the_step_and_read_by_it() -> None:
    gone = Gap(1, Segment(1, 0x50).name(), Segment(1, 0xFF).name(), 0xB0, lost_from="")
    primary = bucket_of(PRIMARY, PRIMARY_RUNS, lost=(gone,))
    dr = bucket_of(DR, DR_RUNS, lost=(replace(gone, accepted=primary.accepted_gaps[0]),))
    fix = mend_all(of(primary=primary, dr=dr))
    assert (fix.step, fix.subject) == ("mend-holes", f"primary:{gone.first}-{gone.last}")
    assert lost_stretches(fix.subject) == {PRIMARY: ((gone.first, gone.last),)}
    both = f"{fix.subject} {lost_subject(DR, [gone, gone])}"
    assert lost_stretches(both)[DR] == ((gone.first, gone.last),) * 2
    assert mend_all(holes()).subject == ""
    with pytest.raises(ValueError, match="is no stretch"):
        lost_stretches("primary:$(id)")


def test_a_copy_that_lost_everything_takes_the_form_of_the_other() -> None:
    nothing: dict[str, Any] = {"holding": None, "continuity": None, "gaps": (), "segments": 0}
    snapshot = of(primary=bucket_of(PRIMARY, PRIMARY_RUNS, **nothing), dr=bucket_of(DR, DR_RUNS))
    assert [copy.role for copy in copies_lacking(snapshot, NOW)] == [DR]
    lost = {PRIMARY: ((Segment(1, 0x100).name(), Segment(1, 0x1FF).name()),)}
    primary, dr = copies_lacking(snapshot, NOW, lost)
    assert (numbers(primary), primary.refuses) == ([(0x100, 0x1FF)], "")
    assert len(mend_plan((primary, dr), (), SEGMENT).of(PRIMARY)) == 0x100
    neither = of(primary=snapshot.primary, dr=bucket_of(DR, DR_RUNS, **nothing))
    assert "no copy holds a segment any more" in copies_lacking(neither, NOW, lost)[0].refuses
