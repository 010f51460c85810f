"""A run of the installed base backup's script: started, so that it needs nobody to listen, followed, ended.

An SSH connection that is cut in the middle stops nothing: the script goes on to its end by itself, and
whoever looks next follows it. It bounds its own waiting, so that nothing here has to.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from walconsole.domain.facts.base_backups import BackupSession
from walconsole.domain.recovery.running import (
    DOING,
    SENDING,
    STREAMING,
    BackupRunStatus,
    Samples,
    left_s,
    rate_of,
    read_status,
    recent,
)
from walconsole.domain.redaction import safe
from walconsole.droplet.names import names_of
from walconsole.errors import DatabaseError, ProvisionError, ShellError, SshError
from walconsole.observe.server.backup_sessions import sessions_of
from walconsole.observe.server.statements import query
from walconsole.provision.droplet.commands import os_user, psql_script, status_of
from walconsole.provision.droplet.installed_run import InstalledRun
from walconsole.provision.engine.model import Event, Moving, Printed, Waiting
from walconsole.provision.engine.site import Site

_BEGINS_WITHIN_S = 30.0
_AWAY_S = 120.0
"""For so long a connection that is away is waited for."""
_LONGEST_PAUSE_S = 10.0
_SEEN_DEAD = 2
_ANOTHER_RUNS = 3
"""docs/recovery.md: the script's exit status where another one runs."""
_STORING = "the copies take in what was sent"


@dataclass(frozen=True, slots=True)
class Look:
    """The script as it is now. `status` is its own word, of this run or of the last one.

    `lives`: the process that it names runs. `ended` is the exit status of the last run that was started by
    hand, None while it runs. `said` are lines that it printed. `sessions` are the server's that take a base
    backup, whoever's; None where it does not answer.
    """

    status: BackupRunStatus | None
    lives: bool
    ended: int | None = None
    said: tuple[str, ...] = ()
    sessions: tuple[BackupSession, ...] | None = None

    @property
    def session(self) -> BackupSession | None:
        """The script's own, None where there is none."""
        name = f"walconsole {self.status.id}" if self.status is not None else ""
        return next((each for each in self.sessions or () if each.application == name), None)

    @property
    def running(self) -> BackupRunStatus | None:
        """The run that goes on; None where none does."""
        return self.status if self.lives else None


class BackupRun(InstalledRun):
    """The script on one droplet. `outcome` is how the run that was followed ended, None where none did."""

    options = " --fast"
    """Who waits for it shall not wait for a checkpoint that is spread."""
    ends_within_s = 10.0

    def __init__(self, site: Site) -> None:
        names = names_of(site.profile)
        super().__init__(site, names.backup, names.backup_state)
        self.outcome: BackupRunStatus | None = None

    async def look(self) -> Look:
        """As it is now. Raises what the shell raises."""
        _, said = await status_of(self._site, await self._looking(), user=os_user(self._site))
        lives, ended, status, lines, progress = (*said.split("\001"), "", "", "", "", "")[:5]
        return Look(
            read_status(status.encode("utf-8", "surrogateescape")),
            lives.strip() == "lives",
            int(ended) if ended.strip().isdigit() else None,
            tuple(safe(line) for line in lines.splitlines() if line.strip()),
            _sessions(progress),
        )

    async def follow(self, before: tuple[int, int] | None = None) -> AsyncIterator[Event]:
        """Tell how far it is until it has ended; `outcome` says how. `before` is a run that is not meant.

        There is no outcome where what was started found that another one runs. Raises ProvisionError where it
        does not begin, ends without a word, or cannot be seen any more.
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
                what = "the connection is away, and the backup goes on without it"
                yield Waiting(what, now - seen_at, _AWAY_S)
                await self._site.sleep(1.0)
                continue
            status = look.status
            if status is not None and status.run != before:
                for event in telling.of(look, status, now):
                    yield event
                if status.exit_status is not None:
                    self.outcome = status
                    return
                dead = 0 if look.lives else dead + 1
                if dead > _SEEN_DEAD:
                    raise _silent(look)
            elif look.ended == _ANOTHER_RUNS:
                return
            elif look.ended is not None or now - began > _BEGINS_WITHIN_S:
                raise _not_begun(look, self._script)
            await self._site.sleep(min(_LONGEST_PAUSE_S, max(1.0, (now - began) / 100)))

    async def _looking(self) -> str:
        psql = await psql_script(self._site, query("base_backup"))
        return f"""{self._seen()}
printf '\\001'
{psql} 2>/dev/null
:"""


class _Telling:
    """What of each look is news, and how fast it goes."""

    def __init__(self) -> None:
        self._state = self._doing = ""
        self._since = 0.0
        self._samples: Samples = ()

    def of(self, look: Look, status: BackupRunStatus, now: float) -> list[Event]:
        told: list[Event] = []
        if status.exit_status is not None or status.state not in DOING:
            return told
        if status.state != self._state:
            self._state = status.state
            told.append(Printed(f"{status.id or 'the backup'}: {DOING[status.state]}"))
        doing = self._words(look, status)
        if doing != self._doing:
            self._doing, self._since = doing, now
        return [*told, self._moving(look, now)]

    def _words(self, look: Look, status: BackupRunStatus) -> str:
        if status.state != STREAMING:
            return DOING[status.state]
        if look.session is not None and look.session.phase:
            return "streaming" if look.session.phase == SENDING else look.session.phase
        return _STORING if self._samples else DOING[STREAMING]

    def _moving(self, look: Look, now: float) -> Moving:
        session, for_s = look.session, now - self._since
        if session is None or session.phase != SENDING or session.sent_bytes is None:
            return Moving(self._doing, for_s)
        self._samples = recent((*self._samples, (now, session.sent_bytes)), now)
        rate, total = rate_of(self._samples), session.total_bytes
        left = left_s(session.sent_bytes, total, rate)
        return Moving(self._doing, for_s, session.sent_bytes, total, rate, left)


def _sessions(progress: str) -> tuple[BackupSession, ...] | None:
    try:
        return sessions_of(progress.strip("\n").partition("\t")[0])
    except DatabaseError:
        return None


def _lost(error: SshError | ShellError) -> ProvisionError:
    return ProvisionError(
        "following the base backup",
        f"the connection did not come back: {error.line()}",
        "the backup goes on to its end by itself; run this step again, which follows it or finds it done",
    )


def _silent(look: Look) -> ProvisionError:
    said = f"; its last words: {'; '.join(look.said)}" if look.said else ""
    return ProvisionError(
        "taking a base backup",
        f"its script was killed{said}",
        "see why (is memory short?); run this step again: it clears away what that run left",
    )


def _not_begun(look: Look, script: str) -> ProvisionError:
    ended = f"it ended with {look.ended}" if look.ended is not None else "it told nothing of itself"
    said = f": {'; '.join(look.said)}" if look.said else ""
    return ProvisionError(f"running {script}", f"{ended}{said}", "mend what it names; run this step again")
