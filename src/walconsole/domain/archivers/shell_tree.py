"""A shell's text as a tree: lists, pipelines, conditions, loops, groups and functions. Nothing is run.

POSIX.1-2024, Shell Command Language, 2.9 (shell commands) and 2.10 (grammar); `[[`, `((`, `function` and `|&`
as bash has them.
"""

from collections.abc import Sequence
from functools import lru_cache

from walconsole.domain.archivers.shell_words import REDIRECTIONS, Operator, Token, Word, tokens
from walconsole.domain.records import record


class NotUnderstoodError(Exception):
    """It is no shell text, or of a form that is not followed."""


@record
class Simple:
    """Words and redirections; `line` from 1."""

    words: tuple[Word, ...]
    redirected: tuple[tuple[str, Word], ...]
    line: int


@record
class Test:
    """What stands in `[[ ]]`, or (`arithmetic`) in `(( ))`."""

    inside: tuple[Token, ...]
    arithmetic: bool
    line: int


@record
class Pipeline:
    """Parts joined by `|`; `negated` by a `!` before it."""

    parts: tuple["Node", ...]
    negated: bool


@record
class AndOr:
    """The first, then each with the `&&` or `||` before it."""

    first: "Node"
    rest: tuple[tuple[str, "Node"], ...]


@record
class Block:
    """A list, each with whether a `&` sends it to the background."""

    items: tuple[tuple["Node", bool], ...]


@record
class Subshell:
    """`( LIST )`."""

    body: Block


@record
class If:
    """Conditions with what follows them; `otherwise` is None where there is no `else`."""

    branches: tuple[tuple[Block, Block], ...]
    otherwise: Block | None
    line: int


@record
class While:
    """`until` where `until`."""

    condition: Block
    body: Block
    until: bool


@record
class For:
    """`words` None: of the positional parameters; `name` is empty for `for ((…))`."""

    name: str
    words: tuple[Word, ...] | None
    body: Block


@record
class Case:
    """Each arm with its patterns."""

    word: Word
    arms: tuple[tuple[tuple[Word, ...], Block], ...]


@record
class Function:
    """Its definition."""

    name: str
    body: "Node"


Node = Simple | Test | Pipeline | AndOr | Block | Subshell | If | While | For | Case | Function

_ENDS = frozenset({"then", "else", "elif", "fi", "do", "done", "esac", "}"})
_AFTER_COMMAND = frozenset({"\n", ";", "&"})


@lru_cache(maxsize=64)
def tree_of(text: str, *, posix: bool = False) -> Block:
    """As `tokens` reads it. Raises NotUnderstoodError."""
    return _Parser(tokens(text, posix=posix)).whole()


class _Parser:
    def __init__(self, listed: Sequence[Token]) -> None:
        self._listed, self._at = listed, 0
        self._depth = 0

    def whole(self) -> Block:
        found = self._block()
        if self._at < len(self._listed):
            raise NotUnderstoodError
        return found

    def _peek(self, ahead: int = 0) -> Token | None:
        at = self._at + ahead
        return self._listed[at] if at < len(self._listed) else None

    def _is_operator(self, *texts: str) -> bool:
        token = self._peek()
        return isinstance(token, Operator) and token.text in texts

    def _keyword(self) -> str:
        """The unquoted word that stands here, empty for none."""
        token = self._peek()
        if not isinstance(token, Word) or token.quoted:
            return ""
        return token.text if not token.computed or token.text == "[[" else ""

    def _take(self, text: str) -> None:
        token = self._peek()
        if token is None or token.text != text:
            raise NotUnderstoodError
        self._at += 1

    def _line(self) -> int:
        token = self._peek()
        return token.line if isinstance(token, Word) else 0

    def _newlines(self) -> None:
        while self._is_operator("\n", ";"):
            self._at += 1

    def _block(self) -> Block:
        """Up to what closes it, which is left."""
        self._depth += 1
        if self._depth > 60:
            raise NotUnderstoodError
        items: list[tuple[Node, bool]] = []
        self._newlines()
        while self._at < len(self._listed):
            if self._is_operator(")", ";;", ";&") or self._keyword() in _ENDS:
                break
            node = self._and_or()
            items.append((node, self._is_operator("&")))
            if self._is_operator(*_AFTER_COMMAND):
                self._at += 1
            elif self._at < len(self._listed) and not self._is_operator(")", ";;", ";&"):
                raise NotUnderstoodError
            self._newlines()
        self._depth -= 1
        return Block(tuple(items))

    def _and_or(self) -> Node:
        first = self._pipeline()
        rest: list[tuple[str, Node]] = []
        while self._is_operator("&&", "||"):
            operator = self._listed[self._at].text
            self._at += 1
            self._newlines()
            rest.append((operator, self._pipeline()))
        return AndOr(first, tuple(rest)) if rest else first

    def _pipeline(self) -> Node:
        negated = False
        while self._keyword() == "!":
            negated = not negated
            self._at += 1
        parts = [self._command()]
        while self._is_operator("|", "|&"):
            self._at += 1
            self._newlines()
            parts.append(self._command())
        return Pipeline(tuple(parts), negated) if negated or len(parts) > 1 else parts[0]

    def _command(self) -> Node:
        match self._keyword():
            case "if":
                found: Node = self._if()
            case "while" | "until":
                found = self._while()
            case "for" | "select":
                found = self._for()
            case "case":
                found = self._case()
            case "{":
                found = self._group()
            case "[[":
                found = self._test()
            case "function":
                return self._function(2)
            case _:
                if not self._is_operator("("):
                    return self._function(1) if self._defines() else self._simple()
                found = self._bracketed()
        self._redirections()
        return found

    def _defines(self) -> bool:
        listed = self._peek(), self._peek(1), self._peek(2)
        return isinstance(listed[0], Word) and listed[1:] == (Operator("("), Operator(")"))

    def _function(self, name_at: int) -> Function:
        name = self._peek(name_at - 1)
        if not isinstance(name, Word):
            raise NotUnderstoodError
        self._at += name_at
        if self._is_operator("("):
            self._at += 2
        self._newlines()
        return Function(name.text, self._command())

    def _group(self) -> Block:
        return self._between("{", "}")

    def _between(self, first: str, last: str) -> Block:
        self._take(first)
        body = self._block()
        self._take(last)
        return body

    def _bracketed(self) -> Node:
        line = self._line_near()
        if self._peek(1) == Operator("("):
            depth, at = 0, self._at
            while at < len(self._listed):
                depth += (self._listed[at] == Operator("(")) - (self._listed[at] == Operator(")"))
                if not depth:
                    break
                at += 1
            inside = self._listed[self._at + 2 : at - 1]
            if at < len(self._listed) and self._listed[at - 1] == Operator(")"):
                self._at = at + 1
                return Test(tuple(inside), True, line)
        self._take("(")
        body = self._block()
        self._take(")")
        return Subshell(body)

    def _line_near(self) -> int:
        following = (self._peek(ahead) for ahead in range(4))
        return next((token.line for token in following if isinstance(token, Word)), 0)

    def _test(self) -> Test:
        line, begin = self._line(), self._at + 1
        while self._at < len(self._listed) and self._keyword() != "]]":
            self._at += 1
        inside = self._listed[begin : self._at]
        self._take("]]")
        return Test(tuple(inside), False, line)

    def _if(self) -> If:
        line = self._line()
        self._take("if")
        branches = [self._branch()]
        otherwise = None
        while self._keyword() == "elif":
            self._at += 1
            branches.append(self._branch())
        if self._keyword() == "else":
            self._at += 1
            otherwise = self._block()
        self._take("fi")
        return If(tuple(branches), otherwise, line)

    def _branch(self) -> tuple[Block, Block]:
        condition = self._block()
        self._take("then")
        return condition, self._block()

    def _while(self) -> While:
        until = self._keyword() == "until"
        self._at += 1
        condition = self._block()
        return While(condition, self._body(), until)

    def _body(self) -> Block:
        return self._between("do", "done")

    def _for(self) -> For:
        self._at += 1
        name = self._peek()
        if isinstance(name, Operator):  # for ((i=0; i<3; i++))
            depth = 0
            while self._at < len(self._listed):
                depth += self._is_operator("(") - self._is_operator(")")
                self._at += 1
                if not depth:
                    break
            self._newlines()
            return For("", (), self._body())
        if name is None:
            raise NotUnderstoodError
        self._at += 1
        self._newlines()
        words: list[Word] | None = None
        if self._keyword() == "in":
            self._at += 1
            words = []
            while isinstance(token := self._peek(), Word):
                words.append(token)
                self._at += 1
        self._newlines()
        return For(name.text, tuple(words) if words is not None else None, self._body())

    def _case(self) -> Case:
        self._take("case")
        word = self._peek()
        if not isinstance(word, Word):
            raise NotUnderstoodError
        self._at += 1
        self._newlines()
        self._take("in")
        self._newlines()
        arms: list[tuple[tuple[Word, ...], Block]] = []
        while self._keyword() != "esac":
            if self._is_operator("("):
                self._at += 1
            patterns: list[Word] = []
            while not self._is_operator(")"):
                token = self._peek()
                if token is None:
                    raise NotUnderstoodError
                if isinstance(token, Word):
                    patterns.append(token)
                self._at += 1
            self._at += 1
            arms.append((tuple(patterns), self._block()))
            while self._is_operator(";;", ";&", "&", "\n", ";"):
                self._at += 1
        self._take("esac")
        return Case(word, tuple(arms))

    def _redirections(self) -> list[tuple[str, Word]]:
        found: list[tuple[str, Word]] = []
        while isinstance(token := self._peek(), Operator) and token.text in REDIRECTIONS:
            to = self._peek(1)
            if not isinstance(to, Word):
                raise NotUnderstoodError
            found.append((token.descriptor + token.text, to))
            self._at += 2
        return found

    def _simple(self) -> Simple:
        line = self._line()
        words: list[Word] = []
        redirected: list[tuple[str, Word]] = []
        while True:
            redirected += self._redirections()
            token = self._peek()
            if not isinstance(token, Word):
                break
            line = line or token.line
            self._at += 1
            words.append(self._array(token) if token.text.endswith("=") and self._is_operator("(") else token)
        if not words and not redirected:
            raise NotUnderstoodError
        return Simple(tuple(words), tuple(redirected), line)

    def _array(self, name: Word) -> Word:
        """bash's `NAME=(…)`: its value is not followed."""
        depth = 0
        while self._at < len(self._listed):
            depth += self._is_operator("(") - self._is_operator(")")
            self._at += 1
            if not depth:
                break
        return Word(name.text, True, raw=f"{name.raw}$()", line=name.line)
