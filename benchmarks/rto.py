"""How long a restore takes until the cluster takes writes again (RTO): ours, pgBackRest's and barman-cloud's.

One database, one stretch of WAL after the base backups, which all of them archive, and one after another, in
another order every round: the files are brought from the bucket, a server of the same settings replays all
that is archived by the tool's own restore command, and opens. pgBackRest replays asynchronously, as its
documentation recommends; ours brings what follows along by itself.
"""

import random
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.recovery import Way, barman_cloud, between_regions, fill, of_pgbackrest, ran, unpacked
from benchmarks.report import Result, middle
from tests.integration.backup_parts import CHOICES, Backups, region
from tests.servers.archived import MIB, start_archiving, wait_archived
from tests.servers.ports import free_port
from tests.servers.postgres import PostgresServer
from tests.servers.reaper import Ward
from tests.servers.rgw import RadosGateway

SEGMENTS_A_GIB = 32
"""Of WAL, 16 MiB each, between the base backups and the end: a busy hour, or a quiet night."""
_OPENS_WITHIN_S = 3600.0
_LOOK_EVERY_S = 0.1
_LONGEST_PUSH_S = 30.0
"""Of one segment by all contenders, one after another."""
_IN_BULK = """INSERT INTO note SELECT last + i, md5(i::text) || ' ' || md5((i * 7)::text)
FROM (SELECT max(id) AS last FROM note) AS n, generate_series(1, 80000) AS i"""
_SETTINGS = {
    "archive_mode": "off",
    "listen_addresses": "",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "5min",
    "autovacuum": "off",
    "recovery_target_timeline": "1",
}


@dataclass(frozen=True, slots=True)
class Contender:
    """A tool: `way` brings the files, `push` archives a segment (%p), `fetch` is the restore_command of a
    data directory.
    """

    way: Way
    push: str
    fetch: Callable[[Path], str]


@dataclass
class Took:
    """Seconds of each round: until the files lie there, and from then until writes are taken."""

    files: list[float] = field(default_factory=list)
    replay: list[float] = field(default_factory=list)

    @property
    def rto(self) -> float:
        """The median of their sums."""
        return middle([files + replay for files, replay in zip(self.files, self.replay, strict=True)])


def measure(gib: float, rounds: int) -> list[Result]:
    """Rows: what each tool takes, and how that compares with ours."""
    with _stage(gib) as (server, contenders, segments):
        took = {each.way.name: Took() for each in contenders}
        for number in range(rounds):
            for each in random.Random(number).sample(contenders, len(contenders)):  # noqa: S311  # no secret
                _round(server, each, took[each.way.name])
    ours = took[contenders[0].way.name].rto
    return [_row(each.way.name, took[each.way.name], ours, segments) for each in contenders]


def _row(name: str, took: Took, ours: float, segments: int) -> Result:
    parts = f"files {middle(took.files):.1f} s, {segments} segments {middle(took.replay):.1f} s"
    return Result(f"RTO: {name}", took.rto, "s", None, f"{took.rto / ours:.2f} x; {parts}")


def _round(server: PostgresServer, contender: Contender, took: Took) -> None:
    folder = server.workspace.folder("rto", server.os_user)
    data = folder / "data"
    data.mkdir(mode=0o700)
    server.give(data)
    restore = contender.way.restore
    assert restore is not None
    took.files.append(ran(server, restore(data)).seconds)
    took.replay.append(_opened(server, data, contender.fetch(data)))
    shutil.rmtree(folder)


def _opened(server: PostgresServer, data: Path, fetch: str) -> float:
    """Seconds until the server there has replayed all and takes writes; it is stopped again, and what it
    holds must be the last that was written.
    """
    port, socket = free_port(), server.socket_dir
    settings = {**_SETTINGS, "port": str(port), "unix_socket_directories": str(socket)}
    settings["restore_command"] = fetch
    lines = "".join(f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in settings.items())
    for name, text in (
        ("postgresql.conf", lines),
        ("postgresql.auto.conf", ""),
        ("pg_hba.conf", "local all all trust\n"),
        ("pg_ident.conf", ""),
        ("recovery.signal", ""),
    ):
        (data / name).write_text(text)
        server.give(data / name)
    server.workspace.reaper.take(Ward("pidfile", str(data / "postmaster.pid")))
    control = [str(server.bin_dir / "pg_ctl"), "-D", str(data), "-s", "-w"]
    psql = ["psql", "-XAtq", "-h", str(socket), "-p", str(port), "-U", server.user, "-d", "postgres", "-c"]
    began = time.perf_counter()
    server.run([*control, "-t", "3600", "-l", str(data / "log"), "start"])
    try:
        while server.run([*psql, "SELECT pg_is_in_recovery()"]).strip() != "f":
            if time.perf_counter() - began > _OPENS_WITHIN_S:
                raise TimeoutError((data / "log").read_text()[-800:])
            time.sleep(_LOOK_EVERY_S)
        server.run([*psql, "CREATE TABLE opened (n int)"])
        took = time.perf_counter() - began
        last = "SELECT max(id) FROM note"
        if server.run([*psql, last]).strip() != str(server.sql(last)[0][0]):
            raise AssertionError(f"not all was replayed: {(data / 'log').read_text()[-800:]}")
    finally:
        server.run([*control, "-m", "immediate", "stop"])
    return took


@contextmanager
def _stage(gib: float) -> Iterator[tuple[PostgresServer, list[Contender], int]]:
    """The server, who is compared, and how many segments each has archived since its base backup."""
    with ExitStack() as stack:
        server, gateways = between_regions(stack)
        server.start()
        fill(server, gib)
        choices = replace(CHOICES, patience_s=900)
        ours = Backups(server, region(gateways[0]), region(gateways[1]), to_dr=False, choices=choices)
        contenders = [
            _ours(ours),
            *(_pgbackrest(server, gateways[0], processes) for processes in (1, 2)),
            _barman(server, gateways[0]),
        ]
        start_archiving(server, " && ".join(each.push for each in contenders))
        server.sql("CHECKPOINT")
        for each in contenders:
            ran(server, each.way.backup)
        segments = max(4, round(SEGMENTS_A_GIB * gib))
        yield server, contenders, _written(server, segments)


def _written(server: PostgresServer, segments: int) -> int:
    """So many are written, by pgbench's small transactions and by rows in bulk; all are archived."""
    pgbench = [str(server.bin_dir / "pgbench"), "-h", str(server.socket_dir), "-p", str(server.port)]
    ((begun,),) = server.sql("SELECT pg_current_wal_lsn() - '0/0'")
    written = 0
    while written < segments:
        ran(server, [*pgbench, "-U", server.user, "-n", "-c", "4", "-t", "100", "postgres"])
        server.sql(_IN_BULK)
        ((at,),) = server.sql("SELECT pg_current_wal_lsn() - '0/0'")
        written = int(at - begun) // (16 * MIB)
    server.sql("SELECT pg_switch_wal()")
    wait_archived(server, timeout_s=_LONGEST_PUSH_S * (written + 1))
    return written + 1


def _ours(made: Backups) -> Contender:
    way = Way("ours", [str(made.script)], unpacked(made), lambda: 0)
    return Contender(way, made.archive_command, lambda _: f'{made.at.restore} "%f" "%p"')


def _pgbackrest(server: PostgresServer, gateway: RadosGateway, processes: int) -> Contender:
    way = of_pgbackrest(server, gateway, processes)
    stanza = f"bench{processes}"
    call = f"pgbackrest --config={server.folder}/pgbackrest-{stanza}.conf --stanza={stanza}"
    fetch = f"{call} --process-max={processes} --archive-async --archive-get-queue-max=1GiB"
    return Contender(
        way, f"{call} archive-push %p", lambda data: f'{fetch} --pg1-path={data} archive-get %f "%p"'
    )


def _barman(server: PostgresServer, gateway: RadosGateway) -> Contender:
    way = barman_cloud(server, gateway, "")
    words: Sequence[str] = way.backup
    where = [*words[: words.index("barman-cloud-backup")]], [*words[words.index("barman-cloud-backup") + 1 :]]
    before, options = where
    told = [*options[:4], *options[-2:]]
    push = shlex.join([*before, "barman-cloud-wal-archive", *told])
    fetch = shlex.join([*before, "barman-cloud-wal-restore", *told])
    return Contender(way, f"{push} %p", lambda _: f'{fetch} %f "%p"')
