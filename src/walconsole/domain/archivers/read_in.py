"""What a substitution gives that only prints a file of assignments: `export $(grep -v '^#' FILE | xargs)`."""

import re
from collections.abc import Sequence

from walconsole.domain.archivers.shell_words import Operator, Token, Word, tokens

_SUBSTITUTION = re.compile(r"\$\((?!\()(.*)\)|`(.*)`", re.DOTALL)
_PRINTS = frozenset({"cat", "grep", "egrep", "sed"})
_HANDS_ON = frozenset({"xargs", "grep", "egrep", "sed", "tr", "sort"})
_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)=(?:\"([^\"$`\\]*)\"|'([^']*)'|([^\s\"'$`\\]*))")
"""Of one word: what stands in quotes with blanks would be cut at them."""


def printed_file(raw: str) -> str:
    """The file whose lines a word's substitution gives, as they are or cleared of comments; else empty."""
    match = _SUBSTITUTION.fullmatch(raw)
    if match is None:
        return ""
    parts: list[list[Token]] = [[]]
    for token in tokens(match[1] or match[2] or ""):
        if token == Operator("|"):
            parts.append([])
        else:
            parts[-1].append(token)
    if any(_name(part) not in _HANDS_ON for part in parts[1:]):
        return ""
    first = parts[0]
    words = [token.text for token in first if isinstance(token, Word) and not token.computed]
    redirected = len(first) >= 2 and first[-2] == Operator("<")
    prints = redirected or (len(words) > 1 and words[0] in _PRINTS)
    if not prints or not words or words[-1].startswith("-"):
        return ""
    return words[-1] if "/" in words[-1] or "." in words[-1] else ""


def _name(part: Sequence[Token]) -> str:
    return next((token.text for token in part if isinstance(token, Word)), "")


def assignments_in(text: str) -> list[str] | None:
    """`NAME=VALUE` of each line; None where one is of another form, which a run may read otherwise."""
    found = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _ASSIGNMENT.fullmatch(line.strip())
        value = next((each for each in match.groups()[1:] if each is not None), "") if match else ""
        if match is None or re.search(r"\s", value):
            return None
        found.append(f"{match[1]}={value}")
    return found
