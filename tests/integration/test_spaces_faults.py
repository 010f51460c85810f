"""A sweep of a real Ceph over a network that fails: all is listed, or an error says what is not."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tests.servers.faults import Fault, FaultyFront
from tests.servers.fixtures import or_skip
from tests.servers.rgw import RadosGateway
from tests.servers.rgw_index import seed_index
from tests.servers.s3 import S3Keys
from walconsole.adapters.s3 import store as spaces
from walconsole.adapters.s3 import throttle as spaces_throttle
from walconsole.adapters.s3.key_sources import EnvironmentKeys
from walconsole.adapters.s3.store import SpacesStore
from walconsole.domain.archive.index import ArchiveIndex
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource
from walconsole.domain.round_trips import ObjectContent, Page
from walconsole.domain.wal import Segment
from walconsole.errors import ObjectStoreError
from walconsole.observe.bucket.sweep import Sweep

pytestmark = pytest.mark.server

REFERENCE = KeyReference(KeySource.ENVIRONMENT, "K", "S")
BODY = b"segment"
PAGE_KEYS = 40
"""So few, so that thousands of keys are hundreds of requests."""
LATENCY_S = 0.02
"""What the pages pretend to take, so that many ranges are listed side by side."""


def _keys() -> list[str]:
    """Two timelines of a flat archive with gaps and histories, a dated one beside it, and what is no WAL."""
    lost = {7, *range(1_000, 1_003), *range(2_600, 2_900)}
    first = [f"wal/{Segment(1, number).name()}.zst" for number in range(1, 3_501) if number not in lost]
    second = [f"wal/{Segment(2, number).name()}.zst" for number in range(3_400, 4_500) if number % 500]
    dated = [f"dated/2026/08/{1 + number // 50:02}/{Segment(1, number).name()}" for number in range(1, 1_000)]
    return sorted([*first, *second, *dated, "wal/00000002.history", "README", "wal/notes & more%2F.txt"])


KEYS = _keys()


@pytest.fixture(scope="module")
def seeded(rgw: RadosGateway) -> str:
    """A bucket that lists KEYS, all of the size of BODY."""
    bucket = rgw.bucket()
    or_skip(lambda: seed_index(rgw, bucket, KEYS, first_at=1.75e9, every_s=60.0, body=BODY))
    return bucket


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "_BACKOFF_S", 0.005)
    monkeypatch.setattr(spaces_throttle, "LONGEST_PAUSE_S", 0.02)


async def _nothing(_: int) -> None:
    pass


class Narrow:
    """A store whose pages hold PAGE_KEYS. `before` is told the number of each request, and waited for."""

    key_endpoint = ""

    def __init__(self, store: SpacesStore) -> None:
        self.before: Callable[[int], Awaitable[None]] = _nothing
        self.requests = 0
        self._store = store

    @property
    def key_hint(self) -> str:
        return self._store.key_hint

    async def page(self, *, start_after: str = "", max_keys: int = 1000) -> Page:
        self.requests += 1
        await self.before(self.requests)
        page = await self._store.page(start_after=start_after, max_keys=min(max_keys, PAGE_KEYS))
        return replace(page, seconds=LATENCY_S)

    async def read(self, key: str, count: int) -> ObjectContent:
        return await self._store.read(key, count)


class Swept:
    """A sweep, and what it told of the keys."""

    def __init__(self, store: Narrow) -> None:
        self.store = store
        self.keys: Counter[str] = Counter()
        self.stored_bytes = 0
        self.sweep = Sweep(store, ArchiveIndex(), self._seen)

    def _seen(self, page: Page, count: int, after: str) -> None:
        keys = page.objects.keys[:count]
        assert all(key > after for key in keys)
        self.keys.update(keys)
        self.stored_bytes += page.objects.stored_bytes(0, count)

    async def to_the_end(self, most_failures: int) -> None:
        """Go on after each failure, as the probe does at its next turn."""
        failures: list[str] = []
        while not self.sweep.complete:
            try:
                await self.sweep.advance()
            except ObjectStoreError as error:
                failures.append(error.line())
                assert len(failures) <= most_failures, failures

    def assert_is(self, keys: Sequence[str]) -> None:
        """Every key once, and the index that they make."""
        assert self.keys == Counter(keys)
        assert self.stored_bytes == len(BODY) * len(keys)
        truth = ArchiveIndex()
        truth.fold(keys)
        assert _runs(self.sweep.index) == _runs(truth)
        assert self.sweep.index.foreign == truth.foreign


def _runs(index: ArchiveIndex) -> object:
    return {
        place: {timeline: list(runs) for timeline, runs in archive.timelines.items()}
        for place, archive in index.archives.items()
    }


@asynccontextmanager
async def swept(endpoint: str, bucket: str, keys: S3Keys, prefix: str = "") -> AsyncIterator[Swept]:
    target = BucketTarget(
        BucketRole.PRIMARY, bucket, "us-east-1", endpoint, REFERENCE, prefix=prefix, path_style=True
    )
    source = EnvironmentKeys(REFERENCE, {"K": keys.access_key, "S": keys.secret_key})
    store = SpacesStore(target, source, environ={})
    try:
        yield Swept(Narrow(store))
    finally:
        await store.close()


@pytest.mark.parametrize("seed", range(4))
async def test_with_one_request_in_twenty_failing_nothing_is_missed(
    rgw: RadosGateway, seeded: str, seed: int
) -> None:
    async with FaultyFront(rgw.port, 0.05, seed) as front, swept(front.endpoint, seeded, rgw.admin) as seen:
        await seen.to_the_end(most_failures=1)  # the very first page, where it is no listing
        seen.assert_is(KEYS)
        assert front.met.total() > front.requests / 50


@pytest.mark.parametrize("fault", Fault)
async def test_each_fault_by_itself_however_often(rgw: RadosGateway, seeded: str, fault: Fault) -> None:
    async with (
        FaultyFront(rgw.port, 0.3, seed=1, kinds=[fault]) as front,
        swept(front.endpoint, seeded, rgw.admin, prefix="dated/") as seen,
    ):
        await seen.to_the_end(most_failures=20)
        seen.assert_is([key for key in KEYS if key.startswith("dated/")])
        assert front.met[fault] > 5


async def test_where_all_fails_the_error_says_so_and_the_sweep_is_not_complete(
    rgw: RadosGateway, seeded: str
) -> None:
    async with FaultyFront(rgw.port, 1.0) as front, swept(front.endpoint, seeded, rgw.admin) as seen:
        with pytest.raises(ObjectStoreError, match=front.endpoint):
            await seen.sweep.advance()
        assert not seen.sweep.complete
        assert not seen.keys


async def test_a_grant_that_is_taken_in_mid_sweep_and_given_again(rgw: RadosGateway, seeded: str) -> None:
    keys = rgw.limited_user({seeded: "read"})

    async def revoke(number: int) -> None:
        if number == 40:
            await asyncio.to_thread(rgw.revoke, seeded, keys)

    async with swept(rgw.endpoint, seeded, keys) as seen:
        seen.store.before = revoke
        for _ in range(2):
            with pytest.raises(ObjectStoreError) as caught:
                await seen.sweep.advance()
            assert (caught.value.code, caught.value.status) == ("AccessDenied", 403)
            assert f"may not list bucket {seeded}" in caught.value.why
            assert not seen.sweep.complete
            assert 0 < seen.keys.total() < len(KEYS)
        rgw.grant(seeded, keys, "read")
        assert await seen.sweep.advance()
        seen.assert_is(KEYS)


async def test_a_key_that_is_deleted_in_mid_sweep(rgw: RadosGateway, seeded: str) -> None:
    keys = rgw.limited_user({seeded: "read"})

    async def delete(number: int) -> None:
        if number == 40:
            await asyncio.to_thread(rgw.remove_user, keys)

    async with swept(rgw.endpoint, seeded, keys) as seen:
        seen.store.before = delete
        with pytest.raises(ObjectStoreError, match="knows no key") as caught:
            await seen.sweep.advance()
        assert (caught.value.code, caught.value.status) == ("InvalidAccessKeyId", 403)
        assert not seen.sweep.complete
    rgw.revoke(seeded, keys)


async def test_a_bucket_that_is_not_there(rgw: RadosGateway) -> None:
    async with swept(rgw.endpoint, "no-such-bucket", rgw.admin) as seen:
        with pytest.raises(ObjectStoreError, match="no bucket no-such-bucket") as caught:
            await seen.sweep.advance()
        assert (caught.value.code, caught.value.status) == ("NoSuchBucket", 404)
        assert "create the bucket" in caught.value.remedy
        assert not seen.sweep.complete


async def test_a_bucket_that_vanishes_while_it_is_listed(rgw: RadosGateway) -> None:
    """It is emptied and deleted under a sweep whose other ranges go on, and may see it half empty."""
    names = [Segment(1, number).name() for number in range(1, 5_001, 13)]
    bucket, client = rgw.bucket(), rgw.client()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: client.put_object(Bucket=bucket, Key=name, Body=BODY), names))

        def remove() -> None:
            list(pool.map(lambda name: client.delete_object(Bucket=bucket, Key=name), names))
            client.delete_bucket(Bucket=bucket)

        async def vanish(number: int) -> None:
            if number == 12:
                await asyncio.to_thread(remove)

        async with swept(rgw.endpoint, bucket, rgw.admin) as seen:
            seen.store.before = vanish
            for _ in range(2):
                with pytest.raises(ObjectStoreError, match=f"no bucket {bucket}") as caught:
                    await seen.sweep.advance()
                assert caught.value.code == "NoSuchBucket"
                assert not seen.sweep.complete
