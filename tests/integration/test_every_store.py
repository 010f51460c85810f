"""One archive in every store that can be had here: the console says the same of each.

Ceph RGW, `rclone serve s3`, moto, and a folder over SSH. Its segments are stored as writers leave them.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.integration.archive_parts import REFERENCE
from tests.integration.connect_parts import open_shell, target
from tests.servers.moto import MotoS3
from tests.servers.rclone import RcloneS3
from tests.servers.rgw import RadosGateway
from tests.servers.sshd import SshServer
from tests.unit.test_wal_page import MIB, page
from walconsole.adapters.decompress import PLAIN
from walconsole.adapters.folder.store import FolderStore
from walconsole.adapters.s3.key_sources import EnvironmentKeys
from walconsole.adapters.s3.store import SpacesStore
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.profile import BucketRole, BucketTarget
from walconsole.domain.wal import Segment
from walconsole.observe.bucket.probe import BucketProbe
from walconsole.observe.bucket.reader import ProbeReader
from walconsole.operator_files.kept import NoShelf, SessionRegister
from walconsole.process.clock import SystemClock

pytestmark = pytest.mark.server

READ = ("", ".gz", ".zst", ".lz4", ".xz", ".bz2")
NOT_READ = {".br": "brotli", ".lzo": "lzop", ".snappy": "snappy", ".gpg": "GPG", ".age": "age"}
NAMES = {suffix: f"{Segment(1, 17 + at).name(MIB)}{suffix}" for at, suffix in enumerate((*READ, *NOT_READ))}
TORN = Segment(2, 32).name(MIB)
HISTORY = b"1\t0/2000000\tno recovery target specified\n"


def body(suffix: str, number: int) -> bytes:
    """A segment of 1 MiB whose page header is its own, as that suffix says."""
    plain = page(address=number * MIB, segment_bytes=MIB) + bytes(MIB - 40)
    ways = {".gz": "gz", ".zst": "zst", ".lz4": "lz4", ".xz": "xz", ".bz2": "bz2"}
    return PLAIN.packed(ways.get(suffix, ""), plain) if suffix in READ else b"not to be read here" * 10


CONTENTS = {
    **{name: body(suffix, 17 + at) for at, (suffix, name) in enumerate(NAMES.items())},
    "00000002.history": HISTORY,
    "notes/read me.txt": b"none of PostgreSQL's",
}

Place = tuple[BucketTarget, SpacesStore | FolderStore, Callable[[str, bytes], Awaitable[None]]]


SERVED = {"Ceph RGW": "rgw", "rclone": "rclone_s3", "moto": "moto_s3"}
"""The S3 servers, and their fixtures."""


@pytest.fixture(params=[*SERVED, "folder"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """The archive in one of them, and how something is put there."""
    async with AsyncExitStack() as stack:
        if request.param == "folder":
            sshd: SshServer = request.getfixturevalue("sshd")
            there = BucketTarget(BucketRole.PRIMARY, str(tmp_path), "", "", REFERENCE)
            store: SpacesStore | FolderStore = FolderStore(
                there, await stack.enter_async_context(open_shell(target(sshd)))
            )

            async def put(key: str, content: bytes) -> None:
                (tmp_path / key).parent.mkdir(exist_ok=True)
                (tmp_path / key).write_bytes(content)
                if key != TORN:
                    os.utime(tmp_path / key, (1_700_000_000, 1_700_000_000))

        else:
            served: RadosGateway | RcloneS3 | MotoS3 = request.getfixturevalue(SERVED[request.param])
            keys = served.admin if isinstance(served, RadosGateway) else served.keys
            bucket = served.bucket("every-store")
            there = BucketTarget(
                BucketRole.PRIMARY, bucket, "us-east-1", served.endpoint, REFERENCE, path_style=True
            )
            pair = EnvironmentKeys(REFERENCE, {"K": keys.access_key, "S": keys.secret_key})
            store = SpacesStore(there, pair, environ={})
            stack.push_async_callback(store.close)
            client = served.client()

            async def put(key: str, content: bytes) -> None:
                await asyncio.to_thread(client.put_object, Bucket=bucket, Key=key, Body=content)

        for key, content in CONTENTS.items():
            await put(key, content)
        yield there, store, put


async def test_the_console_says_the_same_of_each(place: Place) -> None:
    there, store, put = place
    woken: list[str] = []
    probe = BucketProbe(
        there, store, SystemClock(), segment_bytes=lambda: MIB, wake=woken.append, plain=PLAIN,
        shelf=NoShelf(), register=SessionRegister(),
    )  # fmt: skip
    facts = await looked(probe, lambda facts: facts.objects == len(CONTENTS))
    assert (facts.segments, facts.gap_count, facts.foreign_objects) == (len(NAMES), 0, 1)
    assert (facts.oldest_segment, facts.newest_segment) == (NAMES[""], NAMES[".age"].partition(".")[0])
    assert facts.continuity is not None
    assert facts.histories == ("00000002.history",)
    assert facts.histories_read[2].timeline == 2
    reader = ProbeReader(probe, login=lambda: "tester")
    objects = (await reader.page("")).objects
    listed = {objects[at].key: objects[at] for at in range(len(objects))}
    assert {key: stored.size for key, stored in listed.items()} == {
        key: len(each) for key, each in CONTENTS.items()
    }
    for at, (suffix, name) in enumerate(NAMES.items()):
        details = await reader.details(listed[name])
        if suffix in READ:
            assert details.header is not None, details.no_header
            assert details.header.start_lsn == (17 + at) * MIB
        else:
            assert NOT_READ[suffix] in details.no_header
    await put(TORN, body("", 32)[:5000])
    facts = await looked(probe, lambda facts: facts.newest_segment == TORN)
    assert facts.holding is not None
    assert [runs.count for runs in facts.holding.damaged().values()] == [1]
    assert (await store.whole(NAMES[""], 2 * MIB)).body == CONTENTS[NAMES[""]]


async def looked(probe: BucketProbe, enough: Callable[[BucketFacts], bool]) -> BucketFacts:
    """Look until that is seen; what was just written in a folder is listed a moment later."""
    async with asyncio.timeout(30):
        while True:
            (fact,) = await probe.take()
            assert isinstance(fact.value, BucketFacts)
            if fact.value.complete and fact.value.checked_at is not None and enough(fact.value):
                return fact.value
            await asyncio.sleep(0.2)
