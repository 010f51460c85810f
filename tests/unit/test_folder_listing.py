"""What find prints, as a listing in the order of keys."""

import tracemalloc

import pytest

from walconsole.domain.archive import folder_listing
from walconsole.domain.archive.folder_listing import FindReader, FolderListing

NOW = 1_764_000_000
SEGMENT = 16 * 1024 * 1024


def printed(*records: tuple[str, int, float], clock: int = NOW, status: int = 0) -> bytes:
    rows = [("c" + str(clock), 0, 0.0), *records, ("e" + str(status), 0, 0.0)]
    return b"".join(f"{name}\0{size}\0{at}\0".encode("utf-8", "surrogateescape") for name, size, at in rows)


def listed(*records: tuple[str, int, float], piece: int = 7) -> FolderListing:
    listing, reader, raw = FolderListing(), FindReader(), printed(*records)
    for at in range(0, len(raw), piece):
        reader.feed(raw[at : at + piece])
    reader.end(listing)
    return listing


def paged(listing: FolderListing, count: int) -> list[str]:
    keys: list[str] = []
    truncated = True
    while truncated:
        page, truncated = listing.page(keys[-1] if keys else "", count)
        assert page.keys or not truncated
        keys += page.keys
    return keys


NAMES = ("b", "a/2", "a/1", "a.x", "a/b/1", "a", "z/1", "a0", "\udcff", "é", "with\nline", "z/0")


@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_keys_come_in_the_order_of_their_bytes_over_all_directories(count: int) -> None:
    listing = listed(("d", 0, 1.0), *((f"f{name}", 5, 1.0) for name in NAMES))
    assert paged(listing, count) == sorted(NAMES, key=lambda name: name.encode("utf-8", "surrogateescape"))


def test_a_page_has_sizes_and_times_of_its_own_files() -> None:
    listing = listed(*((f"f{at:04d}", at, float(at)) for at in range(50)))
    page, truncated = listing.page("0009", 10)
    assert truncated
    assert (page[0].key, page[0].size, page.modified_at(9)) == ("0010", 10, 19.0)
    assert page.stored_bytes(0, 10) == sum(range(10, 20))
    assert page.outside(0, 10, 11, 18) == [(0, 10), (9, 19)]


def test_what_is_being_copied_is_not_listed_before_it_settles_and_a_whole_segment_is() -> None:
    name = "0000000100000000000000"
    listing, reader = FolderListing(), FindReader()
    reader.feed(
        printed(
            (f"f{name}01", SEGMENT, NOW),
            (f"f{name}02", 4096, NOW - 1.0),
            (f"f{name}03", 4096, NOW - 9.0),
            (f"f{name}04.gz", 4096, NOW),
            ("fbackup.info", 4096, NOW),
        )
    )
    assert reader.end(listing), "one is left out"
    assert listing.page("", 9)[0].keys == [f"{name}01", f"{name}03", f"{name}04.gz", "backup.info"]


def test_a_shallow_look_replaces_one_directory_and_names_those_in_it() -> None:
    listing = listed(("d", 0, 1.0), ("fold", 1, 1.0), ("da", 0, 1.0), ("fa/1", 1, 1.0), ("fgone/1", 1, 1.0))
    reader = FindReader(shallow=True)
    reader.feed(printed(("d", 0, 2.0), ("fnew", 1, 1.0), ("da", 0, 1.0)))
    reader.end(listing)
    listing.forget(listing.children("") - reader.directories)
    assert paged(listing, 9) == ["a/1", "new"]
    assert listing.blocks[""].changed_at == 2.0


def test_words_of_the_system_are_no_record() -> None:
    reader = FindReader()
    reader.feed(b"stat: cannot statx '/mnt': No such file or directory")
    assert (reader.clock, reader.status) == (None, None)
    assert b"No such file" in reader.rest


def test_a_stream_that_was_garbled_is_refused() -> None:
    with pytest.raises(ValueError, match="find printed"):
        FindReader().feed(b"sh: oh\x001\x002\x00")


@pytest.mark.parametrize("files", [5, 8, 9, 100, 333])
@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("length", [8, 0])
def test_many_files_of_one_directory_come_sorted_out_of_their_runs(
    files: int, stride: int, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_listing, "RUN_FILES", 8)
    monkeypatch.setattr(folder_listing, "_STRIDE", stride)
    names = [f"{at * 7919 % 1009:0{length}x}" for at in range(1, files + 1)]
    records = [(f"fd/{name}", at, float(at)) for at, name in enumerate(names)]
    listing = listed(("d", 0, 1.0), *records, ("fother", 1, 1.0))
    assert paged(listing, 50) == [*(f"d/{name}" for name in sorted(names)), "other"]
    page, _ = listing.page("", files)
    found = {each.key: (each.size, page.modified_at(at)) for at, each in enumerate(page)}
    assert found == {f"d/{name}": (at, float(at)) for at, name in enumerate(names)}


def test_of_many_files_too_those_that_settle_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_listing, "RUN_FILES", 4)
    monkeypatch.setattr(folder_listing, "_STRIDE", 2)
    name = "0000000100000000000000"
    listing, reader = FolderListing(), FindReader()
    reader.feed(printed(*((f"f{name}{at:02X}", 4096, NOW - 8.0 * (at % 3)) for at in range(30))))
    assert reader.end(listing, SEGMENT), "some are left out"
    assert paged(listing, 9) == [f"{name}{at:02X}" for at in range(30) if at % 3]


def test_many_files_are_read_in_little_memory() -> None:
    """As names by themselves they took 250 bytes each; it is what they take while they are kept, twice."""
    names = [b"f%024X.zst\0" % (at * 7919 % 100_000) + b"16777216\0001690000000.5\0" for at in range(100_000)]
    chunks = [b"".join(names[at : at + 4000]) for at in range(0, len(names), 4000)]
    del names
    tracemalloc.start()
    try:
        reader, listing = FindReader(), FolderListing()
        for chunk in chunks:
            reader.feed(chunk)
        reader.end(listing)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(listing) == 100_000
    assert peak < 140 * 100_000
