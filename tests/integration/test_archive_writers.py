"""What the archivers of the world write, and whether the console reads it as it is.

A real PostgreSQL archives by pgBackRest, barman-cloud and rclone at once; its standby is promoted and
archives too, while the old primary, which nobody fenced, goes on. WAL-G's and pghoard's keys are written
by hand.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Set
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from tests.integration.archive_parts import deleted, look, observed, stored_numbers, without_history
from tests.servers.archived import (
    MIB,
    archived_names,
    destination,
    fill_segment,
    push_all,
    segment_numbers,
    start_archiving,
    system_identifier,
    wait_archived,
    wal_bytes,
)
from tests.servers.barman_cloud import COMPRESSIONS, barman_cloud
from tests.servers.fixtures import or_skip
from tests.servers.handwritten import put_pghoard, put_wal_g
from tests.servers.pgbackrest import COMPRESS_TYPES, pgbackrest
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.rclone_copy import rclone_by_log, rclone_dated, rclone_flat
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from tests.servers.writer import Destination, Writer, together
from walconsole.domain.archive.continuity import Leg, UnbrokenRun
from walconsole.domain.archive.layouts import Layout
from walconsole.domain.wal import Segment, parse_lsn

pytestmark = pytest.mark.server

SEGMENT = 16 * MIB
PARENT, CHILD = 1, 2

WRITERS: Mapping[Layout, Callable[[PostgresServer, Destination], Writer]] = {
    Layout.FLAT: rclone_flat,
    Layout.DATED: rclone_dated,
    Layout.BY_LOG: rclone_by_log,
    Layout.BARMAN: partial(barman_cloud, compression="--gzip"),
    Layout.PGBACKREST: lambda server, to: pgbackrest(server, to, create=server.running),
}
BY_HAND: Mapping[Layout, Callable[[PostgresServer, Collection[str], Destination], None]] = {
    Layout.WAL_G: put_wal_g,
    Layout.PGHOARD: put_pghoard,
}


LAYOUTS = (*WRITERS, *BY_HAND)
each_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name.lower() for layout in LAYOUTS])


@dataclass(frozen=True, slots=True)
class Archived:
    """The same WAL in every layout, and the truth about it: segment numbers by timeline.

    `switch_lsn` is where the child left its parent; `past` are the parent's segments from there on.
    """

    primary: PostgresServer
    destinations: Mapping[Layout, Destination]
    identifier: str
    stored: Mapping[int, Set[int]]
    switch_lsn: int

    @property
    def past(self) -> Set[int]:
        return {number for number in self.stored[PARENT] if number >= self.switch_lsn // SEGMENT}

    @property
    def major(self) -> int:
        return self.primary.version

    @property
    def parents(self) -> list[str]:
        """Segments that are still in the primary's pg_wal."""
        return [Segment(PARENT, number).name(SEGMENT) for number in sorted(self.stored[PARENT])]

    @property
    def beside_the_switch(self) -> tuple[Segment, Segment]:
        """The last that is needed of the parent, and the child's first."""
        at = self.switch_lsn // SEGMENT
        return Segment(PARENT, at - 1), Segment(CHILD, at)

    @property
    def path(self) -> list[Segment]:
        """What a restore reads, in its order."""
        parent = sorted(self.stored[PARENT] - self.past)
        return [Segment(PARENT, n) for n in parent] + [Segment(CHILD, n) for n in sorted(self.stored[CHILD])]


@pytest.fixture(scope="module")
def archived(workspace: Workspace, rgw: RadosGateway) -> Iterator[Archived]:
    """The story: a base backup, a promotion, and both servers archiving after it."""
    primary = or_skip(lambda: PostgresServer.make(workspace, system_bin_dir()))
    destinations = {layout: destination(rgw) for layout in LAYOUTS}
    with ExitStack() as stack:
        stack.callback(primary.stop, "immediate")
        start_archiving(primary, "/bin/true")
        start_archiving(primary, _all_writers(primary, destinations).archive_command)
        names = [fill_segment(primary)]
        standby = primary.standby()
        stack.callback(standby.stop, "immediate")
        start_archiving(standby, _all_writers(standby, destinations).archive_command)
        names.append(fill_segment(primary))
        _promote(primary, standby)
        children = [fill_segment(standby), fill_segment(standby)]
        names += [fill_segment(primary), fill_segment(primary)]
        wait_archived(standby, children)
        wait_archived(primary, names)
        yield _truth(primary, standby, destinations)


def _all_writers(server: PostgresServer, destinations: Mapping[Layout, Destination]) -> Writer:
    made = (or_skip(partial(make, server, destinations[name])) for name, make in WRITERS.items())
    return together(server, list(made))


def _promote(primary: PostgresServer, standby: PostgresServer) -> None:
    """In the middle of a segment, which the standby will archive as a partial one."""
    primary.sql("SELECT pg_logical_emit_message(true, 'test', 'the last that the standby saw')")
    (lsn,) = primary.sql("SELECT pg_current_wal_insert_lsn()::text")[0]
    behind = f"SELECT pg_last_wal_replay_lsn() < '{lsn}'"
    wait_until(lambda: standby.sql(behind) == [(False,)], "the standby has replayed everything")
    standby.sql("SELECT pg_promote()")


def _truth(
    primary: PostgresServer, standby: PostgresServer, destinations: Mapping[Layout, Destination]
) -> Archived:
    parent, child = archived_names(primary, PARENT), archived_names(standby, CHILD)
    halves = {name for name in archived_names(standby, PARENT) if name.endswith(".partial")}
    history = wal_bytes(standby, f"{CHILD:08X}.history").decode()
    for name, put in BY_HAND.items():
        put(primary, parent, destinations[name])
        put(standby, child | halves, destinations[name])
    return Archived(
        primary,
        destinations,
        system_identifier(primary),
        {PARENT: segment_numbers(parent, SEGMENT), CHILD: segment_numbers(child, SEGMENT)},
        parse_lsn(history.split()[1]),
    )


@each_layout
async def test_an_archive_is_recognised_and_would_replay(archived: Archived, layout: Layout) -> None:
    facts = await look(archived.destinations[layout], SEGMENT)
    assert facts.layout == layout
    assert stored_numbers(facts) == archived.stored
    assert (facts.partials, facts.backup_labels) == ((0, 0) if layout == Layout.PGHOARD else (1, 1))
    found = facts.continuity
    assert found is not None
    assert found.target == CHILD
    assert found.gap_count == facts.gap_count == 0
    assert found.run == UnbrokenRun(archived.path[0], archived.path[-1], len(archived.path))
    assert (found.missing_histories, found.branches, facts.other_archives) == ((), (), ())


@each_layout
async def test_the_promotion_is_read_from_the_history(archived: Archived, layout: Layout) -> None:
    facts = await look(archived.destinations[layout], SEGMENT)
    read = facts.histories_read[CHILD].switches
    assert [(switch.parent, switch.lsn) for switch in read] == [(PARENT, archived.switch_lsn)]
    at = archived.switch_lsn // SEGMENT
    assert facts.continuity is not None
    assert facts.continuity.path == (Leg(PARENT, 1, at - 1), Leg(CHILD, at, None))


@each_layout
async def test_gaps_are_exactly_what_was_deleted(archived: Archived, layout: Layout) -> None:
    to, path = archived.destinations[layout], archived.path
    for position in range(1, len(path) - 1):
        lost = path[position]
        with deleted(to, [lost], SEGMENT):
            facts = await look(to, SEGMENT)
        name = lost.name(SEGMENT)
        (gap,) = facts.gaps
        assert (gap.timeline, gap.first, gap.last, gap.segments) == (lost.timeline, name, name, 1)
        assert gap.at_switch is (lost in archived.beside_the_switch)
        assert gap.until_at is not None
        assert abs(gap.until_at - facts.swept_at) < 300
        assert facts.continuity is not None
        assert facts.continuity.run == UnbrokenRun(path[position + 1], path[-1], len(path) - position - 1)


@each_layout
async def test_what_an_unfenced_primary_archived_past_the_switch_is_not_needed(
    archived: Archived, layout: Layout
) -> None:
    to = archived.destinations[layout]
    assert len(archived.past) >= 2
    with deleted(to, [Segment(PARENT, min(archived.past))], SEGMENT):
        facts = await look(to, SEGMENT)
    assert facts.continuity is not None
    assert (facts.continuity.target, facts.gap_count, facts.continuity.branches) == (CHILD, 0, ())


@each_layout
async def test_a_missing_history_keeps_a_restore_on_the_parent(archived: Archived, layout: Layout) -> None:
    to = archived.destinations[layout]
    with without_history(to, CHILD):
        found = (await look(to, SEGMENT)).continuity
    assert found is not None
    assert (found.target, found.missing_histories, found.unreachable) == (PARENT, (CHILD,), (CHILD,))


@each_layout
async def test_both_ends_tell_whose_they_are(archived: Archived, layout: Layout) -> None:
    facts = await look(archived.destinations[layout], SEGMENT)
    assert [one.name for one in facts.identities] == [archived.path[n].name(SEGMENT) for n in (-1, 0)]
    for identity in facts.identities:
        assert identity.header is not None, identity.problem
        assert identity.header.system_identifier == str(archived.identifier)
        assert (identity.header.segment_bytes, identity.header.major) == (SEGMENT, archived.major)
    assert facts.unread == ()


async def check_headers(to: Destination, names: Collection[str]) -> None:
    """Each of the segments is found in the bucket, and its first page reads as its own."""
    async with observed(to, SEGMENT) as seen:
        await seen.look()
        for segment in map(Segment.parse, names):
            stored = await seen.reader.locate(segment)
            assert stored is not None
            details = await seen.reader.details(stored)
            assert details.header is not None, details.no_header
            assert details.header.start_lsn == segment.start_lsn(SEGMENT)


async def test_every_compression_of_pgbackrest_is_one_run(archived: Archived, rgw: RadosGateway) -> None:
    to, names = destination(rgw), archived.parents[: len(COMPRESS_TYPES)]
    push_all(pgbackrest(archived.primary, to, stanza="another"), names, COMPRESS_TYPES)
    facts = await look(to, SEGMENT)
    assert (facts.segments, facts.gap_count) == (len(COMPRESS_TYPES), 0)
    assert facts.holding is not None
    assert facts.holding.suffixes == {".gz": 1, ".lz4": 1, ".zst": 1, ".bz2": 1, "": 1}
    await check_headers(to, names)


async def test_every_compression_of_barman_is_one_run(archived: Archived, rgw: RadosGateway) -> None:
    to = destination(rgw)
    push_all(barman_cloud(archived.primary, to), archived.parents[: len(COMPRESSIONS)], COMPRESSIONS)
    facts = await look(to, SEGMENT)
    assert (facts.segments, facts.gap_count) == (len(COMPRESSIONS), 0)
    assert facts.holding is not None
    assert facts.holding.suffixes == {"": 1, ".gz": 1, ".bz2": 1}
    await check_headers(to, archived.parents[: len(COMPRESSIONS)])


async def test_days_join_and_a_retry_past_midnight_is_a_repeat(archived: Archived, rgw: RadosGateway) -> None:
    to, names = destination(rgw), archived.parents
    today = datetime.now(UTC).date()
    before, after = (f"{today - timedelta(days=days):%Y/%m/%d}" for days in (1, 0))
    stored = [names[0], names[1], names[1], names[3]]
    push_all(rclone_dated(archived.primary, to), stored, [before, before, after, after])
    facts = await look(to, SEGMENT)
    assert (facts.layout, facts.segments, facts.repeated_segments) == (Layout.DATED, 3, 1)
    assert [(gap.first, gap.last) for gap in facts.gaps] == [(names[2], names[2])]
    (repeat,) = facts.repeats
    assert set(repeat.keys) == {f"{before}/{names[1]}", f"{after}/{names[1]}"}
    assert repeat.identical


async def test_layouts_in_one_bucket_are_told_apart(archived: Archived, rgw: RadosGateway) -> None:
    to, names = destination(rgw), archived.parents
    put_wal_g(archived.primary, names[:2], to)
    put_pghoard(archived.primary, names[2:4], to)
    push_all(rclone_flat(archived.primary, to, folder="wal/"), [names[0], names[4]], ["", ""])
    facts = await look(to, SEGMENT)
    assert (facts.layout, facts.folder) == (Layout.NESTED, "wal/")
    assert facts.segments == 2
    assert facts.missing_segments == 3
    assert len(facts.other_archives) == len(facts.other_holdings) == 2
    others = {held.place.layout: held.segments for held in facts.other_holdings}
    assert others == {Layout.PGHOARD: 2, Layout.WAL_G: 2}
