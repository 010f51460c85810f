"""What a drill leaves in the bucket, read so that nothing in it can do more than be refused."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.recovery.backups import Unreadable
from walconsole.domain.recovery.drill_result import (
    DRILLS,
    LONGEST_BYTES,
    REASONS,
    DrillResult,
    Outcome,
    drill_id,
    drills_of,
    read_drill,
)

ID = "20261129T152758Z"
KEY = f"{DRILLS}{ID}.json"
TOLD: dict[str, Any] = {
    "format": 1,
    "id": ID,
    "outcome": "proved",
    "reason": "",
    "message": "20261129T152750Z restored",
    "host": "db1",
    "backup": "20261129T152750Z",
    "copy": "primary",
    "system_identifier": "7713615513347192520",
    "server_version_num": 150018,
    "timeline": 1,
    "wal_segment_size": 1048576,
    "began": "2026-11-29T15:27:58Z",
    "ended": "2026-11-29T15:28:07Z",
    "target": "2026-11-29T15:28:00.534952+00",
    "lsn": "0/C00120",
    "level": 4,
    "fetch_ms": 1042,
    "verify_ms": 217,
    "replay_ms": 3084,
    "check_ms": 1599,
    "stored_bytes": 2796093,
    "unpacked_bytes": 23249993,
    "segments": 4,
    "segments_replayed": 4,
    "witness_before": "committed",
    "witness_after": "in progress",
    "databases": 2,
    "relations": 127,
    "queries": 1,
    "checksums": True,
    "amcheck": None,
    "restore_command": "",
    "notes": "",
}


def content(**changed: Any) -> bytes:
    """The document with other values."""
    return json.dumps({**TOLD, **changed}).encode()


def read(**changed: Any) -> DrillResult | Unreadable:
    return read_drill(KEY, content(**changed))


def good() -> DrillResult:
    result = read()
    assert isinstance(result, DrillResult)
    return result


def test_what_the_script_wrote_is_read_whole() -> None:
    """The document above was written by the installed script."""
    result = good()
    assert result.good
    assert (result.level, result.segments, result.segment_bytes) == (4, 4, 1 << 20)
    assert result.restore_s == pytest.approx(1.042 + 0.217 + 3.084)
    assert result.target == pytest.approx(1795966080.534952)
    assert (result.checksums, result.amcheck) == (True, None)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"format": 2}, "newer format"),
        ({"format": 0}, "which no version writes"),
        ({"id": "20261129T152759Z"}, "'id' is not its name"),
        ({"outcome": "splendid"}, "'outcome'"),
        ({"outcome": None}, "'outcome'"),
        ({"system_identifier": "0"}, "'system_identifier'"),
        ({"ended": "2026-11-29T15:27:57Z"}, "ended before it began"),
        ({"began": "1970-01-01"}, "'began'"),
        ({"level": 5}, "'level'"),
        ({"level": True}, "'level'"),
        ({"fetch_ms": -1}, "'fetch_ms'"),
        ({"fetch_ms": 10**18}, "'fetch_ms'"),
        ({"fetch_ms": float("inf")}, "JSON"),
        ({"backup": "../../etc"}, "'backup'"),
        ({"lsn": "x"}, "'lsn'"),
        ({"timeline": 0}, "'timeline'"),
        ({"wal_segment_size": 3}, "'wal_segment_size'"),
        ({"witness_before": "aborted"}, "witnesses"),
        ({"witness_after": "committed"}, "witnesses"),
        ({"level": 2}, "witnesses"),
        ({"reason": "no-room"}, "says not of what"),
        ({"replay_ms": None}, "says not of what"),
        ({"target": ""}, "says not of what"),
    ],
)
def test_what_claims_too_much_or_makes_no_sense_is_refused(changed: dict[str, Any], why: str) -> None:
    result = read(**changed)
    assert isinstance(result, Unreadable)
    assert why in result.why


def test_texts_are_cut_and_cannot_draw() -> None:
    result = read(message="\x1b[2J" + "x" * 9000, host="\x07db1", notes="[red]no[/]")
    assert isinstance(result, DrillResult)
    assert "\x1b" not in result.message
    assert len(result.message) < 700
    assert "\x07" not in result.host


def test_a_failed_one_needs_no_proof() -> None:
    result = read(
        outcome="failed", reason="missing-segment", level=1, replay_ms=None, witness_before="", target=""
    )
    assert isinstance(result, DrillResult)
    assert (result.good, result.restore_s) == (False, None)
    assert result.why == REASONS["missing-segment"]
    assert "knows" in replace(result, reason="?").why[0]


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
def test_nothing_breaks_it(content: bytes) -> None:
    assert isinstance(read_drill(KEY, content), Unreadable)


def test_what_is_too_large_is_not_read() -> None:
    result = read_drill(KEY, b" " * (LONGEST_BYTES + 1))
    assert isinstance(result, Unreadable)
    assert "larger" in result.why


@pytest.mark.parametrize(
    ("key", "id"),
    [
        (KEY, ID),
        (f"{DRILLS}{ID}.json.bak", None),
        (f"{DRILLS}x.json", None),
        (f"{DRILLS}a/{ID}.json", None),
        (f"base/{ID}.json", None),
        (f"{ID}.json", None),
    ],
)
def test_which_keys_are_results(key: str, id: str | None) -> None:
    assert drill_id(key) == id


def test_of_both_copies_the_newest_of_this_cluster_counts_once() -> None:
    result = good()
    newer = replace(result, id="20261130T000000Z", ended=result.ended + 60, outcome=Outcome.FAILED)
    other = replace(newer, ended=newer.ended + 60, system_identifier=7)
    broken = Unreadable(KEY, "?")
    found = drills_of([newer, result, broken, other, result, newer, broken], result.system_identifier)
    assert (found.newest, found.good, found.unreadable) == (newer, result, (broken,))
    assert drills_of([], 7) == drills_of([result], 7)
    assert drills_of([other], None).newest == other
