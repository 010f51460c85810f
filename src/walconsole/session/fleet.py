"""Many clusters at once: looked at in turns, over connections that are kept; a console for one on its own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING

from walconsole.domain.fleet.row import (
    FleetRow,
    Identity,
    after_look,
    asks_for_more,
    fleet_row,
    glanced,
    is_unreachable,
    kept_of,
    unreached,
)
from walconsole.domain.fleet.schedule import Kind, Pace, Turn, next_look
from walconsole.domain.profile import Profile
from walconsole.domain.standing.model import Level
from walconsole.domain.standing.unseen import of_one_look, tells_why
from walconsole.errors import RegisterError
from walconsole.process.clock import SystemClock
from walconsole.process.garbage import Lasting
from walconsole.session.droplet_session import droplet_session

if TYPE_CHECKING:
    from walconsole.adapters.ssh.shell import SshShell
    from walconsole.domain.facts.snapshot import Snapshot
    from walconsole.domain.kept.screens import PastScreen
    from walconsole.domain.standing.model import Diagnosis
    from walconsole.observe.host.host import HostProbe
    from walconsole.operator_files.kept import KeptFiles
    from walconsole.process.cleanup import Cleanups
    from walconsole.session.carried import Carried
    from walconsole.session.fleet_past import FleetPast
    from walconsole.session.history_keeper import HistoryKeeper
    from walconsole.session.wish import Session
    from walconsole.ui.board.droplet_session import DropletSession

_log = logging.getLogger(__name__)

LIMIT_S = 15.0
"""Of a whole look: what was not read by then is unknown."""
MOST_CARRIED = 100
"""Of more clusters nothing is handed on from look to look: what one knows of its buckets takes room."""
MOST_KEPT = 500
"""Connections that are kept between looks, 0.1 MiB each; beyond them each look makes its own."""
KEEPALIVE_S = 90.0
"""Longer than from one look to the next, each of which asks more: 500 that are asked each 2.5 s take 16 % of
a core. While its console is open one is asked as often as any other."""
FULL_HOST_EVERY_S = 900.0
COLLECT_EVERY = 10
"""Whole looks: each leaves some hundred objects that know of each other, asyncio's and asyncssh's, and a
thousand that stay until its next one."""
SCREEN_EVERY_S, SCREENS_OF = 600.0, 50
"""So often a whole screen is kept of a cluster whose level stays; of more than so many as much more rarely.
The first of an hour takes some 9 kB: a month of five hundred would be two gigabytes, of fifty a half."""
HELD_EVERY_S = 5.0
"""So often what an open console knows is put into the list."""


@dataclass(slots=True)
class _Cluster:
    """One of them, and what is known of it. `shell` is kept between looks, None where there is none.

    `carried` is what its last look hands on, None after one that was not well; `from_scratch`: the look that
    is under way goes on from nothing.
    """

    wish: Session
    profile: Profile
    row: FleetRow
    turn: Turn
    shell: SshShell | None = None
    host: HostProbe | None = None
    snapshot: Snapshot | None = None
    session: DropletSession | None = None
    held_at: float = 0.0
    level: Level = Level.OK
    keeper: HistoryKeeper | None = None
    carried: Carried | None = None
    from_scratch: bool = True


class Fleet:
    """ui.fleet.source.Source: the clusters that were wished for."""

    def __init__(self, wishes: Sequence[Session], cleanups: Cleanups) -> None:
        self._clock, self._cleanups = SystemClock(), cleanups
        self._clusters: dict[str, _Cluster] = {}
        for wish in wishes:
            profile = wish.target
            assert isinstance(profile, Profile)  # noqa: S101  # the embedded droplet is none of many
            name = wish.called or profile.name
            identity = Identity(name, str(profile.ssh), profile.tags)
            self._clusters[name] = _Cluster(wish, profile, FleetRow(identity), Turn(name))
        self._last_whole_at: float | None = None
        self._pace = Pace()
        self._lasting = Lasting(self._clock.monotonic())
        self._begun = 0
        self._woken = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._kept: KeptFiles | None = None

    # What the list asks.

    @property
    def rows(self) -> tuple[FleetRow, ...]:
        """One for each, in the order in which they were named."""
        for cluster in self._clusters.values():
            if cluster.session is not None:
                self._take_over(cluster, cluster.session)
        return tuple(cluster.row for cluster in self._clusters.values())

    @property
    def past(self) -> FleetPast:
        """What was kept of them."""
        from walconsole.session.fleet_past import FleetPast

        kept = [(cluster.profile.kept_under, cluster.row.identity) for cluster in self._clusters.values()]
        return FleetPast(self._environment, kept)

    def is_looked_at(self, name: str) -> bool:
        """Whether a look is under way."""
        return self._clusters[name].turn.looking is not None

    def want(self, name: str) -> None:
        """Look at it wholly, as soon as can be."""
        cluster = self._clusters[name]
        cluster.turn.wanted = True
        if cluster.session is not None:
            cluster.session.refresh()
        self._woken.set()

    def open(self, name: str) -> DropletSession:
        """Its console's session: the one that there is, else one on the connection that is kept for it."""
        cluster = self._clusters[name]
        if cluster.session is None:
            shell = cluster.shell
            lent = shell.connection if shell is not None and shell.connection.connected else None
            if lent is not None:
                lent.ask_when_silent(None)
            cluster.session = droplet_session(cluster.wish, self._cleanups, lent)
            cluster.turn.held = True
        return cluster.session

    def closed(self, session: DropletSession) -> None:
        """It is looked at in turns again."""
        for cluster in self._clusters.values():
            if cluster.session is session:
                cluster.session, cluster.turn.held = None, False
                self._lasting.dropped(self._clock.monotonic())
                if cluster.shell is not None:
                    cluster.shell.connection.ask_when_silent(KEEPALIVE_S)

    async def incidents(self) -> list[tuple[str, str]]:
        """What is remembered on this machine, of clusters that are not in the list, too."""
        from walconsole.session.incidents import named

        return await asyncio.to_thread(named, self._environment)

    async def incident_report(self, key: str) -> str:
        """Markdown. Raises UsageError for one that is not remembered any more."""
        from walconsole.session.incidents import reported

        return await asyncio.to_thread(lambda: "\n".join(reported(self._environment, key)) + "\n")

    @property
    def _environment(self) -> Mapping[str, str]:
        return next(iter(self._clusters.values())).wish.environment

    # The looks.

    async def run(self) -> None:
        """Look at them in turns until cancelled."""
        await asyncio.to_thread(import_module, "walconsole.session.wiring")
        from walconsole.operator_files.kept import on_disk

        self._kept = on_disk(self._environment)
        self._cleanups.add("closing the connections of the list", self._close, 10.0)
        turns = [cluster.turn for cluster in self._clusters.values()]
        while True:
            now = self._clock.monotonic()
            for cluster in self._clusters.values():
                if cluster.turn.looking is not None and cluster.shell is not None:
                    cluster.turn.reached = cluster.shell.connection.connected
            self._pace.follow(now, time.process_time())
            turn, kind, wait_s = next_look(turns, now, self._last_whole_at, self._pace.apart_of(len(turns)))
            if turn is not None:
                self._clusters[turn.name].from_scratch = turn.wanted or turn.changed
                turn.begin(kind, now)
                if kind is Kind.WHOLE:
                    self._last_whole_at = now
                    self._collect()
                self._begin(self._clusters[turn.name], kind)
                await asyncio.sleep(0)
                continue
            self._woken.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()
            except TimeoutError:
                continue

    def _collect(self) -> None:
        """A look leaves cycles behind, which are old when it ends: only a full collection finds them."""
        self._begun += 1
        if self._begun % COLLECT_EVERY == 0:
            self._lasting.collect(self._clock.monotonic())

    def _begin(self, cluster: _Cluster, kind: Kind) -> None:
        task = asyncio.create_task(self._look(cluster, kind), name=f"look at {cluster.turn.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look(self, cluster: _Cluster, kind: Kind) -> None:
        """One look. Whatever goes wrong with it is told in its row, and ends no other."""
        try:
            if kind is Kind.WHOLE:
                await self._look_wholly(cluster)
            else:
                await self._glance(cluster)
        except Exception as error:  # noqa: BLE001  # it ends no other, and its row tells
            _log.exception("looking at %s", cluster.turn.name)
            why = f"cannot tell: {type(error).__name__} inside walconsole: the log file has the details"
            cluster.row = replace(cluster.row, level=Level.UNKNOWN, verdict=why)
            cluster.turn.in_trouble = True
        finally:
            cluster.turn.end(self._clock.monotonic())
            if sum(each.shell is not None for each in self._clusters.values()) > MOST_KEPT:
                await self._let_go(cluster)

    async def _look_wholly(self, cluster: _Cluster) -> None:
        from walconsole.session.carried import Carried

        carried, cluster.carried = cluster.carried, None
        if carried is None or cluster.from_scratch:
            carried = Carried()
        found = await self._found(cluster, carried)
        if carried.is_outdated(found):
            carried = Carried()
            found = await self._found(cluster, carried)
        carry_on = len(self._clusters) <= MOST_CARRIED
        found = after_look(cluster.snapshot, found)
        cluster.snapshot = kept_of(found)
        await self._judge(cluster, found)
        if carry_on and cluster.row.level is Level.OK:
            carried.take(found)
            cluster.carried = carried

    async def _found(self, cluster: _Cluster, carried: Carried) -> Snapshot:
        from walconsole.session.one_look import look_once

        assert self._kept is not None  # noqa: S101  # `run` has made it
        shell, wish = self._shell(cluster), cluster.wish
        shell.retry()
        found, _ = await look_once(
            cluster.profile, self._clock, wish.environment, self._kept, LIMIT_S, wish.resolved, shell, carried
        )
        return found

    async def _glance(self, cluster: _Cluster) -> None:
        from walconsole.observe.host.glance import glance
        from walconsole.observe.host.host import HostProbe

        before = cluster.snapshot
        if before is None:
            return
        shell, was_unreachable = self._shell(cluster), cluster.turn.unreachable
        if cluster.host is None:
            cluster.host = HostProbe(shell, cluster.profile, self._clock, FULL_HOST_EVERY_S)
        cluster.snapshot = after = await glance(cluster.host, before, self._clock)
        cluster.turn.unreachable = is_unreachable(after)
        if cluster.turn.unreachable:
            cluster.row = unreached(cluster.row, after)
            cluster.turn.changed |= not was_unreachable
        else:
            cluster.row = glanced(cluster.row, after, self._clock.now())
            cluster.turn.changed |= was_unreachable or asks_for_more(before, after)
        if cluster.keeper is not None:
            cluster.keeper.glimpse(after, self._clock.now(), cluster.row)

    def _shell(self, cluster: _Cluster) -> SshShell:
        if cluster.shell is None:
            from walconsole.adapters.ssh.shell import SshShell
            from walconsole.session.one_look import NobodyThere

            profile = cluster.profile
            cluster.shell = SshShell(
                profile.ssh,
                sudo=profile.sudo,
                operator=NobodyThere(),
                clock=self._clock,
                keepalive_s=KEEPALIVE_S,
            )
        return cluster.shell

    async def _judge(self, cluster: _Cluster, snapshot: Snapshot) -> None:
        from walconsole.domain.failures import diagnose
        from walconsole.domain.incidents.follow import look_of
        from walconsole.domain.kept.screens import PastScreen

        now = self._clock.now()
        diagnosis = diagnose(snapshot, now)
        if not tells_why(diagnosis.verdict):
            diagnosis = of_one_look(diagnosis, snapshot, LIMIT_S)
        cluster.row = fleet_row(cluster.row.identity, snapshot, diagnosis, now)
        turn, before = cluster.turn, cluster.level
        turn.unreachable, turn.can_glance = is_unreachable(snapshot), True
        turn.in_trouble, cluster.level = cluster.row.level is not Level.OK, cluster.row.level
        remembered = None
        if self._kept is not None and not (before is Level.OK and cluster.level is Level.OK):
            shelf, look = self._kept.incidents(cluster.profile.kept_under), look_of(snapshot, diagnosis, now)
            try:
                remembered = await asyncio.to_thread(shelf.note, (look,), now)
            except RegisterError as error:
                _log.warning("%s", error.line())
        self._keep(cluster, PastScreen(now, snapshot, (), remembered), diagnosis)

    def _keep(self, cluster: _Cluster, screen: PastScreen, diagnosis: Diagnosis) -> None:
        """For the past of the list, and of its console."""
        from walconsole.operator_files.history_file import HistoryFile
        from walconsole.session.history_keeper import HistoryKeeper

        if cluster.keeper is None:
            file, name = HistoryFile(self._environment), cluster.profile.kept_under
            every_s = SCREEN_EVERY_S * max(1.0, len(self._clusters) / SCREENS_OF)
            cluster.keeper = HistoryKeeper(file, name, self._clock, screen_every_s=every_s, of_many=True)
        cluster.keeper.look(screen, diagnosis, row=cluster.row)

    def _take_over(self, cluster: _Cluster, session: DropletSession) -> None:
        """What its console knows."""
        from walconsole.domain.failures import diagnose

        snapshot, passed = session.snapshot, self._clock.monotonic() - cluster.held_at
        if snapshot is None or passed < HELD_EVERY_S or not snapshot.whole:
            return
        now, cluster.held_at = self._clock.now(), self._clock.monotonic()
        cluster.snapshot = kept_of(snapshot)
        diagnosis = of_one_look(diagnose(snapshot, now), snapshot, LIMIT_S)
        cluster.row = fleet_row(cluster.row.identity, snapshot, diagnosis, now)
        cluster.turn.unreachable = is_unreachable(snapshot)
        cluster.turn.whole_at = cluster.held_at

    async def _let_go(self, cluster: _Cluster) -> None:
        if cluster.shell is not None and cluster.session is None:
            shell, cluster.shell, cluster.host = cluster.shell, None, None
            await shell.aclose()

    async def _close(self) -> None:
        """End the looks, and close what is kept; none waits for another's dead host."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        shells = [cluster.shell for cluster in self._clusters.values() if cluster.shell is not None]
        keepers = [cluster.keeper for cluster in self._clusters.values() if cluster.keeper is not None]
        closing = (*(keeper.close() for keeper in keepers), *(shell.aclose() for shell in shells))
        await asyncio.gather(*closing, return_exceptions=True)
