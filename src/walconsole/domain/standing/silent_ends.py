"""Programs of an archive command that end it without a word, and what they mean by that."""

import re
from collections.abc import Iterator

_ENDS = (
    (
        r"\bflock\s[^;&|\n]*?(?:-\w*n\b|--nonblock|--nb\b|-\w*w\s|--timeout|--wait)",
        "`flock` ends so, without a word, where another process holds the lock: see which one, lslocks",
    ),
    (
        r"\bmountpoint\s+-\w*q|\bmountpoint\s[^;&|\n]*>\s*/dev/null",
        "`mountpoint -q` ends so, without a word, where nothing is mounted there: findmnt",
    ),
    (r"\bcmp\s+-\w*s|\bdiff\s+-\w*q", "`cmp -s` ends so, without a word, where the two files differ"),
    (r"\bgrep\s+-\w*q", "`grep -q` ends so, without a word, where it finds nothing"),
)


def silent_ends(text: str) -> Iterator[str]:
    """What may have ended a command of that text (its scripts' too) with 1, though nothing was printed."""
    for words, meaning in _ENDS:
        if re.search(words, text):
            yield meaning
