"""What other probes have found out, for a probe that needs it: always as of now."""

from collections.abc import Callable

from walconsole.domain.facts.evidence import CommandFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.archiver import ready_count
from walconsole.domain.standing.assessment import Assessment
from walconsole.ports import Clock


class LatestFacts:
    """Reads the latest snapshot. `follow` says where it comes from, before any probe is taken."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._snapshot: Callable[[], Snapshot] | None = None

    def follow(self, snapshot: Callable[[], Snapshot]) -> None:
        """From now on, `snapshot()` is what is known."""
        self._snapshot = snapshot

    def snapshot(self) -> Snapshot:
        """All of it; that of a console which has just begun before there is any."""
        now = self._clock.now()
        return self._snapshot() if self._snapshot is not None else Snapshot("", began_at=now, taken_at=now)

    def setting(self, name: str) -> str | None:
        """In force, None before it was read."""
        settings = self.snapshot().settings.value
        return settings.value(name) if settings is not None else None

    def archive_command(self) -> str | None:
        """In force, None before it was read."""
        return self.setting("archive_command")

    def waiting(self) -> int | None:
        """How many .ready files there are, None where nobody may count them."""
        return ready_count(self.snapshot())

    def last_archived(self) -> str | None:
        """The file that was archived last, None before that was read."""
        archiver = self.snapshot().archiver.value
        return archiver.last_archived_wal if archiver is not None else None

    def in_trouble(self) -> bool:
        """Whether something waits that should be archived, and is not."""
        return Assessment(self.snapshot(), self._clock.now()).troubled

    def command(self) -> CommandFacts | None:
        """What is known of the archive command."""
        return self.snapshot().command.value
