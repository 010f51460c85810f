"""One snapshot at one time, assessed once: what looks, stories and the verdict ask for alike."""

import re
from dataclasses import dataclass
from functools import cached_property

from walconsole.domain.facts.evidence import LogEntry, ProductionCheck, VerbResult
from walconsole.domain.facts.snapshot import AnySlot, Snapshot
from walconsole.domain.profile import BucketRole
from walconsole.domain.recovery.recoverability import Recoverability
from walconsole.domain.standing import exposure, failure_log, refusals
from walconsole.domain.standing.archiver import ArchiverState, Lag, lag, last_success_age, state
from walconsole.domain.standing.exposure import Agreement
from walconsole.domain.standing.model import Severity, Verdict
from walconsole.domain.standing.recovery import Restorable, recovery_line, restorable, restorable_from
from walconsole.domain.standing.retention import Retention, retention
from walconsole.domain.standing.trends import DiskOutlook, disk_outlook


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
    def exposure(self) -> Lag | None:
        """What would be lost now with the droplet's disk; None: everything, nothing is known to be safe."""
        return exposure.exposed(self.snapshot, self.now, self.lag, self.agreement)

    @cached_property
    def recovery(self) -> Restorable | None:
        """What can be restored, from both copies together; None while one of them is still being read."""
        return restorable(self.snapshot)

    @cached_property
    def recovery_line(self) -> Verdict:
        """The same in one line, as the first line says it where archiving works."""
        return recovery_line(self.snapshot, self.recovery, self.lag, self.now)

    def recovery_of(self, role: BucketRole) -> Recoverability | None:
        """What that copy is worth without the other."""
        return restorable_from(self.snapshot, role)

    @cached_property
    def retention(self) -> Retention | None:
        """What retention would delete next, of this minute; None where the profile has no rule."""
        return retention(self.snapshot, self.now // 60 * 60)

    @cached_property
    def outlook(self) -> DiskOutlook | None:
        """Where pg_wal's file system is going."""
        return disk_outlook(self.snapshot, self.now)

    @cached_property
    def since_success(self) -> tuple[LogEntry, ...]:
        """What the log has said since the last success, oldest first."""
        return failure_log.since_success(self.snapshot)

    @cached_property
    def last_failure(self) -> LogEntry | None:
        """The newest failure in the log, while something waits and nothing has succeeded since."""
        return failure_log.last_failure(self.snapshot, self.since_success)

    @cached_property
    def words_before(self) -> tuple[LogEntry, ...]:
        """What the archive command printed before that failure."""
        return failure_log.words_before(self.since_success, self.last_failure)

    @cached_property
    def last_words(self) -> str:
        """The last line of it that says what is wrong, else the last one."""
        return failure_log.last_words(self.words_before)

    def programs_words(self, pattern: re.Pattern[str]) -> tuple[LogEntry, ...]:
        """What the archive command has printed since the last success, where it matches."""
        return failure_log.programs_words(self.since_success, pattern)

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
        """What the archive command has printed about the store since the last success, with its code."""
        return refusals.words_of_refusal(self.since_success)

    @cached_property
    def refused_checks(self) -> tuple[tuple[ProductionCheck, VerbResult], ...]:
        """What the store refused to the archiver's configuration, unless archiving has succeeded since."""
        return refusals.refused_checks(self.snapshot)

    @cached_property
    def told_of_the_archiver(self) -> frozenset[tuple[str, AnySlot]]:
        """Failure modes, by copy, that the archiver itself shows: there the console's view proves them."""
        words = self.words_of_refusal if self.last_failure is not None else ()
        return refusals.told_of_the_archiver(self.snapshot, self.refused_checks, words)
