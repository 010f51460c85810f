"""What is wrong in a configuration file, where, and what to do about it."""

from collections.abc import Sequence
from typing import NamedTuple

from walconsole.domain.redaction import safe
from walconsole.errors import ConfigError


class Fault(NamedTuple):
    """One thing that is wrong; `line` counts from 1, 0 stands for the whole file."""

    file: str
    line: int
    why: str
    remedy: str = ""
    column: int = 0

    def text(self) -> str:
        """`FILE:LINE: why; remedy`, safe to show: a file's content is as hostile as any input."""
        place = self.file
        if self.line:
            place += f":{self.line}"
        if self.column:
            place += f":{self.column}"
        return safe(f"{place}: {self.why}{f'; {self.remedy}' if self.remedy else ''}")


class FaultyConfigError(ConfigError):
    """All that is wrong in one file."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("reading the configuration", "\n".join(fault.text() for fault in self.faults))

    def line(self) -> str:
        """A line for each fault: FILE:LINE comes first, so that an editor can jump there."""
        return self.why
