"""Templates: texts in which `@NAME@` stands for a value."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_PLACE = re.compile(r"@([A-Z][A-Z_]*)@")


@cache
def template(name: str) -> str:
    """The text of templates/NAME."""
    return files("walconsole.droplet").joinpath("templates", name).read_text("utf-8")


def fill_in(text: str, values: Mapping[str, str]) -> str:
    """`text` with every `@NAME@` replaced by its value, which is not looked through again.

    Raises KeyError for a place that has no value.
    """
    return _PLACE.sub(lambda place: values[place[1]], text)
