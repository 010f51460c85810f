"""Programs that archive WAL, each as a script that PostgreSQL calls: `SCRIPT PATH [HOW]`.

The script holds the keys and belongs to the server's owner; nothing secret stands in a setting.
"""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.postgres import PostgresServer
from tests.servers.s3 import S3Keys


@dataclass(frozen=True, slots=True)
class Destination:
    """A bucket of an S3 server, and the keys that may write to it.

    `tls_port` and `ca_file` reach the same server over TLS, for the writers that insist on it.
    """

    endpoint: str
    tls_port: int
    ca_file: Path
    bucket: str
    keys: S3Keys


@dataclass(frozen=True, slots=True)
class Writer:
    """One program that archives for one server."""

    server: PostgresServer
    script: Path

    @property
    def archive_command(self) -> str:
        """For postgresql.conf."""
        return f"{shlex.quote(str(self.script))} %p"

    def push(self, name: str, how: str = "") -> None:
        """Archive a file that is still in pg_wal, as the server's owner. Raises RuntimeError.

        `how` means to each writer what its module says.
        """
        words = [str(self.script), f"pg_wal/{name}", *([how] if how else [])]
        self.server.run(["sh", "-c", f"cd {shlex.quote(str(self.server.data_dir))} && {shlex.join(words)}"])


def write_script(server: PostgresServer, name: str, commands: str) -> Path:
    """An executable shell script of the server's owner that stops at the first failure."""
    return write_private(server, name, f"#!/bin/sh\nset -eu\n{commands}", mode=0o700)


def write_private(server: PostgresServer, name: str, text: str, mode: int = 0o600) -> Path:
    """A file that only the server's owner may read."""
    path = server.folder / name
    path.touch(mode=mode)
    path.chmod(mode)
    path.write_text(text)
    server.give(path)
    return path


def together(server: PostgresServer, writers: Sequence[Writer]) -> Writer:
    """All of `writers` at once; it fails where one of them does."""
    starts = [f'{shlex.quote(str(writer.script))} "$1" & started="$started $!"' for writer in writers]
    ends = ["for writer in $started; do wait $writer; done"]
    return Writer(server, write_script(server, "archive-all", "\n".join(["started=", *starts, *ends, ""])))


@contextmanager
def edited(files: Iterable[Path], edits: Mapping[str, str]) -> Iterator[None]:
    """In these files each of the words is another, until the end; some of it is there."""
    texts = {file: file.read_text() for file in files}
    for file, text in texts.items():
        for old, new in edits.items():
            text = text.replace(old, new)
        file.write_text(text)
    try:
        assert {file: file.read_text() for file in texts} != texts
        yield
    finally:
        for file, text in texts.items():
            file.write_text(text)
