"""What a line of the server's log tells, in every format that a server writes."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.facts.evidence import LogEntry, LogKind
from walconsole.domain.facts.log_entries import read_entry, stamp_at, utc, with_times

AT = datetime(2026, 11, 25, 12, 0, 1, 250_000, UTC).timestamp()
SEGMENT = "000000010000000000000042"

P = "2026-11-25 12:00:01.250 UTC [12] "
"""log_line_prefix = '%m [%p] '"""
LINES: list[tuple[str, LogKind, int | None, int | None]] = [
    (P + "LOG:  archive command failed with exit code 1", LogKind.FAILED, 1, None),
    (P + "FATAL:  archive command failed with exit code 127", LogKind.FAILED, 127, None),
    (P + "FATAL:  archive command was terminated by signal 9: Killed", LogKind.KILLED, None, 9),
    (
        P + f"app@db DETAIL:  The failed archive command was: cp pg_wal/{SEGMENT}",
        LogKind.COMMAND,
        None,
        None,
    ),
    (
        P + "WARNING:  archive_mode enabled, yet archiving is not configured",
        LogKind.NOT_CONFIGURED,
        None,
        None,
    ),
    (
        P + "WARNING:  archive_mode enabled, yet archive_command is not set",
        LogKind.NOT_CONFIGURED,
        None,
        None,
    ),
    (P + f'WARNING:  removed orphan archive status file "{SEGMENT}.ready"', LogKind.ORPHAN, None, None),
    (P + 'ERROR:  both "archive_command" and "archive_library" set', LogKind.ARCHIVER_FATAL, None, None),
    (P + 'FATAL:  could not access file "basic_archive"', LogKind.ARCHIVER_FATAL, None, None),
    (P + "LOG:  database system is ready to accept connections", LogKind.STARTED, None, None),
    (P + "LOG:  received fast shutdown request", LogKind.STOPPED, None, None),
    (P + "LOG:  received SIGHUP, reloading configuration files", LogKind.RELOADED, None, None),
    (P + 'PANIC:  could not write to file "x": No space left on device', LogKind.DISK_FULL, None, None),
    ("cp: error writing '/mnt/x': No space left on device", LogKind.DISK_FULL, None, None),
    ("2026/11/25 12:00:01 ERROR : x: Failed to copy: AccessDenied", LogKind.PROGRAM, None, None),
    ("sh: 1: /usr/local/bin/pg-arhive: not found", LogKind.PROGRAM, None, None),
    (P + f'WARNING:  archiving write-ahead log file "{SEGMENT}" failed too many', LogKind.OTHER, None, None),
]


@pytest.mark.parametrize(("line", "kind", "code", "signal"), LINES, ids=[line[-40:] for line, *_ in LINES])
def test_kinds(line: str, kind: LogKind, code: int | None, signal: int | None) -> None:
    entry = read_entry(line, utc)
    assert entry is not None
    assert (entry.kind, entry.exit_code, entry.signal) == (kind, code, signal)
    if " UTC [" in line:
        assert entry.at == pytest.approx(AT)


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-25 12:00:01.250 UTC [12] LOG:  checkpoint starting: time",
        "2026-11-25 12:00:01.250 UTC [12] ERROR:  relation \"x\" does not exist at character 15",
        "\tSELECT archive FROM x",
        "",
    ],
)  # fmt: skip
def test_what_matters_not_is_left_out(line: str) -> None:
    assert read_entry(line, utc) is None


def test_csv_and_json_are_read_as_text_is() -> None:
    fields = ["2026-11-25 12:00:01.250 UTC", "", "", "12", "", "", "1", "", "", "", "0", "LOG", "00000"]
    fields += [
        "archive command failed with exit code 7",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "archiver",
        "",
        "0",
    ]
    record = {"timestamp": "2026-11-25 12:00:01.250 UTC", "pid": 12, "error_severity": "LOG"}
    record["message"] = "archive command failed with exit code 7"
    for line in (",".join(fields), json.dumps(record)):
        entry = read_entry(line, utc)
        assert entry is not None
        assert (entry.kind, entry.exit_code) == (LogKind.FAILED, 7)
        assert entry.at == pytest.approx(AT)


@pytest.mark.parametrize(
    ("prefix", "at"),
    [
        ("2026-11-25 12:00:01.250 UTC [1]", AT),
        ("2026-11-25 12:00:01 UTC [1]", AT - 0.25),
        ("2026-11-25 13:00:01.250 +01 [1]", AT),
        ("2026-11-25 17:30:01.250 +05:30 [1]", AT),
        ("2026-11-25T12:00:01+00:00 host postgres[1]:", AT - 0.25),
        ("1795608001.250 [1]", AT),
        ("2026-11-25 13:00:01.250 CET [1]", AT),  # by log_timezone: the letters are ambiguous
        ("[1]", None),
        ("2026-13-45 99:00:00 UTC", None),
    ],
)  # fmt: skip
def test_times(prefix: str, at: float | None) -> None:
    found = stamp_at(f"{prefix} LOG:  archive command failed with exit code 1", lambda _: timedelta(hours=1))
    assert found == (None if at is None else pytest.approx(at))


def test_what_a_program_prints_has_the_time_of_the_servers_next_word() -> None:
    said = LogEntry("AccessDenied", LogKind.PROGRAM)
    failed = LogEntry("failed", LogKind.FAILED, at=5.0)
    assert [entry.at for entry in with_times([said, failed, said])] == [5.0, 5.0, 5.0]
    assert with_times([said])[0].at is None


@given(st.text(max_size=300))
def test_nothing_makes_it_raise_and_all_of_it_is_printable(text: str) -> None:
    entry = read_entry(text, utc)
    assert entry is None or entry.text.isprintable()


@given(st.lists(st.sampled_from([None, 1.0, 2.0, 3.0]), max_size=20))
def test_every_line_gets_a_time_where_any_has_one(times: list[float | None]) -> None:
    entries = [LogEntry("x", LogKind.OTHER, at=at) for at in times]
    filled = with_times(entries)
    assert len(filled) == len(entries)
    assert any(times) is all(entry.at is not None for entry in filled) or not entries
    assert all(
        after.at == before.at for before, after in zip(entries, filled, strict=True) if before.at is not None
    )


@pytest.mark.parametrize(
    ("line", "full"),
    [
        ('ERROR:  could not write to file "base/pgsql_tmp/pgsql_tmp7.0": No space left on device', False),
        ('ERROR:  could not extend file "pg_tblspc/16400/PG_15/5/1": No space left on device', False),
        ('PANIC:  could not write to file "pg_wal/xlogtemp.7": No space left on device', True),
        ("cp: error writing '/x': No space left on device", True),
    ],
)
def test_a_querys_full_disk_is_not_the_archivers(line: str, full: bool) -> None:
    entry = read_entry(line, utc)
    assert (entry is not None and entry.kind is LogKind.DISK_FULL) is full


def test_a_line_without_an_end_is_cut() -> None:
    entry = read_entry("x" * 300_000 + " failed", utc)
    assert entry is not None
    assert len(entry.text) < 3000
