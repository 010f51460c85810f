"""Of values that a test is tried with, those that stand for all in every run."""

from collections.abc import Iterable
from typing import Any

import pytest


def always(*short: object, of: Iterable[object]) -> list[Any]:
    """`of` as parameters of a test: `short` are tried in every run, the rest is marked `long`.

    Raises ValueError where one of `short` is no value: the run would leave it out unseen.
    """
    values = list(of)
    unknown = [each for each in short if each not in values]
    if unknown:
        raise ValueError(f"none of the values: {unknown}")
    return [each if each in short else pytest.param(each, marks=pytest.mark.long) for each in values]
