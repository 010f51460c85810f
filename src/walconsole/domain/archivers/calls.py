"""Which programs a command or a script calls, each with its words and its environment as far as known.

A shell's reading without a run: `if` and `case` are taken as if every branch ran. Wrappers (env, envdir,
timeout, flock, chpst, sudo, `sh -c`) are passed through, functions and sourced files are followed.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from walconsole.domain.archivers.expansion import UNKNOWN, Names, expanded, text_of
from walconsole.domain.archivers.look import Look
from walconsole.domain.archivers.shell_words import REDIRECTIONS, Operator, Token, Word, tokens
from walconsole.domain.archivers.target import Found

MOST_CALLS = 200
_DEPTH = 4
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\+?)=(.*)", re.DOTALL)
_DURATION = re.compile(r"\d+(?:\.\d+)?[smhd]?")
_KEYWORDS = frozenset(
    {"if", "then", "elif", "else", "fi", "while", "until", "do", "done", "{", "}", "!", "esac"}
)
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})
_NOTHING = frozenset({
    "test", "[", "[[", "echo", "printf", "true", "false", ":", "umask", "ulimit", "kill", "wait", "read",
    "return", "exit", "trap", "shift", "break", "continue", "local", "readonly", "type", "hash", "alias",
    "pwd", "in", "case", "mkdir", "rm", "logger", "date", "sleep", "touch", "sync", "chmod", "chown", "cd",
    "basename", "dirname", "stat", "ls", "grep", "hostname", "id", "wc", "sha256sum", "md5sum", "cmp", "diff",
    "mktemp", "find", "sed", "awk", "tr", "cut", "head", "tail", "sort", "fsync", "pg_controldata", "unset",
    "mountpoint", "expr", "let", "getopts", "command", "which", "set",
})  # fmt: skip
"""They store nothing elsewhere."""
_WITH_VALUE = {
    "sudo": frozenset({"-u", "-g", "-p", "-C", "-D", "-R", "-T", "-h", "-r", "-t", "--user", "--group"}),
    "doas": frozenset({"-u", "-C"}),
    "env": frozenset({"-u", "-C", "--unset", "--chdir"}),
    "timeout": frozenset({"-k", "-s", "--kill-after", "--signal"}),
    "flock": frozenset({"-w", "--timeout", "-E", "--conflict-exit-code"}),
    "nice": frozenset({"-n"}),
    "ionice": frozenset({"-c", "-n", "-p"}),
    "chpst": frozenset(
        {"-u", "-U", "-b", "-e", "-/", "-n", "-m", "-d", "-o", "-p", "-f", "-c", "-l", "-L", "-t", "-a"}
    ),
    "runuser": frozenset({"-u", "-g", "-G"}),
    "setpriv": frozenset[str](),
    "stdbuf": frozenset({"-i", "-o", "-e"}),
    "time": frozenset({"-f", "-o"}),
    "xargs": frozenset({"-I", "-L", "-n", "-P", "-s", "-d", "-E", "-a"}),
    "nohup": frozenset[str](),
    "setsid": frozenset[str](),
    "exec": frozenset({"-a"}),
    "chronic": frozenset[str](),
    "unbuffer": frozenset[str](),
    "systemd-cat": frozenset({"-t", "-p", "--identifier", "--priority"}),
    "taskset": frozenset[str](),
    "envdir": frozenset[str](),
    "s6-envdir": frozenset[str](),
    "gosu": frozenset[str](),
    "su-exec": frozenset[str](),
}
"""Wrappers: they run what comes behind their options, of which these take a word."""
_OWN_WORDS = {"flock": 1, "envdir": 1, "s6-envdir": 1, "taskset": 1, "gosu": 1, "su-exec": 1, "timeout": 1}
"""How many words of their own come before that."""
_AS_USER = {
    ("sudo", "-u"), ("sudo", "--user"), ("doas", "-u"), ("chpst", "-u"), ("runuser", "-u"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """A program that is started. `words` are its arguments; UNKNOWN stands in them for what a run tells.

    `environment` is all that it inherits, `user` who runs it where that is another (sudo), `output` the file
    that its standard output goes to, `piped` the programs before it in its pipeline, `source` where it is.
    """

    program: str
    words: tuple[str, ...]
    environment: dict[str, Found[str]] = field(default_factory=dict, repr=False)
    source: str = ""
    user: str = ""
    output: str = ""
    piped: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The program's file name."""
        return self.program.rpartition("/")[2]


def calls_of(text: str, look: Look, source: str, *, outer: Call | None = None, depth: int = 0) -> list[Call]:
    """What the text calls, in order. `outer` is the call of the script that it is: its words are `$1`, ..."""
    names = Names(inherited=outer.environment if outer else look.environment())
    if outer is not None:
        names.positional = (outer.program, *outer.words)
    shell = _Shell(look, source, names, outer, depth)
    shell.run(tokens(text))
    return shell.calls[:MOST_CALLS]


class _Shell:
    def __init__(self, look: Look, source: str, names: Names, outer: Call | None, depth: int) -> None:
        self._look, self._source, self._names, self._depth = look, source, names, depth
        self._user = outer.user if outer else ""
        self._exported: set[str] = set()
        self._export_all = False
        self._functions: dict[str, list[Token]] = {}
        self._piped: list[str] = []
        self.calls: list[Call] = []

    def run(self, listed: Sequence[Token]) -> None:
        """Every simple command in turn."""
        for command, ends in _commands(self._without_functions(listed)):
            if len(self.calls) < MOST_CALLS:
                self._command(command)
            if ends != "|":
                self._piped = []

    def _without_functions(self, listed: Sequence[Token]) -> list[Token]:
        """The tokens without the bodies of functions, which are kept for their calls."""
        left: list[Token] = []
        at = 0
        while at < len(listed):
            name = listed[at]
            opened = listed[at + 1 : at + 3] == [Operator("("), Operator(")")]
            if isinstance(name, Word) and opened:
                begin = at + 3
                while begin < len(listed) and listed[begin] == Operator("\n"):
                    begin += 1
                if begin < len(listed) and _is_word(listed[begin], "{"):
                    end = _closing(listed, begin)
                    self._functions[name.text] = list(listed[begin + 1 : end])
                    at = end + 1
                    continue
            left.append(name)
            at += 1
        return left

    def _command(self, command: Sequence[Token]) -> None:
        words, output = _redirected(command, self._names)
        while words and words[0].text in _KEYWORDS and not words[0].quoted:
            words = words[1:]
        own: dict[str, Found[str]] = {}
        while words and (match := _ASSIGNMENT.fullmatch(words[0].raw or words[0].text)) is not None:
            own[match[1]] = self._value(words[0], match, own)
            words = words[1:]
        if not words:
            self._names.variables |= own
            self._exported |= set(own) if self._export_all else set()
            return
        if words[0].text in ("for", "select") and len(words) > 1:
            values = [text for word in words[3:] for text in expanded(word, self._names)]
            value = values[0] if len(values) == 1 else UNKNOWN
            self._names.variables[words[1].text] = Found(value, self._at(words[1]))
            return
        line = self._at(words[0])
        texts = [text for word in words for text in expanded(word, self._names)]
        self._start(texts, own, line, output)

    def _value(self, word: Word, match: re.Match[str], own: dict[str, Found[str]]) -> Found[str]:
        value = text_of(match[3], self._names)
        if match[2]:
            before = own.get(match[1]) or self._names.variables.get(match[1])
            value = (before.value if before else "") + value
        return Found(value, self._at(word))

    def _at(self, word: Word) -> str:
        return f"{self._source} line {word.line}" if self._source.startswith("/") else self._source

    def _start(self, texts: list[str], own: dict[str, Found[str]], line: str, output: str) -> None:
        environment = self._inherited() | own
        wrapped = _unwrapped(texts, environment, self._user, line, self._look)
        texts, environment, user = wrapped.words, wrapped.environment, wrapped.user
        if not texts or not texts[0]:
            return
        name, rest = texts[0].rpartition("/")[2], texts[1:]
        if wrapped.text is not None:
            self._inside(wrapped.text, environment, user, line)
        elif name in self._functions and self._depth < _DEPTH:
            self._function(name, texts)
        elif not self._of_its_own(name, rest, line):
            if name not in _NOTHING:
                piped = tuple(self._piped)
                self.calls.append(Call(texts[0], tuple(rest), environment, line, user, output, piped))
            self._piped.append(name)

    def _of_its_own(self, name: str, rest: Sequence[str], line: str) -> bool:
        """Whether it is one of the shell's commands that change what it knows; done, then."""
        match name:
            case "export" | "declare" | "typeset":
                self._export(rest, line)
            case "unset":
                for each in rest:
                    self._names.variables.pop(each, None)
            case "set":
                first = rest[0] if rest else ""
                self._export_all = self._export_all or (first.startswith("-") and "a" in first)
            case "." | "source":
                self._read_in(rest)
            case "eval":
                self.run(tokens(" ".join(rest)))
            case _:
                return False
        return True

    def _inherited(self) -> dict[str, Found[str]]:
        inherited = dict(self._names.inherited)
        for name, found in self._names.variables.items():
            if name in self._exported or name in inherited:
                inherited[name] = found
        return inherited

    def _export(self, rest: Sequence[str], line: str) -> None:
        for each in rest:
            name, given, value = each.partition("=")
            if given:
                self._names.variables[name] = Found(value, line)
            self._exported.add(name)

    def _read_in(self, rest: Sequence[str]) -> None:
        """`. FILE`: its assignments are this shell's."""
        if not rest or UNKNOWN in rest[0] or self._depth >= _DEPTH:
            return
        found = self._look.file(self._look.path(rest[0]))
        if found is not None:
            source, self._source = self._source, found.path
            self._depth += 1
            self.run(tokens(found.text))
            self._source, self._depth = source, self._depth - 1

    def _function(self, name: str, texts: list[str]) -> None:
        before = self._names.positional
        first = before[0] if before else name
        self._names.positional = (first, *texts[1:])
        self._depth += 1
        self.run(self._functions[name])
        self._names.positional, self._depth = before, self._depth - 1

    def _inside(self, text: str, environment: dict[str, Found[str]], user: str, line: str) -> None:
        """What `sh -c` runs."""
        if self._depth >= _DEPTH:
            return
        names = Names(inherited=environment, positional=self._names.positional)
        shell = _Shell(self._look, line, names, None, self._depth + 1)
        shell._user = user
        shell.run(tokens(text))
        self.calls += shell.calls


@dataclass(slots=True)
class _Unwrapped:
    words: list[str]
    environment: dict[str, Found[str]]
    user: str
    text: str | None = None
    """What a shell's -c runs."""


def _unwrapped(
    texts: list[str], environment: dict[str, Found[str]], user: str, line: str, look: Look
) -> _Unwrapped:
    """The program behind every wrapper, with the environment that they leave it."""
    left = _Unwrapped(list(texts), dict(environment), user)
    for _ in range(12):
        if not left.words:
            return left
        name = left.words[0].rpartition("/")[2]
        if name in _SHELLS or name == "su":
            return _of_shell(left, name)
        if name == "command" and left.words[1:2] not in (["-v"], ["-V"]):
            left.words = left.words[1:]
        elif name in _WITH_VALUE:
            _pass_wrapper(left, name, line, look)
            if left.text is not None:
                return left
        else:
            return left
    return left


def _of_shell(left: _Unwrapped, name: str) -> _Unwrapped:
    words = left.words[1:]
    for at, word in enumerate(words):
        if word == "-c" or (name != "su" and re.fullmatch(r"-[a-z]*c", word)):
            left.text = words[at + 1] if at + 1 < len(words) else ""
            if name == "su":
                others = [each for each in words if not each.startswith("-") and each != left.text]
                left.user = others[0] if others else "root"
            return left
    rest = [word for word in words if not word.startswith(("-", "+"))]
    left.words = rest if name != "su" else []
    return left


def _pass_wrapper(left: _Unwrapped, name: str, line: str, look: Look) -> None:
    words, own = left.words[1:], _OWN_WORDS.get(name, 0)
    while words:
        word = words[0]
        assigned = _ASSIGNMENT.fullmatch(word)
        if word == "--":
            words = words[1:]
            break
        if word.startswith("-") and len(word) > 1:
            value = words[1] if len(words) > 1 else ""
            if name == "flock" and word in ("-c", "--command"):
                left.text = value
                return
            _option(left, name, word, value, look)
            words = words[2 if word in _WITH_VALUE[name] else 1 :]
        elif assigned is not None and name in ("env", "sudo", "doas"):
            left.environment[assigned[1]] = Found(assigned[3], line)
            words = words[1:]
        elif own and not (name == "timeout" and not _DURATION.fullmatch(word)):
            own -= 1
            _own_word(left, name, word, look)
            words = words[1:]
            if name == "flock" and words[:1] in (["-c"], ["--command"]):
                left.text = words[1] if len(words) > 1 else ""
                return
        else:
            break
    left.words = words


def _option(left: _Unwrapped, name: str, word: str, value: str, look: Look) -> None:
    if (name, word) in _AS_USER:
        left.user = value.partition(":")[0]
    elif name == "chpst" and word == "-e":
        left.environment |= look.read_folder_as_environment(look.path(value))
    elif name == "env" and word in ("-i", "-", "--ignore-environment"):
        left.environment = {}
    elif name == "env" and word in ("-u", "--unset"):
        left.environment.pop(value, None)


def _own_word(left: _Unwrapped, name: str, word: str, look: Look) -> None:
    if name in ("envdir", "s6-envdir"):
        left.environment |= look.read_folder_as_environment(look.path(word))
    elif name in ("gosu", "su-exec"):
        left.user = word.partition(":")[0]


def _commands(listed: Sequence[Token]) -> Iterator[tuple[list[Token], str]]:
    """Simple commands, each with the operator behind it."""
    command: list[Token] = []
    for token in listed:
        if isinstance(token, Operator) and token.text not in REDIRECTIONS:
            yield command, token.text
            command = []
        else:
            command.append(token)
    yield command, ""


def _redirected(command: Sequence[Token], names: Names) -> tuple[list[Word], str]:
    """Its words without the redirections, and the file that standard output goes to."""
    words: list[Word] = []
    output = waiting = ""
    for token in command:
        if isinstance(token, Operator):
            waiting = token.text
        elif waiting:
            if waiting in (">", ">>", ">|"):
                output = text_of(token.raw or token.text, names)
            waiting = ""
        else:
            words.append(token)
    return words, output


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


def followed(call: Call, text: str, look: Look, path: str, depth: int) -> list[Call]:
    """What the script of that text at `path` calls, started by `call`."""
    outer = replace(call, program=path)
    return calls_of(text, look, path, outer=outer, depth=depth)
