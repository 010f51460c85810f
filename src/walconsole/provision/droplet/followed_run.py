"""A run of an installed script that is followed to its end, whoever started it.

An SSH connection that is cut in the middle stops nothing: the script goes on to its end by itself, and
whoever looks next follows it. It bounds its own waiting, so that nothing here has to.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Generic, Protocol, Self, TypeVar

from walconsole.domain.records import record
from walconsole.domain.redaction import safe
from walconsole.errors import ProvisionError, ShellError, SshError
from walconsole.provision.droplet.installed_run import InstalledRun
from walconsole.provision.engine.model import Event, Waiting
from walconsole.provision.engine.site import LONGEST_PAUSE_S, Site

_BEGINS_WITHIN_S = 30.0
_AWAY_S = 120.0
"""For so long a connection that is away is waited for."""
_SEEN_DEAD = 2


class RunStatus(Protocol):
    """What a script writes of its run."""

    @property
    def run(self) -> tuple[int, int]:
        """What tells one run from another."""

    @property
    def exit_status(self) -> int | None:
        """None while it goes on."""


Status = TypeVar("Status", bound=RunStatus)


@record
class RunLook(Generic[Status]):
    """The script as it is now. `status` is its own word, of this run or of the last one.

    `lives`: the process that it names runs. `ended` is the exit status of the last run that was started by
    hand, None while it runs. `said` are lines that it printed.
    """

    status: Status | None
    lives: bool
    ended: int | None = None
    said: tuple[str, ...] = ()

    @property
    def running(self) -> Status | None:
        """The run that goes on; None where none does."""
        return self.status if self.lives else None

    @classmethod
    def seen(cls, status: Status | None, lives: str, ended: str, lines: str) -> Self:
        """Of what `InstalledRun._seen` prints, but for the status, which each script words in its own way."""
        return cls(
            status,
            lives.strip() == "lives",
            int(ended) if ended.strip().isdigit() else None,
            tuple(safe(line) for line in lines.splitlines() if line.strip()),
        )


Look = TypeVar("Look", bound=RunLook[Any])
News = Callable[[Look, float], Iterable[Event]]
"""What of a look is new, at a time in seconds of the monotonic clock."""


class FollowedRun(InstalledRun, Generic[Status, Look]):
    """`outcome` is how the run that was followed ended, None where none did.

    `about` is what it is in words, `goes_on` what to do where it cannot be seen any more.
    `another_runs` is the exit status of a run by hand that leaves it to another one, where that is no error.
    """

    about: str
    goes_on: str
    another_runs: int | None = None

    def __init__(self, site: Site, script: str, state: str) -> None:
        super().__init__(site, script, state)
        self.outcome: Status | None = None

    async def look(self) -> Look:
        """As it is now. Raises what the shell raises."""
        raise NotImplementedError

    def news(self) -> News[Look]:
        """For one run that is followed: it remembers what it told."""
        raise NotImplementedError

    async def follow(self, before: tuple[int, int] | None = None) -> AsyncIterator[Event]:
        """Tell how far it is until it has ended; `outcome` says how. `before` is a run that is not meant.

        There is no outcome where what was started leaves it to another one. Raises ProvisionError where it
        does not begin, ends without a word, or cannot be seen any more.
        """
        self.outcome = None
        clock, news = self._site.clock, self.news()
        began = seen_at = clock.monotonic()
        dead = 0
        while True:
            now = clock.monotonic()
            try:
                look = await self.look()
                seen_at = clock.monotonic()
            except (SshError, ShellError) as error:
                if now - seen_at > _AWAY_S:
                    raise self._lost(error) from error
                yield Waiting(
                    f"the connection is away, and {self.about} goes on without it", now - seen_at, _AWAY_S
                )
                await self._site.sleep(1.0)
                continue
            status: Status | None = look.status
            if status is not None and status.run != before:
                for event in news(look, now):
                    yield event
                if status.exit_status is not None:
                    self.outcome = status
                    return
                dead = 0 if look.lives else dead + 1
                if dead > _SEEN_DEAD:
                    raise self._silent(look)
            elif look.ended is not None and look.ended == self.another_runs:
                return
            elif look.ended is not None or now - began > _BEGINS_WITHIN_S:
                raise self._not_begun(look)
            await self._site.rest(min(LONGEST_PAUSE_S, max(1.0, (now - began) / 100)), now)

    def _lost(self, error: SshError | ShellError) -> ProvisionError:
        said = f"the connection did not come back: {error.line()}"
        return ProvisionError(f"following {self.about}", said, self.goes_on)

    def _silent(self, look: Look) -> ProvisionError:
        words = f"; its last words: {'; '.join(look.said)}" if look.said else ""
        return ProvisionError(
            f"following {self.about}",
            f"its script was killed{words}",
            "see why (is memory short?); run this step again: it clears away what that run left",
        )

    def _not_begun(self, look: Look) -> ProvisionError:
        ended = f"it ended with {look.ended}" if look.ended is not None else "it told nothing of itself"
        words = f": {'; '.join(look.said)}" if look.said else ""
        remedy = "mend what it names; run this step again"
        return ProvisionError(f"running {self._script}", f"{ended}{words}", remedy)
