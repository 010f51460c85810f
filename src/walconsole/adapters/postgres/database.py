"""ports.Database: one read-only connection to PostgreSQL through SSH, made again when it is lost.

With psycopg's side of it: its options, what may not leak into it, how its values are read.
"""

import asyncio
import functools
import json
import os
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import asyncssh
import psycopg
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Conninfo
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_loads

from walconsole.adapters.postgres.bridge import LAUNCH, LOCAL_PORT, Bridge, bridge_script
from walconsole.adapters.postgres.errors import connect_error, server_error
from walconsole.adapters.ssh.errors import channel_error
from walconsole.adapters.ssh.shell import SshShell
from walconsole.command_register import LASTING, CommandKind
from walconsole.domain.patterns import pattern
from walconsole.domain.profile import PostgresTarget
from walconsole.domain.redaction import decode, safe
from walconsole.domain.round_trips import Answer, Row
from walconsole.errors import DatabaseError, SshError, WalconsoleError
from walconsole.ports import Clock, ClusterLocator

Connection = psycopg.AsyncConnection[DictRow]

_LOCK_TIMEOUT_S = 2
_IDLE_SESSION_TIMEOUT_S = 900
_IDLE_SESSION_TIMEOUT_SINCE = 140000
AS_OURS = {"search_path": "pg_catalog", "extra_float_digits": "1"}
"""What ALTER ROLE or ALTER DATABASE may have set otherwise: other schemas' functions come before those of
PostgreSQL then, and seconds since 1970 are rounded to two thousand million."""
_TEXT_TYPES = ("text", "varchar", "bpchar", "name", '"char"')
_UNKNOWN_TYPES = (0, 705)  # no type at all, and the type "unknown"


class _Text(Loader):
    """Text that need not be UTF-8: a SQL_ASCII database sends the bytes it was given."""

    def load(self, data: Buffer) -> str:
        return decode(bytes(data))


def _json(data: str | bytes) -> Any:
    return json.loads(decode(data) if isinstance(data, bytes) else data)


@functools.cache
def forget_libpq_environment() -> None:
    """Take libpq's variables (PGHOST, PGSERVICE, PGPASSWORD, …) out of this process's environment.

    They are meant for the operator's own servers. Giving every option explicitly would not do: a
    PGSERVICE that does not exist makes every connection fail (PostgreSQL's documentation, 32.15).
    """
    names = {option.envvar.decode() for option in Conninfo.get_defaults() if option.envvar}
    for name in names | {"PGSERVICEFILE", "PGSYSCONFDIR"}:
        os.environ.pop(name, None)


async def connect(
    folder: str, target: PostgresTarget, password: str | None, *, statement_timeout_s: float
) -> Connection:
    """Connect through the socket in `folder`. Raises psycopg.Error."""
    settings = AS_OURS | {
        "default_transaction_read_only": "on",
        "statement_timeout": f"{round(statement_timeout_s * 1000)}",
        "lock_timeout": f"{_LOCK_TIMEOUT_S}s",
    }
    connection: Connection = await psycopg.AsyncConnection.connect(
        host=folder,
        port=LOCAL_PORT,
        dbname=target.database,
        user=target.user,
        password=password or "",
        passfile=f"{folder}/none",
        application_name="walconsole",
        client_encoding="UTF8",
        options=" ".join(f"-c {name}={value}" for name, value in settings.items()),
        sslmode="disable",
        gssencmode="disable",
        connect_timeout=0,
        autocommit=True,
        prepare_threshold=None,
        row_factory=dict_row,
    )
    for name in _TEXT_TYPES:
        connection.adapters.register_loader(name, _Text)
    for oid in _UNKNOWN_TYPES:
        connection.adapters.register_loader(oid, _Text)
    set_json_loads(_json, connection)
    return connection


def later_settings(connection: Connection) -> str:
    """What can only be set once the server is known, to go with the first statement.

    A SQL_ASCII database may hold any bytes: it would fail each statement that shows some which are not the
    client's encoding, so it is asked for the bytes as they are.
    """
    settings = ""
    if connection.info.server_version >= _IDLE_SESSION_TIMEOUT_SINCE:
        settings += f"SET idle_session_timeout = '{_IDLE_SESSION_TIMEOUT_S}s'; "
    if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
        settings += "SET client_encoding = 'SQL_ASCII'; "
    return settings


T = TypeVar("T")

CONNECT_S = 10.0
STATEMENT_TIMEOUT_S = 5.0
GRACE_S = 1.0
"""How much longer than the server's statement_timeout an answer is waited for."""
CUT_S = 2.0
"""How long what waited on a connection may take to notice that it is gone."""

_ENDED_BY_SERVER = ("57P01", "57P02", "57P05")


class PostgresDatabase:
    """See ports.Database. The server is the one that `locator` finds, unless the profile names its socket."""

    def __init__(
        self,
        shell: SshShell,
        target: PostgresTarget,
        locator: ClusterLocator,
        *,
        clock: Clock,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._shell, self._target, self._locator, self._clock = shell, target, locator, clock
        self._password = environ.get(target.password_env) if target.password_env else None
        self._turn = asyncio.Lock()
        self._connection: Connection | None = None
        self._bridge: Bridge | None = None
        self._closed = False
        self._at_work: asyncio.Task[Any] | None = None
        """What runs on the connection, or logs in. Nothing may free the connection under it."""
        self._statement_timeout_s = STATEMENT_TIMEOUT_S
        self._pending_settings = ""

    async def version_num(self) -> int:
        """See ports.Database."""
        async with self._turn:
            return (await self._connected()).info.server_version

    async def fetch(self, sql: str, *, timeout_s: float = STATEMENT_TIMEOUT_S) -> Answer:
        """See ports.Database. Longer than `timeout_s` the server ends the statement itself (57014)."""
        async with self._turn:
            fresh = self._connection is None
            connection = await self._connected()
            try:
                return await self._ask(connection, sql, timeout_s)
            except _ConnectionEndedError:
                if fresh:
                    raise
            # It ended while nobody looked (a restart, an idle timeout): ask once more, on a new one.
            return await self._ask(await self._connected(), sql, timeout_s)

    async def aclose(self) -> None:
        """Close the connection for good; what is asked on it at this moment fails with DatabaseError."""
        self._closed = True
        if self._at_work is not None:
            await self._cut(self._at_work)
        connection, bridge = self._connection, self._bridge
        self._connection = self._bridge = None
        if connection is not None:
            await connection.close()
        if bridge is not None:
            bridge.close()

    async def _ask(self, connection: Connection, sql: str, timeout_s: float) -> Answer:
        timeout_s = self._shell.patience.limit(timeout_s)
        settings = self._settings_for(timeout_s)
        sent_at = self._clock.now()
        place, register = self._shell.connection.target.host, self._shell.register
        with register.telling(CommandKind.SQL, place, named(sql), self._clock.now) as running:
            try:
                rows = await self._within(timeout_s + GRACE_S, _rows(connection, settings + sql))
            except psycopg.Error as error:
                raise self._failed(connection, error) from None
            running.status = 0
        self._pending_settings, self._statement_timeout_s = "", timeout_s
        return Answer(rows, sent_at, self._clock.now())

    def _settings_for(self, timeout_s: float) -> str:
        """What to set before a statement, in the same round trip."""
        settings = self._pending_settings
        if timeout_s != self._statement_timeout_s:
            settings += f"SET statement_timeout = {round(timeout_s * 1000)}; "
        return settings

    def _failed(self, connection: Connection, error: psycopg.Error) -> DatabaseError:
        failure = server_error(self._tried(), error, self._target)
        if not connection.closed and not connection.broken and failure.sqlstate not in _ENDED_BY_SERVER:
            return failure
        self._drop()
        why = failure.why if failure.sqlstate else "the connection was lost"
        return _ConnectionEndedError(
            failure.tried, why, failure.remedy or "it is made again", sqlstate=failure.sqlstate
        )

    async def _connected(self) -> Connection:
        if self._connection is not None and not (self._bridge is None or self._bridge.closed):
            return self._connection
        self._drop()
        if self._closed:
            raise DatabaseError(self._tried(), "the connection was closed on this side")
        bridge = self._bridge = Bridge()
        try:
            connection = await self._connect(bridge)
        except BaseException:
            self._drop()
            raise
        self._statement_timeout_s = STATEMENT_TIMEOUT_S
        self._pending_settings = later_settings(connection)
        self._connection = connection
        return connection

    async def _connect(self, bridge: Bridge) -> Connection:
        conn = await self._shell.connection.get()
        forget_libpq_environment()
        if self._target.password_env:
            place = await self._open_forward(bridge, conn)
            return await self._log_in(bridge, place)
        # Channel and location at once: each costs round trips of its own.
        opening = asyncio.create_task(self._open_process(bridge, conn))
        try:
            place = await self._socket_path()
            bridge.connect_to(place)
            return await self._log_in(bridge, place)
        except DatabaseError:
            if opening.done() and not opening.cancelled() and (refusal := opening.exception()) is not None:
                raise refusal from None
            raise
        finally:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)

    async def _log_in(self, bridge: Bridge, place: str) -> Connection:
        """Connect through `bridge`, whose other end is at `place`."""
        try:
            folder = await bridge.listen()
        except OSError as error:
            why = f"cannot listen on a private socket: {error.strerror}"
            raise DatabaseError(self._tried(), why, "check TMPDIR and its free space") from error
        connecting = connect(folder, self._target, self._password, statement_timeout_s=STATEMENT_TIMEOUT_S)
        try:
            return await self._within(self._shell.patience.attempt(CONNECT_S), connecting)
        except psycopg.Error as error:
            # Not chained: psycopg's error refers to the connection, which knows the password.
            failed = error.with_traceback(None)  # where it came from is a frame that keeps it
            raise connect_error(self._tried(), failed, bridge, self._target, place) from None

    async def _open_process(self, bridge: Bridge, conn: asyncssh.SSHClientConnection) -> None:
        place, register = self._shell.connection.target.host, self._shell.register
        command = f"{LAUNCH}\n{bridge_script(self._target.os_user, bridge.name)}"
        number = register.began(CommandKind.STREAM, place, command, self._clock.now())
        try:
            await bridge.open_process(conn, self._target.os_user)
            register.ended(number, self._clock.now(), problem=LASTING)
        except (asyncssh.Error, OSError) as error:
            register.ended(number, self._clock.now(), problem=str(error) or "the session was refused")
            bridge.close()  # so that libpq stops waiting
            raise self._channel_refused(conn, error) from error

    async def _open_forward(self, bridge: Bridge, conn: asyncssh.SSHClientConnection) -> str:
        if not self._password:
            why = f"the environment variable {self._target.password_env} is not set"
            raise DatabaseError(self._tried(), why, "set it, or take password_env out of the profile")
        port = self._target.port or (await self._locator.locate()).port
        try:
            await bridge.open_forward(conn, port)
        except asyncssh.ChannelOpenError as error:
            if error.code != asyncssh.OPEN_CONNECT_FAILED:
                raise self._channel_refused(conn, error) from error
            why = f"nothing answers on the host's own port {port}: {safe(error.reason)}"
            remedy = "PostgreSQL does not run, or does not listen there (listen_addresses, port)"
            raise DatabaseError(self._tried(), why, remedy) from error
        except (asyncssh.Error, OSError) as error:
            raise self._channel_refused(conn, error) from error
        return f"localhost:{port}"

    async def _socket_path(self) -> str:
        folder, port = self._target.socket_dir, self._target.port
        if folder is None or port is None:
            cluster = await self._locator.locate()
            folder, port = folder or cluster.socket_dir, port or cluster.port
        return f"{folder.rstrip('/')}/.s.PGSQL.{port}"

    def _channel_refused(self, conn: asyncssh.SSHClientConnection, error: Exception) -> WalconsoleError:
        if conn.is_closed() or not isinstance(error, asyncssh.ChannelOpenError):
            return SshError(self._tried(), "the SSH connection was lost", "it is made again")
        refusal = channel_error(self._tried(), error)
        return DatabaseError(refusal.tried, refusal.why, refusal.remedy)

    async def _within(self, timeout_s: float, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, which waits for the server.

        psycopg answers a cancellation by asking the server to cancel, and waits for that: over a network
        that has frozen, for ever. So it is never cancelled: its connection is cut under it.
        """
        task = asyncio.create_task(work)
        self._at_work = task
        task.add_done_callback(self._at_rest)
        try:
            await asyncio.wait([task], timeout=timeout_s)
            if task.done():
                return task.result()
            await self._cut(task)
        except asyncio.CancelledError:
            await self._cut(task)
            raise
        finally:
            del task  # what it raises keeps this frame, and it keeps what it raised
        await self._shell.confirm_link()
        raise DatabaseError(
            self._tried(), f"no answer within {timeout_s:g} s", "the server may hang; see its log"
        )

    def _at_rest(self, task: asyncio.Task[Any]) -> None:
        if self._at_work is task:
            self._at_work = None

    async def _cut(self, task: asyncio.Task[Any]) -> None:
        self._drop()
        _, left = await asyncio.wait([task], timeout=CUT_S)
        if left:  # libpq waits on a socket that was never ours to close
            task.cancel()
            await asyncio.wait([task], timeout=CUT_S)
        if task.done() and not task.cancelled():
            task.exception()

    def _drop(self) -> None:
        """Give the connection up without a word.

        What runs on it learns that from the end of its socket, and the connection is freed only then: while
        it waits, psycopg's C code keeps libpq's pointer, and libpq's descriptor may be another's once closed.
        """
        connection, bridge = self._connection, self._bridge
        self._connection = self._bridge = None
        if bridge is not None:
            bridge.close()
        if connection is None:
            return
        if self._at_work is None:
            connection.pgconn.finish()
        else:
            self._at_work.add_done_callback(lambda _: connection.pgconn.finish())

    def _tried(self) -> str:
        host = self._shell.connection.target.host
        return f"PostgreSQL on {host}, database {self._target.database} as {self._target.user}"


class _ConnectionEndedError(DatabaseError):
    """A connection that had worked is gone; a new one may well work."""


_JOINED = pattern(r"\) AS (\w+)(?= CROSS JOIN \(\n|\Z)")
"""The names of queries of which one statement asks all."""


def named(sql: str) -> str:
    """A statement as it is told of: by its queries' names, else by its first line."""
    joined = _JOINED.findall(sql)
    if joined:
        return ", ".join(joined)
    lines = [line.strip() for line in sql.splitlines() if line.strip()]
    said = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
    return (said or lines or [""])[0]


async def _rows(connection: Connection, sql: str) -> Sequence[Row]:
    """The last statement's rows."""
    async with connection.cursor() as cursor:
        await cursor.execute(sql.encode())
        while cursor.nextset():
            pass
        return await cursor.fetchall() if cursor.description else []
