"""Archives of servers with other wal_segment_size than 16 MiB, over the end of a log."""

from collections.abc import Callable

import pytest

from tests.integration.archive_parts import look, stored_numbers
from tests.servers.archived import (
    MIB,
    archived_names,
    begin_at,
    destination,
    fill_segment,
    segment_numbers,
    start_archiving,
    system_identifier,
    wait_archived,
)
from tests.servers.fixtures import MakePostgres, or_skip
from tests.servers.pgbackrest import pgbackrest
from tests.servers.postgres import PostgresServer
from tests.servers.rclone_copy import rclone_flat
from tests.servers.rgw import RadosGateway
from tests.servers.writer import Destination, Writer
from walconsole.domain.archive.layouts import LOG_BYTES
from walconsole.domain.wal import Segment

pytestmark = pytest.mark.server


@pytest.mark.parametrize(("mib", "make"), [(1, rclone_flat), (16, pgbackrest), (64, pgbackrest)])
async def test_a_log_ends_where_the_segment_size_says(
    rgw: RadosGateway,
    make_postgres: MakePostgres,
    mib: int,
    make: Callable[[PostgresServer, Destination], Writer],
) -> None:
    size, to = mib * MIB, destination(rgw)
    server = make_postgres(wal_segment_mib=mib, start=False)
    before_the_end = Segment(1, LOG_BYTES // size - 2)
    begin_at(server, before_the_end.name(size))
    start_archiving(server, "/bin/true")
    start_archiving(server, or_skip(lambda: make(server, to)).archive_command)
    names = [fill_segment(server) for _ in range(4)]
    wait_archived(server, names)
    assert names[2][8:] == f"{1:08X}{0:08X}"

    facts = await look(to, size)
    assert stored_numbers(facts) == {1: segment_numbers(archived_names(server, 1), size)}
    assert (facts.segments, facts.gap_count, facts.impossible_names) == (len(names), 0, 0)
    assert (facts.oldest_segment, facts.newest_segment) == (names[0], names[-1])
    for identity in facts.identities:
        assert identity.header is not None, identity.problem
        assert identity.header.segment_bytes == size
        assert identity.header.system_identifier == str(system_identifier(server))
    if mib < 16:  # names that 16 MiB cannot have
        unasked = await look(to, None)
        assert (unasked.segment_bytes, unasked.segments, unasked.gap_count) == (size, len(names), 0)
