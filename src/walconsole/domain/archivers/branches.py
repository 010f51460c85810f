"""Which commands of a script run in any case, which perhaps, and which instead of others.

POSIX.1-2024, Shell Command Language, 2.9.3 (lists), 2.9.4 (compound commands). Nothing is run.
"""

from dataclasses import dataclass
from enum import StrEnum


class Otherwise(StrEnum):
    """Instead of what a call runs."""

    FAILED = "failed"
    """Of one before it that failed: `A || B`."""
    BRANCH = "branch"
    """Of one in another branch of `if` or `case`."""


@dataclass(slots=True)
class _Block:
    """What stands between two keywords or braces. `began` is how many calls came before it."""

    began: int
    perhaps: bool = True
    otherwise: Otherwise | None = None
    loop: bool = False


class Course:
    """Where a reading stands, told of keywords and operators in order. `calls` is how many came before."""

    def __init__(self, *blocks: _Block) -> None:
        self._blocks = list(blocks)
        self._after, self._began = "", 0

    @property
    def perhaps(self) -> bool:
        """Whether what stands here may not run."""
        return self._after in ("&&", "||") or any(block.perhaps for block in self._blocks)

    def otherwise(self, calls: int) -> Otherwise | None:
        """Whether what stands here only runs instead of a call before it."""
        if self._after == "||" and calls > self._began:
            return Otherwise.FAILED
        return next((block.otherwise for block in reversed(self._blocks) if block.otherwise), None)

    @property
    def repeats(self) -> bool:
        """Whether what stands here is in a loop."""
        return any(block.loop for block in self._blocks)

    def runs(self, blocks: int) -> None:
        """Note that the innermost ones are known to run, up to the next arm."""
        for block in self._blocks[len(self._blocks) - blocks :]:
            block.perhaps = False

    def within(self, calls: int) -> "Course":
        """Of what is read in here, or is a function's body."""
        return Course(_Block(calls, self.perhaps, self.otherwise(calls)))

    def keyword(self, text: str, calls: int) -> None:
        """Where a block begins, has another branch, and ends."""
        if text in ("if", "do", "case"):
            self._blocks.append(_Block(calls, loop=text == "do"))
        elif text == "{":
            group = _Block(calls, self._after in ("&&", "||"), self.otherwise(calls))
            self._blocks.append(group)
        elif text in ("else", "elif", ";;"):
            for block in self._blocks[-1:]:
                block.perhaps = True
            if self._blocks and calls > self._blocks[-1].began:
                self._blocks[-1].otherwise = Otherwise.BRANCH
        elif text in ("fi", "done", "esac", "}") and self._blocks:
            self._blocks.pop()

    def operator(self, text: str, calls: int) -> None:
        """What stands behind a command."""
        if text == ";;":
            self.keyword(text, calls)
        if text not in ("|", "|&", "&&", "||"):
            self._began = calls
        self._after = text
