"""The database connection through SSH, on real servers."""

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.integration.connect_parts import (
    NoLocator,
    WallClock,
    open_database,
    open_shell,
    postgres_target,
    target,
    text,
    through,
)
from tests.servers.fixtures import MakePostgres, MakeProxy, MakeSshd
from tests.servers.postgres import PASSWORD, PostgresServer
from tests.servers.sshd import SshServer
from walconsole.adapters.postgres import database as adapter
from walconsole.adapters.postgres import database as postgres_database
from walconsole.adapters.postgres.database import PostgresDatabase
from walconsole.adapters.ssh import shell as ssh_adapter
from walconsole.domain.facts.host import ClusterFacts
from walconsole.domain.profile import PostgresTarget
from walconsole.errors import ClusterChoiceError, DatabaseError, SshError, WalconsoleError

pytestmark = pytest.mark.server

needs_root = pytest.mark.root("only root can become another user")


async def failure(database: PostgresDatabase, sql: str = "SELECT 1", timeout_s: float = 5.0) -> DatabaseError:
    """The error of a statement."""
    with pytest.raises(DatabaseError) as raised:
        await database.fetch(sql, timeout_s=timeout_s)
    assert "\n" not in raised.value.line()
    return raised.value


def contents(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def healed(database: PostgresDatabase, within_s: float = 15.0) -> None:
    """Wait until the database answers again, asked as a probe would."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            await database.fetch("SELECT 1", timeout_s=2)
        except WalconsoleError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)
        else:
            return


async def test_a_statement_is_one_round_trip(
    sshd: SshServer, postgres: PostgresServer, make_proxy: MakeProxy, tmp_path: Path
) -> None:
    proxy = make_proxy(sshd.port)
    async with open_database(through(sshd, proxy.port, tmp_path), postgres_target(postgres)) as database:
        assert await database.version_num() // 10000 == postgres.version
        for timeout_s in (5.0, 5.0, 2.0):  # the first sets what is set once, the last a new timeout
            proxy.reset_traffic()
            await database.fetch("SELECT 1", timeout_s=timeout_s)
            assert proxy.traffic.round_trips <= 1


async def test_the_server_sees_who_and_what_we_are(sshd: SshServer, postgres: PostgresServer) -> None:
    names = (
        "application_name", "default_transaction_read_only", "transaction_read_only", "client_encoding",
        "statement_timeout", "lock_timeout",
    )  # fmt: skip
    settings = ", ".join(f"current_setting('{name}') AS {name}" for name in names)
    async with open_database(target(sshd), postgres_target(postgres)) as database:
        (row,) = (await database.fetch(f"SELECT current_user, {settings}", timeout_s=3)).rows
    assert row == {
        "current_user": "postgres",
        "application_name": "walconsole",
        "default_transaction_read_only": "on",
        "transaction_read_only": "on",
        "client_encoding": "UTF8",
        "statement_timeout": "3s",
        "lock_timeout": "2s",
    }


async def test_what_is_set_for_the_role_or_the_database_changes_no_answer(
    sshd: SshServer, make_postgres: MakePostgres
) -> None:
    server = make_postgres()
    with server.connect() as admin:
        admin.execute("CREATE SCHEMA planted")
        admin.execute(
            "CREATE FUNCTION planted.pg_is_in_recovery() RETURNS bool LANGUAGE sql AS 'SELECT true'"
        )
        admin.execute("ALTER DATABASE postgres SET search_path = planted, pg_catalog")
        admin.execute("ALTER ROLE postgres SET extra_float_digits = -15")
        admin.execute("ALTER ROLE postgres SET statement_timeout = 1")
    asked = "SELECT pg_is_in_recovery() AS recovery, 1764511159.25::float8 AS epoch FROM pg_sleep(0.05)"
    async with open_database(target(sshd), postgres_target(server)) as database:
        assert (await database.fetch(asked)).rows == [{"recovery": False, "epoch": 1764511159.25}]


async def test_postgresql_18(sshd: SshServer, postgres18: PostgresServer) -> None:
    async with open_database(target(sshd), postgres_target(postgres18)) as database:
        assert await database.version_num() // 10000 == 18
        (row,) = (await database.fetch("SELECT current_setting('idle_session_timeout') AS idle")).rows
    assert row["idle"] == "15min"


async def test_nothing_can_be_written(sshd: SshServer, postgres: PostgresServer) -> None:
    async with open_database(target(sshd), postgres_target(postgres)) as database:
        assert (await failure(database, "CREATE TABLE t ()")).sqlstate == "25006"
        assert (await database.fetch("SELECT 1 AS one")).rows == [{"one": 1}]


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("SELEC 1", "42601"),
        ("SELECT 1/0", "22012"),
        ("SELECT pg_sleep(5)", "57014"),
        ("SELECT missing", "42703"),
        ("DO $$ BEGIN RAISE 'it [31m\x1b[31mhurts\n%%' USING ERRCODE = 'XX001'; END $$", "XX001"),
    ],
)
async def test_errors_carry_their_sqlstate_and_leave_the_connection(
    sshd: SshServer, postgres: PostgresServer, sql: str, sqlstate: str
) -> None:
    async with open_database(target(sshd), postgres_target(postgres)) as database:
        pid = (await database.fetch("SELECT pg_backend_pid() AS pid")).rows
        error = await failure(database, sql, timeout_s=0.5)
        assert error.sqlstate == sqlstate
        assert "\x1b" not in error.line()
        assert (await database.fetch("SELECT pg_backend_pid() AS pid")).rows == pid


async def test_values_need_not_be_utf8(sshd: SshServer, postgres: PostgresServer) -> None:
    with postgres.connect() as admin:
        admin.execute("DROP DATABASE IF EXISTS ascii")
        admin.execute("CREATE DATABASE ascii ENCODING SQL_ASCII TEMPLATE template0 LOCALE 'C'")
    where = replace(postgres_target(postgres), database="ascii")
    raw = "convert_from('\\x41ff42'::bytea, 'SQL_ASCII')"
    async with open_database(target(sshd), where) as database:
        (row,) = (await database.fetch(f"SELECT {raw} AS t, {raw}::name AS n, {raw}::varchar AS v")).rows
        assert set(row.values()) == {"A\ufffdB"}
        error = await failure(database, f"SELECT ({raw})::int")
        assert error.sqlstate == "22P02"


async def test_many_rows_and_large_values(sshd: SshServer, postgres: PostgresServer) -> None:
    async with open_database(target(sshd), postgres_target(postgres)) as database:
        answer = await database.fetch("SELECT n, repeat('x', 1000) AS x FROM generate_series(1, 20000) n")
        assert len(answer.rows) == 20000
        assert all(len(str(row["x"])) == 1000 for row in answer.rows)


async def test_concurrent_statements_take_turns(sshd: SshServer, postgres: PostgresServer) -> None:
    async with open_database(target(sshd), postgres_target(postgres)) as database:
        answers = await asyncio.gather(*(database.fetch(f"SELECT {n} AS n") for n in range(20)))
    assert [answer.rows[0]["n"] for answer in answers] == list(range(20))


Change = Callable[[PostgresTarget], PostgresTarget]


@pytest.mark.parametrize(
    ("change", "sqlstate", "why", "remedy"),
    [
        (lambda t: replace(t, database="nowhere"), "3D000", "does not exist", "`database`"),
        (lambda t: replace(t, database="a b'c\\d=e"), "3D000", "does not exist", "`database`"),
        (lambda t: replace(t, user="nobody_here"), "28000", "nobody_here", "pg_hba.conf"),
        (lambda t: replace(t, os_user="no_such_user"), "", "no user no_such_user", "os_user"),
        (lambda t: replace(t, os_user="$(touch /tmp/pwned)"), "", "no user", "os_user"),
        (lambda t: replace(t, socket_dir="/nowhere"), "", "/nowhere/.s.PGSQL.", "does not run"),
        (lambda t: replace(t, socket_dir="/nowhere; $(exit) 'x"), "", "no socket", "does not run"),
    ],
)
async def test_a_connection_that_is_refused_says_what_to_do(
    sshd: SshServer, postgres: PostgresServer, change: Change, sqlstate: str, why: str, remedy: str
) -> None:
    async with open_database(target(sshd), change(postgres_target(postgres))) as database:
        error = await failure(database)
    assert error.sqlstate == sqlstate
    assert why in error.why
    assert remedy in error.remedy


@needs_root
async def test_another_system_user_is_not_let_in(sshd: SshServer, postgres: PostgresServer) -> None:
    async with open_database(target(sshd), replace(postgres_target(postgres), os_user="nobody")) as database:
        error = await failure(database)
    assert error.sqlstate == "28000"
    assert "os_user" in error.remedy


async def test_a_role_that_does_not_exist(sshd: SshServer, make_postgres: MakePostgres) -> None:
    server = make_postgres(start=False)
    (server.config_dir / "pg_hba.conf").write_text("local all all trust\n")
    server.start()
    async with open_database(target(sshd), replace(postgres_target(server), user="ghost")) as database:
        error = await failure(database)
    assert (error.sqlstate, "`user`" in error.remedy) == ("28000", True)


async def test_no_line_of_pg_hba_lets_us_in(sshd: SshServer, make_postgres: MakePostgres) -> None:
    server = make_postgres(start=False)
    (server.config_dir / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
    server.start()
    async with open_database(target(sshd), postgres_target(server)) as database:
        error = await failure(database)
    assert (error.sqlstate, "add one" in error.remedy) == ("28000", True)


async def test_no_connection_is_free(sshd: SshServer, make_postgres: MakePostgres) -> None:
    server = make_postgres(start=False)
    server.configure(max_connections="4", superuser_reserved_connections="1", max_wal_senders="0")
    server.start()
    connections = [server.connect() for _ in range(4)]
    async with open_database(target(sshd), postgres_target(server)) as database:
        error = await failure(database)
        assert (error.sqlstate, "max_connections" in error.remedy) == ("53300", True)
        for connection in connections:
            connection.close()
        await healed(database)


async def test_a_missing_privilege_is_told_apart(sshd: SshServer, make_postgres: MakePostgres) -> None:
    server = make_postgres(start=False)
    (server.config_dir / "pg_hba.conf").write_text(
        "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
    )
    server.start()
    server.sql("CREATE ROLE plain LOGIN")
    async with open_database(target(sshd), replace(postgres_target(server), user="plain")) as database:
        error = await failure(database, "SELECT * FROM pg_ls_waldir()")
    assert error.sqlstate == "42501"
    assert "pg_monitor" in error.remedy


async def test_a_server_that_stops_and_comes_back(sshd: SshServer, make_postgres: MakePostgres) -> None:
    server = make_postgres()
    async with open_database(target(sshd), postgres_target(server)) as database:
        await database.fetch("SELECT 1")
        server.restart()
        assert (await database.fetch("SELECT 1 AS one")).rows == [{"one": 1}]  # not even noticed
        server.stop()
        error = await failure(database)
        assert "no socket" in error.why
        server.start()
        assert (await database.fetch("SELECT 1 AS one")).rows == [{"one": 1}]
        server.kill()
        error = await failure(database)
        assert "does not run" in error.remedy


async def test_a_backend_that_is_ended_in_the_middle(sshd: SshServer, postgres: PostgresServer) -> None:
    async with open_database(target(sshd), postgres_target(postgres)) as database:
        (row,) = (await database.fetch("SELECT pg_backend_pid() AS pid")).rows
        running = asyncio.create_task(database.fetch("SELECT pg_backend_pid() AS pid, pg_sleep(0.5)"))
        await asyncio.sleep(0.2)
        postgres.sql("SELECT pg_terminate_backend(%s)", row["pid"])
        (again,) = (await running).rows
        assert again["pid"] != row["pid"]


async def test_a_server_that_hangs(
    sshd: SshServer, make_postgres: MakePostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "GRACE_S", 0.2)
    server = make_postgres()
    async with open_database(target(sshd), postgres_target(server)) as database:
        await database.fetch("SELECT 1")
        server.freeze()
        monkeypatch.setattr(adapter, "CONNECT_S", 1.0)
        for _ in range(2):  # an open connection, then a new one
            assert "no answer within" in (await failure(database, timeout_s=0.3)).why
        server.thaw()
        monkeypatch.setattr(adapter, "CONNECT_S", 10.0)
        await healed(database)


async def test_a_frozen_network_is_the_network_s_fault(
    sshd: SshServer, postgres: PostgresServer, make_proxy: MakeProxy, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(adapter, "GRACE_S", 0.2)
    monkeypatch.setattr(ssh_adapter, "LIVENESS_S", 0.5)
    proxy = make_proxy(sshd.port)
    async with open_database(through(sshd, proxy.port, tmp_path), postgres_target(postgres)) as database:
        await database.fetch("SELECT 1")
        proxy.stall()
        began = time.monotonic()
        with pytest.raises(SshError, match="did not answer"):
            await database.fetch("SELECT 1", timeout_s=0.5)
        assert time.monotonic() - began < 3
        proxy.resume()
        await healed(database)
        proxy.cut()
        await asyncio.sleep(0.1)
        assert (await database.fetch("SELECT 1 AS one")).rows == [{"one": 1}]


async def test_a_cancelled_statement_takes_its_connection_along(
    sshd: SshServer, postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_database(target(sshd), postgres_target(postgres)) as database:
        await database.fetch("SELECT 1")
        with caplog.at_level(logging.WARNING):
            running = asyncio.create_task(database.fetch("SELECT pg_sleep(4)"))
            await asyncio.sleep(0.2)
            running.cancel()
            began = time.monotonic()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert time.monotonic() - began < 1
        assert (await database.fetch("SELECT 1 AS one")).rows == [{"one": 1}]
    assert not caplog.records


async def test_the_operator_s_own_libpq_settings_stay_out(
    sshd: SshServer, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres_database.forget_libpq_environment.cache_clear()
    for name, value in {
        "PGSERVICE": "missing", "PGHOST": "wrong", "PGUSER": "wrong", "PGPASSWORD": "leak",
        "PGOPTIONS": "-c x=y", "PGAPPNAME": "wrong", "PGSSLMODE": "verify-full", "PGREQUIREAUTH": "md5",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    async with open_database(target(sshd), postgres_target(postgres)) as database:
        assert (await database.fetch("SELECT current_setting('application_name') AS a")).rows == [
            {"a": "walconsole"}
        ]


async def test_a_password_through_a_port_forward(
    sshd: SshServer, make_sshd: MakeSshd, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = PostgresTarget(port=postgres.port, password_env="TEST_DB_PASSWORD")
    monkeypatch.setenv("TEST_DB_PASSWORD", PASSWORD)
    async with open_database(target(sshd), where) as database:
        assert (await database.fetch("SELECT current_user AS who")).rows == [{"who": "postgres"}]
    monkeypatch.setenv("TEST_DB_PASSWORD", "hunter2-wrong")
    async with open_database(target(sshd), where) as database:
        error = await failure(database)
        assert error.sqlstate == "28P01"
        assert "password_env" in error.remedy
        assert error.__cause__ is None
        assert "hunter2" not in repr(error)
    monkeypatch.delenv("TEST_DB_PASSWORD")
    async with open_database(target(sshd), where) as database:
        assert "TEST_DB_PASSWORD is not set" in (await failure(database)).why
    monkeypatch.setenv("TEST_DB_PASSWORD", PASSWORD)
    forbidding = make_sshd({"AllowTcpForwarding": "no"})
    async with open_database(target(forbidding), where) as database:
        assert "AllowTcpForwarding" in (await failure(database)).remedy
    async with open_database(target(sshd), replace(where, port=1)) as database:
        assert "port 1" in (await failure(database)).why


async def test_without_free_sessions_the_setting_is_named(
    make_sshd: MakeSshd, postgres: PostgresServer
) -> None:
    server = make_sshd({"MaxSessions": "1"})
    async with open_shell(target(server)) as shell:
        assert await text(shell, "echo one") == "one"
        database = PostgresDatabase(shell, postgres_target(postgres), NoLocator(), clock=WallClock())
        began = time.monotonic()
        assert "MaxSessions" in (await failure(database)).remedy
        assert time.monotonic() - began < 5
        await database.aclose()


class _Locator:
    """What the host's look found."""

    def __init__(self, found: ClusterFacts | None) -> None:
        self._found = found

    async def locate(self) -> ClusterFacts:
        if self._found is None:
            raise ClusterChoiceError("PostgreSQL", "several clusters", "choose one")
        return self._found


async def test_the_cluster_that_was_found_is_connected_to(sshd: SshServer, postgres: PostgresServer) -> None:
    found = ClusterFacts(None, postgres.port, str(postgres.socket_dir), "", None, True, postgres.os_user)
    where = PostgresTarget(os_user=postgres.os_user)
    async with open_shell(target(sshd)) as shell:
        database = PostgresDatabase(shell, where, _Locator(found), clock=WallClock())
        assert await database.version_num() // 10000 == postgres.version
        await database.aclose()
        database = PostgresDatabase(shell, where, _Locator(None), clock=WallClock())
        with pytest.raises(ClusterChoiceError):
            await database.version_num()
        await database.aclose()


async def test_a_connection_given_up_in_the_middle_is_not_freed_under_the_statement(
    sshd: SshServer, postgres: PostgresServer
) -> None:
    """In a process of its own, which a mistake here would end by SIGSEGV."""
    ssh, where = asdict(target(sshd)), asdict(postgres_target(postgres))
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.postgres_drop_child", json.dumps([ssh, where]), "50"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "MALLOC_PERTURB_": "165"},
    )
    printed, complaints = await child.communicate()
    assert child.returncode == 0, printed.decode() + complaints.decode()
    assert printed.decode().split("\n")[:-1] == ["cancelled CancelledError", "closed DatabaseError"] * 25
    assert not complaints, complaints.decode()


async def test_closing_leaves_nothing(
    sshd: SshServer, make_postgres: MakePostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    server = make_postgres()
    async with open_database(target(sshd), postgres_target(server)) as database:
        await database.fetch("SELECT 1")
        assert contents(tmp_path) == []  # the socket is gone as soon as it is used
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
    for _ in range(50):
        ours = server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'walconsole'")
        if ours == [(0,)]:
            break
        await asyncio.sleep(0.1)
    else:
        pytest.fail("a backend is left")
