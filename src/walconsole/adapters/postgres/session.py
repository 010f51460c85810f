"""psycopg's side of a connection: its options, what may not leak into it, how its values are read."""

import functools
import json
import os
from typing import Any

import psycopg
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Conninfo
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_loads

from walconsole.adapters.postgres.bridge import LOCAL_PORT
from walconsole.domain.profile import PostgresTarget
from walconsole.domain.redaction import decode

Connection = psycopg.AsyncConnection[DictRow]

_LOCK_TIMEOUT_S = 2
_IDLE_SESSION_TIMEOUT_S = 900
_IDLE_SESSION_TIMEOUT_SINCE = 140000
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
    settings = {
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
