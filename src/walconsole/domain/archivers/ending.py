"""Archive commands that end well whatever became of the segment: PostgreSQL lets go of it all the same.

POSIX.1-2024, Shell Command Language, 2.9.3: a list ends as its last command did, an asynchronous one at once.
PostgreSQL takes 0 for "stored" (its documentation of archive_command).
"""

from collections.abc import Sequence
from functools import cache

from walconsole.domain.archivers.shell_words import Token, Word, commands_of, tokens
from walconsole.domain.archivers.wrappers import SHELLS

_WELL = frozenset({("true",), (":",), ("exit", "0"), ("/bin/true",), ("/usr/bin/true",)})
_TELLS = frozenset({"echo", "printf", "logger", "date"})
_LOOKS = frozenset({"test", "[", "[[", "mkdir", "rm", "touch"})
"""They store no segment, whatever they are given."""
_BLOCKS = frozenset({"if", "for", "while", "until", "case", "{", "function"})


@cache
def hides_failure(command: str) -> str:
    """What of it says yes whatever happened before, as it stands there; empty where nothing is seen to.

    It may hold secrets, as the command may.
    Where blocks or subshells make it hard to tell, only what goes on in the background is told.
    """
    listed = [(words, ends) for words, ends in commands_of(tokens(command)) if words or ends == "&"]
    if not listed:
        return ""
    last, ends = listed[-1]
    if ends == "&" and any(_is_given(words) for words, _ in listed):
        return "&"
    texts = [_text(words) for words, _ in listed]
    if len(listed) == 1 and texts[0] and texts[0][0].rpartition("/")[2] in SHELLS:
        return _of_shell(last)
    blocks = any(words and words[0].text in _BLOCKS for words, _ in listed)
    if blocks or any(end in ("(", ")", ";;") for _, end in listed) or _fails_at_once(texts):
        return ""
    before = listed[-2][1] if len(listed) > 1 else ""
    if before == "||" and _ends_well(texts[-1]):
        return f"|| {' '.join(texts[-1])}"
    return _of_list(listed, texts)


def _of_list(listed: Sequence[tuple[list[Token], str]], texts: Sequence[tuple[str, ...]]) -> str:
    """Of `A; B`: where A stores the segment, how that ended is not how the list ends."""
    parts, current = [], []
    for (words, ends), text in zip(listed, texts, strict=True):
        current.append((words, text))
        if ends in (";", "\n", ""):
            parts.append(current)
            current = []
    for at, part in enumerate(parts[:-1]):
        if any(_looks_how_it_ended(words) for later in parts[at + 1 :] for words, _ in later):
            return ""
        stores = [
            text[0] for words, text in part if text and text[0] not in _LOOKS | _TELLS and _is_given(words)
        ]
        leaves = any(text[:1] == ("exit",) for _, text in part)
        if stores and not leaves:
            return f"; {' '.join(parts[-1][-1][1])}"
    return ""


def _of_shell(words: Sequence[Token]) -> str:
    """`sh -c 'TEXT'`."""
    at = next((at for at, word in enumerate(words) if word.text in ("-c", "-ec", "-lc")), None)
    following = words[at + 1 : at + 2] if at is not None else []
    if not following or not isinstance(following[0], Word) or (at is not None and words[at].text == "-ec"):
        return ""
    return hides_failure(following[0].text)


def _text(words: Sequence[Token]) -> tuple[str, ...]:
    return tuple(word.text for word in words if isinstance(word, Word))


def _is_given(words: Sequence[Token]) -> bool:
    return any("%p" in word.text or "%p" in (word.raw if isinstance(word, Word) else "") for word in words)


def _looks_how_it_ended(words: Sequence[Token]) -> bool:
    """`exit $?`, `rc=$?`, `[ $? -eq 0 ]`: what becomes of it is not followed."""
    return any("$?" in (word.raw if isinstance(word, Word) else word.text) for word in words)


def _ends_well(text: tuple[str, ...]) -> bool:
    return text in _WELL or text[:1] in {(each,) for each in _TELLS}


def _fails_at_once(texts: Sequence[tuple[str, ...]]) -> bool:
    """`set -e`: then the first failure is the end of it."""
    return any(
        text[:1] == ("set",) and any(word.startswith("-") and "e" in word for word in text[1:])
        for text in texts
    )
