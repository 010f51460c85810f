"""From bytes to log lines: formats, hostile input, bounds, and nothing shown twice."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.facts.log_line import LogLevel, LogLine, plain_text, read_line
from walconsole.domain.redaction import MASK
from walconsole.observe.logs.stream import (
    BACKLOG_LINES,
    LONGEST_LINE,
    SETTLE_S,
    WAITING_BYTES,
    LogStream,
    RawLines,
    ToldTwice,
    overlap,
)

MOST = 1000


def texts(lines: list[LogLine]) -> list[str]:
    return [line.text for line in lines]


# --- one line


@pytest.mark.parametrize(
    ("text", "stamp", "level", "about"),
    [
        (
            "2026-11-22 13:47:28.705 UTC [10998] LOG:  archive command failed with exit code 1",
            "2026-11-22 13:47:28.705 UTC",
            LogLevel.INFO,
            True,
        ),
        ("Nov 22 13:41:00 db postgres[12]: [3-1] FATAL:  the end", "Nov 22 13:41:00", LogLevel.FATAL, False),
        ("Nov  2 03:41:00 db x[12]: WARNING:  x", "Nov  2 03:41:00", LogLevel.WARNING, False),
        (
            "2026-11-22T13:47:28+0000 db sshd[9]: ok",
            "2026-11-22T13:47:28+0000",
            LogLevel.INFO,
            False,
        ),
        (
            "2026/11/22 13:47:28 ERROR : a: Failed to copy: AccessDenied (rclone)",
            "2026/11/22 13:47:28",
            LogLevel.ERROR,
            True,
        ),
        ("1795357000.123 [7] DEBUG2:  recycled", "1795357000.123", LogLevel.DEBUG, False),
        ("[7] app@app STATEMENT:  SELECT 'ERROR: x'", "", LogLevel.INFO, False),
        ("PANIC:  could not write to file: No space left on device", "", LogLevel.FATAL, True),
        ("could not open 0000000100000000000000FE", "", LogLevel.INFO, True),
        ("LOG:  walrus", "", LogLevel.INFO, False),
        # What the server did not write, the archive command did.
        ("sh: 1: /usr/local/bin/archive: not found", "", LogLevel.INFO, True),
        (
            "2026/11/22 13:47:28 ERROR : Attempt 1/1 failed: operation error S3: StatusCode: 403",
            "2026/11/22 13:47:28",
            LogLevel.ERROR,
            True,
        ),
        (
            "2026-11-22 13:47:28.123 CET [7] FEHLER:  Relation fehlt",
            "2026-11-22 13:47:28.123 CET",
            LogLevel.INFO,
            False,
        ),
        ("", "", LogLevel.INFO, False),
    ],
)
def test_what_a_line_says(text: str, stamp: str, level: LogLevel, about: bool) -> None:
    line = read_line("postgresql", text)
    assert (line.stamp, line.level, line.about_archiving, line.text) == (stamp, level, about, text)


def test_csv_and_json_read_as_text() -> None:
    csv = (
        '2026-11-22 13:47:28.705 UTC,"app","db",77,"[local]",6921c0f0.4d,1,"COPY",'
        '2026-11-22 13:40:00 UTC,3/4,0,ERROR,42501,"permission denied, ""wal""",'
        '"a detail","a hint",,,,,,,,"client backend",,0'
    )
    wanted = (
        '2026-11-22 13:47:28.705 UTC [77] ERROR:  permission denied, "wal"  DETAIL:  a detail  HINT:  a hint'
    )
    assert plain_text(csv) == wanted
    record = {
        "timestamp": "2026-11-22 13:47:28.705 UTC",
        "pid": 77,
        "error_severity": "ERROR",
        "message": 'permission denied, "wal"',
        "detail": "a detail",
        "hint": "a hint",
    }
    assert plain_text(json.dumps(record)) == wanted
    assert read_line("x", wanted).level is LogLevel.ERROR


@pytest.mark.parametrize(
    "raw",
    [
        "{",
        "{}",
        "[1]",
        '{"message": ' + "[" * 5000,
        '2026-01-01 00:00:00.000 UTC,"x',
        "2026-01-01 00:00:00.000 UTC,a,b",
    ],
)
def test_what_only_looks_like_a_record_stays(raw: str) -> None:
    assert plain_text(raw) == raw


# --- cutting


@given(st.lists(st.binary(max_size=40)), st.integers(1, 9))
def test_any_chunks_give_the_same_lines(lines: list[bytes], size: int) -> None:
    lines = [line.replace(b"\n", b"") for line in lines]
    stream = b"".join(line + b"\n" for line in lines) + b"unfinished"
    raw, got = RawLines(), []
    for at in range(0, len(stream), size):
        raw.feed(stream[at : at + size])
        taken, dropped = raw.take(MOST)
        assert dropped == 0
        got += taken
    assert got == lines


@given(st.lists(st.one_of(st.binary(max_size=30_000), st.just(b"\n")), max_size=30))
def test_memory_is_bounded_whatever_comes(chunks: list[bytes]) -> None:
    raw = RawLines()
    for chunk in chunks:
        raw.feed(chunk)
        assert len(raw._waiting) <= WAITING_BYTES + LONGEST_LINE + 1


def test_a_line_without_end_keeps_its_beginning() -> None:
    raw = RawLines()
    for _ in range(100):
        raw.feed(b"x" * 100_000)
    assert len(raw._waiting) == LONGEST_LINE + 1
    raw.feed(b"xxx\nnext\n")
    lines, dropped = raw.take(MOST)
    assert [len(line) for line in lines] == [LONGEST_LINE + 1, 4]
    assert dropped == 0


def test_what_is_too_much_is_dropped_oldest_first_and_counted() -> None:
    raw = RawLines()
    line, sent = b"%07d " + b"x" * 91 + b"\n", 60_000
    for begin in range(0, sent, 1000):
        raw.feed(b"".join(line % n for n in range(begin, begin + 1000)))
    lines, dropped = raw.take(MOST)
    assert [int(one[:7]) for one in lines] == list(range(sent - MOST, sent))
    assert dropped == sent - MOST
    assert raw.take(MOST) == ([], 0)


# --- a stream


def test_hostile_lines_are_made_safe() -> None:
    stream = LogStream("postgresql", always=False)
    stream.opened()
    stream.feed(b"\x1b]0;owned\x07\x1b[2Jplain [red]x[/red]\r\n\xff\xfe\x00 password=hunter2\n", 0.0)
    assert texts(stream.read(MOST, 0.0)) == ["plain [red]x[/red]", f"\ufffd\ufffd password={MASK}"]


def test_long_lines_are_cut_and_say_so() -> None:
    stream = LogStream("postgresql", always=False)
    stream.opened()
    stream.feed(b"y" * 50_000 + b"\n", 0.0)
    (line,) = stream.read(MOST, 0.0)
    assert line.text == "y" * LONGEST_LINE + " … (cut)"


def test_a_line_that_goes_on_is_of_the_same_matter() -> None:
    stream = LogStream("postgresql", always=False)
    stream.opened()
    stream.feed(b"2026-11-22 13:47:28 UTC [1] ERROR:  archiver\n\tand more\n", 0.0)
    first, second = stream.read(MOST, 0.0)
    assert (second.stamp, second.level, second.about_archiving) == (first.stamp, LogLevel.ERROR, True)
    assert second.text == " and more"


FAULT = "failing: archiving fails, last on 000000010000000000000042: PostgreSQL's log says why"
FILED = f"2026-11-22T13:47:28Z ALARM: {FAULT}"
JOURNALLED = f"2026-11-22T14:47:29+0100 droplet shithub-wal[812]: {FAULT}"


def from_(origin: str, text: str) -> LogLine:
    return read_line(origin, text, always=True)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("zone", ["+0100", "+01:00"])
def test_a_fault_of_the_verifier_stands_once(first: int, zone: str) -> None:
    """Whichever of its two places comes first; the next run's is told again."""
    twice = ToldTwice()
    both = [
        from_("wal-archive.log", FILED),
        from_("shithub-wal", JOURNALLED.replace("+0100", zone)),
    ]
    assert [twice.repeats(line) for line in (both[first], both[1 - first])] == [False, True]
    later = FILED.replace("T13", "T14")
    assert not twice.repeats(from_("wal-archive.log", later))
    assert not twice.repeats(from_("wal-archive.log", later.replace("42:", "43:")))


def test_what_is_told_in_one_place_alone_is_shown() -> None:
    twice = ToldTwice()
    for line in (
        from_("wal-archive.log", FILED),
        from_("wal-archive.log", FILED),  # twice in one file is twice
        from_("shithub-wal", JOURNALLED.replace("failing", "backlog")),
        from_("shithub-wal", JOURNALLED.replace("T14", "T15")),
        from_("shithub-wal", "-- No entries --"),
        from_("shithub-wal", "2026-11-22T14:47:29+0100 droplet systemd[1]: Started it."),
    ):
        assert not twice.repeats(line)


AT = "2026-11-22 13:47:28.123 UTC [412]"
QUERY = "SELECT last_archived_wal FROM pg_stat_archiver"


@pytest.mark.parametrize(
    ("lines", "about"),
    [
        ((f"{AT} LOG:  duration: 6003.1 ms", f"{AT} STATEMENT:  {QUERY}"), (False, False)),
        ((f"{AT} ERROR:  canceling statement", f"{AT} STATEMENT:  {QUERY}", "\tWHERE true"), (False,) * 3),
        ((f"{AT} FEHLER:  abgebrochen", f"{AT} ANWEISUNG:  {QUERY}"), (False, False)),
        ((f"{AT} 오류:  취소", f"{AT} 명령 구문:  {QUERY}"), (False, False)),
        ((f"{AT} ERREUR:  annulé", f"{AT} INSTRUCTION :  {QUERY}"), (False, False)),
        ((f"{AT} ERROR:  WAL is not archived", f"{AT} STATEMENT:  SELECT pg_backup_stop()"), (True, True)),
        ((f"{AT} LOG:  could not do it", f"{AT} DETAIL:  The archive command failed"), (True, True)),
        ((f"{AT} ERROR:  no", f"{AT} HINT:  See pg_wal.", f"{AT} STATEMENT:  SELECT 1"), (True, True, True)),
        ((f"{AT} STATEMENT:  {QUERY}", f"{AT} LOG:  archived"), (False, True)),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_no_part_of_a_message_is_shown_without_it(
    lines: tuple[str, ...], about: tuple[bool, ...], at_once: bool
) -> None:
    """A statement of somebody's that names WAL is no message about archiving."""
    stream = LogStream("postgresql", always=False)
    stream.opened()
    read: list[LogLine] = []
    for line in ["".join(f"{each}\n" for each in lines)] if at_once else [f"{each}\n" for each in lines]:
        stream.feed(line.encode(), 0.0)
        read += stream.read(MOST, 0.0)
    told = tuple(line.about_archiving for line in read)
    if at_once:
        assert told == about
    else:  # what was shown already stays as it was; nothing is shown without what it belongs to
        assert told[-1] == about[-1]


def test_a_private_key_is_hidden_line_by_line() -> None:
    stream = LogStream("x", always=True)
    stream.opened()
    stream.feed(
        b"-----BEGIN RSA PRIVATE KEY-----\nMIIabc\nsecretbits\n-----END RSA PRIVATE KEY-----\nafter\n", 0.0
    )
    assert texts(stream.read(MOST, 0.0)) == [MASK, MASK, MASK, MASK, "after"]


def test_dropped_lines_are_told() -> None:
    stream = LogStream("x", always=True)
    stream.opened()
    stream.feed(b"".join(b"%d\n" % n for n in range(MOST + 5)), 0.0)
    lines = stream.read(MOST, 0.0)
    assert lines[0].text == "walconsole: 5 lines were dropped here"
    assert lines[1].text == "5"


def reopened(before: list[bytes], again: list[bytes]) -> list[str]:
    stream = LogStream("x", always=True)
    stream.opened()
    stream.feed(b"".join(line + b"\n" for line in before), 0.0)
    stream.read(MOST, 0.0)
    stream.opened()
    assert not stream.settling
    stream.feed(b"".join(line + b"\n" for line in again), 10.0)
    assert stream.settling
    at_once = stream.read(MOST, 10.0)
    if len(again) >= BACKLOG_LINES:
        return texts(at_once)
    assert at_once == []
    return texts(stream.read(MOST, 10.0 + SETTLE_S))


def numbered(begin: int, end: int) -> list[bytes]:
    return [b"line %d" % n for n in range(begin, end)]


def test_a_reopened_stream_shows_only_what_is_new() -> None:
    assert reopened(numbered(0, 50), numbered(0, 53)) == ["line 50", "line 51", "line 52"]
    assert reopened(numbered(0, 500), numbered(320, 520)) == [f"line {n}" for n in range(500, 520)]
    assert reopened(numbered(0, 50), numbered(0, 50)) == []


def test_a_hole_in_a_reopened_stream_is_told() -> None:
    lines = reopened(numbered(0, 10), numbered(90, 92))
    assert lines == [
        "walconsole: the stream was interrupted: lines may be missing here",
        "line 90",
        "line 91",
    ]


@given(
    st.lists(st.sampled_from([b"a", b"b"]), max_size=12), st.lists(st.sampled_from([b"a", b"b"]), max_size=12)
)
def test_overlap_is_what_it_says(shown: list[bytes], came: list[bytes]) -> None:
    count = overlap(shown, came)
    same = min(count, len(shown))
    assert came[count - same : count] == shown[len(shown) - same :]
