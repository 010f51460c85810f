"""The end of a recovery where pgBackRest archives: its own archive, and a base backup by its own command."""

from collections.abc import AsyncIterator
from shlex import quote

from walconsole.domain.profile import BucketTarget, Engine
from walconsole.domain.recovery.by_tool import own_places
from walconsole.domain.recovery.recover_state import RecoveryPhase, RecoveryState
from walconsole.domain.standing.recovery import restorable
from walconsole.errors import BlockedError, ProvisionError
from walconsole.provision.droplet.commands import os_user, psql, run
from walconsole.provision.engine.model import Check, CheckState, Command, Event, Plan, Proved, Risk
from walconsole.provision.engine.not_undone import NotUndone
from walconsole.provision.recovering.archived import NewTimeline
from walconsole.provision.recovering.recovery import IN_FORCE, Recovery, site_of

_SEGMENT = 24
_FOLDER = 16
_LONGEST_S = 4 * 3600.0


class TheirTimeline(NewTimeline):
    """model.Step. As with ours, in pgBackRest's layout and by its commands."""

    _major: int | None = None
    """PostgreSQL's: asked once, however long the step waits for the archive."""

    def _push(self, state: RecoveryState) -> Command:
        saved = quote(f"{state.work}/saved")
        push = f"{state.pgbackrest} archive-push"
        loop = f'cd {quote(state.tree)} && for each in {saved}/*; do {push} "$each" || exit 1; done'
        return Command(loop, user=os_user(self._site))

    async def _key(self, target: BucketTarget, name: str) -> str:
        """archive/STANZA/15-1/00000002.history, …/0000000200000000/SEGMENT-SUM.gz (archive/common.c)."""
        state = await self._recovery.state()
        if self._major is None:
            self._major = int(await psql(site_of(self._site, state), "SHOW server_version_num")) // 10_000
        _, stanza = own_places(state.pgbackrest)
        below = f"{target.prefix}archive/{stanza}/"
        first = (await self._site.store(target).page(start_after=f"{below}{self._major}-")).objects.keys[:1]
        database = first[0].removeprefix(below).partition("/")[0] if first else f"{self._major}-1"
        lies = f"{name[:_FOLDER]}/{name}" if len(name) == _SEGMENT else name
        return f"{below}{database}/{lies}"


class TheirBackup(NotUndone):
    """model.Step. Without one on the new timeline every later restore replays all WAL from before."""

    id = "backup"
    title = "Base backup"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = "Takes a full base backup of the recovered cluster by pgBackRest, on the new timeline."

    def __init__(self, recovery: Recovery) -> None:
        self._recovery, self._site = recovery, recovery.site

    async def check(self) -> Check:
        """DONE once the recovery is."""
        if (await self._recovery.state()).phase is RecoveryPhase.DONE:
            return Check(CheckState.DONE, "it was taken")
        return Check(CheckState.NEEDED, "a base backup is to be taken on the new timeline")

    async def plan(self) -> Plan:
        """pgBackRest's own command."""
        commands = self._commands(await self._recovery.state())
        return Plan("take a base backup by pgBackRest", commands=commands, undo="base backups stay")

    async def apply(self) -> AsyncIterator[Event]:
        """Raises BlockedError, ProvisionError with its last words."""
        state = await self._recovery.state()
        if state.phase not in IN_FORCE:
            raise BlockedError(self.title, state.words[0], state.words[1])
        for command in self._commands(state):
            async for event in run(self._site, command, timeout_s=_LONGEST_S):
                yield event

    async def verify(self) -> AsyncIterator[Event]:
        """The copies are read. Raises ProvisionError where none leads to the new timeline."""
        if self._site.snapshot is None:
            raise ProvisionError("looking for the base backup", "this site cannot be observed")
        known = restorable(await self._site.snapshot(), by_installed=False)
        newest = known.found.newest_usable if known is not None and known.found is not None else None
        if known is None or newest is None or newest.held.backup.timeline != known.found.target:
            raise ProvisionError(
                "looking for the base backup",
                "the copies hold none of the new timeline",
                "run this step again",
            )
        yield Proved(f"{newest.held.backup.id} is on timeline {newest.held.backup.timeline}")

    def _commands(self, state: RecoveryState) -> tuple[Command, ...]:
        """Into the repository that pgBackRest takes by itself; into each where the console set them up."""
        repositories = [""]
        if self._site.profile.engine is Engine.PGBACKREST:
            repositories = [f"--repo={number} " for number, _ in enumerate(self._site.targets(), start=1)]
        return tuple(
            Command(f"{state.pgbackrest} {repository}--type=full backup", user=os_user(self._site))
            for repository in repositories
        )
