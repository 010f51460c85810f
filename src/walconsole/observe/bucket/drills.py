"""What restore drills left in a bucket: their place listed with every check, each result read once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from walconsole.domain.recovery.backups import Unreadable
from walconsole.domain.recovery.drill_result import DRILLS, LONGEST_BYTES, DrillResult, drill_id, read_drill
from walconsole.domain.redaction import safe
from walconsole.domain.store.answers import PASSING
from walconsole.errors import ObjectStoreError
from walconsole.ports import ObjectStore

NEWEST_READ = 24
PAGES_LISTED = 8
"""Of 1000 keys: 150 years of a drill a week."""


@dataclass(slots=True)
class KnownDrills:
    """What was read. `found` is None before that, and the same tuple while nothing has changed.

    `read` is by key (relative), each with what tells one object under it from another.
    """

    found: tuple[DrillResult | Unreadable, ...] | None = None
    read: dict[str, tuple[object, DrillResult | Unreadable]] = field(default_factory=dict)


async def read_drills(known: KnownDrills, prefix: str, store: ObjectStore, *, empty: bool = False) -> None:
    """List and read what is new. `empty`: no WAL lies below the prefix, and nothing is asked.

    Raises what the store does where it fails itself.
    """
    listed = {} if empty else await _listed(prefix, store)
    newest = dict(sorted(listed.items())[-NEWEST_READ:])
    due = [key for key, stamp in newest.items() if key not in known.read or known.read[key][0] != stamp]
    results = await asyncio.gather(*(_result(key, prefix, store) for key in due))
    read = {key: each for key, each in known.read.items() if key in newest}
    read |= {key: (newest[key], result) for key, result in zip(due, results, strict=True)}
    known.read = {key: read[key] for key in sorted(read)}
    found = tuple(result for _, result in known.read.values())
    if found != known.found:
        known.found = found


async def _listed(prefix: str, store: ObjectStore) -> dict[str, object]:
    """Results by key (relative), each with what tells its object from another."""
    found: dict[str, object] = {}
    place = start_after = f"{prefix}{DRILLS}"
    for _ in range(PAGES_LISTED):
        page = await store.page(start_after=start_after)
        keys: Sequence[str] = page.objects.keys
        for at, key in enumerate(keys):
            if key.startswith(place) and drill_id(key[len(prefix) :]) is not None:
                stored = page.objects[at]
                found[key[len(prefix) :]] = (stored.size, stored.etag or stored.modified_at)
        if not page.truncated or not keys or not keys[-1].startswith(place) or keys[-1] <= start_after:
            break
        start_after = keys[-1]
    return found


async def _result(key: str, prefix: str, store: ObjectStore) -> DrillResult | Unreadable:
    try:
        content = await store.read(prefix + key, LONGEST_BYTES + 1)
    except ObjectStoreError as error:
        if error.meaning in PASSING:
            raise
        return Unreadable(safe(key), safe(error.why))
    return read_drill(key, content.body)
