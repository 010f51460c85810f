"""A segment that fails beside the object of its name, and what a bucket deletes by itself: on a real Ceph."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
import zstandard

from tests.integration.observed import Connected, connected, profile_of
from tests.integration.test_spaces import store_of, target_of
from tests.servers.fixtures import or_skip
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.rgw import RadosGateway
from tests.servers.s3 import S3Keys
from tests.servers.sshd import SshServer
from tests.servers.workspace import Workspace
from walconsole.adapters.decompress import PLAIN
from walconsole.adapters.s3.store import SpacesStore
from walconsole.domain.archive.listing import StoredObject
from walconsole.domain.facts.evidence import ComparedFacts, LifecycleRule, PolicyFacts, RuleAction
from walconsole.domain.facts.snapshot import Snapshot, fold, succeeded
from walconsole.domain.round_trips import ObjectContent
from walconsole.domain.wal import Segment
from walconsole.errors import ObjectStoreError
from walconsole.observe.bucket.lifecycle import PolicyProbe
from walconsole.observe.command.comparing import AGAIN_AFTER_S, ComparingProbe
from walconsole.observe.poller.probe import Fact
from walconsole.observe.server.sql import PostgresProbe

pytestmark = [pytest.mark.server, pytest.mark.asyncio(loop_scope="module")]

MIB = 1 << 20
LARGE = 40 * MIB


@pytest.fixture(scope="module")
def server(workspace: Workspace) -> Iterator[PostgresServer]:
    """Its archive command always fails: the first segment waits for ever."""
    made = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir(), wal_segment_mib=1))
    made.configure(archive_mode="on", archive_command="false", min_wal_size="2MB")
    made.start()
    made.sql("SELECT pg_create_restore_point('x')")
    made.sql("SELECT pg_switch_wal()")
    wait_until(lambda: made.sql("SELECT failed_count > 0 FROM pg_stat_archiver") == [(True,)], "it fails")
    yield made
    made.stop("immediate")


@dataclass
class CountingStore:
    """The real store, and how often an object was read."""

    store: SpacesStore
    reads: int = 0

    async def whole(self, key: str, limit: int) -> ObjectContent:
        self.reads += 1
        return await self.store.whole(key, limit)


@dataclass
class OnePlace:
    """Finds a segment under the keys of a flat archive, compressed or not, by the store's own listing."""

    store: SpacesStore

    async def locate(self, segment: Segment) -> StoredObject | None:
        page = await self.store.page()
        name = segment.name(MIB)
        return next((page.objects[at] for at, key in enumerate(page.objects.keys) if name in key), None)


@dataclass
class HandClock:
    """Time that the test moves."""

    at: float = 1_000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


@dataclass
class Stuck:
    """A server that fails on `segment`, whose bytes in pg_wal are `content`, beside an empty bucket."""

    rgw: RadosGateway
    bucket: str
    store: CountingStore
    probe: ComparingProbe
    clock: HandClock
    segment: str
    content: bytes

    def put(self, key: str, body: bytes) -> None:
        self.rgw.client().put_object(Bucket=self.bucket, Key=key, Body=body)

    async def compared(self) -> ComparedFacts:
        (fact,) = await self.probe.take()
        assert isinstance(fact.value, ComparedFacts)
        assert fact.value.segment == self.segment
        return fact.value


def folded(facts: list[Fact], now: float) -> Snapshot:
    snapshot = Snapshot("x", began_at=now, taken_at=now)
    for fact in facts:
        before = fact.slot.of(snapshot)
        snapshot = fold(snapshot, succeeded(before, fact.value, now, "", 1.0), now)
    return snapshot


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def failing(server: PostgresServer, sshd: SshServer) -> AsyncIterator[tuple[Connected, Snapshot]]:
    async with connected(profile_of(sshd, server)) as to:
        yield to, folded(list(await PostgresProbe(to.database).take()), to.clock.now())


@pytest_asyncio.fixture(loop_scope="module")
async def stuck(
    server: PostgresServer, failing: tuple[Connected, Snapshot], rgw: RadosGateway
) -> AsyncIterator[Stuck]:
    to, snapshot = failing
    bucket, clock = rgw.bucket(), HandClock()
    assert snapshot.archiver.value is not None
    segment = snapshot.archiver.value.last_failed_wal or ""
    async with store_of(target_of(rgw.endpoint, bucket), rgw.admin) as store:
        counting = CountingStore(store)
        probe = ComparingProbe(to.shell, to.host, clock, counting, OnePlace(store), PLAIN, lambda: snapshot)
        content = (server.data_dir / "pg_wal" / segment).read_bytes()
        yield Stuck(rgw, bucket, counting, probe, clock, segment, content)


async def test_no_such_object(stuck: Stuck) -> None:
    assert await stuck.probe.take() == ()
    assert stuck.store.reads == 0


@pytest.mark.parametrize("compressed", [False, True])
async def test_the_same_bytes(stuck: Stuck, compressed: bool) -> None:
    key = f"wal/{stuck.segment}{'.zst' if compressed else ''}"
    stuck.put(key, zstandard.ZstdCompressor().compress(stuck.content) if compressed else stuck.content)
    facts = await stuck.compared()
    assert (facts.key, facts.identical, facts.why, facts.head) == (key, True, "", "")
    assert facts.local_sha256 == facts.object_sha256
    assert len(facts.local_sha256) == 64
    assert (facts.local_bytes, facts.object_bytes) == (MIB, MIB)


async def test_other_bytes(stuck: Stuck) -> None:
    stuck.put(stuck.segment, stuck.content[:-1] + b"\1")
    facts = await stuck.compared()
    assert facts.identical is False
    assert facts.local_sha256 != facts.object_sha256
    assert facts.object_bytes == MIB


async def test_a_chunk_signature_inside_the_object(stuck: Stuck) -> None:
    line = b"100000;chunk-signature=" + b"ab" * 32
    stuck.put(stuck.segment, line + b"\r\n" + stuck.content)
    facts = await stuck.compared()
    assert facts.identical is False
    assert facts.head.startswith("100000;chunk-signature=")


async def test_an_object_that_cannot_be_made_plain(stuck: Stuck) -> None:
    stuck.put(f"{stuck.segment}.gpg", b"\x85\x01")
    facts = await stuck.compared()
    assert facts.identical is None
    assert "encrypted" in facts.why
    assert facts.local_bytes == MIB


async def test_what_did_not_change_is_not_read_again(stuck: Stuck) -> None:
    stuck.put(stuck.segment, b"x" * MIB)
    assert (await stuck.compared()).identical is False
    stuck.clock.at += AGAIN_AFTER_S + 1
    assert await stuck.probe.take() == ()
    assert stuck.store.reads == 1
    stuck.put(stuck.segment, stuck.content + b"longer")
    stuck.clock.at += AGAIN_AFTER_S + 1
    assert (await stuck.compared()).object_bytes == MIB + 6
    assert stuck.store.reads == 2


async def test_an_object_of_many_parts_is_read_whole(rgw: RadosGateway) -> None:
    bucket = rgw.bucket()
    body = b"".join(number.to_bytes(4, "big") for number in range(LARGE // 4))
    rgw.client().put_object(Bucket=bucket, Key="large", Body=body)
    rgw.client().put_object(Bucket=bucket, Key="empty", Body=b"")
    async with store_of(target_of(rgw.endpoint, bucket), rgw.admin) as store:
        content = await store.whole("large", LARGE)
        assert content.size == LARGE
        assert content.body == body
        assert (await store.whole("empty", LARGE)).body == b""
        with pytest.raises(ObjectStoreError, match="more than"):
            await store.whole("large", LARGE - 1)


# --- what a bucket deletes by itself


async def policy(rgw: RadosGateway, bucket: str, keys: S3Keys) -> PolicyFacts:
    async with store_of(target_of(rgw.endpoint, bucket), keys) as store:
        (fact,) = await PolicyProbe(target_of(rgw.endpoint, bucket), store, HandClock()).take()
    assert isinstance(fact.value, PolicyFacts)
    return fact.value


async def test_a_bucket_without_rules(rgw: RadosGateway) -> None:
    bucket = rgw.bucket()
    assert await policy(rgw, bucket, rgw.admin) == PolicyFacts()


async def test_rules_that_delete(rgw: RadosGateway) -> None:
    bucket = rgw.bucket()
    rules = [
        {"ID": "wal", "Filter": {"Prefix": "wal/"}, "Status": "Enabled", "Expiration": {"Days": 7}},
        {"ID": "off", "Filter": {"Prefix": "a&b/"}, "Status": "Disabled", "Expiration": {"Days": 1}},
        {
            "ID": "old",
            "Filter": {"Prefix": ""},
            "Status": "Enabled",
            "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
        },
        {
            "ID": "tagged",
            "Filter": {
                "And": {"Prefix": "", "Tags": [{"Key": "tmp", "Value": "1"}, {"Key": "b", "Value": "2"}]}
            },
            "Status": "Enabled",
            "Expiration": {"Days": 1},
        },
        {
            "ID": "uploads",
            "Filter": {"Prefix": "base/"},
            "Status": "Enabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
    ]
    rgw.client().put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={"Rules": rules},  # type: ignore[typeddict-item]  # plain dictionaries
    )
    facts = await policy(rgw, bucket, rgw.admin)
    assert set(facts.rules) == {
        LifecycleRule("wal", RuleAction.EXPIRE, "wal/", 7),
        LifecycleRule("off", RuleAction.EXPIRE, "a&b/", 1, enabled=False),
        LifecycleRule("old", RuleAction.OLD_VERSIONS, days=3),
        LifecycleRule("tagged", RuleAction.EXPIRE, days=1, tags=(("b", "2"), ("tmp", "1"))),
        LifecycleRule("uploads", RuleAction.ABORT, "base/", 7),
    }


async def test_a_key_that_may_not_ask(rgw: RadosGateway) -> None:
    bucket = rgw.bucket()
    facts = await policy(rgw, bucket, rgw.limited_user({bucket: "read"}))
    assert facts.rules == ()
    assert "lifecycle" in facts.missing[0]
    assert "AccessDenied" in facts.missing[0]


async def test_a_bucket_that_is_not_there(rgw: RadosGateway) -> None:
    with pytest.raises(ObjectStoreError) as caught:
        await policy(rgw, "never-created", rgw.admin)
    assert caught.value.code == "NoSuchBucket"
