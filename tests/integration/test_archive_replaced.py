"""An object that is replaced under its key, on a real store: the next poll says what is there now."""

import struct

import pytest

from tests.integration.archive_parts import observed
from tests.servers.archived import MIB, destination
from tests.servers.rgw import RadosGateway
from tests.servers.s3 import s3_client
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.wal import Segment

pytestmark = pytest.mark.server

SEGMENT = 16 * MIB
NEWEST = Segment(1, 3).name()


def page(system_identifier: int) -> bytes:
    """A segment's first page, of PostgreSQL 15; what follows it is not read."""
    return struct.pack("<HHIQI4xQII", 0xD110, 2, 1, 0, 0, system_identifier, SEGMENT, 8192) + bytes(8152)


def told(facts: BucketFacts) -> str:
    """Whose the newest segment is, or why that is not known."""
    newest = facts.identities[0]
    return newest.header.system_identifier if newest.header else newest.problem


async def test_the_newest_segment_is_told_as_it_is_now(rgw: RadosGateway) -> None:
    to = destination(rgw)
    client = s3_client(to.endpoint, to.keys)

    def put(key: str, content: bytes) -> None:
        client.put_object(Bucket=to.bucket, Key=key, Body=content)

    for number in (1, 2):
        put(Segment(1, number).name(), page(111))
    put(NEWEST, b"<html>502 Bad Gateway</html>".ljust(8192))
    async with observed(to, SEGMENT) as seen:
        broken = await seen.look()
        assert "page" in told(broken)
        put(NEWEST, page(111))
        mended = await seen.look()
        assert told(mended) == "111"
        assert mended.unread == ()
        read_at = mended.identities[0].read_at
        assert (await seen.look()).identities[0].read_at == read_at  # once for each change
        put(NEWEST, page(111))  # the same again: the ETag says so
        assert (await seen.look()).identities[0].read_at == read_at
        put(NEWEST, page(222))
        assert told(await seen.look()) == "222"


async def test_a_copy_that_differed_is_told_the_same_when_it_is_put_right(rgw: RadosGateway) -> None:
    to = destination(rgw)
    client = s3_client(to.endpoint, to.keys)
    keys = [f"2026/08/0{day}/{NEWEST}" for day in (1, 2)]
    client.put_object(Bucket=to.bucket, Key=f"2026/08/01/{Segment(1, 2).name()}", Body=page(111))
    client.put_object(Bucket=to.bucket, Key=keys[0], Body=page(111))
    client.put_object(Bucket=to.bucket, Key=keys[1], Body=page(222))
    async with observed(to, SEGMENT) as seen:
        (repeat,) = (await seen.look()).repeats
        assert repeat.identical is False
        client.put_object(Bucket=to.bucket, Key=keys[1], Body=page(111))
        (repeat,) = (await seen.look()).repeats
        assert repeat.identical is True
