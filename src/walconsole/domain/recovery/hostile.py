"""Text from a bucket, read so that nothing in it can do more than be refused."""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar

from walconsole.domain.wal import Segment, check_segment_bytes, parse_lsn

LONGEST = 1024 * 1024
"""Bytes of a description that are read at most: real ones take a few thousand."""
LONGEST_LIST = 16 * LONGEST
"""Bytes of a list of backups (pgBackRest's): half a kilobyte for each."""
LONGEST_WORDS = 200
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+=-]{0,254}")
_T = TypeVar("_T")


class RefusedError(ValueError):
    """It is not what it should be; the message says what is wrong, in words of this program's own."""


def text_of(content: bytes, longest: int = LONGEST) -> str:
    """The text. Raises RefusedError where it is longer, or no UTF-8."""
    if len(content) > longest:
        raise RefusedError(f"it is larger than {longest:,} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise RefusedError("it is no UTF-8 text") from None


def json_object(text: str) -> Mapping[str, object]:
    """The fields of a JSON object. Raises RefusedError for anything else, NaN and deep nesting included."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise RefusedError("it is nested too deeply") from None
    except ValueError:
        raise RefusedError("it is not JSON") from None
    if not isinstance(value, dict):
        raise RefusedError("it is no JSON object")
    return value


def _no_constant(name: str) -> object:
    raise ValueError(name)


def field(content: Mapping[str, object], name: str, kind: type[_T]) -> _T:
    """A field of that kind. Raises RefusedError."""
    value = content.get(name)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise RefusedError(f"its {name!r} is missing" if value is None else f"its {name!r} is wrong")
    return value


def optional(content: Mapping[str, object], name: str, kind: type[_T]) -> _T | None:
    """A field of that kind, None where it is missing or null. Raises RefusedError."""
    return None if content.get(name) is None else field(content, name, kind)


def count(content: Mapping[str, object], name: str, highest: int = 2**63 - 1) -> int:
    """A whole number from 0 to `highest`. Raises RefusedError."""
    value = field(content, name, int)
    if not 0 <= value <= highest:
        raise RefusedError(f"its {name!r} is out of range")
    return value


def optional_count(content: Mapping[str, object], name: str, highest: int = 2**63 - 1) -> int | None:
    """As `count`, None where it is missing or null."""
    return None if content.get(name) is None else count(content, name, highest)


def words(content: Mapping[str, object], name: str) -> str:
    """Text for people, cut; empty where there is none. Raises RefusedError."""
    return (optional(content, name, str) or "")[:LONGEST_WORDS]


def lsn(content: Mapping[str, object], name: str) -> int:
    """A position. Raises RefusedError."""
    return lsn_of(field(content, name, str), name)


def lsn_of(text: str, name: str) -> int:
    """The position that `text` is, `name` what it is of. Raises RefusedError."""
    try:
        return parse_lsn(text)
    except ValueError:
        raise RefusedError(f"its {name!r} is no LSN") from None


def segment_of(text: str, name: str, segment_bytes: int) -> Segment:
    """The segment that `text` names. Raises RefusedError."""
    try:
        return Segment.parse(text, segment_bytes)
    except ValueError:
        raise RefusedError(f"its {name!r} is no segment of this size") from None


def timeline_of(text: str, name: str) -> int:
    """The timeline in a segment's name of any size. Raises RefusedError."""
    if not re.fullmatch(r"[0-9A-F]{24}", text):
        raise RefusedError(f"its {name!r} is no segment's name")
    return timeline_number(int(text[:8], 16), name)


def timeline_number(value: int, name: str) -> int:
    """That timeline. Raises RefusedError for none."""
    if not 0 < value < 2**32:
        raise RefusedError(f"its {name!r} is no timeline")
    return value


def segment_size(value: int, name: str) -> int:
    """That wal_segment_size. Raises RefusedError for an impossible one."""
    try:
        return check_segment_bytes(value)
    except ValueError:
        raise RefusedError(f"its {name!r} is no wal_segment_size") from None


def identifier_of(text: str, name: str) -> int:
    """A system identifier in decimal digits, from 1 to 2**64 - 1. Raises RefusedError.

    pg_control_system() prints the same 64 bits with a sign.
    """
    number = int(text) if re.fullmatch(r"-?[0-9]{1,20}", text, re.ASCII) else 0
    if not -(2**63) <= number < 2**64 or not number:
        raise RefusedError(f"its {name!r} is no system identifier")
    return number % 2**64


def moment(text: str, name: str) -> float:
    """Seconds since the epoch of an ISO time; UTC where it names no zone. Raises RefusedError."""
    try:
        told = datetime.fromisoformat(text)
        at = (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise RefusedError(f"its {name!r} is no time") from None
    return seconds(at, name)


def seconds(at: float, name: str) -> float:
    """That time, which is between 2000 and 2200. Raises RefusedError."""
    if not math.isfinite(at) or not 946_684_800 <= at < 7_258_118_400:
        raise RefusedError(f"its {name!r} is no time of this world's")
    return at


def plain_name(text: str, name: str) -> str:
    """A file's name that leads nowhere else: no folder, no leading dot. Raises RefusedError."""
    if not _NAME.fullmatch(text):
        raise RefusedError(f"its {name!r} is no plain file name")
    return text


def in_order(start: int, stop: int) -> None:
    """Raises RefusedError where a backup ends before it begins."""
    if stop < start:
        raise RefusedError("it stops before it starts")
