"""What the server said when it refused a connection, read from its own bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from walconsole.adapters.postgres.errors import ServerError, first_error


def message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


ERROR = message(b"E", b"SFATAL\0VFATAL\0C3D000\0Mno \xff such\0Fx.c\0L1\0RInitPostgres\0\0")
EXPECTED = ServerError("3D000", "no \ufffd such", "InitPostgres")


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (ERROR, EXPECTED),
        (b"N" + ERROR, EXPECTED),
        (message(b"R", b"\0\0\0\x0a") + ERROR + ERROR, EXPECTED),
        (b"", None),
        (b"N", None),
        (ERROR[:4], None),
        (message(b"R", b"\0\0\0\0") + message(b"Z", b"I"), None),
        (b"E\0\0\0\0", None),
        (message(b"E", b"\0"), ServerError("", "", "")),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", None),
    ],
)
def test_first_error(received: bytes, expected: ServerError | None) -> None:
    assert first_error(received) == expected


@given(st.binary(max_size=300))
def test_anything_may_come(received: bytes) -> None:
    first_error(received)
    first_error(ERROR + received)
