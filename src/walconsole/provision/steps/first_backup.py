"""A base backup: taken now by the installed script, seen to arrive, and read in each copy."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from walconsole.domain.recovery.backups import Writer
from walconsole.domain.recovery.running import BackupRunStatus
from walconsole.domain.recovery.words import Limits, too_old
from walconsole.domain.units import age_text, bytes_text
from walconsole.errors import BlockedError, ProvisionError, WalconsoleError
from walconsole.provision.droplet.backup_run import BackupRun
from walconsole.provision.droplet.commands import DATABASE_BYTES, psql
from walconsole.provision.droplet.survey import Survey
from walconsole.provision.engine.model import (
    Check,
    CheckState,
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
from walconsole.provision.steps.backup_command import obstacle
from walconsole.provision.steps.backup_look import looks_at_backups, missing_after
from walconsole.provision.steps.look_result import BackupLook

_CANNOT = 2
"""docs/recovery.md: this cluster cannot be backed up so. Nothing was written."""
_ONE_COPY = 5
_REMEDIES = {
    _ONE_COPY: "mend what that copy names; then run this step again, which takes one into both",
    4: "run this step again; where it comes back, ask who else writes there, or the store",
}


class FirstBackup(NotUndone):
    """model.Step. Without a base backup in each copy nothing can be restored: nothing is done before."""

    id = "first-backup"
    title = "First backup"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Takes a base backup now, by the installed script, and shows how far it is. It is done where each "
        "copy holds the newest complete one of this very cluster with all WAL that it needs, as its "
        "backup.json says, which is read from the copy itself, where that is not too old to be of use at "
        "night, and where no segment between it and the newest is missing in every copy. The script goes on "
        "by itself on the droplet where the connection is cut or this console is killed; run again, the "
        "step follows it. Ended by you it takes away what it stored. There is no half backup: what has no "
        "backup.json is none."
    )

    _when_ended = "it takes away what it stored"

    def __init__(self, site: Site) -> None:
        self._site = site
        self._taken = ""

    async def _obstacle(self, survey: Survey) -> Check | None:
        return await obstacle(survey, self._site)

    async def check(self) -> Check:
        """What each copy holds, and whether one is being taken."""
        survey = await self._site.survey()
        blocked = await self._obstacle(survey)
        if blocked is not None:
            return blocked
        looks = await looks_at_backups(self._site)
        facts = tuple(self._fact(look) for look in looks)
        running = (await BackupRun(self._site).look()).running
        if running is not None:
            facts += (Fact("under way", running.id or "one that was just begun", FactState.NOTE),)
        return self._judged(looks, facts, survey.server.segment_bytes if survey.server is not None else 0)

    def _judged(self, looks: list[BackupLook], facts: tuple[Fact, ...], segment_bytes: int) -> Check:
        """DONE where each copy holds the newest, that is not too old, and WAL leads on from it."""
        why = what_is_to_do(looks, self._site.clock.now())
        gap = missing_after(looks, segment_bytes) if segment_bytes and not why else ""
        if gap:
            why = f"nothing after the newest base backup's WAL can be restored: no copy holds {gap}"
        if not why:
            return Check(CheckState.DONE, "the newest complete base backup is in each copy", facts)
        return Check(CheckState.NEEDED, why, facts)

    async def plan(self) -> Plan:
        """The one command, and what it costs."""
        database_bytes = int(await psql(self._site, DATABASE_BYTES) or 0)
        run = BackupRun(self._site)
        running = (await run.look()).running
        where = _and([f"{target.bucket} ({target.region})" for target in self._site.targets()])
        price = self._site.profile.price
        notes = [
            "the server writes its checkpoint at once: for a moment more is written to the disk",
            f"it goes on by itself where the connection is cut; ended here, {self._when_ended}",
        ]
        if running is not None:
            notes.insert(0, f"one is under way ({running.id or 'just begun'}): that one is followed first")
        return Plan(
            f"take a base backup of {bytes_text(database_bytes)} now, into {where}",
            commands=(run.command,),
            notes=tuple(notes),
            cost=f"{price.currency}{price.per_gib_month:g} a GiB and month of what is stored, in each copy",
            undo="none: a base backup is never deleted by undo",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError with the script's own last word where it does not end well."""
        run = BackupRun(self._site)
        look = await run.look()
        if look.running is not None:
            yield Printed("a base backup is under way, which was begun elsewhere: it is followed")
            async for event in run.follow():
                yield event
            if run.outcome is not None and await self._settles(run.outcome):
                yield Printed(f"{run.outcome.id} was taken")
                return
            look = await run.look()
        try:
            async for event in run.start():
                yield event
            async for event in run.follow(look.status.run if look.status is not None else None):
                yield event
        except asyncio.CancelledError:
            with contextlib.suppress(WalconsoleError):  # the connection may be what is gone: it goes on then
                await run.end()
            raise
        if run.outcome is None:
            why, remedy = "another one was begun at the same moment", "run this step again, which follows it"
            raise ProvisionError("taking a base backup", why, remedy)
        self._must_be_good(run.outcome)
        self._taken = run.outcome.id
        yield Proved(run.outcome.message)

    async def _settles(self, outcome: BackupRunStatus) -> bool:
        """Whether one that somebody else began is all that this step is to bring about."""
        if outcome.exit_status == 0:
            self._taken = outcome.id
        return bool(self._taken)

    def _must_be_good(self, outcome: BackupRunStatus) -> None:
        """Raises BlockedError where this cluster cannot be backed up so, ProvisionError for any other end."""
        status = outcome.exit_status
        if status == _CANNOT:
            raise BlockedError(self.title, outcome.message, "nothing was written; mend what it names")
        if status != 0:
            remedy = _REMEDIES.get(status or 0, "mend what it names; then run this step again")
            raise ProvisionError("taking a base backup", outcome.message, remedy)

    async def verify(self) -> AsyncIterator[Event]:
        """The backup's own description, from each copy by the profile's own key. Raises ProvisionError."""
        for look in await looks_at_backups(self._site, self._taken):
            if look.backup is None:
                tried = f"reading {self._taken or 'the base backup'} from {look.where}"
                raise ProvisionError(tried, look.why, look.remedy or "run this step again")
            backup, segment_bytes = look.backup, look.backup.segment_bytes or 0
            ends = (backup.first_segment(segment_bytes), backup.last_segment(segment_bytes))
            wal = " to ".join(dict.fromkeys(each.name(segment_bytes) for each in ends if each is not None))
            stored = bytes_text(backup.stored_bytes)
            yield Proved(f"{backup.id} is complete in {look.where}: {stored}, and its WAL {wal}")

    def _fact(self, look: BackupLook) -> Fact:
        if look.backup is None:
            return Fact(look.where, look.why, FactState.NOTE, look.remedy)
        stopped = look.backup.stopped
        age = age_text(self._site.clock.now() - stopped) if stopped is not None else "at an unknown time"
        return Fact(look.where, f"{look.backup.id}, {bytes_text(look.backup.stored_bytes)}, {age}")


class BackupNow(FirstBackup):
    """The same for `walconsole backup`: one more is taken, whatever there is."""

    id = "backup"
    title = "Base backup"

    def _judged(self, looks: list[BackupLook], facts: tuple[Fact, ...], segment_bytes: int) -> Check:
        """NEEDED always: it was asked for."""
        return Check(CheckState.NEEDED, "a base backup is asked for", facts)


def what_is_to_do(looks: list[BackupLook], now: float) -> str:
    """What is wrong with the copies' newest base backups, by the rule of `backup-stale`; else empty.

    Ours is one backup in every copy; pgBackRest's repositories have each their own.
    """
    lacking = [look.where for look in looks if look.backup is None]
    if lacking:
        return f"no complete base backup of this cluster in {_and(lacking)}"
    held = [(look.where, look.backup) for look in looks if look.backup is not None]
    newest = max((backup.id for _, backup in held), default="")
    behind = [where for where, backup in held if backup.id != newest and backup.writer is Writer.OURS]
    if behind:
        return f"the newest complete base backup, {newest}, is not in {_and(behind)}"
    old = next((said for _, backup in held if (said := too_old(backup, now, Limits()))), "")
    return f"the newest complete base backup{old}" if old else ""


def _and(names: list[str]) -> str:
    return " and ".join(names)
