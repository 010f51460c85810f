"""What is tried of each tool that archives, and how: rows of tests, and of the table in your-archive.md."""

from dataclasses import dataclass
from types import MappingProxyType

KINDS = ("wrong key", "missing bucket", "stopped store", "full", "wrong place")
"""The five failures: `full` is a queue, a quota or a disk, `wrong place` a stanza or a prefix."""


@dataclass(frozen=True)
class Tried:
    """`failures` are the modes that the five are found as, in the order of KINDS.

    `real`: by that program on a real server, in `tests`, and the verdict was as it should be. Else by its
    documented words and files alone, in tests/unit/test_tools_words.py.
    """

    tool: str
    tests: str
    real: bool
    failures: tuple[str, str, str, str, str]

    def rule(self, kind: str) -> str:
        """What that failure is found as."""
        return self.failures[KINDS.index(kind)]


_OF_S3 = ("key-403", "bucket-404", "endpoint-wrong", "store-error", "archive-elsewhere")
_OF_FOLDERS = (
    "folder-not-writable", "folder-missing", "folder-not-mounted", "folder-full", "archive-elsewhere",
)  # fmt: skip
_BY_WORDS = "test_tools_words"
TRIED = (
    Tried(
        "pgBackRest", "test_failures_tools", real=True,
        failures=("key-403", "bucket-404", "endpoint-wrong", "wal-dropped", "stanza-missing"),
    ),
    Tried("barman-cloud", "test_failures_tools", real=True, failures=_OF_S3),
    Tried("rclone", "test_failures_tools", real=True, failures=_OF_S3),
    Tried(
        # Ceph sends no message with a code, and aws 1.46 then prints neither: what it was refused nobody sees
        "aws", "test_failures_clients", real=True,
        failures=("key-403", "bucket-404", "endpoint-wrong", "failing", "archive-elsewhere"),
    ),
    Tried("s3cmd", "test_failures_clients", real=True, failures=_OF_S3),
    Tried("s5cmd", "test_failures_clients", real=True, failures=_OF_S3),
    Tried("cp", "test_failures_folder", real=True, failures=_OF_FOLDERS),
    Tried("gzip", "test_failures_folder", real=True, failures=_OF_FOLDERS),
    Tried("basic_archive", "test_failures_folder", real=True, failures=_OF_FOLDERS),
    Tried("WAL-G", _BY_WORDS, real=False, failures=_OF_S3),
    Tried("pghoard", _BY_WORDS, real=False, failures=_OF_S3),
)  # fmt: skip

WORDS = MappingProxyType({
    "WAL-G": (
        "ERROR: failed to upload 'x' to bucket 'shithub-wal': SignatureDoesNotMatch: status code: 403",
        "ERROR: failed to upload 'x' to bucket 'shithub-wal': NoSuchBucket: status code: 404",
        "ERROR: failed to upload 'x' to bucket 'shithub-wal': RequestError: send request failed caused by: "
        'Put "https://s3.example.net/x": dial tcp 10.0.0.9:443: connect: connection refused',
        "ERROR: failed to upload 'x' to bucket 'shithub-wal': QuotaExceeded: status code: 403",
    ),
    "pghoard": ("ERROR: archival of 000000010000000000000042 failed: HTTP status 500",) * 4,
})  # fmt: skip
"""By tool the line of the first four failures, by its sources and documentation. pghoard's daemon says no
cause: there the console's own reading of the store has it."""
