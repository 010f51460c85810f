"""Which segments hold a time, how much room they take, and what the droplet's script prints of them."""

import gzip
import zlib

import pytest

from tests.data.moments import printed
from tests.data.recovery import CLUSTER, MIB, NOW, SIZE, base, runs_of
from walconsole.domain.archive.timelines import Switch, TimelineHistory
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.moments.collecting import Collecting
from walconsole.domain.moments.span import NothingToReadError, refused_for_room, wal_span
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.recoverability import Recoverability, recoverability
from walconsole.domain.recovery.wal_supply import ArchiveCopy
from walconsole.observe.moments.stream import MomentStream

GIB = 1024 * MIB


def _stored(number: int) -> float:
    """A segment a minute, number 100 at NOW."""
    return NOW - 60.0 * (100 - number)


def _archive(numbers: set[int], *, timelines: dict[int, set[int]] | None = None) -> Recoverability:
    held = timelines or {1: numbers}
    times = StoredTimes()
    for timeline, each in held.items():
        for number in each:
            times.note(timeline, number, _stored(number))
    histories = {}
    if 2 in held:
        histories = {2: TimelineHistory(2, (Switch(1, 50 * SIZE + 4096),))}
    copy = ArchiveCopy(
        BucketRole.PRIMARY,
        {timeline: runs_of(each) for timeline, each in held.items()},
        (base(10),),
        histories,
        set(histories),
        times=times,
    )
    return recoverability([copy], CLUSTER, max(held))


def _numbers(found: Recoverability, around: int, minutes: float, most: int = 64) -> list[int]:
    at = _stored(around)
    return [each.number for each in wal_span(found, at - minutes * 60, at + minutes * 60, most=most).segments]


def test_the_segments_stored_around_a_time_with_one_more_on_each_side() -> None:
    found = _archive(set(range(5, 101)))
    assert _numbers(found, 40, 0) == [39, 40, 41]
    assert _numbers(found, 40, 2) == list(range(37, 44))
    # a time between two segments: what was written then is in the later one
    span = wal_span(found, _stored(40) + 1, _stored(40) + 2)
    assert [each.number for each in span.segments] == [40, 41, 42]
    assert span.names[0] == "000000010000000000000028"
    assert span.room_bytes == 2 * 3 * SIZE
    assert (span.end.lsn, span.end.was_read, span.has_more) == (101 * SIZE, False, True)
    assert span.end.stored_us == int(_stored(100) * 1_000_000)


def test_at_the_ends_there_is_no_more_than_there_is() -> None:
    found = _archive(set(range(5, 101)))
    assert _numbers(found, 100, 1) == [98, 99, 100]
    span = wal_span(found, _stored(100) + 600, _stored(100) + 1200)
    assert [each.number for each in span.segments] == [99, 100]
    assert (span.end.was_read, span.has_more) == (True, False)
    early = wal_span(found, _stored(5) - 900, _stored(5) - 800)
    assert [each.number for each in early.segments] == [5, 6]
    assert "what was before is not archived" in early.notes[0]


def test_of_too_many_the_middle_is_read_and_said() -> None:
    found = _archive(set(range(5, 101)))
    span = wal_span(found, _stored(20), _stored(80), most=10)
    assert [each.number for each in span.segments] == list(range(45, 55))
    assert "the middle 10 are read" in span.notes[0]


def test_a_hole_ends_it_and_the_side_of_the_time_asked_for_is_read() -> None:
    found = _archive(set(range(5, 101)) - {40, 41})
    before = wal_span(found, _stored(34), _stored(42))
    assert [each.number for each in before.segments] == list(range(33, 40))
    assert before.notes == ("000000010000000000000028 is missing: what follows it is not read",)
    after = wal_span(found, _stored(38), _stored(48))
    assert [each.number for each in after.segments] == list(range(42, 50))
    assert after.notes == ("000000010000000000000029 is missing: what was before it is not read",)


def test_nothing_there_is_said() -> None:
    with pytest.raises(NothingToReadError, match="no WAL of this timeline"):
        wal_span(recoverability([ArchiveCopy(BucketRole.PRIMARY, {})], CLUSTER, 1), NOW, NOW)


def test_across_a_promotion_each_timeline_is_a_run_of_its_own() -> None:
    found = _archive(set(), timelines={1: set(range(5, 60)), 2: set(range(50, 101))})
    span = wal_span(found, _stored(48), _stored(52))
    assert [(each.timeline, each.number) for each in span.segments] == [
        (1, 47), (1, 48), (1, 49), (2, 50), (2, 51), (2, 52), (2, 53),
    ]  # fmt: skip
    assert [[each.number for each in run] for run in span.runs] == [[47, 48, 49], [50, 51, 52, 53]]


@pytest.mark.parametrize(
    ("needed", "free", "total", "refused"),
    [
        (GIB, 3 * GIB, 10 * GIB, False),
        (GIB, 3 * GIB - 1, 10 * GIB, True),
        (GIB, 10 * GIB, 100 * GIB, True),
        (GIB, 11 * GIB, 100 * GIB, False),
        (GIB, None, None, True),
        (GIB, 3 * GIB, None, False),
    ],
)
def test_room_is_judged_with_a_reserve(
    needed: int, free: int | None, total: int | None, refused: bool
) -> None:
    assert bool(refused_for_room(needed, free, total)) is refused


# -- What comes from the droplet.

MARK = "walconsole-0123456789abcdef"


def _sent(*runs: tuple[bytes, str], words: str = "3 segments from spaces-prod:x/\n") -> bytes:
    text = b"".join(run + f"{MARK}{said}{MARK}".encode() for run, said in runs)
    return f"{words}{MARK} dump\n".encode() + gzip.compress(text, 1)


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
def test_a_stream_is_read_whatever_its_chunks(size: int) -> None:
    text = printed("15-replica")[:20_000]
    whole = text[: text.rindex(b"\n") + 1]
    sent = _sent((whole, "0\n\n"), (whole, "1\npg_waldump: error: could not find file\n"))
    stream = MomentStream(MARK)
    found = [part for at in range(0, len(sent), size) for part in stream.feed(sent[at : at + size])]
    assert b"".join(part for part in found if part is not None) == whole * 2
    assert found.count(None) == 2
    assert stream.ended == [(0, ""), (1, "pg_waldump: error: could not find file")]
    assert stream.words == ["3 segments from spaces-prod:x/"]
    assert stream.whole


def test_a_cut_stream_is_not_whole_and_keeps_what_came() -> None:
    whole = printed("15-replica")[:50_000]
    sent = _sent((whole, "0\n"))
    stream, collecting = MomentStream(MARK), Collecting(1)
    for text in stream.feed(sent[: len(sent) // 2]):
        collecting.feed(text or b"")
    assert not stream.whole
    assert collecting.end().records > 10


def test_last_words_before_the_stream_are_the_reason() -> None:
    stream = MomentStream(MARK)
    assert list(stream.feed(b"1 segments from x\nwalconsole-moment: no room in /var/tmp")) == []
    assert not stream.began
    assert stream.last_words == "1 segments from x; walconsole-moment: no room in /var/tmp"


def test_what_is_no_gzip_is_an_error() -> None:
    stream = MomentStream(MARK)
    with pytest.raises(zlib.error):
        list(stream.feed(f"{MARK} dump\n".encode() + b"not compressed at all"))


def test_a_bomb_takes_bounded_memory() -> None:
    bomb = f"{MARK} dump\n".encode() + gzip.compress(b"\0" * (64 * MIB))
    longest = max(len(part or b"") for part in MomentStream(MARK).feed(bomb))
    assert longest <= 2 * MIB
