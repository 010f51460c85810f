"""A run of the installed restore drill: started so that it needs nobody to listen, followed, ended.

As `backup_run`: a connection that is cut stops nothing, and whoever looks next follows it.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from walconsole.domain.recovery.drill_status import DOING, FETCHING, REPLAYING, DrillStatus, read_drill_status
from walconsole.domain.recovery.running import Samples, left_s, rate_of, recent
from walconsole.domain.redaction import safe
from walconsole.droplet.names import names_of
from walconsole.errors import ProvisionError, ShellError, SshError
from walconsole.provision.droplet.commands import os_user, status_of
from walconsole.provision.droplet.installed_run import InstalledRun
from walconsole.provision.engine.model import Event, Moving, Printed, Waiting
from walconsole.provision.engine.site import Site

_BEGINS_WITHIN_S = 30.0
_AWAY_S = 120.0
"""For so long a connection that is away is waited for."""
_LONGEST_PAUSE_S = 10.0
_SEEN_DEAD = 2
ANOTHER_RUNS = 3
"""docs/recovery.md: the script's exit status where another one runs, or the lock is another's."""


@dataclass(frozen=True, slots=True)
class DrillLook:
    """The script as it is now. `status` is its own word, of this run or of the last one.

    `lives`: the process that it names runs. `ended` is the exit status of the last run that was started by
    hand, None while it runs. `said` are lines that it printed.
    """

    status: DrillStatus | None
    lives: bool
    ended: int | None = None
    said: tuple[str, ...] = ()

    @property
    def running(self) -> DrillStatus | None:
        """The run that goes on; None where none does."""
        return self.status if self.lives else None


class DrillRun(InstalledRun):
    """The script on one droplet. `outcome` is how the run that was followed ended, None where none did.

    `about` is what it is in words, `doing` are those of its states that are not ends.
    """

    about = "the restore drill"
    doing = DOING
    ends_within_s = 60.0
    """It ends its server first, and takes files and lock away."""

    def __init__(self, site: Site) -> None:
        names = names_of(site.profile)
        super().__init__(site, names.drill, names.drill_state)
        self.outcome: DrillStatus | None = None

    async def look(self) -> DrillLook:
        """As it is now. Raises what the shell raises."""
        _, said = await status_of(self._site, self.seen_script(), user=os_user(self._site))
        return self.read_look(said)

    def seen_script(self) -> str:
        """What is run for a look."""
        return f"{self._seen()}\n:"

    def read_look(self, said: str) -> DrillLook:
        """What that printed."""
        lives, ended, status, lines = (*said.split("\001"), "", "", "", "")[:4]
        return DrillLook(
            read_drill_status(status.encode("utf-8", "surrogateescape")),
            lives.strip() == "lives",
            int(ended) if ended.strip().isdigit() else None,
            tuple(safe(line) for line in lines.splitlines() if line.strip()),
        )

    async def follow(self, before: tuple[int, int] | None = None) -> AsyncIterator[Event]:
        """Tell how far it is until it has ended; `outcome` says how. `before` is a run that is not meant.

        Raises ProvisionError where it does not begin, ends without a word, or cannot be seen any more.
        """
        self.outcome = None
        clock, telling = self._site.clock, _Telling(self.about, self.doing)
        began = seen_at = clock.monotonic()
        dead = 0
        while True:
            now = clock.monotonic()
            try:
                look = await self.look()
                seen_at = clock.monotonic()
            except (SshError, ShellError) as error:
                if now - seen_at > _AWAY_S:
                    raise _lost(self.about, error) from error
                what = f"the connection is away, and {self.about} goes on without it"
                yield Waiting(what, now - seen_at, _AWAY_S)
                await self._site.sleep(1.0)
                continue
            status = look.status
            if status is not None and status.run != before:
                for event in telling.of(status, now):
                    yield event
                if status.exit_status is not None:
                    self.outcome = status
                    return
                dead = 0 if look.lives else dead + 1
                if dead > _SEEN_DEAD:
                    raise _silent(self.about, look)
            elif look.ended is not None or now - began > _BEGINS_WITHIN_S:
                raise _not_begun(look, self._script)
            await self._site.sleep(min(_LONGEST_PAUSE_S, max(1.0, (now - began) / 100)))


class _Telling:
    """What of each look is news, and how fast it goes."""

    def __init__(self, about: str, doing: Mapping[str, str]) -> None:
        self._about, self._doing = about, doing
        self._state = ""
        self._since = 0.0
        self._samples: Samples = ()

    def of(self, status: DrillStatus, now: float) -> list[Event]:
        told: list[Event] = []
        if status.exit_status is not None or status.state not in self._doing:
            return told
        if status.state != self._state:
            self._state, self._since, self._samples = status.state, now, ()
            told.append(Printed(f"{status.backup or self._about}: {self._doing[status.state]}"))
        return [*told, self._moving(status, now)]

    def _moving(self, status: DrillStatus, now: float) -> Event:
        for_s = now - self._since
        if status.state == FETCHING:
            return self._counted(self._doing[FETCHING], for_s, status.done_bytes, status.total_bytes, now)
        if status.state != REPLAYING:
            return Moving(self._doing[status.state], for_s)
        counted = f"{status.segments_done or 0} of {status.segments or 'n/a'} segments"
        reached = f", up to {status.reached}" if status.reached else ""
        return Moving(f"{self._doing[REPLAYING]}: {counted}{reached}", for_s)

    def _counted(self, what: str, for_s: float, done: int | None, total: int | None, now: float) -> Event:
        if done is None:
            return Moving(what, for_s)
        self._samples = recent((*self._samples, (now, done)), now)
        rate = rate_of(self._samples)
        return Moving(what, for_s, done, total, rate, left_s(done, total, rate))


def _lost(about: str, error: SshError | ShellError) -> ProvisionError:
    return ProvisionError(
        f"following {about}",
        f"the connection did not come back: {error.line()}",
        "it goes on by itself; run this step again, which follows it",
    )


def _silent(about: str, look: DrillLook) -> ProvisionError:
    said = f"; its last words: {'; '.join(look.said)}" if look.said else ""
    return ProvisionError(
        f"following {about}",
        f"its script was killed{said}",
        "see why (is memory short?); run this step again: it clears away what that run left",
    )


def _not_begun(look: DrillLook, script: str) -> ProvisionError:
    ended = f"it ended with {look.ended}" if look.ended is not None else "it told nothing of itself"
    said = f": {'; '.join(look.said)}" if look.said else ""
    return ProvisionError(f"running {script}", f"{ended}{said}", "mend what it names; run this step again")
