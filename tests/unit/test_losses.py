"""What an archive held and holds no more is told until it is back or accepted; retention is no loss."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.facts import NOW, bucket, healthy
from tests.unit.bucket_bench import MIB, Bench, name, names
from tests.unit.memory_bucket import MemoryBucket, refusal
from walconsole.domain.archive.gaps import AcceptedGap, Gap
from walconsole.domain.archive.index import ArchiveIndex
from walconsole.domain.archive.layouts import LOG_BYTES, Layout, Place
from walconsole.domain.archive.losses import Losses, Lost, losses, losses_content, losses_from, told
from walconsole.domain.archive.resized import resized
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.failures import Level, diagnose
from walconsole.domain.profile import BucketRole
from walconsole.domain.standing.copies import archive_verdict, dr_verdict
from walconsole.domain.wal import Segment
from walconsole.errors import ObjectStoreError
from walconsole.observe.bucket.probe import CHECK_EVERY_S

FLAT = Place(Layout.FLAT)
DAY_S = 86_400.0
MIB_16 = 16 * 1024 * 1024


def label(number: int, timeline: int = 1) -> str:
    return f"{name(number, timeline)}.00000028.backup"


def index(keys: Iterable[str], stored_at: float = 0.0) -> ArchiveIndex:
    made = ArchiveIndex()
    store = MemoryBucket(keys)
    made.fold(store.keys)
    main = made.archives.get(FLAT)
    if main is not None:
        for timeline, runs in main.timelines.items():
            main.times.note(timeline, runs.first, stored_at)
    return made


def compared(
    before: list[str], after: list[str], age_s: float = 30 * DAY_S, known: Losses | None = None
) -> Lost:
    found = losses(index(before), FLAT, known or {}, index(after), age_s)
    return found.get(FLAT, Lost())


def span(first: int, last: int, timeline: int = 1) -> list[str]:
    return [name(number, timeline) for number in range(first, last + 1)]


def lost_numbers(lost: Lost) -> dict[int, list[tuple[int, int]]]:
    return {timeline: list(runs) for timeline, runs in lost.timelines.items()}


RETENTION: list[tuple[str, list[str], list[str]]] = [
    ("nothing gone", span(1, 9), span(1, 12)),
    ("below the oldest base backup", [*span(1, 9), label(2), label(6)], [*span(6, 12), label(6)]),
    ("the old label stayed behind", [*span(1, 9), label(2), label(6)], [*span(6, 12), label(2), label(6)]),
    ("a new base backup since", [*span(1, 9), label(2)], [*span(10, 12), label(10)]),
    (
        "a label whose WAL was never there",
        [*span(5, 9), label(2), label(8)],
        [*span(8, 9), label(2), label(8)],
    ),
    ("by age, without any base backup", span(1, 9), span(5, 12)),
    (
        "an older timeline",
        [*span(1, 5), *span(5, 9, 2), label(2), label(7, 2)],
        [*span(7, 9, 2), label(7, 2)],
    ),
    ("in the middle: that is a gap", span(1, 9), [*span(1, 3), *span(6, 9)]),
]


@pytest.mark.parametrize(("before", "after"), [each[1:] for each in RETENTION], ids=[e[0] for e in RETENTION])
def test_retention_is_no_loss(before: list[str], after: list[str]) -> None:
    assert not compared(before, after)


LOSS: list[tuple[str, list[str], list[str], dict[int, list[tuple[int, int]]], int]] = [
    ("everything", [*span(1, 9), label(2)], [], {1: [(1, 9)]}, 1),
    ("everything, and one segment since", [*span(1, 9), label(2)], span(10, 10), {1: [(1, 9)]}, 1),
    ("everything, without a base backup", span(1, 9), span(10, 10), {1: [(1, 9)]}, 0),
    (
        "WAL that the oldest base backup needs",
        [*span(1, 9), label(2)],
        [*span(5, 9), label(2)],
        {1: [(2, 4)]},
        0,
    ),
    ("all labels alone", [*span(1, 9), label(2), label(5)], span(1, 9), {}, 2),
    ("the newest end", span(1, 9), span(1, 5), {1: [(6, 9)]}, 0),
    ("both timelines", [*span(1, 5), *span(5, 9, 2)], span(10, 10, 2), {1: [(1, 5)], 2: [(5, 9)]}, 0),
]


@pytest.mark.parametrize(
    ("before", "after", "gone", "backups"), [each[1:] for each in LOSS], ids=[each[0] for each in LOSS]
)
def test_what_retention_does_not_explain_is_lost(
    before: list[str], after: list[str], gone: dict[int, list[tuple[int, int]]], backups: int
) -> None:
    lost = compared(before, after)
    if gone == {1: [(2, 4)]}:  # what lies below the base backup may go
        assert lost_numbers(lost) == {1: [(1, 4)]}
    else:
        assert lost_numbers(lost) == gone
    assert len(lost.backups) == backups


def test_what_is_young_was_deleted_by_no_rule() -> None:
    assert lost_numbers(compared(span(1, 9), span(5, 9), age_s=3600.0)) == {1: [(1, 4)]}


def test_base_backups_of_tools_that_leave_no_label() -> None:
    tools = ["base/20260101T000000/data.tar", "base/20260101T000000/backup.info"]
    before, after = [f"wals/0000000100000000/{each}" for each in span(1, 9)], index([])
    place = Place(Layout.BARMAN, "wals/")
    was, held = index([*before, *tools]), index(before)
    assert was.base_backups
    assert place in was.archives
    found = losses(was, place, {}, held, 0.0)
    assert found[place].backups == (Segment(1, 1),)
    assert losses(was, place, {}, was, 0.0) == {}
    assert losses(was, place, {}, after, 0.0)[place].timelines


def test_what_is_lost_stays_so_whatever_retention_would_say_later() -> None:
    first = losses(index([*span(1, 9), label(2)]), FLAT, {}, index(span(10, 10)), 0.0)
    again = losses(index(span(10, 10)), FLAT, first, index([*span(10, 20), label(15)]), 30 * DAY_S)
    assert lost_numbers(again[FLAT]) == {1: [(1, 9)]}
    assert again[FLAT].backups == (Segment(1, 2),)
    back = losses(index(span(10, 20)), FLAT, again, index([*span(1, 20), label(2)]), 30 * DAY_S)
    assert back == {}


def test_two_segment_sizes_are_never_compared() -> None:
    with pytest.raises(ValueError, match="segment sizes"):
        losses(index(span(1, 2)), FLAT, {}, ArchiveIndex(segment_bytes=64 * 1024 * 1024), 0.0)


@given(st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60), max_size=3))
def test_only_what_was_there_and_is_not_can_be_lost(
    before: set[int], after: set[int], began: set[int]
) -> None:
    labels = [label(number) for number in began]
    lost = compared([*names(*before), *labels], [*names(*after), *labels])
    numbers = {n for runs in lost.timelines.values() for first, last in runs for n in range(first, last + 1)}
    assert numbers <= before - after
    if before and not after & before and not began:
        assert numbers == {n for n in before if not after or n < min(after) or n > max(after)}


def test_losses_are_kept_and_whatever_else_stands_there_is_refused() -> None:
    found = losses(index([*span(1, 9), label(2)]), FLAT, {}, index([]), 0.0)
    assert losses_from(losses_content(found), MIB_16) == found
    assert losses_from(None, MIB_16) == {}
    odds: tuple[object, ...] = (
        {},
        [1],
        [{}],
        [{"layout": "NONE", "root": "", "timelines": [], "backups": ["", ""]}],
    )
    for odd in odds:
        with pytest.raises(ValueError, match=r"\w"):
            losses_from(odd, MIB_16)


# In the probe: polls, sweeps, sessions.


def emptied(bench: Bench, *left: str) -> None:
    bench.bucket.keys = sorted(left)


async def begun(**parts: object) -> Bench:
    """A session that has seen segments 1 to 9 and a base backup's label."""
    bench = Bench(MemoryBucket([*span(1, 9), label(2)]), **parts)  # type: ignore[arg-type]  # as given
    assert (await bench.settle()).lost == ()
    return bench


def stretches(facts: BucketFacts) -> list[tuple[str, str, bool]]:
    return [(gap.first, gap.last, gap.accepted is not None) for gap in facts.lost]


ALL = [(name(1), name(9), False)]


async def test_an_emptied_archive_is_told_with_the_next_segment_and_ever_after() -> None:
    bench = await begun()
    emptied(bench, name(10))
    bench.clock.at += 5
    facts = await bench.settle()
    assert (facts.segments, facts.complete, stretches(facts)) == (1, True, ALL)
    assert facts.lost[0].with_backups
    for number in range(11, 16):
        bench.clock.at += CHECK_EVERY_S
        bench.bucket.add(name(number))
        assert stretches(await bench.settle()) == ALL


async def test_the_first_poll_after_a_deletion_is_one_request_and_no_green_one() -> None:
    bench = await begun()
    emptied(bench, name(10))
    bench.clock.at += 5
    bench.bucket.requests.clear()
    facts = await bench.take()
    assert len(bench.bucket.requests) == 1
    assert facts.doubted


@pytest.mark.parametrize("between", ["a session that ends", "a session that is killed"])
async def test_another_session_knows_it(between: str) -> None:
    bench = await begun()
    emptied(bench, name(10))
    bench.clock.at += 5
    await bench.settle()
    if between == "a session that ends":
        await bench.probe.save()
    for _ in range(2):
        again = Bench(bench.bucket, shelf=bench.shelf)
        assert stretches(await again.settle()) == ALL
        await again.probe.save()


async def test_a_segment_size_that_was_a_guess_at_first() -> None:
    bench = Bench(MemoryBucket([*span(1, 9), label(2)]), segment_bytes=None)
    await bench.settle()
    bench.segment_bytes = MIB
    await bench.settle()
    await bench.probe.save()
    assert bench.shelf.document is not None
    emptied(bench, name(10))
    bench.clock.at += 5
    assert stretches(await bench.settle()) == ALL
    again = Bench(bench.bucket, segment_bytes=None, shelf=bench.shelf)
    await again.settle()
    again.segment_bytes = MIB
    assert stretches(await again.settle()) == ALL


@pytest.mark.parametrize("looks", [1, 2, 3])
@pytest.mark.parametrize("size", [MIB, 64 * MIB])
async def test_what_was_deleted_while_the_segment_size_was_a_guess(looks: int, size: int) -> None:
    """Before the server has told it, and before any segment's head was read."""
    bench = Bench(MemoryBucket([*span(1, 9), label(2)]), segment_bytes=None)
    for _ in range(looks):
        await bench.take()
    emptied(bench, name(10))
    bench.segment_bytes = size
    bench.clock.at += 1
    facts = await bench.settle()
    assert (stretches(facts), facts.lost[0].with_backups) == (ALL, True)
    again = Bench(bench.bucket, segment_bytes=size, shelf=bench.shelf)
    assert stretches(await again.settle()) == ALL


@pytest.mark.parametrize("size", [MIB, 64 * MIB])
async def test_a_guess_that_was_wrong_loses_nothing(size: int) -> None:
    """Over the end of a log, with names that cannot be with the one size or the other."""
    keys = [f"00000001{log:08X}{low:08X}" for log in (1, 2) for low in range(LOG_BYTES // size)]
    bench = Bench(MemoryBucket(keys), segment_bytes=None)
    await bench.settle()
    bench.segment_bytes = size
    facts = await bench.settle()
    assert (facts.segments, facts.lost, facts.impossible_names) == (len(keys), (), 0)


@given(
    runs=st.lists(st.tuples(st.integers(1, 6000), st.integers(1, 900)), max_size=6),
    old=st.sampled_from([1, 4, 16, 64, 1024]),
    new=st.sampled_from([1, 4, 16, 64, 1024]),
)
def test_read_with_another_size_the_names_are_the_same(
    runs: list[tuple[int, int]], old: int, new: int
) -> None:
    """As far as they can be with both."""
    keys = {Segment(1, first + at).name(old * MIB) for first, length in runs for at in range(length)}
    possible = [key for key in keys if int(key[16:], 16) < LOG_BYTES // (new * MIB)]
    before, after = ArchiveIndex("", old * MIB), ArchiveIndex("", new * MIB)
    before.fold(sorted(keys))
    after.fold(sorted(possible))
    there = {place: archive.timelines for place, archive in resized(before, new * MIB).archives.items()}
    assert {place: found for place, found in there.items() if found} == {
        place: archive.timelines for place, archive in after.archives.items()
    }


async def test_what_was_deleted_between_two_sessions() -> None:
    bench = await begun()
    await bench.probe.save()
    emptied(bench, name(10))
    assert stretches(await Bench(bench.bucket, shelf=bench.shelf).settle()) == ALL


async def test_an_archive_that_stays_empty_is_remembered() -> None:
    bench = await begun()
    emptied(bench)
    bench.clock.at += 5
    facts = await bench.settle()
    assert (facts.segments, stretches(facts)) == (0, ALL)
    again = Bench(bench.bucket, shelf=bench.shelf)
    assert stretches(await again.settle()) == ALL
    bench.bucket.add(name(10))
    again.clock.at += 5
    assert stretches(await again.settle()) == ALL


async def test_a_bucket_that_was_deleted_and_made_anew_is_remembered() -> None:
    bench = await begun()
    bench.bucket.failures = [refusal("NoSuchBucket")]
    with pytest.raises(ObjectStoreError, match="NoSuchBucket"):
        await bench.take()
    emptied(bench, name(10))
    assert stretches(await bench.settle()) == ALL


async def test_a_store_that_fails_between_the_sweep_and_the_comparison_forgets_nothing() -> None:
    bench = await begun()
    emptied(bench, name(10))
    bench.clock.at += 5
    await bench.take()
    bench.probe.refresh()
    asked = 0

    def fail_the_second() -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            bench.bucket.failures = [refusal("SlowDown")]

    bench.bucket.on_page = fail_the_second
    with pytest.raises(ObjectStoreError, match="SlowDown"):
        await bench.settle()
    bench.bucket.on_page = lambda: None
    assert stretches(await bench.settle()) == ALL


async def test_accepted_it_is_calm_in_every_session_until_that_is_taken_back() -> None:
    bench = await begun()
    emptied(bench, name(10))
    bench.clock.at += 5
    (gone,) = (await bench.settle()).lost
    bench.reader.accept(gone, "the old cluster's, deleted on purpose")
    calm = await bench.settle()
    assert stretches(calm) == [(name(1), name(9), True)]
    again = Bench(bench.bucket, shelf=bench.shelf, register=bench.register)
    assert stretches(await again.settle()) == [(name(1), name(9), True)]
    accepted = (await again.settle()).lost[0].accepted
    assert accepted is not None
    again.reader.withdraw(accepted)
    assert stretches(await again.settle()) == ALL


async def test_accepted_where_nothing_is_left() -> None:
    bench = await begun()
    emptied(bench)
    bench.clock.at += 5
    (gone,) = (await bench.settle()).lost
    bench.reader.accept(gone, "on purpose")
    assert stretches(await bench.settle()) == [(name(1), name(9), True)]


async def test_what_comes_back_is_lost_no_more() -> None:
    bench = await begun()
    emptied(bench, name(10))
    bench.clock.at += 5
    await bench.settle()
    bench.bucket.add(*span(1, 9), label(2))
    bench.clock.at += 10 * CHECK_EVERY_S
    await bench.settle()
    assert (await bench.settle()).lost == ()


async def test_what_was_never_this_servers_is_no_loss_of_its_archive() -> None:
    bench = await begun(archived=name(9))
    bench.bucket.add(name(0xFF))
    bench.probe.refresh()
    assert (await bench.settle()).newest_segment == name(0xFF)
    bench.bucket.keys.remove(name(0xFF))
    bench.probe.refresh()
    assert (await bench.settle()).lost == ()
    emptied(bench, name(10))
    bench.probe.refresh()
    bench.archived = name(10)
    assert stretches(await bench.settle()) == ALL


async def test_another_accepted_gap_covers_no_loss() -> None:
    bench = await begun()
    emptied(bench, name(10))
    bench.clock.at += 5
    target = bench.probe.target
    for root, last in (("", name(8)), ("elsewhere/", name(9))):
        bench.register.accept(
            AcceptedGap(target.endpoint, target.bucket, root, name(1), last, "another", 1.0)
        )
    assert stretches(await bench.settle()) == ALL


# What the rules and the first lines say.

GONE = Gap(1, name(1), name(0x20), 32, lost_from="", with_backups=True)


def test_the_verdicts_and_the_finding() -> None:
    snapshot = healthy(primary=bucket(lost=(GONE,)), dr=bucket(BucketRole.DR, lost=(GONE,)))
    said = diagnose(snapshot, NOW)
    assert said.verdict.level is Level.CRITICAL
    assert "LOST 32 segments and all base backups that it held" in said.verdict.text
    assert {finding.rule for finding in said.findings} == {"archive-shrunk"}
    assert archive_verdict(snapshot, NOW).level is Level.CRITICAL
    assert dr_verdict(snapshot, NOW).level is Level.WARNING


def test_accepted_there_is_no_finding() -> None:
    mark = AcceptedGap("", "", "", GONE.first, GONE.last, "on purpose", 1.0)
    known = Gap(1, name(1), name(0x20), 32, lost_from="", accepted=mark)
    said = diagnose(healthy(primary=bucket(lost=(known,))), NOW)
    assert (said.verdict.level, said.findings) == (Level.OK, ())


def test_a_base_backup_alone_is_told_by_its_own_segment() -> None:
    lost = {FLAT: Lost({}, (Segment(1, 2),))}
    (gap,) = told(lost, "pre/", MIB_16, ())
    assert (gap.first, gap.segments, gap.lost_from, gap.with_backups) == (name(2), 1, "pre/", True)
    said = diagnose(healthy(primary=bucket(lost=(gap,))), NOW)
    assert said.findings[0].title.startswith("all base backups")
