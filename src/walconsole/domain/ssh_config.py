"""Lines of ssh_config as OpenSSH reads them: words, comments, patterns (ssh_config(5))."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from walconsole.domain.patterns import pattern

_KEYWORD = pattern(r"\s*\"?([A-Za-z0-9]+)\"?(?:\s*=\s*|\s+|$)(.*)", re.DOTALL)
_ESCAPED = frozenset("'\"\\")
VALUELESS = frozenset({"all", "canonical", "final"})
"""Criteria of Match that take no pattern."""


def directive(line: str) -> tuple[str, str]:
    """The keyword in lower case, and the rest of its line as it is; both empty for a comment or nothing.

    After the keyword come blanks, or one `=`.
    """
    stripped = line.strip()
    if not stripped or stripped.startswith("#"):
        return "", ""
    match = _KEYWORD.fullmatch(stripped)
    return (match[1].lower(), match[2].strip()) if match is not None else ("", "")


def words(text: str) -> list[str]:
    """The arguments in `text`, without quotes; a `#` that begins a word begins a comment.

    Raises ValueError where a quote is not closed.
    """
    found: list[str] = []
    at = 0
    while at < len(text):
        if text[at] in " \t":
            at += 1
        elif text[at] == "#":
            break
        else:
            word, at = _word(text, at)
            found.append(word)
    return found


def _word(text: str, at: int) -> tuple[str, int]:
    """The word that begins at `at`, and where it ends."""
    word, quote = "", ""
    while at < len(text) and (quote or text[at] not in " \t"):
        sign, after = text[at], text[at + 1 : at + 2]
        if sign == "\\" and (after in _ESCAPED or (after == " " and not quote)) and after:
            word, at = word + after, at + 1
        elif not quote and sign in "'\"":
            quote = sign
        elif sign == quote:
            quote = ""
        else:
            word += sign
        at += 1
    if quote:
        raise ValueError("a quote is not closed")
    return word, at


def criteria(arguments: Sequence[str]) -> Iterator[tuple[str, bool, str]]:
    """Of Match's arguments: what is asked in lower case, whether it is negated, and its pattern.

    Raises ValueError where a pattern is lacking.
    """
    left = [part for word in arguments for part in _criterion_parts(word)]
    at = 0
    while at < len(left):
        name = left[at].lower()
        negated = name.startswith("!")
        name = name.removeprefix("!")
        at += 1
        if name in VALUELESS:
            yield name, negated, ""
            continue
        if at == len(left):
            raise ValueError(f"Match {name} has no pattern")
        yield name, negated, left[at]
        at += 1


def _criterion_parts(word: str) -> tuple[str, ...]:
    """`host=a` is two words."""
    name, equals, pattern = word.partition("=")
    return (name, pattern) if equals and name.lstrip("!").isalpha() else (word,)


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    """`*` is any signs and `?` is one; nothing else is special (ssh_config(5), PATTERNS)."""
    pieces = {"*": ".*", "?": "."}
    compact = re.sub(r"\*+", "*", text)
    return re.compile("".join(pieces.get(sign) or re.escape(sign) for sign in compact), re.DOTALL)


def is_pattern(word: str) -> bool:
    """Whether it may stand for several names. A `[` begins an IPv6 address, and no set."""
    return "*" in word or "?" in word


def matches(patterns: Sequence[str], text: str) -> bool:
    """Whether one of the patterns matches, and none that begins with `!` does."""
    matched = False
    for each in patterns:
        if each.startswith("!"):
            if _pattern(each[1:]).fullmatch(text) is not None:
                return False
        elif _pattern(each).fullmatch(text) is not None:
            matched = True
    return matched
