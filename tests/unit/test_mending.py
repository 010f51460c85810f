"""The plan that mends holes, against plain sets; what a first page must say; how long pg_wal keeps it."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.archives import held
from walconsole.adapters.decompress import PLAIN
from walconsole.domain.archive.expected_page import ExpectedPage, fits
from walconsole.domain.archive.layouts import Layout, Place
from walconsole.domain.archive.mending import (
    NOWHERE,
    CopyLacks,
    MendPlan,
    Source,
    WalFolder,
    mend_plan,
)
from walconsole.domain.archive.page_header import MAJORS, read_page_header
from walconsole.domain.archive.recycling import WalKeeping
from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.stored_form import PACKED, StoredAs, stored_beside
from walconsole.domain.archivers.folders import archive_folders
from walconsole.domain.profile import BucketRole
from walconsole.domain.wal import Segment

MIB = 1024 * 1024
SIZE = 16 * MIB
PRIMARY, DR = BucketRole.PRIMARY, BucketRole.DR
Numbers = frozenset[int]


def runs_of(numbers: Numbers) -> Runs:
    runs = Runs()
    for number in sorted(numbers):
        runs.add(number, number)
    return runs


def name(number: int) -> str:
    return Segment(1, number).name(SIZE)


def folder(path: str, numbers: Numbers, *, own: bool = False) -> WalFolder:
    return WalFolder(
        path, {name(number): name(number) for number in numbers}, own, dict.fromkeys(map(name, numbers), 60.0)
    )


def copy(
    role: BucketRole, lacks: Numbers, gives: Numbers, spoilt: Numbers = frozenset(), refuses: str = ""
) -> CopyLacks:
    return CopyLacks(role, {1: runs_of(lacks)}, {1: runs_of(gives)}, {1: runs_of(spoilt)}, refuses)


sets = st.frozensets(st.integers(1, 40), max_size=40)


@given(sets, sets, sets, sets, sets, st.booleans(), st.integers(1, 50))
def test_the_plan_is_what_sets_say(
    both: Numbers,
    dr_lacks: Numbers,
    spoilt: Numbers,
    in_wal: Numbers,
    elsewhere: Numbers,
    refuses: bool,
    most: int,
) -> None:
    every = frozenset(range(1, 41))
    primary_lacks, dr_lacks = both, both | dr_lacks
    copies = (
        copy(PRIMARY, primary_lacks, every - primary_lacks, spoilt),
        copy(DR, dr_lacks, every - dr_lacks, refuses="no" if refuses else ""),
    )
    folders = (folder("/other", elsewhere), folder("/wal", in_wal, own=True))
    plan = mend_plan(copies, folders, SIZE, most)

    whole = (every - primary_lacks - spoilt) | (every - dr_lacks)
    anywhere = whole | in_wal | elsewhere
    wanted = {PRIMARY: primary_lacks & anywhere, DR: frozenset() if refuses else dr_lacks & anywhere}
    possible = wanted[PRIMARY] | wanted[DR]
    numbers = [mend.segment.number for mend in plan.mends]
    assert len(numbers) == len(set(numbers)) == min(most, len(possible))  # each once, as many as may be
    assert plan.left == len(possible) - len(numbers)
    for mend in plan.mends:
        number = mend.segment.number
        assert set(mend.targets) == {role for role in BucketRole if number in wanted[role]}
        assert {source.role for source in mend.sources if source.role} == {
            each.role for each in copies if each.gives(mend.segment)
        }
        assert {source.folder for source in mend.sources if source.folder} == {
            each.path for each in folders if name(number) in each.files
        }
        assert not {source.role for source in mend.sources} & set(mend.targets)  # no copy is its own source
        assert mend.urgent == (number in in_wal - whole - elsewhere)
        assert (mend.goes_in_s is not None) == mend.urgent
    assert [mend.urgent for mend in plan.mends] == sorted((mend.urgent for mend in plan.mends), reverse=True)
    for urgent in (True, False):
        some = [mend.segment for mend in plan.mends if mend.urgent is urgent]
        assert some == sorted(some)

    told = [(each.role, number) for each in plan.unmendable for number in range(each.first, each.last + 1)]
    hopeless = {(PRIMARY, number) for number in primary_lacks - anywhere}
    hopeless |= {(DR, number) for number in (dr_lacks if refuses else dr_lacks - anywhere)}
    assert sorted(told) == sorted(hopeless)


def test_a_hole_is_told_as_one_with_its_reason() -> None:
    copies = (
        copy(PRIMARY, frozenset({5, 6, 7, 9}), frozenset()),
        copy(DR, frozenset({5, 6}), frozenset({7})),
    )
    plan = mend_plan(copies, (folder("/wal", frozenset({9}), own=True),), SIZE)
    assert [(mend.segment.number, mend.targets, mend.sources) for mend in plan.mends] == [
        (9, (PRIMARY,), (Source(folder="/wal", file=name(9), own=True),)),
        (7, (PRIMARY,), (Source(DR),)),
    ]
    assert [(each.role, each.first, each.last, each.why) for each in plan.unmendable] == [
        (PRIMARY, 5, 6, NOWHERE),
        (DR, 5, 6, NOWHERE),
    ]
    assert mend_plan((), (), SIZE) == MendPlan()


# -- The first page.

any_page = st.builds(
    ExpectedPage,
    segment=st.builds(Segment, st.integers(1, 2**32 - 1), st.integers(1, 2**34 - 1)),
    segment_bytes=st.integers(20, 30).map(lambda power: 1 << power),
    system_identifier=st.integers(-(2**63), 2**63 - 1).map(str),
    timelines=st.lists(st.integers(1, 2**32 - 1), max_size=2).map(tuple),
    major=st.sampled_from([None, 13, 15, 18, 19]),
)


@given(
    any_page,
    st.sampled_from("<>"),
    st.sampled_from([*MAJORS, 0xD119]),
    st.sampled_from([0, 0, 0, 1, 2, 3, 4]),
    st.integers(0, 0xFFFF).map(lambda info: info | 2),
)
def test_the_shell_s_patterns_say_what_the_reader_says(
    page: ExpectedPage, order: str, magic: int, wrong: int, info: int
) -> None:
    size, (low, *_) = page.segment_bytes, page.allowed
    values = [low, page.segment.number * size % 2**64, int(page.system_identifier) % 2**64, size]
    if wrong:
        values[wrong - 1] ^= 1 << (4 if wrong < 4 else 20)
    timeline, address, system, told_size = values
    head = struct.pack(order + "HHIQI4xQII", magic, info, timeline, address, 7, system, told_size, 8192)
    try:
        said = not page.mismatch(read_page_header(head))
    except ValueError:
        said = False
    assert any(fits(pattern, head) for pattern in page.patterns()) is said


def test_only_the_first_page_of_a_segment_fits() -> None:
    page = ExpectedPage(Segment(1, 1), SIZE, "7711950568243775658")
    head = bytearray.fromhex(
        "10d102000100000000000001000000000000000000000000aac88aa12e5a066b0000000100200000"
    )
    assert any(fits(pattern, bytes(head)) for pattern in page.patterns())
    head[2] = 0  # no long header: its fields may be anything
    assert not any(fits(pattern, bytes(head)) for pattern in page.patterns())
    assert "of system" in replace(page, system_identifier="1").mismatch(
        read_page_header(
            bytes.fromhex("10d102000100000000000001000000000000000000000000aac88aa12e5a066b0000000100200000")
        )
    )


# -- How long pg_wal keeps it.


def keeping(**changes: object) -> WalKeeping:
    """16 MiB each 10 s; the last checkpoint began a minute ago at segment 100."""
    whole = WalKeeping(106 * SIZE, 100 * SIZE, 60.0, 300.0, 64 * SIZE, 0.9, 0)
    return replace(whole, **changes)  # type: ignore[arg-type]


def test_it_goes_with_the_next_checkpoint() -> None:
    assert keeping().goes_in_s(98, SIZE) == pytest.approx(240)
    assert keeping(max_wal_bytes=19 * SIZE).goes_in_s(98, SIZE) == pytest.approx(
        40
    )  # 10 segments since the last
    assert keeping(since_s=400.0).goes_in_s(98, SIZE) == 0.0  # it is due


def test_wal_keep_size_keeps_it_longer_and_a_slot_nobody_knows_how_long() -> None:
    assert keeping(keep_bytes=64 * SIZE).goes_in_s(98, SIZE) == pytest.approx((98 + 65 - 106) * 10)
    assert keeping(slots_lsn=98 * SIZE).goes_in_s(98, SIZE) is None
    assert keeping(slots_lsn=99 * SIZE).goes_in_s(98, SIZE) == pytest.approx(240)


def test_without_writes_nobody_knows() -> None:
    assert keeping(lsn=100 * SIZE).goes_in_s(98, SIZE) is None
    assert keeping(since_s=0.0).goes_in_s(98, SIZE) is None


@given(
    st.integers(0, 1000), st.integers(0, 200), st.floats(0.001, 1e6), st.integers(0, 300), st.integers(0, 300)
)
def test_it_is_never_before_now_and_later_for_later_segments(
    redo: int, since: int, seconds: float, keep: int, number: int
) -> None:
    facts = keeping(lsn=(redo + since) * SIZE, redo_lsn=redo * SIZE, since_s=seconds, keep_bytes=keep * SIZE)
    first, second = facts.goes_in_s(number, SIZE), facts.goes_in_s(number + 1, SIZE)
    assert (first is None) == (second is None) == (since == 0)
    assert first is None or second is None or 0 <= first <= second


# -- Where it belongs.


@pytest.mark.parametrize(
    ("layout", "root", "beside", "key"),
    [
        (Layout.FLAT, "", "p/{one}.zst", "p/{two}.zst"),
        (Layout.FLAT, "", "p/{one}", "p/{two}"),
        (Layout.NESTED, "wal/", "p/wal/{one}.gz", "p/wal/{two}.gz"),
        (Layout.WAL_G, "wal_005/", "p/wal_005/{one}.lz4", "p/wal_005/{two}.lz4"),
        (
            Layout.BARMAN,
            "s/wals/",
            "p/s/wals/0000000100000000/{one}.bz2",
            "p/s/wals/0000000100000001/{two}.bz2",
        ),
        (Layout.BY_LOG, "", "p/00000001/00000000/{one}", "p/00000001/00000001/{two}"),
        (Layout.DATED, "", "p/2026/05/10/{one}.xz", "p/2026/05/10/{two}.xz"),
    ],
)
def test_it_is_stored_as_what_lies_beside_it(layout: Layout, root: str, beside: str, key: str) -> None:
    names = {"one": name(0xFF), "two": name(0x100)}
    holding = held({1: ((1, 0xFF),)}, prefix="p/", place=Place(layout, root))
    stored = stored_beside(holding, beside.format(**names), names["two"])
    assert stored.key(names["two"]) == key.format(**names)


@pytest.mark.parametrize(
    ("layout", "beside", "why"),
    [
        (
            Layout.PGBACKREST,
            "{one}-0123456789012345678901234567890123456789.gz",
            "only that tool may store there",
        ),
        (Layout.PGHOARD, "{one}", "only that tool may store there"),
        (Layout.FLAT, "{one}.gpg", "cannot be made here"),
        (Layout.FLAT, "{one}.zst.age", "cannot be made here"),
        (Layout.FLAT, "{one}.partial", "no segment's object"),
    ],
)
def test_what_only_its_tool_can_store_is_refused(layout: Layout, beside: str, why: str) -> None:
    holding = held({1: ((1, 0xFF),)}, place=Place(layout))
    with pytest.raises(ValueError, match=why):
        stored_beside(holding, beside.format(one=name(0xFF)), name(0x100))


def test_stored_as_makes_keys() -> None:
    assert StoredAs("a/", ".zst").key("N") == "a/N.zst"


# -- Folders of the host.


@pytest.mark.parametrize(
    ("command", "folders"),
    [
        ("test ! -f /mnt/a/%f && cp %p /mnt/a/%f", ("/mnt/a",)),
        ('gzip -c "%p" > "/var/archive/%f.gz" && rclone copyto %p r:b/wal/%f', ("/var/archive",)),
        ("rsync -a %p backup@host:/srv/wal/%f", ()),
        ("aws s3 cp %p s3://bucket/wal/%f", ()),
        ("cp %p $HOME/wal/%f", ()),
        ("/usr/local/bin/archive %p %f", ()),
        ("cp %p /%f", ()),
    ],
)
def test_folders_that_a_command_copies_into(command: str, folders: tuple[str, ...]) -> None:
    assert archive_folders(command) == folders


PAGE = bytes.fromhex("10d10700")
"""How a page of WAL begins (access/xlog_internal.h)."""


@pytest.mark.parametrize("suffix", PACKED)
@given(body=st.binary(max_size=300), more=st.binary(min_size=1, max_size=3))
def test_what_is_packed_here_is_read_again(suffix: str, body: bytes, more: bytes) -> None:
    whole = (body if suffix else PAGE + body) + bytes(100_000)  # what begins as gzip does is taken for it
    packed = PLAIN.packed(PACKED[suffix], whole)
    assert PLAIN.whole(f"N{suffix}", packed, len(whole)) == whole
    if suffix:
        assert len(packed) < 10_000
        with pytest.raises(ValueError, match=r"cut off|damaged"):
            PLAIN.whole(f"N{suffix}", packed[: -len(more)], len(whole))


def test_no_other_way_is_known() -> None:
    with pytest.raises(ValueError, match="nothing here makes br"):
        PLAIN.packed("br", b"")
