"""A glance at one host: is it there, what waits in pg_wal, how much room is left; by one script."""

import asyncio

from walconsole.domain.facts.snapshot import Problem, Reading, Snapshot, failed, fold, succeeded
from walconsole.domain.patience import OVERDUE
from walconsole.errors import WalconsoleError
from walconsole.observe.host.host import HostProbe
from walconsole.observe.poller.probe import problem_of
from walconsole.ports import Clock

GLANCE_S = 15.0


async def glance(probe: HostProbe, snapshot: Snapshot, clock: Clock) -> Snapshot:
    """`snapshot` with what is read now; of a host that cannot be reached nothing behind it can be."""
    began = clock.now()
    try:
        async with asyncio.timeout(GLANCE_S):
            facts = await probe.take()
    except TimeoutError:
        why = f"{probe.name}: no answer within {GLANCE_S:g} s"
        return _unreached(snapshot, Problem(why, "it is tried again", OVERDUE), clock.now(), began)
    except WalconsoleError as error:
        return _unreached(snapshot, problem_of(error), clock.now(), began)
    for fact in facts:
        before: Reading[object] = fact.slot.of(snapshot)
        if isinstance(fact.value, Problem):
            reading = failed(before, fact.value, began, fact.source, before.cadence_s)
        else:
            reading = succeeded(before, fact.value, fact.read_at, fact.source, before.cadence_s)
        snapshot = fold(snapshot, reading, clock.now())
    return snapshot


def _unreached(snapshot: Snapshot, problem: Problem, now: float, began: float) -> Snapshot:
    for slot in snapshot.slots:
        if slot.through_ssh or slot is Snapshot.link:
            before = slot.of(snapshot)
            snapshot = fold(snapshot, failed(before, problem, began, before.source, before.cadence_s), now)
    return snapshot
