"""A run of the installed restore drill: started so that it needs nobody to listen, followed, ended."""

from collections.abc import Mapping

from walconsole.domain.recovery.drill_status import DOING, FETCHING, REPLAYING, DrillStatus, read_drill_status
from walconsole.domain.recovery.running import Samples, left_s, rate_of, recent
from walconsole.droplet.names import names_of
from walconsole.provision.droplet.commands import os_user, status_of
from walconsole.provision.droplet.followed_run import FollowedRun, News, RunLook
from walconsole.provision.engine.model import Event, Moving, Printed
from walconsole.provision.engine.site import Site

DrillLook = RunLook[DrillStatus]
"""The drill's script as it is now."""

_MOST_OF_A_WAIT = 240
"""Signs of what a script says of what it waits for."""


class DrillRun(FollowedRun[DrillStatus, DrillLook]):
    """The script on one droplet. `doing` are those of its states that are not ends, in words."""

    about = "the restore drill"
    modest = True
    goes_on = "it goes on by itself; run this step again, which follows it"
    doing = DOING
    ends_within_s = 60.0
    """It ends its server first, and takes files and lock away."""

    def __init__(self, site: Site) -> None:
        names = names_of(site.profile)
        super().__init__(site, names.drill, names.drill_state)

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
        told = read_drill_status(status.encode("utf-8", "surrogateescape"))
        return DrillLook.seen(told, lives, ended, lines)

    def news(self) -> News[DrillLook]:
        """Each state once, then how far it is."""
        return _Telling(self.about, self.doing).of


class _Telling:
    """What of each look is news, and how fast it goes."""

    def __init__(self, about: str, doing: Mapping[str, str]) -> None:
        self._about, self._doing = about, doing
        self._state = ""
        self._since = 0.0
        self._samples: Samples = ()

    def of(self, look: DrillLook, now: float) -> list[Event]:
        told: list[Event] = []
        status = look.status
        if status is None or status.exit_status is not None or status.state not in self._doing:
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
        waits = f"; it waits: {status.message[:_MOST_OF_A_WAIT]}" if status.message else ""
        return Moving(f"{self._doing[REPLAYING]}: {counted}{reached}{waits}", for_s)

    def _counted(self, what: str, for_s: float, done: int | None, total: int | None, now: float) -> Event:
        if done is None:
            return Moving(what, for_s)
        self._samples = recent((*self._samples, (now, done)), now)
        rate = rate_of(self._samples)
        return Moving(what, for_s, done, total, rate, left_s(done, total, rate))
