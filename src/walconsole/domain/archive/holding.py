"""What one place of a bucket held when it was last listed, as a value that never changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from walconsole.domain.archive.layouts import Place
from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.wal import Segment


@dataclass(frozen=True, slots=True, eq=False)
class Holding:
    """One archive of a bucket; compared by identity. Nobody changes `timelines`, `times` and `days`.

    `prefix` is the profile's; keys begin with it and `place.root`. `days` has the folders' days in the
    dated layout. `stored_bytes` and `suffixes`
    (how many segments end in which, a checksum left out) are of whole segments. `history_keys` has
    the full key of each .history by its timeline. `labels` are the segments in which a base backup
    began, by the .backup labels. `repeated` are the newest of those that are stored under more than one
    key, `repeated_count` counts all. `empty` are the newest segments whose object has no byte, or hardly
    any, `odd` those that are stored as they are and have not a segment's size. `newest` is the highest
    segment of the newest timeline.
    """

    place: Place
    prefix: str
    segment_bytes: int
    timelines: Mapping[int, Runs]
    times: StoredTimes
    stored_bytes: int
    suffixes: Mapping[str, int]
    history_keys: Mapping[int, str]
    labels: tuple[Segment, ...]
    partials: int
    repeated: tuple[Segment, ...]
    repeated_count: int
    newest: Segment | None
    newest_key: str
    last_key: str
    days: StoredTimes = field(default_factory=StoredTimes)
    empty: Mapping[int, Runs] = field(default_factory=dict)
    odd: Mapping[int, Runs] = field(default_factory=dict)

    @property
    def root(self) -> str:
        """What all of its keys begin with."""
        return self.prefix + self.place.root

    @property
    def segments(self) -> int:
        """Distinct segments over all timelines."""
        return sum(runs.count for runs in self.timelines.values())

    def damaged(self) -> Mapping[int, Runs]:
        """The segments that are there and of no use, as their sizes tell: `empty` and `odd`."""
        if not self.odd:
            return self.empty
        found = {timeline: runs.copy() for timeline, runs in self.empty.items()}
        for timeline, runs in self.odd.items():
            for first, last in runs:
                found.setdefault(timeline, Runs()).add(first, last)
        return found

    def holds(self, segment: Segment) -> bool:
        """Whether the segment is there."""
        runs = self.timelines.get(segment.timeline)
        return runs is not None and segment.number in runs
