"""One segment into the archive: our archive command beside rclone, pgBackRest and barman-cloud, on Ceph RGW.

Each is called as PostgreSQL calls it, as the server's owner, for a segment of 16 MiB that nobody archived
before. They take turns, a segment each, in another order every round: a busy moment touches all alike, and
none always follows the same one. A segment begins with a real one's first page and goes on with random bytes,
zeroes (what a forced switch leaves), or real WAL of small transactions.
"""

import os
import random
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Result, middle
from tests.integration.droplet_parts import Droplet
from tests.servers.archived import MIB, destination, fill_segment
from tests.servers.barman_cloud import barman_cloud
from tests.servers.pgbackrest import pgbackrest
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.rclone import serving_rclone
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace
from tests.servers.writer import Destination, write_private, write_script
from walconsole.droplet.choices import Compression, DropletChoices

SEGMENT_BYTES = 16 * MIB
_PAGE = 8192
_TYPICAL_ROWS = 60_000
_SECTION = """\
[plain]
type = s3
provider = Ceph
endpoint = {to.endpoint}
access_key_id = {to.keys.access_key}
secret_access_key = {to.keys.secret_key}
force_path_style = true
"""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to archive a file of pg_wal, to so many copies. `count` says how many bytes the first holds."""

    name: str
    copies: int
    push: Callable[[Path], None]
    count: Callable[[], int]


@dataclass(slots=True)
class Sample:
    """One push: seconds, processor seconds of it and its children, bytes stored."""

    seconds: float
    cpu_s: float
    stored: int


def measure(runs: int) -> list[Result]:
    """Rows: each way's seconds a segment (the median), its ratio to ours, its best, and what is stored."""
    with _stage() as (server, ways):
        contents = _contents(server)
        samples = {(kind, way.name): list[Sample]() for kind in contents for way in ways}
        for number in range(runs):
            for kind, content in contents.items():
                for way in _shuffled(ways, number):
                    samples[kind, way.name].append(_push(server, way, content))
    return [result for kind in contents for result in _rows(kind, ways, samples)]


def _shuffled(ways: list[Way], number: int) -> list[Way]:
    return random.Random(number).sample(ways, len(ways))  # noqa: S311  # no secret: the same each time


def _rows(kind: str, ways: list[Way], samples: dict[tuple[str, str], list[Sample]]) -> list[Result]:
    ours = middle([sample.seconds for sample in samples[kind, ways[0].name]])
    rows = []
    for way in ways:
        taken = samples[kind, way.name]
        seconds = middle([sample.seconds for sample in taken])
        cpu = middle([sample.cpu_s for sample in taken])
        stored = middle([float(sample.stored) for sample in taken]) / MIB
        copies = "1 copy" if way.copies == 1 else f"{way.copies} copies"
        best = min(sample.seconds for sample in taken)
        note = f"{copies}, {seconds / ours:.2f} x, best {best:.2f} s, processor {cpu:.2f} s"
        note += f", stored {stored:.2f} MiB each"
        rows.append(Result(f"{kind}: {way.name}", seconds, "s", None, note))
    return rows


def _push(server: PostgresServer, way: Way, content: bytes) -> Sample:
    path = server.data_dir / "pg_wal" / f"00000001000000F0{next(_numbers):08X}"
    path.write_bytes(content)
    server.give(path)
    before, used, began = way.count(), _children_s(), time.perf_counter()
    way.push(path)
    seconds = time.perf_counter() - began
    sample = Sample(seconds, _children_s() - used, way.count() - before)
    path.unlink()
    return sample


def _name_numbers() -> Iterator[int]:
    number = 0x10
    while True:
        number += 1
        yield number


_numbers = _name_numbers()


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _contents(server: PostgresServer) -> dict[str, bytes]:
    """Segments of 16 MiB, each with the first page of one that the server wrote."""
    server.sql("CREATE TABLE visit (id bigserial PRIMARY KEY, page int, at timestamptz, note text)")
    with server.connect() as connection:
        for batch in range(_TYPICAL_ROWS // 1000):
            connection.execute(
                "INSERT INTO visit (page, at, note) SELECT i %% 100, now(), md5(i::text)"
                " FROM generate_series(%s::int, %s::int) i",
                (batch * 1000, batch * 1000 + 999),
            )
            connection.commit()
    last = fill_segment(server)
    files = sorted(path for path in (server.data_dir / "pg_wal").iterdir() if len(path.name) == len(last))
    whole = [path.read_bytes() for path in files if path.name < last]
    typical = max(whole, key=lambda content: len(content.rstrip(b"\0")))
    head = typical[:_PAGE]
    return {
        "typical": typical,
        "zeroes": head + bytes(SEGMENT_BYTES - _PAGE),
        "random": head + os.urandom(SEGMENT_BYTES - _PAGE),
    }


@contextmanager
def _stage() -> Iterator[tuple[PostgresServer, list[Way]]]:
    with ExitStack() as stack:
        space = Workspace()
        stack.callback(space.close)
        gateway, second = RadosGateway(space, "nyc3"), RadosGateway(space, "sfo3")
        for one in (gateway, second):
            one.start()
            stack.callback(one.stop)
        server = PostgresServer.make(space, system_bin_dir(), wal_segment_mib=SEGMENT_BYTES // MIB)
        server.configure(archive_mode="on", archive_command="true", wal_keep_size="4GB", max_wal_size="4GB")
        server.start()
        stack.callback(server.stop, "immediate")
        yield server, _ways(server, gateway, second)


def _ways(server: PostgresServer, gateway: RadosGateway, second: RadosGateway) -> list[Way]:
    def ours(name: str, compression: Compression, *, to_dr: bool = False) -> Way:
        to, dr = destination(gateway), destination(second)
        made = Droplet(server, to, dr, DropletChoices(compression=compression, to_dr=to_dr))

        def push(path: Path) -> None:
            ended = made.push(path)
            if ended.status:
                raise RuntimeError(f"{name}: {ended.stderr}")

        return Way(name, len(made.copies), push, lambda: _stored(gateway, to))

    def written(name: str, make: Callable[[Destination], Callable[[str], None]]) -> Way:
        to = destination(gateway)
        push = make(to)
        return Way(name, 1, lambda path: push(path.name), lambda: _stored(gateway, to))

    def plain(to: Destination) -> Callable[[str], None]:
        conf = write_private(server, "plain.conf", _SECTION.format(to=to))
        rclone = serving_rclone()
        script = (
            f'exec {rclone} copyto "$1" "plain:{to.bucket}/${{1##*/}}" --config {conf} --s3-no-check-bucket\n'
        )
        path = write_script(server, "plain", script)
        return lambda name: _run(server, path, name)

    def backrest(how: str) -> Callable[[Destination], Callable[[str], None]]:
        def make(to: Destination) -> Callable[[str], None]:
            writer = pgbackrest(server, to, stanza=f"bench{how}")
            return lambda name: writer.push(name, how)

        return make

    def barman(to: Destination) -> Callable[[str], None]:
        writer = barman_cloud(server, to)
        return lambda name: writer.push(name)

    return [
        ours("our archive command, zstd", Compression.ZSTD),
        ours("our archive command, gzip", Compression.GZIP),
        ours("our archive command, as it is", Compression.NONE),
        ours("our archive command, zstd, two copies", Compression.ZSTD, to_dr=True),
        written("rclone copyto", plain),
        written("pgBackRest, zst", backrest("zst")),
        written("pgBackRest, gz", backrest("gz")),
        written("barman-cloud", barman),
    ]


def _run(server: PostgresServer, script: Path, name: str) -> None:
    server.run(["sh", "-c", f"cd {server.data_dir} && {script} pg_wal/{name}"])


def _stored(gateway: RadosGateway, to: Destination) -> int:
    pages = gateway.client().get_paginator("list_objects_v2").paginate(Bucket=to.bucket)
    return sum(one["Size"] for page in pages for one in page.get("Contents", []))
