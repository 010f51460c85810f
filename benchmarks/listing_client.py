"""One listing of the measuring server's bucket as the console does it, as JSON on one line.

A process of its own, so that its memory is its own. `python -m benchmarks.listing_client PORT`.
"""

import asyncio
import json
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.listing_server import BUCKET, REQUESTS_PATH
from walconsole.adapters.decompress import PLAIN
from walconsole.adapters.s3.key_sources import EnvironmentKeys
from walconsole.adapters.s3.store import SpacesStore
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource
from walconsole.domain.wal import DEFAULT_SEGMENT_BYTES
from walconsole.observe.bucket.probe import BucketProbe
from walconsole.operator_files.kept import NoShelf, SessionRegister
from walconsole.process.clock import SystemClock

POLLS = 20


class Wanted:
    """How often the probe asked for another attempt at once."""

    def __init__(self) -> None:
        self.times = 0

    def wake(self, _: str) -> None:
        """Once more."""
        self.times += 1


def console(port: int, wanted: Wanted) -> tuple[SpacesStore, BucketProbe]:
    """The console's store and its probe, with nothing saved."""
    reference = KeyReference(KeySource.ENVIRONMENT, "K", "S")
    endpoint = f"http://127.0.0.1:{port}"
    target = BucketTarget(BucketRole.PRIMARY, BUCKET, "us-east-1", endpoint, reference, path_style=True)
    store = SpacesStore(target, EnvironmentKeys(reference, {"K": "AK", "S": "SK"}), environ={})
    probe = BucketProbe(
        target,
        store,
        SystemClock(),
        segment_bytes=lambda: DEFAULT_SEGMENT_BYTES,
        wake=wanted.wake,
        plain=PLAIN,
        shelf=NoShelf(),
        register=SessionRegister(),
    )
    return store, probe


async def listing(port: int) -> dict[str, float]:
    """A first sweep, from the connection to the facts, and then polls with nothing new."""
    wanted = Wanted()
    store, probe = console(port, wanted)
    began, cpu_began = time.perf_counter(), time.process_time()
    facts = await _facts(probe)
    while not facts.complete:
        facts = await _facts(probe)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    while wanted.times:  # what the objects themselves say is read after the sweep
        wanted.times = 0
        await probe.take()
    peak, asked = peak_mib(), requests(port)
    polls = []
    for _ in range(POLLS):
        poll_began = time.perf_counter()
        await probe.take()
        polls.append(time.perf_counter() - poll_began)
    asked = requests(port) - asked
    await store.close()
    return {
        "seconds": seconds,
        "cpu_s": cpu,
        "poll_s": min(polls),
        "requests_a_poll": asked / POLLS,
        "segments": facts.segments,
        "gaps": facts.gap_count,
        "rss_mib": peak,
    }


async def _facts(probe: BucketProbe) -> BucketFacts:
    (fact,) = await probe.take()
    if not isinstance(fact.value, BucketFacts):
        raise AssertionError("a bucket's probe tells of its bucket")
    return fact.value


def requests(port: int) -> int:
    """How many requests the server has seen."""
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", REQUESTS_PATH)
    told = int(connection.getresponse().read())
    connection.close()
    return told


def peak_mib() -> float:
    """The most memory that this process held, in MiB (proc(5), status, VmHWM).

    Not getrusage's ru_maxrss: that includes what the parent held when it started this process.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(listing(int(sys.argv[1])))) + "\n")
