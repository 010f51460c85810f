"""One listing of the measuring server's bucket by the console's own adapters, as JSON on one line.

A process of its own, so that its memory is its own. `python -m benchmarks.listing_client PORT`.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from benchmarks.listing_server import BUCKET
from walconsole.adapters.spaces import SpacesStore
from walconsole.adapters.spaces_keys import EnvironmentKeys
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource
from walconsole.domain.wal import DEFAULT_SEGMENT_BYTES
from walconsole.observe.bucket_picture import BucketPicture
from walconsole.observe.bucket_sweep import Sweep

POLLS = 20


async def sweep(port: int) -> dict[str, float]:
    """Everything from the connection to the facts, and then polls with nothing new."""
    reference = KeyReference(KeySource.ENVIRONMENT, "K", "S")
    endpoint = f"http://127.0.0.1:{port}"
    target = BucketTarget(BucketRole.PRIMARY, BUCKET, "us-east-1", endpoint, reference, path_style=True)
    store = SpacesStore(target, EnvironmentKeys(reference, {"K": "AK", "S": "SK"}), environ={})
    picture = BucketPicture("", DEFAULT_SEGMENT_BYTES)
    began, cpu_began = time.perf_counter(), time.process_time()
    await Sweep(store, picture.index, picture.page_seen).advance()
    facts = picture.facts(target, "", "")
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    polls = []
    for _ in range(POLLS):
        poll_began = time.perf_counter()
        picture.add_new(await store.page(start_after=picture.poll_after(), max_keys=200))
        polls.append(time.perf_counter() - poll_began)
    await store.close()
    return {
        "seconds": seconds,
        "cpu_s": cpu,
        "poll_s": min(polls),
        "segments": facts.segments,
        "gaps": facts.gap_count,
        "rss_mib": peak_mib(),
    }


def peak_mib() -> float:
    """The most memory that this process held, in MiB (proc(5), status, VmHWM).

    Not getrusage's ru_maxrss: that includes what the parent held when it started this process.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(sweep(int(sys.argv[1])))) + "\n")
