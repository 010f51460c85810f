"""One cluster watched: the console's observer without a screen, what is decided of it, what is told of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from walconsole.domain.facts.log_line import LogLine
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures import diagnose
from walconsole.domain.kept.screens import PastScreen, newest_lines
from walconsole.domain.notices import outbox
from walconsole.domain.notices.deciding import Rules, Seen, decide, seen_of
from walconsole.domain.notices.outbox import Kept
from walconsole.domain.notices.words import subject
from walconsole.domain.profile import NotifySettings, Profile
from walconsole.domain.records import record
from walconsole.domain.standing.model import Diagnosis, Level, Verdict
from walconsole.domain.standing.worsening import is_begun
from walconsole.domain.units import whole_duration_text
from walconsole.errors import NoticeError, RegisterError, WalconsoleError
from walconsole.ports import Clock, Observer
from walconsole.process.clock import asleep_s
from walconsole.process.threads import Threads
from walconsole.session.history_keeper import HistoryKeeper
from walconsole.session.incident_memory import IncidentMemory
from walconsole.session.one_look import NobodyThere
from walconsole.session.telling import TELLERS, Telling

_log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
"""So often what is known is looked at, unless the operator says otherwise."""
AGAIN_AFTER_S = 60.0
"""After an observation that ended by itself; and so often what only somebody could mend is tried anew."""
SILENT_AFTER_S = 180.0
"""What is known is not believed any more where nothing at all was read for so long, though nothing failed."""
HUNG_AFTER_S = 120.0
"""A look that is older than this says that the watcher hangs."""
SET_S = 1.0
"""A wall clock that went so differently from the other one between two looks was set."""
LOOKERS = Threads("looking", 2)
_WRITE_EVERY_S = 60.0
"""So often what changes with every look is written. A decision is written at once."""


@record
class Looked:
    """The last look, for whoever asks for metrics."""

    snapshot: Snapshot
    diagnosis: Diagnosis
    at: float


def rules_of(settings: NotifySettings) -> Rules:
    """As the profile has them."""
    return Rules(
        worse_after_s=settings.worse_after_minutes * 60,
        blind_after_s=settings.blind_after_minutes * 60,
        well_after_s=settings.well_after_minutes * 60,
        again_s=settings.again_hours * 3600,
    )


class WatchScreen(NobodyThere):
    """ports.Screen that knows how long nothing came."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._heard = self._began = clock.monotonic()
        self.lines: tuple[LogLine, ...] = ()

    def log(self, lines: Sequence[LogLine]) -> None:
        """The newest about archiving are kept with what was seen."""
        self.lines = newest_lines(self.lines, lines)

    def publish(self, snapshot: Snapshot) -> None:
        """See ports.Screen."""
        super().publish(snapshot)
        self._heard = self._clock.monotonic()

    def forget(self) -> None:
        """Another observation begins."""
        self.snapshot = None
        self._heard = self._began = self._clock.monotonic()

    @property
    def age_s(self) -> float:
        """Seconds since the observation began."""
        return self._clock.monotonic() - self._began

    @property
    def silent_s(self) -> float:
        """Seconds since anything was read, or the observation began."""
        return self._clock.monotonic() - self._heard


Observe = Callable[[WatchScreen, Callable[[Observer], None]], Awaitable[None]]
"""Observes until it is cancelled, or ends by itself; hands its observer over, and closes what it opened."""


class Watcher:
    """Watches until cancelled. `beat` is called after each look, `say` with what is told.

    `called` is the profile's own name in the file, by which commands know it; empty for a host that has none.
    """

    def __init__(
        self,
        profile: Profile,
        observe: Observe,
        telling: Telling,
        memory: IncidentMemory,
        keeper: HistoryKeeper,
        clock: Clock,
        beat: Callable[[], None] = lambda: None,
        say: Callable[[str], None] = lambda _: None,
        every_s: float = LOOK_EVERY_S,
        called: str = "",
    ) -> None:
        self.name, self.profile_name = called or profile.name, profile.name
        self._target = called or str(profile.ssh)
        self.telling = telling
        self.looked: Looked | None = None
        self._run_observation, self._memory, self._clock = observe, memory, clock
        self._keeper = keeper
        self._beat, self._say, self._every_s = beat, say, every_s
        self._rules = rules_of(profile.notify)
        self._screen = WatchScreen(clock)
        self._observer: Observer | None = None
        self._ended = ""
        self._unheard = False
        self._last: tuple[float, float, float] | None = None
        self._looked_on = self._written = self._retried = clock.monotonic()

    @property
    def late_s(self) -> float:
        """Seconds since the last look, of a watcher that looks every few."""
        return self._clock.monotonic() - self._looked_on

    @property
    def refused(self) -> tuple[str, ...]:
        """Questions that nobody could answer."""
        return tuple(self._screen.refused)

    async def begin(self) -> None:
        """What was kept is taken up: others see from now on that it watches."""
        now = self._clock.now()
        await self.telling.change(lambda kept: replace(kept, began_at=now, stopped_at=None))

    async def run(self) -> None:
        """Observe, look, tell. Raises nothing but what ends the program."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._observe(), name=f"observation of {self.name}")
            tasks.create_task(self._look_again_and_again(), name=f"looks at {self.name}")
            tasks.create_task(self.telling.run(), name=f"telling of {self.name}")

    async def stop(self) -> None:
        """It ended in good order."""
        now = self._clock.now()
        await self._memory.close()
        await self._keeper.close()
        await self.telling.change(lambda kept: replace(kept, stopped_at=now, looked_at=now))

    async def _observe(self) -> None:
        """What can never succeed is tried again all the same: a profile's host may be mended meanwhile."""
        while True:
            self._screen.forget()
            try:
                await self._run_observation(self._screen, self._has_begun)
                self._ended = "the observation ended"
            except WalconsoleError as error:
                self._ended = error.line()
            except Exception as error:  # noqa: BLE001  # whatever ends one observation, another begins
                _log.exception("observation of %s", self.name)
                self._ended = f"{type(error).__name__} inside walconsole: the log file has the details"
            self._observer = None
            await asyncio.sleep(AGAIN_AFTER_S)
            self._ended = ""

    def _has_begun(self, observer: Observer) -> None:
        self._observer = observer

    async def _look_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.look()
            except Exception:  # noqa: BLE001  # a rule's bug must not end the watch: the next look may well succeed
                _log.exception("look at %s", self.name)
                continue
            self._looked_on = self._clock.monotonic()
            self._live()

    def _live(self) -> None:
        """Say so to who looks for it. A file system that became one to read ends no watch."""
        try:
            self._beat()
        except RegisterError as error:
            if not self._unheard:
                _log.warning("%s", error.line())
            self._unheard = True
        else:
            self._unheard = False

    async def look(self) -> None:
        """One look at what is known now, what follows from it, and that on the disk."""
        now, on = self._clock.now(), self._clock.monotonic()
        snapshot = self._screen.snapshot or Snapshot(self.name, now, now)
        diagnosis = await LOOKERS.run(diagnose, snapshot, now)
        silent_s = self._screen.silent_s
        believed = not (self._ended or silent_s > SILENT_AFTER_S)
        if not believed:
            why = self._ended or f"nothing was read for {whole_duration_text(silent_s)}"
            diagnosis = Diagnosis(Verdict(Level.UNKNOWN, f"cannot tell: {why}"), (), ())
        elif not is_begun(snapshot) and self._screen.age_s < SILENT_AFTER_S:
            return
        self.looked = Looked(snapshot, diagnosis, now)
        remembered = self._memory.look(snapshot, diagnosis, now)
        screen = PastScreen(now, snapshot, self._screen.lines, remembered)
        self._keeper.look(screen, diagnosis, believed=believed)
        elapsed_s, set_s = self._elapsed_s(now, on)
        await self._decide(seen_of(diagnosis, self._target, now, elapsed_s, set_s), on)
        self._retry(diagnosis.verdict.level, on)

    def _elapsed_s(self, now: float, on: float) -> tuple[float, float]:
        """Since the look before, and by how much the wall clock was set forward meanwhile.

        By the wall clock where that was another process's: nobody knows then whether it was set, unless it is
        before that look.
        """
        asleep = asleep_s()
        before, self._last = self._last, (now, on, asleep)
        if before is not None:
            elapsed_s, slept_s = on - before[1], asleep - before[2]
            set_s = now - before[0] - elapsed_s - slept_s
            return elapsed_s, set_s if abs(set_s) >= SET_S else 0.0
        looked_at = self.telling.kept.looked_at
        return (max(0.0, now - looked_at), min(0.0, now - looked_at)) if looked_at else (0.0, 0.0)

    async def _decide(self, seen: Seen, on: float) -> None:
        standing, notice = decide(self.telling.kept.standing, seen, self._rules, self.name)

        def after(kept: Kept) -> Kept:
            kept = replace(kept, standing=standing, looked_at=seen.at)
            return kept if notice is None else outbox.posted(kept, notice, self.telling.ways)

        if notice is not None:
            _log.warning("notice %s (%s): %s", notice.id, notice.kind.value, notice.verdict)
            self._say(subject(notice))
        elif standing.level is self.telling.kept.standing.level and on - self._written < _WRITE_EVERY_S:
            self.telling.kept = after(self.telling.kept)
            return
        self._written = on
        await self.telling.change(after)
        self.telling.wake()

    def _retry(self, level: Level, on: float) -> None:
        """Who can ask nobody tries again by itself: a host key may be known by now, an agent run."""
        asked = level is Level.UNKNOWN and self._screen.refused
        if asked and on - self._retried >= AGAIN_AFTER_S and self._observer is not None:
            self._retried = on
            self._observer.refresh()


class Pings:
    """Pings a dead man's check: well while all that is told is well, and failed while it is not."""

    def __init__(self, watcher: Watcher, ping: Callable[[str, str], None], every_s: float) -> None:
        self._watcher, self._ping, self._every_s = watcher, ping, every_s

    async def run(self) -> None:
        """Ping until cancelled; silence is what the check tells of."""
        await self._try("start", "the watch begins")
        while True:
            await asyncio.sleep(self._every_s)
            if self._watcher.late_s > HUNG_AFTER_S:
                continue  # a watcher that hangs must not say that all is well
            looked, told = self._watcher.looked, self._watcher.telling.kept.standing.told
            if looked is not None:
                said = f"{self._watcher.name}: {told.value}: {looked.diagnosis.verdict.text}"
                await self._try("" if told is Level.OK else "fail", said)

    async def _try(self, signal: str, said: str) -> None:
        try:
            await TELLERS.run(self._ping, signal, said)
        except NoticeError as error:
            _log.warning("%s", error.line())
        except Exception:  # noqa: BLE001  # a keyring's bug, say, must not end the watch
            _log.exception("pinging for %s", self._watcher.name)
