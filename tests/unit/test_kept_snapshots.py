"""Whole snapshots as they are kept: every fact comes back as it went out, redacted; nothing odd comes in."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.archives import ARCHIVES
from tests.data.facts import NOW, archiver, healthy, host
from tests.data.recoveries import RECOVERIES
from tests.data.snapshots import STATES, reading
from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.facts.history import History
from walconsole.domain.facts.snapshot import SLOTS, AnySlot, Problem, Snapshot, Told, failed, fold
from walconsole.domain.kept.chain import applied, difference
from walconsole.domain.kept.snapshots import SnapshotReader, SnapshotWriter, fact_type
from walconsole.domain.kept.values import decoder, encoder, hints_of, kept_text
from walconsole.domain.recovery.keep import Keep
from walconsole.domain.wal import DEFAULT_SEGMENT_BYTES

TEXT = st.text(st.sampled_from("abcz 0129/._-é☃"), max_size=12)
TIME = st.floats(0, 4e9)
KEEP = Keep(full=3)
COUNT = st.integers(0, 1 << 40)
PLAIN: Mapping[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: COUNT,
    float: TIME,
    bool: st.booleans(),
    bytes: TEXT.map(lambda text: text.encode()),
    Keep: st.just(KEEP),
    Runs: st.lists(st.integers(0, 9), max_size=4).map(lambda numbers: _runs(numbers)),
    StoredTimes: st.lists(st.tuples(st.integers(1, 2), st.integers(0, 9), TIME), max_size=4).map(
        lambda samples: _times(samples)
    ),
}


def _runs(numbers: list[int]) -> Runs:
    runs = Runs()
    for number in numbers:
        runs.add(number * 3, number * 3)
    return runs


def _times(samples: list[tuple[int, int, float]]) -> StoredTimes:
    times = StoredTimes()
    for sample in samples:
        times.note(*sample)
    return times


@cache
def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Whatever can be of that type, as small as may be."""
    if kind in PLAIN:
        return PLAIN[kind]
    origin, parts = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return st.one_of(*(st.none() if one is NoneType else any_of(one) for one in parts))
    if origin is tuple and parts[1:] == (Ellipsis,):
        return st.lists(any_of(parts[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(any_of, parts))
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(any_of(parts[0]), any_of(parts[1]), max_size=2)
    if issubclass(kind, StrEnum):
        return st.sampled_from(list(kind))
    values = {
        name: st.just(DEFAULT_SEGMENT_BYTES) if name == "segment_bytes" else any_of(hint)
        for name, hint in hints_of(kind).items()
    }
    return st.builds(kind, **values)


def _plain(kind: Any, value: Any) -> Any:
    """What a codec made of it, as it is after it was in a file."""
    return json.loads(json.dumps(encoder(kind)(value), allow_nan=False))


KINDS = {slot.name: fact_type(slot) for slot in SLOTS} | {"history": History, "told": Told}


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=25)
@given(data=st.data())
def test_every_fact_comes_back_as_it_went_out(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    value = data.draw(any_of(kind))
    plain = _plain(kind, value)
    back = decoder(kind)(plain, name)
    assert type(back) is kind
    assert _plain(kind, back) == plain
    assert _comparable(back) == _comparable(value)


def _comparable(value: Any) -> Any:
    """Field by field: some facts leave fields out when they are compared, a holding compares by identity."""
    if is_dataclass(value) and not isinstance(value, type):
        return type(value), [_comparable(getattr(value, one.name)) for one in fields(value)]
    if isinstance(value, Mapping):
        return {key: _comparable(one) for key, one in value.items()}
    return type(value), [_comparable(one) for one in value] if isinstance(value, tuple) else value


WHOLE: Mapping[str, Callable[[], Any]] = {
    **{f"console {name}": make for name, make in STATES.items()},
    **{f"archive {name}": make for name, make in ARCHIVES.items()},
    **{f"recovery {name}": make for name, make in RECOVERIES.items()},
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_snapshots_come_back(name: str) -> None:
    made = WHOLE[name]()
    snapshot: Snapshot = made[0] if isinstance(made, tuple) else made
    document = json.loads(json.dumps(SnapshotWriter().document(snapshot), allow_nan=False))
    back = SnapshotReader().snapshot(document)
    assert json.loads(json.dumps(SnapshotWriter().document(back))) == document
    for slot in SLOTS:
        was, now = slot.of(snapshot), slot.of(back)
        assert (now.read_at, now.freshness, now.cadence_s) == (was.read_at, was.freshness, was.cadence_s)
    if "hostile" not in name:
        assert _comparable(back.history) == _comparable(snapshot.history)


SECRET = "dop_v1_" + "0123456789abcdef" * 4


def test_no_secret_is_kept_and_no_sign_that_a_terminal_obeys() -> None:
    snapshot = fold(healthy(), reading(Snapshot.host, host(hostname=f"db \x1b[31m token={SECRET}")), NOW)
    problem = Problem(f"PGPASSWORD=hunter2hunter2 psql\u202e: {SECRET}")
    snapshot = fold(snapshot, failed(Snapshot.archiver.of(snapshot), problem, NOW, "SQL", 1.0), NOW)
    text = json.dumps(SnapshotWriter().document(snapshot), ensure_ascii=False)
    assert SECRET not in text
    assert "hunter2" not in text
    assert "\\u001b" not in text
    assert "\u202e" not in text
    assert "[redacted]" in text


def test_a_files_lines_are_kept_as_lines() -> None:
    assert kept_text("a = 1\npassword = 'b c'\n\tlisten\x07") == "a = 1\npassword = [redacted]\n listen"


def test_what_did_not_change_is_made_once() -> None:
    writer, reader = SnapshotWriter(), SnapshotReader()
    first = healthy()
    second = fold(first, reading(Snapshot.archiver, archiver(archived_count=66)), NOW + 1)
    before, after = writer.document(first), writer.document(second)
    assert after["slots"]["primary"]["value"] is before["slots"]["primary"]["value"]
    change = difference(before, after)
    assert len(json.dumps(change)) < 600
    back = reader.snapshot(before)
    again = reader.snapshot(applied(before, change))
    assert again.primary.value is back.primary.value
    assert again.archiver.value == archiver(archived_count=66)


def _slot_document(slot: AnySlot, **changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(SnapshotWriter().document(healthy())))
    document["slots"][slot.name].update(changes)
    return document


def _value_document(slot: AnySlot, **changes: Any) -> dict[str, Any]:
    document = _slot_document(slot)
    document["slots"][slot.name]["value"].update(changes)
    return document


ODD: Mapping[str, object] = {
    "nothing": None,
    "a list": [],
    "no name": {"began_at": 1.0, "taken_at": 1.0},
    "no time": {**_slot_document(Snapshot.host), "taken_at": "yesterday"},
    "a time that is none": {**_slot_document(Snapshot.host), "taken_at": 1e20},
    "slots that are none": {**_slot_document(Snapshot.host), "slots": [1]},
    "a slot that is none": {**_slot_document(Snapshot.host), "slots": {"host": 3}},
    "an unknown field": _value_document(Snapshot.host, evil=1),
    "a missing field": _slot_document(Snapshot.host, value={"hostname": "a"}),
    "a text for a number": _value_document(Snapshot.archiver, archived_count="1"),
    "a truth for a number": _value_document(Snapshot.archiver, archived_count=True),
    "a number beyond all": _value_document(Snapshot.archiver, archived_count=10**40),
    "a number for a text": _value_document(Snapshot.host, hostname=5),
    "a segment of no byte": _value_document(Snapshot.server, segment_bytes=0),
    "a time after all": _value_document(Snapshot.server, started_at=1e30),
    "a reading's time after all": _slot_document(Snapshot.server, read_at=1e30),
    "a role that is none": _value_document(Snapshot.primary, role="tertiary"),
    "a backup of another kind": _value_document(Snapshot.primary, backups=[{"is": "Snapshot", "it": {}}]),
    "runs that cross": _value_document(Snapshot.primary, lost=[[1]]),
}


@pytest.mark.parametrize("document", ODD.values(), ids=ODD)
def test_what_is_no_snapshot_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        SnapshotReader().snapshot(document)


def test_a_slot_of_a_newer_walconsole_is_left_out() -> None:
    document = _slot_document(Snapshot.host)
    document["slots"]["weather"] = {"value": "fine"}
    assert SnapshotReader().snapshot(document).host.value == healthy().host.value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from("ab"),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(JSON, JSON)
def test_a_difference_makes_the_one_of_the_other(old: Any, new: Any) -> None:
    assert applied(old, json.loads(json.dumps(difference(old, new)))) == new


@given(JSON, JSON)
def test_what_is_no_difference_is_refused_or_makes_something(old: Any, change: Any) -> None:
    try:
        applied(old, change)
    except ValueError as error:
        assert "change" in str(error)  # noqa: PT017  # nothing else may be raised


def test_what_slides_takes_what_is_new() -> None:
    old = list(range(700))
    assert difference(old, [*old[1:], 700]) == ["l", 1, 699, [700]]
    assert difference([1, 2], [1, 2, 3]) == ["l", 0, 2, [3]]


def test_a_difference_that_was_nested_to_no_end_is_refused() -> None:
    change: Any = ["=", 1]
    for _ in range(100):
        change = ["o", {"a": change}, []]
    with pytest.raises(ValueError, match="a change"):
        applied({}, change)


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_what_is_no_number_is_neither_kept_nor_read(number: float) -> None:
    with pytest.raises(ValueError, match="cannot be kept"):
        encoder(float)(number)
    with pytest.raises(ValueError, match="no number"):
        decoder(float)(number, "it")
    assert decoder(float)(encoder(float)(sys.float_info.max), "it") == sys.float_info.max


def test_the_told_of_a_profile_comes_back() -> None:
    snapshot = replace(healthy(), told=Told(keep=KEEP, second_copy=False, drill_every_s=86_400.0))
    assert SnapshotReader().snapshot(SnapshotWriter().document(snapshot)).told == snapshot.told
