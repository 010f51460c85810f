"""From the pause on: promoted, and in its place; or given up."""

from collections.abc import AsyncIterator
from shlex import join, quote

from walconsole.domain.recovery.recover_state import RecoveryPhase, RecoveryState
from walconsole.errors import BlockedError, ProvisionError
from walconsole.provision.droplet.commands import ask, os_user, programs, psql, run, status_of
from walconsole.provision.droplet.files import install, look_at
from walconsole.provision.engine.model import (
    Change,
    ChangeKind,
    Changing,
    Check,
    CheckState,
    Event,
    FileChange,
    Plan,
    Printed,
    Proved,
    Risk,
    Waiting,
)
from walconsole.provision.engine.not_undone import NotUndone
from walconsole.provision.engine.site import Site
from walconsole.provision.recovering.control import OldServer, runs_in, start_of_new
from walconsole.provision.recovering.not_up import not_up
from walconsole.provision.recovering.recovery import BEFORE_PROMOTION, IN_FORCE, Recovery, site_of

_UP_WITHIN_S = 120.0
_PROMOTABLE = frozenset({RecoveryPhase.PAUSED, RecoveryPhase.ENDED, RecoveryPhase.PROMOTING})
_PROMOTED = frozenset({RecoveryPhase.PROMOTED, RecoveryPhase.TAKEN_OVER, RecoveryPhase.DONE})


class PromoteCopy(NotUndone):
    """model.Step. From here on there is no other target; the old files are still what they were."""

    id = "recover-promote"
    title = "Promote"
    risk = Risk.ADDS
    gated = True
    always = False
    explanation = (
        "Opens the paused server for writing, onto a new timeline, and stops it: it is private still, and"
        " archives nothing. What the pause needed (standby.signal, its configuration) is moved out of the"
        " tree, and what an earlier recovery left in postgresql.auto.conf is taken out, with a copy kept."
        " No later target can be chosen any more; the old cluster is as it was."
    )

    def __init__(self, recovery: Recovery) -> None:
        self._recovery = recovery

    async def check(self) -> Check:
        """BLOCKED where nothing is at a target."""
        state = await self._recovery.state()
        if state.phase in _PROMOTED:
            return Check(CheckState.DONE, "it was promoted")
        if state.phase is RecoveryPhase.GIVEN_UP:
            return Check(CheckState.BLOCKED, "it was given up", remedy="begin another one")
        if state.phase not in _PROMOTABLE:
            why, remedy = state.words
            return Check(CheckState.BLOCKED, why, remedy=remedy)
        return Check(CheckState.NEEDED, "it is to be opened for writing")

    async def plan(self) -> Plan:
        """The name of the profile must be typed."""
        state = await self._recovery.state()
        at = f"{state.lsn}, the last commit of {state.reached or 'n/a'}" if state.lsn else "where it pauses"
        notes = ["the old cluster's files are not touched by it"]
        if state.not_reached:
            notes.insert(0, "the target was NOT reached: what is opened is all that could be had")
        return Plan(
            f"promote what was recovered, at {at}",
            commands=(self._recovery.command("promote"),),
            notes=tuple(notes),
            undo="none: to choose another target take a new restore",
            confirm=self._recovery.site.profile.name,
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError."""
        state = await self._recovery.state()
        if state.phase not in _PROMOTABLE:
            raise BlockedError(self.title, state.words[0], state.words[1])
        async for event in self._recovery.run("promote"):
            yield event

    async def verify(self) -> AsyncIterator[Event]:
        """Raises ProvisionError where it did not get so far."""
        state = await self._recovery.state()
        if state.phase not in _PROMOTED:
            raise ProvisionError("promoting", state.words[0], "run this step again")
        yield Proved(f"{state.data} is a cluster of its own, on a timeline of its own")


class TakeOver:
    """model.Step. The recovered files in their place, with the real configuration; the old ones stay."""

    id = "recover-take-over"
    title = "In its place"
    risk = Risk.INTERRUPTS
    gated = True
    always = False
    explanation = (
        "Stops the old server where it runs: two that archive into one prefix spoil it. In place, the old"
        " data directory is moved aside in one step and the recovered one takes its name. Into a new "
        "cluster, that gets a copy of the old one's configuration with a port of its own, and the old "
        "cluster is not started by itself any more. Then it is started as it will run, archiving. Nothing"
        " is deleted."
    )

    def __init__(self, recovery: Recovery) -> None:
        self._recovery, self._site = recovery, recovery.site

    async def check(self) -> Check:
        """DONE once it runs so."""
        state = await self._recovery.state()
        if state.phase in IN_FORCE:
            return Check(CheckState.DONE, f"it runs in {state.tree}")
        return Check(CheckState.NEEDED, f"{state.place.text} it is to run")

    async def plan(self) -> Plan:
        """Both commands, and what an application is to be told."""
        state, old = await self._recovery.state(), await self._recovery.old()
        commands = [old.stop] if old.runs and old.stop else []
        commands.append(self._recovery.command(*await self._words(state, old)))
        if state.place.in_place:
            commands += [old.start] if old.start is not None else []
            notes = [f"the old files stay as {state.old}.before-{state.id}"]
        else:
            if state.tree or state.place.cluster is not None:
                commands.append(await start_of_new(state, self._site))
            notes = [f"the old cluster's files stay in {state.old or 'their place'}"]
            if old.cluster is not None:
                notes.append("its start.conf says manual from now on")
        return Plan(
            f"run what was recovered {state.place.text}",
            commands=tuple(commands),
            notes=tuple(notes),
            downtime="a few seconds" if old.runs else "ends with it",
            undo="none by itself: the old files stay, and docs/recovery.md says how to go back to them",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError."""
        state, old = await self._recovery.state(), await self._recovery.old()
        if state.phase is not RecoveryPhase.PROMOTED:
            raise BlockedError(self.title, state.words[0], state.words[1])
        if old.runs:
            async for event in self._stop(old):
                yield event
        if not state.place.in_place and old.cluster is not None:
            async for event in self._only_by_hand(old):
                yield event
        now = self._site.clock.now()
        aside = f"moved to {state.old}.before-{state.id}" if state.place.in_place else f"beside {state.old}"
        yield Changing(Change(self.id, ChangeKind.DATA, state.old, "the old files", aside, at=now))
        async for event in self._recovery.run(*await self._words(state, old)):
            yield event
        async for event in self._configure():
            yield event
        async for event in self._start():
            yield event
        async for event in self._wait():
            yield event
        await self._recovery.note("phase", RecoveryPhase.TAKEN_OVER.value)

    async def _configure(self) -> AsyncIterator[Event]:
        """What is to be done before the first start: here nothing, the old configuration was taken over."""
        nothing: tuple[Event, ...] = ()
        for event in nothing:
            yield event

    async def _start(self) -> AsyncIterator[Event]:
        """As it will run; not once more where an earlier call was killed just after it."""
        state = await self._recovery.state()
        start = (await self._recovery.old()).start  # of a plain one it lies in its folder, which is new
        if not state.place.in_place:
            start = await start_of_new(state, self._site)
        if start is None:
            raise BlockedError(
                self.title, "nothing is known that starts it", "start it as the old server was"
            )
        if await runs_in(self._site, state.tree):
            return
        try:
            async for event in run(self._site, start, timeout_s=600.0):
                yield event
        except ProvisionError as error:
            raise await not_up(self._site, state, await self._recovery.old(), error) from None

    async def verify(self) -> AsyncIterator[Event]:
        """The server itself. Raises ProvisionError."""
        state = await self._recovery.state()
        site = site_of(self._site, state)
        said = await psql(
            site,
            "SELECT current_setting('data_directory'), pg_is_in_recovery(), current_setting('archive_mode'),"
            " current_setting('synchronous_standby_names'), (SELECT count(*) FROM pg_prepared_xacts)",
        )
        directory, recovering, archiving, waits_for, prepared = (*said.split("\t"), "", "", "", "")[:5]
        if directory.rstrip("/") != state.tree or recovering != "f":
            raise ProvisionError(
                "asking the recovered server", f"it says {directory}, in recovery: {recovering}"
            )
        yield Proved(f"it runs in {directory}, takes writes, archive_mode is {archiving}")
        yield Printed(await self._told(state, site))
        if prepared.strip() not in ("", "0"):
            yield Printed(
                f"STILL OPEN, as at the target: {prepared.strip()} prepared, which pg_prepared_xacts lists: "
                "what is locked by it stays so until it is ended, as whoever prepared it decides, by COMMIT "
                "PREPARED or ROLLBACK PREPARED"
            )
        if waits_for.strip():
            yield Printed(
                "EVERY COMMIT WAITS for standbys that are not there yet (synchronous_standby_names = "
                f"'{waits_for}'): until they are made anew, set it to '' by ALTER SYSTEM, and reload"
            )

    async def undo_plan(self, changes: tuple[Change, ...]) -> Plan | None:
        """By hand: docs/recovery.md."""
        return None

    async def undo(self, changes: tuple[Change, ...]) -> AsyncIterator[Event]:
        """Nothing."""
        for _ in changes:
            yield Printed("what it did stays; docs/recovery.md says how to go back to the old files")

    async def _told(self, state: RecoveryState, site: Site) -> str:
        """For applications, and the command for the old files."""
        port = (await psql(site, "SHOW port")).strip()
        if state.place.folder:
            return (
                f"applications: port {port} of this host; the profile: port = {port}, and no cluster; "
                f"nothing starts it at a boot yet: make a unit for {state.tree}; the old files, when nobody "
                f"needs them any more: {state.old or 'n/a'}"
            )
        if state.place.cluster is not None:
            old = (await self._recovery.old()).cluster
            name = "VERSION NAME" if old is None else f"{old.version} {old.name}"
            return (
                f"applications: port {port} of this host from now on; the profile: cluster = "
                f'"{state.place.cluster}"; the old files, when nobody needs them any more: '
                f"pg_dropcluster {name}"
            )
        return (
            f"applications: as before, port {port}; the old files, when nobody needs them any more: "
            f"rm -r {quote(f'{state.old}.before-{state.id}')}"
        )

    async def _words(self, state: RecoveryState, old: OldServer) -> tuple[str, ...]:
        into = state.place.cluster
        if state.place.in_place:
            return ("take-place",)
        if into is None:
            return "take-place", old.configuration or "-"
        if not old.configuration or old.cluster is None:
            raise BlockedError(self.title, "the old cluster's configuration is not known", "make it by hand")
        new = f"{old.configuration.rsplit('/', 2)[0]}/{into.version}/{into.name}"
        return "take-place", old.configuration, new, await self._port(new)

    async def _port(self, new: str) -> str:
        """The one that the new cluster has already, else the next that is free."""
        sought = quote(r"s/^port = '\([0-9]*\)'.*/\1/p")
        kept = f"sed -n {sought} {quote(new)}/postgresql.conf 2>/dev/null | tail -n 1"
        free = "perl -I/usr/share/postgresql-common -MPgCommon -e 'print next_free_port()'"
        script = f'port=$({kept})\n[ -n "$port" ] || port=$({programs(self._site)}{free})\necho "$port"'
        said = (await ask(self._site, script, tried="asking for a free port")).strip()
        if not said.isdigit():
            raise ProvisionError("asking for a free port", said[:200] or "no answer")
        return said

    async def _stop(self, old: OldServer) -> AsyncIterator[Event]:
        if old.stop is None:
            raise BlockedError(self.title, "nothing is known that stops the old server", "stop it by hand")
        now = self._site.clock.now()
        yield Changing(Change(self.id, ChangeKind.RESTART, old.data, "it runs", "it is stopped", at=now))
        await self._recovery.note("stopped_old", "yes")
        async for event in run(self._site.source, old.stop, timeout_s=600.0):
            yield event
        if (await self._recovery.old()).runs:
            raise ProvisionError("stopping the old server", "it still runs", "see what starts it again")

    async def _only_by_hand(self, old: OldServer) -> AsyncIterator[Event]:
        """After a boot the old server must not archive beside the new one."""
        path = f"{old.configuration}/start.conf"
        place = await look_at(self._site.source, path)
        if place.now is None or place.now.text.split()[-1:] != ["auto"]:
            return
        now = place.now
        text = now.text.replace("auto\n", "manual\n")
        change = FileChange(path, now.text, text, now.mode, now.owner, now.group, user=place.user)
        async for event in install(self._site.source, self.id, change):
            yield event

    async def _wait(self) -> AsyncIterator[Event]:
        clock = self._site.clock
        began = clock.monotonic()
        while True:
            state = await self._recovery.state()
            site, tree = site_of(self._site, state), state.tree  # its port is known once it runs
            waited = (now := clock.monotonic()) - began
            try:
                await psql(site, "SELECT 1")
                await site.survey(again=True)  # what was known is of the server that was stopped
                self._recovery.found(site)
                return
            except ProvisionError as error:
                if not await runs_in(self._site, tree):  # lost with the connection while it started
                    async for event in self._start():
                        yield event
                await site.survey(again=True)
                if waited > _UP_WITHIN_S:
                    raise ProvisionError(
                        "starting the recovered server", error.why, "read its log; then run this step again"
                    ) from None
            yield Waiting("the recovered server starts", waited, _UP_WITHIN_S)
            await site.rest(1.0, now)


class GiveUp(NotUndone):
    """model.Step. Back to the old server, as long as its files are in their place."""

    id = "recover-give-up"
    title = "Give it up"
    risk = Risk.CHANGES
    gated = True
    always = False
    explanation = (
        "Ends the recovery's private server and starts the old one again where this recovery stopped it. "
        "What was recovered stays in its folder; the command that removes it is shown."
    )

    def __init__(self, recovery: Recovery) -> None:
        self._recovery, self._site = recovery, recovery.site

    async def check(self) -> Check:
        """BLOCKED once the recovered files are in force."""
        state = await self._recovery.state()
        if state.phase in (RecoveryPhase.NONE, RecoveryPhase.GIVEN_UP):
            return Check(CheckState.DONE, state.words[0])
        if state.phase in IN_FORCE or state.tree:
            old = f"{state.old}.before-{state.id}" if state.place.in_place else state.old
            why = f"what was recovered is in force in {state.tree}; the old files are in {old}"
            return Check(
                CheckState.BLOCKED, why, remedy="docs/recovery.md says how to go back to the old files"
            )
        script = f"test -e {quote(state.old)}/PG_VERSION"
        there, _ = await status_of(self._site, script, user=os_user(self._site))
        if state.phase is RecoveryPhase.PROMOTED and state.old and there != 0:
            why = f"{state.old} is moved aside already, and the recovered files are not in its place yet"
            return Check(CheckState.BLOCKED, why, remedy="run --promote again: it goes on")
        return Check(CheckState.NEEDED, f"the recovery {state.id} is to be ended: {state.words[0]}")

    async def plan(self) -> Plan:
        """The commands."""
        state, old = await self._recovery.state(), await self._recovery.old()
        commands = [self._recovery.command("stop")]
        if state.stopped_old and not old.runs and old.start is not None:
            commands.append(old.start)
        notes = [f"what was recovered stays; to remove it: {_removal(state)}"]
        if state.running and state.phase in BEFORE_PROMOTION:
            notes.insert(0, "a phase of it is under way, and is ended first")
        return Plan(
            "give the recovery up" + (", and start the old server again" if len(commands) > 1 else ""),
            commands=tuple(commands),
            notes=tuple(notes),
            undo="begin it again",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """Raises ProvisionError."""
        state = await self._recovery.state()
        if state.phase in BEFORE_PROMOTION:  # to its end it might take hours, with the old server stopped
            async for event in self._recovery.end_phase():
                yield event
        async for event in self._recovery.run("stop"):
            yield event
        if state.stopped_old:
            async for event in self._start_old():
                yield event
        await self._recovery.note("phase", RecoveryPhase.GIVEN_UP.value)
        yield Printed(f"what was recovered stays; to remove it: {_removal(state)}")

    async def _start_old(self) -> AsyncIterator[Event]:
        """Until it takes statements: it is given up only then. Where the connection was lost while it
        started, what runs may be on its way down. Raises ProvisionError.
        """
        clock, site = self._site.clock, self._site.source
        began = clock.monotonic()
        while True:
            old = await self._recovery.old()
            if not old.runs:
                async for event in self._start(old):
                    yield event
            waited = (now := clock.monotonic()) - began
            try:
                await psql(site, "SELECT 1")
                return
            except ProvisionError as error:
                if waited > _UP_WITHIN_S:
                    remedy = "read its log; then run this step again"
                    raise ProvisionError("starting the old server", error.why, remedy) from None
            await site.survey(again=True)
            yield Waiting("the old server starts", waited, _UP_WITHIN_S)
            await site.rest(1.0, now)

    async def _start(self, old: OldServer) -> AsyncIterator[Event]:
        if old.start is None:
            raise BlockedError(self.title, "nothing is known that starts the old server", "start it by hand")
        now = self._site.clock.now()
        yield Changing(Change(self.id, ChangeKind.RESTART, old.data, "it is stopped", "it runs", at=now))
        async for event in run(self._site.source, old.start, timeout_s=600.0):
            yield event

    async def verify(self) -> AsyncIterator[Event]:
        """The old server takes statements again, where it was stopped here. Raises ProvisionError."""
        state = await self._recovery.state()
        if state.stopped_old:
            await self._site.source.survey(again=True)
            await psql(self._site.source, "SELECT 1")
            yield Proved("the old server takes statements again")
        status, _ = await status_of(self._site, f"test -e {quote(state.work)}", user=os_user(self._site))
        yield Proved(f"it is given up; {state.work} {'is still there' if status == 0 else 'is gone'}")


def _removal(state: RecoveryState) -> str:
    return join(("rm", "-r", "--", state.work))
