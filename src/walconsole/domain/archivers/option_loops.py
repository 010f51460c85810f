"""Which arms of a `case` run, where the words that a script is called with are known.

Of a word that is known, and in the two loops by which scripts read their options: `while getopts OPTIONS
NAME; do case $NAME in x) … $OPTARG …;; esac; done` (POSIX.1-2024, getopts), and `while …; do case "$1" in
--name) … "$2"; shift 2;; --name=*) … "${1#*=}" …;; esac; done`.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from walconsole.domain.records import record


@record
class Arm:
    """Of an arm that runs: `value` is OPTARG, `positional` the words from `$0` on as it sees them."""

    value: str = ""
    positional: tuple[str, ...] | None = None


class OfWord:
    """The arms of a `case` of a word that is known: the first one whose pattern it is."""

    in_loop = False

    def __init__(self, word: str) -> None:
        self._word, self._done = word, False

    def arm(self, patterns: Sequence[str]) -> Arm | None:
        """What the arm with these patterns sees; None for one that does not run."""
        if self._done or not any(fnmatchcase(self._word, pattern) for pattern in patterns):
            return None
        self._done = True
        return Arm()


class OfWords:
    """Of `$1` in a loop that shifts: an arm for each word that is one of its patterns."""

    in_loop = True

    def __init__(self, positional: Sequence[str]) -> None:
        self._given = tuple(positional)

    def arm(self, patterns: Sequence[str]) -> Arm | None:
        """As for OfWord; `*` stands for words that are none of the others, of which none is known."""
        plain = [pattern for pattern in patterns if pattern.strip("*?")]
        for at, word in enumerate(self._given[1:], start=1):
            if any(fnmatchcase(word, pattern) for pattern in plain):
                return Arm("", (self._given[0], *self._given[at:]))
        return None


class OfOptions:
    """Of getopts' variable `name`. `left` are the words behind the options."""

    in_loop = True

    def __init__(self, positional: Sequence[str], options: str, name: str) -> None:
        self.name = name
        self._read, self.left = _read(positional[1:], options)

    def arm(self, patterns: Sequence[str]) -> Arm | None:
        """As for OfWord; `*` and `\\?` run for none that getopts knows."""
        value = next((self._read[each] for each in patterns if each in self._read), None)
        return None if value is None else Arm(value)


Arms = OfWord | OfWords | OfOptions


def _read(words: Sequence[str], options: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """As getopts reads them (`-x VALUE`, `-xVALUE`, `-xy`), the last of each; and what follows them."""
    found: dict[str, str] = {}
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        letters = rest.pop(0)[1:]
        if letters == "-":
            break
        while letters:
            letter, letters = letters[0], letters[1:]
            if f"{letter}:" in options:
                found[letter] = letters or (rest.pop(0) if rest else "")
                break
            found[letter] = ""
    return found, tuple(rest)


class Cases:
    """Where a reading stands in `case … esac`. `patterns`: what comes next are patterns."""

    def __init__(self) -> None:
        self.patterns = False
        self._open: list[Arms | None] = []
        self._skips: list[bool] = []
        self._listed: list[str] = []

    @property
    def skips(self) -> bool:
        """Whether what stands here does not run."""
        return any(self._skips)

    def begin(self, arms: Arms | None, patterns: Sequence[str]) -> None:
        """`case WORD in`, with the patterns that stand on its line; `arms` None where all may run."""
        self.patterns = True
        self._open.append(arms)
        self._skips.append(False)
        self._listed = list(patterns)

    def end(self) -> Arms | None:
        """`esac`: what it was a case of."""
        self.patterns = False
        if not self._open:
            return None
        self._skips.pop()
        return self._open.pop()

    def pattern(self, words: Sequence[str], ends: str) -> Arm | None:
        """What stands before a `|` or a `)`; the arm that begins here, where that is known to run."""
        self._listed += words
        if ends != ")":
            return None
        listed, self._listed, self.patterns = self._listed, [], False
        arms = self._open[-1] if self._open else None
        if arms is None or any(self._skips[:-1]):
            return None
        arm = arms.arm(listed)
        self._skips[-1] = arm is None
        return arm

    def next_arm(self) -> None:
        """`;;`."""
        self.patterns = True
        if self._skips:
            self._skips[-1] = False

    @property
    def innermost(self) -> Arms | None:
        """What the case is of in which this stands."""
        return self._open[-1] if self._open else None
