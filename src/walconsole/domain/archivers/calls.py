"""Which programs a command or a script calls, each with its words and its environment as far as known.

A shell's reading without a run: `if` and `case` are taken as if every branch ran. Wrappers (env, envdir,
timeout, flock, chpst, sudo, `sh -c`) are passed through, functions and sourced files are followed.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from walconsole.domain.archivers.branches import Course
from walconsole.domain.archivers.called import Call, names_segment
from walconsole.domain.archivers.conditions import Conditions, Trust, changed_in_loops
from walconsole.domain.archivers.expansion import (
    UNKNOWN,
    UNKNOWN_WORDS,
    Environment,
    Names,
    array_of,
    expanded,
    opened,
    redirected,
    shown,
    text_of,
    within,
)
from walconsole.domain.archivers.look import Look
from walconsole.domain.archivers.mc_aliases import set_by
from walconsole.domain.archivers.option_loops import Arms, Cases, OfOptions, OfWord, OfWords
from walconsole.domain.archivers.programs import STORE_NOTHING
from walconsole.domain.archivers.read_in import assignments_in, printed_file
from walconsole.domain.archivers.shell_words import (
    Token,
    Word,
    commands_of,
    tokens,
    without_functions,
)
from walconsole.domain.archivers.target import Found
from walconsole.domain.archivers.whence import VARIABLES_THAT_SAY_WHERE
from walconsole.domain.archivers.wrappers import ASSIGNMENT, Unwrapped, unwrapped

MOST_CALLS = 200
_DEPTH = 4
_KEYWORDS = frozenset(
    {"if", "then", "elif", "else", "fi", "while", "until", "do", "done", "{", "}", "!", "esac"}
)


def calls_of(text: str, look: Look, source: str, *, outer: Call | None = None, depth: int = 0) -> list[Call]:
    """What the text calls, in order. `outer` is the call of the script that it is: its words are `$1`, ..."""
    names = Names(inherited=outer.environment if outer else look.environment())
    if source.startswith("/"):
        names.variables["BASH_SOURCE"] = Found(source)
    if outer is not None and UNKNOWN_WORDS not in outer.words:
        names.positional = (outer.program, *outer.words)
    shell = _Shell(look, source, names, outer, depth)
    shell.run(tokens(text))
    return shell.calls[:MOST_CALLS]


class _Shell:
    def __init__(self, look: Look, source: str, names: Names, outer: Call | None, depth: int) -> None:
        self._look, self._source, self._names, self._depth = look, source, names, depth
        self._user, self._folder = (outer.user, outer.folder) if outer else ("", "")
        self._exported: set[str] = set()
        self._export_all = False
        self._functions: dict[str, list[Token]] = {}
        self._hidden: Environment = {}
        self._piped: list[str] = []
        self._fed = False
        self._interpreter = outer.interpreter if outer else ""
        self._cases = Cases()
        self._options: OfOptions | None = None
        self._course = Course()
        self._conditions = Conditions()
        self._trust = Trust(look.seen.files, environment_read=bool(look.seen.environ))
        self._changing: frozenset[str] = frozenset()
        self._left = ""
        self._loops = self._returns = self._halved = False
        self._subshells: list[tuple[Environment, set[str], str]] = []
        self.calls: list[Call] = []

    def run(self, listed: Sequence[Token]) -> None:
        """Every simple command in turn."""
        left, functions = without_functions(listed)
        self._functions |= functions
        self._changing |= changed_in_loops(listed)
        before = ""
        for command, ends, inside in commands_of(left):
            if self._left:
                return
            if not command and ends == "\n" and before in ("&&", "||", "|", "|&"):
                continue
            before = ends
            words = [token for token in command if isinstance(token, Word)]
            first = words[0].text if words and not words[0].quoted else ""
            if first == "case":
                self._cases.begin(self._arms(words), [])
                words = words[3:]
            elif first == "esac":
                self._after_case(self._cases.end())
            runs = not self._cases.skips and (not self._cases.patterns or first == "case")
            if runs and len(self.calls) < MOST_CALLS:
                self._command(command, inside)
            patterns = self._cases.patterns  # in which `|` is no pipe, and `)` ends no subshell
            if patterns:
                self._enter([word.text for word in words], ends)
            self._ended("\n" if patterns and ends in ("|", "(", ")") else ends)
            if ends in (";;", ";&", ";;&"):
                self._cases.next_arm()

    def _arms(self, words: Sequence[Word]) -> Arms | None:
        """Of `case WORD in`: None where only the run tells which of them it takes."""
        if len(words) < 2:
            return None
        word = words[1].raw or words[1].text
        asked, given = word.strip('"').replace("{", "").replace("}", ""), self._names.positional
        if self._options is not None and asked == f"${self._options.name}":
            return self._options
        if asked == "$1" and given is not None and self._course.repeats:
            return OfWords(given)
        changing = self._changing if self._loops or self._course.repeats else frozenset()
        told = re.fullmatch(r"\$\w+", asked) is not None and self._trust.of((word,), changing)
        value = text_of(word, self._names) if told else ""
        return None if UNKNOWN in value or "%" in value or not value else OfWord(value)

    def _enter(self, patterns: Sequence[str], ends: str) -> None:
        """An arm of a case begins where they end."""
        arms, arm = self._cases.innermost, self._cases.pattern(patterns, ends)
        if arm is None or arms is None:
            return
        self._course.runs(2 if arms.in_loop else 1)
        if arm.positional is not None:
            self._names.positional = arm.positional
        if isinstance(arms, OfOptions):
            self._names.variables["OPTARG"] = Found(arm.value, self._source)

    def _after_case(self, arms: Arms | None) -> None:
        if isinstance(arms, OfWords):
            self._names.positional = None  # how often it was shifted is not known

    def _ended(self, ends: str) -> None:
        """What the operator behind a command means for the next one."""
        if ends == "(":
            self._subshells.append((dict(self._names.variables), set(self._exported), self._folder))
        elif ends == ")" and self._subshells:
            self._names.variables, self._exported, self._folder = self._subshells.pop()
        if ends not in ("|", "|&"):
            self._piped, self._fed = [], False
        self._conditions.operator(ends)
        self._course.operator(";" if self._conditions.sure_next else ends, len(self.calls))

    def _command(self, command: Sequence[Token], inside: Sequence[Token]) -> None:
        words, output, given = redirected(command, self._names)
        self._fed = names_segment((given,)) or (self._fed and not given)
        while words and words[0].text in _KEYWORDS and not words[0].quoted:
            sure = self._conditions.keyword(words[0].text)
            self._course.keyword(words[0].text, len(self.calls))
            self._course.runs(1 if sure else 0)
            words = words[1:]
        if words and words[0].text in ("case", "for", "select"):
            self._conditions.keyword(words[0].text)
            self._course.keyword(words[0].text, len(self.calls))
        if self._conditions.skips:
            return
        if words and words[0].text in ("exit", "return"):
            self._leave(words[0].text)
            return
        changing = self._changing if self._loops or self._course.repeats else frozenset()
        said = self._trust.answer(words, inside, self._names, changing) if words else True
        self._simple(command, words, output)
        self._conditions.answered(said)

    def _leave(self, how: str) -> None:
        """`exit` and `return`, where it is known to run; where it may, so may what follows."""
        if self._subshells or self._piped or (how == "return" and not self._returns):
            return  # it ends that alone; or bash complains, and goes on
        if self._course.perhaps or (how == "exit" and self._halved):
            self._halved = self._halved or how == "return"
        else:
            self._left = how

    def _simple(self, command: Sequence[Token], words: list[Word], output: str) -> None:
        """Behind its keywords, and without its redirections."""
        own: Environment = {}
        raws: dict[str, str] = {}
        while words and (match := ASSIGNMENT.fullmatch(words[0].raw or words[0].text)) is not None:
            if match[3].startswith("(") and match[3].endswith(")"):
                self._assign_array(match)
            else:
                own[match[1]] = self._value(words[0], match, own)
            raws[match[1]] = words[0].raw
            words = words[1:]
        if not words:
            for name, found in own.items():
                self._assign(name, found, raws.get(name, ""))
            self._substituted(command)
            self._exported |= set(own) if self._export_all else set()
            return
        if words[0].text in ("for", "select") and len(words) > 1:
            values = [text for word in words[3:] for text in expanded(word, self._names)]
            value = values[0] if len(values) == 1 and UNKNOWN not in values[0] else UNKNOWN
            self._names.variables[words[1].text] = Found(value, self._at(words[1]))
            return
        line = self._at(words[0])
        texts = [text for word in words for text in self._texts(word, words[0].text)]
        self._start(texts, own, line, output)

    def _substituted(self, command: Sequence[Token]) -> None:
        """`OUT=$(cp …)`: what is run for its output, which may store the segment besides."""
        for inside in [each for token in command if isinstance(token, Word) for each in token.inside]:
            names = Names(dict(self._names.variables), self._names.inherited, self._names.positional)
            shell = _Shell(self._look, self._source, names, None, self._depth + 1)
            shell._user, shell._folder, shell._functions = self._user, self._folder, self._functions
            shell._exported, shell._trust = set(self._exported), self._trust
            shell._changing, shell._loops = self._changing, self._loops or self._course.repeats
            shell._course = self._course.within(0)
            if self._depth < _DEPTH:
                shell.run(tokens(inside))
            self.calls += [replace(each, inside=True) for each in shell.calls]

    def _texts(self, word: Word, program: str) -> list[str]:
        """Its fields; of `export $(cat FILE)` and `env $(cat FILE)` the assignments that the file has."""
        path = printed_file(word.raw) if program in ("export", "env", "declare", "typeset") else ""
        file = self._look.file(self._look.path(within(self._folder, path))) if path else None
        read = assignments_in(file.text) if file is not None and not file.cut else None
        return expanded(word, self._names) if read is None else read

    def _assign(self, name: str, found: Found[str], raw: str = "") -> None:
        """Where it may not run, and another value was there, only the run tells which.

        But for how it begins, where that is a whole name: `/wal/%f` of `/wal/%f.gz` and `/wal/%f`.
        """
        before = self._names.get(name)
        perhaps = (self._course.perhaps or self._halved) and before != found.value
        self._trust.assigned(name, raw, self._names, perhaps=perhaps)
        if self._course.perhaps and before is not None and before != found.value:
            pairs = zip(before, found.value, strict=False)
            common = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            found = found.but((common if "%f" in common else "") + UNKNOWN)
        self._names.variables[name] = found

    def _assign_array(self, match: re.Match[str]) -> None:
        """`NAME=(WORDS)`, `NAME+=(WORDS)`; where it may not run, only the run tells what it is."""
        before = self._names.arrays.get(match[1], []) if match[2] else []
        found = [*before, *array_of(match[3], self._names)]
        self._names.arrays[match[1]] = [UNKNOWN_WORDS] if self._course.perhaps else found

    def _value(self, word: Word, match: re.Match[str], own: Environment) -> Found[str]:
        value = text_of(match[3], self._names)
        if match[2]:
            before = own.get(match[1]) or self._names.variables.get(match[1])
            value = (before.value if before else "") + value
        return Found(value, self._at(word))

    def _at(self, word: Word) -> str:
        return f"{self._source} line {word.line}" if self._source.startswith("/") else self._source

    def _start(self, texts: list[str], own: Environment, line: str, output: str) -> None:
        left = Unwrapped(texts, self._inherited() | own, self._user, self._folder)
        left = unwrapped(left, line, self._look)
        if left.text is not None:
            self._inside(left, line)
            return
        if not left.words or not left.words[0]:
            return
        name, rest = left.words[0].rpartition("/")[2], left.words[1:]
        if name in self._functions and self._depth < _DEPTH:
            self._function(name, left.words)
        elif name in ("mc", "mcli") and (added := set_by(rest, line)):
            self._names.inherited = {**self._names.inherited, **added}
        elif not self._of_its_own(name, rest, line):
            if name not in STORE_NOTHING:
                made = Call(
                    left.words[0],
                    tuple(rest),
                    left.environment,
                    line,
                    left.user,
                    within(left.folder, output),
                    tuple(self._piped),
                    left.folder,
                    self._course.otherwise(len(self.calls)),
                    self._course.perhaps,
                    self._fed,
                    tuple(name for name in self._names.variables if self._keeps(name, left.environment)),
                    interpreter=left.shell,
                )
                self.calls.append(made)
            self._piped.append(name)
            self._fed = self._fed or names_segment(rest)

    def _keeps(self, name: str, handed_on: Environment) -> bool:
        return name.startswith(VARIABLES_THAT_SAY_WHERE) and name not in handed_on

    def _of_its_own(self, name: str, rest: Sequence[str], line: str) -> bool:
        """Whether it is one of the shell's commands that change what it knows; done, then."""
        match name:
            case "export" | "declare" | "typeset" | "local" | "readonly":
                self._declare(name, rest, line)
            case "unset":
                for each in rest:
                    self._names.variables.pop(each, None)
                self._names.inherited = {
                    each: found for each, found in self._names.inherited.items() if each not in rest
                }
            case "read":
                read = Found(UNKNOWN, line)
                self._names.variables |= {each: read for each in rest if not each.startswith("-")}
            case "set" | "shift" | "getopts":
                self._set(name, rest)
            case "cd":
                self._change_folder([each for each in rest if each not in ("-P", "-L", "--")])
            case "." | "source":
                self._read_in(name, rest)
            case "eval":
                if any(UNKNOWN in word for word in rest):
                    self._open(f"what {line} adds to the environment is not known")
                self._nested(tokens(" ".join(rest)), returns=self._returns)
            case _:
                return False
        return True

    def _inherited(self) -> Environment:
        inherited = dict(self._names.inherited)
        for name, found in self._names.variables.items():
            if name in self._exported or name in inherited:
                inherited[name] = found
        return inherited

    def _declare(self, how: str, rest: Sequence[str], line: str) -> None:
        for each in rest:
            name, given, value = each.partition("=")
            if UNKNOWN in name:  # export $(cat /etc/wal.env)
                self._open(f"what {line} adds to the environment is not known")
            elif given:
                if how == "local":
                    self._hidden.setdefault(name, self._names.variables.get(name) or Found(UNKNOWN, line))
                    self._names.variables[name] = Found(value, line)
                else:
                    self._assign(name, Found(value, line))
            if how in ("export", "declare", "typeset"):
                self._exported.add(name)

    def _open(self, why: str) -> None:
        self._names.inherited = {**self._names.inherited, **opened(why)}

    def _set(self, name: str, rest: Sequence[str]) -> None:
        """`set -a`, `set -- WORDS`, `shift N`, `getopts OPTIONS NAME`."""
        known = self._names.positional
        if name == "getopts":
            self._options = OfOptions(known, *rest[:2]) if known is not None and len(rest) > 1 else None
        elif name == "shift":
            count = rest[0] if rest else "1"
            if UNKNOWN in count and self._options is not None and known is not None:
                self._names.positional = (known[0], *self._options.left)  # shift $((OPTIND - 1))
                return
            told = known is not None and count.isdigit() and not self._course.perhaps
            self._names.positional = (known[0], *known[1 + int(count) :]) if known and told else None
        elif "--" in rest:
            words = rest[rest.index("--") + 1 :]
            told = UNKNOWN_WORDS not in words and not self._course.perhaps
            self._names.positional = (known[0] if known else "sh", *words) if told else None
        elif rest:
            self._export_all = self._export_all or (rest[0].startswith("-") and "a" in rest[0])

    def _change_folder(self, rest: Sequence[str]) -> None:
        into = within(self._folder, rest[0]) if rest else "~"
        if into in (".", "./") or rest[:1] == ["."]:
            return
        if UNKNOWN in into or into.endswith("/-") or into == "-" or self._course.perhaps:
            into = UNKNOWN
        self._folder = self._look.path(into) if into != UNKNOWN else into

    def _read_in(self, how: str, rest: Sequence[str]) -> None:
        """`. FILE`: its assignments are this shell's."""
        if how == "source" and self._is_dash():
            self._look.note(
                f"source in {self._source}: that is bash's, and sh on that host is dash, which has none: "
                f"{shown(rest[0]) if rest else 'the file'} is not read in; `.` is what every shell has"
            )
            return
        path = self._look.path(within(self._folder, rest[0])) if rest else ""
        if not path:
            return
        found = self._look.file(path) if UNKNOWN not in path and self._depth < _DEPTH else None
        if found is None:
            if not self._look.is_absent(path):
                self._open(f"what is read in by {shown(rest[0])} is not known")
            return
        source, self._source = self._source, found.path
        script = self._names.variables.get("BASH_SOURCE") or Found(UNKNOWN)
        self._names.variables["BASH_SOURCE"] = Found(found.path)
        self._depth += 1
        self._nested(tokens(found.text))
        self._left = "" if self._left == "return" else self._left
        self._source, self._depth = source, self._depth - 1
        self._names.variables["BASH_SOURCE"] = script
        if found.cut:
            self._open(f"only the beginning of {found.path} was read")

    def _is_dash(self) -> bool:
        shell = self._interpreter or "sh"
        return shell == "dash" or (shell == "sh" and self._look.seen.sh == "dash")

    def _function(self, name: str, texts: list[str]) -> None:
        before, hidden = self._names.positional, self._hidden
        first = before[0] if before else name
        self._names.positional = (first, *texts[1:]) if UNKNOWN_WORDS not in texts else None
        self._depth += 1
        self._hidden = {}
        self._nested(self._functions[name])
        self._left = "" if self._left == "return" else self._left
        self._names.variables |= self._hidden
        self._names.positional, self._depth, self._hidden = before, self._depth - 1, hidden

    def _nested(self, listed: Sequence[Token], *, returns: bool = True) -> None:
        """What runs in this very shell, as what stands here does; `returns`: `return` ends it."""
        before = self._course, self._piped, self._fed, self._conditions, self._loops, self._subshells
        outside, self._returns = (self._returns, self._halved), returns
        self._loops = self._loops or self._course.repeats
        self._course, self._piped = self._course.within(len(self.calls)), list(self._piped)
        self._conditions = Conditions()
        self.run(listed)
        self._course, self._piped, self._fed, self._conditions, self._loops, self._subshells = before
        self._returns, self._halved = outside

    def _inside(self, left: Unwrapped, line: str) -> None:
        """What `sh -c` runs."""
        if self._depth >= _DEPTH or left.text is None:
            return
        given = left.positional or ("sh",)
        names = Names(inherited=left.environment, positional=None if UNKNOWN_WORDS in given else given)
        outer = Call("sh", (), {}, line, left.user, folder=left.folder, interpreter=left.shell)
        shell = _Shell(self._look, line, names, outer, self._depth + 1)
        shell._piped, shell._fed = list(self._piped), self._fed
        shell._course = self._course.within(0)
        shell.run(tokens(left.text))
        self.calls += shell.calls


def followed(call: Call, text: str, look: Look, path: str, depth: int, interpreter: str = "") -> list[Call]:
    """What the script of that text at `path` calls, started by `call` and run by that shell."""
    outer = replace(call, program=path, interpreter=interpreter)
    return calls_of(text, look, path, outer=outer, depth=depth)
