"""The first bytes of a WAL segment: whose it is, and of which server version.

Layout (PostgreSQL's access/xlog_internal.h, XLogLongPageHeaderData, in the writer's byte order):
magic u16, info u16, timeline u32, page address u64, remaining length u32, 4 bytes of padding, then,
in the first page of a segment, system identifier u64, segment size u32, block size u32.
"""

from dataclasses import dataclass

LONG_HEADER_BYTES = 40


@dataclass(frozen=True, slots=True)
class PageHeader:
    """A segment's first page header. `major` is the server's version, None for an unknown magic.

    `timeline` may be the parent's in a child's first segment (seen on real servers): whose a segment
    is, `system_identifier` decides, as decimal digits like pg_control_system() prints it.
    """

    magic: int
    major: int | None
    timeline: int
    start_lsn: int
    system_identifier: str
    segment_bytes: int
    block_bytes: int


@dataclass(frozen=True, slots=True)
class SegmentIdentity:
    """What the head of one archived segment said: `header`, or why it could not be read."""

    name: str
    key: str
    read_at: float
    header: PageHeader | None = None
    problem: str = ""
