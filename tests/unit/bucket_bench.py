"""A bucket's probe on a bucket in memory, with a clock that stands still."""

import struct
from dataclasses import dataclass, field

from tests.unit.memory_bucket import MemoryBucket
from walconsole.adapters.decompress import PLAIN
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.profile import BucketRole, default_bucket
from walconsole.domain.wal import Segment
from walconsole.observe.bucket.picture import BucketPicture
from walconsole.observe.bucket.probe import BucketProbe
from walconsole.observe.bucket.reader import ProbeReader
from walconsole.operator_files.kept import SessionRegister

MIB = 1024 * 1024


@dataclass
class FakeClock:
    at: float = 1_000_000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


@dataclass
class KeptShelf:
    """Keeps one document in memory."""

    document: bytes | None = None
    saves: int = 0

    def load(self) -> bytes | None:
        return self.document

    def save(self, document: bytes) -> None:
        self.document = document
        self.saves += 1


@dataclass
class Bench:
    """A probe, what it needs, and what it was heard to ask."""

    bucket: MemoryBucket
    segment_bytes: int | None = 16 * MIB
    clock: FakeClock = field(default_factory=FakeClock)
    woken: list[str] = field(default_factory=list)
    shelf: KeptShelf = field(default_factory=KeptShelf)
    register: SessionRegister = field(default_factory=SessionRegister)
    name: str = "shithub"
    archived: str | None = None
    system: str | None = None
    picture: BucketPicture | None = None

    def __post_init__(self) -> None:
        self.probe = BucketProbe(
            default_bucket(BucketRole.PRIMARY, self.name, "nyc3"),
            self.bucket,
            self.clock,
            segment_bytes=lambda: self.segment_bytes,
            wake=self.woken.append,
            plain=PLAIN,
            shelf=self.shelf,
            register=self.register,
            last_archived=lambda: self.archived,
            system_identifier=lambda: self.system,
            picture=self.picture,
        )
        self.reader = ProbeReader(self.probe, login=lambda: "tester")

    async def take(self) -> BucketFacts:
        (fact,) = await self.probe.take()
        assert fact.slot is Snapshot.primary
        assert isinstance(fact.value, BucketFacts)
        return fact.value

    async def settle(self) -> BucketFacts:
        """Take until nothing asks for more at once."""
        facts = await self.take()
        while self.woken:
            self.woken.clear()
            facts = await self.take()
        return facts

    async def requests(self) -> list[tuple[str, int]]:
        """What one more `take` asks for."""
        self.bucket.requests.clear()
        await self.take()
        return list(self.bucket.requests)


def name(number: int, timeline: int = 1) -> str:
    return Segment(timeline, number).name()


def names(*numbers: int) -> list[str]:
    return [name(number) for number in numbers]


def head(system_identifier: int, segment_bytes: int = 16 * MIB) -> bytes:
    """A segment's first page header, of PostgreSQL 15."""
    return struct.pack("<HHIQI4xQII", 0xD110, 2, 1, 0, 0, system_identifier, segment_bytes, 8192)
