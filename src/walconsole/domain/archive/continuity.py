"""Would it replay: gaps and the unbroken run along the timelines that a restore follows."""

from dataclasses import dataclass

from walconsole.domain.archive.gap import Gap
from walconsole.domain.wal import Segment


@dataclass(frozen=True, slots=True)
class Leg:
    """A restore reads `timeline` from segment number `first` to `last`; None: to the newest there is."""

    timeline: int
    first: int
    last: int | None


@dataclass(frozen=True, slots=True)
class UnbrokenRun:
    """Every segment from `oldest` to `newest` along the path is there; `segments` counts them."""

    oldest: Segment
    newest: Segment
    segments: int


@dataclass(frozen=True, slots=True)
class Continuity:
    """What a restore with recovery_target_timeline = 'latest' would find.

    `target` is the timeline that it ends on, `path` what it reads, ancestors first. `gaps` are those
    on the path, oldest first (of many, both ends), `gap_count` and `missing_segments` count all.
    `run` ends at the path's newest segment. `missing_histories`: timelines without their .history,
    at which `latest` stops counting or whose descent is not known. `unreachable`: timelines beyond
    them that hold WAL. `branches`: timelines with WAL that are not on the path.
    """

    target: int
    path: tuple[Leg, ...] = ()
    gaps: tuple[Gap, ...] = ()
    gap_count: int = 0
    missing_segments: int = 0
    run: UnbrokenRun | None = None
    missing_histories: tuple[int, ...] = ()
    unreachable: tuple[int, ...] = ()
    branches: tuple[int, ...] = ()
