"""`walconsole expire`: what no rule keeps is shown, agreed to, deleted, and looked at again."""

from collections.abc import AsyncIterator, Iterator

from walconsole.domain.recovery.expiry import newest_complete
from walconsole.domain.recovery.expiry_words import (
    NO_RULE,
    going_lines,
    staying_lines,
    total_text,
    window_text,
)
from walconsole.domain.recovery.going import CopyKeys, more_than, unsendable
from walconsole.domain.standing.retention import Retention
from walconsole.domain.units import plural
from walconsole.errors import BlockedError, ProvisionError
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
from walconsole.provision.retention.archive_lock import ArchiveLock
from walconsole.provision.retention.deleting import CopyDeletion
from walconsole.provision.retention.look import Look, look, target_of
from walconsole.provision.retention.seen import whats_wrong
from walconsole.provision.retention.unattended import Unattended, open_recovery

_ADD_RULE = "say what to keep in the profile, such as keep = { full = 7, days = 14 }"
_MEND = "mend what it says; nothing was deleted"
_END_IT = "end it first: what it goes on by may be needed by nothing else"
_ANEW = "nothing was deleted; look at the new plan (walconsole expire --plan)"


def expire_steps(site: Site, unattended: Unattended | None = None) -> tuple["Expire", "ReleaseLock"]:
    """Retention by the profile's rules, and the lock given back, whatever becomes of it.

    `unattended`: what a run asks besides that nobody watches.
    """
    lock = ArchiveLock(site, "retention (walconsole expire)")
    return Expire(site, lock, unattended), ReleaseLock(lock)


class Expire(NotUndone):
    """model.Step. Deletes what was shown, or less; never more."""

    id = "expire"
    title = "Retention"
    risk = Risk.CHANGES
    gated = True
    always = False
    explanation = (
        "Deletes base backups that no rule of the profile (keep) keeps, and the WAL that no backup which "
        "stays needs, in the primary bucket first, then in DR. Both are judged apart, and a copy about which "
        "anything is in doubt is left alone. A lock in both copies keeps others out. Just before, everything "
        "is listed and planned anew: where that would delete more than was shown, or is refused, it stops. "
        "Interrupted at any moment it can be run again. What is deleted cannot be brought back."
    )

    def __init__(self, site: Site, lock: ArchiveLock, unattended: Unattended | None = None) -> None:
        self._site, self._lock, self._unattended = site, lock, unattended
        self._shown: Look | None = None
        self._applied: Look | None = None
        self.said = ""
        """The last word of a run that went well."""
        self.waited = False
        """Whether it judged nothing, for something is to end or to come first."""

    @property
    def newest(self) -> dict[str, str]:
        """The ids of the newest complete base backups by their copy's role, as they were looked at last."""
        seen = self._applied or self._shown
        copies = seen.found.copies if seen is not None and seen.found is not None else ()
        newest = ((copy.role.value, newest_complete(copy)) for copy in copies)
        return {role: backup.id for role, backup in newest if backup is not None}

    async def check(self) -> Check:
        """Everything is looked at anew, each time."""
        check = await self._judged()
        self.said = check.summary
        return check

    async def _judged(self) -> Check:
        if self._site.profile.keep is None:
            return Check(CheckState.BLOCKED, NO_RULE, remedy=_ADD_RULE)
        self._shown = shown = await look(self._site, self._lock)
        found = shown.found
        if found is None or found.plan is None:
            why = "; ".join(shown.refused) or "it could not be looked at"
            return Check(CheckState.BLOCKED, f"nothing can be deleted: {why}", remedy=_MEND)
        facts = tuple(self._facts(shown, found))
        waits_for = await self._waits_for(shown)
        self.waited = bool(waits_for)
        if waits_for:
            return Check(CheckState.DONE, f"not now: {waits_for}", facts)
        if recovering := await open_recovery(self._site):
            return Check(CheckState.BLOCKED, f"nothing can be deleted: {recovering}", facts, _END_IT)
        odd = unsendable(shown.copies)
        if odd:
            why = f"the name of {odd!r} cannot be sent"
            return Check(CheckState.BLOCKED, why, facts, "delete that object by hand")
        if not shown.empty:
            going = "; ".join(
                f"{self._bucket(each)}: {total_text(each)}" for each in shown.copies if each.keys
            )
            return Check(CheckState.NEEDED, f"no rule keeps {going}", facts)
        refused = _refused(found)
        if refused:
            return Check(CheckState.BLOCKED, f"nothing can be deleted: {refused[0]}", facts, _MEND)
        return Check(CheckState.DONE, f"nothing goes (keep: {found.keep})", facts)

    async def plan(self) -> Plan:
        """What goes by numbers (the check has it by name), and what can be restored before and after."""
        shown = await self._seen()
        found = shown.found
        if found is None or found.plan is None:
            raise BlockedError(self.title, "nothing can be planned", _MEND)
        before, after = (window_text(each, shown.at) for each in (found.plan.before, found.plan.after))
        totals = [f"{self._bucket(each)}: {total_text(each)}" for each in shown.copies if each.keys]
        notes = [f"before: {before}", f"after: {after}"]
        notes += [f"{self._bucket(each)}: nothing goes" for each in shown.copies if not each.keys]
        return Plan(
            f"delete what is not kept by {found.keep}, in {'; in '.join(totals)}",
            notes=tuple(notes),
            undo="none: what is deleted cannot be brought back",
            confirm=self._site.profile.name,
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises BlockedError before anything is deleted, then ObjectStoreError and ProvisionError."""
        shown = await self._seen()
        await self._lock.take([target_of(self._site, each.role) for each in shown.copies])
        yield Printed("locked: nobody else reads or deletes there meanwhile")
        anew = await look(self._site, self._lock)
        self._must_not_be_more(shown, anew)
        if waits_for := await self._waits_for(anew):
            raise BlockedError(self.title, f"since the plan was made: {waits_for}", _ANEW)
        await self._lock.confirm()
        self._applied = anew
        parts = [
            (CopyDeletion(self._site, target_of(self._site, each.role), self._lock), each)
            for each in anew.copies
        ]
        for deletion, each in parts:
            async for event in deletion.run(each):
                yield event
        for deletion, _ in parts:
            await deletion.finish()

    async def verify(self) -> AsyncIterator[Event]:
        """By another listing: what was planned is gone, all else is there. Raises ProvisionError."""
        applied = self._applied
        if applied is None or applied.found is None or applied.found.plan is None:
            raise AssertionError("nothing was applied")
        anew = await look(self._site, self._lock)
        wrong = await whats_wrong(self._site, applied, anew)
        if wrong:
            raise ProvisionError(
                "looking at what retention left", wrong, "run walconsole check, and look there"
            )
        gone = [f"{self._bucket(each)}: {total_text(each)} are gone" for each in applied.copies if each.keys]
        self.said = "; ".join(gone)
        for line in gone:
            yield Proved(f"{line}, and all else is there")
        if anew.found is not None and anew.found.plan is not None:
            yield Proved(window_text(anew.found.plan.before, anew.at))

    async def _waits_for(self, shown: Look) -> str:
        return await self._unattended.waits_for(shown) if self._unattended is not None else ""

    async def _seen(self) -> Look:
        if self._shown is None:
            self._shown = await look(self._site, self._lock)
        return self._shown

    def _must_not_be_more(self, shown: Look, anew: Look) -> None:
        """Raises BlockedError where the new plan is refused, or wants what nobody agreed to."""
        if anew.found is None or anew.found.plan is None:
            why = "; ".join(anew.refused) or "it could not be looked at"
            raise BlockedError(self.title, f"since the plan was shown: {why}", _ANEW)
        if [each.role for each in anew.copies] != [each.role for each in shown.copies]:
            raise BlockedError(self.title, "since the plan was shown a bucket came or went", _ANEW)
        going = {each.role for each in shown.copies if each.keys}
        for each in anew.copies:
            if each.role in going and each.part.refused:
                why = f"{self._bucket(each)}: {each.part.refused[0]}"
                raise BlockedError(self.title, f"since the plan was shown: {why}", _ANEW)
        more = more_than(shown.copies, anew.copies)
        if more:
            why = f"a plan made anew deletes {plural(len(more), 'object')} more, the first {more[0]}"
            raise BlockedError(self.title, why, _ANEW)

    def _facts(self, shown: Look, found: Retention) -> Iterator[Fact]:
        for each, copy in zip(shown.copies, found.copies, strict=True):
            label, part = self._bucket(each), each.part
            for why in part.refused:
                yield Fact(label, f"nothing goes: {why}", FactState.WARNING)
            for line in staying_lines(part, copy):
                yield Fact(label, line)
            for line in going_lines(part, copy, shown.at):
                yield Fact(label, line, FactState.NOTE)
            if each.wal:
                yield Fact(label, f"goes in all: {total_text(each)}", FactState.NOTE)
        if found.absent:
            yield Fact("DR", "there is no DR bucket", FactState.NOTE)

    def _bucket(self, copy: CopyKeys) -> str:
        return target_of(self._site, copy.role).bucket


def _refused(found: Retention) -> tuple[str, ...]:
    """Why nothing goes in a copy that holds anything: an empty one is none."""
    plan = found.plan
    pairs = zip(plan.copies if plan is not None else (), found.copies, strict=True)
    return tuple(why for part, copy in pairs if copy.timelines or copy.backups for why in part.refused)


class ReleaseLock(NotUndone):
    """model.Step. Takes the lock away that the step before it took, whatever became of that."""

    id = "release-lock"
    title = "Lock"
    risk = Risk.READS
    gated = False
    always = True
    explanation = (
        "Takes away the lock that retention took in both copies. One that is left runs out by itself."
    )

    def __init__(self, lock: ArchiveLock) -> None:
        self._lock = lock

    async def check(self) -> Check:
        """Whether it lies anywhere."""
        if self._lock.is_held:
            return Check(CheckState.NEEDED, "the lock is this run's")
        await self._lock.close()
        return Check(CheckState.DONE, "no lock of this run's lies anywhere")

    async def plan(self) -> Plan:
        """One object in each copy."""
        return Plan("take the lock away")

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ObjectStoreError, where it stays until it runs out."""
        try:
            await self._lock.release()
        finally:
            await self._lock.close()
        yield Printed("the lock is taken away")

    async def verify(self) -> AsyncIterator[Event]:
        """It was read before, and the store said that it is deleted."""
        yield Proved("no lock of this run's lies anywhere")
