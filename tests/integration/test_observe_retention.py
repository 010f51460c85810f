"""What keeps WAL, as real servers of two versions tell it: slots, summaries, standbys."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.integration.observed import connected, profile_of
from tests.servers.fixtures import bin_dir_of, or_skip
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.sshd import SshServer
from tests.servers.workspace import Workspace
from walconsole.domain.facts.evidence import ReplicationSlot, RetentionFacts
from walconsole.observe.server.sql import RetentionProbe

pytestmark = pytest.mark.server

MIB = 1 << 20


@pytest.fixture(scope="module", params=["system", "wheel"])
def primary(request: pytest.FixtureRequest, workspace: Workspace) -> Iterator[PostgresServer]:
    """Of the system's version and of the wheel's, with segments of 1 MiB."""
    bin_dir = or_skip(lambda: bin_dir_of(workspace, request.param))
    server = PostgresServer.make(workspace, bin_dir, wal_segment_mib=1)
    server.configure(min_wal_size="2MB", max_wal_size="32MB", wal_keep_size="3MB")
    server.start()
    yield server
    server.stop("immediate")


async def looked(server: PostgresServer, sshd: SshServer, role: str = "postgres") -> RetentionFacts:
    profile = profile_of(sshd, server)
    async with connected(replace(profile, postgres=replace(profile.postgres, user=role))) as to:
        (fact,) = await RetentionProbe(to.database).take()
    assert isinstance(fact.value, RetentionFacts)
    return fact.value


def slot_of(facts: RetentionFacts, name: str) -> ReplicationSlot:
    return next(slot for slot in facts.slots if slot.name == name)


def write_wal(server: PostgresServer, segments: int) -> None:
    for _ in range(segments):
        server.sql("SELECT pg_create_restore_point('x')")
        server.sql("SELECT pg_switch_wal()")


async def test_a_server_that_keeps_nothing(primary: PostgresServer, sshd: SshServer) -> None:
    primary.sql("CHECKPOINT")
    facts = await looked(primary, sshd)
    assert facts.slots == ()
    assert (facts.max_wal_bytes, facts.keep_bytes) == (32 * MIB, 3 * MIB)
    assert facts.summarizer_behind_bytes is None
    assert (facts.prepared, facts.prepared_since) == (0, None)


async def test_a_slot_that_nobody_reads(primary: PostgresServer, sshd: SshServer) -> None:
    primary.sql("SELECT pg_create_physical_replication_slot('forgotten', true)")
    try:
        write_wal(primary, 4)
        slot = slot_of(await looked(primary, sshd), "forgotten")
        (clock,) = primary.sql("SELECT extract(epoch FROM clock_timestamp())::float8")[0]
    finally:
        primary.sql("SELECT pg_drop_replication_slot('forgotten')")
    assert (slot.kind, slot.active, slot.wal_status) == ("physical", False, "reserved")
    assert slot.retained_bytes is not None
    assert 3 * MIB < slot.retained_bytes < 6 * MIB
    if primary.version >= 17:
        assert slot.inactive_since == pytest.approx(clock, abs=30)
    else:
        assert slot.inactive_since is None


async def test_who_reads_a_slot_by_its_name(primary: PostgresServer, sshd: SshServer) -> None:
    folder = primary.folder / "received"
    folder.mkdir()
    primary.give(folder)
    program = str(primary.bin_dir / "pg_receivewal")
    where = ["-h", str(primary.socket_dir), "-p", str(primary.port), "-U", "postgres"]
    primary.run([program, *where, "--slot", "archive", "--create-slot"])
    primary.run(["sh", "-c", f'"$@" >/dev/null 2>&1 & echo $! >{folder}/pid', "-", program, *where, "--slot",
                 "archive", "-D", str(folder)])  # fmt: skip
    try:
        wait_until(
            lambda: primary.sql("SELECT active FROM pg_replication_slots") == [(True,)], "it is received"
        )
        slot = slot_of(await looked(primary, sshd), "archive")
    finally:
        primary.run(["sh", "-c", f"kill $(cat {folder}/pid)"])
        wait_until(
            lambda: primary.sql("SELECT active FROM pg_replication_slots") == [(False,)], "it has ended"
        )
        primary.sql("SELECT pg_drop_replication_slot('archive')")
    assert (slot.kind, slot.active, slot.reader) == ("physical", True, "pg_receivewal")


async def test_a_slot_that_reserves_nothing(primary: PostgresServer, sshd: SshServer) -> None:
    primary.sql("SELECT pg_create_physical_replication_slot('empty')")
    try:
        slot = slot_of(await looked(primary, sshd), "empty")
    finally:
        primary.sql("SELECT pg_drop_replication_slot('empty')")
    assert (slot.wal_status, slot.retained_bytes) == ("", None)


async def test_a_standby_and_who_reads_from_its_primary(primary: PostgresServer, sshd: SshServer) -> None:
    role = role_without_privileges(primary)
    standby = primary.standby()
    standby.start()
    try:
        wait_until(
            lambda: primary.sql("SELECT state FROM pg_stat_replication") == [("streaming",)], "streaming"
        )
        facts = await looked(primary, sshd)
        less = await looked(primary, sshd, role)
        below = await looked(standby, sshd)
    finally:
        standby.stop("immediate")
    assert less == facts  # public, all of it
    assert below.slots == ()
    assert below.max_wal_bytes == facts.max_wal_bytes


def role_without_privileges(server: PostgresServer) -> str:
    """A role that the server's owner may log in as."""
    role = "nobody_at_all"
    server.sql(f"CREATE ROLE {role} LOGIN")
    with (server.config_dir / "pg_ident.conf").open("a") as ident:
        ident.write(f"owner {server.os_user} {role}\n")
    server.reload()
    return role


async def test_wal_summaries(primary: PostgresServer, sshd: SshServer) -> None:
    """From the moment that they are switched on: nothing was summarized then, which is no backlog."""
    if primary.version < 17:
        assert primary.sql("SELECT count(*) FROM pg_settings WHERE name = 'summarize_wal'") == [(0,)]
        return
    write_wal(primary, 2)
    primary.sql("ALTER SYSTEM SET summarize_wal = on")
    primary.sql("SELECT pg_reload_conf()")
    try:
        seen = [(await looked(primary, sshd)).summarizer_behind_bytes]
        wait_until(
            lambda: (
                primary.sql("SELECT summarized_lsn > '0/0' FROM pg_get_wal_summarizer_state()") == [(True,)]
            ),
            "it summarizes",
        )
        write_wal(primary, 3)
        seen.append((await looked(primary, sshd)).summarizer_behind_bytes)
    finally:
        primary.sql("ALTER SYSTEM RESET summarize_wal")
        primary.sql("SELECT pg_reload_conf()")
    (position,) = primary.sql("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")[0]
    assert all(behind is None or 0 <= behind < position / 2 for behind in seen)
    assert seen[-1] is not None
