"""WAL names and positions: segments, timelines, LSNs, for any wal_segment_size.

Facts from PostgreSQL's access/xlog_internal.h: a segment's name is three groups of eight hex
digits: timeline, log, segment within the log; a log holds 2**32 / wal_segment_size segments.
Segment 0 of log 0 is never written.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from walconsole.domain.records import record

DEFAULT_SEGMENT_BYTES = 16 * 1024 * 1024
MIN_SEGMENT_BYTES = 1024 * 1024
MAX_SEGMENT_BYTES = 1024 * 1024 * 1024

_LOG_BYTES = 2**32
_NAME = re.compile(
    r"(?P<segment>[0-9A-F]{24})(?:\.(?P<offset>[0-9A-F]{8})\.backup|(?P<partial>\.partial))?"
    r"|(?P<history>[0-9A-F]{8})\.history"
)
_TRIED = re.compile(r"[0-9A-F.abchikloprstuy]{16,40}")
"""MIN_XFN_CHARS to MAX_XFN_CHARS of VALID_XFN_CHARS (postmaster/pgarch.h)."""
_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")


class WalNameKind(StrEnum):
    """What a file in pg_wal or in the archive is, by its name."""

    SEGMENT = "segment"
    PARTIAL = "partial"
    BACKUP = "backup"
    HISTORY = "history"


def check_segment_bytes(segment_bytes: int) -> int:
    """Return `segment_bytes` when PostgreSQL could have been made with it.

    Raises ValueError: wal_segment_size is a power of two from 1 MiB to 1 GiB.
    """
    if not MIN_SEGMENT_BYTES <= segment_bytes <= MAX_SEGMENT_BYTES or segment_bytes & (segment_bytes - 1):
        raise ValueError(f"wal_segment_size is a power of two from 1 MiB to 1 GiB, not {segment_bytes} bytes")
    return segment_bytes


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One WAL segment: `timeline` and `number`, the count of whole segments before it since 0/0."""

    timeline: int
    number: int

    @classmethod
    def parse(cls, name: str, segment_bytes: int = DEFAULT_SEGMENT_BYTES) -> Self:
        """Read a 24-digit name. Raises ValueError for any other, or one this segment size cannot have."""
        match = _NAME.fullmatch(name)
        if match is None or match["segment"] != name:
            raise ValueError(f"not the name of a WAL segment: {name!r}")
        per_log = _LOG_BYTES // segment_bytes
        timeline, log, low = int(name[:8], 16), int(name[8:16], 16), int(name[16:], 16)
        if low >= per_log:
            raise ValueError(
                f"{name} cannot exist with wal_segment_size {segment_bytes}: "
                f"its last field is at most {per_log - 1:08X}"
            )
        return cls(timeline, log * per_log + low)

    @classmethod
    def at(cls, timeline: int, lsn: int, segment_bytes: int = DEFAULT_SEGMENT_BYTES) -> Self:
        """The segment that holds the byte at `lsn`: from PostgreSQL 17 on what pg_walfile_name() names."""
        return cls(timeline, lsn // segment_bytes)

    @classmethod
    def ending_at(cls, timeline: int, lsn: int, segment_bytes: int = DEFAULT_SEGMENT_BYTES) -> Self:
        """The segment that holds the byte *before* `lsn`: what pg_walfile_name() names before PostgreSQL 17.

        It is the last one of which anything is written up to there (release notes of PostgreSQL 17).
        """
        return cls(timeline, max(lsn - 1, 0) // segment_bytes)

    def name(self, segment_bytes: int = DEFAULT_SEGMENT_BYTES) -> str:
        """The file's name: 24 upper-case hex digits."""
        log, low = divmod(self.number, _LOG_BYTES // segment_bytes)
        return f"{self.timeline:08X}{log:08X}{low:08X}"

    def start_lsn(self, segment_bytes: int = DEFAULT_SEGMENT_BYTES) -> int:
        """The position of its first byte."""
        return self.number * segment_bytes

    def next(self) -> Self:
        """The segment after it on the same timeline."""
        return type(self)(self.timeline, self.number + 1)


@record
class WalName:
    """A name that PostgreSQL archives: its kind, its timeline, and its segment where it has one."""

    text: str
    kind: WalNameKind
    timeline: int
    segment: Segment | None

    @classmethod
    def parse(cls, text: str, segment_bytes: int = DEFAULT_SEGMENT_BYTES) -> Self:
        """Read any archived name. Raises ValueError when PostgreSQL writes no such name."""
        match = _NAME.fullmatch(text)
        if match is None:
            raise ValueError(f"not a name that PostgreSQL archives: {text!r}")
        if match["history"]:
            return cls(text, WalNameKind.HISTORY, int(match["history"], 16), None)
        segment = Segment.parse(match["segment"], segment_bytes)
        kind = WalNameKind.SEGMENT
        if match["partial"]:
            kind = WalNameKind.PARTIAL
        elif match["offset"]:
            kind = WalNameKind.BACKUP
        return cls(text, kind, segment.timeline, segment)


def wal_name(text: str | None, segment_bytes: int = DEFAULT_SEGMENT_BYTES) -> WalName | None:
    """`WalName.parse`, or None for None and for what is no WAL name: for text from outside."""
    if text is None:
        return None
    try:
        return WalName.parse(text, segment_bytes)
    except ValueError:
        return None


def archiver_tries(status_file: str) -> bool:
    """Whether PostgreSQL's archiver takes this file in archive_status for one that waits (pgarch.c).

    It looks at no more than length and letters, so that it tries some that are no WAL.
    """
    name = status_file.removesuffix(".ready")
    return name != status_file and _TRIED.fullmatch(name) is not None


def parse_lsn(text: str) -> int:
    """The byte position of a pg_lsn such as `16/B374D848`. Raises ValueError."""
    match = _LSN.fullmatch(text)
    if match is None:
        raise ValueError(f"not an LSN: {text!r}")
    return int(match[1], 16) << 32 | int(match[2], 16)


def format_lsn(lsn: int) -> str:
    """As PostgreSQL prints it: `16/B374D848`."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
