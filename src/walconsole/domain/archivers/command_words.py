"""What an archive command runs and reads: programs, rclone configurations, remotes; read as a shell would.

PostgreSQL gives the command to `/bin/sh -c` (shell_archive.c). What is computed at run time is not followed.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

DEFAULT_CONFIG = "~/.config/rclone/rclone.conf"
"""Where rclone looks when nothing names a configuration (its documentation, --config)."""

_BUILTINS = frozenset({
    "test", "[", "cd", "echo", "printf", "true", "false", ":", "export", "set", "unset", "umask", "ulimit",
    "kill", "wait", "read", "return", "exit", "trap", "eval", ".", "source", "if", "then", "elif", "else",
    "while", "until", "do", "done", "for", "in", "case", "esac", "{", "}", "!", "local", "shift", "break",
    "continue", "fi",
})  # fmt: skip
_WRAPPERS = frozenset({
    "env", "exec", "nice", "ionice", "timeout", "nohup", "setsid", "time", "chrt", "stdbuf", "command",
    "sudo", "flock", "xargs",
})  # fmt: skip
"""They run what comes behind their own options."""
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
    "flock": frozenset[str](),
}
"""Of those wrappers where a letter means something else than with most."""
_SEPARATORS = re.compile(r"[;&|()\n]+")
_SEPARATED = re.compile(r"&&|\|\||[;&|\n]")
"""Between commands; where one stands in quotes a word is missed, and none is made up."""
_REDIRECTION = re.compile(r"[<>]+[&|]?")
_ASSIGNMENT = re.compile(r"\w+=.*", re.DOTALL)
_COMPUTED = re.compile(r"[$`*?]|^%|^[{}\[\]-]")
_FUNCTION = re.compile(r"([A-Za-z_]\w*)\s*\(\)")
_DURATION = re.compile(r"\d+(?:\.\d+)?[smhd]?")
_CONFIG = re.compile(
    r"(?:--config[= ]\s*|\bRCLONE_CONFIG=|^\s*config=)(?:'([^']+)'|\"([^\"$]+)\"|([^\s'\"$;]+))", re.MULTILINE
)
_TARGET = re.compile(
    r"(?<![\w/.%@:-])([A-Za-z0-9_][\w.+@-]{0,63}):([A-Za-z0-9][A-Za-z0-9.-]{2,62})((?:/[^\s'\"$;%&|)]*)?)"
)
_RUNS_RCLONE = re.compile(r"^(?!\s*#).*?(?<![\w.%@-])rclone(?=[\s'\"]|$)", re.MULTILINE)
"""A word of that name, outside comments: /usr/local/bin/wal-rclone and /opt/rclone/archive.sh are others."""
_ENVIRONMENT = re.compile(r"\bRCLONE_CONFIG_[A-Z0-9_]+_TYPE=")
"""rclone's documentation, "Environment variables": a remote of its own, that is in no file."""
_ON_THE_FLY = re.compile(r"(?<![\w/.%@:-]):(?:s3|sftp|b2|azureblob|gcs|webdav|local)\b[^\s'\"]*:")
"""rclone's documentation, "Connection strings": a remote without a section."""
_DEPTH = 3


@dataclass(frozen=True, slots=True)
class Target:
    """`REMOTE:BUCKET/PREFIX`; the prefix is empty or ends in a slash."""

    remote: str
    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.remote}:{self.bucket}/{self.prefix}".rstrip("/")


def programs_of(command: str) -> tuple[str, ...]:
    """The programs that a shell would start for it, in order, each once. Never raises.

    A name that is computed at run time, a pattern of `case` and a function of the command's own are none.
    """
    found: dict[str, None] = {}
    functions = frozenset(_FUNCTION.findall(command))
    for name in _programs(command, 0):
        literal = (
            not _COMPUTED.search(name) or shlex.quote(name) in command
        )  # quoted, it is a name like others
        if name not in functions and literal:
            found.setdefault(name)
    return tuple(found)


def _programs(command: str, depth: int) -> Iterator[str]:
    reader = _Reader()
    for word in _words(command):
        if reader.shell and word.startswith("-"):
            reader.scripted = reader.scripted or "c" in word
        elif reader.shell and not _SEPARATORS.fullmatch(word):
            reader.shell = False
            if reader.scripted and depth < _DEPTH:
                yield from _programs(word, depth + 1)
        elif reader.is_program(word):
            yield word


class _Reader:
    """Goes through a command's words; `shell`: a script's file comes, or, `scripted`, what -c shall run."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.shell = self.scripted = self._skip = False
        self._expecting, self._wrapper = True, ""

    def is_program(self, word: str) -> bool:
        """Whether this word is a program that is started."""
        if _SEPARATORS.fullmatch(word):
            self._begin()
        elif self._skip:
            self._skip = False
        elif _REDIRECTION.fullmatch(word):
            self._skip = True
        elif self._expecting and not _ASSIGNMENT.fullmatch(word):
            return self._first(word)
        return False

    def _first(self, word: str) -> bool:
        """A word where a program may stand."""
        name = word.rpartition("/")[2]
        if self._wrapper and word.startswith("-"):
            self._skip = word in _OPTIONS_WITH_VALUE.get(self._wrapper, _TAKE_A_VALUE)
            return False
        if self._wrapper == "flock":
            self._wrapper = "env"  # that was the lock's file
            return False
        if self._wrapper and _DURATION.fullmatch(word):
            return False
        if word in _BUILTINS:
            self._expecting = word in _GO_ON
            return False
        if name in _WRAPPERS:
            self._wrapper = name
            return word not in ("exec", "command")
        self.shell = name in _SHELLS
        self._expecting = False
        return True


def _words(command: str) -> list[str]:
    lexer = shlex.shlex(command.replace("\n", " ; "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:  # an open quote: the shell would refuse it
        return command.split()


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
    """The `REMOTE:BUCKET/PREFIX` in it, in order, each once; URLs are none."""
    found: dict[Target, None] = {}
    for match in _TARGET.finditer(text):
        prefix = match[3].strip("/")
        if match[3].startswith("//"):
            continue
        found.setdefault(Target(match[1], match[2], f"{prefix}/" if prefix else ""))
    return tuple(found)
