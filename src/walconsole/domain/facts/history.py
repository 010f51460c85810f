"""What changed while the console looked: counters since it began, and samples for trends.

PostgreSQL's counters are cumulative and may be reset; a restart may lose them. Deltas are summed
here, so that a reset neither loses nor invents an archived segment.
"""

from dataclasses import replace
from typing import TypeVar

from walconsole.domain.facts.base_backups import BackupSession, BackupSessions
from walconsole.domain.facts.disk_forecast import DiskSample, Limits, is_urgent
from walconsole.domain.facts.observed import ArchiverFacts, WalDiskFacts
from walconsole.domain.records import record
from walconsole.domain.recovery.running import recent
from walconsole.domain.wal import DEFAULT_SEGMENT_BYTES

SAMPLE_SPACING_S = 5.0
SAMPLES_KEPT = 720
"""An hour of samples."""


@record
class ArchiverSample:
    """At `at`: the segments archived since the console began."""

    at: float
    archived: int


@record
class BackupTrack:
    """What was seen of one base backup that streams: `moved_at` is when its phase or its bytes last changed.

    `samples` are times with the bytes that had been sent by then, of the last few looks.
    """

    pid: int
    started_at: float | None
    phase: str
    moved_at: float
    samples: tuple[tuple[float, int], ...] = ()


S = TypeVar("S", ArchiverSample, DiskSample)


@record
class History:
    """Bounded: an hour at five seconds. `segment_bytes` is the server's, once it is known.

    `disk_urgent`: pg_wal's file system will be full within the hour (domain.disk_forecast). It is kept here
    because it ends later than it begins: an alarm does not come and go with each look. So does `behind`: what
    waits is a backlog (domain.facts.backlog).
    `earlier_count` is pg_stat_archiver's at the last of the samples, where those were taken before the
    console began (domain.past): until the first look their counts are the server's own.
    """

    archiver: tuple[ArchiverSample, ...] = ()
    disk: tuple[DiskSample, ...] = ()
    last: ArchiverFacts | None = None
    archived: int = 0
    failed: int = 0
    segment_bytes: int = DEFAULT_SEGMENT_BYTES
    disk_urgent: bool = False
    behind: bool = False
    backups: tuple[BackupTrack, ...] = ()
    earlier_count: int | None = None

    def with_archiver(self, facts: ArchiverFacts, at: float, segment_bytes: int | None) -> "History":
        """The history after one more look at pg_stat_archiver."""
        archived, failed, before = self.archived, self.failed, self.archiver
        if self.last is not None:
            archived += _delta(self.last.archived_count, facts.archived_count)
            failed += _delta(self.last.failed_count, facts.failed_count)
        elif self.earlier_count is not None:  # as if this look's count were the beginning
            known = facts.archived_count >= self.earlier_count
            count = facts.archived_count
            before = tuple(ArchiverSample(each.at, each.archived - count) for each in before) if known else ()
        sample = ArchiverSample(at, archived)
        return replace(
            self,
            archiver=_append(before, sample),
            last=facts,
            archived=archived,
            failed=failed,
            segment_bytes=segment_bytes or self.segment_bytes,
        )

    def with_disk(self, facts: WalDiskFacts, at: float, wal_limit: int | None = None) -> "History":
        """The history after one more look at pg_wal, which grows to `wal_limit` bytes where nothing keeps it.

        After the clock went back the watch begins anew: no trend leads over that.
        """
        sample = DiskSample(at, facts.wal_bytes, facts.free_bytes, facts.ready_count)
        back = bool(self.disk) and at < self.disk[-1].at
        disk = (sample,) if back else _append(self.disk, sample)
        urgent = is_urgent(disk, Limits(self.segment_bytes, wal_limit), before=self.disk_urgent)
        return replace(self, disk=disk, disk_urgent=urgent)

    def with_backups(self, facts: BackupSessions, at: float) -> "History":
        """The history after one more look at the base backups that run; of one that ended nothing is kept."""
        before = {(track.pid, track.started_at): track for track in self.backups}
        tracks = [
            _tracked(before.get((session.pid, session.started_at)), session, at)
            for session in facts.sessions
            if session.streams
        ]
        return replace(self, backups=tuple(tracks)) if tracks or self.backups else self


def _tracked(before: BackupTrack | None, session: BackupSession, at: float) -> BackupTrack:
    """After the clock went back, or in another phase, the watch begins anew."""
    sent = session.sent_bytes
    new = () if sent is None else ((at, sent),)
    if before is None or before.phase != session.phase or at < before.moved_at:
        return BackupTrack(session.pid, session.started_at, session.phase, at, new)
    still = sent == (before.samples[-1][1] if before.samples else None)
    samples = tuple(recent((*before.samples, *new), at))
    return replace(before, moved_at=before.moved_at if still else at, samples=samples)


def _delta(before: int, after: int) -> int:
    """How much a counter grew; one that fell was reset, and all it shows came since."""
    return after - before if after >= before else after


def _append(samples: tuple[S, ...], sample: S) -> tuple[S, ...]:
    """The samples with `sample`, at most one in SAMPLE_SPACING_S besides the newest.

    Those from after it are dropped: the clock went back.
    """
    while samples and samples[-1].at > sample.at:
        samples = samples[:-1]
    crowded = len(samples) >= 2 and samples[-1].at - samples[-2].at < SAMPLE_SPACING_S
    kept = samples[:-1] if crowded else samples[-(SAMPLES_KEPT - 1) :]
    return kept + (sample,)  # noqa: RUF005  # mypy loses the type variable in an unpacked tuple
