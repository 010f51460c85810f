"""One snapshot at one time, assessed once: what looks, stories and the verdict ask for alike."""

import re
from dataclasses import dataclass
from functools import cached_property

from walconsole.domain.facts.evidence import LogEntry, ProductionCheck, VerbResult
from walconsole.domain.facts.snapshot import AnySlot, Snapshot
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.drill_plan import Forecast
from walconsole.domain.recovery.drill_result import Drills
from walconsole.domain.recovery.recoverability import Recoverability
from walconsole.domain.standing import drills, exposure, failure_log, refusals
from walconsole.domain.standing.archiver import (
    ArchiverState,
    Lag,
    lag,
    last_success_age,
    ready_count,
    state,
)
from walconsole.domain.standing.backup_runs import BackupRuns, backup_runs
from walconsole.domain.standing.exposure import Agreement
from walconsole.domain.standing.model import Severity, Verdict
from walconsole.domain.standing.recovery import (
    Restorable,
    by_itself,
    recovery_line,
    restorable,
    restorable_from,
)
from walconsole.domain.standing.retention import Retention, retention
from walconsole.domain.standing.thrown_away import let_go_by, thrown_away_by
from walconsole.domain.standing.trends import DiskOutlook, disk_outlook

_STEADY_PER_MIN, _STEADY_SHARE = 0.5, 0.05
"""A backlog that changes by less a minute, or by a smaller share of it, stands."""


@dataclass(frozen=True)
class Assessment:
    """A snapshot at `now` (seconds since the epoch). Each part is computed when it is first asked for."""

    snapshot: Snapshot
    now: float

    @cached_property
    def state(self) -> ArchiverState:
        """What the archiver does."""
        return state(self.snapshot, self.now)

    @cached_property
    def lag(self) -> Lag | None:
        """How far the archive is behind the write position; None when that cannot be known."""
        return lag(self.snapshot, self.now)

    @cached_property
    def agreement(self) -> Agreement:
        """Whether the bucket holds what PostgreSQL says it archived."""
        archiver, server = self.snapshot.archiver.value, self.snapshot.server.value
        if archiver is None or server is None:
            return Agreement(None, "PostgreSQL was not read")
        return exposure.agreement(archiver, server, self.snapshot)

    @cached_property
    def thrown_away_by(self) -> str:
        """The archive command where by its own words it stores nothing (`/bin/true`), else empty.

        Empty, too, where it was seen to fail since it is in force: then it does not say yes to everything.
        """
        if self.last_failure is not None and self.last_failure in self.since_change:
            return ""
        return thrown_away_by(self.snapshot, self.state, self.agreement)

    @cached_property
    def let_go_by(self) -> str:
        """Why the store refuses what the archive command stores, where the command hides that; else empty."""
        return let_go_by(self.snapshot, self.state)

    @cached_property
    def exposure(self) -> Lag | None:
        """What would be lost now with the droplet's disk; None: everything, nothing is known to be safe."""
        if self.thrown_away_by:
            return None
        return exposure.exposed(self.snapshot, self.now, self.lag, self.agreement)

    @cached_property
    def recovery(self) -> Restorable | None:
        """What can be restored, from both copies together; None while one of them is still being read."""
        return restorable(self.snapshot)

    @cached_property
    def recovery_line(self) -> Verdict:
        """The same in one line, as the first line says it where archiving works."""
        proved = drills.proved(self.drills)
        return recovery_line(self.snapshot, self.recovery, self.lag, self.now, proved)

    @property
    def recovery_verdict(self) -> Verdict:
        """The same for a screen or a report of its own: which copy could not be read is said, too."""
        return by_itself(self.recovery_line, self.recovery)

    @cached_property
    def drills(self) -> Drills | None:
        """What restore drills have proved; None where neither copy was asked for it."""
        return drills.drills(self.snapshot)

    @cached_property
    def restore_forecast(self) -> Forecast | None:
        """What a restore would take now, by the rates of the newest good drill; None: not known."""
        found = self.recovery.found if self.recovery is not None else None
        return drills.restore_forecast(self.drills, found)

    def recovery_of(self, role: BucketRole) -> Recoverability | None:
        """What that copy is worth without the other."""
        return restorable_from(self.snapshot, role)

    @cached_property
    def retention(self) -> Retention | None:
        """What retention would delete next, of this minute; None where the profile has no rule."""
        return retention(self.snapshot, self.now // 60 * 60)

    @cached_property
    def backup_runs(self) -> BackupRuns:
        """The base backups that run, and how the installed script's last run ended."""
        return backup_runs(self.snapshot, self.state, self.now)

    @cached_property
    def outlook(self) -> DiskOutlook | None:
        """Where pg_wal's file system is going."""
        return disk_outlook(self.snapshot, self.now)

    @property
    def backlog_trend(self) -> float | None:
        """Segments a minute by which what waits becomes more; None where that was not watched."""
        return self.outlook.backlog_per_min if self.outlook is not None else None

    @property
    def catching_up(self) -> bool:
        """Whether what waits becomes less, and not only from one look to the next."""
        return self.backlog_trend is not None and self.backlog_trend <= -self._steady_per_min

    @property
    def falling_behind(self) -> bool:
        """Whether what waits becomes more, likewise."""
        return self.backlog_trend is not None and self.backlog_trend >= self._steady_per_min

    @property
    def _steady_per_min(self) -> float:
        return max(_STEADY_PER_MIN, _STEADY_SHARE * (ready_count(self.snapshot) or 0))

    @cached_property
    def since_success(self) -> tuple[LogEntry, ...]:
        """What the log has said since the last success, oldest first."""
        return failure_log.since_success(self.snapshot)

    @cached_property
    def last_failure(self) -> LogEntry | None:
        """The newest failure in the log, while something waits and nothing has succeeded since."""
        return failure_log.last_failure(self.snapshot, self.since_success)

    @cached_property
    def since_change(self) -> tuple[LogEntry, ...]:
        """Of that what came after the command, a file of its or the server's configuration changed."""
        return failure_log.since_change(self.snapshot, self.since_success)

    @cached_property
    def newest_words(self) -> tuple[LogEntry, ...]:
        """What the archive command said in its newest attempt, or the archiver of itself."""
        return failure_log.newest_words(self.since_change, self.last_failure)

    @cached_property
    def last_words(self) -> str:
        """The last line of it that says what is wrong, else the last one."""
        return failure_log.last_words(self.newest_words)

    @cached_property
    def spool_words(self) -> tuple[LogEntry, ...]:
        """What the archiver's background process noted for its next call, as lines of a log."""
        return failure_log.of_spool(self.snapshot)

    def programs_words(self, pattern: re.Pattern[str]) -> tuple[LogEntry, ...]:
        """What of it matches."""
        return failure_log.matching((*self.newest_words, *self.spool_words), pattern)

    @cached_property
    def newest_lines(self) -> tuple[LogEntry, ...]:
        """All that the log says of that attempt, and what the server says of itself since the change."""
        return failure_log.newest_lines(self.since_change, self.last_failure)

    @cached_property
    def has_failed(self) -> bool:
        """Whether the newest attempt has failed: by the log, or by the counters alone."""
        return self.last_failure is not None or self.state is ArchiverState.FAILING

    @cached_property
    def troubled(self) -> bool:
        """Whether something waits that should be archived, and is not."""
        bad = (ArchiverState.FAILING, ArchiverState.STALLED, ArchiverState.BEHIND)
        return self.state in bad or self.last_failure is not None

    @property
    def urgency(self) -> Severity:
        """CRITICAL where archiving is in trouble now, else WARNING: it will be with the next segment."""
        return Severity.CRITICAL if self.troubled else Severity.WARNING

    @cached_property
    def failing_since(self) -> float | None:
        """When it was last known to work, on the console's clock; None when it never was."""
        age = last_success_age(self.snapshot, self.now)
        return None if age is None else self.now - age

    @cached_property
    def words_of_refusal(self) -> tuple[tuple[str, LogEntry], ...]:
        """What the archive command said of the store in its newest attempt, with its code."""
        told = refusals.words_of_refusal(self.newest_words)
        return told or (refusals.words_of_refusal(self.spool_words) if self.spool_words else ())

    @cached_property
    def refused_checks(self) -> tuple[tuple[ProductionCheck, VerbResult], ...]:
        """What the store refused to the archiver's configuration, unless archiving has succeeded since."""
        return refusals.refused_checks(self.snapshot)

    @cached_property
    def told_of_the_archiver(self) -> frozenset[tuple[str, AnySlot]]:
        """Failure modes, by copy, that the archiver itself shows: there the console's view proves them."""
        words = self.words_of_refusal if self.has_failed else ()
        return refusals.told_of_the_archiver(self.snapshot, self.refused_checks, words)
