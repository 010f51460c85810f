"""A command cut into words and operators as a POSIX shell cuts it, and what it computes when it runs.

POSIX.1-2024, Shell Command Language, 2.2 (quoting), 2.3 (tokens), 2.6.3 (command substitution).
Nothing is run.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import field
from itertools import accumulate

from walconsole.domain.records import record

_OPERATORS = (
    "<<<", "<<-", "&>>", "&&", "||", ";;", ";&", "|&", "<<", ">>", ">|", "<>", "<&", ">&", "&>",
    ";", "&", "|", "(", ")", "\n", "<", ">",
)  # fmt: skip
_OPERATOR = re.compile("|".join(map(re.escape, _OPERATORS)))
_EMPTY_LINES = re.compile(r"(?:[ \t\r]*+(?:#[^\n]*+)?\n)*+")
"""Behind the end of a line: lines with nothing, and with a comment alone. They end no other command."""
_OPERATOR_OF_POSIX = re.compile(
    "|".join(re.escape(each) for each in _OPERATORS if each not in ("&>", "&>>", "|&", "<<<"))
)
"""Without bash's own: dash takes `&>` for `&`, and a redirection behind it."""
REDIRECTIONS = frozenset({"<<<", "<<-", "&>>", "<<", ">>", ">|", "<>", "<&", ">&", "&>", "<", ">"})
_ESCAPED_IN_QUOTES = '$`"\\\n'
_CLOSING = {"(": ")", "{": "}"}
_ARRAY = re.compile(r"[A-Za-z_]\w*\+?=")
"""Before a bracket: bash's `NAME=(WORDS)`."""
_IN_C = re.compile(r"\\([abefnrtv\\'\"?]|[0-7]{1,3}|x[0-9A-Fa-f]{1,2})|([^'\\]+)|\\")
_IN_C_SIGNS = {"a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@record
class Word:
    """`text` without its quotes. `computed`: part is known when it runs; `quoted`: part was quoted.

    `inside` are the commands of its substitutions, `raw` is the word as it stands, on line `line` from 1.
    """

    text: str
    computed: bool = False
    quoted: bool = False
    inside: tuple[str, ...] = ()
    raw: str = field(default="", compare=False, repr=False)
    line: int = field(default=1, compare=False, repr=False)


@record
class Operator:
    """What stands between words. `descriptor`: the number before a redirection of another stream (`2>`)."""

    text: str
    descriptor: str = ""


Token = Word | Operator


def c_quoted(text: str, at: int) -> tuple[str, int]:
    """What `$'…'` at `at` stands for (bash(1), ANSI-C quoting), and where it ends."""
    parts: list[str] = []
    at += 2
    while (match := _IN_C.match(text, at)) is not None:
        sign = match[1] or ""
        if sign[:1] == "x" or sign[:1].isdigit():
            parts.append(chr(int(sign.removeprefix("x"), 16 if sign[0] == "x" else 8)))
        else:
            parts.append(match[2] or (_IN_C_SIGNS.get(sign, sign) if sign else "\\"))
        at = match.end()
    return "".join(parts), at + 1


def tokens(command: str, *, posix: bool = False) -> list[Token]:
    """Its words and operators, in order. Never raises: an open quote ends at the end.

    `posix`: by a shell that has none of bash's own operators, as dash.
    """
    return list(read_tokens(command, posix=posix))


def read_tokens(command: str, *, posix: bool = False) -> Iterator[Token]:
    """The same, each read when it is asked for."""
    return _Lexer(command, _OPERATOR_OF_POSIX if posix else _OPERATOR).read()


def commands_of(listed: Sequence[Token]) -> Iterator[tuple[list[Token], str, Sequence[Token]]]:
    """Simple commands, each with the operator behind it; of `[[ … ]]` its first word, and what is inside."""
    command: list[Token] = []
    inside: Sequence[Token] = ()
    at = 0
    while at < len(listed):
        token = listed[at]
        at += 1
        if isinstance(token, Operator) and token.text not in REDIRECTIONS:
            yield command, token.text, inside
            command, inside = [], ()
            continue
        command.append(token)
        if _is_word(token, "[["):
            end = next((end for end in range(at, len(listed)) if _is_word(listed[end], "]]")), None)
            if end is not None:
                inside, at = listed[at:end], end + 1
    yield command, "", inside


def _is_word(token: Token, text: str) -> bool:
    return isinstance(token, Word) and token.text == text and not token.quoted


def _closing(listed: Sequence[Token], begin: int) -> int:
    """Where the `{` at `begin` is closed."""
    depth = 0
    for at in range(begin, len(listed)):
        depth += _is_word(listed[at], "{") - _is_word(listed[at], "}")
        if not depth:
            return at
    return len(listed)


def without_functions(listed: Sequence[Token]) -> tuple[list[Token], dict[str, list[Token]]]:
    """The tokens without the bodies of functions, and those by the function's name."""
    left: list[Token] = []
    functions: dict[str, list[Token]] = {}
    at = 0
    while at < len(listed):
        name = listed[at]
        opening = listed[at + 1 : at + 3] == [Operator("("), Operator(")")]
        if isinstance(name, Word) and opening:
            begin = at + 3
            while begin < len(listed) and listed[begin] == Operator("\n"):
                begin += 1
            if begin < len(listed) and _is_word(listed[begin], "{"):
                end = _closing(listed, begin)
                functions[name.text] = list(listed[begin + 1 : end])
                at = end + 1
                continue
        left.append(name)
        at += 1
    return left, functions


class _Lexer:
    def __init__(self, text: str, operators: re.Pattern[str]) -> None:
        self._operators = operators
        parts = text.split("\\\n")
        self._text, self._at = "".join(parts), 0
        self._joints = list(accumulate(map(len, parts[:-1])))
        self._heredocs: list[str] = []
        self._heredoc_next = False
        self._counted = 0, 1

    def read(self) -> Iterator[Token]:
        while self._at < len(self._text):
            if self._text[self._at] in " \t\r":
                self._at += 1
            elif self._text[self._at] == "#":
                self._at = self._end_of_line()
            elif self._text.startswith(("<(", ">("), self._at):
                yield self._process()
            elif operator := self._operator():
                self._at += len(operator)
                yield Operator(operator)
                self._heredoc_next = operator in ("<<", "<<-")
                if operator == "\n":
                    self._skip_heredocs()
                    if lines := _EMPTY_LINES.match(self._text, self._at):
                        self._at = lines.end()
            else:
                word = self._word()
                if self._at < len(self._text) and self._text[self._at] in "<>" and word.text.isdigit():
                    yield self._redirection(word.text)
                    continue
                if self._heredoc_next:
                    self._heredocs.append(word.text)
                    self._heredoc_next = False
                yield word

    def _redirection(self, number: str) -> Operator:
        operator = self._operator()
        self._at += len(operator)
        self._heredoc_next = operator in ("<<", "<<-")
        return Operator(operator, "" if int(number) == (operator[0] == ">") else number)

    def _process(self) -> Word:
        """bash's `<(command)`: the name of a pipe, which only the run tells."""
        line = self._line()
        self._at += 1
        body = self._bracketed("(")
        return Word("", True, True, (body,), '"$()"', line)

    def _operator(self) -> str:
        """The one that stands here, empty where none does."""
        found = self._operators.match(self._text, self._at)
        return found[0] if found is not None else ""

    def _end_of_line(self) -> int:
        end = self._text.find("\n", self._at)
        return len(self._text) if end < 0 else end

    def _skip_heredocs(self) -> None:
        for mark in self._heredocs:
            while self._at < len(self._text):
                end = self._end_of_line()
                line = self._text[self._at : end].strip()
                self._at = min(end + 1, len(self._text))
                if line == mark:
                    break
        self._heredocs = []

    def _word(self) -> Word:
        parts: list[str] = []
        inside: list[str] = []
        computed = quoted = False
        begin, line = self._at, self._line()
        while self._at < len(self._text) and self._text[self._at] not in " \t\r" and not self._operator():
            sign = self._text[self._at]
            if sign == "'":
                quoted = True
                parts.append(self._until("'"))
            elif sign == '"':
                quoted = True
                computed = self._double(parts, inside) or computed
            elif sign == "\\":
                quoted = True
                parts.append(self._text[self._at + 1 : self._at + 2])
                self._at += 2
            elif sign in "$`":
                computed = self._expansion(parts, inside) or computed
            else:
                computed = computed or (sign in "*?[" and bool(parts or sign != "["))
                parts.append(sign)
                self._at += 1
            if self._text[self._at : self._at + 1] == "(" and _ARRAY.fullmatch(self._text[begin : self._at]):
                parts.append(f"({self._bracketed('(')})")
        return Word("".join(parts), computed, quoted, tuple(inside), self._text[begin : self._at], line)

    def _line(self) -> int:
        """The line that stands here; counted on from the last one that was asked for."""
        counted, line = self._counted
        line += self._text.count("\n", counted, self._at)
        self._counted = self._at, line
        return line + bisect_right(self._joints, self._at)

    def _until(self, mark: str) -> str:
        """What stands between here and the next `mark`, which is passed."""
        end = self._text.find(mark, self._at + 1)
        end = len(self._text) if end < 0 else end
        found = self._text[self._at + 1 : end]
        self._at = end + 1
        return found

    def _double(self, parts: list[str], inside: list[str]) -> bool:
        """In double quotes; whether anything there is computed."""
        computed = False
        self._at += 1
        while self._at < len(self._text) and self._text[self._at] != '"':
            sign = self._text[self._at]
            following = self._text[self._at + 1 : self._at + 2]
            if sign == "\\" and following and following in _ESCAPED_IN_QUOTES:
                parts.append(following)
                self._at += 2
            elif sign in "$`":
                computed = self._expansion(parts, inside) or computed
            else:
                parts.append(sign)
                self._at += 1
        self._at += 1
        return computed

    def _expansion(self, parts: list[str], inside: list[str]) -> bool:
        """A variable or a substitution; False for a dollar sign that is one."""
        begin = self._at
        if self._text[begin] == "`":
            inside.append(self._until("`").replace("\\`", "`"))
            return True
        following = self._text[begin + 1 : begin + 2]
        if following == "'":
            text, self._at = c_quoted(self._text, begin)
            parts.append(text)
            return False
        if following in _CLOSING:
            self._at += 1
            body = self._bracketed(following)
            if following == "(" and not body.startswith("("):
                inside.append(body)
            return True
        self._at += 1
        if not following or not (following.isalnum() or following in "_@*#?$!-"):
            parts.append("$")
            return False
        self._at += 1
        while following.isalpha() or following == "_":
            following = self._text[self._at : self._at + 1]
            if not following or not (following.isalnum() or following == "_"):
                break
            following = "_"
            self._at += 1
        return True

    def _bracketed(self, opening: str) -> str:
        """What stands in brackets that may hold more of them and quotes; they are passed."""
        closing, depth, begin = _CLOSING[opening], 0, self._at + 1
        while self._at < len(self._text):
            sign = self._text[self._at]
            if sign == "\\":
                self._at += 1
            elif sign == "'":
                self._until("'")
                continue
            elif sign == opening:
                depth += 1
            elif sign == closing:
                depth -= 1
                if not depth:
                    break
            self._at += 1
        found = self._text[begin : self._at]
        self._at += 1
        return found
