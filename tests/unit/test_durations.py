"""The order in which the files of tests are given out."""

from pathlib import Path

from tests.durations import LONGEST_FIRST

TESTS = Path(__file__).parents[1]


def test_every_file_that_takes_long_is_there_and_named_once() -> None:
    assert len(set(LONGEST_FIRST)) == len(LONGEST_FIRST)
    assert [name for name in LONGEST_FIRST if not (TESTS / name).is_file()] == []
