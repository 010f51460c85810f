"""What an archive command runs and reads: programs, rclone configurations, remotes; read as a shell would.

PostgreSQL gives the command to `/bin/sh -c` (shell_archive.c). What is computed at run time is not followed.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

DEFAULT_CONFIG = "~/.config/rclone/rclone.conf"
"""Where rclone looks when nothing names a configuration (its documentation, --config)."""

_BUILTINS = frozenset(
    "test [ cd echo printf true false : export set unset umask ulimit kill wait read return exit trap eval . source"
    " if then elif else fi while until do done for in case esac { } ! local shift break continue".split()
)
_WRAPPERS = frozenset(
    "env exec nice ionice timeout nohup setsid time chrt stdbuf command sudo flock xargs".split()
)
"""They run what comes behind their own options."""
_SHELLS = frozenset("sh bash dash ash ksh zsh".split())
_SEPARATORS = re.compile(r"[;&|()\n]+")
_REDIRECTION = re.compile(r"\d*(?:<|>|>>|<>|>\||<<)&?\d*-?$")
_ASSIGNMENT = re.compile(r"\w+=.*", re.DOTALL)
_DURATION = re.compile(r"\d+(?:\.\d+)?[smhd]?")
_CONFIG = re.compile(
    r"(?:--config[= ]\s*|\bRCLONE_CONFIG=|^\s*config=)(?:'([^']+)'|\"([^\"$]+)\"|([^\s'\"$;]+))", re.M
)
_TARGET = re.compile(
    r"(?<![\w/.%@:-])([A-Za-z0-9_][\w.+@-]{0,63}):([A-Za-z0-9][A-Za-z0-9.-]{2,62})((?:/[^\s'\"$;%&|)]*)?)"
)
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
    """The programs that a shell would start for it, in order, each once. Never raises."""
    found: dict[str, None] = {}
    for name in _programs(command, 0):
        found.setdefault(name)
    return tuple(found)


def _programs(command: str, depth: int) -> Iterator[str]:
    expecting, wrapped, shell = True, False, False
    for word in _words(command):
        if _SEPARATORS.fullmatch(word):
            expecting, wrapped, shell = True, False, False
        elif shell and not word.startswith("-"):
            shell = False
            if depth < _DEPTH:
                yield from _programs(word, depth + 1)
        elif not expecting or _REDIRECTION.match(word) or _ASSIGNMENT.fullmatch(word):
            continue
        elif wrapped and (word.startswith("-") or _DURATION.fullmatch(word)):
            continue
        elif word in _BUILTINS:
            expecting = word in ("if", "then", "elif", "else", "while", "until", "do", "{", "!")
        elif word.rpartition("/")[2] in _WRAPPERS:
            wrapped = True
            if word not in ("exec", "command"):
                yield word
        else:
            yield word
            shell = word.rpartition("/")[2] in _SHELLS and " -c" in f" {command}"
            expecting = False


def _words(command: str) -> list[str]:
    lexer = shlex.shlex(command.replace("\n", " ; "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:  # an open quote: the shell would refuse it
        return command.split()


def configs_of(text: str) -> tuple[str, ...]:
    """The rclone configurations that a command or a script names; the default where it runs rclone with none."""
    named = dict.fromkeys(next(filter(None, match.groups())) for match in _CONFIG.finditer(text))
    if not named and re.search(r"\brclone\b", text):
        return (DEFAULT_CONFIG,)
    return tuple(path for path in named if path != "/dev/null")


def targets_of(text: str) -> tuple[Target, ...]:
    """The `REMOTE:BUCKET/PREFIX` in it, in order, each once; URLs are none."""
    found: dict[Target, None] = {}
    for match in _TARGET.finditer(text):
        prefix = match[3].strip("/")
        if match[3].startswith("//"):
            continue
        found.setdefault(Target(match[1], match[2], f"{prefix}/" if prefix else ""))
    return tuple(found)
