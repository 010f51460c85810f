"""What an archive command runs and reads: programs, rclone configurations, remotes; read as a shell would.

PostgreSQL gives the command to `/bin/sh -c` (shell_archive.c). What is computed at run time is not followed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from walconsole.domain.archivers.shell_words import REDIRECTIONS, Operator, Token, Word, tokens
from walconsole.domain.records import record

DEFAULT_CONFIG = "~/.config/rclone/rclone.conf"
"""Where rclone looks when nothing names a configuration (its documentation, --config)."""

_BUILTINS = frozenset({
    "test", "[", "[[", "cd", "echo", "printf", "true", "false", ":", "export", "set", "unset", "umask",
    "ulimit",
    "kill", "wait", "read", "return", "exit", "trap", "eval", ".", "source", "if", "then", "elif", "else",
    "while", "until", "do", "done", "for", "in", "case", "esac", "{", "}", "!", "local", "shift", "break",
    "continue", "fi", "readonly", "declare", "typeset", "let", "pwd", "type", "hash", "alias", "shopt",
    "getopts",
    "function", "select", "times", "pushd", "popd", "dirs", "jobs", "disown", "mapfile", "builtin",
})  # fmt: skip
_WRAPPERS = frozenset({
    "env", "exec", "nice", "ionice", "timeout", "nohup", "setsid", "time", "chrt", "stdbuf", "command",
    "sudo", "doas", "flock", "xargs", "envdir", "chpst", "runuser", "setpriv", "taskset", "systemd-cat",
    "cgexec",
    "chronic", "unbuffer", "builtin",
})  # fmt: skip
"""They run what comes behind their own options."""
_OWN_WORDS = {"flock": 1, "envdir": 1, "taskset": 1}
"""How many words of their own come before that: a lock's file, a folder, a mask."""
_GO_ON = frozenset({"if", "then", "elif", "else", "while", "until", "do", "{", "!"})
"""A command follows."""
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})
_TAKE_A_VALUE = frozenset({"-u", "-g", "-n", "-k", "-s", "-c", "-p", "-o", "-e", "-i", "-w", "--signal"})
"""Options of wrappers whose value is a word of its own."""
_OPTIONS_WITH_VALUE = {
    "sudo": frozenset({"-u", "-g", "-p", "-C", "-D", "-R", "-T", "-h", "-r", "-t", "--user", "--group"}),
    "time": frozenset({"-f", "-o"}),
    "xargs": frozenset({"-I", "-L", "-n", "-P", "-s", "-d", "-E", "-a"}),
    "env": frozenset({"-u", "-C", "-S", "--unset", "--chdir"}),
    "flock": frozenset({"-w", "--timeout", "-E", "--conflict-exit-code"}),
    "chpst": frozenset(
        {"-u", "-U", "-b", "-e", "-/", "-n", "-l", "-L", "-m", "-d", "-o", "-p", "-f", "-c", "-t", "-a"}
    ),
    "systemd-cat": frozenset({"-t", "-p", "--identifier", "--priority"}),
    "setpriv": frozenset[str](),
    "nohup": frozenset[str](),
    "command": frozenset[str](),
    "exec": frozenset({"-a"}),
}
"""Of those wrappers where a letter means something else than with most."""
_SEPARATED = re.compile(r"&&|\|\||[;&|\n]")
"""Between commands; where one stands in quotes a word is missed, and none is made up."""
_ASSIGNMENT = re.compile(r"\w+\+?=.*", re.DOTALL)
_COMPUTED = re.compile(r"^%|^[{}\[\]-]")
_DURATION = re.compile(r"\d+(?:\.\d+)?[smhd]?")
_CONFIG = re.compile(
    r"(?:--config[= ]\s*|\bRCLONE_CONFIG=|^\s*config=)(?:'([^']+)'|\"([^\"$]+)\"|([^\s'\"$;()&|`]+))",
    re.MULTILINE,
)
_TARGET = re.compile(
    r"(?<![\w/.%@:,-])([A-Za-z0-9_][\w.+@-]{0,63})"
    r"((?:,\w+(?:=(?:\"[^\"]*\"|'[^']*'|[^,:\s\"']*))?)*)"
    r":([A-Za-z0-9][A-Za-z0-9.-]{2,62})((?:/[^\s'\"$;%&|)`]*)?)"
)
"""rclone's documentation, "Connection strings": `REMOTE,PARAMETER=VALUE,PARAMETER:BUCKET/PREFIX`."""
_DATE = re.compile(r"\$\(\s*date\b[^()]*\)|`\s*date\b[^`]*`")
_RUNS_RCLONE = re.compile(r"^(?!\s*#).*?(?<![\w.%@-])rclone(?=[\s'\"]|$)", re.MULTILINE)
"""A word of that name, outside comments: /usr/local/bin/wal-rclone and /opt/rclone/archive.sh are others."""
_ENVIRONMENT = re.compile(r"\bRCLONE_CONFIG_[A-Z0-9_]+_TYPE=")
"""rclone's documentation, "Environment variables": a remote of its own, that is in no file."""
_ON_THE_FLY = re.compile(r"(?<![\w/.%@:-]):(?:s3|sftp|b2|azureblob|gcs|webdav|local)\b[^\s'\"]*:")
"""rclone's documentation, "Connection strings": a remote without a section."""
_DEPTH = 3


@record
class Target:
    """`REMOTE:BUCKET/PREFIX`; the prefix is empty or ends in a slash.

    `parameters` are those of a connection string, with the comma before each; they may hold secrets.
    """

    remote: str
    bucket: str
    prefix: str = ""
    parameters: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.remote}:{self.bucket}/{self.prefix}".rstrip("/")


@record
class Program:
    """A program by the name that the command gives it. `places`: what to look for, the first that is there.

    A path, or a name without a folder, which the server's own PATH has or has not.
    """

    name: str
    places: tuple[str, ...]


def programs_of(command: str) -> tuple[Program, ...]:
    """The programs that a shell would start for it, in order, each once. Never raises.

    None is what only the run tells: a name that is computed, a function of the command's own, a name
    without a folder after a file was read into the shell or PATH was set to what is computed, and one
    relative to a folder that is not known.
    """
    found: dict[Program, None] = {}
    for program in _programs(command, 0, _Place()):
        found.setdefault(program)
    return tuple(found)


_SERVERS = ("",)
"""The server's own PATH, in a search."""


def search_of(value: str, before: tuple[str, ...] | None = _SERVERS) -> tuple[str, ...] | None:
    """The folders in which `PATH=value` has programs looked for, the empty one for the server's own PATH.

    `value` is as it stands in the command, quotes and all; `before` is where `$PATH` stands for. None where
    that is computed otherwise, or counts from a folder that is not known.
    """
    quote = value[:1] if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1 else ""
    folders: list[str] = []
    for part in value.removeprefix(quote).removesuffix(quote).split(":"):
        if part in ("$PATH", "${PATH}") and quote != "'" and before is not None:
            folders += before
        elif part.startswith("/") and not set(part) & set("$`\\'\"*?["):
            folders.append(part.rstrip("/") or "/")
        else:
            return None
    return tuple(folders)


@dataclass
class _Place:
    """Where the shell stands: PATH's folders (None: not known), its own (empty: the data directory)."""

    path: tuple[str, ...] | None = _SERVERS
    folder: str = ""
    known: bool = True

    def enter(self, folder: Word | None) -> None:
        """`cd`."""
        if folder is None or folder.computed or folder.text == "-":
            self.known = False
        elif folder.text.startswith("/"):
            self.folder, self.known = folder.text.rstrip("/") + "/", True
        elif self.folder and not folder.text.startswith("~"):
            self.folder = f"{self.folder}{folder.text.removeprefix('./').rstrip('/')}/"
        else:
            self.known = False

    def located(self, name: str, path: tuple[str, ...] | None) -> Program | None:
        """The program as it can be looked for, None where it cannot; `path` are PATH's folders for it."""
        if "/" not in name:
            return Program(name, tuple(_join(folder, name) for folder in path)) if path else None
        if name.startswith("/"):
            return Program(name, (name,))
        if not self.known:
            return None
        found = f"{self.folder}{name.removeprefix('./')}" if self.folder else name
        return Program(found, (found,))


def _join(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}" if folder else name


def _programs(command: str, depth: int, place: _Place) -> Iterator[Program]:
    """`place` is changed as the shell's own would be."""
    listed = tokens(command)
    functions = {
        word.text
        for word, opened, closed in zip(listed, listed[1:], listed[2:], strict=False)
        if isinstance(word, Word) and (opened, closed) == (Operator("("), Operator(")"))
    }
    reader = _Reader(place)
    for token in listed:
        if isinstance(token, Word) and depth < _DEPTH:
            for inside in token.inside:
                yield from _programs(inside, depth + 1, replace(place))
        program = reader.read(token)
        if program is not None and program.name not in functions:
            yield program
        if reader.command is not None:
            if depth < _DEPTH:
                path = None if reader.login else reader.path
                yield from _programs(reader.command, depth + 1, replace(place, path=path))
            reader.command = None


class _Reader:
    """Goes through a command's words. `command` is what a shell's -c shall run, once it was read."""

    def __init__(self, place: _Place) -> None:
        self._place = place
        self.command: str | None = None
        self.login = False
        self._pattern = False
        """In a pattern of `case`."""
        self._outside: list[_Place] = []
        """Where the shell stood before each `(`: what it does within holds there alone."""
        self._begin()

    def _begin(self) -> None:
        self._shell = self._scripted = self._skip = self._searches = False
        self._expecting, self._wrapper, self._builtin, self._own = True, "", "", 0
        self.path = self._place.path
        """Where this one command's program is looked for."""

    def read(self, token: Token) -> Program | None:
        """The program that this word starts, as it can be looked for; None for none."""
        if isinstance(token, Operator):
            self._operator(token.text)
        elif self._skip:
            self._skip = False
        elif self._pattern:
            self._pattern = token.text != "esac"
        elif self._shell:
            self._of_shell(token)
        elif self._builtin:
            self._of_builtin(token)
        elif self._expecting:
            return self._first(token)
        return None

    def _operator(self, text: str) -> None:
        if text in REDIRECTIONS:
            self._skip = True
        elif self._pattern:
            self._pattern = text != ")"
            self._begin()
        else:
            if self._builtin == "cd":
                self._place.enter(None)  # home
            if self._expecting and not self._wrapper:
                self._place.path = self.path  # nothing but assignments: they are the shell's own
            if text == "(":
                self._outside.append(self._place)
                self._place = replace(self._place)
            elif text == ")" and self._outside:
                self._place = self._outside.pop()
            self._begin()
            self._pattern = text in (";;", ";&")

    def _of_shell(self, word: Word) -> None:
        """A shell's own words: its options, then a script's file or, after -c, a command."""
        if word.text.startswith(("-", "+")):
            self._scripted = self._scripted or (not word.text.startswith("--") and "c" in word.text)
            self.login = self.login or "l" in word.text.removeprefix("--no")
            return
        self._shell = self._expecting = False
        if self._scripted and not word.computed:
            self.command = word.text

    def _of_builtin(self, word: Word) -> None:
        """What the shell's own command does to where it stands."""
        name, self._builtin = self._builtin, ""
        if name in ("cd", "pushd"):
            if word.text in ("--", "-P", "-L"):
                self._builtin = name
            else:
                self._place.enter(word)
        elif name in (".", "source", "eval"):
            self._place.path = self.path = None  # what it sets is not known
        elif name == "case":
            self._pattern, self._builtin = False, "case in"
        elif name == "case in":
            self._pattern = word.text == "in"
        elif name in ("export", "declare", "typeset", "readonly"):
            self._builtin = name
            self._assign(word)
            self._place.path = self.path

    def _assign(self, word: Word) -> None:
        """PATH is set for this command, or, where nothing but assignments comes, for all that follow."""
        given, equals, value = word.raw.partition("=")
        if equals and given == "PATH":
            self.path = search_of(value, self._place.path)
        elif word.text.startswith(("PATH=", "PATH+=")):
            self.path = None

    def _first(self, word: Word) -> Program | None:
        """A word where a program may stand."""
        text = word.text
        if _ASSIGNMENT.fullmatch(text) and not (word.quoted and text[:1] in "/."):
            self._assign(word)
        elif self._wrapper and text.startswith("-"):
            self._option(text)
        elif self._wrapper and self._own:
            self._own -= 1  # that was the lock's file
        elif self._wrapper and _DURATION.fullmatch(text):
            pass
        elif text in _BUILTINS and not word.quoted and not self._wrapper:
            self._expecting = text in _GO_ON
            self._builtin = "" if self._expecting else text
        else:
            return self._program(word)
        return None

    def _option(self, text: str) -> None:
        """A wrapper's own option."""
        if self._wrapper == "flock" and text in ("-c", "--command"):
            self._shell = self._scripted = True
        elif self._wrapper == "command" and text in ("-v", "-V"):
            self._expecting = False  # it only looks where that is
        elif self._wrapper in ("env", "sudo") and text in ("-C", "--chdir", "-D"):
            self._skip, self.path = True, None
        elif text != "--":
            self._skip = text in _OPTIONS_WITH_VALUE.get(self._wrapper, _TAKE_A_VALUE)

    def _program(self, word: Word) -> Program | None:
        name = word.text.rpartition("/")[2]
        wraps = name in _WRAPPERS and not word.computed
        if wraps:
            self._wrapper, self._own = name, _OWN_WORDS.get(name, 0)
        else:
            self._expecting = False
            self._shell = (name in _SHELLS or name == "su") and not word.computed
        if (
            word.computed
            or (_COMPUTED.search(word.text) and not word.quoted)
            or word.text in ("exec", "command")
        ):
            return None
        return self._place.located(word.text, self.path)


def configs_of(text: str) -> tuple[str, ...]:
    """The rclone configurations that a command or a script names; the default where it names none."""
    named = dict.fromkeys(next(filter(None, match.groups())) for match in _CONFIG.finditer(text))
    if not named and _needs_no_file(text):
        return ()
    if not named and _RUNS_RCLONE.search(text):
        return (DEFAULT_CONFIG,)
    return tuple(path for path in named if path != "/dev/null")


def _needs_no_file(text: str) -> bool:
    """Whether its remotes stand in the environment or in the command itself."""
    return _ENVIRONMENT.search(text) is not None or _ON_THE_FLY.search(text) is not None


def remotes_of(text: str) -> tuple[str, ...]:
    """The rclone remotes that a command names: not the hosts that rsync, scp and ssh send to."""
    lines = (line for part in _SEPARATED.split(text) for line in (part.strip(),) if _RUNS_RCLONE.search(line))
    return tuple(dict.fromkeys(target.remote for line in lines for target in targets_of(line)))


def targets_of(text: str) -> tuple[Target, ...]:
    """The `REMOTE:BUCKET/PREFIX` in it, in order, each once; URLs and a date's format are none."""
    found: dict[Target, None] = {}
    for match in _TARGET.finditer(_DATE.sub("$DATE", text)):
        prefix = match[4].strip("/")
        if match[4].startswith("//"):
            continue
        found.setdefault(Target(match[1], match[3], f"{prefix}/" if prefix else "", match[2]))
    return tuple(found)
