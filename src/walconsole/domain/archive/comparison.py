"""Two copies of one archive: what one of them lacks."""

from dataclasses import dataclass

from walconsole.domain.wal import Segment


@dataclass(frozen=True, slots=True)
class Lacking:
    """What a copy does not hold of another's.

    `oldest` and `newest` are the ends of it in the order of time (timeline, number), `bytes` about
    what the other stores for it, `oldest_at` when the other stored the oldest of it (None: unknown).
    """

    segments: int
    bytes: int = 0
    oldest: Segment | None = None
    newest: Segment | None = None
    oldest_at: float | None = None
