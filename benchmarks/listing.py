"""Listing a large archive: the console's sweep beside rclone, boto3 and (where installed) s5cmd.

All of them list the same server (benchmarks.listing_server), one after another.
`python -m benchmarks.listing [--keys N] [--runs N]`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.listing_server import BUCKET, PAGE_KEYS
from benchmarks.report import Result, middle, table
from walconsole.domain.archive.index import ArchiveIndex
from walconsole.domain.wal import Segment
from walconsole.observe.bucket_picture import GAPS_SHOWN

KEYS = 1_000_000
BOTO3_KEYS = 50_000
"""boto3 takes a minute and a half for a million: it lists fewer, and is multiplied."""
LATENCY_S = 0.08
SHARE_BUDGET_PERCENT = 4.0
"""A 25th of the time that rclone and s5cmd take."""
LATENCY_BUDGET_S = 2.0
RSS_BUDGET_MIB = 64.0
FOLD_BUDGET_S = 0.3


@contextmanager
def served(keys: int, *options: str) -> Iterator[int]:
    """The measuring server in a process of its own; yields its port."""
    command = [sys.executable, "-m", "benchmarks.listing_server", "--keys", str(keys), *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        if server.stdout is None or server.stdin is None:
            raise AssertionError("pipes were asked for")
        yield int(server.stdout.readline())
        server.stdin.close()


def ours(port: int) -> dict[str, float]:
    """One sweep by the console's adapters."""
    command = [sys.executable, "-m", "benchmarks.listing_client", str(port)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def timed(command: Sequence[str], environment: dict[str, str], lines: int) -> float:
    """Seconds that `command` takes to print `lines` lines."""
    began = time.perf_counter()
    done = subprocess.run(
        command, env=_BARE | environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True
    )
    seconds = time.perf_counter() - began
    printed = done.stdout.count(b"\n")
    if printed != lines:
        raise AssertionError(f"{command[0]} printed {printed} lines, not {lines}")
    return seconds


_BARE = {"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "/")}


def rclone(port: int, keys: int) -> float | None:
    """Seconds of `rclone lsf -R`, None where there is no rclone."""
    beside = str(Path(sys.executable).parent)
    program = shutil.which("rclone", path=os.pathsep.join((beside, os.environ.get("PATH", ""))))
    if program is None:
        return None
    options = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ENDPOINT": f"http://127.0.0.1:{port}",
        "ACCESS_KEY_ID": "AK",
        "SECRET_ACCESS_KEY": "SK",
        "LIST_VERSION": "2",
    }
    environment = {f"RCLONE_CONFIG_BENCH_{name}": value for name, value in options.items()}
    return timed([program, "--config", "/dev/null", "lsf", "-R", f"bench:{BUCKET}"], environment, keys)


def s5cmd(port: int, keys: int) -> float | None:
    """Seconds of `s5cmd ls`, None where there is no s5cmd."""
    program = shutil.which("s5cmd")
    if program is None:
        return None
    command = [program, "--endpoint-url", f"http://127.0.0.1:{port}", "ls", f"s3://{BUCKET}/*"]
    return timed(command, {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK"}, keys)


_BOTO3 = f"""
import boto3, sys
client = boto3.client("s3", endpoint_url="http://127.0.0.1:" + sys.argv[1], region_name="us-east-1")
pages = client.get_paginator("list_objects_v2").paginate(Bucket="{BUCKET}")
for page in pages:
    for found in page["Contents"]:
        print(found["Key"])
"""


def boto3(port: int, keys: int) -> float:
    """Seconds of boto3's paginator."""
    environment = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK"}
    return timed([sys.executable, "-c", _BOTO3, str(port)], environment, keys)


def fold_seconds(keys: int, missing_every: int) -> float:
    """Processor seconds from `keys` names, of which every `missing_every`-th is missing, to the facts."""
    numbers = [number for number in range(1, keys + 1) if number % missing_every]
    names = [Segment(1, number).name() for number in numbers]
    began = time.process_time()
    index = ArchiveIndex()
    for start in range(0, len(names), PAGE_KEYS):
        index.fold(names[start : start + PAGE_KEYS])
    (archive,) = index.archives.values()
    shown = sum(1 for _ in archive.gaps(index.segment_bytes, GAPS_SHOWN))
    seconds = time.process_time() - began
    missing = numbers[-1] - len(numbers)
    if (archive.gap_count, archive.missing, shown) != (missing, missing, min(missing, GAPS_SHOWN)):
        raise AssertionError(f"{archive.gap_count} gaps")
    return seconds


def measure(runs: int = 3, keys: int = KEYS) -> list[Result]:
    """Everything, in rows."""
    return [*_without_latency(runs, keys), *_with_latency(runs, keys), *_alone(runs, keys)]


def _without_latency(runs: int, keys: int) -> list[Result]:
    """Ours and the others' in turn, so that all meet the same machine."""
    with served(keys) as port:
        rounds = [(ours(port), rclone(port, keys), s5cmd(port, keys)) for _ in range(runs)]
    seconds = middle([mine["seconds"] for mine, _, _ in rounds])
    results = [
        Result(
            f"{keys:,} keys",
            seconds,
            "s",
            None,
            f"processor {middle([m['cpu_s'] for m, _, _ in rounds]):.2f} s",
        ),
        Result(
            "memory",
            max(mine["rss_mib"] for mine, _, _ in rounds),
            "MiB",
            RSS_BUDGET_MIB,
            "the whole process",
        ),
        Result(
            "a poll with nothing new",
            1000 * min(mine["poll_s"] for mine, _, _ in rounds),
            "ms",
            None,
            "one request",
        ),
    ]
    for name, column in (("rclone lsf -R", 1), ("s5cmd ls", 2)):
        times = [each[column] for each in rounds]
        taken = [value for value in times if isinstance(value, float)]
        if taken:
            share = 100 * seconds / middle(taken)
            note = f"{middle(taken):.1f} s: {100 / share:.0f} times as long"
            results.append(Result(f"our share of {name}", share, "%", SHARE_BUDGET_PERCENT, note))
    with served(BOTO3_KEYS) as port:
        scaled = boto3(port, BOTO3_KEYS) * keys / BOTO3_KEYS
    note = f"{scaled:.0f} s, from {BOTO3_KEYS:,} keys"
    return [*results, Result("our share of boto3's paginator", 100 * seconds / scaled, "%", None, note)]


def _with_latency(runs: int, keys: int) -> list[Result]:
    with served(keys, "--latency", str(LATENCY_S)) as port:
        found = [ours(port) for _ in range(runs)]
    seconds, rss = middle([each["seconds"] for each in found]), max(each["rss_mib"] for each in found)
    return [
        Result(f"{keys:,} keys at {1000 * LATENCY_S:.0f} ms a page", seconds, "s", LATENCY_BUDGET_S),
        Result("memory", rss, "MiB", RSS_BUDGET_MIB, "64 pages under way"),
    ]


def _alone(runs: int, keys: int) -> list[Result]:
    unbroken = min(fold_seconds(keys, keys + 1) for _ in range(runs))
    broken = min(fold_seconds(keys, 997) for _ in range(runs))
    halved = min(fold_seconds(keys, 2) for _ in range(runs))
    return [
        Result("continuity, unbroken", unbroken, "s", FOLD_BUDGET_S, "processor time"),
        Result("continuity, a thousand gaps", broken, "s", FOLD_BUDGET_S, "processor time"),
        Result("continuity, every other missing", halved, "s", FOLD_BUDGET_S, f"{keys // 2 - 1:,} gaps"),
    ]


def main() -> int:
    """Print the table; 1 when a budget does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.listing", description=__doc__)
    parser.add_argument("--keys", type=int, default=KEYS)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    results = measure(options.runs, options.keys)
    print(table("Listing an archive", results))
    return 0 if all(result.holds for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
