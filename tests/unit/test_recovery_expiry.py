"""What retention may take: whatever it plans, everything that stays can be restored as before."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.recovery import (
    CLUSTER,
    DAY_S,
    NOW,
    SIZE,
    PlainCopy,
    backup_id,
    base,
    copy_of,
    history,
    label,
    replayed,
)
from tests.examples import some_of
from walconsole.domain.archive.runs import Runs
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import BaseBackup, Completeness, Unreadable, Writer
from walconsole.domain.recovery.expiry import (
    CopyExpiry,
    ExpiryPlan,
    Keep,
    Lock,
    Now,
    WalDeletion,
    after_expiry,
    expiry_plan,
)
from walconsole.domain.recovery.held import Cluster
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.domain.wal import Segment

DR, PRIMARY = BucketRole.DR, BucketRole.PRIMARY
AT = Now(NOW, archived=Segment(1, 30))
ALL = range(1, 31)
WEEK = Keep(days=7, most_share=1.0)


def daily(days: Sequence[float], **more: object) -> list[BaseBackup]:
    """A backup for each of these days, which begins in segment 30 - 2 * day."""
    return [base(30 - int(2 * day), day=day, **more) for day in days]  # type: ignore[arg-type]


def plan(
    copies: Sequence[ArchiveCopy], keep: Keep = WEEK, now: Now = AT, drilled: Sequence[str] = ()
) -> ExpiryPlan:
    return expiry_plan(copies, CLUSTER, keep, now, drilled)


def gone(part: CopyExpiry) -> list[str]:
    return [each.id for each in part.backups]


def ids(*days: float) -> list[str]:
    return [backup_id(day) for day in days]


def wal(first: int, last: int, timeline: int = 1) -> WalDeletion:
    names = [Segment(timeline, number).name() for number in (first, last)]
    return WalDeletion(names[0], names[1], last - first + 1)


RULES: list[tuple[str, list[BaseBackup], Keep, list[str], tuple[str, ...]]] = [
    ("within the days, and the newest before", daily([1, 6, 8, 9, 12]), WEEK, ids(9, 12), ()),
    ("nothing older", daily([1, 6]), WEEK, [], ()),
    ("the newest before them is all there is", daily([9, 12]), WEEK, ids(12), ()),
    ("the newest full ones", daily([1, 3, 5, 9]), Keep(full=2, most_share=1.0), ids(5, 9), ()),
    ("either rule keeps", daily([1, 3, 9, 12]), Keep(full=3, days=2, most_share=1.0), ids(12), ()),
    ("pinned", daily([1, 2, 9, 12]), replace(WEEK, pins=tuple(ids(12))), [], ()),
    ("the newest drilled", daily([1, 9, 11, 12, 13]), WEEK, ids(11, 13), tuple(ids(12, 13))),
    (
        "what an incremental builds upon",
        [*daily([12, 10]), base(29, day=0.5, parent=backup_id(12)), *daily([9])],
        WEEK,
        ids(10),
        (),
    ),
    (
        "the incremental ones of a full one that stays",
        [*daily([12, 5]), base(22, day=4, parent=backup_id(5)), *daily([1])],
        Keep(full=2, most_share=1.0),
        ids(12),
        (),
    ),
]


@pytest.mark.parametrize(
    ("backups", "keep", "expected", "drilled"), [each[1:] for each in RULES], ids=[each[0] for each in RULES]
)
def test_rules(backups: list[BaseBackup], keep: Keep, expected: list[str], drilled: tuple[str, ...]) -> None:
    (part,) = plan([copy_of({1: ALL}, *backups)], keep, drilled=drilled).copies
    assert part.refused == ()
    assert gone(part) == expected
    assert set(part.kept or ()) == {each.id for each in backups} - set(expected)


def test_wal_goes_below_what_stays_on_every_timeline_and_the_marker_of_a_backup_first() -> None:
    backups = [*daily([1, 8]), base(6, day=12)]
    stored = {1: [1, 2, 4, 5, 6, *range(14, 31)], 2: [12, 13, 14]}
    copy = copy_of(stored, *backups, label(6), label(14), histories=[history(2, (1, 12 * SIZE))])
    found = plan([copy], now=replace(AT, archived=Segment(1, 30)))
    (part,) = found.copies
    assert part.wal == (wal(1, 2), wal(4, 6), wal(12, 13, 2))
    assert part.segments == 7
    assert part.backups[0].keys == tuple(
        f"base/{backup_id(12)}/{name}" for name in ("backup.json", "backup_manifest", "base.tar.zst")
    )
    assert part.labels == ("label-1-6",)
    assert found.before.windows[-1].since_lsn == found.after.windows[-1].since_lsn == 14 * SIZE + 312
    assert len(found.before.windows) == 2
    assert len(found.after.windows) == 1
    assert not found.empty


def test_copies_are_judged_apart_and_dr_keeps_what_the_primary_keeps() -> None:
    copies = [
        copy_of({1: ALL}, *daily([1, 9, 12])),
        copy_of({1: range(5, 31)}, *daily([1, 8, 9, 12]), role=DR),
    ]
    primary, dr = plan(copies).copies
    assert gone(primary) == ids(12)
    assert gone(dr) == ids(12)
    assert primary.wal == (wal(1, 11),)
    assert dr.wal == (wal(5, 11),)


def test_what_stays_in_one_copy_keeps_its_parents_and_wal_in_the_other() -> None:
    child = base(12, day=9, parent=backup_id(12))
    copies = [
        copy_of({1: ALL}, *daily([1, 8, 12]), child),
        copy_of({1: ALL}, *daily([1]), child, role=DR, clock_offset_s=None),
    ]
    primary, dr = plan(copies).copies
    assert dr.refused == ("the store's clock is not known",)
    assert gone(primary) == ids(9)
    assert (primary.kept or {})[backup_id(12)] == f"{backup_id(9)} builds upon it"
    assert primary.wal == (wal(1, 5),)


def test_what_stays_in_dr_because_it_would_be_too_much_keeps_its_parent_in_the_primary() -> None:
    child = base(6, day=12, parent=backup_id(13))
    copies = [
        copy_of({1: ALL}, *daily([1, 3, 5, 8, 13])),
        copy_of({1: ALL}, *daily([1, 8]), child, role=DR),
    ]
    primary, dr = plan(copies, Keep(days=7, most_share=0.3)).copies
    assert "would go at once" in dr.refused[0]
    assert (primary.refused, primary.backups) == ((), ())
    assert gone(plan(copies).copies[0]) == ids(13)


def test_other_writers_backups_stay_and_keep_their_wal() -> None:
    theirs = base(4, day=13, id="20261116T073730", writer=Writer.BARMAN)
    (part,) = plan([copy_of({1: ALL}, *daily([1, 8, 12]), theirs)]).copies
    assert gone(part) == ids(12)
    assert part.wal == (wal(1, 3),)


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        (label(4), [wal(1, 3)]),
        (label(4, stopped=NOW - 30 * DAY_S), [wal(1, 13)]),
        (label(4, stopped=NOW - 2 * DAY_S), [wal(1, 3)]),
        (label(6), [wal(1, 13)]),
        (label(4, start_lsn=None), []),
    ],
    ids=["age not known", "old", "young", "of a backup that goes", "not known where"],
)
def test_a_label_of_a_backup_that_lies_elsewhere_holds_wal_back_for_a_while(
    marked: BaseBackup, expected: list[WalDeletion]
) -> None:
    (part,) = plan([copy_of({1: ALL}, *daily([1, 8, 12]), marked)]).copies
    assert gone(part) == ids(12)
    assert list(part.wal) == expected


@pytest.mark.parametrize(
    ("day", "marked", "expected"), [(3, False, True), (1.5, False, False), (3, True, False), (12, True, True)]
)
def test_leftovers_go_when_nobody_can_be_at_them(day: float, marked: bool, expected: bool) -> None:
    """Without a marker it was never finished; with one a hand may still make something of it."""
    names = ("backup.json", "base.tar.zst") if marked else ("base.tar.zst",)
    left = base(
        20,
        day=day + 0.01,
        completeness=Completeness.INCOMPLETE,
        why="its backup.json is missing: it was not finished",
        start_lsn=None,
        keys=tuple(f"base/{backup_id(day + 0.01)}/{name}" for name in names),
    )
    (part,) = plan([copy_of({1: ALL}, *daily([1, 8]), left)]).copies
    assert gone(part) == (ids(day + 0.01) if expected else [])


HEALTHY = daily([1, 8, 12])
UNKNOWN = base(20, day=2, completeness=Completeness.UNKNOWN, why="its backup.json was not read yet")
REFUSED: list[tuple[ArchiveCopy, Now, str]] = [
    (copy_of({1: ALL}), AT, "no complete base backup of ours is in it"),
    (copy_of({1: ALL}, *HEALTHY, listed=False), AT, "its listing is not complete, or in doubt"),
    (copy_of({1: ALL}, *HEALTHY, clock_offset_s=None), AT, "the store's clock is not known"),
    (copy_of({1: ALL}, *HEALTHY, clock_offset_s=400.0), AT, "more than five minutes apart"),
    (copy_of({1: ALL}, *daily([-1, 8, 12])), AT, "made in the future"),
    (copy_of({1: ALL}, *HEALTHY, system_identifier=None), AT, "whose WAL it holds is not known"),
    (copy_of({1: ALL}, *HEALTHY, system_identifier=7), AT, "its WAL is another cluster's"),
    (copy_of({1: ALL}, *HEALTHY, base(3, day=20, system_identifier=7)), AT, "another cluster's lies in it"),
    (copy_of({1: ALL}, *HEALTHY, unreadable=(Unreadable("x", "it is not JSON"),)), AT, "x cannot be read"),
    (copy_of({1: ALL}, *HEALTHY, UNKNOWN), AT, "is not known to be complete"),
    (copy_of({1: ALL}, *HEALTHY, base(3, day=12, place="other/base/")), AT, "have one id"),
    (copy_of({1: ALL, 2: [40]}, *HEALTHY), AT, "the descent of timeline 2 is not known"),
    (copy_of({1: ALL}, *HEALTHY, known=[3]), AT, "the descent of timeline 3 is not known"),
    (copy_of({1: ALL}, *HEALTHY), replace(AT, locks=(Lock("drill of main", NOW + 60),)), "a lock lies there"),
    (copy_of({1: ALL}, *HEALTHY), replace(AT, archived=None), "archived last is not known"),
    (copy_of({1: ALL}, *HEALTHY), replace(AT, archived=Segment(1, 60)), "30 segments behind"),
    (copy_of({1: [*range(1, 29), 30]}, *HEALTHY), AT, "00000001000000000000001D is missing"),
    (copy_of({1: ALL}, *daily([1], verified=False), *daily([8, 12])), AT, "was not verified"),
    (copy_of({1: range(1, 28)}, *HEALTHY), AT, "does not reach now"),
]


@pytest.mark.parametrize(("copy", "now", "why"), REFUSED, ids=[each[2] for each in REFUSED])
def test_nothing_goes_where_anything_is_in_doubt(copy: ArchiveCopy, now: Now, why: str) -> None:
    sound = copy_of({1: ALL}, *HEALTHY)
    alone = plan([copy], now=now)
    assert alone.empty
    assert any(why in each for each in alone.copies[0].refused)
    primary, dr = plan([copy, replace(sound, role=DR)], now=now).copies
    assert [primary.backups, primary.wal, dr.backups, dr.wal] == [()] * 4
    assert dr.refused
    if not now.locks and now.archived == AT.archived:
        primary, dr = plan([sound, replace(copy, role=DR)]).copies
        assert gone(primary)
        assert dr.refused
        assert [dr.backups, dr.wal, dr.labels] == [()] * 3


@pytest.mark.parametrize(("day", "expected"), [(3.0, []), (12.0, ids(12))])
def test_a_young_incremental_without_its_parent_stays(day: float, expected: list[str]) -> None:
    """What it built upon may come back from the other copy."""
    orphan = base(6, day=day, parent=backup_id(40))
    (part,) = plan([copy_of({1: ALL}, *daily([1, 8]), orphan)]).copies
    assert gone(part) == expected


def test_a_lock_that_ran_out_holds_nothing() -> None:
    assert not plan([copy_of({1: ALL}, *HEALTHY)], now=replace(AT, locks=(Lock("x", NOW - 1),))).empty


def test_too_much_at_once_is_asked_about() -> None:
    copy = copy_of({1: ALL}, *daily([1, 8, 9, 10, 11, 12]))
    (part,) = plan([copy], Keep(days=7)).copies
    assert part.refused == (
        "67% of its complete backups would go at once, and at most 50% may: "
        "look at the plan, and raise the share for once if it is meant",
    )
    assert gone(plan([copy], Keep(days=7, most_share=0.7)).copies[0]) == ids(9, 10, 11, 12)


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ({}, "needs a rule"),
        ({"full": 0}, "at least one"),
        ({"days": 0.0}, "more than no days"),
        ({"days": float("nan")}, "more than no days"),
        ({"full": 1, "most_share": 0.0}, "above 0"),
    ],
)
def test_rules_that_keep_nothing_are_refused(rules: dict[str, float], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Keep(**rules)  # type: ignore[arg-type]


def test_a_second_plan_takes_no_more() -> None:
    copies = [copy_of({1: ALL}, *daily([1, 8, 9, 12])), copy_of({1: ALL}, *daily([1, 8, 9, 12]), role=DR)]
    first = plan(copies)
    after = [after_expiry(copy, part, CLUSTER) for copy, part in zip(copies, first.copies, strict=True)]
    assert not first.empty
    assert plan(after).empty


# -- Against the model.


@st.composite
def histories_of_an_archive(draw: st.DrawFn) -> tuple[list[ArchiveCopy], Keep, Now, list[str]]:
    """Daily backups of two weeks in two copies with gaps, timelines and losses, and rules."""
    switch = draw(st.none() | st.integers(8, 28))
    lineage = [history(2, (1, switch * SIZE + 4096))] if switch else []
    backups: list[BaseBackup] = []
    for day in draw(st.lists(st.integers(0, 14), min_size=1, max_size=8, unique=True).map(sorted))[::-1]:
        first = 30 - 2 * day
        timeline = 2 if switch and first > switch else 1
        full = st.none()
        earlier = [each.id for each in backups if each.writer is Writer.OURS]
        backups.append(
            base(
                first,
                day=day + 0.1,
                timeline=timeline,
                parent=draw(full | st.sampled_from(earlier)) if earlier else None,
                completeness=draw(st.sampled_from([Completeness.COMPLETE] * 8 + [Completeness.INCOMPLETE])),
                verified=draw(st.sampled_from([True] * 8 + [False])),
                writer=draw(st.sampled_from([Writer.OURS] * 9 + [Writer.BARMAN])),
            )
        )
    newest = Segment(2 if switch else 1, 30)
    copies = []
    for role in (PRIMARY, DR)[: draw(st.integers(1, 2))]:
        lost = draw(st.sets(st.integers(1, 30), max_size=2)) if draw(st.booleans()) else set()
        last_of_1 = min(30, switch + draw(st.integers(0, 2))) if switch else 30
        stored = {1: set(range(draw(st.integers(1, 6)), last_of_1 + 1)) - lost}
        if switch:
            stored[2] = set(range(switch, 31)) - lost
        copies.append(
            copy_of(
                stored,
                *[each for each in backups if draw(st.integers(0, 7))],
                role=role,
                histories=lineage if draw(st.integers(0, 9)) else [],
                clock_offset_s=draw(st.sampled_from([0.0] * (15 if role is PRIMARY else 2) + [1000.0])),
            )
        )
    keep = Keep(
        full=draw(st.none() | st.integers(1, 4)),
        days=draw(st.sampled_from([1.0, 3.0, 7.0])),
        pins=tuple(draw(st.sets(st.sampled_from([each.id for each in backups]), max_size=1))),
        most_share=draw(st.sampled_from([1.0, 1.0, 0.5])),
    )
    drilled = draw(st.lists(st.sampled_from([each.id for each in backups]), max_size=1))
    return copies, keep, Now(NOW, archived=newest), drilled


Scene = tuple[list[ArchiveCopy], Keep, Now, list[str]]


def on_timeline(now: Now) -> Cluster:
    """The cluster whose server archived that segment last."""
    assert now.archived is not None
    return replace(CLUSTER, timeline=now.archived.timeline)


def served(copies: Sequence[ArchiveCopy], timeline: int) -> dict[str, tuple[int, int]]:
    """What the model's server can be restored to, by backup, from these copies together."""
    plain = [PlainCopy.of(copy) for copy in copies]
    found = ((id, replayed(plain, id, timeline)) for id in {id for copy in plain for id in copy.backups})
    return {id: reached for id, reached in found if reached is not None}


@settings(max_examples=some_of(250))
@given(histories_of_an_archive())
def test_whatever_goes_all_that_stays_is_served_as_before(scene: Scene) -> None:
    copies, keep, now, drilled = scene
    found = expiry_plan(copies, on_timeline(now), keep, now, drilled)
    after = [after_expiry(copy, part, CLUSTER) for copy, part in zip(copies, found.copies, strict=True)]
    for timeline in (1, 2):
        for before_now, after_now in (
            (copies, after),
            *zip([[c] for c in copies], [[c] for c in after], strict=True),
        ):
            were, are = served(before_now, timeline), served(after_now, timeline)
            staying = {each.id for copy in after_now for each in copy.backups}
            lost = {id: ends for id, ends in were.items() if id in staying and are.get(id) != ends}
            assert not lost, "a backup that stays reaches less than before"
            assert set(are) <= set(were)
    promised = {
        each.held.backup.id: each.last
        for each in found.after.reach[found.after.target].reaches
        if each.last is not None and each.held.backup.writer is Writer.OURS
    }
    truth = served(after, found.after.target)
    assert {id: (last + 1) * SIZE for id, last in promised.items()} == {
        id: end for id, (_, end) in truth.items()
    }


@settings(max_examples=some_of(250))
@given(histories_of_an_archive())
def test_whatever_goes_the_rules_are_kept(scene: Scene) -> None:
    copies, keep, now, drilled = scene
    cluster = on_timeline(now)
    found = expiry_plan(copies, cluster, keep, now, drilled)
    for copy, part in zip(copies, found.copies, strict=True):
        taken = set(gone(part))
        mine = {each.id: each for each in copy.backups}
        assert taken <= {id for id, each in mine.items() if each.writer is Writer.OURS}
        usable = served([copy], cluster.timeline or 1)
        assert not usable or max(usable, key=lambda id: usable[id]) not in taken
        assert (
            not taken
            & set(keep.pins)
            & {id for id, each in mine.items() if id in served(copies, cluster.timeline or 1)}
        )
        for id in taken:
            each = mine[id]
            if each.completeness is Completeness.COMPLETE and id in served([copy], each.timeline or 1):
                assert (each.stopped or NOW) < NOW - (keep.days or 0) * DAY_S
                newer = [other for other in mine.values() if (other.stop_lsn or 0) > (each.stop_lsn or 0)]
                assert any(
                    other.id in served([copy], cluster.timeline or 1)
                    for other in newer
                    if other.id not in taken
                )
        for deleted in part.wal:
            first, last = Segment.parse(deleted.first), Segment.parse(deleted.last)
            assert deleted.segments == last.number - first.number + 1
            runs = copy.timelines.get(first.timeline, Runs())
            assert runs.count_between(first.number, last.number) == deleted.segments
        assert not (part.refused and (part.backups or part.wal or part.labels))
    if len(copies) == 2 and found.copies[0].refused:
        assert found.copies[1].refused


def test_the_identifier_of_the_cluster_is_needed() -> None:
    (part,) = expiry_plan(
        [copy_of({1: ALL}, *HEALTHY)], replace(CLUSTER, system_identifier=None), WEEK, AT
    ).copies
    assert part.refused[0] == "whose WAL it holds is not known"
