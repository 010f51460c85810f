"""What PostgreSQL, libpq and the bridge say about a failure, in one line with what to do."""

import psycopg

from walconsole.adapters.postgres.bridge import NO_RELAY, NO_SOCKET, NO_USER, Bridge
from walconsole.adapters.ssh.scripts import shell_error
from walconsole.domain.postgres_versions import KNOWN
from walconsole.domain.profile import PostgresTarget
from walconsole.domain.records import record
from walconsole.domain.redaction import decode, safe
from walconsole.errors import DatabaseError

_AGAIN = "it is tried again by itself"
_NOT_THERE = f"this console was tested with {KNOWN}: a newer server takes a newer console"

# SQLSTATE -> what the operator does (PostgreSQL's documentation, appendix A).
_REMEDIES = {
    "3D000": "check `database` in the profile; psql -l lists those that there are",
    "28P01": "check the password in the environment variable that the profile names (password_env)",
    "53300": "end idle connections or raise max_connections",
    "57P01": f"the server is shutting down or an administrator ended the connection; {_AGAIN}",
    "57P02": f"the server crashed and recovers; {_AGAIN}",
    "57P03": f"the server is starting up, shutting down or recovering; {_AGAIN}",
    "57P05": _AGAIN,
    "57014": "the server is slow or a lock is in the way; see pg_stat_activity",
    "55P03": "another session holds a lock; see pg_locks",
    "42501": "grant the console's role what it lacks: GRANT pg_monitor TO the role",
    "53100": "the disk is full: free some space",
    "42703": _NOT_THERE,
    "42883": _NOT_THERE,
    "42P01": _NOT_THERE,
    "XX001": "data is damaged: stop and take a copy before anything else",
}
_NOT_ADMITTED = "28000"


@record
class ServerError:
    """An ErrorResponse's fields (PostgreSQL's documentation, 55.8 Error and Notice Message Fields)."""

    sqlstate: str
    message: str
    routine: str


def first_error(received: bytes) -> ServerError | None:
    """The first ErrorResponse in what a server sent from the beginning of a connection."""
    at = 1 if received[:1] == b"N" else 0  # the answer to a request for encryption
    while at + 5 <= len(received):
        kind, size = received[at : at + 1], int.from_bytes(received[at + 1 : at + 5], "big")
        if size < 4:
            return None
        if kind == b"E":
            return _error_response(received[at + 5 : at + 1 + size])
        at += 1 + size
    return None


def _error_response(body: bytes) -> ServerError:
    fields = {field[:1]: decode(field[1:]) for field in body.split(b"\0") if field}
    return ServerError(fields.get(b"C", ""), fields.get(b"M", ""), fields.get(b"R", ""))


def server_error(tried: str, error: psycopg.Error, target: PostgresTarget) -> DatabaseError:
    """An error that the server sent for a statement."""
    sqlstate = error.sqlstate or ""
    message = error.diag.message_primary or str(error).strip()
    return _database_error(tried, ServerError(sqlstate, message, ""), target)


def connect_error(
    tried: str, error: psycopg.Error, bridge: Bridge, target: PostgresTarget, path: str
) -> DatabaseError:
    """A connection that did not come about: refused by the server, or by what lies before it."""
    refused = first_error(bytes(bridge.started_with))
    if refused is not None:
        return _database_error(tried, refused, target)
    if bridge.exit_status is not None or bridge.said:
        return _bridge_error(tried, bridge, target, path)
    return DatabaseError(tried, safe(str(error).strip().replace("\n", " ")) or "the connection was closed")


def _database_error(tried: str, error: ServerError, target: PostgresTarget) -> DatabaseError:
    remedy = _REMEDIES.get(error.sqlstate, "")
    if error.sqlstate == _NOT_ADMITTED:
        remedy = _admission_remedy(error.routine, target)
    return DatabaseError(tried, safe(error.message.replace("\n", " ")), remedy, sqlstate=error.sqlstate)


def _admission_remedy(routine: str, target: PostgresTarget) -> str:
    if routine == "InitializeSessionUserId":
        return "check `user` in the profile; psql -c '\\du' lists the roles"
    if routine == "ClientAuthentication":
        return f"pg_hba.conf has no line that lets {target.user} in here: add one, and reload"
    return (
        f"pg_hba.conf does not let the system's user {target.os_user} be the role {target.user}: "
        "set os_user and user in the profile, or password_env"
    )


def _bridge_error(tried: str, bridge: Bridge, target: PostgresTarget, path: str) -> DatabaseError:
    said = bridge.said
    if bridge.exit_status == NO_SOCKET:
        return DatabaseError(
            tried,
            f"there is no socket {safe(path)}",
            "PostgreSQL does not run (read the end of its log, then start it), or has its socket elsewhere"
            " (socket_dir in the profile), or none at all"
            " (unix_socket_directories = ''): then name user and password_env for its port",
        )
    if bridge.exit_status == NO_USER:
        return DatabaseError(tried, f"the host has no user {target.os_user}", "check os_user in the profile")
    if bridge.exit_status == NO_RELAY:
        return DatabaseError(
            tried,
            "the host has none of socat, nc -U, python3 and perl to reach the socket with",
            "install socat, or set password_env in the profile",
        )
    if "Connection refused" in said:
        return DatabaseError(
            tried,
            f"nothing listens on {safe(path)}",
            "PostgreSQL does not run, and its last stop was not a clean one:"
            " read the end of its log, then start it",
        )
    if "sudo" in said:
        refusal = shell_error(tried, said, bridge.exit_status, began=False)
        return DatabaseError(tried, refusal.why, refusal.remedy)
    return DatabaseError(tried, f"the bridge to {safe(path)} ended{f': {said}' if said else ''}")
