"""What a listing adds to the index: sizes, times, labels, histories, repeats; all of a page or none."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.examples import some_of
from tests.unit.archive_keys import Listed, folded, names, only, size_of, some_keys, time_of
from walconsole.domain.archive import contents
from walconsole.domain.archive.contents import LABELS_KEPT, OTHER_SUFFIXES, REPEATED_KEPT, SUFFIXES_KEPT
from walconsole.domain.archive.index import PLACES_KEPT, ArchiveIndex
from walconsole.domain.archive.layouts import (
    Layout,
    Place,
    archived_name,
    place_of,
    split_key,
    without_checksum,
)
from walconsole.domain.archive.listing import StoredObject
from walconsole.domain.archive.runs import Runs
from walconsole.domain.wal import Segment, WalNameKind

MIB = 1024 * 1024
SEGMENT = 16 * MIB


class Expected:
    """What the keys are, one by one."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.foreign = self.impossible = self.history_keys = 0
        self.kinds = Counter[tuple[Place, WalNameKind]]()
        self.stored = Counter[Place]()
        self.suffixes: dict[Place, Counter[str]] = defaultdict(Counter)
        self.histories: dict[Place, set[str]] = defaultdict(set)
        for key in keys:
            self._count(key)

    def _count(self, key: str) -> None:
        directory, basename = split_key(key)
        place = place_of(directory)
        try:
            name = archived_name(basename, 16 * MIB) if place else None
        except ValueError:
            self.impossible += 1
            return
        if name is None or place is None:
            self.foreign += 1
            return
        self.kinds[place, name.kind] += 1
        if name.kind is WalNameKind.SEGMENT:
            self.stored[place] += size_of(key)
            self.suffixes[place][without_checksum(name.suffix)] += 1
        elif name.kind is WalNameKind.HISTORY:
            self.history_keys += 1
            self.histories[place].add(name.text)


@given(some_keys, st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=some_of(300))
def test_every_key_is_counted_once_whatever_the_pages(keys: list[str], chance: Random, ordered: bool) -> None:
    wanted, counted = Expected(keys), 0
    listed = sorted(keys)
    cuts = sorted(chance.sample(range(len(keys) + 1), min(3, len(keys) + 1)))
    ends = [0, *cuts, len(keys)]
    pages = [listed[ends[at] : ends[at + 1]] for at in range(len(ends) - 1)]
    chance.shuffle(pages)
    if not ordered:
        for page in pages:
            chance.shuffle(page)
    index = folded(*pages)
    assert (index.foreign, index.impossible) == (wanted.foreign, wanted.impossible)
    for place, archive in index.archives.items():
        assert archive.segments + archive.repeated == wanted.kinds[place, WalNameKind.SEGMENT]
        assert archive.partials == wanted.kinds[place, WalNameKind.PARTIAL]
        assert archive.backups == wanted.kinds[place, WalNameKind.BACKUP]
        assert archive.stored_bytes == wanted.stored[place]
        assert archive.suffixes == wanted.suffixes[place]
        own = {f"{timeline:08X}.history" for timeline in archive.history_keys}
        assert own == wanted.histories[place]  # those beside folders of logs may be its, too
        counted += archive.segments + archive.repeated + archive.partials + archive.backups
    assert counted + wanted.history_keys + index.foreign + index.impossible == len(keys)


@given(some_keys, st.randoms(use_true_random=False))
def test_times_are_those_of_the_keys_and_the_newest_is_exact(keys: list[str], chance: Random) -> None:
    chance.shuffle(keys)
    pages = [sorted(keys[start : start + 7]) for start in range(0, len(keys), 7)]
    for archive in folded(*pages).archives.values():
        if archive.newest is None:
            assert archive.times.timelines() == []
            continue
        assert archive.times.exact(*_place(archive.newest)) == time_of(archive.newest_key)
        for timeline in archive.times.timelines():
            for number, at in archive.times.samples(timeline):
                assert at in {time_of(key) for key in keys if Segment(timeline, number).name() in key}


def _place(segment: Segment) -> tuple[int, int]:
    return segment.timeline, segment.number


def test_of_a_page_the_first_and_the_last_segment_are_sampled() -> None:
    page = names(*range(1, 1001))
    listing = Listed(page)
    index = ArchiveIndex()
    index.fold(page, listing)
    archive = only(index)
    assert archive.times.samples(1) == [(1, time_of(page[0])), (1000, time_of(page[-1]))]
    assert archive.stored_bytes == sum(map(size_of, page))
    assert listing.asked == {"stored_bytes": 1, "modified_at": 2}


def test_a_dated_page_is_measured_at_once() -> None:
    """A folder a day with a few segments: it is one stretch, and its ends are sampled."""
    page = [
        f"2026/08/{day:02}/{name}" for day in range(1, 31) for name in names(*range(day * 24, day * 24 + 24))
    ]
    listing = Listed(page)
    index = ArchiveIndex()
    index.fold(page, listing)
    assert only(index).stored_bytes == sum(map(size_of, page))
    assert listing.asked == {"stored_bytes": 1, "modified_at": 2}


def test_a_page_with_a_file_beside_each_segment_is_not_looked_through_for_each() -> None:
    page = [name + suffix for name in names(*range(1, 501)) for suffix in ("", ".gz.sha256")]
    listing = Listed(page)
    index = ArchiveIndex()
    index.fold(page, listing)
    assert only(index).stored_bytes == sum(map(size_of, page[::2]))
    assert listing.asked == {"modified_at": 2}


def test_the_highest_segment_of_a_page_is_sampled_wherever_it_is() -> None:
    page = ["2026/08/01/" + names(9)[0], "2026/08/02/" + names(3)[0]]
    archive = only(folded(page))
    assert archive.times.samples(1) == [(3, time_of(page[1])), (9, time_of(page[0]))]
    assert (archive.newest, archive.newest_key) == (Segment(1, 9), page[0])


def test_a_listing_may_go_on_after_the_keys() -> None:
    page = names(*range(1, 1001))
    index = ArchiveIndex()
    index.fold(page[:400], Listed(page))
    assert only(index).stored_bytes == sum(map(size_of, page[:400]))
    assert only(index).times.samples(1)[-1] == (400, time_of(page[399]))


@pytest.mark.parametrize("asked", ["stored_bytes", "modified_at"])
@pytest.mark.parametrize("page", [names(*range(1, 1001)), [*names(*range(1, 51)), "00000002.history", "x"]])
def test_a_page_whose_listing_cannot_be_read_adds_nothing(page: list[str], asked: str) -> None:
    class Broken(Listed):
        def stored_bytes(self, start: int, stop: int) -> int:
            self._refuse("stored_bytes")
            return super().stored_bytes(start, stop)

        def modified_at(self, position: int) -> float:
            self._refuse("modified_at")
            return super().modified_at(position)

        def _refuse(self, what: str) -> None:
            if what == asked:
                raise LookupError(what)

    index = ArchiveIndex()
    with pytest.raises(LookupError, match=asked):
        index.fold(page, Broken(page))
    assert index == ArchiveIndex()
    index.fold(page, Listed(page))
    assert index == folded(page)


def test_without_a_listing_all_but_sizes_and_times_is_known() -> None:
    page = [*names(1, 2, suffix=".gz"), "00000002.history", names(2)[0] + ".00000028.backup"]
    index = ArchiveIndex()
    index.fold(page)
    archive = only(index)
    assert (archive.stored_bytes, archive.times.timelines()) == (0, [])
    assert archive.suffixes == {".gz": 2}
    assert archive.labels == [Segment(1, 2)]
    assert archive.history_keys == {2: "00000002.history"}


def test_many_suffixes_are_counted_together() -> None:
    kinds = [f".{a}.{b}" for a in ("gz", "zst", "lz4", "xz") for b in ("gpg", "age", "enc", "aes", "pgp")]
    archive = only(folded(*[names(at, suffix=kind) for at, kind in enumerate(kinds, 1)]))
    assert len(archive.suffixes) == SUFFIXES_KEPT
    assert archive.suffixes[OTHER_SUFFIXES] == len(kinds) - SUFFIXES_KEPT + 1
    assert sum(archive.suffixes.values()) == len(kinds)


def test_of_too_many_labels_the_newest_are_kept() -> None:
    numbers = [*range(LABELS_KEPT + 5, 0, -1), 7]
    page = [f"{name}.{at:08X}.backup.gz" for at, name in enumerate(names(*numbers))]
    archive = only(folded(page[:500], page[500:]))
    assert archive.backups == len(page)
    assert archive.labels == [Segment(1, number) for number in range(6, LABELS_KEPT + 6)]


def test_of_a_history_in_two_places_the_first_key_is_kept() -> None:
    index = folded(
        ["2026/08/02/00000002.history"], ["2026/08/01/00000002.history", "2026/08/03/0000000A.history.gz"]
    )
    archive = only(index)
    assert archive.history_keys == {2: "2026/08/01/00000002.history", 10: "2026/08/03/0000000A.history.gz"}
    assert archive.histories == {"00000002.history", "0000000A.history"}


@given(st.lists(st.sets(st.integers(1, 40)), max_size=4), st.integers(1, 12))
def test_the_newest_repeated_segments_are_known(pages: list[set[int]], kept: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contents, "REPEATED_KEPT", kept)
        index = folded(*[
            [f"2026/08/{day:02}/{name}" for name in names(*sorted(page), timeline=1 + day % 2)]
            for day, page in enumerate(pages, 1)
        ])  # fmt: skip
        if not index.archives:
            return
        archive = only(index)
        seen = Counter(Segment(1 + day % 2, number) for day, page in enumerate(pages, 1) for number in page)
        repeated = sorted(segment for segment, times in seen.items() if times > 1)
        assert archive.repeated_newest == tuple(repeated[-kept:])
        assert archive.repeated == sum(times - 1 for times in seen.values())


def test_an_archive_that_is_stored_twice_keeps_few_of_it() -> None:
    pages = [
        names(*range(start, start + 1000), suffix=s) for s in ("", ".gz") for start in range(1, 20_001, 1000)
    ]
    archive = only(folded(*pages))
    assert (archive.segments, archive.repeated) == (20_000, 20_000)
    assert archive.repeats[1].count == REPEATED_KEPT
    assert archive.repeated_newest[0] == Segment(1, 20_001 - REPEATED_KEPT)
    assert archive.repeated_newest[-1] == Segment(1, 20_000)


def test_a_holding_is_a_value_until_something_is_added() -> None:
    index = folded([*names(1, 2, 4), "00000002.history"])
    archive = only(index)
    before = archive.holding("", 16 * MIB)
    assert archive.holding("", 16 * MIB) is before
    assert (before.segments, before.newest, before.root) == (3, Segment(1, 4), "")
    assert before.history_keys == {2: "00000002.history"}
    page = ["x", *names(3), names(4)[0] + ".00000028.backup", names(5)[0] + ".partial"]
    index.fold(page, Listed(page))
    after = archive.holding("", 16 * MIB)
    assert after is not before
    assert (before.segments, before.labels, before.partials, before.times.exact(1, 3)) == (3, (), 0, None)
    assert (after.segments, after.labels, after.partials) == (4, (Segment(1, 4),), 1)
    assert after.times.exact(1, 3) == time_of(names(3)[0])
    assert after.stored_bytes == sum(map(size_of, names(1, 2, 3, 4)))
    assert archive.holding("p/", 16 * MIB).prefix == "p/"


@pytest.mark.parametrize("order", [lambda pages: pages, lambda pages: pages[::-1]])
def test_histories_beside_the_folders_of_logs_are_of_that_archive(
    order: Callable[[list[list[str]]], list[list[str]]],
) -> None:
    pages = [["wal/00000002.history"], [f"wal/{name[:16]}/{name}" for name in names(1, 2, 300)]]
    index = folded(*order(pages))
    archive = index.archives[Place(Layout.BY_LOG, "wal/")]
    assert archive.histories == {"00000002.history"}
    assert archive.holding("", 16 * MIB).history_keys == {2: "wal/00000002.history"}
    assert index.archives[Place(Layout.NESTED, "wal/")].segments == 0
    index.fold(["wal/00000003.history"])
    assert set(archive.holding("", 16 * MIB).history_keys) == {2, 3}


def test_histories_of_another_archive_are_not() -> None:
    """Names lie beside the folders: that is another archive, which keeps its histories to itself."""
    name = names(1)[0]
    archive = folded([f"{name[:16]}/{name}"], [name, "00000002.history"]).archives[Place(Layout.BY_LOG)]
    assert archive.histories == set()


def test_archives_of_all_layouts_are_told_apart() -> None:
    name = names(300)[0]
    folders = [
        "", "wal/", "2026/08/01/", "wal_005/", f"{name[:16]}/", f"wal/{name[:16]}/", "main/wals/",
        "site/xlog/", f"other/wals/{name[:16]}/",
        f"archive/demo/16-1/{name[:16]}/", f"archive/demo/16-2/{name[:16]}/",
    ]  # fmt: skip
    index = folded([folder + name for folder in folders])
    assert len(index.archives) == len(folders)
    assert all((archive.segments, archive.repeated) == (1, 0) for archive in index.archives.values())


def test_pghoard_s_histories_are_in_a_folder_of_their_own() -> None:
    page = [
        "site/basebackup/2026-08-01_12-00_0",
        "site/timeline/00000002.history",
        "site/xlog/" + names(1)[0],
    ]
    index = folded(page)
    holding = only(index).holding("", 16 * MIB)
    assert (holding.place, holding.history_keys) == (Place(Layout.PGHOARD, "site/"), {2: page[1]})
    assert (holding.segments, index.foreign) == (1, 1)


def test_further_archives_than_can_be_told_apart_are_foreign() -> None:
    page = [f"{at:03}/{name}" for at in range(PLACES_KEPT + 3) for name in (*names(1, 2), "00000002.history")]
    index = folded(page)
    assert (len(index.archives), index.foreign) == (PLACES_KEPT, 9)


def test_keys_that_a_store_lists_outside_the_prefix_are_foreign() -> None:
    page = [
        *names(1, 2, 3),
        *[f"other/{name}" for name in names(1, 2)],
        *[f"wal/{name}" for name in names(1, 2)],
    ]
    index = folded(page, page[:3], prefix="wal/")
    assert only(index).segments == 2
    assert index.foreign == 8


def sizes(index: ArchiveIndex) -> dict[int, set[int]]:
    """The numbers of segments without a byte, by timeline."""
    return {
        timeline: {number for first, last in runs for number in range(first, last + 1)}
        for timeline, runs in only(index).empty.items()
    }


@pytest.mark.parametrize("lacking", [(), (7,), (1, 2, 900), (1500,)])
@pytest.mark.parametrize(
    "numbers", [range(1, 1001), [*range(1, 400), *range(600, 1001)], [*range(1, 1001, 3)], [7], [1, 2, 3]]
)
@pytest.mark.parametrize("suffix", ["", ".zst"])
def test_segments_without_a_byte_are_found(
    numbers: Sequence[int], lacking: tuple[int, ...], suffix: str
) -> None:
    page = names(*numbers, suffix=suffix)
    none = {names(number, suffix=suffix)[0] for number in lacking}

    class Some(Listed):
        def __getitem__(self, position: int) -> StoredObject:
            return StoredObject(self.keys[position], 0 if self.keys[position] in none else 9, 1.0)

        def outside(self, start: int, stop: int, least: int, most: int) -> Sequence[tuple[int, int]]:
            sizes = ((at, self[at].size) for at in range(start, stop))
            return [(at, size) for at, size in sizes if not least <= size <= most]

    index = ArchiveIndex("")
    index.fold(page, Some(page))
    expected = set(numbers) & set(lacking)
    assert sizes(index) == ({1: expected} if expected else {})


def test_of_two_keys_of_a_segment_one_may_be_whole() -> None:
    index = ArchiveIndex("")
    page = [*names(1), *names(1, suffix=".zst")]

    class Half(Listed):
        def __getitem__(self, position: int) -> StoredObject:
            return StoredObject(self.keys[position], 9 * position, 1.0)

    index.fold(page, Half(page))
    assert sizes(index) == {1: {1}}
    (useless,) = only(index).holding("", index.segment_bytes).empty.values()
    assert not useless.count


def odd(index: ArchiveIndex) -> set[int]:
    """The numbers of segments, of timeline 1, that have another size than a segment."""
    found = only(index).holding("", index.segment_bytes).odd.get(1, Runs())
    return {number for first, last in found for number in range(first, last + 1)}


class Sized(Listed):
    """Segments of 16 MiB, but for some keys."""

    def __init__(self, keys: Sequence[str], others: Mapping[str, int]) -> None:
        super().__init__(keys)
        self._others = others

    def __getitem__(self, position: int) -> StoredObject:
        return StoredObject(self.keys[position], self._others.get(self.keys[position], SEGMENT), 1.0)

    def outside(self, start: int, stop: int, least: int, most: int) -> Sequence[tuple[int, int]]:
        sizes = ((at, self[at].size) for at in range(start, stop))
        return [(at, size) for at, size in sizes if not least <= size <= most]


@given(
    st.sets(st.integers(1, 600), min_size=1, max_size=120),
    st.sets(st.integers(1, 600), max_size=30),
    st.sets(st.integers(1, 600), max_size=30),
    st.integers(1, 130),
)
def test_plain_segments_of_another_size_are_found_whatever_the_pages(
    numbers: set[int], cut: set[int], packed: set[int], page: int
) -> None:
    keys = sorted([*names(*(numbers - packed)), *names(*(numbers & packed), suffix=".zst")])
    assume(keys)
    others = {key: 70 + at for at, key in enumerate(names(*sorted(cut)))} | dict.fromkeys(
        names(*packed, suffix=".zst"), 100
    )
    index = ArchiveIndex("")
    for at in range(0, len(keys), page):
        index.fold(keys[at : at + page], Sized(keys[at : at + page], others))
    plain = numbers - packed
    believed = 2 * len(plain & cut) <= len(plain)
    assert odd(index) == ((plain & cut) if believed else set())
    assert sizes(index) == {}


def test_where_no_plain_name_has_a_segments_size_they_are_compressed_or_encrypted() -> None:
    keys = names(*range(1, 1001))
    index = ArchiveIndex("")
    index.fold(keys, Sized(keys, dict.fromkeys(keys, 16777248)))
    assert odd(index) == set()
    assert only(index).odd[1].count == 1000
    more = names(*range(1001, 2001))
    index.fold(more, Sized(more, {}))
    assert len(odd(index)) == 1000  # as many are whole: they are plain, and these are not


def test_an_odd_one_that_is_stored_under_another_key_too_may_be_whole() -> None:
    index = ArchiveIndex("")
    page = [*names(1), *names(1, suffix=".zst"), *names(2, 3)]
    index.fold(page, Sized(page, {page[0]: 5}))
    assert odd(index) == set()


@pytest.mark.parametrize("size", [0, 1, 7, 8])
@pytest.mark.parametrize("suffix", ["", ".zst", ".gz"])
@pytest.mark.parametrize("count", [3, 1000])
def test_what_no_compressor_makes_is_no_segment_whatever_lies_beside_it(
    size: int, suffix: str, count: int
) -> None:
    others = names(*range(1, count), suffix=".zst")
    page = sorted([*others, *names(count, suffix=suffix)])
    index = ArchiveIndex("")
    index.fold(page, Sized(page, {**dict.fromkeys(others, 9), names(count, suffix=suffix)[0]: size}))
    assert sizes(index) == {1: {count}}
    assert odd(index) == set()
