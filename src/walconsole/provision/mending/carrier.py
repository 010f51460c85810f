"""What carries one segment into the copies that lack it, and what it tells of that."""

from collections.abc import AsyncIterator
from enum import IntEnum
from typing import Protocol

from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.mending import Mend, Source
from walconsole.domain.archive.stored_form import StoredAs, stored_beside
from walconsole.domain.profile import BucketRole
from walconsole.domain.records import record
from walconsole.domain.wal import Segment
from walconsole.observe.bucket.locate import locate
from walconsole.provision.engine.model import Command, Event
from walconsole.provision.engine.site import Site
from walconsole.provision.mending.look import MendLook, target_of


class Carried(IntEnum):
    """What became of it, by the droplet's script, too."""

    STORED = 0
    REFUSED = 1
    OTHER_CONTENT = 3
    DIFFERS = 4
    THERE = 5


@record
class Unusable:
    """That source is not the segment, or could not be read."""

    source: Source
    why: str


@record
class Brought:
    """What became of the segment in that copy: its key, or why it is not there."""

    role: BucketRole
    state: Carried
    words: str = ""

    @property
    def well(self) -> bool:
        """Whether the copy holds it now, read back."""
        return self.state in (Carried.STORED, Carried.THERE)


News = Event | Unusable | Brought


class Carrier(Protocol):
    """Brings segments, one at a time. Of each source that is none, and of each copy, it tells once.

    It may be left after any news; what is half done then is nowhere to be seen.
    """

    @property
    def way(self) -> str:
        """How, for the plan."""
        ...

    async def by_hand(self, mend: Mend) -> Command | None:
        """What an operator would type to bring it; None where nothing typed on the droplet could."""
        ...

    def carry(self, mend: Mend) -> AsyncIterator[News]:
        """Raises what the ports raise, and ProvisionError where nothing can be carried at all."""
        ...


class Places:
    """Where objects lie and where they belong, by small listings. Neighbours are asked for once."""

    def __init__(self, site: Site, look: MendLook) -> None:
        self._site, self._look = site, look
        self._beside: dict[tuple[BucketRole, Segment], str] = {}

    async def key_in(self, role: BucketRole, segment: Segment) -> str | None:
        """The key of the object that holds it, None where there is none (any more)."""
        target = target_of(self._site, role)
        holding = self._look.holding(role, target.prefix)
        found = await locate(self._site.store(target), holding, segment, self._site.clock.now())
        return found[0].key if found else None

    async def stored_as(self, role: BucketRole, segment: Segment) -> StoredAs:
        """Where it belongs there, as the segment beside it lies. Raises ValueError where nothing fits."""
        holding = self._look.holding(role, target_of(self._site, role).prefix)
        if self._look.is_empty(role):
            return stored_beside(holding, holding.newest_key, segment.name(holding.segment_bytes))
        beside = self._neighbour(holding, segment)
        if (role, beside) not in self._beside:
            key = await self.key_in(role, beside)
            if key is None:
                raise ValueError("the segment beside it is gone")
            self._beside[role, beside] = key
        return stored_beside(holding, self._beside[role, beside], segment.name(holding.segment_bytes))

    def _neighbour(self, holding: Holding, segment: Segment) -> Segment:
        """The nearest before it, else after it, else the newest of all."""
        runs = holding.timelines.get(segment.timeline)
        if runs is not None and runs.count:
            before = runs.last_until(segment.number)
            number = before if before is not None else runs.first_from(segment.number)
            if number is not None:
                return Segment(segment.timeline, number)
        if holding.newest is None:
            raise ValueError("the copy holds no segment to go by")
        return holding.newest
