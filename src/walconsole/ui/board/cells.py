"""Cutting and wrapping by terminal cells. The first frame is cut by it, so it needs nothing of the domain."""

import textwrap

from rich.cells import cell_len, set_cell_size

from walconsole.domain.patterns import pattern

_BOUND = "\N{NO-BREAK SPACE}"
_QUANTITY = pattern(
    r"(?<=\d) (?=(?:s|min|h|d|B|[KMGT]iB|segments?)\b)|(?<=\d min) (?=\d)|(?<=\d [hd]) (?=\d)"
)
_LEAST = 8


def fit(text: str, width: int, more: str = "…") -> str:
    """`text` in at most `width` cells; what is cut is marked."""
    if cell_len(text) <= width:
        return text
    return "" if width <= 0 else set_cell_size(text, width - len(more)).rstrip() + more


def fit_left(text: str, width: int, more: str = "…") -> str:
    """As `fit`, but keeps the end: for paths, whose end tells them apart."""
    if cell_len(text) <= width:
        return text
    kept = text
    while kept and cell_len(kept) > width - len(more):
        kept = kept[1:]
    return more + kept if width > 0 else ""


def fit_middle(text: str, width: int, more: str = "…") -> str:
    """As `fit`, but keeps the first eight and the end: for WAL names, whose middle is mostly zeroes."""
    if cell_len(text) <= width or width < 12:
        return fit(text, width, more)
    return text[:8] + fit_left(text[8:], width - cell_len(text[:8]), more)


def pad(text: str, width: int) -> str:
    """`text` in exactly `width` cells, left-aligned."""
    return set_cell_size(text, width)


def right(text: str, width: int) -> str:
    """`text` right-aligned in `width` cells."""
    return " " * max(0, width - cell_len(text)) + text


class _Wrapper(textwrap.TextWrapper):
    """Parts a path, a URL or a name that is longer than a line where its parts end, not in one's middle."""

    def _handle_long_word(
        self, reversed_chunks: list[str], cur_line: list[str], cur_len: int, width: int
    ) -> None:
        space = max(1, width - cur_len)
        word = reversed_chunks[-1]
        end = next((end for signs in _PARTED_AFTER if (end := _last(word[:space], signs))), 0)
        if not end and cur_line:
            return  # the whole of it may find a better place on a line of its own
        end = end or space
        cur_line.append(word[:end])
        reversed_chunks[-1] = word[end:]


_PARTED_AFTER = ("/", ",;&?=:|@", "-_.")
"""Where a word may be parted, the best first."""


def _last(text: str, signs: str) -> int:
    """Behind the last of these signs, 0 where there is none; right at the beginning it parts nothing."""
    end = 1 + max(text.rfind(sign) for sign in signs)
    return end if end > 2 else 0


def folded(text: str, width: int, *, initial: str = "", indent: str = "") -> list[str]:
    """`text` on lines of at most `width` characters, parted between words, else between a word's parts."""
    wrapper = _Wrapper(
        max(1, width), initial_indent=initial, subsequent_indent=indent, break_on_hyphens=False
    )
    return wrapper.wrap(text)


def wrapped(text: str, width: int, *, first: int | None = None) -> list[str]:
    """`text` on lines of at most `width` cells, a number and its unit on one.

    `first` is the room on the first line; where it is too little for a word it stays empty.
    """
    width = max(_LEAST, width)
    indent = "" if first is None else " " * (width - min(width, first))
    if first is not None and first < 2 * _LEAST:
        return ["", *wrapped(text, width)]
    bound = _QUANTITY.sub(_BOUND, text)
    lines = folded(bound, width, initial=indent) or [""]
    lines[0] = lines[0][len(indent) :]
    return [fit(line.replace(_BOUND, " "), width) for line in lines]
