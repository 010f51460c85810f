"""A run of the installed base backup's script: started so that it needs nobody to listen, followed, ended."""

from dataclasses import replace

from walconsole.domain.facts.base_backups import BackupSession
from walconsole.domain.records import record
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
from walconsole.droplet.names import names_of
from walconsole.errors import DatabaseError
from walconsole.observe.server.backup_sessions import sessions_of
from walconsole.observe.server.statements import query
from walconsole.provision.droplet.commands import os_user, psql_script, status_of
from walconsole.provision.droplet.followed_run import FollowedRun, News, RunLook
from walconsole.provision.engine.model import Event, Moving, Printed
from walconsole.provision.engine.site import Site

_ANOTHER_RUNS = 3
"""docs/recovery.md: the script's exit status where another one runs."""
_STORING = "the copies take in what was sent"


@record
class Look(RunLook[BackupRunStatus]):
    """The base backup's script as it is now. `sessions` are the server's that take a base backup, whoever's;
    None where it does not answer.
    """

    sessions: tuple[BackupSession, ...] | None = None

    @property
    def session(self) -> BackupSession | None:
        """The script's own, None where there is none."""
        name = f"walconsole {self.status.id}" if self.status is not None else ""
        return next((each for each in self.sessions or () if each.application == name), None)


class BackupRun(FollowedRun[BackupRunStatus, Look]):
    """The script on one droplet."""

    options = " --fast"
    """Who waits for it shall not wait for a checkpoint that is spread."""
    about = "the base backup"
    goes_on = "it goes on to its end by itself; run this step again, which follows it or finds it done"
    another_runs = _ANOTHER_RUNS
    ends_within_s = 10.0

    def __init__(self, site: Site) -> None:
        names = names_of(site.profile)
        super().__init__(site, names.backup, names.backup_state)

    async def look(self) -> Look:
        """As it is now. Raises what the shell raises."""
        _, said = await status_of(self._site, await self._looking(), user=os_user(self._site))
        lives, ended, status, lines, progress = (*said.split("\001"), "", "", "", "", "")[:5]
        told = read_status(status.encode("utf-8", "surrogateescape"))
        return replace(Look.seen(told, lives, ended, lines), sessions=_sessions(progress))

    def news(self) -> News[Look]:
        """Each state once, then how far it is."""
        return _Telling().of

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

    def of(self, look: Look, now: float) -> list[Event]:
        told: list[Event] = []
        status = look.status
        if status is None or status.exit_status is not None or status.state not in DOING:
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
