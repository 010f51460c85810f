"""A base backup into a bucket and its restore: our script beside pgBackRest and barman-cloud, on Ceph RGW.

All of one database, one after another, in another order every round, on the same machine as server and store.
Of a restore it is what brings the files back; replay is the same for all. While a second backup of each runs,
pgbench writes: how much it loses is what the backup costs the service.
"""

import random
import re
import resource
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.report import Result, middle
from tests.integration.backup_parts import CHOICES, Backups, Region, region
from tests.servers.archived import MIB, destination
from tests.servers.pgbackrest import pgbackrest
from tests.servers.postgres import PostgresServer, system_bin_dir
from tests.servers.rgw import RadosGateway
from tests.servers.workspace import Workspace, identity
from tests.servers.writer import Destination, write_private
from walconsole.droplet.choices import BackupChoices

MEMORY_BUDGET_MIB = 256.0
"""Of our script with all that it starts, whatever the database's size."""
SCALE_A_GIB = 42
"""pgbench's scale factor for 0.6 GiB; a table of text that compresses less is the rest."""
TEXT_ROWS_A_GIB = 4_400_000
QUIET_S = 15.0
LOOK_EVERY_S = 0.25
ROOM = 16 << 30
"""Of each region, in memory as it fills: five backups and more of 2 GiB, some uncompressed, and their WAL."""
_ON_DISK = "sync -f"
"""After what does not see to it itself: pgBackRest has what it restores on the disk when it ends."""


@dataclass(frozen=True, slots=True)
class Way:
    """One tool: its commands as the server's owner. `restore` fills an empty folder; None: not measured."""

    name: str
    backup: Sequence[str]
    restore: Callable[[Path], Sequence[str]] | None
    stored: Callable[[], int]
    budget_mib: float | None = None


@dataclass(frozen=True, slots=True)
class Ran:
    """Seconds, processor seconds of the tool (not of server and store), and its peak memory in MiB (PSS)."""

    seconds: float
    cpu_s: float
    peak_mib: float


@dataclass
class Samples:
    """What was measured of one way."""

    backups: list[Ran] = field(default_factory=list)
    restores: list[Ran] = field(default_factory=list)
    stored: list[int] = field(default_factory=list)
    kept: float | None = None
    """The share of pgbench's throughput that stays while it runs."""


def measure(gib: float, runs: int) -> list[Result]:
    """Rows: what each tool takes for a backup, for a restore, and from pgbench meanwhile."""
    with _stage(gib) as (server, ways):
        samples = {way.name: Samples() for way in ways}
        for number in range(runs):
            for way in random.Random(number).sample(ways, len(ways)):  # noqa: S311  # no secret: the same each time
                _sample(server, way, samples[way.name])
        quiet = transactions(server, lambda: time.sleep(QUIET_S))
        for way in ways:
            busy = transactions(server, lambda way=way: ran(server, way.backup))  # type: ignore[misc]
            samples[way.name].kept = busy / quiet
        size = int(server.sql("SELECT sum(pg_database_size(oid)) FROM pg_database")[0][0])
    return [row for way in ways for row in _rows(way, samples, size)]


def _sample(server: PostgresServer, way: Way, samples: Samples) -> None:
    before = way.stored()
    samples.backups.append(ran(server, way.backup))
    samples.stored.append(way.stored() - before)
    if way.restore is None:
        return
    folder = server.workspace.folder("restored", server.os_user)
    data = folder / "data"
    data.mkdir(mode=0o700)
    server.give(data)
    samples.restores.append(ran(server, way.restore(data)))
    print(f"  {way.name}: backup {samples.backups[-1]}, restore {samples.restores[-1]}", flush=True)
    for needed in ("PG_VERSION", "global/pg_control", "backup_label"):
        if not (data / needed).is_file():
            raise AssertionError(f"{way.name} restored no {needed}")
    shutil.rmtree(folder)


def _rows(way: Way, samples: dict[str, Samples], size: int) -> Iterator[Result]:
    ours, mine = next(iter(samples.values())), samples[way.name]
    seconds = middle([each.seconds for each in mine.backups])
    ratio = seconds / middle([each.seconds for each in ours.backups])
    cpu = middle([each.cpu_s for each in mine.backups])
    stored = middle([float(each) for each in mine.stored])
    note = f"{ratio:.2f} x, processor {cpu:.1f} s, {stored / MIB:,.0f} MiB of {size / MIB:,.0f} stored"
    if mine.kept is not None:
        note += f"; pgbench keeps {mine.kept:.0%}"
    yield Result(f"backup: {way.name}", seconds, "s", None, note)
    peak = max(each.peak_mib for each in mine.backups)
    yield Result("  its memory at most", peak, "MiB", way.budget_mib)
    if mine.restores:
        back = middle([each.seconds for each in mine.restores])
        to_ours = back / middle([each.seconds for each in ours.restores])
        cpu = middle([each.cpu_s for each in mine.restores])
        yield Result(
            f"restore: {way.name}", back, "s", None, f"{to_ours:.2f} x, processor {cpu:.1f} s, without replay"
        )


# -- Running a tool, and watching it.


def ran(server: PostgresServer, command: Sequence[str]) -> Ran:
    """To its end. Raises RuntimeError with its last words where it fails."""
    used, began = _children_s(), time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=server.folder,
        env={"PATH": f"{server.bin_dir}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(server.folder)},
        **identity(server.os_user),
    )
    with _watched(process.pid) as peak:
        said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{command[0]}: exit status {process.returncode}: {said[-800:]}")
    return Ran(time.perf_counter() - began, _children_s() - used, peak[0] / 1024)


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def _watched(pid: int) -> Iterator[list[float]]:
    """The peak of what the process and all below it hold, in KiB: each page counts once (PSS)."""
    peak, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_EVERY_S):
            peak[0] = max(peak[0], sum(map(_pss_kib, _below(pid))))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()


def _below(pid: int) -> list[int]:
    """The process and its descendants."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(words[1]), []).append(int(stat.parent.name))
    found, left = [pid], [pid]
    while left:
        children = parents.get(left.pop(), [])
        found += children
        left += children
    return found


def _pss_kib(pid: int) -> int:
    try:
        told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"^Pss: +(\d+) kB", told, re.MULTILINE)
    return int(found[1]) if found else 0


def transactions(server: PostgresServer, meanwhile: Callable[[], object]) -> float:
    """pgbench's transactions a second while `meanwhile` runs."""
    command = [server.bin_dir / "pgbench", "-h", server.socket_dir, "-p", str(server.port), "-U", server.user]
    process = subprocess.Popen(
        [*map(str, command), "-n", "-c", "4", "-j", "1", "-T", "3600", "-P", "1", "postgres"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=server.folder,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        **identity(server.os_user),
    )
    try:
        meanwhile()
    finally:
        process.terminate()
        _, said = process.communicate()
    each = [float(tps) for tps in re.findall(r"^progress: .*?, ([\d.]+) tps", said, re.MULTILINE)]
    if not each:
        raise RuntimeError(f"pgbench told of no transaction: {said[-400:]}")
    return sum(each) / len(each)


# -- What is compared.


@contextmanager
def _stage(gib: float) -> Iterator[tuple[PostgresServer, list[Way]]]:
    with ExitStack() as stack:
        server, (gateway, second) = between_regions(stack)
        server.start()
        fill(server, gib)
        here = region(gateway)
        choices = replace(CHOICES, patience_s=900, nice=BackupChoices().nice)
        alone, both = (
            Backups(server, here, region(second), to_dr=to_dr, choices=choices) for to_dr in (False, True)
        )
        both.archive()
        server.sql("CHECKPOINT")
        yield (
            server,
            [
                Way("ours, one copy", [str(alone.script)], unpacked(alone), _stored(here), MEMORY_BUDGET_MIB),
                Way("ours, two copies", [str(both.script)], None, _stored(here), MEMORY_BUDGET_MIB),
                *(of_pgbackrest(server, gateway, processes) for processes in (1, 2)),
                *(barman_cloud(server, gateway, how) for how in ("", "--gzip")),
            ],
        )


def between_regions(stack: ExitStack) -> tuple[PostgresServer, tuple[RadosGateway, RadosGateway]]:
    """A server that is still to be started, and two regions that run, until the end of `stack`.

    Its archive command stores nothing yet: what it is filled with is in the base backups.
    """
    space = Workspace()
    stack.callback(space.close)
    gateways = RadosGateway(space, "nyc3", most_bytes=ROOM), RadosGateway(space, "sfo3", most_bytes=ROOM)
    for each in gateways:
        each.start()
        stack.callback(each.stop)
    server = PostgresServer.make(space, system_bin_dir())
    server.write_config("60_bench.conf", {"max_wal_size": "4GB", "shared_buffers": "512MB"})
    server.configure(archive_mode="on", archive_command="true")
    stack.callback(server.stop, "immediate")
    return server, gateways


def fill(server: PostgresServer, gib: float) -> None:
    scale = max(1, round(SCALE_A_GIB * gib))
    pgbench = [str(server.bin_dir / "pgbench"), "-h", str(server.socket_dir), "-p", str(server.port)]
    ran(server, [*pgbench, "-U", server.user, "-i", "-q", "-s", str(scale), "postgres"])
    text = "SELECT i, md5(i::text) || ' ' || md5((i * 7)::text) FROM generate_series(1, %s) i"
    server.sql("CREATE TABLE note (id int, text text)")
    server.sql(f"INSERT INTO note {text}", round(TEXT_ROWS_A_GIB * gib))


def _stored(of: Region | tuple[RadosGateway, Destination]) -> Callable[[], int]:
    gateway, to = (of.gateway, of.to) if isinstance(of, Region) else of

    def count() -> int:
        pages = gateway.client().get_paginator("list_objects_v2").paginate(Bucket=to.bucket)
        listed = (one for page in pages for one in page.get("Contents", []))
        return sum(one["Size"] for one in listed if not re.search(r"[0-9A-F]{24}", one["Key"]))

    return count


def unpacked(made: Backups) -> Callable[[Path], Sequence[str]]:
    """As the page says to restore by hand."""

    def command(data: Path) -> Sequence[str]:
        newest = max(made.complete[0])
        key = f"spaces-prod:{made.primary.to.bucket}/{made.profile.primary.prefix}base/{newest}/base.tar.zst"
        config = made.profile.paths.rclone_config
        return [
            "sh",
            "-c",
            f"rclone --config {config} cat {key} | zstd -d | tar -x -C {data} && {_ON_DISK} {data}",
        ]

    return command


def of_pgbackrest(server: PostgresServer, gateway: RadosGateway, processes: int) -> Way:
    to, stanza = destination(gateway), f"bench{processes}"
    pgbackrest(server, to, stanza=stanza)
    base = ["pgbackrest", f"--config={server.folder}/pgbackrest-{stanza}.conf", f"--stanza={stanza}"]
    base += [f"--process-max={processes}", "--log-level-console=warn"]
    options = [
        "--type=full",
        "--start-fast",
        "--compress-type=zst",
        "--compress-level=3",
        "--no-archive-check",
    ]
    plural = "process" if processes == 1 else "processes"
    return Way(
        f"pgBackRest, zst, {processes} {plural}",
        [*base, *options, "--repo1-retention-full=9", "backup"],
        lambda data: [*base, f"--pg1-path={data}", "--type=none", "restore"],
        _stored((gateway, to)),
    )


def barman_cloud(server: PostgresServer, gateway: RadosGateway, how: str) -> Way:
    to = destination(gateway)
    text = (
        f"[default]\naws_access_key_id = {to.keys.access_key}\naws_secret_access_key = {to.keys.secret_key}\n"
    )
    credentials = write_private(server, f"barman{how}-keys", text)
    where = ["--cloud-provider", "aws-s3", "--endpoint-url", to.endpoint]
    place = [f"s3://{to.bucket}/barman", "server"]
    env = ["env", f"AWS_SHARED_CREDENTIALS_FILE={credentials}", "AWS_DEFAULT_REGION=us-east-1"]
    connect = [
        "-h",
        str(server.socket_dir),
        "-p",
        str(server.port),
        "-U",
        server.user,
        "--immediate-checkpoint",
    ]
    return Way(
        f"barman-cloud, {how.strip('-') or 'uncompressed'}",
        [*env, "barman-cloud-backup", *where, *([how] if how else []), *connect, *place],
        lambda data: [*env, "sh", "-c", _newest(where, place, data)],
        _stored((gateway, to)),
    )


def _newest(where: Sequence[str], place: Sequence[str], data: Path) -> str:
    options, at = " ".join(where), " ".join(place)
    newest = f"barman-cloud-backup-list --format json {options} {at}"
    pick = "import json, sys; print(max(each['backup_id'] for each in json.load(sys.stdin)['backups_list']))"
    return (
        f'barman-cloud-restore {options} {at} "$({newest} | python3 -c "{pick}")" {data} && {_ON_DISK} {data}'
    )
