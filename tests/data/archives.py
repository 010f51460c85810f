"""Snapshots and readers of archives: gaps, a switch of timelines, a DR copy behind, hostile keys."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from tests.data import facts
from tests.data.bucket_reader import KeysReader
from tests.data.facts import NOW, SEGMENT
from tests.data.snapshots import HOSTILE, problem, reading
from walconsole.domain.archive.continuity import Continuity, continuity
from walconsole.domain.archive.gaps import AcceptedGap, Gap
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.layouts import Layout, Place
from walconsole.domain.archive.page_header import PageHeader, SegmentIdentity
from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.timelines import Switch, TimelineHistory
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.facts.observed import BucketFacts, RepeatedSegment, SweepProgress
from walconsole.domain.facts.snapshot import Snapshot, fold
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.backups import BaseBackup
from walconsole.domain.wal import Segment
from walconsole.errors import WalconsoleError

OURS = "7412345678901234567"
NEWEST = Segment(2, 0x3A41)
SWITCH_LSN = 0x2F10 * SEGMENT + 0x528
PRIMARY_RUNS = {
    1: ((0x100, 0x7FF), (0x811, 0x11FF), (0x1201, 0x1FFF), (0x2003, 0x2F10)),
    2: ((0x2F10, 0x3A41),),
}
DR_RUNS = {
    1: ((0x100, 0x7FF), (0x811, 0x11FF), (0x1201, 0x17FF), (0x1810, 0x1FFF), (0x2002, 0x2F10)),
    2: ((0x2F10, 0x3A41 - 41),),
}
ACCEPTED = (0x800, 0x810)
LABELS = (Segment(1, 0x100), Segment(1, 0x1A00), Segment(2, 0x3100))
Intervals = Mapping[int, Sequence[tuple[int, int]]]


def stored_at(number: int) -> float:
    """A segment a minute, the newest 40 s ago."""
    return NOW - 40 - 60.0 * (NEWEST.number - number)


def held(runs: Intervals, **changes: Any) -> Holding:
    """Segments by timeline, in the flat layout."""
    timelines, times = {}, StoredTimes()
    for timeline, intervals in runs.items():
        timelines[timeline] = Runs()
        for first, last in intervals:
            timelines[timeline].add(first, last)
            for number in (first, *range(first - first % 512 + 512, last, 512), last):
                times.note(timeline, number, stored_at(number))
    newest = Segment(max(timelines), timelines[max(timelines)].last)
    count = sum(one.count for one in timelines.values())
    whole = Holding(
        place=Place(Layout.FLAT),
        prefix="",
        segment_bytes=SEGMENT,
        timelines=timelines,
        times=times,
        stored_bytes=count * SEGMENT,
        suffixes={"": count},
        history_keys={2: "00000002.history"},
        labels=LABELS,
        partials=1,
        repeated=(),
        repeated_count=0,
        newest=newest,
        newest_key=newest.name(),
        last_key=newest.name(),
    )
    return replace(whole, **changes)


def identity(segment: Segment, system: str = OURS) -> SegmentIdentity:
    """The head of a segment, read half an hour ago."""
    header = PageHeader(0xD110, 15, segment.timeline, segment.start_lsn(), system, SEGMENT, 8192)
    return SegmentIdentity(segment.name(), segment.name(), NOW - 1800, header)


def accepted(role: BucketRole, reason: str = "lost with the old droplet") -> AcceptedGap:
    """What is known to be lost in a bucket."""
    base = facts.bucket(role)
    first, last = (Segment(1, number).name() for number in ACCEPTED)
    return AcceptedGap(base.endpoint, base.bucket, "", first, last, reason, NOW - 86400 * 20, "tenzin")


def dated(found: Continuity) -> Continuity:
    """Each gap is as old as the segment after it."""

    def gaps(those: Sequence[Gap]) -> tuple[Gap, ...]:
        return tuple(replace(gap, until_at=stored_at(Segment.parse(gap.last).number + 1)) for gap in those)

    return replace(found, gaps=gaps(found.gaps), accepted_gaps=gaps(found.accepted_gaps))


def backup_of(label: Segment) -> BaseBackup:
    """The base backup that left this label, which began in its segment and was as quick as that."""
    stopped = stored_at(label.number)
    id = f"{datetime.fromtimestamp(stopped - 20, UTC):%Y%m%dT%H%M%SZ}"
    return facts.backup(
        id=id,
        timeline=label.timeline,
        start_lsn=label.start_lsn() + 40,
        stop_lsn=label.start_lsn() + 312,
        stop_timeline=label.timeline,
        started=stopped - 20,
        stopped=stopped,
        keys=(f"base/{id}/backup.json",),
    )


def bucket_of(role: BucketRole, runs: Intervals, **changes: Any) -> BucketFacts:
    """A bucket that holds these segments, and what follows from them."""
    holding = held(runs)
    marks = changes.pop("accepted_gaps", (accepted(role),))
    histories = {2: TimelineHistory(2, (Switch(1, SWITCH_LSN, "no recovery target specified"),))}
    found = dated(continuity(holding.timelines, histories, SEGMENT, accepted=marks))
    count = holding.segments
    told = facts.bucket(
        role,
        objects=count + 5,
        stored_bytes=count * SEGMENT,
        segments=count,
        newest_segment=holding.newest.name() if holding.newest else None,
        newest_key=holding.newest_key,
        oldest_segment=Segment(1, 0x100).name(),
        histories=("00000002.history",),
        histories_read=histories,
        gaps=found.gaps,
        gap_count=found.gap_count,
        missing_segments=found.missing_segments,
        holding=holding,
        continuity=found,
        identities=(identity(NEWEST), identity(Segment(1, 0x100))),
        accepted_gaps=marks,
        backup_labels=len(LABELS),
        backups=tuple(map(backup_of, LABELS)),
        partials=1,
        swept_at=NOW - 5400,
        checked_at=NOW - 25,
        remembered=True,
        foreign_objects=1,
    )
    return replace(told, **changes)


def of(**values: Any) -> Snapshot:
    """A snapshot with these buckets; the server writes where the primary archive ends."""
    lsn = (NEWEST.number + 1) * SEGMENT + 5 * facts.MIB
    whole: dict[str, Any] = {
        "server": facts.server(timeline=2),
        "archiver": facts.archiver(
            lsn=lsn, current_wal=NEWEST.next().name(), last_archived_wal=NEWEST.name()
        ),
    }
    snapshot = facts.healthy(**whole)
    for name, value in values.items():
        one = reading(getattr(Snapshot, name), value) if isinstance(value, BucketFacts) else value
        snapshot = fold(snapshot, one, NOW)
    return snapshot


def holes() -> Snapshot:
    """Two gaps that alarm, one that is accepted, a switch of timelines, a DR copy that is behind."""
    return of(primary=bucket_of(BucketRole.PRIMARY, PRIMARY_RUNS), dr=bucket_of(BucketRole.DR, DR_RUNS))


def whole() -> Snapshot:
    """Nothing is missing anywhere."""
    runs = {1: ((0x100, 0x2F10),), 2: ((0x2F10, NEWEST.number),)}
    return of(
        primary=bucket_of(BucketRole.PRIMARY, runs, accepted_gaps=()),
        dr=bucket_of(BucketRole.DR, runs, accepted_gaps=()),
    )


def sweeping() -> Snapshot:
    """The first listing of both is on its way."""
    progress = SweepProgress(pages=12, segments=11_840, seconds=0.9, left_s=2.4)
    part = {1: ((0x100, 0x1FFF), (0x2800, 0x2F10))}
    changes: dict[str, Any] = {"complete": False, "progress": progress, "continuity": None, "identities": ()}
    return of(
        primary=bucket_of(BucketRole.PRIMARY, part, **changes),
        dr=bucket_of(BucketRole.DR, part, **changes),
    )


def swept_again() -> Snapshot:
    """As `holes`, while a full sweep runs."""
    before = holes().primary.value
    assert before is not None
    progress = SweepProgress(pages=3, segments=2_900, seconds=0.3, left_s=1.1)
    return of(primary=replace(before, progress=progress), dr=bucket_of(BucketRole.DR, DR_RUNS))


def primary_missing() -> Snapshot:
    """The primary bucket does not exist; the copy does."""
    why = "the bucket shithub-wal does not exist (HTTP 404)"
    return of(
        primary=problem(Snapshot.primary, why, "create it", "NoSuchBucket"),
        dr=bucket_of(BucketRole.DR, DR_RUNS),
    )


def dr_unread() -> Snapshot:
    """Of the DR copy nothing is known."""
    why = "403 AccessDenied for key DO00AB…"
    return of(
        primary=bucket_of(BucketRole.PRIMARY, PRIMARY_RUNS),
        dr=problem(Snapshot.dr, why, "grant the key read on shithub-wal-dr", "AccessDenied"),
    )


def stale() -> Snapshot:
    """Both were read, then the store stopped answering."""
    why = "no answer from nyc3.digitaloceanspaces.com in 10 s"
    return of(
        primary=problem(
            Snapshot.primary, why, "", "Unreachable", bucket_of(BucketRole.PRIMARY, PRIMARY_RUNS)
        ),
        dr=bucket_of(BucketRole.DR, DR_RUNS),
    )


def foreign() -> Snapshot:
    """Another cluster writes there too, some segments are there twice, and other archives beside it."""
    name = Segment(1, 0x1A00).name()
    repeats = (
        RepeatedSegment(name, (name, f"{name}.gz"), False),
        RepeatedSegment(Segment(1, 0x1A01).name(), ("a", "b"), True),
    )
    primary = bucket_of(
        BucketRole.PRIMARY,
        PRIMARY_RUNS,
        identities=(identity(NEWEST, "7400000000000000001"), identity(Segment(1, 0x100))),
        repeats=repeats,
        repeated_segments=3,
        other_archives=("old/", "clone/2026/"),
        impossible_names=2,
        unread=("00000003.history: 403 AccessDenied",),
    )
    return of(primary=primary, dr=bucket_of(BucketRole.DR, DR_RUNS))


def hostile() -> Snapshot:
    """Every text that comes from outside is as bad as it can be."""
    bad = HOSTILE
    mark = accepted(BucketRole.PRIMARY, bad)
    primary = bucket_of(
        BucketRole.PRIMARY,
        PRIMARY_RUNS,
        accepted_gaps=(replace(mark, by=bad),),
        bucket=bad,
        layout=bad,
        folder=bad,
        other_archives=(bad,) * 30,
        identities=(SegmentIdentity(bad, bad, NOW, None, bad), identity(NEWEST, bad)),
        repeats=(RepeatedSegment(bad, (bad, bad), False),),
        repeated_segments=1,
        unread=(bad,),
        newest_segment=bad,
        newest_key=bad,
    )
    odd = bucket_of(BucketRole.DR, DR_RUNS, gaps=(Gap(1, bad, bad, 3),), continuity=None, bucket=bad)
    return of(primary=primary, dr=odd)


ARCHIVES: dict[str, Callable[[], Snapshot]] = {
    make.__name__: make
    for make in (holes, whole, sweeping, swept_again, primary_missing, dr_unread, stale, foreign, hostile)
}


def keys_of(runs: Intervals) -> tuple[str, ...]:
    """All keys of a bucket in the flat layout, with what lies beside segments."""
    return _keys_of(tuple((timeline, tuple(intervals)) for timeline, intervals in runs.items()))


@cache
def _keys_of(runs: tuple[tuple[int, tuple[tuple[int, int], ...]], ...]) -> tuple[str, ...]:
    """Once for all tests: they are sixteen thousand."""
    names = [
        Segment(timeline, number).name()
        for timeline, intervals in runs
        for first, last in intervals
        for number in range(first, last + 1)
    ]
    labels = [f"{label.name()}.00000028.backup" for label in LABELS]
    return tuple(sorted([*names, *labels, "00000002.history", "README [/red] 漢字.txt"]))


class Register(KeysReader):
    """Notes what was accepted and withdrawn; `refuses` is raised instead."""

    def __init__(self, runs: Intervals, role: BucketRole = BucketRole.PRIMARY) -> None:
        super().__init__(keys_of(runs), role=role)
        self.marked: list[str] = []
        self.refuses: WalconsoleError | None = None

    def accept(self, gap: Gap, reason: str) -> None:
        self._note(f"accept {gap.first} to {gap.last}: {reason}")

    def withdraw(self, accepted: AcceptedGap) -> None:
        self._note(f"withdraw {accepted.first} to {accepted.last}")

    def _note(self, text: str) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.marked.append(text)


def readers() -> tuple[Register, Register]:
    """Readers that go with `holes`."""
    return Register(PRIMARY_RUNS), Register(DR_RUNS, BucketRole.DR)
