"""The coverage strip: a timeline's segments in a given number of cells, in which no gap vanishes."""

from dataclasses import dataclass
from enum import StrEnum


class Cover(StrEnum):
    """What a cell says, the worst of its segments first: one missing segment makes it MISSING."""

    MISSING = "missing in both"
    ACCEPTED = "missing, accepted"
    DR_ONLY = "only in DR"
    PRIMARY_ONLY = "only in primary"
    BOTH = "in both"
    NOTHING = "outside the archive"


@dataclass(frozen=True, slots=True)
class Cell:
    """Segments `first` to `last` (numbers) of one timeline. `missing` counts those in neither copy.

    `backups` counts the base backups whose label is in it.
    """

    first: int
    last: int
    cover: Cover
    missing: int = 0
    backups: int = 0
