"""One droplet as the console holds it: its observation, last snapshot, runs of steps, and notes of keys.

Screens are given the session that they belong to, and ask it alone. What it is wired to, `session` knows.
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING

from walconsole.ui.board.key_bar import Footnote
from walconsole.ui.board.messages import SnapshotTaken
from walconsole.ui.board.timers import sure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from textual.notifications import SeverityLevel
    from textual.timer import Timer

    from walconsole.command_register import CommandRegister
    from walconsole.domain.archive.cost import Price
    from walconsole.domain.facts.host import ClusterFacts
    from walconsole.domain.facts.log_line import LogLine
    from walconsole.domain.facts.observed import HostKeyQuestion
    from walconsole.domain.facts.snapshot import AnySlot, Snapshot
    from walconsole.domain.incidents.model import IncidentLog
    from walconsole.domain.kept.screens import PastScreen
    from walconsole.domain.moments.found import FoundMoments
    from walconsole.domain.profile import BucketRole
    from walconsole.domain.recovery.recover_draft import RecoverDraft
    from walconsole.domain.recovery.recover_state import RecoveryState
    from walconsole.domain.standing.model import Diagnosis, Fix
    from walconsole.domain.standing.worsening import Watched
    from walconsole.droplet.names import RcloneNames
    from walconsole.observe.moments.search import MomentSearch
    from walconsole.ports import BucketReader, Clock, Observer
    from walconsole.ui.board.front import Front, Home, Keeper, Memory, Past, Questions, View
    from walconsole.ui.board.provision_run import MakeRunner, ProvisionRun
    from walconsole.ui.board.travel import Travel

TICK_S = 1.1
"""Ages tick; a little later than a snapshot a second would come, so that one drawing serves both."""
SOONEST_S = 0.2
"""Snapshots that come closer together are drawn as one."""
SOONEST_AT_FIRST_S = 0.05
"""The same, while panes are still waiting for their first reading."""
UNSEEN_LOOK_S = 15.0
"""So often what is not shown is looked at for what is remembered of it."""
_PACES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


class DropletSession:
    """ports.Screen for the observation of one droplet, and what the app's screens know of it.

    `connect` is awaited after the first frame, and makes the observer; `disconnect` takes away whatever was
    opened. What it learns meanwhile it says here: `price` and `rclone`, by the profile, None until then;
    `provisioner`, which makes what sets archiving up, and `fixer` what mends one finding, None where nothing
    may be changed (`read_only`) or nothing is connected yet; `keeper` keeps what is seen, and `past` reads
    what was kept, None where nothing is; `hands_off` says why no step acts here, empty where one may;
    `memory`, None where nothing is remembered. `searcher` makes what finds a moment in the archived WAL,
    None where nothing may be written to the droplet; `found_moments` is what it found last. `recovery_state`
    reads where a recovery stands there, None likewise; `recover_draft` is what was chosen for one.
    `begins_with_steps` opens at the first, `begins_at` shows the past of that time first. `shown`: whether
    its screens are those on top. `snapshot` is the last one, drawn or not.
    """

    front: Front
    home: Home

    def __init__(
        self,
        title: str,
        connect: Callable[[DropletSession], Awaitable[Observer]],
        disconnect: Callable[[], Awaitable[None]] | None = None,
        *,
        clock: Clock,
        begins_with_steps: bool = False,
        read_only: bool = False,
    ) -> None:
        self.title, self.clock = title, clock
        self._connect, self._disconnect = connect, disconnect
        self._begins_with_steps, self.read_only = begins_with_steps, read_only
        self.price: Price | None = None
        self.rclone: RcloneNames | None = None
        self.provisioner: MakeRunner | None = None
        self.hands_off = ""
        self.fixer: Callable[[Fix], MakeRunner] | None = None
        self.memory: Memory | None = None
        self.keeper: Keeper | None = None
        self.past: Past | None = None
        self.begins_at: float | None = None
        self.travel: Travel[PastScreen] | None = None
        self.searcher: Callable[[], MomentSearch] | None = None
        self.found_moments: FoundMoments | None = None
        self.recovery_state: Callable[[], Awaitable[RecoveryState]] | None = None
        self.recover_draft: RecoverDraft | None = None
        self.provision_run: ProvisionRun | None = None
        self.chosen_cluster: ClusterFacts | None = None
        self.fix_run: ProvisionRun | None = None
        self.taken: SnapshotTaken | None = None
        self.snapshot: Snapshot | None = None
        self._lines: tuple[LogLine, ...] = ()
        self._observer: Observer | None = None
        self._views: list[View] = []
        self._watched: Watched | None = None
        self._key_notes: dict[int, tuple[str, ...]] = {}
        self._pace = _PACES.index(1.0)
        self._paused_at: float | None = None
        self._timer: Timer | None = None
        self._due = self._painted = self._looked_at = 0.0
        self._shown = False
        self._seen = asyncio.Event()

    @cached_property
    def commands(self) -> CommandRegister:
        """Every command that was run for this session, here and on its droplet."""
        from walconsole.command_register import CommandRegister

        return CommandRegister()

    async def observe(self) -> None:
        """Connect, and observe until cancelled. Raises WalconsoleError for what can never succeed."""
        self._observer = await self._connect(self)
        if self.begins_at is not None:
            self.front.travel_to(self, self.begins_at)
        if self._begins_with_steps:
            self.open_provisioning()
        await self._observer.run(self)

    async def close(self) -> None:
        """End what runs, and take away whatever was opened; nobody observes any more."""
        self.shown = False
        for run in self.runs:
            await run.end()
        if self._disconnect is not None:
            await self._disconnect()

    # What observation says.

    def publish(self, snapshot: Snapshot) -> None:
        """Draw the snapshot now, or with the next ones when they come in quick succession."""
        first, self.snapshot = self.snapshot is None, snapshot
        since = self.clock.monotonic() - self._painted
        apart = SOONEST_S if snapshot.whole else SOONEST_AT_FIRST_S
        unseen = not self._shown or self.in_past
        if unseen and self.clock.monotonic() - self._looked_at > UNSEEN_LOOK_S:
            diagnosed = self._diagnosed(snapshot, self.clock.now())
            if self.in_past:
                self._tell_worse(SnapshotTaken(snapshot, *diagnosed))
        if self.in_past:
            return
        self._arm(0.0 if first else max(0.0, apart - since))

    def log(self, lines: Sequence[LogLine]) -> None:
        """More log lines."""
        from walconsole.domain.kept.screens import newest_lines

        self._lines = newest_lines(self._lines, lines)
        self.home.extend_log(lines)

    def status(self, text: str) -> None:
        """What is being done before the first snapshot."""
        from walconsole.domain.redaction import safe

        self.home.show_status(f"{self.title}: {safe(text)}")

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Ask about an unknown host key."""
        return await (await self._questions()).trust_host_key(question)

    async def choose_cluster(self, clusters: Sequence[ClusterFacts]) -> ClusterFacts | None:
        """Ask which cluster to watch; what sets archiving up there keeps to it."""
        chosen = await (await self._questions()).choose_cluster(clusters)
        self.chosen_cluster = chosen or self.chosen_cluster
        return chosen

    async def passphrase(self, prompt: str) -> str | None:
        """Ask for a secret; it goes to the one who asked and nowhere else."""
        return await (await self._questions()).passphrase(prompt)

    async def agree(self, title: str, texts: Sequence[str], answer: str) -> bool:
        """Ask for a yes, which `answer` words."""
        return await (await self._questions()).agree(title, texts, answer)

    async def _questions(self) -> Questions:
        """They are asked on its own screens: one that is not seen waits with them."""
        await self._seen.wait()
        return self.front.questions

    def notify(
        self,
        text: str,
        title: str,
        severity: SeverityLevel = "information",
        timeout: float | None = None,
    ) -> None:
        """Say something in passing, for `timeout` seconds (None: the app's own)."""
        self.front.notify(text, title=title, severity=severity, timeout=timeout, markup=False)

    # Drawing. What is covered is not drawn: Textual answers a change below the top with a whole screen.

    @property
    def shown(self) -> bool:
        """Whether one of its screens is on top, so that drawing is of use."""
        return self._shown

    @shown.setter
    def shown(self, shown: bool) -> None:
        self._shown = shown
        if shown:
            self._seen.set()
        else:
            self._seen.clear()
        self._stop_timer()
        if shown and (self.snapshot is not None or self.in_past):
            self._arm(0.0)

    def _arm(self, delay: float) -> None:
        """Draw in `delay` seconds, or sooner when that was due already."""
        if not self._shown:
            return
        due = self.clock.monotonic() + delay
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.stop()
        self._due = due
        self._timer = sure(self.front.set_timer(max(delay, 0.001), self._paint))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self._timer = None

    def _paint(self) -> None:
        self._stop_timer()
        self._painted = self.clock.monotonic()
        if self.in_past:
            self._paint_past()
        elif self.snapshot is not None and self._shown:
            now = self.clock.now()
            self.taken = SnapshotTaken(self.snapshot, *self._diagnosed(self.snapshot, now))
            self._tell_worse(self.taken)
            self._top.post_message(self.taken)
            self._arm(TICK_S)

    @property
    def _top(self) -> View:
        return self._views[-1] if self._views else self.home

    # The past: the same screens, of what was known then.

    @property
    def in_past(self) -> bool:
        """Whether what is shown is not now."""
        return self.travel is not None

    def show_past(self, travel: Travel[PastScreen] | None) -> None:
        """What the screens show from now on: where that is in the past; None: what is known now."""
        self.travel = travel
        screen = travel.screen if travel is not None else None
        self.home.show_past_log(None if screen is None else screen.lines)
        self._update_keys()
        self._stop_timer()
        self._arm(0.0)

    def _paint_past(self) -> None:
        """Diagnosed as it was then; nothing of it is remembered, or kept again."""
        from walconsole.domain.failures import diagnose

        screen = self.travel.screen if self.travel is not None else None
        if screen is None or not self._shown:
            return
        diagnosis = diagnose(screen.snapshot, screen.at)
        self.taken = SnapshotTaken(screen.snapshot, diagnosis, screen.at, screen.remembered)
        self._top.post_message(self.taken)

    def _diagnosed(self, snapshot: Snapshot, now: float) -> tuple[Diagnosis, float, IncidentLog | None]:
        """What is said of it, and what is remembered after that."""
        from walconsole.domain.failures import diagnose

        diagnosis, self._looked_at = diagnose(snapshot, now), self.clock.monotonic()
        remembered = self.memory.look(snapshot, diagnosis, now) if self.memory is not None else None
        if self.keeper is not None:
            from walconsole.domain.kept.screens import PastScreen

            self.keeper.look(PastScreen(now, snapshot, self._lines, remembered), diagnosis)
        return diagnosis, now, remembered

    def _tell_worse(self, taken: SnapshotTaken) -> None:
        from walconsole.domain.standing.worsening import Watched, is_begun, watch

        verdict = taken.diagnosis.verdict
        before = self._watched or Watched()
        self._watched, worse = watch(before, verdict, taken.now, begun=is_begun(taken.snapshot))
        if worse:
            self.front.worsened(self, verdict)

    def show_to(self, view: View) -> None:
        """This screen covers the session's others now."""
        self._views.append(view)

    def show_no_more_to(self, view: View) -> None:
        """It is gone: draw what it covered."""
        self._views.remove(view)
        self._arm(0.0)

    def repaint(self) -> None:
        """Every screen anew: the theme changed."""
        for view in (self.home, *self._views):
            view.repaint()

    # What stands on each of its screens.

    def pause_note(self, now: float) -> str:
        """What stands before the verdict: that it is not now, or paused, and keys that may be alive."""
        if self.travel is not None:
            return f"{self.travel.note(self.clock.now())}{self.key_note}"
        if self._paused_at is None:
            return self.key_note
        from walconsole.domain.units import duration_text

        return f"PAUSED {duration_text(max(0.0, now - self._paused_at))}; {self.key_note}"

    @property
    def key_note(self) -> str:
        """Keys that may be alive and are nobody's, for the first line of any screen; empty where none are."""
        from walconsole.domain.redaction import safe

        return safe("".join(f"{line}; " for lines in self._key_notes.values() for line in lines))

    def show_key_notes(self, teller: object, lines: Sequence[str]) -> None:
        """What `teller` has to say of keys, from now on."""
        self._key_notes[id(teller)] = tuple(lines)
        self._arm(0.0)
        for view in (self.home, *self._views):
            view.notes_changed()

    def footnote(self) -> Footnote:
        """Whose server this is, whether it may be changed, and how often it is read."""
        factor = _PACES[self._pace]
        pace = "paused" if self._paused_at is not None else "" if factor == 1.0 else f"every x{factor:g}"
        line = self.travel.line() if self.travel is not None else None
        return Footnote(self.title, self.read_only, pace if line is None else "", line)

    def seconds_since(self, moment: float) -> float:
        """By the monotonic clock."""
        return self.clock.monotonic() - moment

    # Reading.

    def pause(self) -> None:
        """Stop reading, or resume; ages go on."""
        self._paused_at = self.clock.now() if self._paused_at is None else None
        if self._observer is not None:
            self._observer.pause(self._paused_at is not None)
        self._update_keys()
        self._arm(0.0)

    def refresh(self) -> None:
        """Read everything now."""
        if self._observer is not None:
            self._observer.refresh()

    def hurry(self, *slots: AnySlot) -> None:
        """Read what fills these slots now: somebody looks at it."""
        for slot in slots:
            if self._observer is not None:
                self._observer.hurry(slot)

    def pace(self, step: int) -> None:
        """Read less often (1) or more often (-1)."""
        self._pace = max(0, min(len(_PACES) - 1, self._pace + step))
        if self._observer is not None:
            self._observer.pace(_PACES[self._pace])
        self._update_keys()
        self.notify(f"every interval is {_PACES[self._pace]:g} times as long", "", timeout=2)

    def rest(self, resting: bool) -> None:
        """Read as rarely as can be while nobody looks at its screens, or as often as it was set."""
        if self._observer is not None:
            self._observer.pace(_PACES[-1] if resting else _PACES[self._pace])

    def bucket_reader(self, role: BucketRole) -> BucketReader | None:
        """Reads a bucket beyond what the snapshot says; None before there is an observer, and in the past."""
        return self._observer.bucket(role) if self._observer is not None and not self.in_past else None

    def _update_keys(self) -> None:
        for view in (self.home, *self._views):
            view.update_keys()

    # Runs of steps.

    @property
    def runs(self) -> tuple[ProvisionRun, ...]:
        """Steps that were begun in this session."""
        return tuple(run for run in (self.provision_run, self.fix_run) if run is not None)

    def open_provisioning(self) -> None:
        """The screen that sets archiving up, where it was when it was left; in the past what ran by then."""
        if self.in_past:
            self.front.open_steps(self, None)
            return
        if self.hands_off or self.provisioner is None:
            self._refuse(self._why_not())
            return
        if self.provision_run is None:
            self.provision_run = self._new_run(self.provisioner)
        self.front.open_steps(self, self.provision_run)

    def _why_not(self) -> str:
        """Why no step can be run."""
        if self.travel is not None:
            return "this is a recording" if self.travel.recording else "this is the past: h comes back to now"
        return "the session is read-only" if self.read_only else self.hands_off or "not connected yet"

    def open_fix(self, fix: Fix) -> None:
        """The steps that mend something, on the screen of steps; one that still runs is shown instead."""
        if self.in_past or self.hands_off or self.fixer is None:
            self._refuse(self._why_not())
            return
        if self.fix_run is None or not self.fix_run.busy:
            self.fix_run = self._new_run(self.fixer(fix))
        self.front.open_steps(self, self.fix_run)

    def _refuse(self, why: str) -> None:
        self.notify(why, "nothing can be changed", "warning")

    def _new_run(self, make: MakeRunner) -> ProvisionRun:
        from walconsole.ui.board.provision_run import ProvisionRun

        run = ProvisionRun(make)
        run.finished = self._run_ended
        return run

    def _run_ended(self, run: ProvisionRun) -> None:
        """What it did is kept, and everything is read anew: what it changed shows at once."""
        self.front.keep_transcript(self, run)
        self.refresh()
