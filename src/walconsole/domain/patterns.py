"""Regular expressions that are compiled when they are first used, not when their module is imported."""

import re
from typing import Any, cast


class _Pattern:
    """In the place of one until its first use. What was asked for once is found without this class."""

    def __init__(self, text: str, flags: int) -> None:
        self._text, self._flags = text, flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(self._text, self._flags), name)  # re keeps what it has compiled
        setattr(self, name, found)
        return found


def pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    """`re.compile`, later. For modules that the console imports before its first frame: compiling their
    expressions took a tenth of what it does until then. A wrong one raises re.error when it is used.
    """
    return cast("re.Pattern[str]", _Pattern(text, flags))
