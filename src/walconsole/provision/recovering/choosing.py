"""Before anything is changed: which base backup, and what it takes; the script; the old server's last WAL."""

from collections.abc import AsyncIterator
from dataclasses import replace
from shlex import join, quote

from walconsole.domain.recovery.backups import Writer
from walconsole.domain.recovery.recover_plan import RecoveryWish, plan_lines
from walconsole.domain.recovery.recover_state import RecoveryPhase, RecoveryState
from walconsole.domain.recovery.recover_target import on_timeline
from walconsole.domain.recovery.target_judgement import Concern
from walconsole.droplet.files import DropletFile
from walconsole.droplet.names import names_of
from walconsole.errors import BlockedError, ProvisionError
from walconsole.provision.droplet.commands import ROOT, ask, os_user, psql, run
from walconsole.provision.droplet.files import file_script, whose
from walconsole.provision.droplet.last_segment import until_archived
from walconsole.provision.droplet.schedules import wanted_recover_file
from walconsole.provision.droplet.survey import Survey, blocked_without
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
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
from walconsole.provision.recovering.control import OldServer
from walconsole.provision.recovering.recovery import Recovery, target_words
from walconsole.provision.steps.backup_command import BackupCommand

NEEDED = ("psql", "timeout", "flock")
_ARCHIVED_WITHIN_S = 60.0


class ChooseBackup(NotUndone):
    """model.Step. It reads, and refuses with words what cannot be made."""

    id = "recover-choose"
    title = "Target and base backup"
    risk = Risk.READS
    gated = False
    always = False
    explanation = (
        "Chooses the newest base backup that had stopped before the target, by all copies that answer, "
        "and follows its WAL along the timelines as a server would: a hole, a missing history, another "
        "branch, a target before the oldest backup's stop or on a timeline that is not its child is told "
        "now. Then what it takes: room beside the old files, time by the last drill's rates, and what is "
        "lost after the target."
    )

    def __init__(self, recovery: Recovery) -> None:
        self._recovery = recovery

    async def check(self) -> Check:
        """DONE where it can be tried, or was begun; BLOCKED with why not."""
        state = await self._recovery.state()
        if state.is_open:
            return await self._begun(state)
        if self._recovery.asks_where and state.phase is not RecoveryPhase.NONE:
            return _ended(state)
        plan = await self._recovery.plan()
        facts = tuple(Fact(label, text) for label, text in plan_lines(plan))
        facts += tuple(_fact(each, FactState.WARNING) for each in plan.warnings)
        if not plan.possible:
            facts += tuple(_fact(each, FactState.STOP) for each in plan.refusals[1:])
            first = plan.refusals[0]
            return Check(CheckState.BLOCKED, first.text, facts, first.remedy)
        backup = plan.backup.id if plan.backup is not None else "n/a"
        return Check(CheckState.DONE, f"{plan.target.how} can be reached from {backup}", facts)

    async def _begun(self, state: RecoveryState) -> Check:
        wish = await self._recovery.wish()
        told, to_do = state.words
        facts = (
            Fact("recovery", f"{state.id}, {state.where}, from {state.backup or 'n/a'}"),
            Fact("stands", told, FactState.NOTE, to_do),
        )
        if wish.place != state.place or (wish.backup and wish.backup != state.backup):
            why = f"the recovery {state.id} {state.place.text} goes on: {told}"
            return Check(CheckState.BLOCKED, why, facts, "go on with that one, or --give-up")
        if state.target is not None and wish.target != state.target and not state.readable:
            refused = await self._not_by_that_backup(wish, state)
            if refused is not None:
                why = f"{wish.target.how} cannot be reached by the recovery {state.id}: {refused.text}"
                return Check(CheckState.BLOCKED, why, facts, "--give-up, then begin anew with that target")
        return Check(CheckState.DONE, f"the recovery {state.id} was begun: it is gone on with", facts)

    async def _not_by_that_backup(self, wish: RecoveryWish, state: RecoveryState) -> Concern | None:
        """Why nothing leads from what is unpacked to another target; None where something does."""
        if state.timeline is not None and on_timeline(wish.target, state.timeline) == state.target:
            return None
        plan = await self._recovery.planned(replace(wish, backup=state.backup))
        if plan.backup is not None or not plan.refusals:
            return None
        return next((each for each in plan.refusals if each.trap is not None), plan.refusals[0])

    async def plan(self) -> Plan:
        """Nothing is changed."""
        return Plan("look at the archive and at the host")

    async def apply(self) -> AsyncIterator[Event]:
        """Nothing: its check is all of it."""
        yield Printed("nothing is changed")

    async def verify(self) -> AsyncIterator[Event]:
        """Nothing."""
        yield Proved("it can be tried")


def _ended(state: RecoveryState) -> Check:
    """Nobody said where to: what was once wished for is not begun again."""
    how = "is done" if state.phase is RecoveryPhase.DONE else "was given up"
    target = "n/a" if state.target is None else state.target.how
    facts = (Fact("target", target), Fact("lies in", state.tree or state.work or "n/a"))
    told = f"the recovery {state.id} {state.where} {how}; none goes on, and another takes --to and --into"
    return Check(CheckState.DONE, told, facts)


def _fact(concern: Concern, state: FactState) -> Fact:
    return Fact("note" if state is FactState.WARNING else "refused", concern.text, state, concern.remedy)


class RecoverCommand(BackupCommand):
    """model.Step. Nothing calls the script but the steps after it."""

    id = "recover-command"
    title = "Recovery command"
    explanation = (
        "Puts a script onto the droplet that makes a recovery phase by phase, as PostgreSQL's user, and "
        "tells in a folder of that user's below /var/lib where it stands: whoever looks next, from any "
        "console, goes on from there. It may be called by hand as well."
    )
    what_stays = "what was recovered stays"

    def __init__(self, recovery: Recovery) -> None:
        super().__init__(recovery.site)
        self._recovery = recovery

    async def _obstacle(self, survey: Survey) -> Check | None:
        """The server may be gone: that is what it is for."""
        state = await self._recovery.state()
        theirs = bool(state.pgbackrest)
        if not state.is_open:
            backup = (await self._recovery.plan()).backup
            theirs = backup is not None and backup.writer is Writer.PGBACKREST
        return blocked_without(survey, *(NEEDED if theirs else (*NEEDED, "zstd", "rclone")))

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """Raises BlockedError while a recovery goes on, which nothing else can end."""
        state = await self._recovery.state()
        if state.is_open:
            why = f"the recovery {state.id} goes on: {state.words[0]}"
            raise BlockedError(f"undoing {self.title}", why, "end it first: --promote or --give-up")
        async for event in super().undo(changes):
            yield event

    def _script(self, survey: Survey) -> DropletFile:
        return wanted_recover_file(self._site, survey)

    def _state(self) -> str:
        return names_of(self._site.profile).recover_state


class KeepOld(NotUndone):
    """model.Step. What was in the old server's pg_wal is not lost; in its place, it is stopped."""

    id = "recover-keep"
    title = "The old server's last WAL"
    risk: Risk
    gated = True
    always = False
    explanation = (
        "Makes the recovery's own folder beside the old data directory. While the old server runs, its "
        "WAL is switched and waited for in the archive. In its place: it is stopped, its files stay as "
        "they are. Where it does not run, all of its pg_wal that was not archived is copied aside, and "
        "replayed after the archive."
    )

    def __init__(self, recovery: Recovery) -> None:
        self._recovery, self._site = recovery, recovery.site
        self.risk = Risk.INTERRUPTS if recovery.may_stop_old else Risk.ADDS

    async def check(self) -> Check:
        """DONE once it is noted what was kept."""
        state = await self._recovery.state()
        if state.is_open and state.kept is not None:
            return Check(
                CheckState.DONE, f"{state.kept} WAL files of the old server are kept in {state.work}/saved"
            )
        old = await self._recovery.old()
        facts = (Fact("old server", f"{old.data}: {'it runs' if old.runs else 'it does not run'}"),)
        if (await self._recovery.wish()).place.in_place and old.runs and old.stop is None:
            why = "nothing is known that stops the old server: not systemd, pg_ctlcluster, or pg_ctl"
            return Check(CheckState.BLOCKED, why, facts, "stop it by hand, then run this step again")
        return Check(CheckState.NEEDED, "what the archive has not yet is to be kept", facts)

    async def plan(self) -> Plan:
        """The folder, the switch, the stop."""
        wish, old = await self._recovery.wish(), await self._recovery.old()
        work = await self._work(old)
        commands = [Command(f"mkdir -m 700 {quote(work)}", user=os_user(self._site))]
        notes = []
        if old.runs:
            notes.append(
                "its WAL is switched, and waited for in the archive for a minute; where archiving fails it "
                "goes on without"
            )
        if wish.place.in_place and old.stop is not None and old.runs:
            commands.append(old.stop)
            notes.append(
                f"{old.data} stays as it is; until the recovered files take its place it can be started again"
            )
        if not old.runs or wish.place.in_place:
            commands.append(self._recovery.command("keep-wal"))
        stops = wish.place.in_place and old.runs
        return Plan(
            "keep the old server's last WAL" + (", and stop it" if stops else ""),
            commands=tuple(commands),
            notes=tuple(notes),
            downtime="from now until the recovery has ended or is given up" if stops else "",
            undo="walconsole recover --give-up starts the old server again"
            if stops
            else "nothing of it is undone",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError; where archiving fails it goes on."""
        state = await self._recovery.state()
        wish, old = await self._recovery.wish(), await self._recovery.old()
        if not state.is_open:
            async for event in self._begin(old):
                yield event
        if old.runs:
            async for event in self._archive_last():
                yield event
        if old.runs and wish.place.in_place:
            async for event in self._stop(old):
                yield event
            old = await self._recovery.old()
        if old.runs:
            await self._recovery.note("kept", "0")
            return
        async for event in self._recovery.run("keep-wal"):
            yield event
        if (await self._recovery.state()).kept is None:
            await self._recovery.note("kept", "0")  # there was no pg_wal

    async def verify(self) -> AsyncIterator[Event]:
        """Raises ProvisionError where the old server runs that should not."""
        state, old = await self._recovery.state(), await self._recovery.old()
        if state.place.in_place and old.runs:
            raise ProvisionError("stopping the old server", "it still runs", "see what starts it again")
        yield Proved(f"the recovery {state.id} is noted; {state.kept or 0} WAL files are kept")

    async def _work(self, old: OldServer) -> str:
        plan = await self._recovery.plan()
        place = plan.wish.place
        lies = place.folder or old.data
        name = place.cluster.name if place.cluster is not None else lies.rpartition("/")[2]
        return f"{lies.rpartition('/')[0]}/{name}.recovery-{self._recovery.id}"

    async def _begin(self, old: OldServer) -> AsyncIterator[Event]:
        plan, work = await self._recovery.plan(), await self._work(old)
        if plan.backup is None or plan.copy is None:
            raise BlockedError(self.title, "nothing leads to the target", "choose another")
        yield Printed(f"{work} is the recovery's own folder")
        await _make_folder(self._site, work)
        # told at once: whoever goes on after a lost connection has this alone
        known = (("--pgbackrest", " ".join(plan.pgbackrest)), ("--identity", plan.identity))
        words = ["begin", *(word for pair in known if pair[1] for word in pair)]
        words += [self._recovery.id, plan.backup.id, plan.copy.value, str(plan.target.timeline), work]
        words += [old.data or "-", plan.wish.place.name or "-", *target_words(plan.target)]
        command = self._recovery.command(*words)
        async for event in run(self._site, command):
            yield event

    async def _archive_last(self) -> AsyncIterator[Event]:
        site = self._site.source
        try:
            last = await psql(site, "SELECT pg_walfile_name(pg_switch_wal())")
        except ProvisionError as error:
            yield Printed(f"its WAL cannot be switched, and is kept instead: {error.why}")
            return
        try:
            async for event in until_archived(site, last, _ARCHIVED_WITHIN_S):
                yield event
        except ProvisionError as error:
            yield Printed(f"{last}, the last of the old server's WAL: {error.why}; it goes on without")

    async def _stop(self, old: OldServer) -> AsyncIterator[Event]:
        if old.stop is None:
            raise BlockedError(self.title, "nothing is known that stops the old server", "stop it by hand")
        now = self._site.clock.now()
        yield Changing(Change(self.id, ChangeKind.RESTART, old.data, "it runs", "it is stopped", at=now))
        await self._recovery.note("stopped_old", "yes")
        async for event in run(self._site, old.stop, timeout_s=600.0):
            yield event


async def _make_folder(site: Site, path: str) -> None:
    """A private folder of the cluster owner's. Raises ProvisionError where nobody can make one safely."""
    user, tried = await whose(site, path), f"making {path}"
    if user == os_user(site):
        script = join(("mkdir", "-m", "700", "--", path))
        await ask(site, f"test -d {quote(path)} || {script}", user=user, tried=tried)
    elif user == ROOT:
        await ask(site, file_script("own_folder", path, os_user(site)), tried=tried)
    else:
        raise ProvisionError(tried, f"its folder is {user}'s", f"let it be {os_user(site)}'s")
