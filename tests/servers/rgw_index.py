"""Buckets of Ceph RGW that list a million objects, of which one is there."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.servers.programs import ServerMissing
from tests.servers.rgw import RadosGateway

PYTHON = Path("/usr/bin/python3")
SCRIPT = Path(__file__).with_name("rgw_seed.py")


def seed_index(
    gateway: RadosGateway, bucket: str, keys: Sequence[str], *, first_at: float, every_s: float, body: bytes
) -> None:
    """Let `bucket` list `keys`, all with the size and the ETag of `body`, the first modified at `first_at`.

    Only the first of them can be read: the others are entries of the index alone. Raises ServerMissing.
    """
    if not _has_rados():
        raise ServerMissing("a million objects", f"{PYTHON} has no module `rados`", "python3-rados")
    gateway.client().put_object(Bucket=bucket, Key=keys[0], Body=body)
    arguments = [str(gateway.conf), gateway.marker(bucket), keys[0], str(first_at), str(every_s)]
    done = subprocess.run(
        [PYTHON, SCRIPT, *arguments],
        input="\n".join(keys),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    if done.returncode:
        raise RuntimeError(f"seeding {bucket}: exit status {done.returncode}\n{done.stderr[-2000:]}")


def _has_rados() -> bool:
    try:
        return (
            subprocess.run([PYTHON, "-c", "import rados"], check=False, capture_output=True).returncode == 0
        )
    except FileNotFoundError:
        return False
