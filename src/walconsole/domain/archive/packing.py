"""Many numbers or texts as one short text, for JSON: little-endian, zlib, base64.

What unpacks them raises ValueError for anything that was not packed so, and never fills the memory.
"""

import base64
import json
import sys
import zlib
from array import array
from collections.abc import Iterable

MOST_BYTES = 2**28
"""Of one packed value, unpacked: 33 million numbers."""


def canonical(content: object) -> bytes:
    """`content` as JSON, always the same bytes for the same content. Raises ValueError for a NaN."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return encoded(text)


def encoded(text: str) -> bytes:
    """UTF-8. A key may hold half of a surrogate pair, where its store sent one as a reference."""
    return text.encode("utf-8", "surrogatepass")


def decoded(content: bytes) -> str:
    """The text of such bytes. Raises ValueError."""
    return content.decode("utf-8", "surrogatepass")


def pack_numbers(numbers: Iterable[int]) -> str:
    """Numbers below 2**64."""
    return _pack(_little_endian(array("Q", numbers)).tobytes())


def unpack_numbers(packed: object) -> "array[int]":
    """What `pack_numbers` packed. Raises ValueError."""
    numbers = array("Q")
    _fill(numbers, packed)
    return numbers


def pack_times(times: Iterable[float]) -> str:
    """Times, in double precision."""
    return _pack(_little_endian(array("d", times)).tobytes())


def unpack_times(packed: object) -> "array[float]":
    """What `pack_times` packed. Raises ValueError."""
    times = array("d")
    _fill(times, packed)
    return times


def pack_texts(texts: Iterable[str]) -> str:
    """Texts of any kind."""
    return _pack(canonical(list(texts)))


def unpack_texts(packed: object) -> list[str]:
    """What `pack_texts` packed. Raises ValueError."""
    texts = json.loads(decoded(_unpack(packed)))
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("what was packed is no list of texts")
    return texts


def _little_endian(values: "array[int] | array[float]") -> "array[int] | array[float]":
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _fill(values: "array[int] | array[float]", packed: object) -> None:
    content = _unpack(packed)
    if len(content) % values.itemsize:
        raise ValueError(f"{len(content)} bytes were packed, which are no whole numbers")
    values.frombytes(content)
    _little_endian(values)


def _pack(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content)).decode("ascii")


def _unpack(packed: object) -> bytes:
    if not isinstance(packed, str):
        raise ValueError("what should be packed is no text")
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(base64.b64decode(packed, validate=True), MOST_BYTES)
    except zlib.error as error:
        raise ValueError(f"what was packed cannot be unpacked: {error}") from None
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("what was packed is cut short, or too long")
    return content
