"""The steps of a recovery that are otherwise on another host: nothing of the old cluster is there.

Production's host may be gone. Where it answers, its server's last WAL is archived first, and it is stopped
there before the recovered one takes writes.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from shlex import join, quote

from walconsole.domain.recovery.other_host import ClusterNeeds
from walconsole.droplet.files import DropletFile
from walconsole.droplet.names import names_of
from walconsole.errors import ProvisionError
from walconsole.provision.droplet.commands import ask, os_user, psql, run
from walconsole.provision.droplet.schedules import wanted_recover_file
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.elsewhere.drilling import STAYS_THERE, restoring_files
from walconsole.provision.elsewhere.host import OtherHostLook
from walconsole.provision.elsewhere.place import lies_at
from walconsole.provision.engine.model import (
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    FactState,
    Plan,
    Printed,
)
from walconsole.provision.recovering.choosing import KeepOld, RecoverCommand
from walconsole.provision.recovering.control import NOBODYS, OldServer
from walconsole.provision.recovering.recovery import Recovery

_LONGEST_PUSH_S = 1800.0


class HostForRecovery(OtherHostLook):
    """model.Step. What production cannot be asked for the archive tells."""

    def __init__(self, recovery: Recovery) -> None:
        super().__init__(recovery.site, self._by_archive)
        self._recovery = recovery

    async def check(self) -> Check:
        """Not once more where a recovery was begun there: by then its cluster is on that host."""
        state = await self._recovery.state()
        if state.is_open:
            told, to_do = state.words
            stands = Fact("stands", told, FactState.NOTE, to_do)
            return Check(
                CheckState.DONE, f"the recovery {state.id} was begun on {self._site.where}", (stands,)
            )
        return await super().check()

    async def _by_archive(self, needs: ClusterNeeds) -> ClusterNeeds:
        backup = (await self._recovery.plan()).backup
        if backup is None:
            return needs
        major = needs.major or (backup.server_version_num or 0) // 10_000 or None
        return replace(
            needs,
            major=major,
            system_identifier=needs.system_identifier or str(backup.system_identifier or ""),
        )


class RecoverCommandElsewhere(RecoverCommand):
    """model.Step. With the restore command, and the certificates by which that knows the stores."""

    how_undone = STAYS_THERE

    async def _obstacle(self, survey: Survey) -> Check | None:
        return None  # HostForRecovery looked

    def _script(self, survey: Survey) -> DropletFile:
        return wanted_recover_file(self._site, survey)

    def _files(self, survey: Survey) -> tuple[DropletFile, ...]:
        return (*restoring_files(self._site), self._script(survey))


class KeepElsewhere(KeepOld):
    """model.Step. Production goes on; what its archive has not yet is archived, where that can be."""

    explanation = (
        "Makes the recovery's own folder on the other host. Where production's server runs, its WAL is "
        "switched and waited for in the archive; where only its host answers, what waits in its pg_wal is "
        "archived by the archive command. Where that host is gone the recovery goes on without, and says "
        "so. Nothing is stopped yet."
    )

    async def check(self) -> Check:
        """DONE once it is noted."""
        state = await self._recovery.state()
        if state.is_open and state.kept is not None:
            return Check(CheckState.DONE, f"the recovery {state.id} is noted on {self._site.where}")
        old = await self._recovery.old()
        facts = (Fact("old server", self._told(old), FactState.OK if old.runs else FactState.WARNING),)
        return Check(CheckState.NEEDED, "what the archive has not yet is to be archived", facts)

    async def plan(self) -> Plan:
        """The folder, and the switch."""
        old = await self._recovery.old()
        return Plan(
            f"have production's last WAL archived, and note the recovery on {self._site.where}",
            commands=(Command(f"mkdir -m 700 {quote(await self._work(old))}", user=os_user(self._site)),),
            notes=(self._told(old), "production's server is not stopped by this"),
            undo="nothing of it is undone",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError; where production cannot archive it goes on."""
        state, old = await self._recovery.state(), await self._recovery.old()
        if not state.is_open:
            async for event in self._begin(NOBODYS):
                yield event
        source = "".join(sign for sign in self._site.source.where if sign not in "[]")
        await self._recovery.note("elsewhere", source)
        if old.runs:
            async for event in self._archive_last():
                yield event
            await self._recovery.note("preloaded", await self._preloaded())
        elif self._away:
            yield Printed(self._told(old))
        else:
            async for event in self._push_waiting(old):
                yield event
        await self._recovery.note("kept", "0")

    @property
    def _away(self) -> str:
        production = self._site.production
        return production.away if production is not None else ""

    def _told(self, old: OldServer) -> str:
        where = self._site.source.where
        if self._away:
            return (
                f"{where} does not answer ({self._away}): what its server had not archived is not recovered"
            )
        if old.runs:
            return f"its WAL is switched on {where}, and waited for in the archive for a minute"
        return (
            f"its server on {where} does not run: what waits in its pg_wal is archived, if that still can be"
        )

    async def _work(self, old: OldServer) -> str:
        lies = lies_at((await self._recovery.plan()).wish.place)
        folder, _, name = lies.rpartition("/")
        return f"{folder}/{name}.recovery-{self._recovery.id}"

    async def _begin(self, old: OldServer) -> AsyncIterator[Event]:
        folder = (await self._work(old)).rpartition("/")[0]
        script = join(("mkdir", "-p", "-m", "755", "--", folder))
        await ask(self._site, script, user=os_user(self._site), tried=f"making {folder}")
        async for event in super()._begin(old):
            yield event

    async def _preloaded(self) -> str:
        said = await psql(self._site.source, "SHOW shared_preload_libraries")
        return "".join(sign for sign in said if sign.isalnum() or sign in "-_./,")

    async def _push_waiting(self, old: OldServer) -> AsyncIterator[Event]:
        """What is marked as waiting, the oldest first; a segment that was not finished stays where it is."""
        source = self._site.source
        archive, data = quote(names_of(source.profile).archive), quote(old.data)
        loop = (
            f'cd {data} || exit 1; for each in pg_wal/archive_status/*.ready; do [ -e "$each" ] || continue; '
            f'name=${{each##*/}}; name=${{name%.ready}}; {archive} "pg_wal/$name" "$name" || exit 1; done'
        )
        try:
            async for event in run(source, Command(loop, user=os_user(source)), timeout_s=_LONGEST_PUSH_S):
                yield event
        except ProvisionError as error:
            yield Printed(
                f"what waits in {old.data}/pg_wal cannot be archived: {error.why}; it goes on without"
            )
            return
        yield Printed(f"what waited in {old.data}/pg_wal is archived; its last, unfinished segment is not")


async def goes_on(recovery: Recovery) -> bool:
    """Whether the recovery needs its keys again."""
    return (await recovery.state()).is_open
