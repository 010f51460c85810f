"""The app of a session, and what it awaits after its first frame: the observation of one server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from walconsole.domain.profile import Profile
from walconsole.errors import UsageError
from walconsole.operator_files.places import TEMPORARY_KEYS, places
from walconsole.process.cleanup import Cleanups
from walconsole.process.clock import SystemClock
from walconsole.session.wish import DemoWish, Session
from walconsole.ui.app import WalconsoleApp

if TYPE_CHECKING:
    from collections.abc import Callable

    from walconsole.domain.facts.snapshot import AnySlot
    from walconsole.domain.profile import BucketRole
    from walconsole.domain.standing.model import Fix
    from walconsole.ports import BucketReader, Observer, Screen
    from walconsole.provision.engine.model import Gate, Tell
    from walconsole.provision.engine.runner import Runner
    from walconsole.session.demo_process import SandboxProcess

    Observe = Callable[[Profile, WalconsoleApp, SystemClock, Mapping[str, str], Cleanups], Observer]
    "Bound to where the session keeps things."

# -- An observation whose every interval is multiplied by what the operator asked for at the start.


class PacedObserver:
    """ports.Observer; `interval_s` is the time between two readings of SQL, whose own cadence is 1 s."""

    def __init__(self, observer: Observer, interval_s: float) -> None:
        self._observer, self._interval_s = observer, interval_s
        observer.pace(interval_s)

    async def run(self, screen: Screen) -> None:
        await self._observer.run(screen)

    def refresh(self) -> None:
        self._observer.refresh()

    def bucket(self, role: BucketRole) -> BucketReader:
        return self._observer.bucket(role)

    def pause(self, paused: bool) -> None:
        self._observer.pause(paused)

    def pace(self, factor: float) -> None:
        self._observer.pace(factor * self._interval_s)

    def hurry(self, slot: AnySlot) -> None:
        self._observer.hurry(slot)


def make_console(session: Session, cleanups: Cleanups) -> WalconsoleApp:
    """The app; `cleanups` take away whatever it opens. Raises UsageError for an unknown theme."""

    async def observer() -> Observer:
        return await _observer(session, app, cleanups)

    app = WalconsoleApp(session.title, observer, clock=SystemClock(), theme=session.theme)
    app.provisioning = session.provisioning
    if session.theme not in (None, app.theme):
        raise _no_theme(str(session.theme), app)
    return app


def _no_theme(name: str, app: WalconsoleApp) -> UsageError:
    themes, problems = app.shelf.load()
    faults = [problem for problem in problems if f"{name}.toml" in problem]
    names = ", ".join(sorted(theme.name for theme in themes))
    why = faults[0] if faults else "there is none of that name"
    return UsageError(f"choosing the theme {name}", why, f"the themes are: {names}")


async def _observer(session: Session, app: WalconsoleApp, cleanups: Cleanups) -> Observer:
    """Raises SandboxError."""
    environment = session.environment
    if isinstance(session.target, DemoWish):
        droplet, profile = await _start_droplet(session.target, app, cleanups)
        environment = {**environment, **droplet.environment}
    else:
        profile = session.target
    profile = replace(profile, read_only=profile.read_only or session.read_only)
    app.price = profile.price
    app.status(f"connecting to {profile.ssh}")
    lasting = not isinstance(session.target, DemoWish)
    if not profile.read_only:
        runner = partial(_runner, profile, app, environment, cleanups, lasting)
        app.provisioner = partial(runner, None)
        app.fixer = partial(partial, runner)
    if lasting and await asyncio.to_thread(_has_ledger, environment):
        from walconsole.session.leftover_keys import offer_at_start

        offer_at_start(profile, app, environment, cleanups)
    observe = await asyncio.to_thread(_import_wiring, environment if lasting else None)
    return PacedObserver(observe(profile, app, SystemClock(), environment, cleanups), session.interval_s)


def _has_ledger(environment: Mapping[str, str]) -> bool:
    """Whether any temporary key was ever left in it."""
    return any((places(environment).state / TEMPORARY_KEYS).glob("*.json"))


async def _runner(
    profile: Profile,
    app: WalconsoleApp,
    environment: Mapping[str, str],
    cleanups: Cleanups,
    lasting: bool,
    offer: Fix | None,
    gate: Gate,
    tell: Tell,
) -> Runner:
    """What sets archiving up, or what `offer` mends; first of all what an earlier console left behind."""
    await asyncio.to_thread(import_module, "walconsole.provision.steps.catalogue")
    from walconsole.provision.engine.runner import LONGEST_CLEANING_S, Runner
    from walconsole.provision.fixes.catalogue import fix_steps, independent
    from walconsole.provision.steps.catalogue import steps
    from walconsole.session.deployment import provisioned
    from walconsole.session.leftover_keys import offer_leftovers

    parts = provisioned(profile, app, SystemClock(), environment, cleanups, lasting=lasting)
    for run in app.runs:
        cleanups.add("ending the step that runs", run.end, LONGEST_CLEANING_S)
    await offer_leftovers(parts, app)
    chosen = steps(parts.site) if offer is None else fix_steps(parts.site, offer)
    return Runner(parts.site, chosen, gate, tell, independent=independent(offer))


def _import_wiring(keeps: Mapping[str, str] | None) -> Observe:
    """asyncssh takes a sixth of a second to import: not before the first frame.

    `keeps` is the environment that names the operator's folders, None where nothing outlives the session.
    """
    from walconsole.operator_files.kept import for_this_session, on_disk
    from walconsole.session.wiring import observe

    return partial(observe, keeping=for_this_session() if keeps is None else on_disk(keeps))


async def _start_droplet(
    wish: DemoWish, app: WalconsoleApp, cleanups: Cleanups
) -> tuple[SandboxProcess, Profile]:
    from walconsole.session.demo_process import LONGEST_STOP_S, SandboxProcess

    app.status("starting the embedded droplet")
    droplet = SandboxProcess(wish, app.status)
    cleanups.add("removing the embedded droplet", droplet.stop, LONGEST_STOP_S)
    profile = await droplet.start()
    following = asyncio.create_task(_tell_when_it_ends(droplet, app), name="embedded droplet")
    cleanups.add_task(following)
    return droplet, profile


async def _tell_when_it_ends(droplet: SandboxProcess, app: WalconsoleApp) -> None:
    ending = await droplet.ended()
    if ending is not None:
        text = f"the embedded droplet ended unexpectedly ({ending}): nothing here can come back; leave with q"
        app.notify(text, title="demo", severity="error", markup=False, timeout=3600)
