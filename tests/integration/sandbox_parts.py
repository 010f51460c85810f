"""Parts of the sandbox for its tests: a folder that goes away, a region of Spaces, a boto3 client."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from walconsole.errors import SandboxError
from walconsole.sandbox.host.process import Account, choose_account
from walconsole.sandbox.host.programs import find_rclone
from walconsole.sandbox.keys_api.keys import Key, KeyStore
from walconsole.sandbox.leftovers import take_away
from walconsole.sandbox.spaces.gate import SpacesGate
from walconsole.sandbox.spaces.region import spaces_region
from walconsole.sandbox.workspace import Workspace, make_folder, new_workspace


@contextmanager
def temporary_workspace() -> Iterator[tuple[Workspace, Account]]:
    """A workspace that the sandbox's user can reach, as pytest's own folders are not."""
    account = choose_account()
    with new_workspace(account) as root:
        try:
            yield Workspace(root, "18"), account
        finally:
            take_away(root)


@dataclass(frozen=True, slots=True)
class Region:
    """A running region with its keys."""

    gate: SpacesGate
    keys: KeyStore
    root: Path
    account: Account

    def make_bucket(self, name: str) -> Path:
        """A bucket, made behind the gate's back."""
        make_folder(self.gate.folder / name, self.account)
        return self.gate.folder / name

    def client(self, key: Key, **config: Any) -> Any:
        """boto3 with that key; it tries once."""
        return client(self.gate.url, key.access_key, key.secret, **config)


@asynccontextmanager
async def running_region(region: str = "nyc3") -> AsyncIterator[Region]:
    """One region of Spaces; the test is skipped where no rclone can serve S3."""
    with temporary_workspace() as (space, account):
        try:
            rclone = await find_rclone(space.root, account)
        except SandboxError as error:
            pytest.skip(error.line())
        make_folder(space.spaces(region), account)
        keys = KeyStore()
        async with spaces_region(region, space.root, rclone, account, keys) as gate:
            yield Region(gate, keys, space.root, account)


def client(url: str, access_key: str, secret: str, **config: Any) -> Any:
    """A boto3 client that tries once."""
    settings: dict[str, Any] = {"s3": {"addressing_style": "path"}, "retries": {"total_max_attempts": 1}}
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=Config(**(settings | config)),
    )


async def outcome(client: Any, call: str, **arguments: Any) -> tuple[int, str]:
    """HTTP's status and S3's code of one call; the code of a success is empty."""
    try:
        answer = await asyncio.to_thread(getattr(client, call), **arguments)
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
    return answer["ResponseMetadata"]["HTTPStatusCode"], ""
