"""Which versions of PostgreSQL the console knows: the one place that says so."""

OLDEST_MAJOR = 13
"""Older ones lack what the console asks for (wal_keep_size, wal_status and safe_wal_size of a slot)."""

NEWEST_MAJOR = 18
"""The newest that the tests run on. A newer one is watched like this one, and the console says so."""

OLDEST_VERSION_NUM = OLDEST_MAJOR * 10_000
KNOWN = f"PostgreSQL {OLDEST_MAJOR} to {NEWEST_MAJOR}"


def is_newer(version_num: int) -> bool:
    """Whether a server with this server_version_num is of a major version that nobody tried."""
    return version_num // 10_000 > NEWEST_MAJOR
