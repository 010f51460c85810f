"""Expressions that are compiled later do what those do that are compiled at once."""

import re

import pytest

from walconsole.config import checks, reader, toml_lines
from walconsole.domain import redaction
from walconsole.domain.patterns import pattern


def test_it_is_the_expression_and_its_flags() -> None:
    late, at_once = pattern("(?P<a>x+)|y", re.IGNORECASE), re.compile("(?P<a>x+)|y", re.IGNORECASE)
    assert late.sub("-", "aXxby") == at_once.sub("-", "aXxby") == "a-b-"
    assert late.pattern == at_once.pattern
    assert late.fullmatch("XX") is not None
    assert late.fullmatch("xz") is None


@pytest.mark.parametrize(
    "module", [checks, reader, redaction, toml_lines], ids=lambda module: module.__name__
)
def test_every_late_expression_compiles(module: object) -> None:
    """Nothing else would say so before one is used."""
    kind = type(pattern(""))
    values = [each for one in vars(module).values() for each in (one if isinstance(one, tuple) else (one,))]
    late = [value for value in values if isinstance(value, kind)]
    assert late
    assert all(isinstance(value.groups, int) for value in late)


def test_a_wrong_one_is_an_error_when_it_is_used() -> None:
    wrong = pattern("(")
    with pytest.raises(re.error):
        wrong.search("")
