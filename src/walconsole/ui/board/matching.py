"""What a filter keeps: a text as it is typed, or a regular expression between slashes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a text has `pattern` in it, whatever its case; a regular expression between slashes.

    Raises ValueError when the expression is not one.
    """
    if len(pattern) > 1 and pattern.startswith("/"):
        try:
            found = re.compile(pattern[1:].removesuffix("/"), re.IGNORECASE).search
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return lambda text: found(text) is not None
    wanted = pattern.casefold()
    return lambda text: wanted in text.casefold()
