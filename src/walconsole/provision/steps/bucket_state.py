"""Whether the buckets are there and ours, as far as that can be told without a full-access key.

The profile's own key lists: 404 says that there is no such bucket anywhere, 403 that there is one which this
key may not look at. Whose it is then tell the record of what was made here, and the account's own keys: a
grant on a bucket can be given by its owner alone.
"""

import asyncio
from enum import StrEnum

from walconsole.domain.profile import BucketTarget
from walconsole.domain.records import record
from walconsole.domain.store.answers import Meaning
from walconsole.errors import KeyServiceError, ObjectStoreError
from walconsole.provision.engine.model import Change, ChangeKind
from walconsole.provision.engine.site import Site

MADE = "made"
"""How the record says that the store agreed to a bucket: before that it may be taken by someone else."""


class Standing(StrEnum):
    """What a bucket is to us. REFUSED: it is there, and whose it is is not known."""

    OURS = "ours"
    MISSING = "missing"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


@record
class BucketState:
    """One copy's bucket; `why` says from what that is known, or why it is not. `readable`: by our own key."""

    target: BucketTarget
    standing: Standing
    why: str
    remedy: str = ""
    readable: bool = False


def bucket_name(target: BucketTarget) -> str:
    """How the record of changes names a bucket: names are of one region's endpoint."""
    return f"{target.bucket}@{target.endpoint}"


async def bucket_states(site: Site) -> tuple[BucketState, ...]:
    """The buckets of every copy, the primary first. Raises errors.RegisterError."""
    return tuple(await asyncio.gather(*(_state(site, target) for target in site.targets())))


async def _state(site: Site, target: BucketTarget) -> BucketState:
    try:
        await site.store(target).page(max_keys=1)
    except ObjectStoreError as error:
        if error.meaning is Meaning.ABSENT_BUCKET:
            return BucketState(target, Standing.MISSING, f"there is no bucket {target.bucket}")
        if error.meaning in (Meaning.NO_PERMISSION, Meaning.REFUSED):
            return await _whose(site, target)
        return BucketState(target, Standing.UNREACHABLE, error.why, error.remedy)
    return BucketState(target, Standing.OURS, f"{target.bucket} can be listed", readable=True)


def _made(change: Change, target: BucketTarget) -> bool:
    return (change.kind, change.what, change.after) == (ChangeKind.BUCKET, bucket_name(target), MADE)


async def _whose(site: Site, target: BucketTarget) -> BucketState:
    recorded = await asyncio.to_thread(site.record.changes)
    if any(_made(change, target) for change in recorded):
        return BucketState(
            target, Standing.OURS, f"{target.bucket} was made from here; the key lacks its grant"
        )
    try:
        keys = await (await site.key_service()).keys()
    except KeyServiceError as error:
        return BucketState(target, Standing.REFUSED, f"{target.bucket} is there; {error.why}", error.remedy)
    granting = next((key for key in keys if any(one.bucket == target.bucket for one in key.grants)), None)
    if granting is None:
        why = f"{target.bucket} is there, and no key of this account has a grant on it"
        return BucketState(target, Standing.REFUSED, why)
    why = f"{target.bucket} is this account's: its key {granting.name} has a grant on it"
    return BucketState(target, Standing.OURS, why)
