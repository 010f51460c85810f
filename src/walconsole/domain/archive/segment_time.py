"""Where the seconds go that one segment takes to be archived, and what would help. Arithmetic alone.

PostgreSQL hands its archive command one segment at a time, and waits until that one has ended (pgarch.c): a
segment may take no longer than it takes until the next is complete.
"""

import math
from collections.abc import Iterator

from walconsole.domain.records import record
from walconsole.domain.units import bytes_text, plural

_MUCH = 0.5
"""A part that takes this share of the whole is where to begin."""


@record
class CopySeconds:
    """One copy: to ask whether the name is free, to upload, to read back. Each has the tool's start in it."""

    where: str
    ask_s: float
    upload_s: float
    read_s: float


@record
class SegmentSeconds:
    """What was measured with one segment of `plain_bytes`, sent as `sent_bytes`.

    `start_s` is one start of the tool that does nothing. `pack_s` is how long `packer` took for it, to
    `packed_bytes`; 0.0, an empty name and None where there is none. `packs`: the command sends it packed.
    `side_by_side`: it sends the copies at once and overlaps each part's start, as the installed command does.
    `due_s` is how often a segment is complete, None where nobody writes.
    """

    plain_bytes: int
    start_s: float
    pack_s: float
    packer: str
    packed_bytes: int | None
    packs: bool
    copies: tuple[CopySeconds, ...]
    side_by_side: bool
    due_s: float | None

    @property
    def sent_bytes(self) -> int:
        """As it goes over the network."""
        return self.packed_bytes if self.packs and self.packed_bytes is not None else self.plain_bytes

    @property
    def total_s(self) -> float:
        """About how long the archive command takes for one segment."""
        return self._total(self.start_s, self.side_by_side)

    def _total(self, start_s: float, at_once: bool, sent: float = 1.0) -> float:
        """With another start, with `sent` of the bytes, or with the copies at once."""
        pack = self.pack_s if self.packs or sent < 1.0 else 0.0
        times = [self._copy(copy, start_s, sent) for copy in self.copies]
        if not times:
            return pack
        if not at_once:
            return pack + sum(ask + rest for ask, rest in times)
        return max(pack, *(ask for ask, _ in times)) + max(rest for _, rest in times)

    def _copy(self, copy: CopySeconds, start_s: float, sent: float) -> tuple[float, float]:
        ask, upload, read = (
            max(0.0, each - self.start_s) for each in (copy.ask_s, copy.upload_s, copy.read_s)
        )
        starts = 1 if self.side_by_side else 2  # the one that reads back starts while the other sends
        return start_s + ask, starts * start_s + (upload + read) * sent

    @property
    def fits(self) -> bool | None:
        """Whether archiving keeps up; None where nothing is due."""
        return None if self.due_s is None else self.total_s < self.due_s


def table(seconds: SegmentSeconds) -> Iterator[str]:
    """A line each part: what it takes, of what."""
    yield f"start      {seconds.start_s:7.2f} s  each call of rclone, before it does anything"
    if seconds.packer and seconds.packed_bytes is not None:
        share = f"{bytes_text(seconds.plain_bytes)} to {bytes_text(seconds.packed_bytes)}"
        used = "" if seconds.packs else ", which the command does not do"
        yield f"compress   {seconds.pack_s:7.2f} s  {seconds.packer}: {share}{used}"
    for copy in seconds.copies:
        sent = bytes_text(seconds.sent_bytes)
        yield f"ask        {copy.ask_s:7.2f} s  {copy.where}: is the name free?"
        yield f"upload     {copy.upload_s:7.2f} s  {copy.where}: {sent}"
        yield f"read back  {copy.read_s:7.2f} s  {copy.where}"


def conclusion(seconds: SegmentSeconds) -> str:
    """One line: how long a segment takes, how often one is due, whether that fits."""
    how = ""
    if len(seconds.copies) > 1:
        how = ", the copies at once" if seconds.side_by_side else ", one copy after the other"
    took = f"a segment takes about {seconds.total_s:.1f} s{how}"
    if seconds.due_s is None:
        return f"{took}; just now nobody writes"
    fits = "it keeps up" if seconds.fits else "it falls behind"
    return f"{took}; one is due every {seconds.due_s:.1f} s: {fits}"


def what_helps(seconds: SegmentSeconds) -> tuple[str, ...]:
    """What would make it shorter, the most first, with what is left then; what is no use is left out."""
    total, found = seconds.total_s, []
    quick = seconds._total(0.0, seconds.side_by_side)
    if seconds.start_s > 0.0 and total > 0.0 and (total - quick) / total >= _MUCH:
        text = (
            f"rclone's start is {(total - quick) / total:.0%} of it: find on the droplet what delays it "
            "(`time rclone version`: a wrapper? memory that is short? a slow DNS?)"
        )
        found.append((quick, text))
    if not seconds.packs and seconds.packed_bytes is not None and seconds.plain_bytes:
        packed = seconds._total(
            seconds.start_s, seconds.side_by_side, seconds.packed_bytes / seconds.plain_bytes
        )
        found.append((packed, f"compress before the transfer, with {seconds.packer}"))
    if not seconds.side_by_side and len(seconds.copies) > 1:
        found.append((seconds._total(seconds.start_s, True), "send the copies at once"))
    helped = sorted((left, text) for left, text in found if left < total * 0.9)
    return (*(f"{text}: about {left:.1f} s a segment" for left, text in helped), *_elsewhere(seconds))


def _elsewhere(seconds: SegmentSeconds) -> Iterator[str]:
    """What no archive command of one segment at a time can do."""
    if seconds.due_s is None or seconds.fits or seconds.due_s <= 0.0:
        return
    at_once = math.ceil(seconds.total_s / seconds.due_s)
    yield (
        f"send {plural(at_once, 'segment')} at once: one command at a time cannot; pgBackRest's "
        f"archive-async with process-max={at_once} does, and WAL-G's WALG_UPLOAD_CONCURRENCY={at_once}"
    )
    yield (
        f"or write at most {60.0 / seconds.total_s:.1f} segments a minute instead of "
        f"{60.0 / seconds.due_s:.1f}: wal_compression = on, a longer "
        "checkpoint_timeout with a larger max_wal_size, fewer indexes"
    )
