"""ListObjectsV2 answers: keys read out of the page's bytes, without an XML tree.

S3 writes `<Contents>` elements without attributes, comments or CDATA in what is read here; an
answer that does not look like that (as many sizes as keys, closed by its end tag) is refused
rather than guessed at.
"""

import re
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from urllib.parse import unquote_plus

from walconsole.domain.archive.listing import StoredObject
from walconsole.errors import ObjectStoreError

Complaint = Callable[[str], ObjectStoreError]
"""Makes the error for an answer that cannot be read, from why."""

_KEY = re.compile(r"<Key>([^<]*)</Key>")
_KEY_COUNT = re.compile(r"<KeyCount>(\d{1,9})</KeyCount>")
_SIZE = re.compile(r"<Size>(\d{1,20})</Size>")
_ETAG = re.compile(r"<ETag>\s*(?:&quot;|&#34;|\")?([^<&\"]{0,100})")
_MODIFIED = re.compile(r"<LastModified>\s*([^<\s]{1,40})\s*</LastModified>")
_REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_END = "</ListBucketResult>"
_BELOW = [frozenset(map(str, range(least))) for least in range(10)]
_SLACK = 8
"""How much shorter an object's text may be than its neighbour's, by the digits of its size."""


class ListedPage(Sequence[StoredObject]):
    """The objects of one answer; an object is made when it is asked for, keys and sums without."""

    __slots__ = ("_complain", "_raw_keys", "_sizes", "_sum", "_text", "keys")

    def __init__(self, text: str, raw_keys: list[str], keys: Sequence[str], complain: Complaint) -> None:
        self._text, self._raw_keys, self.keys, self._complain = text, raw_keys, keys, complain
        self._sum: tuple[int, int, int] | None = None
        self._sizes: int | list[str] = []

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, position: int) -> StoredObject:  # type: ignore[override]  # no slices
        element = self._element(position)
        size, modified = _SIZE.search(element), _MODIFIED.search(element)
        modified_at = timestamp(modified[1]) if modified else None
        if size is None or modified_at is None:
            raise self._complain("an object has no size, or no time that can be read")
        etag = _ETAG.search(element)
        return StoredObject(self.keys[position], int(size[1]), modified_at, etag[1] if etag else "")

    def modified_at(self, position: int) -> float:
        """One object's Last-Modified."""
        return self[position].modified_at

    def stored_bytes(self, start: int, stop: int) -> int:
        """The sum of the sizes of a part; the one that was asked for last is remembered."""
        if self._sum is None or self._sum[:2] != (start, stop):
            self._sum = start, stop, self._summed(start, stop)
        return self._sum[2]

    def outside(self, start: int, stop: int, least: int, most: int) -> Sequence[tuple[int, int]]:
        """Positions and sizes of those of a part that have not from `least` to `most` bytes."""
        self.stored_bytes(start, stop)
        sizes = self._sizes
        if isinstance(sizes, int):
            return [] if least <= sizes <= most else [(at, sizes) for at in range(start, stop)]
        if sizes.count(str(least)) == len(sizes) or (
            least < 10 and most == sys.maxsize and _BELOW[least].isdisjoint(sizes)
        ):
            return []  # as text: a million sizes are compared in a moment
        return [(at, int(size)) for at, size in enumerate(sizes, start) if not least <= int(size) <= most]

    def _summed(self, start: int, stop: int) -> int:
        """Segments mostly have one size: then counting it does."""
        self._sizes = []
        if stop <= start:
            return 0
        text, count = self._text, stop - start
        first = _SIZE.search(text)
        if first is not None and count == len(self):
            size = text[first.start() - _SLACK : first.end()]  # the longer, the faster it is counted
            last = text.rfind("<Size>")
            if text.startswith(first[0], last) and text.count(size) == count:
                self._sizes = int(first[1])
                return self._sizes * count
        sizes = _each(_SIZE, text, len(self))
        if len(sizes) != len(self):
            raise self._complain("it has not as many sizes as keys")
        self._sizes = sizes[start:stop]
        return sum(map(int, self._sizes))

    def _element(self, position: int) -> str:
        find = self._text.index if position < len(self) // 2 else self._text.rindex  # from the nearer end
        at = find(f"<Key>{self._raw_keys[position]}</Key>")
        start = self._text.rfind("<Contents>", 0, at)
        stop = self._text.find("</Contents>", at)
        return self._text[start:stop]


def read_listing(body: bytes, complain: Complaint) -> tuple[ListedPage, bool]:
    """The objects, and whether more follow. Raises what `complain` makes."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise complain("it is not UTF-8") from None
    if not text.rstrip().endswith(_END) or "<ListBucketResult" not in text[:512]:
        raise complain("it is not a complete ListBucketResult")
    begin = text.find("<Contents>")
    head = text[:begin] if begin >= 0 else text
    tail = text[text.rfind("</Contents>") :] if begin >= 0 else ""
    count = _announced(text, head + tail)
    raw_keys = _each(_KEY, text, count)
    if len(raw_keys) != count:
        raise complain("it has not as many keys as objects")
    encoded = "<EncodingType>url<" in head or "<EncodingType>url<" in tail
    truncated = "<IsTruncated>true<" in head or "<IsTruncated>true<" in tail
    if not truncated and "<IsTruncated>false<" not in head and "<IsTruncated>false<" not in tail:
        raise complain("it does not say whether more follows")
    return ListedPage(text, raw_keys, _decoded(raw_keys, encoded=encoded), complain), truncated


def _each(element: re.Pattern[str], text: str, count: int) -> list[str]:
    """The content of every such element, of which there are to be `count`.

    Objects are written alike, so that the distance from the first element to the second is about
    that from any to its next: what lies between is skipped unread, unless that finds too few.
    """
    first = element.search(text)
    second = element.search(text, first.end()) if first else None
    if first and second:
        found: list[str] = _skipping(element, second.start() - first.end() - _SLACK).findall(text)
        if len(found) == count:
            return found
    return element.findall(text)


@lru_cache(maxsize=64)
def _skipping(element: re.Pattern[str], distance: int) -> re.Pattern[str]:
    """What is skipped is optional, for the last object may have less behind it."""
    return re.compile(f"{element.pattern}(?:.{{{max(0, distance)}}})?", re.DOTALL)


def _announced(text: str, frame: str) -> int:
    """How many objects there should be: as the answer says, or counted (which takes longer)."""
    count = _KEY_COUNT.search(frame)
    return int(count[1]) if count else text.count("<Contents>")


def _decoded(raw_keys: list[str], *, encoded: bool) -> Sequence[str]:
    """The keys themselves. RGW writes `/` as `%2F` and escapes `'` for XML besides."""
    joined = "\n".join(raw_keys)
    escaped = "&" in joined
    if not escaped and not (encoded and ("%" in joined or "+" in joined)):
        return raw_keys
    plain = joined.replace("%2F", "/")
    if not escaped and "%" not in plain and "+" not in plain and plain.count("\n") < len(raw_keys):
        return plain.split("\n")
    decode: Callable[[str], str] = unquote_plus if encoded else str
    return [decode(unescaped(key)) for key in raw_keys]


def unescaped(text: str) -> str:
    """XML's five entities and character references; others stay as they are."""
    return _REFERENCE.sub(_referred, text) if "&" in text else text


def _referred(match: re.Match[str]) -> str:
    if match[3]:
        return _NAMED[match[3]]
    code = int(match[1], 16) if match[1] else int(match[2])
    return chr(code) if code <= 0x10FFFF else "\ufffd"


def timestamp(text: str) -> float | None:
    """Seconds since the epoch of S3's `2026-08-01T12:00:00.000Z`, None for what is no time."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
