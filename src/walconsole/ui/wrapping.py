"""Cutting and wrapping by terminal cells."""

import re
import textwrap

from rich.cells import cell_len, set_cell_size

_BOUND = "\N{NO-BREAK SPACE}"
_QUANTITY = re.compile(
    r"(?<=\d) (?=(?:s|min|h|d|B|[KMGT]iB|segments?)\b)|(?<=\d min) (?=\d)|(?<=\d [hd]) (?=\d)"
)
_LEAST = 8


def fit(text: str, width: int, more: str = "…") -> str:
    """`text` in at most `width` cells; what is cut is marked."""
    if cell_len(text) <= width:
        return text
    return "" if width <= 0 else set_cell_size(text, width - len(more)).rstrip() + more


def wrapped(text: str, width: int, *, first: int | None = None) -> list[str]:
    """`text` on lines of at most `width` cells, a number and its unit on one.

    `first` is the room on the first line; where it is too little for a word it stays empty.
    """
    width = max(_LEAST, width)
    indent = "" if first is None else " " * (width - min(width, first))
    if first is not None and first < 2 * _LEAST:
        return ["", *wrapped(text, width)]
    bound = _QUANTITY.sub(_BOUND, text)
    lines = textwrap.wrap(bound, width, initial_indent=indent, break_on_hyphens=False) or [""]
    lines[0] = lines[0][len(indent) :]
    return [fit(line.replace(_BOUND, " "), width) for line in lines]
