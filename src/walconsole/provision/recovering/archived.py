"""The new timeline in the archive, and the first line: the end of a recovery."""

from collections.abc import AsyncIterator
from shlex import quote

from walconsole.domain.profile import BucketTarget, PostgresTarget
from walconsole.domain.recovery.recover_state import RecoveryPhase, RecoveryState
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.standing.model import Level
from walconsole.domain.standing.verdict import verdict
from walconsole.droplet.names import names_of
from walconsole.errors import BlockedError, ObjectStoreError, ProvisionError
from walconsole.provision.droplet.commands import os_user, psql, run
from walconsole.provision.engine.model import (
    Check,
    CheckState,
    Command,
    Event,
    Plan,
    Printed,
    Proved,
    Risk,
    Waiting,
)
from walconsole.provision.engine.not_undone import NotUndone
from walconsole.provision.engine.site import Site
from walconsole.provision.recovering.recovery import IN_FORCE, Recovery, site_of

_ARCHIVED_WITHIN_S = 180.0


class NewTimeline(NotUndone):
    """model.Step. Without the history in a copy nothing of the new timeline can be restored from it."""

    id = "recover-archived"
    title = "The new timeline archived"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Archives what was kept of the old server's WAL by the archive command itself, has the recovered "
        "server finish a segment, and looks in each copy for the new timeline's history and that segment."
    )

    def __init__(self, recovery: Recovery) -> None:
        self._recovery, self._site = recovery, recovery.site

    async def check(self) -> Check:
        """DONE once the recovery is: what was kept and the switch are told again until then."""
        if (await self._recovery.state()).phase is RecoveryPhase.DONE:
            return Check(CheckState.DONE, "the new timeline is in each copy")
        return Check(CheckState.NEEDED, "the new timeline is to be archived")

    async def plan(self) -> Plan:
        """The switch, and the files that were kept."""
        state = await self._recovery.state()
        kept = state.kept or 0
        commands = [Command("psql -c 'SELECT pg_switch_wal()'", user=os_user(self._site))]
        if kept:
            commands.insert(0, self._push(state))
        return Plan(
            "archive the new timeline, and look for it in each copy",
            commands=tuple(commands),
            notes=(f"{kept} WAL files of the old server were kept",) if kept else (),
            undo="none: what is archived stays",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError where it does not get into a copy in time."""
        state = await self._recovery.state()
        if state.phase not in IN_FORCE:
            raise BlockedError(self.title, state.words[0], state.words[1])
        async for event in self._push_kept(state):
            yield event
        site = site_of(self._site, state)
        await psql(site, "SELECT pg_logical_emit_message(true, 'walconsole', 'recovered')")
        last = await psql(site, "SELECT pg_walfile_name(pg_switch_wal())")
        history, _ = await self._names(state)
        clock, began = site.clock, site.clock.monotonic()
        while True:
            missing = [*await self._missing(history), *await self._missing(last)]
            if not missing:
                return
            waited = clock.monotonic() - began
            if waited > _ARCHIVED_WITHIN_S:
                where = " and ".join(dict.fromkeys(missing))
                why = f"{history} or {last} is not in {where} after {waited:.0f} s"
                raise ProvisionError("archiving the new timeline", why, "mend archiving; run this step again")
            yield Waiting(f"{history} and {last} are to be archived", waited, _ARCHIVED_WITHIN_S)
            await site.sleep(1.0)

    async def verify(self) -> AsyncIterator[Event]:
        """Each copy, by the profile's own key. Raises ProvisionError."""
        history, _ = await self._names(await self._recovery.state())
        missing = await self._missing(history)
        if missing:
            raise ProvisionError(
                "looking for the new timeline", f"{history} is not in {' and '.join(missing)}"
            )
        for target in self._site.targets():
            yield Proved(f"{history} is in {target.bucket}")

    async def _push_kept(self, state: RecoveryState) -> AsyncIterator[Event]:
        if state.kept:
            async for event in run(self._site, self._push(state), timeout_s=1800.0):
                yield event
            yield Proved(f"{state.kept} WAL files that were kept of the old server are archived")

    def _push(self, state: RecoveryState) -> Command:
        """By the archive command itself, which takes what is there already for done."""
        saved, archive = quote(f"{state.work}/saved"), quote(names_of(self._site.profile).archive)
        loop = f'for each in {saved}/*; do {archive} "$each" "${{each##*/}}" || exit 1; done'
        return Command(loop, user=os_user(self._site))

    async def _names(self, state: RecoveryState) -> tuple[str, int]:
        timeline = int(
            await psql(site_of(self._site, state), "SELECT timeline_id FROM pg_control_checkpoint()")
        )
        return f"{timeline:08X}.history", timeline

    async def _missing(self, name: str) -> list[str]:
        """The copies that have no object of that name, under whichever suffix."""
        missing = []
        for target in self._site.targets():
            try:
                key = await self._key(target, name)
                page = await self._site.store(target).page(start_after=key[:-1])
            except ObjectStoreError as error:
                missing.append(f"{target.bucket} ({error.why})")
                continue
            if not any(each.startswith(key) for each in page.objects.keys[:50]):
                missing.append(target.bucket)
        return missing

    async def _key(self, target: BucketTarget, name: str) -> str:
        """What its key begins with in that copy. Raises ObjectStoreError."""
        return f"{target.prefix}{name}"


class LastWord(NotUndone):
    """model.Step. The first line, read anew; then the recovery is done."""

    id = "recover-verdict"
    title = "The first line"
    risk = Risk.READS
    gated = False
    always = False
    explanation = (
        "Reads everything anew and says the first line, of the recovered cluster as its profile would be. In "
        "the old one's place the recovery is noted as done only where it is OK; elsewhere it is told with "
        "what is left to do, for the profile and the installed scripts still name the old cluster."
    )

    def __init__(self, recovery: Recovery) -> None:
        self._recovery = recovery

    async def check(self) -> Check:
        """DONE once it was said."""
        state = await self._recovery.state()
        if state.phase is RecoveryPhase.DONE:
            return Check(CheckState.DONE, "the recovery is done")
        return Check(CheckState.NEEDED, "the first line is to be read")

    async def plan(self) -> Plan:
        """Nothing is changed."""
        return Plan("read everything anew")

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError where the line is not OK."""
        site, state = self._recovery.site, await self._recovery.state()
        if state.phase not in IN_FORCE:
            raise BlockedError(self.title, state.words[0], state.words[1])
        if site.whole is None:
            raise ProvisionError("reading the first line", "this site cannot be observed")
        its = site_of(site, state).profile
        line = verdict(Assessment(await site.whole(its), site.clock.now()))
        yield Printed(f"{line.level.value}  {line.text}")
        if not state.place.in_place:
            yield Printed(
                "so `walconsole check` says of it, once the profile has "
                f"{_host(site)}{_in_profile(its.postgres)}; then: walconsole provision, whose scripts ask "
                "the new cluster from then on"
            )
        elif line.level is not Level.OK:
            raise ProvisionError(
                "reading the first line", line.text, "see `walconsole check`; run this step again"
            )
        await self._recovery.note("phase", RecoveryPhase.DONE.value)

    async def verify(self) -> AsyncIterator[Event]:
        """Where it stands."""
        yield Proved((await self._recovery.state()).words[0])


def _host(site: Site) -> str:
    """Where the profile names another host from now on."""
    ssh = site.profile.ssh
    if site.production is None:
        return ""
    return f'host = "{ssh.host}", ' + (f"port = {ssh.port}, " if ssh.port else "")


def _in_profile(server: PostgresTarget) -> str:
    if server.cluster is not None:
        return f'cluster = "{server.cluster}"'
    return f"port = {server.port or 'the one above'} and no cluster"
