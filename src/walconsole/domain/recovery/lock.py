"""The lock that lies in a copy while somebody deletes from it, or reads it for long: an object of its own.

Whoever wants it reads that none lies in any copy, writes one into each, and reads it back; of two who do so
at once the last to write has it, and the other finds that before it does anything. It runs out by itself.
"""

import json
import math
import re
from datetime import UTC, datetime

from walconsole.domain.records import record
from walconsole.domain.recovery.doubts import Lock
from walconsole.domain.recovery.hostile import RefusedError, field, json_object, text_of, words

LOCK_KEY = "walconsole/lock.json"
"""Below the profile's prefix, where neither WAL nor base backups lie."""
LOCK_S = 900.0
"""For so long a lock holds that nobody renews."""
LONGEST_LOCK_S = 2 * 86_400.0
"""One that says it holds longer was written by a clock that is wrong, or by nobody of ours."""
LONGEST_BYTES = 4096
_NONCE = re.compile(r"[0-9a-f]{32}", re.ASCII)


@record
class LockMarker:
    """`owner` is who took it (user@host), `purpose` what for, `until` when it runs out (seconds since the
    epoch), `nonce` 32 hexadecimal digits that nobody else has.
    """

    owner: str
    purpose: str
    until: float
    nonce: str

    def document(self) -> bytes:
        """The object's content."""
        told = {
            "format": 1,
            "owner": self.owner,
            "purpose": self.purpose,
            "until": self.until,
            "nonce": self.nonce,
        }
        return f"{json.dumps(told)}\n".encode()


def read_lock(content: bytes) -> LockMarker:
    """What a copy's lock says. Raises RefusedError where it is none of ours: then nobody knows what holds."""
    told = json_object(text_of(content, LONGEST_BYTES))
    nonce = field(told, "nonce", str)
    if not _NONCE.fullmatch(nonce):
        raise RefusedError("its 'nonce' is wrong")
    until = told.get("until")
    if isinstance(until, bool) or not isinstance(until, int | float) or not math.isfinite(until):
        raise RefusedError("its 'until' is wrong")
    return LockMarker(words(told, "owner"), words(told, "purpose"), float(until), nonce)


def held(content: bytes, where: str, now: float) -> Lock:
    """The lock as a plan sees it; `where` is the bucket. One that cannot be read holds for ever."""
    try:
        marker = read_lock(content)
    except RefusedError as refused:
        return Lock(f"{LOCK_KEY} in {where}, which cannot be read ({refused})", math.inf)
    if marker.until > now + LONGEST_LOCK_S:
        return Lock(
            f"{marker.purpose} by {marker.owner}, in {where}, until a day that no clock says", math.inf
        )
    until = datetime.fromtimestamp(marker.until, UTC)
    text = f"{marker.purpose} by {marker.owner}, in {where}, until {until:%Y-%m-%d %H:%M:%SZ}"
    return Lock(text, marker.until)
