"""What the console sees of a bucket that real writers filled, and taking objects away from it."""

from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager

from tests.servers.s3 import s3_client
from tests.servers.writer import Destination
from walconsole.adapters.decompress import PLAIN
from walconsole.adapters.s3.key_sources import EnvironmentKeys
from walconsole.adapters.s3.store import SpacesStore
from walconsole.domain.archive.layouts import ArchivedName, archived_name, split_key
from walconsole.domain.archive.runs import Runs
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource
from walconsole.domain.wal import DEFAULT_SEGMENT_BYTES, Segment, WalNameKind
from walconsole.observe.bucket.probe import BucketProbe
from walconsole.observe.bucket.reader import ProbeReader
from walconsole.operator_files.kept import NoShelf, SessionRegister
from walconsole.process.clock import SystemClock

REFERENCE = KeyReference(KeySource.ENVIRONMENT, "K", "S")


class Observed:
    """The console's probe on one real bucket."""

    def __init__(self, to: Destination, segment_bytes: int | None) -> None:
        target = BucketTarget(
            BucketRole.PRIMARY, to.bucket, "us-east-1", to.endpoint, REFERENCE, path_style=True
        )
        keys = EnvironmentKeys(REFERENCE, {"K": to.keys.access_key, "S": to.keys.secret_key})
        self.store = SpacesStore(target, keys, environ={})
        self._woken: list[str] = []
        self.probe = BucketProbe(
            target,
            self.store,
            SystemClock(),
            segment_bytes=lambda: segment_bytes,
            wake=self._woken.append,
            plain=PLAIN,
            shelf=NoShelf(),
            register=SessionRegister(),
        )

    @property
    def reader(self) -> ProbeReader:
        """What the archive screen reads the bucket with. It needs a look() before."""
        return ProbeReader(self.probe, login=lambda: "tester")

    async def look(self) -> BucketFacts:
        """The facts once everything was listed and read: the probe asks for no further attempt."""
        while True:
            self._woken.clear()
            (fact,) = await self.probe.take()
            assert isinstance(fact.value, BucketFacts)
            if not self._woken:
                return fact.value


@asynccontextmanager
async def observed(to: Destination, segment_bytes: int | None) -> AsyncIterator[Observed]:
    """A probe on the bucket, with the wal_segment_size that the server would tell (None: it does not)."""
    seen = Observed(to, segment_bytes)
    try:
        yield seen
    finally:
        await seen.store.close()


async def look(to: Destination, segment_bytes: int | None) -> BucketFacts:
    """What the console shows of the bucket when it first sees it."""
    async with observed(to, segment_bytes) as seen:
        return await seen.look()


def stored_numbers(facts: BucketFacts) -> dict[int, set[int]]:
    """The segments of the main archive, by timeline."""
    assert facts.holding is not None
    return {timeline: set(_numbers(runs)) for timeline, runs in facts.holding.timelines.items()}


def _numbers(runs: Runs) -> Iterator[int]:
    for first, last in runs:
        yield from range(first, last + 1)


@contextmanager
def deleted(to: Destination, segments: Collection[Segment], segment_bytes: int) -> Iterator[None]:
    """The objects that hold `segments` are gone, and afterwards are there again."""

    def chosen(name: ArchivedName) -> bool:
        return name.kind is WalNameKind.SEGMENT and name.segment in segments

    with _without(to, [key for key, name in _names(to, segment_bytes) if chosen(name)], len(segments)):
        yield


@contextmanager
def without_history(to: Destination, timeline: int) -> Iterator[None]:
    """The timeline's .history is gone, and afterwards is there again."""
    text = f"{timeline:08X}.history"
    with _without(to, [key for key, name in _names(to, DEFAULT_SEGMENT_BYTES) if name.text == text], 1):
        yield


def _names(to: Destination, segment_bytes: int) -> Iterator[tuple[str, ArchivedName]]:
    pages = s3_client(to.endpoint, to.keys).get_paginator("list_objects_v2").paginate(Bucket=to.bucket)
    for stored in (stored for page in pages for stored in page.get("Contents", ())):
        name = archived_name(split_key(stored["Key"])[1], segment_bytes)
        if name is not None:
            yield stored["Key"], name


@contextmanager
def _without(to: Destination, keys: Collection[str], expected: int) -> Iterator[None]:
    assert len(keys) == expected
    client = s3_client(to.endpoint, to.keys)
    contents = {key: client.get_object(Bucket=to.bucket, Key=key)["Body"].read() for key in keys}
    for key in keys:
        client.delete_object(Bucket=to.bucket, Key=key)
    try:
        yield
    finally:
        for key, content in contents.items():
            client.put_object(Bucket=to.bucket, Key=key, Body=content)
