"""A million segments in Ceph's index: swept, polled and browsed."""

import time
from collections.abc import Iterator

import pytest

from tests.integration.archive_parts import observed
from tests.servers.archived import MIB, destination
from tests.servers.fixtures import or_skip
from tests.servers.rgw import RadosGateway
from tests.servers.rgw_index import seed_index
from tests.servers.s3 import s3_client
from tests.servers.writer import Destination
from walconsole.domain.wal import Segment

pytestmark = pytest.mark.server

SEGMENT = 16 * MIB
COUNT = 1_000_000
LOST = {300_000: 1, 700_000: 2500}
"""Gaps: first missing number, and how many."""
EVERY_S = 60.0


def key(number: int) -> str:
    return f"wal/{Segment(1, number).name(SEGMENT)}.zst"


@pytest.fixture(scope="module")
def million(rgw: RadosGateway) -> Iterator[Destination]:
    """A bucket that lists a segment a minute up to now, but for those that are lost."""
    lost = {number for first, count in LOST.items() for number in range(first, first + count)}
    keys = [key(number) for number in range(1, COUNT + 1) if number not in lost]
    to = destination(rgw)
    began = time.time() - COUNT * EVERY_S
    or_skip(lambda: seed_index(rgw, to.bucket, keys, first_at=began, every_s=EVERY_S, body=b"segment"))
    yield to
    rgw.client().delete_object(Bucket=to.bucket, Key=key(1))


async def test_a_million_segments_are_swept_polled_and_browsed(million: Destination) -> None:
    lost = sum(LOST.values())
    async with observed(million, SEGMENT) as seen:
        facts = await seen.look()
        assert (facts.objects, facts.segments) == (COUNT - lost, COUNT - lost)
        assert facts.stored_bytes == (COUNT - lost) * len(b"segment")
        assert {(gap.first, gap.segments) for gap in facts.gaps} == {
            (Segment(1, first).name(SEGMENT), count) for first, count in LOST.items()
        }
        assert (facts.gap_count, facts.missing_segments) == (len(LOST), lost)
        assert facts.newest_segment == Segment(1, COUNT).name(SEGMENT)

        client = s3_client(million.endpoint, million.keys)
        client.put_object(Bucket=million.bucket, Key=key(COUNT + 1), Body=b"newer")
        assert (await seen.look()).newest_segment == Segment(1, COUNT + 1).name(SEGMENT)

        reader = seen.reader
        marks = reader.marks
        assert marks is not None
        assert marks.total == COUNT - lost + 1
        for number in (0, 654_321, marks.total - 1):
            tile, first = marks.tile_of(number)
            page = await reader.page(marks.afters[tile])
            assert page.objects.keys[number - first] == key(_numbered(number))
        found = await reader.locate(Segment(1, 654_321))
        assert found is not None
        assert found.key == key(654_321)
        assert await reader.locate(Segment(1, 300_000)) is None


def _numbered(position: int) -> int:
    """The number of the segment at `position` in the order of keys."""
    number = position + 1
    for first, count in sorted(LOST.items()):
        if number >= first:
            number += count
    return number
