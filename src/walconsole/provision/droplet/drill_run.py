"""A run of the installed restore drill: started so that it needs nobody to listen, followed, ended.

As `backup_run`: a connection that is cut stops nothing, and whoever looks next follows it.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from shlex import quote

from walconsole.domain.recovery.drill_status import DOING, FETCHING, REPLAYING, DrillStatus, read_drill_status
from walconsole.domain.recovery.running import Samples, left_s, rate_of, recent
from walconsole.domain.redaction import safe
from walconsole.droplet.names import names_of
from walconsole.errors import ProvisionError, ShellError, SshError
from walconsole.observe.host.host_script import assignment, script_named
from walconsole.provision.droplet.commands import ask, os_user, status_of
from walconsole.provision.engine.model import Command, Event, Moving, Printed, Ran, Waiting
from walconsole.provision.engine.site import Site

_BEGINS_WITHIN_S = 30.0
_AWAY_S = 120.0
"""For so long a connection that is away is waited for."""
_LONGEST_PAUSE_S = 10.0
_ENDS_WITHIN_S = 60.0
"""After TERM it is waited for so long; it ends its server, and takes files and lock away, without us, too."""
_SEEN_DEAD = 2
ANOTHER_RUNS = 3
"""docs/recovery.md: the script's exit status where another one runs, or the lock is another's."""
_FILES = "by-hand"
"""In the script's state folder: what a run that was started here said, and with what it ended."""


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


class DrillRun:
    """The script on one droplet. `outcome` is how the run that was followed ended, None where none did."""

    def __init__(self, site: Site) -> None:
        names = names_of(site.profile)
        self._site, self._script, self._state = site, names.drill, names.drill_state
        self.outcome: DrillStatus | None = None

    @property
    def command(self) -> Command:
        """What an operator types."""
        return Command(quote(self._script), user=os_user(self._site))

    async def look(self) -> DrillLook:
        """As it is now. Raises what the shell raises."""
        _, said = await status_of(self._site, self._looking(), user=os_user(self._site))
        lives, ended, status, lines = (*said.split("\001"), "", "", "", "")[:4]
        return DrillLook(
            read_drill_status(status.encode("utf-8", "surrogateescape")),
            lives.strip() == "lives",
            int(ended) if ended.strip().isdigit() else None,
            tuple(safe(line) for line in lines.splitlines() if line.strip()),
        )

    async def start(self) -> AsyncIterator[Event]:
        """Let it go. Raises ProvisionError."""
        yield Ran(self.command)
        tried = f"starting {self._script} on the droplet"
        await ask(self._site, self._launch(), user=os_user(self._site), tried=tried)

    async def follow(self, before: tuple[int, int] | None = None) -> AsyncIterator[Event]:
        """Tell how far it is until it has ended; `outcome` says how. `before` is a run that is not meant.

        Raises ProvisionError where it does not begin, ends without a word, or cannot be seen any more.
        """
        self.outcome = None
        clock, telling = self._site.clock, _Telling()
        began = seen_at = clock.monotonic()
        dead = 0
        while True:
            now = clock.monotonic()
            try:
                look = await self.look()
                seen_at = clock.monotonic()
            except (SshError, ShellError) as error:
                if now - seen_at > _AWAY_S:
                    raise _lost(error) from error
                what = "the connection is away, and the drill goes on without it"
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
                    raise _silent(look)
            elif look.ended is not None or now - began > _BEGINS_WITHIN_S:
                raise _not_begun(look, self._script)
            await self._site.sleep(min(_LONGEST_PAUSE_S, max(1.0, (now - began) / 100)))

    async def end(self) -> None:
        """TERM to it: it takes away what it made. Raises what the shell raises."""
        tries = int(_ENDS_WITHIN_S * 5)
        script = f"""{self._finding()}
[ -n "$run_lives" ] || exit 0
kill "$run_pid"
for n in $(seq {tries}); do
    kill -0 "$run_pid" 2>/dev/null || exit 0
    sleep 0.2
done"""
        await status_of(self._site, script, user=os_user(self._site), timeout_s=_ENDS_WITHIN_S + 10)

    def _finding(self) -> str:
        """Sets what observe/scripts/base_backup.sh says, of this script."""
        state = assignment("run_state", self._state.encode())
        name = assignment("run_name", self._script.rpartition("/")[2].encode())
        return f"{state}{name}{script_named('base_backup.sh')}look_at_run"

    def _looking(self) -> str:
        # What is read before may only be older than what is read after: a run tells its end, then it ends.
        said = f"{quote(self._state)}/{_FILES}"
        return f"""ended=$(cat {said}.ended 2>/dev/null)
{self._finding()}
printf '%s\\001%s\\001%s\\001' "$run_lives" "$ended" "$run_status"
tail -n 5 {said}.said 2>/dev/null
:"""

    def _launch(self) -> str:
        """As its owner, in its own folder, with nothing of this shell's open."""
        inner = f'"$1" >./{_FILES}.said 2>&1; echo "$?" >./{_FILES}.ended'
        return f"""cd -- {quote(self._state)} || exit 1
rm -f ./{_FILES}.ended ./{_FILES}.said
if command -v setsid >/dev/null; then detached=setsid; else detached=nohup; fi
$detached /bin/sh -c {quote(inner)} sh {quote(self._script)} </dev/null >/dev/null 2>&1 &
"""


class _Telling:
    """What of each look is news, and how fast it goes."""

    def __init__(self) -> None:
        self._state = ""
        self._since = 0.0
        self._samples: Samples = ()

    def of(self, status: DrillStatus, now: float) -> list[Event]:
        told: list[Event] = []
        if status.exit_status is not None or status.state not in DOING:
            return told
        if status.state != self._state:
            self._state, self._since, self._samples = status.state, now, ()
            told.append(Printed(f"{status.backup or 'the drill'}: {DOING[status.state]}"))
        return [*told, self._moving(status, now)]

    def _moving(self, status: DrillStatus, now: float) -> Event:
        for_s = now - self._since
        if status.state == FETCHING:
            return self._counted(DOING[FETCHING], for_s, status.done_bytes, status.total_bytes, now)
        if status.state != REPLAYING:
            return Moving(DOING[status.state], for_s)
        counted = f"{status.segments_done or 0} of {status.segments or 'n/a'} segments"
        reached = f", up to {status.reached}" if status.reached else ""
        return Moving(f"{DOING[REPLAYING]}: {counted}{reached}", for_s)

    def _counted(self, what: str, for_s: float, done: int | None, total: int | None, now: float) -> Event:
        if done is None:
            return Moving(what, for_s)
        self._samples = recent((*self._samples, (now, done)), now)
        rate = rate_of(self._samples)
        return Moving(what, for_s, done, total, rate, left_s(done, total, rate))


def _lost(error: SshError | ShellError) -> ProvisionError:
    return ProvisionError(
        "following the restore drill",
        f"the connection did not come back: {error.line()}",
        "the drill goes on to its end by itself; run this step again, which follows it",
    )


def _silent(look: DrillLook) -> ProvisionError:
    said = f"; its last words: {'; '.join(look.said)}" if look.said else ""
    return ProvisionError(
        "making a restore drill",
        f"its script was killed{said}",
        "see why (is memory short?); run this step again: it clears away what that run left",
    )


def _not_begun(look: DrillLook, script: str) -> ProvisionError:
    ended = f"it ended with {look.ended}" if look.ended is not None else "it told nothing of itself"
    said = f": {'; '.join(look.said)}" if look.said else ""
    return ProvisionError(f"running {script}", f"{ended}{said}", "mend what it names; run this step again")
