"""The object store on Ceph RGW (what Spaces is made of) and on rclone's S3, whole and broken."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from tests.servers.fixtures import MakeProxy
from tests.servers.rclone import RcloneS3
from tests.servers.rgw import RadosGateway
from tests.servers.s3 import S3Keys, new_keys
from walconsole.adapters.s3 import errors as spaces_errors
from walconsole.adapters.s3 import signing as spaces_signing
from walconsole.adapters.s3 import wire as spaces_wire
from walconsole.adapters.s3.key_sources import EnvironmentKeys
from walconsole.adapters.s3.store import SpacesStore
from walconsole.command_register import CommandRegister, telling_of_requests
from walconsole.domain.archive.index import ArchiveIndex
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource
from walconsole.domain.round_trips import ObjectContent, Page
from walconsole.domain.store.access_keys import KeyPair
from walconsole.domain.wal import Segment
from walconsole.errors import ObjectStoreError
from walconsole.observe.bucket.sweep import Sweep

pytestmark = pytest.mark.server

REFERENCE = KeyReference(KeySource.ENVIRONMENT, "K", "S")


def target_of(endpoint: str, bucket: str, **changes: object) -> BucketTarget:
    target = BucketTarget(BucketRole.PRIMARY, bucket, "us-east-1", endpoint, REFERENCE, path_style=True)
    return replace(target, **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def store_of(target: BucketTarget, keys: S3Keys, **environ: str) -> AsyncIterator[SpacesStore]:
    source = EnvironmentKeys(REFERENCE, {"K": keys.access_key, "S": keys.secret_key})
    store = SpacesStore(target, source, environ=environ)
    try:
        yield store
    finally:
        await store.close()


async def refusal(target: BucketTarget, keys: S3Keys, **environ: str) -> ObjectStoreError:
    async with store_of(target, keys, **environ) as store:
        with pytest.raises(ObjectStoreError) as caught:
            await store.page()
    assert keys.secret_key not in str(caught.value)
    return caught.value


@pytest.fixture(scope="module")
def filled(rgw: RadosGateway) -> str:
    """A bucket with strange and ordinary keys."""
    bucket = rgw.bucket()
    for key in STRANGE_KEYS:
        rgw.client().put_object(Bucket=bucket, Key=key, Body=b"x" * len(key))
    return bucket


STRANGE_KEYS = sorted(
    [
        Segment(1, 1).name(),
        f"{Segment(1, 2).name()}.gz",
        f"2026/08/01/{Segment(1, 3).name()}",
        "00000002.history",
        "it's <here> & there",
        "a+b c%2Fd%",
        "ümläut/€/𝄞",
        "tab\tand\nnewline",
        "[bold]x[/bold]\x1b[31m",
        '"quoted"',
        "~",
    ]
)


async def test_keys_come_as_they_were_put(rgw: RadosGateway, filled: str) -> None:
    async with store_of(target_of(rgw.endpoint, filled), rgw.admin) as store:
        page = await store.page()
        assert list(page.objects.keys) == STRANGE_KEYS
        assert [page.objects[n].size for n in range(len(STRANGE_KEYS))] == [len(key) for key in STRANGE_KEYS]
        assert page.objects.stored_bytes(0, len(STRANGE_KEYS)) == sum(map(len, STRANGE_KEYS))
        assert not page.truncated
        assert page.store_clock is not None
        assert abs(page.store_clock - page.answered_at) < 5
        assert abs(page.objects[0].modified_at - page.answered_at) < 120
        assert store.key_hint == rgw.admin.access_key[:6] + "…"


async def test_pages_begin_after_any_key(rgw: RadosGateway, filled: str) -> None:
    async with store_of(target_of(rgw.endpoint, filled), rgw.admin) as store:
        for position, key in enumerate(STRANGE_KEYS):
            page = await store.page(start_after=key, max_keys=2)
            assert list(page.objects.keys) == STRANGE_KEYS[position + 1 : position + 3]
            assert page.truncated is (position + 3 < len(STRANGE_KEYS))


async def test_a_prefix_hides_the_rest(rgw: RadosGateway, filled: str) -> None:
    async with store_of(target_of(rgw.endpoint, filled, prefix="ümläut/"), rgw.admin) as store:
        assert list((await store.page()).objects.keys) == ["ümläut/€/𝄞"]


async def test_a_limited_key_lists(rgw: RadosGateway, filled: str) -> None:
    async with store_of(target_of(rgw.endpoint, filled), rgw.limited_user({filled: "read"})) as store:
        assert len((await store.page()).objects) == len(STRANGE_KEYS)


@pytest.mark.parametrize(
    ("code", "status", "remedy"),
    [
        ("AccessDenied", 403, "grant"),
        ("InvalidAccessKeyId", 403, "key"),
        ("SignatureDoesNotMatch", 403, "secret"),
        ("NoSuchBucket", 404, "create"),
    ],
)
async def test_each_refusal_by_its_name(rgw: RadosGateway, code: str, status: int, remedy: str) -> None:
    bucket = rgw.bucket()
    keys = {
        "AccessDenied": rgw.limited_user(),
        "InvalidAccessKeyId": new_keys("nobody"),
        "SignatureDoesNotMatch": S3Keys("admin", rgw.admin.access_key, "wrong-secret-0123456789"),
        "NoSuchBucket": rgw.admin,
    }[code]
    name = "no-such-bucket" if code == "NoSuchBucket" else bucket
    error = await refusal(target_of(rgw.endpoint, name), keys)
    assert (error.code, error.status) == (code, status)
    assert remedy in error.remedy
    assert keys.access_key[:6] in error.tried
    assert keys.access_key not in str(error)
    assert "\n" not in str(error)


async def test_each_request_is_told_and_nothing_secret_of_it(rgw: RadosGateway, filled: str) -> None:
    """A listing's pages are one entry, however many there are; an object's has its key."""
    register = CommandRegister()
    source = EnvironmentKeys(REFERENCE, {"K": rgw.admin.access_key, "S": rgw.admin.secret_key})
    target = target_of(rgw.endpoint, filled)
    store = SpacesStore(target, source, environ={}, telling=telling_of_requests(register, time.time))
    first = await store.page(max_keys=1)
    await store.page(start_after=first.objects.keys[0], max_keys=1)
    await store.page(start_after=first.objects.keys[0], max_keys=2)
    await store.read(first.objects.keys[0], 10)
    with pytest.raises(ObjectStoreError):
        await store.read("not/there", 10)
    await store.close()
    told = {entry.text: entry for entry in register.entries()}
    host = rgw.endpoint.removeprefix("http://")
    assert {entry.where for entry in told.values()} == {host}
    absent, read, *pages = (told[text] for text in sorted(told, key=lambda text: "?" in text))
    assert (absent.text, absent.status, absent.failed) == (f"GET /{filled}/not/there", 404, True)
    assert (read.text, read.status, read.failed) == (f"GET /{filled}/{first.objects.keys[0]}", 206, False)
    assert [(page.text, page.status, page.count) for page in pages] == [
        (f"GET /{filled}?encoding-type&list-type&max-keys&start-after", 200, 2),
        (f"GET /{filled}?encoding-type&list-type&max-keys", 200, 1),
    ]
    assert rgw.admin.secret_key not in repr(register.entries())
    assert "Signature" not in repr(register.entries())


async def test_a_wrong_clock_is_told_from_a_wrong_key(rgw: RadosGateway, filled: str) -> None:
    class Late(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) - timedelta(hours=1)

    late_time = SimpleNamespace(time=lambda: time.time() - 3600)
    with patch.object(spaces_signing, "datetime", Late), patch.object(spaces_errors, "time", late_time):
        error = await refusal(target_of(rgw.endpoint, filled), rgw.admin)
    assert error.code == "RequestTimeTooSkewed"
    assert re.search(r"clock is (1 h 00 min|59 min 59 s) behind", error.why)
    assert "NTP" in error.remedy


async def test_a_key_that_was_replaced_is_read_anew(rgw: RadosGateway, filled: str) -> None:
    class Rotating:
        """The first pair is revoked; after forget() it gives the next one."""

        pairs = (KeyPair("DO00REVOKED", "x" * 20), KeyPair(rgw.admin.access_key, rgw.admin.secret_key))
        forgotten = 0

        async def key_pair(self) -> KeyPair:
            return self.pairs[min(self.forgotten, 1)]

        def forget(self) -> bool:
            self.forgotten += 1
            return self.forgotten == 1

    source = Rotating()
    store = SpacesStore(target_of(rgw.endpoint, filled), source, environ={})
    assert (await store.page()).objects
    assert source.forgotten == 1
    await store.close()


async def test_connections_are_kept(rgw: RadosGateway, filled: str, make_proxy: MakeProxy) -> None:
    proxy = make_proxy(rgw.port)
    async with store_of(target_of(f"http://127.0.0.1:{proxy.port}", filled), rgw.admin) as store:
        for _ in range(10):
            await store.page()
        await asyncio.gather(*(store.page() for _ in range(8)))
        assert proxy.traffic.connections <= 8


async def test_a_kept_connection_that_was_closed_is_replaced(
    rgw: RadosGateway, filled: str, make_proxy: MakeProxy
) -> None:
    proxy = make_proxy(rgw.port)
    async with store_of(target_of(f"http://127.0.0.1:{proxy.port}", filled), rgw.admin) as store:
        for reset in (True, False):
            await store.page()
            proxy.cut(reset=reset)
            assert len((await store.page()).objects) == len(STRANGE_KEYS)


async def test_a_refused_connection_heals(rgw: RadosGateway, filled: str, make_proxy: MakeProxy) -> None:
    proxy = make_proxy(rgw.port)
    async with store_of(target_of(f"http://127.0.0.1:{proxy.port}", filled), rgw.admin) as store:
        proxy.refuse()
        with pytest.raises(ObjectStoreError, match=f"127.0.0.1:{proxy.port} refused") as caught:
            await store.page()
        assert caught.value.code == "Unreachable"
        proxy.accept()
        assert (await store.page()).objects


async def test_a_stalled_network_is_unreachable_in_time_and_heals(
    rgw: RadosGateway, filled: str, make_proxy: MakeProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spaces_wire, "READ_TIMEOUT_S", 0.3)
    proxy = make_proxy(rgw.port)
    async with store_of(target_of(f"http://127.0.0.1:{proxy.port}", filled), rgw.admin) as store:
        await store.page()
        proxy.stall()
        with pytest.raises(ObjectStoreError, match="nothing arrived") as caught:
            await store.page()
        assert caught.value.code == "Unreachable"
        proxy.resume()
        assert (await store.page()).objects


async def test_cancelling_leaves_nothing_behind(
    rgw: RadosGateway, filled: str, make_proxy: MakeProxy
) -> None:
    proxy = make_proxy(rgw.port)
    async with store_of(target_of(f"http://127.0.0.1:{proxy.port}", filled), rgw.admin) as store:
        proxy.stall()
        pages = [asyncio.create_task(store.page()) for _ in range(100)]
        await asyncio.sleep(0.05)
        for page in pages:
            page.cancel()
        await asyncio.wait(pages)
        assert all(page.cancelled() for page in pages)
        proxy.resume()
        assert (await store.page()).objects
    assert len(asyncio.all_tasks()) == 1


async def test_rclones_s3_lists_and_refuses_alike(rclone_s3: RcloneS3) -> None:
    bucket = rclone_s3.bucket("spaces-test")
    names = [Segment(1, number).name() for number in range(1, 30)]
    for name in names:
        (rclone_s3.buckets / bucket / name).write_bytes(b"wal")
    target = target_of(rclone_s3.endpoint, bucket)
    async with store_of(target, rclone_s3.keys) as store:
        page = await store.page(start_after=names[4], max_keys=10)
        assert list(page.objects.keys) == names[5:15]
        assert page.truncated
        assert page.objects.stored_bytes(0, 10) == 30
    assert (await refusal(target_of(rclone_s3.endpoint, "nosuch"), rclone_s3.keys)).code == "NoSuchBucket"
    assert (await refusal(target, new_keys("nobody"))).code == "InvalidAccessKeyId"
    wrong = S3Keys("x", rclone_s3.keys.access_key, "wrong-secret-0123456789")
    assert (await refusal(target, wrong)).code == "SignatureDoesNotMatch"


async def test_a_sweep_of_a_real_bucket(rgw: RadosGateway) -> None:
    bucket, client = rgw.bucket(), rgw.client()
    numbers = [number for number in range(1, 260) if number != 100]
    for number in numbers:
        client.put_object(Bucket=bucket, Key=f"wal/{Segment(1, number).name()}.zst", Body=b"12345")

    class Narrow:
        """Pages of 20 keys, so that the sweep has something to split."""

        key_hint = key_endpoint = ""

        def __init__(self, store: SpacesStore) -> None:
            self._store = store

        async def page(self, *, start_after: str = "", max_keys: int = 1000) -> Page:
            return await self._store.page(start_after=start_after, max_keys=min(max_keys, 20))

        async def read(self, key: str, count: int) -> ObjectContent:
            return await self._store.read(key, count)

    counted = 0

    def count(page: Page, objects: int, after: str) -> None:
        nonlocal counted
        assert not objects or page.objects.keys[0] > after
        counted += page.objects.stored_bytes(0, objects)

    async with store_of(target_of(rgw.endpoint, bucket, prefix="wal/"), rgw.admin) as store:
        sweep = Sweep(Narrow(store), ArchiveIndex("wal/"), count)
        assert await sweep.advance()
    (archive,) = sweep.index.archives.values()
    assert [(gap.first, gap.segments) for gap in archive.gaps(16 << 20)] == [(Segment(1, 100).name(), 1)]
    assert counted == 5 * len(numbers)
