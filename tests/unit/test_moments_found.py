"""What a reading says besides its events: of a stretch that no server replays."""

from walconsole.domain.moments.collecting import Collected, EndLog
from walconsole.domain.moments.events import Kind, Moment
from walconsole.domain.moments.found import FoundMoments
from walconsole.domain.moments.names import Names
from walconsole.domain.moments.span import WalSpan
from walconsole.domain.moments.targets import ArchiveEnd
from walconsole.domain.moments.words import answer_lines

CHANGED = (
    "max_connections=100 max_worker_processes=8 wal_level={} wal_log_hints=off track_commit_timestamp=off"
)


def changed(lsn: int, level: str) -> Moment:
    return Moment(Kind.PARAMETERS, lsn, 1, None, 5, text=CHANGED.format(level))


def dropped(lsn: int) -> Moment:
    return Moment(Kind.DROPPED, lsn, 1, 7, xid=731)


BEFORE, AFTER = dropped(0x2000), dropped(0x9000)
NAMED = Moment(Kind.RESTORE_POINT, 0x2800, 1, None, 5, text="wal_level=minimal")
READ = (BEFORE, NAMED, changed(0x3000, "minimal"), changed(0x4000, "replica"), AFTER)


def found(*moments: Moment) -> FoundMoments:
    read = Collected(moments, EndLog(), 1, 9, None, None)
    return FoundMoments(0.0, 60.0, WalSpan((), 1, ArchiveEnd(1, None)), read, Names())


def test_where_wal_level_was_minimal_nothing_of_before_leads_past_it() -> None:
    reading = found(*READ)
    assert reading.barriers == (0x3000,), "a restore point may be called anything"
    assert [each for each in reading.doubts if "0/3000" in each and "wal_level = minimal" in each]
    assert reading.answer(BEFORE).barrier is None
    assert reading.answer(READ[2]).barrier is None, "up to just before it one of before leads"
    assert reading.answer(READ[2], keeping=True).barrier == 0x3000
    answer = reading.answer(AFTER)
    assert answer.barrier == 0x3000
    (said,) = [text for label, text in answer_lines(answer, Names()) if label == "reached"]
    assert "only from a base backup that was taken after 0/3000" in said
    assert said.endswith("one of before leads up to there (--to-lsn 0/3000 --before)")


def test_of_other_settings_nothing_is_said() -> None:
    reading = found(BEFORE, changed(0x3000, "logical"), AFTER)
    assert (reading.barriers, reading.answer(AFTER).barrier) == ((), None)
    assert "reached" not in dict(answer_lines(reading.answer(AFTER), Names()))
