"""The codes that programs print, S3's own and ours: patterns made of the table of answers.

A code is found by itself, written as the store writes it; the words that stand for one (`Row.printed`) in
any case.
"""

import re
from collections.abc import Iterator, Sequence

from walconsole.domain.patterns import pattern
from walconsole.domain.store.answers import NO_SUCH_BUCKET, ROWS, Meaning, meaning_of

_M = Meaning
_TELLING = (
    _M.PROXY,
    _M.KEY_UNKNOWN,
    _M.SIGNATURE_WRONG,
    _M.CREDENTIALS_BAD,
    _M.CREDENTIALS_ABSENT,
    _M.CLOCK_SKEW,
    _M.ABSENT_BUCKET,
    _M.THROTTLED,
    _M.ACCOUNT,
    _M.TOO_MANY_BUCKETS,
    _M.READ_ONLY,
    _M.ENCRYPTION_KEY,
    _M.POLICY,
    _M.NO_PERMISSION,
    _M.WRONG_REGION,
    _M.UNTRUSTED,
    _M.UNREACHABLE,
    _M.INTERRUPTED,
    _M.UNAVAILABLE,
    _M.FAULT,
    _M.NAME_INVALID,
    _M.UNSUPPORTED,
    _M.REQUEST_WRONG,
    _M.NOT_S3,
    _M.REFUSED,
)
"""What keeps WAL from a store, the more telling first. That an object is not there yet is no refusal."""
_OF_TWO_WORDS = re.compile(r"[a-z0-9][A-Z]")
"""A code that is a single word (Forbidden, Redirect) may be anyone's."""


def _codes() -> Iterator[re.Pattern[str]]:
    """For each meaning a pattern of its codes, which finds the code itself."""
    for meaning in _TELLING:
        named = sorted(
            {
                row.code
                for row in ROWS
                if row.meaning is meaning is meaning_of(row.code) and _OF_TWO_WORDS.search(row.code)
            }
        )
        if named:
            yield pattern(rf"(?<![A-Za-z])(?:{'|'.join(named)})(?![A-Za-z])")


_CODES = tuple(_codes())
_WORDS = tuple(
    (row.code, pattern(row.printed, re.IGNORECASE))
    for meaning in _TELLING
    for row in ROWS
    if row.printed and row.meaning is meaning
)
"""The words for a code, the more telling first."""
_WRITTEN = pattern(
    r"\bapi error ([A-Za-z][\w.]+)|An error occurred \(([A-Za-z][\w.]+)\)|\bS3 error: \d{3} \(([A-Za-z]\w+)\)"
    r"|<Code>([A-Za-z][\w.]+)</Code>|(?i:\b(?:error[ _]?)?code)\"?[:=] ?\"?([A-Za-z][\w.]+)"
    r"|\b([A-Z][a-z]+(?:[A-Z][A-Za-z0-9]*)+): .{0,300}?\bstatus ?code: ?[3-5]\d\d"
)
"""Where a program writes the store's code, whatever that is: the Go and Python SDKs, s3cmd, azcopy, ossutil,
XML, JSON."""
_NOTHING_LISTED = pattern(r"directory not found", re.IGNORECASE)
"""All that rclone says of a 404 to a LIST, and it ends with 3. A folder that does not exist in a bucket that
does is an empty listing, and 0 (both seen with 1.60 and 1.75)."""
_OF_A_DAEMON = pattern(r"\barchival of \S+ failed: HTTP status \d+")
"""pghoard_postgres_command asks pghoard's daemon on the same host: that one's status is no store's."""


def code_in(text: str) -> str:
    """The code that a program's line stands for, empty for none.

    A code that is written counts for more than words or a status; one that is not known is the store's, too.
    """
    text = _OF_A_DAEMON.sub("", text)
    for codes in _CODES:
        if found := codes.search(text):
            return str(found[0])
    written = [str(next(filter(None, found.groups()))) for found in _WRITTEN.finditer(text)]
    for code in written:
        if meaning_of(code) in _TELLING and not code.isdigit():
            return code
    unknown = _unknown_in(written)
    for code, words in _WORDS:
        if words.search(text):
            return unknown if unknown and meaning_of(code) in _BY_STATUS_TOO else code
    return unknown


_BY_STATUS_TOO = frozenset({_M.REFUSED, _M.FAULT, _M.UNAVAILABLE})
"""What words say of which only the answer's status is known."""


def _unknown_in(written: Sequence[str]) -> str:
    """The store's own code where a program writes one and it has no row here."""
    unknown = (code for code in written if meaning_of(code) is Meaning.UNKNOWN)
    return next((code for code in unknown if _OF_TWO_WORDS.search(code)), "")


def code_of_listing(said: str) -> str:
    """The same of what rclone says of a listing that failed."""
    return NO_SUCH_BUCKET if _NOTHING_LISTED.search(said) else code_in(said)
