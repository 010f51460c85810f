"""Folders by date and by log are one archive, odd keys are seen, and a segment stored twice breaks no run."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.archive_keys import Listed
from walconsole.domain.archive.dated import dated_folder
from walconsole.domain.archive.index import ArchiveIndex
from walconsole.domain.archive.key_space import key_space, search_keys
from walconsole.domain.archive.layouts import Layout, Place, log_folder, place_of
from walconsole.domain.archive.listing import StoredObject
from walconsole.domain.archive.marks import Marks
from walconsole.domain.archive.saved import dump, load
from walconsole.domain.wal import Segment
from walconsole.observe.bucket.heads import identical

pytestmark = pytest.mark.cases("Keys and folders that an archive may have")

MIB16 = 1 << 24

FORMS = (
    "%Y/%m/%d/", "%Y-%m-%d/", "%Y%m%d/", "%Y/%m/", "%Y-%m/", "%Y%m/", "%Y/", "%Y/%m/%d/%H/", "%Y-%m-%d/%H/",
    "%Y%m%d/%H/", "%Y%m%d%H/", "%Y-%m-%dT%H/", "%Y-%m-%d_%H-00/", "%Y.%m.%d/", "%Y_%m_%d/",
    "year=%Y/month=%m/",
    "year=%Y/month=%m/day=%d/hour=%H/", "dt=%Y-%m-%d/", "date=%Y%m%d/hour=%H/", "%Y/%m-%d/", "%Y/%Y-%m-%d/",
    "%Y/%Y-%m/%Y-%m-%d/", "%Y/%m/%Y-%m-%d/",
)  # fmt: skip
UNORDERED = (
    "%d.%m.%Y/", "%d-%m-%Y/", "%d/%m/%Y/", "%d%m%Y/", "%m-%Y/",
    "%Y/%b/%d/", "%b-%Y/", "%Y-%b/", "%b/%Y/", "%Y/%B/", "%Y/%B/%d/%H/", "%d%b%Y/", "%d-%b-%Y/", "%d.%B.%Y/",
    "%Y%b%d/", "%B_%Y/", "%Y/%m-%b/%d/", "%b-%d-%Y/", "year=%Y/month=%b/", "%Y_%b_%d_%H/",
    "%G-W%V/", "%G/W%V/", "%G/KW%V/%a/", "%Y/%j/", "%Y%j/", "%y%m%d/", "%y-%m-%d/", "%y/%m/%d/",
    "%Y/%m/%d-%a/", "%a-%Y-%m-%d/", "%Y-%m-%d/%Hh/",
)  # fmt: skip
"""Folders that do not sort as time goes, or not as far as is known."""


def folded(*keys: str, prefix: str = "") -> ArchiveIndex:
    index = ArchiveIndex(prefix, MIB16)
    index.fold(keys)
    return index


def name(number: int, timeline: int = 1) -> str:
    return Segment(timeline, number).name(MIB16)


@pytest.mark.parametrize("form", [*FORMS, *UNORDERED])
@pytest.mark.parametrize("root", ["", "pg/main/"])
def test_folders_by_date_are_one_archive(form: str, root: str) -> None:
    day = datetime(2026, 5, 9, 7, tzinfo=UTC)
    there = [(0x40, day), (0x42, day), (0x43, day + timedelta(days=1)), (0x44, day + timedelta(days=40))]
    index = folded(*(f"{root}{at.strftime(form)}{name(number)}" for number, at in there))
    (archive,) = index.archives.values()
    assert archive.place == Place(Layout.DATED, root)
    assert [(gap.first, gap.last) for gap in archive.gaps(MIB16)] == [(name(0x41), name(0x41))]


@pytest.mark.parametrize("form", [*FORMS, *UNORDERED])
@given(at=st.datetimes(datetime(2021, 1, 6), datetime(2098, 12, 20)))  # noqa: DTZ001
def test_a_folder_is_written_as_it_was_read(form: str, at: datetime) -> None:
    folder = dated_folder("a/b/" + at.strftime(form))
    assert folder is not None
    assert folder.root == "a/b/"
    assert folder.form.folder(at.replace(tzinfo=UTC)) == at.strftime(form)
    other = dated_folder("a/b/" + (at + timedelta(days=1)).strftime(form))
    assert other is not None
    assert set(other.forms) & set(folder.forms)


@pytest.mark.parametrize("form", FORMS)
def test_a_listing_of_dates_can_be_split(form: str) -> None:
    days = [datetime(2026, 5, 9, 7, tzinfo=UTC) + timedelta(days=at) for at in (0, 1, 40, 400)]
    keys = [f"wal/x/{day.strftime(form)}{name(0x40)}" for day in days]
    space = key_space(keys[0], "wal/", MIB16)
    assert space is not None
    positions = [space.position(key) for key in keys]
    assert all(position is not None and 0 <= position < space.limit for position in positions)
    for key, position in zip(keys, positions, strict=True):
        assert position is not None
        assert space.key(position) < key
        assert space.key(position + 1) > key


@pytest.mark.parametrize("form", [*FORMS, *UNORDERED])
def test_a_missing_segment_is_looked_for_in_the_folder_of_its_neighbours(form: str) -> None:
    day = datetime(2026, 5, 9, 7, tzinfo=UTC)
    index = folded(*(f"x/{day.strftime(form)}{name(number)}" for number in (0x40, 0x42)))
    (archive,) = index.archives.values()
    now = (day + timedelta(days=90)).timestamp()
    keys = search_keys(archive.holding("", MIB16), Segment(1, 0x41), now)
    assert f"x/{day.strftime(form)}{name(0x40)}~" in keys


@pytest.mark.parametrize(
    ("directory", "place"),
    [
        ("2026-02-31/", Place(Layout.DATED)),  # what the calendar lacks is still a folder by day
        ("2026-05-09/0000000100000000/", Place(Layout.DATED)),
        ("15/main/", Place(Layout.NESTED, "15/main/")),
        ("archive/main/15-1/0000000100000000/", Place(Layout.PGBACKREST, "archive/main/15-1/")),
        ("1205/", Place(Layout.NESTED, "1205/")),
        ("2026/5/9/", Place(Layout.DATED)),
        ("12/25/26/", Place(Layout.DATED)),
        ("x/Monday/", Place(Layout.DATED, "x/")),
        ("nov/", Place(Layout.DATED)),
        ("day=09/", Place(Layout.DATED)),
        ("2026/Mär/29/", Place(Layout.DATED)),
        ("29-novembre-2026/", Place(Layout.DATED)),
        ("2026/11月/29/", Place(Layout.DATED)),
        ("2026/main/15/", Place(Layout.NESTED, "2026/main/15/")),
        ("2026/prod/", Place(Layout.NESTED, "2026/prod/")),
        ("15/01/02/", Place(Layout.NESTED, "15/01/02/")),
        ("2026-db/", Place(Layout.NESTED, "2026-db/")),
        ("may-cluster/", Place(Layout.NESTED, "may-cluster/")),
        ("07/", Place(Layout.NESTED, "07/")),  # perhaps a day or an hour, perhaps the seventh cluster
        ("db20260509/", Place(Layout.NESTED, "db20260509/")),
        ("00000000/", Place(Layout.BY_LOG)),
        ("x/00000001/00000002/", Place(Layout.BY_LOG, "x/")),
        ("wal//", Place(Layout.NESTED, "wal//")),
        ("/", Place(Layout.NESTED, "/")),
        ("base/20260509T070000/", None),
    ],
)
def test_where_a_folder_belongs(directory: str, place: Place | None) -> None:
    assert place_of(directory) == place


SEVERAL = (
    "%d-%m-%y/", "%d%m%y/", "%d/%m/%y/", "%d.%m.%y/", "%m-%d-%y/", "%m%d%y/", "%m/%d/%y/", "%y-%m-%d/",
    "%y%m%d/", "%d-%m-%Y/", "%d%m%Y/", "%m-%d-%Y/",
    "%m%d%Y/", "%m/%d/%Y/", "%m.%d.%Y/", "%d_%m_%y/%H/", "%d-%m-%y-%H/",
    "%Y-%d-%m/", "%Y%d%m/",
)  # fmt: skip
"""Forms of which some days can be read by another: 05-09-26 is in May or in September, 25-05-26
in 2025 or 2026."""


@pytest.mark.parametrize("form", SEVERAL)
@pytest.mark.parametrize("root", ["", "pg/main/"])
def test_folders_whose_days_can_be_read_in_several_ways_are_one_archive(form: str, root: str) -> None:
    begun = datetime(2026, 1, 3, 7, tzinfo=UTC)
    days = [begun + timedelta(days=at) for at in range(0, 500, 7)]
    index = folded(
        *(f"{root}{day.strftime(form)}{name(0x40 + at)}" for at, day in enumerate(days) if at != 9)
    )
    (archive,) = index.archives.values()
    assert archive.place == Place(Layout.DATED, root)
    assert [(gap.first, gap.last) for gap in archive.gaps(MIB16)] == [(name(0x49), name(0x49))]


@pytest.mark.parametrize("form", SEVERAL[:-2])
@given(at=st.datetimes(datetime(2021, 1, 6), datetime(2098, 12, 20)))  # noqa: DTZ001
def test_the_folder_of_today_is_among_those_in_which_a_new_segment_is_looked_for(
    form: str, at: datetime
) -> None:
    at = at.replace(tzinfo=UTC)
    (archive,) = folded(f"{at.strftime(form)}{name(0x40)}").archives.values()
    for later in (at, at + timedelta(days=1)):
        keys = search_keys(archive.holding("", MIB16), Segment(1, 0x41), later.timestamp())
        assert f"{later.strftime(form)}{name(0x40)}~" in keys


def test_a_name_that_may_mean_several_days_tells_none() -> None:
    for told in ("05-09-2026/", "25-05-26/", "050926/", "05/09/26/"):
        folder = dated_folder(told)
        assert folder is not None
        assert folder.at is None
        assert len(folder.forms) > 1
    for told, day in (("25-05-2026/", 25), ("05-25-2026/", 25), ("05-05-2026/", 5), ("13.05.26/", 13)):
        folder = dated_folder(told)
        assert folder is not None
        assert folder.at == datetime(2026, 5, day, tzinfo=UTC)


def test_folders_by_log_of_eight_digits_are_one_archive() -> None:
    keys = [f"wal/{name(number)[8:16]}/{name(number)}" for number in (0xFE, 0xFF, 0x100, 0x102)]
    index = folded(*keys)
    (archive,) = index.archives.values()
    assert archive.place == Place(Layout.BY_LOG, "wal/")
    assert [gap.first for gap in archive.gaps(MIB16)] == [name(0x101)]
    (after,) = search_keys(archive.holding("", MIB16), Segment(1, 0x101), 0.0)
    assert after == f"wal/00000001/{name(0x100)}~"


@pytest.mark.parametrize(
    ("like", "of", "wanted"),
    [
        ("0000000100000002/", name(0x2AA), "0000000300000004/"),
        ("00000002/", name(0x2AA), "00000004/"),
        ("00000001/", name(0x2AA), "00000003/"),
        ("00000001/00000001/", name(0x1AA), "00000003/00000004/"),
        ("x/", name(0x2AA), "x/"),
        ("", name(0x2AA), ""),
    ],
)
def test_the_folder_of_another_log(like: str, of: str, wanted: str) -> None:
    assert log_folder(like, of, name(0x4BB, 3)) == wanted


def test_folders_without_a_name_hold_an_archive() -> None:
    index = folded(f"/{name(0x42)}", f"wal//{name(0x42)}")
    assert {place.root: archive.segments for place, archive in index.archives.items()} == {"/": 1, "wal//": 1}
    assert not index.foreign


@pytest.mark.parametrize("ending", [".zip", ".7z", ".cpt", "_2026", "-x", ".tar.gz", ".zst.part2", " (1)"])
def test_an_unknown_ending_is_named_like_a_segment(ending: str) -> None:
    index = folded(*(f"wal/{name(number)}{ending}" for number in (0x41, 0x42)), "wal/README")
    assert (index.alike, index.alike_newest, index.foreign) == (2, Segment(1, 0x42), 3)
    assert index.alike_key == f"wal/{name(0x42)}{ending}"
    assert load(dump(index, Marks(), {})).index == index


@pytest.mark.parametrize(
    "key", ["wal/README", f"{name(0x42)}0", "base/20260509T070000/" + name(0x42) + ".x", "x.zip"]
)
def test_what_is_not_named_like_a_segment(key: str) -> None:
    assert folded(key).alike == 0


def sha1(number: int, letter: str) -> str:
    return f"{name(number)}-{letter * 40}.gz"


@pytest.mark.parametrize("page", [1, 2, 3, 5, 1000])
def test_one_segment_twice_on_a_page_breaks_no_run(page: int) -> None:
    folder = "archive/main/15-1/0000000100000000/"
    numbers = [0x40, 0x41, 0x41, 0x42, 0x43, 0x43, 0x43, 0x44, 0x46]
    keys = sorted({f"{folder}{sha1(number, 'abcdef'[at % 6])}" for at, number in enumerate(numbers)})
    index = ArchiveIndex("", MIB16)
    for at in range(0, len(keys), page):
        index.fold(keys[at : at + page], Listed(keys[at : at + page]))
    (archive,) = index.archives.values()
    assert archive.segments == 6
    assert archive.missing == 1
    assert [(gap.first, gap.segments) for gap in archive.gaps(MIB16)] == [(name(0x45), 1)]
    assert {segment.number for segment in archive.repeated_newest} == {0x41, 0x43}


@given(
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from("abcdef")), min_size=1, max_size=80),
    st.integers(1, 90),
)
def test_whatever_is_stored_twice_the_segments_are_right(pairs: list[tuple[int, str]], page: int) -> None:
    keys = sorted({f"archive/main/15-1/0000000100000000/{sha1(number, letter)}" for number, letter in pairs})
    index = ArchiveIndex("", MIB16)
    for at in range(0, len(keys), page):
        index.fold(keys[at : at + page], Listed(keys[at : at + page]))
    (archive,) = index.archives.values()
    numbers = {number for number, _ in pairs}
    assert archive.segments == len(numbers)
    assert archive.missing == max(numbers) - min(numbers) + 1 - len(numbers)
    doubled = {
        number for number in numbers if len({letter for other, letter in pairs if other == number}) > 1
    }
    assert {segment.number for segment in archive.repeated_newest} == doubled
    assert all(gap.segments > 0 for gap in archive.gaps(MIB16))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (sha1(1, "a"), sha1(1, "b"), False),
        (f"x/{sha1(1, 'a')}", f"y/{name(1)}-{'a' * 40}.zst", True),
        (f"{name(1)}.gz", f"{name(1)}.zst", None),
        (f"x/{name(1)}.gz", f"y/{name(1)}.gz", None),
    ],
)
def test_a_checksum_in_the_name_tells_whether_the_content_is_the_same(
    one: str, other: str, same: bool | None
) -> None:
    first, second = StoredObject(one, 10, 0.0, "x"), StoredObject(other, 11, 0.0, "y")
    assert identical(first, second) is same


@pytest.mark.parametrize("write", [str.upper, str.lower, str.title])
@pytest.mark.parametrize("form", ["%Y/%b/", "%d-%B-%Y/", "%a_%Y-%m-%d/"])
def test_a_name_is_written_in_the_case_in_which_it_was_read(form: str, write: Callable[[str], str]) -> None:
    at = datetime(2026, 4, 9, tzinfo=UTC)
    folder = dated_folder(write(at.strftime(form)))
    assert folder is not None
    later = at + timedelta(days=100)
    assert folder.form.folder(later) == write(later.strftime(form))


def test_folders_by_month_names_are_found_where_the_next_one_sorts_before_the_last() -> None:
    """April comes before March in a listing: the segment of now is looked for in the folder of now."""
    at = datetime(2026, 3, 31, 12, tzinfo=UTC)
    (archive,) = folded(*(f"2026/Mar/{name(number)}" for number in (0x40, 0x41))).archives.values()
    keys = search_keys(archive.holding("", MIB16), Segment(1, 0x42), (at + timedelta(days=1)).timestamp())
    assert f"2026/Apr/{name(0x41)}~" in keys


@pytest.mark.parametrize("following", ["June-2026", "Jun-2026"])
def test_may_tells_not_whether_names_are_written_in_full(following: str) -> None:
    (archive,) = folded(f"May-2026/{name(0x40)}").archives.values()
    now = datetime(2026, 6, 1, 7, tzinfo=UTC).timestamp()
    assert f"{following}/{name(0x40)}~" in search_keys(archive.holding("", MIB16), Segment(1, 0x41), now)
