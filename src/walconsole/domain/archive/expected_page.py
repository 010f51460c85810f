"""What the first page of one segment must say for the file to be that segment.

Checked before a file is stored under a name: on the droplet by a shell, which compares hex digits, or here.
"""

import re
from collections.abc import Iterator

from walconsole.domain.archive.page_header import LONG_HEADER_BYTES, MAJORS, PageHeader
from walconsole.domain.records import record
from walconsole.domain.wal import Segment, format_lsn

_ANY = "?"
_LONG = "[2367abef]"
"""The low half of info's low byte: XLP_LONG_HEADER (2) is set in the first page of a segment."""


@record
class ExpectedPage:
    """`timelines` are those that the page may name: a child's first segment begins with its parent's.

    `system_identifier` as pg_control_system() prints it, `major` the server's version, None for any.
    """

    segment: Segment
    segment_bytes: int
    system_identifier: str
    timelines: tuple[int, ...] = ()
    major: int | None = None

    @property
    def allowed(self) -> tuple[int, ...]:
        """The timelines, its own first."""
        return tuple(dict.fromkeys((self.segment.timeline, *self.timelines)))

    def mismatch(self, header: PageHeader) -> str:
        """Why a page is not this segment's, empty where it is."""
        start = self.segment.start_lsn(self.segment_bytes)
        magics = self._magics()
        if magics and header.magic not in magics:
            return f"its page is of another version (magic {header.magic:04X})"
        if header.system_identifier != self.system_identifier:
            return f"it is of system {header.system_identifier}, not of {self.system_identifier}"
        if header.start_lsn != start:
            return f"it begins at {format_lsn(header.start_lsn)}, not at {format_lsn(start)}"
        if header.timeline not in self.allowed:
            return f"its page is of timeline {header.timeline}"
        if header.segment_bytes != self.segment_bytes:
            return f"its segments have {header.segment_bytes} bytes, not {self.segment_bytes}"
        return ""

    def patterns(self) -> Iterator[str]:
        """The first LONG_HEADER_BYTES in lower-case hex, as patterns for the shell's `case`."""
        for order in ("little", "big"):
            for magic in self._magics() or (None,):
                for timeline in self.allowed:
                    yield self._pattern(order == "little", magic, timeline)

    def _pattern(self, little: bool, magic: int | None, timeline: int) -> str:
        def number(value: int, count: int) -> str:
            return value.to_bytes(count, "little" if little else "big").hex()

        system = int(self.system_identifier) % 2**64
        info = f"{_ANY}{_LONG}{_ANY * 2}" if little else f"{_ANY * 3}{_LONG}"
        return "".join(
            (
                _ANY * 4 if magic is None else number(magic, 2),
                info,
                number(timeline, 4),
                number(self.segment.start_lsn(self.segment_bytes), 8),
                _ANY * 16,
                number(system, 8),
                number(self.segment_bytes, 4),
                _ANY * 8,
            )
        )

    def _magics(self) -> tuple[int, ...]:
        """That of the server's version; none where it is not known, so that any will do."""
        return tuple(magic for magic, major in MAJORS.items() if major == self.major)


def fits(pattern: str, head: bytes) -> bool:
    """Whether the shell's `case` would take these bytes for the pattern."""
    digits = head[:LONG_HEADER_BYTES].hex()
    return re.fullmatch(pattern.replace(_ANY, "."), digits) is not None
