"""Tiles of the key space, against the sorted list of all keys."""

from bisect import bisect_right
from itertools import pairwise
from random import Random
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.domain.archive import marks as marks_module
from walconsole.domain.archive.marks import TILE_KEYS, Marks

keys = st.text(alphabet="ab0", min_size=1, max_size=6)
ORDER = st.randoms(use_true_random=False)


def check(marks: Marks, listed: list[str]) -> None:
    """Whether every key of the sorted list is where the marks say."""
    assert marks.total == len(listed)
    assert marks.afters == sorted(set(marks.afters))
    for number, key in enumerate(listed):
        tile, first = marks.tile_of(number)
        assert marks.tile_for(key) == (tile, first)
        assert first <= number < first + marks.counts[tile]
        assert marks.afters[tile] < key
        assert tile + 1 == len(marks.afters) or key <= marks.afters[tile + 1]
    for outside in (-1, len(listed)):
        with pytest.raises(IndexError, match=f"no key {outside} among {len(listed)}"):
            marks.tile_of(outside)


def paged(listed: list[str], cuts: set[str], chance: Random) -> Marks:
    """Ranges that end at `cuts` listed side by side, two keys a page, their pages in any order."""
    ends = ["", *sorted(cuts), "~"]
    pages: list[tuple[str, int]] = []
    for after, upto in pairwise(ends):
        within = [key for key in listed if after < key <= upto]
        pages += [
            (within[start - 1] if start else after, len(within[start : start + 2]))
            for start in range(0, len(within), 2)
        ]
        pages.append((within[-1] if within else after, 0))
    chance.shuffle(pages)
    marks = Marks()
    for after, count in pages:
        marks.add_page(after, count)
    return marks


@given(st.sets(keys), st.sets(keys, max_size=3), ORDER)
def test_pages_in_any_order_make_the_list(found: set[str], cuts: set[str], chance: Random) -> None:
    check(paged(sorted(found), cuts, chance), sorted(found))


@given(st.sets(keys), st.sets(keys, max_size=3), ORDER, st.lists(keys, unique=True))
def test_keys_that_appear_one_by_one_join_it(
    found: set[str], cuts: set[str], chance: Random, more: list[str]
) -> None:
    with patch.object(marks_module, "TILE_KEYS", 2):
        marks = paged(sorted(found), cuts, chance)
        listed = sorted(found)
        for key in more:
            if key in listed:
                continue
            marks.add_key(key, listed[-1] if listed else "")
            listed = sorted([*listed, key])
            check(marks, listed)


@given(st.sets(keys, min_size=1), st.sets(keys, max_size=3), ORDER, keys)
def test_a_key_that_is_not_there_has_the_tile_where_it_would_be(
    found: set[str], cuts: set[str], chance: Random, key: str
) -> None:
    listed = sorted(found)
    marks = paged(listed, cuts, chance)
    tile, first = marks.tile_for(key)
    before = bisect_right(listed, key)
    assert first <= before <= first + marks.counts[tile] or tile == 0


def test_a_full_last_tile_is_followed_by_another() -> None:
    marks = Marks()
    listed = [f"{number:06}" for number in range(2 * TILE_KEYS + 5)]
    for number, key in enumerate(listed):
        marks.add_key(key, listed[number - 1] if number else "")
    assert marks.counts == [TILE_KEYS, TILE_KEYS, 5]
    assert marks.afters == ["", listed[TILE_KEYS - 1], listed[2 * TILE_KEYS - 1]]


def test_a_key_within_a_full_tile_makes_it_larger() -> None:
    marks = Marks()
    marks.add_page("", TILE_KEYS)
    marks.add_key("b", "c")
    assert (marks.afters, marks.counts) == ([""], [TILE_KEYS + 1])


def test_a_cut_that_later_exists_is_in_the_tile_before_it() -> None:
    marks = Marks()
    marks.add_page("", 3)
    marks.add_page("m", 3)
    marks.add_key("m", "z")
    assert marks.counts == [4, 3]
    assert marks.tile_for("m") == (0, 0)


def test_without_tiles_there_is_none_for_any_key() -> None:
    marks = Marks()
    marks.add_page("a", 0)
    assert marks.total == 0
    with pytest.raises(IndexError):
        marks.tile_for("a")


def test_a_copy_is_its_own() -> None:
    marks = Marks(["", "a"], [2, 3])
    twin = marks.copy()
    twin.add_key("b", "c")
    assert (marks.counts, twin.counts) == ([2, 3], [2, 4])
    assert twin != marks
