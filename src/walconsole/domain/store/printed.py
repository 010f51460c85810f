"""The codes that programs print, S3's own and ours: patterns made of the table of answers.

A code is found by itself, written as the store writes it; the words that stand for one (`Row.printed`) in
any case.
"""

import re
from collections.abc import Iterator

from walconsole.domain.store.answers import NO_SUCH_BUCKET, ROWS, Meaning, meaning_of

_M = Meaning
_TELLING = (
    _M.KEY_UNKNOWN,
    _M.SIGNATURE_WRONG,
    _M.CREDENTIALS_BAD,
    _M.CLOCK_SKEW,
    _M.ABSENT_BUCKET,
    _M.THROTTLED,
    _M.ACCOUNT,
    _M.READ_ONLY,
    _M.NO_PERMISSION,
    _M.WRONG_REGION,
    _M.UNTRUSTED,
    _M.UNREACHABLE,
    _M.INTERRUPTED,
    _M.UNAVAILABLE,
    _M.FAULT,
    _M.NAME_INVALID,
    _M.UNSUPPORTED,
    _M.NOT_S3,
    _M.REFUSED,
)
"""What keeps WAL from a store, the more telling first. That an object is not there yet is no refusal."""
_OF_TWO_WORDS = re.compile(r"[a-z0-9][A-Z]")
"""A code that is a single word (Forbidden, Redirect) may be anyone's."""


def _patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """For each meaning a pattern of its codes, which finds the code itself, then the words for each."""
    for meaning in _TELLING:
        rows = [row for row in ROWS if row.meaning is meaning is meaning_of(row.code)]
        named = sorted({row.code for row in rows if _OF_TWO_WORDS.search(row.code)})
        if named:
            yield "", re.compile(rf"(?<![A-Za-z])(?:{'|'.join(named)})(?![A-Za-z])")
        yield from ((row.code, re.compile(row.printed, re.IGNORECASE)) for row in rows if row.printed)


_PATTERNS = tuple(_patterns())
_NOTHING_LISTED = re.compile(r"directory not found", re.IGNORECASE)
"""All that rclone says of a 404 to a LIST, and it ends with 3. A folder that does not exist in a bucket that
does is an empty listing, and 0 (both seen with 1.60 and 1.75)."""


def code_in(text: str) -> str:
    """The code that a program's line stands for, empty for none."""
    for code, pattern in _PATTERNS:
        if found := pattern.search(text):
            return code or found[0]
    return ""


def code_of_listing(said: str) -> str:
    """The same of what rclone says of a listing that failed."""
    return NO_SUCH_BUCKET if _NOTHING_LISTED.search(said) else code_in(said)
