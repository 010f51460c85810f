"""Where in a TOML document each key stands. tomllib reads values but keeps no positions.

The document must be one that tomllib accepts: the scan relies on it and never reports an error.
Keys inside inline tables are not told apart; `line_of` then answers with the line of the key that
holds them.
"""

import re
from collections.abc import Mapping, Sequence

from walconsole.domain.patterns import pattern

KeyPath = tuple[str, ...]

# TOML 1.0: multi-line strings first, since `""` begins both; up to two quotes may precede the closing three.
_STRING = pattern(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE_KEY = pattern(r"[A-Za-z0-9_-]+")
_BLANK = pattern(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = pattern(r"[ \t]*")
_COMMENT = pattern(r"#[^\n]*")
_PLAIN = pattern(r"[^\"'#\[\]{}\n]+")


def locate(text: str) -> dict[KeyPath, int]:
    """The line, counted from 1, of every table header and every key of a valid TOML document."""
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    at = _skip(_BLANK, text, 0)
    line, counted = 1, 0
    while at < len(text):
        line, counted = line + text.count("\n", counted, at), at
        if text[at] == "[":
            width = 2 if text.startswith("[[", at) else 1
            table, at = _dotted_key(text, _skip(_SPACE, text, at + width))
            _note(lines, (), table, line)
            at += width
        else:
            key, at = _dotted_key(text, at)
            _note(lines, table, key, line)
            at = _after_value(text, at + 1)
        at = _skip(_BLANK, text, at)
    return lines


def line_of(lines: Mapping[KeyPath, int], path: Sequence[str]) -> int:
    """The line of `path`, else of the nearest table or key around it, else 1."""
    for length in range(len(path), 0, -1):
        found = lines.get(tuple(path[:length]))
        if found is not None:
            return found
    return 1


def _note(lines: dict[KeyPath, int], table: KeyPath, key: KeyPath, line: int) -> None:
    for length in range(1, len(key) + 1):
        lines.setdefault((*table, *key[:length]), line)


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    matched = pattern.match(text, at)
    return matched.end() if matched else at


def _dotted_key(text: str, at: int) -> tuple[KeyPath, int]:
    """The key's parts, and the position of what follows it and its trailing spaces."""
    parts: list[str] = []
    while True:
        matched = _BARE_KEY.match(text, at) or _STRING.match(text, at)
        if matched is None:
            return tuple(parts), at
        parts.append(_unquoted(matched[0]))
        at = _skip(_SPACE, text, matched.end())
        if not text.startswith(".", at):
            return tuple(parts), at
        at = _skip(_SPACE, text, at + 1)


def _unquoted(key: str) -> str:
    if key[0] == "'":
        return key[1:-1]
    if key[0] == '"':
        import tomllib

        return str(tomllib.loads(f"k = {key}")["k"])
    return key


def _after_value(text: str, at: int) -> int:
    """The end of the value that begins at `at`: the line's end outside brackets and strings."""
    depth = 0
    while at < len(text):
        character = text[at]
        if character == "\n" and depth == 0:
            return at
        if character in "\"'":
            at = max(_skip(_STRING, text, at), at + 1)
        elif character == "#":
            at = _skip(_COMMENT, text, at)
        elif character in "[]{}\n":
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(character, 0)
            at += 1
        else:
            at = _skip(_PLAIN, text, at)
    return at
