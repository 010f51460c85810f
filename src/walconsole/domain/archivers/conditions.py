"""Which branch of `if`, `&&` and `||` runs, where what decides is a test of variables that are known.

POSIX.1-2024, Shell Command Language, 2.9.3 (lists), 2.9.4 (compound commands), test(1). Nothing is run: what
only a run tells stays open, and then every branch is taken for one that may run.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from walconsole.domain.archivers.expansion import Names, expanded
from walconsole.domain.archivers.look import ABSENT, FileText
from walconsole.domain.archivers.shell_tests import answer, of_brackets
from walconsole.domain.archivers.shell_words import Operator, Token, Word

_NAMED = re.compile(r"\$\{?#?([A-Za-z_]\w*)")
_DEFAULTED = re.compile(r"\$\{([A-Za-z_]\w*):?[-=]")
_SET = re.compile(r"([A-Za-z_]\w*)(\[[^]]*\])?\+?=")
_OPENING = {
    "if": "fi", "case": "esac", "{": "}", "(": ")",
    **dict.fromkeys(("while", "until", "for", "select"), "done"),
}  # fmt: skip
_FILE_TESTS = frozenset({"-f", "-r", "-s"})


@dataclass(slots=True)
class _Block:
    """Between two keywords or brackets. `ends` closes it; `skipped`: none of it runs, whatever it asks.

    `taken`: whether an arm of `if` before this one runs; `skips`: whether this arm does not.
    """

    ends: str
    skipped: bool
    taken: bool | None = False
    skips: bool = False


class Conditions:
    """Told of keywords, commands' answers and operators in order."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._answer: bool | None = True
        self._skips_next = False
        self._sure_next = False
        self._piped = self._negated = False
        self._open = ""

    @property
    def skips(self) -> bool:
        """Whether what stands here does not run."""
        return self._skips_next or any(block.skipped or block.skips for block in self._blocks)

    @property
    def sure_next(self) -> bool:
        """Whether what comes behind `&&` or `||` is known to run, as far as this list goes."""
        return self._sure_next

    def keyword(self, text: str) -> bool:
        """Whether the arm that begins with it is known to run."""
        if text in _OPENING:
            self._begin(text)
            return False
        block = self._blocks[-1] if self._blocks else None
        if text == "!":
            self._negated = not self._negated
        elif block is not None and text == block.ends:
            self._blocks.pop()
            self._skips_next, self._answer, self._piped = False, None, True
        elif text == "do":
            self._new_list()
        elif block is None or block.ends != "fi":
            return False
        elif text == "then":
            return self._then(block)
        elif text in ("elif", "else"):
            return self._otherwise(block, text)
        return False

    def _begin(self, text: str) -> None:
        self._blocks.append(_Block(_OPENING[text], self.skips))
        self._new_list()

    def _then(self, block: _Block) -> bool:
        said = self._answer
        block.skips = said is False or block.taken is True
        sure = said is True and block.taken is False
        block.taken = True if said is True or block.taken is True else block.taken if said is False else None
        self._new_list()
        return sure

    def _otherwise(self, block: _Block, text: str) -> bool:
        block.skips = block.taken is True
        self._new_list()
        return text == "else" and block.taken is False

    def _new_list(self) -> None:
        self._answer, self._open = True, ""
        self._skips_next = self._sure_next = self._piped = self._negated = False

    def answered(self, said: bool | None) -> None:
        """How the command that stood here ends; None where only the run tells."""
        if self._skips_next:
            return
        said = None if self._piped or said is None else said != self._negated
        decides = self._open == "||"  # of what is open before it, only this makes a whole answer
        self._answer = None if self._open and said is not decides else said

    def operator(self, text: str) -> None:
        """What stands behind a command."""
        if text in ("(", ")"):
            self.bracket(text)
        elif text in ("&&", "||"):
            decides = self._answer if text == "&&" else None if self._answer is None else not self._answer
            self._skips_next, self._sure_next = decides is False, decides is True
            self._open = text if decides is None else ""
            self._piped = self._negated = False
        elif text in ("|", "|&"):
            self._piped, self._sure_next = True, False
            self._answer = None if not self._skips_next else self._answer
        else:
            self._skips_next = self._sure_next = self._piped = self._negated = False
            self._open = ""

    def bracket(self, text: str) -> None:
        """Of a subshell."""
        if text == "(":
            self._begin("(")
        elif self._blocks and self._blocks[-1].ends == ")":
            self.keyword(")")


class Trust:
    """Which variables' values may decide: not those that may have another one when the run comes there."""

    def __init__(self, files: Mapping[str, FileText], *, environment_read: bool) -> None:
        self._files, self._read = files, environment_read
        self.unsure: set[str] = set()

    def assigned(self, name: str, raw: str, names: Names, *, perhaps: bool) -> None:
        """Note that it was set, by that word."""
        missing = [each for each in _DEFAULTED.findall(raw) if names.get(each) is None]
        doubtful = perhaps or (missing and not self._read) or self.unsure & set(_NAMED.findall(raw))
        (self.unsure.add if doubtful else self.unsure.discard)(name)

    def of(self, raws: Iterable[str], changing: frozenset[str]) -> bool:
        """Whether the words' variables are known; `changing` are those that a loop around it sets."""
        asked = {name for raw in raws for name in _NAMED.findall(raw)}
        defaulted = {name for raw in raws for name in _DEFAULTED.findall(raw)}
        return not asked & (self.unsure | changing) and (self._read or not defaulted)

    def answer(
        self, words: Sequence[Word], inside: Sequence[Token], names: Names, changing: frozenset[str]
    ) -> bool | None:
        """How a command of these words ends, `inside` those of `[[ … ]]`; None where only the run tells."""
        name = words[0].text
        if name in ("true", ":", "false"):
            return name != "false"
        raws = [token.raw or token.text for token in (*words, *inside) if isinstance(token, Word)]
        if not self.of(raws, changing):
            return None
        if name == "[[":
            return of_brackets(inside, names)
        if name not in ("[", "test"):
            return None
        texts = [text for word in words[1:] for text in expanded(word, names)]
        texts = texts[:-1] if name == "[" and texts[-1:] == ["]"] else texts
        of_file = 2 <= len(texts) <= 3 and texts[-2] in _FILE_TESTS
        return self._of_file(texts) if of_file else answer(texts)

    def _of_file(self, texts: Sequence[str]) -> bool | None:
        """`-f FILE` of one that was read, or looked for and not found."""
        file = self._files.get(texts[-1])
        if file is None or file.problem not in ("", ABSENT) or (len(texts) == 3 and texts[0] != "!"):
            return None
        there = not file.problem and (texts[-2] != "-s" or bool(file.text))
        return there != (len(texts) == 3)


def changed_in_loops(listed: Sequence[Token]) -> frozenset[str]:
    """The variables that something behind the first `do` sets, or that are set twice.

    In a loop these may be others than what was read above it.
    """
    found: set[str] = set()
    once: set[str] = set()
    begun, before = False, ""
    for token in listed:
        if isinstance(token, Operator):
            before = ""
            continue
        begun = begun or token.text == "do"
        match = _SET.match(token.raw or token.text)
        if match is not None:
            (found if begun or match[1] in once else once).add(match[1])
        if before in ("read", "for", "select", "let", "unset", "getopts") and token.text.isidentifier():
            found.add(token.text)
        before = token.text if before not in ("read", "unset") or token.text in ("do", "then") else before
    return frozenset(found)
