"""A server that archives what a test has it write, and the truth that an archive is compared with."""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager

from tests.servers.ports import wait_until
from tests.servers.postgres import PostgresServer
from tests.servers.rgw import RadosGateway
from tests.servers.writer import Destination, Writer
from walconsole.domain.wal import Segment

KEEP_WAL = "2GB"
"""Nothing of what these tests write is recycled: pg_wal remains the truth."""

MIB = 1024 * 1024


def destination(gateway: RadosGateway, bucket: str = "") -> Destination:
    """A new bucket and a key that may read, write and delete in it and do nothing else."""
    name = gateway.bucket(bucket)
    keys = gateway.limited_user({name: "readwrite"})
    return Destination(gateway.endpoint, gateway.tls_port, gateway.certificate.authority, name, keys)


def begin_at(server: PostgresServer, segment: str) -> None:
    """Let a server that never ran begin its WAL with `segment`, by pg_resetwal."""
    resetwal = str(server.bin_dir / "pg_resetwal")
    server.run([resetwal, "-l", segment, "-D", str(server.data_dir)])


def start_archiving(server: PostgresServer, command: str) -> None:
    """Archive by `command` from now on, and keep all WAL; starts the server where it is stopped."""
    server.configure(archive_mode="on", archive_command=command, wal_keep_size=KEEP_WAL)
    if server.running:
        server.reload()
    else:
        server.start()


@contextmanager
def reloaded(server: PostgresServer) -> Iterator[None]:
    """At its end the server reads its files again, and tries at once what waits to be archived."""
    try:
        yield
    finally:
        server.reload()


def fill_segment(server: PostgresServer) -> str:
    """Write a little, end the segment; returns its name, which is ready to be archived."""
    with closing(server.connect()) as connection:
        connection.execute("SELECT pg_logical_emit_message(true, 'test', repeat('wal', 300))")
        row = connection.execute("SELECT pg_walfile_name(pg_current_wal_insert_lsn())").fetchone()
        connection.execute("SELECT pg_switch_wal()")
    assert row is not None
    return str(row[0])


def wait_archived(server: PostgresServer, names: Iterable[str] = (), *, timeout_s: float = 40) -> None:
    """Return when `names` and all else that is ready are archived. Raises TimeoutError with the log's end."""
    status = server.data_dir / "pg_wal" / "archive_status"
    wanted = [status / f"{name}.done" for name in names]

    def archived() -> bool:
        return all(file.exists() for file in wanted) and not any(status.glob("*.ready"))

    try:
        wait_until(archived, "everything is archived", timeout_s)
    except TimeoutError as error:
        raise TimeoutError(f"{error}\n{server.log_file.read_text(errors='replace')[-2000:]}") from error


def archived_names(server: PostgresServer, timeline: int) -> set[str]:
    """The files of `timeline` that the server says it archived: segments, history, labels, partial ones."""
    status = server.data_dir / "pg_wal" / "archive_status"
    return {file.stem for file in status.glob(f"{timeline:08X}*.done")}


def segment_numbers(names: Iterable[str], segment_bytes: int) -> set[int]:
    """Of those `names` that are whole segments, the numbers."""
    return {Segment.parse(name, segment_bytes).number for name in names if len(name) == 24}


def system_identifier(server: PostgresServer) -> str:
    """As pg_control_system() prints it."""
    return str(server.sql("SELECT system_identifier FROM pg_control_system()")[0][0])


def push_all(writer: Writer, names: Iterable[str], hows: Iterable[str]) -> None:
    """Archive each of `names` in its own way."""
    for name, how in zip(names, hows, strict=True):
        writer.push(name, how)


def wal_bytes(server: PostgresServer, name: str) -> bytes:
    """A file that is still in pg_wal."""
    return (server.data_dir / "pg_wal" / name).read_bytes()
