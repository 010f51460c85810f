"""What PostgreSQL says about itself: real servers of two versions, primaries and standbys, through SSH."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import pytest

from tests.integration.observed import connected, profile_of
from tests.servers.fixtures import MakePostgres
from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.sshd import SshServer
from walconsole.domain.facts.observed import ArchiverFacts, ServerFacts, SettingsFacts
from walconsole.domain.profile import Profile
from walconsole.domain.wal import Segment
from walconsole.errors import DatabaseError
from walconsole.observe.poller.probe import Fact
from walconsole.observe.server.sql import SETTINGS_EVERY, PostgresProbe

pytestmark = pytest.mark.server
T = TypeVar("T")


def value(facts: Sequence[Fact], kind: type[T]) -> T:
    return next(fact.value for fact in facts if isinstance(fact.value, kind))


async def looked(profile: Profile) -> tuple[ServerFacts, ArchiverFacts, SettingsFacts]:
    async with connected(profile) as to:
        facts = await PostgresProbe(to.database).take()
    return value(facts, ServerFacts), value(facts, ArchiverFacts), value(facts, SettingsFacts)


def as_role(profile: Profile, role: str) -> Profile:
    return replace(profile, postgres=replace(profile.postgres, user=role))


@pytest.fixture(params=["system", "wheel"])
def primary(request: pytest.FixtureRequest, make_postgres: MakePostgres) -> PostgresServer:
    """A primary that archives into a folder, of the system's version and of the wheel's."""
    server = make_postgres(release=request.param, wal_segment_mib=1, start=False)
    archive = server.folder / "archive"
    server.run(["mkdir", str(archive)])
    server.configure(archive_mode="on", archive_command=f"cp %p {archive}/%f", min_wal_size="2MB")
    server.start()
    return server


async def test_a_primary_as_it_describes_itself(primary: PostgresServer, sshd: SshServer) -> None:
    primary.sql("SELECT pg_switch_wal()")
    wait_until(lambda: primary.sql("SELECT archived_count FROM pg_stat_archiver")[0][0] > 0, "archived")
    server, archiver, settings = await looked(profile_of(sshd, primary))
    assert server.version_num // 10000 == primary.version
    assert (server.in_recovery, server.superuser, server.missing) == (False, True, ())
    assert server.segment_bytes == 1024 * 1024
    assert server.timeline == 1
    assert server.data_directory == str(primary.data_dir)
    assert abs(server.clock - server.clock_read_at) < 1.0
    assert archiver.last_archived_wal is not None
    assert archiver.archived_count >= 1
    assert archiver.last_archived_at == pytest.approx(server.clock, abs=60)
    assert archiver.archiver_pid is not None
    assert archiver.archiver_visible
    assert (archiver.failed_count, archiver.last_failed_wal, archiver.last_failed_at) == (0, None, None)
    mode = settings.get("archive_mode")
    assert mode is not None
    assert mode.value == "on"
    assert mode.sourcefile == str(primary.config_dir / "conf.d" / "50_test.conf")
    assert mode.sourceline == 1
    assert settings.value("wal_segment_size") == "1048576"
    assert (settings.get("archive_library") is None) == (primary.version < 15)


async def test_the_current_segment_is_the_one_that_the_server_names(
    primary: PostgresServer, sshd: SshServer
) -> None:
    async with connected(profile_of(sshd, primary)) as to:
        probe = PostgresProbe(to.database)
        for statement in ("SELECT pg_switch_wal()", "CREATE TABLE grown AS SELECT generate_series(1, 9000)"):
            primary.sql(statement)
            named = primary.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")[0][0]
            assert value(await probe.take(), ArchiverFacts).current_wal == named


async def test_the_command_behind_disabled_is_kept(make_postgres: MakePostgres, sshd: SshServer) -> None:
    server = make_postgres(start=False)
    server.configure(archive_mode="off", archive_command="/bin/true %p")
    server.start()
    _, archiver, settings = await looked(profile_of(sshd, server))
    command = settings.get("archive_command")
    assert command is not None
    assert (command.value, command.reset_value) == ("(disabled)", "/bin/true %p")
    assert (archiver.archiver_pid, archiver.archiver_visible) == (None, True)
    assert archiver.ready_count == 0


async def test_a_failing_command_and_its_backlog(make_postgres: MakePostgres, sshd: SshServer) -> None:
    server = make_postgres(start=False)
    server.configure(archive_mode="on", archive_command="/bin/false")
    server.start()
    server.sql("SELECT pg_switch_wal()")
    wait_until(lambda: server.sql("SELECT failed_count FROM pg_stat_archiver")[0][0] > 0, "failed")
    _, archiver, _ = await looked(profile_of(sshd, server))
    assert archiver.failed_count > 0
    assert archiver.last_failed_wal == Segment(1, 1).name()
    assert archiver.last_failed_at is not None
    assert archiver.ready_count == 1


async def test_a_standby_and_its_promotion(primary: PostgresServer, sshd: SshServer) -> None:
    standby = primary.standby()
    standby.start()
    try:
        async with connected(profile_of(sshd, standby)) as to:
            probe = PostgresProbe(to.database)
            primary.sql("SELECT pg_switch_wal()")
            primary.sql("CREATE TABLE replayed AS SELECT 1")
            target = primary.sql("SELECT pg_current_wal_lsn() - '0/0'")[0][0]
            replayed = "SELECT coalesce(pg_last_wal_replay_lsn() - '0/0', 0)"
            wait_until(lambda: standby.sql(replayed)[0][0] >= target, "the standby caught up")
            facts = await probe.take()
            server, archiver = value(facts, ServerFacts), value(facts, ArchiverFacts)
            assert (server.in_recovery, server.timeline) == (True, 1)
            assert archiver.lsn >= target
            assert archiver.current_wal[:8] == "00000001"
            standby.sql("SELECT pg_promote()")
            facts = await probe.take()
            server, archiver = value(facts, ServerFacts), value(facts, ArchiverFacts)
            assert (server.in_recovery, server.timeline) == (False, 2)
            assert archiver.current_wal.startswith("00000002")
    finally:
        standby.stop("immediate")


async def test_a_role_without_privileges_sees_what_is_public_and_is_told_the_grants(
    primary: PostgresServer, sshd: SshServer
) -> None:
    primary.sql('CREATE ROLE "odd role" LOGIN')
    with (primary.config_dir / "pg_ident.conf").open("a") as ident:
        ident.write(f'owner {primary.os_user} "odd role"\n')
    primary.reload()
    async with connected(as_role(profile_of(sshd, primary), "odd role")) as to:
        probe = PostgresProbe(to.database)
        facts = await probe.take()
        server, archiver = value(facts, ServerFacts), value(facts, ArchiverFacts)
        settings = value(facts, SettingsFacts)
        assert not server.superuser
        assert server.data_directory is None
        assert archiver.ready_count is None
        assert (archiver.archiver_pid, archiver.archiver_visible) == (None, False)
        assert settings.get("archive_mode") is not None
        assert settings.get("data_directory") is None
        assert len(server.missing) == 3
        assert all('TO "odd role"' in missing for missing in server.missing)
        primary.sql('GRANT pg_monitor TO "odd role"')
        await probe.take()  # tells that it may
        facts = await probe.take()
        server, archiver = value(facts, ServerFacts), value(facts, ArchiverFacts)
        assert server.missing == ()
        assert archiver.ready_count == 0
        assert archiver.archiver_visible
        primary.sql('REVOKE pg_monitor FROM "odd role"')
        assert value(await probe.take(), ArchiverFacts).ready_count is None


async def test_settings_come_every_few_ticks_and_after_a_failure(
    make_postgres: MakePostgres, sshd: SshServer
) -> None:
    server = make_postgres()
    async with connected(profile_of(sshd, server)) as to:
        probe = PostgresProbe(to.database)
        counts = [len(await probe.take()) for _ in range(SETTINGS_EVERY + 1)]
        assert counts == [4, *[2] * (SETTINGS_EVERY - 1), 4]  # the settings, and what base backups run
        server.stop()
        with pytest.raises(DatabaseError):
            await probe.take()
        server.start()
        assert len(await probe.take()) == 4


async def test_a_backlog_of_thousands_is_listed_rarely(
    make_postgres: MakePostgres, sshd: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("walconsole.observe.server.sql.MANY_FILES", 1)
    server = make_postgres(start=False)
    server.configure(archive_mode="on", archive_command="/bin/false")
    server.start()
    for _ in range(3):
        server.sql("SELECT pg_switch_wal()")
        server.sql("CREATE TABLE IF NOT EXISTS more (n int)")
        server.sql("INSERT INTO more VALUES (1)")
    async with connected(profile_of(sshd, server)) as to:
        probe = PostgresProbe(to.database)
        before = value(await probe.take(), ArchiverFacts).ready_count
        server.sql("SELECT pg_switch_wal()")
        assert value(await probe.take(), ArchiverFacts).ready_count == before
        probe.refresh()
        after = value(await probe.take(), ArchiverFacts).ready_count
        assert before is not None
        assert after == before + 1
