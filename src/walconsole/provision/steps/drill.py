"""A restore drill: made now by the installed script, followed, and what it proved read in each copy."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from walconsole.domain.recovery.backups import BaseBackup, Unreadable
from walconsole.domain.recovery.drill_plan import chosen, forecast
from walconsole.domain.recovery.drill_result import LEVELS, DrillResult
from walconsole.domain.recovery.drill_status import ENDS, DrillStatus
from walconsole.domain.recovery.without_one import take_one
from walconsole.domain.units import bytes_text, duration_text, plural
from walconsole.errors import BlockedError, ObjectStoreError, ProvisionError, WalconsoleError
from walconsole.provision.droplet.drill_run import DrillRun
from walconsole.provision.droplet.schedules import archived_by_other
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import (
    Check,
    CheckState,
    Command,
    Event,
    Fact,
    FactState,
    Plan,
    Printed,
    Proved,
    Risk,
)
from walconsole.provision.engine.not_undone import NotUndone
from walconsole.provision.engine.site import Site
from walconsole.provision.steps.backup_look import looks_at_backups
from walconsole.provision.steps.drill_command import drill_obstacle
from walconsole.provision.steps.drill_look import DrillNeeds, last_good, needs_of, result_here, result_in
from walconsole.provision.steps.look_result import BackupLook

_BLOCKED = frozenset({2, 3, 6})
"""docs/recovery.md: the script's exit statuses where nothing was tried, and no archive is at fault."""
_GOOD = frozenset({0, 5})


class DrillNow(NotUndone):
    """model.Step. Production is not touched: two empty transactions and a switch of the WAL are all.

    Beside a standby, which writes nothing, the primary's own commits are the witnesses.
    """

    id = "drill"
    title = "Restore drill"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Restores the newest base backup beside the server now, by the installed script, replays the WAL up "
        "to this moment, and shows how far it is. Both sides of the moment are proved: of two transactions, "
        "one before and one after it, the restored server knows the first alone. Then all databases are "
        "connected to, the catalogues and a sample of relations are read, and the profile's drill_queries "
        "are asked. The drill's server listens to no network, archives nothing and is never promoted; its "
        "files go at the end, whatever the end is. What was proved is stored beside the backups."
    )

    def __init__(self, site: Site) -> None:
        self._site, self._source = site, site.source
        self._made = ""

    async def check(self) -> Check:
        """NEEDED: it was asked for. BLOCKED where it cannot be made, with the numbers where room is short."""
        blocked = await self._obstacle()
        if blocked is not None:
            return blocked
        survey = await self._source.survey()
        running = (await self._run().look()).running
        if running is not None:
            under_way = Fact("under way", running.id or "one that was just begun", FactState.NOTE)
            return Check(CheckState.NEEDED, "a restore drill is under way: it is followed", (under_way,))
        other = archived_by_other(survey)
        if other is not None:
            whose = Fact("base backup", f"the newest that {other.tool} lists, by its own commands")
            return Check(
                CheckState.NEEDED, f"a restore drill of {other.tool}'s archive is asked for", (whose,)
            )
        looks = await looks_at_backups(self._source)
        backup = self._backup(looks)
        if backup is None:
            why = "; ".join(f"{each.where}: {each.why}" for each in looks)
            remedy = f"take a base backup first: {take_one(self._site.profile.name)}"
            return Check(CheckState.BLOCKED, f"nothing to restore: {why}", remedy=remedy)
        needs = await needs_of(self._site, backup)
        facts = (
            Fact("base backup", f"{backup.id}, {bytes_text(backup.stored_bytes)} stored"),
            Fact("room", f"{needs.folder}: {needs.room}"),
        )
        if not needs.room.suffices:
            remedy = "set drills.folder to a folder on a larger disk, the cluster owner's"
            why = f"no room: {needs.folder} has {needs.room}"
            return Check(CheckState.BLOCKED, why, facts, remedy=remedy)
        return Check(CheckState.NEEDED, "a restore drill is asked for", facts)

    async def plan(self) -> Plan:
        """The one command, what it takes, and how long it may."""
        run = self._run()
        if (await run.look()).running is not None:
            return Plan("follow the restore drill that is under way", undo="none: nothing of it stays")
        other = archived_by_other(await self._source.survey())
        if other is not None:
            return _of_other(other.tool, run.command, _touches(await self._source.survey()))
        backup = self._backup(await looks_at_backups(self._source))
        if backup is None:
            raise ProvisionError("planning a drill", "there is no base backup any more", "take one first")
        needs = await needs_of(self._site, backup)
        wal = bytes_text(needs.segments * needs.segment_bytes)
        return Plan(
            f"restore {backup.id} into {needs.folder}{self._where} and replay "
            f"{plural(needs.segments, 'segment')} ({wal}) up to now",
            commands=(run.command,),
            notes=(
                f"room: {needs.room}",
                await self._time(backup, needs),
                _touches(await self._site.survey()),
                "while it runs a lock lies in the copies, and retention deletes nothing",
                "it goes on by itself where the connection is cut; ended here, it takes all away",
            ),
            undo="none: nothing of it stays but what it proved, PREFIX/walconsole/drills/ID.json",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError with the script's own last word where it proves nothing."""
        run = self._run()
        look = await run.look()
        try:
            if look.running is not None:
                yield Printed("a restore drill is under way, which was begun elsewhere: it is followed")
                async for event in run.follow():
                    yield event
            else:
                async for event in self._before():
                    yield event
                async for event in run.start():
                    yield event
                async for event in run.follow(look.status.run if look.status is not None else None):
                    yield event
        except asyncio.CancelledError:
            with contextlib.suppress(WalconsoleError):  # the connection may be what is gone: it goes on then
                await run.end()
            raise
        if run.outcome is None:
            raise ProvisionError("making a restore drill", "it told no end", "run this step again")
        self._must_be_good(run.outcome)
        self._made = run.outcome.id
        yield Printed(run.outcome.message)

    @property
    def _where(self) -> str:
        """Behind the folder: which host it is on, where that is not production's."""
        return ""

    def _run(self) -> DrillRun:
        return DrillRun(self._site)

    async def _obstacle(self) -> Check | None:
        """BLOCKED where nothing can be drilled."""
        return await drill_obstacle(await self._site.survey(), self._site)

    async def _before(self) -> AsyncIterator[Event]:
        """What is done just before the script is started: on production's host that does all of it."""
        nothing: tuple[Event, ...] = ()
        for event in nothing:
            yield event

    def _must_be_good(self, outcome: DrillStatus) -> None:
        """Raises BlockedError where it could not be tried, ProvisionError for any other bad end."""
        status = outcome.exit_status or 0
        if status in _GOOD:
            return
        means, remedy = ENDS.get(status, (f"exit status {status}", "see what it says"))
        if status in _BLOCKED:
            raise BlockedError(self.title, f"{means}: {outcome.message}", remedy)
        raise ProvisionError("making a restore drill", f"{means}: {outcome.message}", remedy)

    async def verify(self) -> AsyncIterator[Event]:
        """What it proved, read from each copy by the profile's own key; of another tool's archive from the
        droplet. Raises ProvisionError.
        """
        if archived_by_other(await self._site.survey()) is not None:
            result = await result_here(self._site, self._made)
            if isinstance(result, Unreadable) or not result.good:
                why = result.why if isinstance(result, Unreadable) else f"it says {result.outcome}"
                raise ProvisionError("reading what the drill proved", str(why), "run this step again")
            yield Proved(f"{_said(result)}; so it stands on the droplet alone")
            return
        for target in self._site.targets():
            tried = f"reading what the drill {self._made} proved from {target.bucket} in {target.region}"
            try:
                result = await result_in(self._site, target, self._made)
            except ObjectStoreError as error:
                raise ProvisionError(tried, error.why, error.remedy) from None
            if isinstance(result, Unreadable) or not result.good:
                why = result.why if isinstance(result, Unreadable) else f"it says {result.outcome}"
                raise ProvisionError(tried, str(why), "run this step again")
            yield Proved(f"{_said(result)}; so it stands in {target.bucket}")

    def _backup(self, looks: list[BackupLook]) -> BaseBackup | None:
        """The primary copy's newest, as the script chooses; of the other where that has none."""
        for look in looks:
            found = look.backup
            if found is not None and found.system_identifier is not None:
                return chosen([found], found.system_identifier)
        return None

    async def _time(self, backup: BaseBackup, needs: DrillNeeds) -> str:
        earlier = await last_good(self._site, backup.system_identifier or 0)
        told = forecast(
            earlier,
            stored_bytes=backup.stored_bytes,
            unpacked_bytes=backup.unpacked_bytes,
            wal_bytes=needs.segments * needs.segment_bytes,
        )
        if told is None or earlier is None:
            return "how long it takes is not known: none was made yet"
        return f"it may take, by the drill {earlier.id}: {told}, and the reading"


def _said(result: DrillResult) -> str:
    took = duration_text(result.restore_s)
    notes = f" ({result.notes.strip()})" if result.notes.strip() else ""
    return f"{result.backup} was restored in {took}: {LEVELS[result.level]}{notes}"


def _touches(survey: Survey) -> str:
    """What of it reaches production."""
    if survey.server is not None and survey.server.in_recovery:
        return (
            "beside a standby nothing reaches production: what the primary commits by itself are the "
            "witnesses, and where it commits nothing none is made"
        )
    return "production gets two empty transactions and a switch of its WAL; nothing else reaches it"


def _of_other(tool: str, command: Command, touches: str) -> Plan:
    """Of another tool's archive: which backup, and how large, that tool alone knows."""
    return Plan(
        f"restore {tool}'s newest base backup by its own command and replay its WAL up to now",
        commands=(command,),
        notes=(
            "room is judged by the script, by the cluster's size as it is by now",
            touches,
            f"{tool}'s own retention does not know of it: run it where nothing expires meanwhile",
            "it goes on by itself where the connection is cut; ended here, it takes all away",
        ),
        undo="none: nothing of it stays but what it proved, on the droplet, where every console reads it",
    )
