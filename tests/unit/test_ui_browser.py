"""The browser of keys: a million rows, of which only what is seen is listed."""

import asyncio
from bisect import bisect_left, insort
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.data.bucket_reader import KeysReader, plain_object, refusal, segment_keys
from tests.data.facts import NOW, bucket
from tests.examples import some_of
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.layouts import Layout, Place
from walconsole.domain.archive.listing import StoredObject
from walconsole.domain.archive.marks import TILE_KEYS
from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.facts.observed import BucketFacts, RepeatedSegment
from walconsole.domain.profile import BucketRole
from walconsole.domain.wal import Segment
from walconsole.errors import ObjectStoreError
from walconsole.ports import BucketReader
from walconsole.ui.archive.browser import TILES_KEPT, KeyRows
from walconsole.ui.archive.stored_key import Copies, columns
from walconsole.ui.board.content import Tone
from walconsole.ui.board.glyphs import ASCII, UNICODE, Glyphs

MILLION = 1_000_000
SEGMENT = 16 * 1024 * 1024


def holding(first: int, last: int, **changes: object) -> Holding:
    """Segments `first` to `last` of timeline 1, flat."""
    runs = Runs()
    runs.add(first, last)
    newest = Segment(1, last)
    whole = Holding(
        place=Place(Layout.FLAT),
        prefix="",
        segment_bytes=SEGMENT,
        timelines={1: runs},
        times=StoredTimes(),
        stored_bytes=(last - first + 1) * SEGMENT,
        suffixes={"": last - first + 1},
        history_keys={},
        labels=(),
        partials=0,
        repeated=(),
        repeated_count=0,
        newest=newest,
        newest_key=newest.name(),
        last_key=newest.name(),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]  # the test names the fields


def copies(own: Holding | None = None, other: Holding | None = None, **changes: object) -> Copies:
    """What a snapshot says of both buckets."""
    dr = bucket(BucketRole.DR, holding=other, **changes) if other is not None else None
    return Copies(BucketRole.PRIMARY, "", bucket(holding=own), dr)


def rows_of(reader: KeysReader, told: Copies | None = None, width: int = 100) -> KeyRows:
    checked: BucketReader = reader
    return KeyRows(checked, told or copies(), UNICODE, now=NOW, width=width)


async def look(rows: KeyRows, first: int, count: int) -> list[str]:
    """Fetch what the pane would, and the keys that it shows."""
    for tile in rows.wanted(first, count):
        await rows.fetch(tile)
    assert rows.wanted(first, count) == ()
    found = [rows.key_at(row) for row in range(first, min(first + count, len(rows)))]
    return [stored.key for stored in found if stored is not None]


async def test_a_million_rows_are_listed_where_they_are_seen() -> None:
    reader = KeysReader(segment_keys(MILLION))
    rows = rows_of(reader)
    assert len(rows) == MILLION
    assert reader.requests == []
    assert rows[500_000].text.strip() == "…"
    assert await look(rows, 499_990, 30) == list(reader.keys[499_990:500_020])
    assert len(reader.requests) == 2
    assert reader.keys[499_995] in rows[499_995].text
    assert rows[499_995].value == reader.keys[499_995]


async def test_few_tiles_are_kept_and_the_last_seen_are_among_them() -> None:
    reader = KeysReader(segment_keys(100 * TILE_KEYS))
    rows = rows_of(reader)
    for tile in range(40):
        await look(rows, tile * TILE_KEYS, 50)
    kept = [tile for tile in range(100) if rows.key_at(tile * TILE_KEYS) is not None]
    assert kept == list(range(40 - TILES_KEPT, 40))


async def test_a_view_over_many_small_tiles_settles() -> None:
    reader = KeysReader(segment_keys(60))
    reader.poll(tile_keys=1)
    rows = rows_of(reader)
    assert await look(rows, 0, 60) == list(reader.keys)


async def test_a_key_leads_to_its_row_in_one_request() -> None:
    reader = KeysReader(segment_keys(MILLION))
    rows = rows_of(reader)
    assert await rows.row_of(reader.keys[777_777]) == 777_777
    assert await rows.row_of(reader.keys[777_777] + "!") == 777_778
    assert await rows.row_of("") == 0
    assert await rows.row_of("~") == MILLION - 1
    assert len(reader.requests) == 3
    stored = rows.key_at(777_777)
    assert stored is not None
    assert stored.key == reader.keys[777_777]


async def test_without_keys_there_is_no_row_to_go_to() -> None:
    rows = rows_of(KeysReader())
    assert len(rows) == 0
    assert rows.wanted(0, 50) == ()
    with pytest.raises(IndexError):
        await rows.row_of("x")


async def test_objects_that_went_leave_rows_that_say_so() -> None:
    reader = KeysReader(segment_keys(3 * TILE_KEYS))
    rows = rows_of(reader)
    reader.keys = [key for at, key in enumerate(reader.keys) if not 1_100 <= at < 1_900]
    left = await look(rows, 1_000, 1_000)
    assert left == list(segment_keys(3 * TILE_KEYS)[1_000:1_100]) + list(
        segment_keys(3 * TILE_KEYS)[1_900:2_000]
    )
    assert "gone since it was listed" in rows[1_999].text
    assert rows.key_at(1_999) is None
    assert await look(rows, 2_000, 10) == list(segment_keys(3 * TILE_KEYS)[2_000:2_010])


async def test_objects_that_came_are_cut() -> None:
    reader = KeysReader(list(segment_keys(3 * TILE_KEYS)))
    rows = rows_of(reader)
    reader.keys = sorted([*reader.keys, *(f"{reader.keys[1_500]}.{at:08X}.backup" for at in range(20))])
    assert len(await look(rows, 1_000, 1_000)) == 1_000
    assert await look(rows, 2_000, 1_000) == list(segment_keys(3 * TILE_KEYS)[2_000:])


async def test_a_refused_page_says_why_and_is_tried_again_later() -> None:
    reader = KeysReader(segment_keys(3 * TILE_KEYS))
    rows = rows_of(reader)
    reader.failures = [refusal("AccessDenied")]
    await rows.fetch(0)
    assert "n/a: listing bucket shithub-wal: the store said AccessDenied" in rows[0].text
    assert rows.wanted(0, 10) == ()
    rows.refresh(reader.marks, rows.copies, now=NOW + 6)
    assert await look(rows, 0, 10) == list(reader.keys[:10])
    reader.failures = [refusal()]
    with pytest.raises(ObjectStoreError):
        await rows.row_of(reader.keys[2_500])


async def test_a_tile_that_is_on_its_way_is_not_asked_for_again() -> None:
    reader = KeysReader(segment_keys(3 * TILE_KEYS))
    rows = rows_of(reader)
    reader.gate.clear()
    fetching = asyncio.create_task(rows.fetch(1))
    await asyncio.sleep(0)
    assert rows.wanted(1_000, 1_010) == (2,)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert rows.wanted(1_000, 1_010) == (1, 2)


async def test_an_unreadable_object_spoils_only_its_row() -> None:
    def broken(key: str) -> StoredObject:
        if key.endswith("5"):
            raise ObjectStoreError("listing bucket b", "an object has no size", code="Malformed")
        return plain_object(key)

    rows = rows_of(KeysReader(segment_keys(10), stored=broken))
    await look(rows, 0, 10)
    assert "n/a: an object has no size" in rows[4].text
    assert rows.key_at(4) is None
    assert "16.0 MiB" in rows[5].text


async def test_another_sweep_that_found_more_keeps_about_the_place() -> None:
    reader = KeysReader(list(segment_keys(2_500)))
    rows = rows_of(reader)
    await look(rows, 1_200, 40)
    reader.keys = sorted([*(f"00000000.{at}" for at in range(30)), *reader.keys])
    reader.poll()
    row = rows.refresh(reader.marks, rows.copies, now=NOW + 5, row=1_210)
    assert len(rows) == 2_530
    assert abs(row - 1_240) <= 30
    assert await rows.row_of(segment_keys(2_500)[1_210]) == 1_240


async def test_growth_at_the_end_asks_again_only_for_the_last_tile() -> None:
    reader = KeysReader(list(segment_keys(2_500)))
    rows = rows_of(reader)
    await look(rows, 1_990, 500)
    assert reader.marks is not None
    last = reader.keys[-1]
    new = Segment(1, 2_501).name()
    reader.keys = [*reader.keys, new]
    reader.marks.add_key(new, last)
    assert rows.refresh(reader.marks, rows.copies, now=NOW, row=2_400) == 2_400
    assert rows.key_at(2_400) is not None
    assert rows.wanted(1_990, 500) == (2,)
    assert (await look(rows, 1_990, 600))[-1] == new


@pytest.mark.parametrize("width", [30, 40, 66, 80, 100, 120, 198])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
async def test_rows_keep_to_their_columns(width: int, glyphs: Glyphs) -> None:
    keys = [
        "000000010000000000000041.zst",
        "2026/05/10/000000010000000000000041",
        "a[b]\x1b[31m\x07wide 漢字" + "漢" * 300 + "/" + "é" * 300,
        "00000002.history",
        "base/20260510T000000/" + "x" * 900,
    ]
    reader = KeysReader(sorted(keys))
    rows = KeyRows(reader, copies(holding(1, 0x41)), glyphs, now=NOW, width=width)
    await look(rows, 0, 10)
    sizes = {cell_len(line.text) - cell_len(line.spans[-1].text) for line in rows}
    assert len(sizes) == 1
    assert cell_len(rows.header) - len("copies") in sizes
    assert all(cell_len(line.text) < width for line in rows)
    assert all(line.text.isprintable() for line in rows)
    if glyphs is ASCII:
        assert all(line.text.isascii() for line in rows if "漢" not in line.value)


def test_columns_come_as_there_is_room_and_are_not_stretched() -> None:
    assert columns(40, 28).size == 0
    assert columns(66, 28).size > 0
    assert columns(80, 28).age > 0
    assert columns(200, 28).segment > 0
    assert columns(200, 28).key == 28


async def told(key: str, own: Holding, other: Holding | None, **changes: object) -> tuple[str, Tone]:
    """The last column of one key."""
    rows = rows_of(KeysReader([key]), copies(own, other, **changes))
    await look(rows, 0, 1)
    span = rows[0].spans[-1]
    return span.text, span.tone


async def test_presence_in_the_other_region_is_told_where_it_is_known() -> None:
    own = holding(1, 0x41)
    other = holding(1, 0x40, history_keys={2: "00000002.history"}, labels=(Segment(1, 3),))
    assert await told("000000010000000000000040", own, other) == ("both", Tone.TEXT)
    assert await told("000000010000000000000041.zst", own, other) == ("not in DR", Tone.WARNING)
    assert await told("00000002.history", own, other) == ("both", Tone.TEXT)
    assert await told("00000003.history", own, other) == ("not in DR", Tone.WARNING)
    assert await told("000000010000000000000003.00000028.backup", own, other) == ("both", Tone.TEXT)
    assert await told("000000010000000000000041.partial", own, other) == ("n/a", Tone.MUTED)
    assert await told("notes.txt", own, other) == ("n/a", Tone.MUTED)
    assert await told("000000010000000000000041", own, None) == ("n/a", Tone.MUTED)
    assert await told("000000010000000000000041", own, other, complete=False) == ("n/a", Tone.MUTED)
    assert await told("other/000000010000000000000041", own, other) == ("n/a", Tone.MUTED)


async def test_the_copies_may_have_different_layouts() -> None:
    own = holding(1, 0x41)
    dated = holding(1, 0x40, place=Place(Layout.DATED))
    assert await told("000000010000000000000040", own, dated) == ("both", Tone.TEXT)
    assert await told("000000010000000000000041", own, dated) == ("not in DR", Tone.WARNING)


async def test_from_the_dr_bucket_the_words_are_the_other_way_round() -> None:
    dr: BucketFacts = bucket(BucketRole.DR, holding=holding(1, 0x41))
    seen = Copies(BucketRole.DR, "", dr, bucket(holding=holding(1, 0x40)))
    rows = rows_of(KeysReader(segment_keys(0x41), role=BucketRole.DR), seen)
    await look(rows, 0, 0x41)
    assert rows[0x40].spans[-1].text == "only in DR"


async def test_a_segment_under_two_keys_is_marked() -> None:
    own = holding(1, 0x41, repeated=(Segment(1, 5), Segment(1, 6)))
    facts = bucket(
        holding=own, repeats=(RepeatedSegment("000000010000000000000006", ("a", "b"), identical=False),)
    )
    rows = rows_of(KeysReader(segment_keys(8)), Copies(BucketRole.PRIMARY, "", facts))
    await look(rows, 0, 8)
    assert " x2 " in rows[4].text
    assert " x2! " in rows[5].text
    assert "x2" not in rows[6].text


names = st.integers(1, 5_000).map(lambda number: Segment(1, number).name())
keys_strategy = st.sets(st.one_of(names, st.text("ab/\u6f22~", min_size=1, max_size=3)), max_size=80)
moves = st.lists(
    st.tuples(st.sampled_from(["scroll", "add", "sweep", "find"]), st.integers(0, 5_000)), max_size=30
)


@settings(max_examples=some_of(150))
@given(keys=keys_strategy, tile_keys=st.integers(1, 40), steps=moves)
def test_rows_are_a_plain_sorted_list_however_it_is_scrolled_and_polled(
    keys: set[str], tile_keys: int, steps: list[tuple[str, int]]
) -> None:
    async def play() -> None:
        model = sorted(keys)
        reader = KeysReader(model)
        reader.poll(tile_keys)
        rows = rows_of(reader)
        place = 0
        for step, number in steps:
            if step == "scroll" and model:
                place = number % len(model)
                assert await look(rows, place, 10) == model[place : place + 10]
            elif step == "add":
                place = await added(reader, rows, model, Segment(2, number).name()[:23], place)
            elif step == "sweep":
                reader.poll(1 + number % 40)
                place = rows.refresh(reader.marks, rows.copies, now=NOW, row=place)
            elif model:
                key = Segment(1, number).name()
                assert await rows.row_of(key) == min(bisect_left(model, key), len(model) - 1)
            assert len(rows) == len(model)
        assert await look(rows, 0, len(model)) == model

    asyncio.run(play())


async def added(reader: KeysReader, rows: KeyRows, model: list[str], key: str, place: int) -> int:
    """A poll that finds one more key: what was at `place` is found again once its tile is listed anew."""
    assert reader.marks is not None
    if key in model:
        return place
    before = rows.key_at(place)
    reader.marks.add_key(key, model[-1] if model else "")
    insort(model, key)
    reader.keys = model
    place = rows.refresh(reader.marks, rows.copies, now=NOW, row=place)
    if before is None:
        return place
    await look(rows, place, 1)
    known = rows.row_if_known(before.key)
    assert known == model.index(before.key)
    return known
