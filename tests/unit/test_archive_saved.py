"""The saved index: it comes back whole, or not at all."""

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import fields
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import walconsole.domain.archive.saved
from tests.examples import some_of
from tests.unit.archive_keys import Listed, folded, names, only, some_keys
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.index import ArchiveIndex
from walconsole.domain.archive.layouts import Layout
from walconsole.domain.archive.marks import Marks
from walconsole.domain.archive.saved import (
    SavedIndex,
    canonical,
    dump,
    load,
    pack_numbers,
    pack_texts,
    pack_times,
)
from walconsole.domain.wal import Segment

MIB = 1024 * 1024
ORDER = st.randoms(use_true_random=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
mores = st.dictionaries(st.text(), json_values, max_size=3)
marks = st.dictionaries(st.text(), st.integers(1, 2**40), max_size=5).map(
    lambda tiles: Marks(sorted(tiles), [tiles[after] for after in sorted(tiles)])
)


def pages_of(keys: list[str], chance: Random) -> list[list[str]]:
    """The keys as pages, in any order."""
    listed = sorted(keys)
    pages = [listed[start : start + 7] for start in range(0, len(listed), 7)]
    chance.shuffle(pages)
    return pages


def saved() -> bytes:
    """A document with something in every field."""
    index = folded(
        [*names(1, 2, 4, 5, suffix=".gz"), *names(4, 7), "0" * 24, names(2)[0] + ".00000028.backup"],
        ["00000002.history", "x", names(8)[0] + ".partial", *names(8, 9, timeline=2)],
        ["wal/00000002.history", f"wal/{names(1)[0][:16]}/{names(1)[0]}"],
    )
    return dump(index, Marks(["", "a\x1f"], [1000, 3]), {"objects": 9, "bucket": ["e", "b", ""]})


def forged(content: Mapping[str, Any]) -> bytes:
    """A document with that content whose checksum is right."""
    document = json.loads(saved())
    document["content"] = content
    document["sha256"] = hashlib.sha256(canonical(content)).hexdigest()
    return canonical(document)


def read(document: bytes) -> SavedIndex | None:
    """What it holds, None where it is refused. Anything else that it raises fails the test."""
    try:
        return load(document)
    except ValueError:
        return None


@given(some_keys, marks, mores, ORDER, st.sampled_from([MIB, 16 * MIB, 1024 * MIB]))
@settings(max_examples=some_of(200))
def test_everything_comes_back(
    keys: list[str], tiles: Marks, more: dict[str, object], chance: Random, size: int
) -> None:
    index = ArchiveIndex("", size)
    for page in pages_of(keys, chance):
        index.fold(page, Listed(page))
    document = dump(index, tiles, more)
    found = load(document)
    assert found.index == index
    assert found.marks == tiles
    assert found.more == more
    assert dump(found.index, found.marks, found.more) == document


@given(some_keys, some_keys, ORDER)
def test_what_comes_back_goes_on_as_before(keys: list[str], later: list[str], chance: Random) -> None:
    index = folded(*pages_of(keys, chance))
    found = load(dump(index, Marks(), {})).index
    for page in pages_of(later, chance):
        for each in (index, found):
            each.fold(page, Listed(page))
    assert found == index
    for place, archive in index.archives.items():
        one, other = (each.holding("", 16 * MIB) for each in (found.archives[place], archive))
        for field in fields(Holding):
            assert getattr(one, field.name) == getattr(other, field.name)
        assert found.archives[place].histories == archive.histories


@given(some_keys, st.data())
def test_a_cut_document_is_refused(keys: list[str], data: st.DataObject) -> None:
    document = dump(folded(sorted(keys)), Marks(), {})
    with pytest.raises(ValueError, match="cut short"):
        load(document[: data.draw(st.integers(0, len(document) - 1))])


@given(st.data(), st.integers(1, 255))
@settings(max_examples=some_of(300))
def test_a_damaged_document_is_refused(data: st.DataObject, flipped: int) -> None:
    document = bytearray(saved())
    document[data.draw(st.integers(0, len(document) - 1))] ^= flipped
    found = read(bytes(document))
    if found is not None:  # an escape in other letters says the same
        assert dump(found.index, found.marks, found.more) == saved()


@given(st.binary() | json_values.map(canonical))
def test_anything_else_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"no JSON|no saved index"):
        load(document)


def _paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where in a document there is anything."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, each in inner for found in _paths(each, (*path, key)))]


numbers = st.lists(st.integers(0, 2**64 - 1), max_size=4)
wrong = st.one_of(
    json_values,
    numbers.map(pack_numbers),
    st.lists(st.floats(), max_size=4).map(pack_times),
    st.lists(st.text(), max_size=4).map(pack_texts),
    st.lists(st.tuples(st.integers(0, 2**33), numbers.map(pack_numbers), numbers.map(pack_numbers))).map(
        lambda rows: [list(row) for row in rows]
    ),
)


@given(st.data(), wrong)
@settings(max_examples=some_of(500))
def test_whatever_a_field_is_it_makes_an_index_or_a_reason(data: st.DataObject, value: object) -> None:
    content = json.loads(saved())["content"]
    path = data.draw(st.sampled_from(_paths(content)[1:]))
    holder = content
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    found = read(forged(content))
    if found is not None:
        for archive in found.index.archives.values():
            assert archive.holding("", found.index.segment_bytes).segments == archive.segments
        assert load(dump(found.index, found.marks, found.more)) == found


def _without(*path: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(saved())["content"]
    holder = content
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    return content


@pytest.mark.parametrize(
    "path", [("index",), ("marks",), ("more",), ("index", "archives"), ("marks", "counts")]
)
def test_what_is_not_there_is_not_taken_for_nothing(path: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"is no|no text"):
        load(forged(_without(*path)))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"layout": "NEXT_YEARS"}, "does not know"),
        (
            {"layout": "FLAT", "root": "", "newest": [pack_numbers([9]), pack_numbers([1])]},
            "none of its segments",
        ),
        ({"timelines": [[1, pack_numbers([3]), pack_numbers([2])]]}, "ends before it begins"),
        ({"timelines": [[1, pack_numbers([]), pack_numbers([])]]}, "without segments"),
        ({"timelines": [[2**32, pack_numbers([1]), pack_numbers([1])]]}, "32 bits"),
        ({"timelines": [[1, pack_numbers([1]), pack_numbers([2**40])]]}, "impossible ones"),
        ({"labels": [pack_numbers([1]), pack_numbers([2**40])]}, "an impossible one"),
        ({"times": [[1, pack_numbers([1]), pack_times([float("inf")])]]}, "no time"),
        ({"stored_bytes": -1}, "below 0"),
        ({"partials": True}, "is no int"),
        ({"suffixes": [["", "many"]]}, "not counted"),
    ],
)
def test_what_cannot_be_says_why(change: dict[str, object], why: str) -> None:
    content = json.loads(saved())["content"]
    content["index"]["archives"][0].update(change)
    with pytest.raises(ValueError, match=why):
        load(forged(content))


def test_an_archive_that_is_there_twice_is_refused() -> None:
    content = json.loads(saved())["content"]
    content["index"]["archives"].append(content["index"]["archives"][0])
    with pytest.raises(ValueError, match="twice"):
        load(forged(content))


def test_marks_out_of_order_are_refused() -> None:
    content = json.loads(saved())["content"]
    content["marks"]["afters"] = pack_texts(["b", "a"])
    with pytest.raises(ValueError, match="not in order"):
        load(forged(content))


@pytest.mark.parametrize("version", [0, 2, 3, 99, "4", None])
def test_another_version_is_refused(version: object) -> None:
    document = json.loads(saved())
    document["version"] = version
    with pytest.raises(ValueError, match="not of version 4"):
        load(canonical(document))


@pytest.mark.parametrize("document", [b"[" * 100_000, b'{"format":' * 100_000])
def test_a_document_of_nothing_but_depth_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"too deeply|no JSON"):
        load(document)


def test_what_is_packed_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    content = json.loads(saved())["content"]
    content["marks"]["counts"] = base64.b64encode(zlib.compress(bytes(1 << 20))).decode()
    monkeypatch.setattr(walconsole.domain.archive.saved, "MOST_BYTES", 1 << 10)
    with pytest.raises(ValueError, match="cut short, or too long"):
        load(forged(content))


def test_halves_of_a_surrogate_pair_stay_two() -> None:
    """Where a store sends them as two references."""
    keys = ["\ud83d\ude00", "\ud83d/" + names(1)[0]]
    index = folded(sorted(keys))
    found = load(dump(index, Marks(["", keys[0]], [1, 1]), {"last_key": keys[0]}))
    assert found.marks.afters[1] == keys[0]
    assert found.more["last_key"] == keys[0]
    assert found.index == index


def test_what_json_cannot_hold_is_not_saved() -> None:
    with pytest.raises(TypeError):
        dump(ArchiveIndex(), Marks(), {"x": object()})
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump(ArchiveIndex(), Marks(), {"x": float("nan")})


def test_layouts_are_saved_by_names_that_stay() -> None:
    """A name that changes costs every user a sweep; what is shown of a layout may change."""
    assert set(Layout.__members__) == {
        "FLAT", "DATED", "WAL_G", "BARMAN", "PGBACKREST", "PGHOARD", "BY_LOG", "NESTED",
    }  # fmt: skip


def test_a_million_segments_are_saved_in_a_few_kilobytes() -> None:
    every = [Segment(1, number).name() + ".zst" for number in range(1, 1_000_011) if number % 100_000]
    tiles = Marks()
    index = ArchiveIndex()
    for start in range(0, len(every), 1000):
        index.fold(every[start : start + 1000])
        tiles.add_page(every[start - 1] if start else "", 1000)
    assert only(index).gap_count == 10
    assert len(dump(index, Marks(), {})) < 8 * 1024
    for number in range(1, 2001):
        only(index).times.note(1, 500 * number, 1.7e9 + 37.5 * number)
    for number in range(2000):
        tiles.add_page(f"archive/shithub/16-1/{number:016X}/{number:024X}-{'a' * 40}.zst", 1000)
    assert len(dump(index, tiles, {})) < 128 * 1024
