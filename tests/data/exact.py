"""Whether a command can be typed as it stands: nothing to be filled in first, nothing cut off, no prose."""

import re
from collections.abc import Iterator

PROGRAMS = frozenset((
    "free", "grep", "ldd", "readlink", "uname", "xargs",
    "ausearch",
    "[", "aws", "barman-cloud-backup-list", "cat", "cd", "chmod", "chown", "chronyc", "cmp", "command",
    "dmesg", "df", "doctl", "du", "echo", "findmnt", "getent", "head", "journalctl", "kill", "ls",
    "mv", "namei", "openssl", "pg_basebackup", "pg_ctl", "pg_ctlcluster", "pgbackrest", "printf", "cp",
    "chsh", "sh", "curl", "crontab", "find", "install", "apt-get", "zstd", "psql", "rclone", "rm",
    "runuser", "s3cmd", "s5cmd", "sed", "sudo", "systemctl", "time", "timedatectl", "wal-g",
    "walconsole", "xxd", "ssh", "ss", "lsof", "ps", "tar", "SELECT", "ALTER", "CREATE", "DROP",
    "VACUUM", "COMMIT", "ROLLBACK", "GRANT", "REINDEX", "editor", "mkdir",
))  # fmt: skip
"""What a command may begin with."""
_SQL = frozenset((
    "SELECT", "ALTER", "SYSTEM", "SET", "RESET", "FROM", "WHERE", "AND", "OR", "NOT", "NULL", "IS",
    "DROP", "CREATE", "ROLE", "USER", "DATABASE", "GRANT", "TO", "ON", "PREPARED", "ROLLBACK",
    "COMMIT", "CHECKPOINT", "ORDER", "BY", "LIMIT", "DESC", "ASC", "KILL", "TERM", "CONT", "INT",
    "HUP", "STOP", "PID", "LC_ALL", "PATH", "HOME", "TARGET", "JSON", "GB", "MB", "KB", "MIT", "GET",
    "PUT", "FULL", "LIST", "HEAD", "DELETE", "TLS",
))  # fmt: skip
_CAPITALS = re.compile(
    r"(?<![\w$./{:%-])[A-Z]{3,}(?:[_-][A-Z]+)*(?![\w./=-])|-NAME\b|\b(?:REMOTE|OTHER|THIS):[A-Z]+"
)
_OPEN = re.compile(r"<[A-Za-z][\w -]*>|…|(?<![./\w])\.\.\.(?!/)")
_ASSIGNED = re.compile(r"[A-Za-z_]\w*=")


def faults(command: str) -> Iterator[str]:
    """What is wrong with it, a line each."""
    bare = re.sub(r"#.*", "", command) if command.lstrip()[:1] != "#" else command
    quoted = re.sub(r"'[^']*'|\"[^\"]*\"", "''", bare)
    for found in _CAPITALS.findall(quoted):
        if found not in _SQL:
            yield f"{found!r} is to be filled in"
    for found in _OPEN.findall(bare):
        yield f"{found!r} is no part of a command"
    first = bare.split()[:1]
    if not first:
        yield "it is empty"
    elif not first[0].startswith("/") and first[0] not in PROGRAMS and not _ASSIGNED.match(first[0]):
        yield f"{first[0]!r} is no program"
