"""Which Host names ~/.ssh/config knows: enough to tell an alias from a misspelt profile."""

import fnmatch
import shlex
from collections.abc import Iterator
from pathlib import Path

_DEEPEST_INCLUDE = 8


def is_alias(name: str, config_file: Path) -> bool:
    """Whether a Host line, other than the bare `*`, matches `name`. An unreadable file knows none."""
    matched = False
    for pattern in _patterns(config_file, 0):
        if pattern.startswith("!"):
            if fnmatch.fnmatchcase(name, pattern[1:]):
                return False
        elif pattern != "*" and fnmatch.fnmatchcase(name, pattern):
            matched = True
    return matched


def _patterns(file: Path, depth: int) -> Iterator[str]:
    try:
        lines = file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        keyword, values = _directive(line)
        if keyword == "host":
            yield from values
        elif keyword == "include" and depth < _DEEPEST_INCLUDE:
            for included in _included(values):
                yield from _patterns(included, depth + 1)


def _directive(line: str) -> tuple[str, list[str]]:
    """ssh_config(5): keyword, then spaces or one `=`, then arguments that may be quoted."""
    stripped = line.strip()
    if not stripped or stripped.startswith("#"):
        return "", []
    keyword, _, rest = stripped.replace("=", " ", 1).partition(" ")
    try:
        return keyword.lower(), shlex.split(rest)
    except ValueError:
        return "", []


def _included(patterns: list[str]) -> Iterator[Path]:
    """Include without a leading / or ~ means below ~/.ssh (ssh_config(5))."""
    for pattern in patterns:
        path = Path(pattern).expanduser()
        base = Path("/") if path.is_absolute() else Path("~/.ssh").expanduser()
        relative = str(path.relative_to("/")) if path.is_absolute() else pattern
        yield from sorted(base.glob(relative))
