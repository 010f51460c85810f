"""Of values that a test is tried with, those that stand for all in every run."""

from collections.abc import Iterable
from typing import Any

import pytest


def always(*short: object, of: Iterable[object], several: bool = False) -> list[Any]:
    """`of` as parameters of a test: `short` are tried in every run, the rest is marked `long`.

    `several`: each is a tuple, of which the test takes each part by a name of its own.
    Raises ValueError where one of `short` is no value: the run would leave it out unseen.
    """
    values = list(of)
    unknown = [each for each in short if each not in values]
    if unknown:
        raise ValueError(f"none of the values: {unknown}")
    parts = [each if several and isinstance(each, tuple) else (each,) for each in values]
    return [
        pytest.param(*part, marks=() if each in short else pytest.mark.long)
        for each, part in zip(values, parts, strict=True)
    ]
