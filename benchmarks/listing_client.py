"""One listing of the measuring server's bucket by the console's own adapters, as JSON on one line.

A process of its own, so that its memory is its own. `python -m benchmarks.listing_client PORT`.
"""

import asyncio
import json
import resource
import sys
import time

from benchmarks.listing_server import BUCKET
from walconsole.adapters.spaces import SpacesStore
from walconsole.adapters.spaces_keys import EnvironmentKeys
from walconsole.domain.profile import BucketRole, BucketTarget, KeyReference, KeySource
from walconsole.domain.wal import DEFAULT_SEGMENT_BYTES
from walconsole.observe.bucket_picture import BucketPicture
from walconsole.observe.bucket_sweep import Sweep


async def sweep(port: int) -> dict[str, float]:
    """Everything from the connection to the facts."""
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
    for _ in range(20):
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
        "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(sweep(int(sys.argv[1])))) + "\n")
