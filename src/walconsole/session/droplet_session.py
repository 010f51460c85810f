"""What one droplet's session is wired to: one SSH connection, and what goes through it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from walconsole.operator_files.begun_elsewhere import BegunElsewhere
from walconsole.operator_files.places import TEMPORARY_KEYS, places
from walconsole.process.cleanup import Cleanups
from walconsole.process.clock import SystemClock
from walconsole.session.wish import DemoWish, Session
from walconsole.ui.board.droplet_session import DropletSession

if TYPE_CHECKING:
    from walconsole.adapters.ssh.connection import SshConnection
    from walconsole.adapters.ssh.shell import SshShell
    from walconsole.domain.facts.snapshot import AnySlot
    from walconsole.domain.profile import BucketRole, Profile
    from walconsole.domain.recovery.recover_state import RecoveryState
    from walconsole.domain.standing.model import Fix
    from walconsole.observe.moments.search import MomentSearch
    from walconsole.operator_files.kept import KeptFiles
    from walconsole.ports import BucketReader, Observer, Screen
    from walconsole.provision.engine.model import Gate, Step, Tell
    from walconsole.provision.engine.site import Site
    from walconsole.provision.keys.temporary_key import TemporaryKey
    from walconsole.session.demo_process import SandboxProcess
    from walconsole.session.finding import HostFinding
    from walconsole.session.incident_memory import IncidentMemory
    from walconsole.session.resting_runner import RestingRunner
    from walconsole.session.steps_kept import RunsKept, StepsKept


def droplet_session(wish: Session, cleanups: Cleanups, lent: SshConnection | None = None) -> DropletSession:
    """The session of what was wished for. It connects when it is shown; `cleanups` close it at the latest.

    A connection that is `lent` is there already, and is left open.
    """
    wiring = _Wiring(wish, cleanups.part(), lent)
    return DropletSession(
        wish.title,
        wiring.connect,
        wiring.disconnect,
        clock=SystemClock(),
        begins_with_steps=wish.provisioning,
        read_only=wish.read_only or (not isinstance(wish.target, DemoWish) and wish.target.read_only),
    )


class _Wiring:
    """Opens what a session needs, and closes it."""

    def __init__(self, wish: Session, cleanups: Cleanups, lent: SshConnection | None) -> None:
        self._wish, self._cleanups, self._lent = wish, cleanups, lent
        self._environment: Mapping[str, str] = wish.environment
        self._lasting = not isinstance(wish.target, DemoWish)
        self._last_fix: tuple[Cleanups, TemporaryKey] | None = None
        self._memory: IncidentMemory | None = None
        self._history: RunsKept | None = None
        self._profile: Profile | None = None
        self._finding: HostFinding | None = None

    async def connect(self, shown: DropletSession) -> Observer:
        """Make what observes; it connects when it is run. Raises SandboxError."""
        wish = self._wish
        if isinstance(wish.target, DemoWish):
            droplet, profile = await _start_droplet(wish.target, shown, self._cleanups)
            self._environment = {**self._environment, **droplet.environment}
        else:
            profile = wish.target
        profile = self._take_up(profile, shown)
        shown.status(f"connecting to {profile.ssh}")
        shell = await self._dialled(profile, shown)
        kept, memory = await self._remembering(profile, shown)
        if self._lasting and await asyncio.to_thread(_has_ledger, self._environment):
            from walconsole.session.leftover_keys import offer_at_start

            offer_at_start(profile, shown, self._environment, self._cleanups, memory)
        observer = await self._observation(profile, shown, kept, shell)
        if not profile.read_only:
            runner = partial(self._runner, shell, shown)
            shown.provisioner = partial(runner, None)
            shown.fixer = partial(partial, runner)
            shown.searcher = partial(self._searcher, shell, shown)
            shown.recovery_state = partial(self._recovery_state, shell, shown)
        return PacedObserver(observer, wish.interval_s)

    def _take_up(self, profile: Profile, shown: DropletSession) -> Profile:
        """From now on this is the droplet's profile; what was found on the host may change it."""
        from walconsole.droplet.names import rclone_names

        profile = replace(profile, read_only=profile.read_only or self._wish.read_only)
        shown.price, shown.rclone = profile.price, rclone_names(profile)
        self._profile = profile
        folder = profile.primary.bucket if profile.in_folders else ""
        shown.hands_off = f"the archive is the folder {folder}: use the commands by hand" if folder else ""
        return profile

    @property
    def _current(self) -> Profile:
        """Raises AssertionError before anything is connected, when nothing asks."""
        assert self._profile is not None  # noqa: S101  # a runner is made after it is taken up
        return self._profile

    def _searcher(self, shell: SshShell, shown: DropletSession) -> MomentSearch:
        return _searcher(self._current, shell, shown)

    async def disconnect(self) -> None:
        """Close everything, in the order in which that must be done."""
        await self._cleanups.run()

    async def _remembering(self, profile: Profile, shown: DropletSession) -> tuple[KeptFiles, IncidentMemory]:
        """What outlives the session, and what of incidents does."""
        await asyncio.to_thread(import_module, "walconsole.session.history_keeper")
        from walconsole.operator_files.history_file import HistoryFile
        from walconsole.operator_files.kept import for_this_session, on_disk
        from walconsole.session.history_keeper import HistoryKeeper
        from walconsole.session.incident_memory import IncidentMemory

        kept = on_disk(self._environment) if self._lasting else for_this_session()
        shelf = kept.incidents(profile.kept_under)
        memory = self._memory = shown.memory = IncidentMemory(shelf, SystemClock())
        self._cleanups.add("writing down what is remembered", memory.close)
        from walconsole.session.past import HeldHistory, KeptPast

        file = HistoryFile(self._environment) if self._lasting else HeldHistory()
        self._history = file
        keeper = shown.keeper = HistoryKeeper(file, profile.kept_under, SystemClock())
        shown.past = KeptPast(file, profile.kept_under)
        self._cleanups.add("writing down what was read", keeper.close)
        return kept, memory

    async def _dialled(self, profile: Profile, shown: DropletSession) -> SshShell:
        """A shell whose connection is being made, while all is imported that reads through it.

        asyncssh takes a sixth of a second to import: not before the first frame.
        """
        await asyncio.to_thread(import_module, "walconsole.session.dialling")
        from walconsole.session.dialling import ssh_shell

        shell = ssh_shell(profile, shown, SystemClock(), self._cleanups, shown.commands, lent=self._lent)
        shell.connection.dial()
        return shell

    async def _observation(
        self, profile: Profile, shown: DropletSession, kept: KeptFiles, shell: SshShell
    ) -> Observer:
        await asyncio.to_thread(import_module, "walconsole.session.wiring")
        from walconsole.session.wiring import observation

        clock = SystemClock()
        past = None
        if self._lasting:
            from walconsole.session.history_keeper import past_of

            past = await asyncio.to_thread(past_of, self._environment, profile.kept_under, clock.now())

        def completed(finding: HostFinding) -> Profile:
            self._finding = finding
            if finding.adopted is not None:
                for line in finding.adopted.differences:
                    shown.notify(line, "the profile and the host differ", "warning", 30)
            return self._take_up(finding.profile, shown)

        status = f"asking {profile.ssh} where its server archives to"
        known = profile, shell, clock, self._environment, self._cleanups, kept
        return observation(self._wish.resolved, *known, past=past, completed=completed, status=status)

    async def _runner(
        self,
        shell: SshShell,
        shown: DropletSession,
        offer: Fix | None,
        gate: Gate,
        tell: Tell,
    ) -> RestingRunner:
        """What sets archiving up, or what `offer` mends; first of all what an earlier console left behind.

        It goes through the observation's connection, in a shell of its own: a step may keep one busy for
        minutes. Observation has at most seven sessions there, and a run three, of the ten that sshd allows
        by default; where there is no room, the run makes a connection of its own for as long as it runs.
        """
        await asyncio.to_thread(import_module, "walconsole.provision.steps.catalogue")
        from walconsole.observe.host.clusters import of_cluster
        from walconsole.provision.engine.runner import LONGEST_CLEANING_S, Runner
        from walconsole.provision.fixes.catalogue import fix_steps, independent
        from walconsole.provision.steps.catalogue import steps
        from walconsole.session.deployment import provisioned
        from walconsole.session.incident_memory import StepsHeard
        from walconsole.session.leftover_keys import offer_leftovers
        from walconsole.session.resting_runner import RestingRunner

        run = shown.provision_run if offer is None else shown.fix_run
        if offer is not None:
            await self._end_last_fix()
        cleanups = self._cleanups.part()
        profile = of_cluster(self._current, shown.chosen_cluster)
        beside = shell.beside()
        beside.retry()
        parts = provisioned(
            profile,
            beside,
            SystemClock(),
            self._environment,
            cleanups.part(),
            lasting=self._lasting,
            memory=self._memory,
            finding=self._finding,
        )
        if run is not None:
            cleanups.add("ending the step that runs", run.end, LONGEST_CLEANING_S)
        if offer is not None:
            self._last_fix = cleanups, parts.temporary
        await offer_leftovers(parts, shown)
        site = await self._site_for(offer, parts.site, beside, cleanups)
        chosen = steps(site) if offer is None else fix_steps(site, offer)
        tell = tell if self._memory is None else StepsHeard(self._memory, chosen).before(tell)
        kept = await self._steps_kept(offer, chosen)
        runner = Runner(site, chosen, gate, kept.before(tell), independent=independent(offer))
        return RestingRunner(runner, beside, self._noting(offer, site), kept)

    async def _steps_kept(self, offer: Fix | None, chosen: Sequence[Step]) -> StepsKept:
        """What keeps for the past what these steps tell."""
        await asyncio.to_thread(import_module, "walconsole.session.steps_kept")
        from walconsole.session.steps_kept import StepsKept

        assert self._history is not None  # noqa: S101  # it is there since it was connected
        what = "setting archiving up" if offer is None else offer.step
        return StepsKept(
            self._history, self._current.kept_under, SystemClock(), chosen, what, "on the screen"
        )

    def _noting(self, offer: Fix | None, site: Site) -> Callable[[], AbstractAsyncContextManager[None]]:
        """A recovery on another host is found again by whoever does not remember where it was begun."""
        if not self._lasting or offer is None or not _is_recovery(offer) or site.production is None:
            return nullcontext
        from walconsole.session.elsewhere import noted

        return partial(noted, site, self._begun(site))

    async def _site_for(self, offer: Fix | None, home: Site, shell: SshShell, cleanups: Cleanups) -> Site:
        """Another host's for a drill, and a recovery that is not in place, where the profile names one, or
        this console began one there.
        """
        if offer is None or "--in-place" in offer.subject.split():
            return home
        await asyncio.to_thread(import_module, "walconsole.session.elsewhere")
        from walconsole.provision.steps.drill import DrillNow
        from walconsole.session.elsewhere import OtherSite, begun_there

        spare, begun = self._current.spare, None
        if offer.step != DrillNow.id and not _is_recovery(offer):
            return home
        if self._lasting and _is_recovery(offer):
            begun = await asyncio.to_thread(begun_there, home.profile, self._begun(home))
        there = begun or spare
        if there is None:
            return home
        other = OtherSite(home, shell, self._finding, there, self._environment, cleanups)
        if offer.step == DrillNow.id:
            return await other.for_drill()
        return await other.for_recovery(told=begun is not None)

    def _begun(self, home: Site) -> BegunElsewhere:
        return BegunElsewhere(home.profile.kept_under, self._environment)

    async def _recovery_state(self, shell: SshShell, shown: DropletSession) -> RecoveryState:
        """Where a recovery stands on the droplet, whoever began it. Raises what the shell raises."""
        await asyncio.to_thread(import_module, "walconsole.provision.recovering.recovery")
        from walconsole.domain.standing.model import Fix
        from walconsole.observe.host.clusters import of_cluster
        from walconsole.provision.recovering.recovery import Recovery
        from walconsole.session.deployment import provisioned

        cleanups = self._cleanups.part()
        profile = of_cluster(self._current, shown.chosen_cluster)
        parts = provisioned(
            profile,
            shell.beside(),
            SystemClock(),
            self._environment,
            cleanups,
            lasting=self._lasting,
            finding=self._finding,
        )
        try:
            offer = Fix("", step="recover")
            site = await self._site_for(offer, parts.site, shell.beside(), cleanups)
            return await Recovery(site).state()
        finally:
            await cleanups.run()

    async def _end_last_fix(self) -> None:
        """Close what the fix before this one had open; the session's end, where a key of it may be alive."""
        if self._last_fix is not None:
            cleanups, temporary = self._last_fix
            self._last_fix = None
            if not temporary.left:
                await cleanups.run()


def _is_recovery(offer: Fix) -> bool:
    return offer.step.startswith("recover")


class PacedObserver:
    """ports.Observer whose every interval is multiplied by what the operator asked for at the start.

    `interval_s` is the time between two readings of SQL, whose own cadence is 1 s.
    """

    def __init__(self, observer: Observer, interval_s: float) -> None:
        self._observer, self._interval_s = observer, interval_s
        observer.pace(interval_s)

    async def run(self, screen: Screen) -> None:
        await self._observer.run(screen)

    def refresh(self) -> None:
        self._observer.refresh()

    def bucket(self, role: BucketRole) -> BucketReader | None:
        return self._observer.bucket(role)

    def pause(self, paused: bool) -> None:
        self._observer.pause(paused)

    def pace(self, factor: float) -> None:
        self._observer.pace(factor * self._interval_s)

    def hurry(self, slot: AnySlot) -> None:
        self._observer.hurry(slot)


def _searcher(profile: Profile, shell: SshShell, shown: DropletSession) -> MomentSearch:
    """What finds a moment, in a shell of its own on the observation's connection: it may take minutes."""
    from walconsole.domain.facts.snapshot import Snapshot
    from walconsole.observe.moments.finding import MomentFinder
    from walconsole.observe.moments.search import MomentSearch

    def snapshot() -> Snapshot:
        taken = shown.taken
        return taken.snapshot if taken is not None else Snapshot(profile.name, shown.clock.now(), 0.0)

    beside = shell.beside()
    return MomentSearch(MomentFinder(profile, beside), snapshot, shown.clock.now, beside.aclose)


def _has_ledger(environment: Mapping[str, str]) -> bool:
    """Whether any temporary key was ever left in it."""
    return any((places(environment).state / TEMPORARY_KEYS).glob("*.json"))


async def _start_droplet(
    wish: DemoWish, shown: DropletSession, cleanups: Cleanups
) -> tuple[SandboxProcess, Profile]:
    from walconsole.session.demo_process import LONGEST_STOP_S, SandboxProcess

    def status(text: str) -> None:
        shown.status(f"{wish.about}; {text}" if wish.about else text)

    status("starting the embedded droplet")
    droplet = SandboxProcess(wish, status)
    cleanups.add("removing the embedded droplet", droplet.stop, LONGEST_STOP_S)
    profile = await droplet.start()
    following = asyncio.create_task(_tell_when_it_ends(droplet, shown), name="embedded droplet")
    cleanups.add_task(following)
    return droplet, profile


async def _tell_when_it_ends(droplet: SandboxProcess, shown: DropletSession) -> None:
    ending = await droplet.ended()
    if ending is not None:
        text = f"the embedded droplet ended unexpectedly ({ending}): nothing here can come back; leave with q"
        shown.notify(text, "demo", "error", 3600)
