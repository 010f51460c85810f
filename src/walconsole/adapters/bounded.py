"""Reading an answer's body, which need not be what was asked for: bounded in length and time, as it came."""

import time
from typing import Protocol

_PIECE_BYTES = 64 * 1024


class UnboundedError(ValueError):
    """A body that is longer, slower or other than any that was asked for; its text says which."""


class RawBody(Protocol):
    """What urllib3 has of an answer after its head."""

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes: ...

    def close(self) -> None: ...


def read_bounded(raw: RawBody, limit: int, within_s: float) -> bytes:
    """The whole body as it came. Raises UnboundedError beyond `limit` bytes or `within_s` seconds.

    What urllib3 raises is left to the caller. The connection is closed where the body is refused.
    """
    until = time.monotonic() + within_s
    body = bytearray()
    while piece := raw.read1(_PIECE_BYTES, decode_content=False):
        body += piece
        if len(body) > limit:
            raw.close()
            raise UnboundedError(f"the answer is longer than {limit} bytes")
        if time.monotonic() > until:
            raw.close()
            raise UnboundedError(f"the answer did not end within {within_s:g} s")
    return bytes(body)
