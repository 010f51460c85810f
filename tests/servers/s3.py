"""Key pairs, clients and policies for the S3 servers of the tests."""

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Permission = Literal["read", "readwrite"]

_READ = ("s3:GetObject", "s3:ListBucket")
ACTIONS: dict[Permission, tuple[str, ...]] = {
    "read": _READ,
    "readwrite": (*_READ, "s3:PutObject", "s3:DeleteObject"),
}
"""What a Spaces key with such a grant may do in its bucket, and nothing else."""


@dataclass(frozen=True, slots=True)
class S3Keys:
    """One user's key pair."""

    user: str
    access_key: str
    secret_key: str


def new_keys(user: str) -> S3Keys:
    """A random pair that looks like one of Spaces'."""
    return S3Keys(user, f"DO00{secrets.token_hex(8).upper()}", secrets.token_urlsafe(32))


def s3_client(endpoint: str, keys: S3Keys, *, timeout_s: float = 10.0) -> "S3Client":
    """A boto3 client with path-style addressing that tries once and sends no checksum trailers."""
    import boto3  # takes a quarter of a second, and most tests need none
    from botocore.config import Config

    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        connect_timeout=timeout_s,
        read_timeout=timeout_s,
        retries={"total_max_attempts": 1},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        proxies={},
    )
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        config=config,
    )


def bucket_policy(bucket: str, grants: Iterable[tuple[S3Keys, Permission]]) -> str:
    """The policy that gives each of the users its permission on `bucket`."""
    statements = [
        {
            "Effect": "Allow",
            "Principal": {"AWS": [f"arn:aws:iam:::user/{keys.user}"]},
            "Action": list(ACTIONS[permission]),
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        }
        for keys, permission in grants
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
