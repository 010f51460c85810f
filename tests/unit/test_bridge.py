"""The local end of a bridge: whoever connected to it learns its end, at whatever moment that comes."""

import asyncio
import socket
from pathlib import Path

import pytest

from walconsole.adapters.postgres.bridge import LOCAL_PORT, Bridge


def is_there(folder: Path) -> bool:
    return folder.exists()


@pytest.mark.parametrize("turns", range(8))
async def test_a_client_never_waits_for_a_bridge_that_is_gone(turns: int) -> None:
    """However far the loop has come with accepting it."""
    bridge = Bridge()
    folder = Path(await bridge.listen())
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        client.connect(str(folder / f".s.PGSQL.{LOCAL_PORT}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        bridge.close()
        try:
            said = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 1), 5.0)
        except ConnectionError:
            said = b""
    assert said == b""
    assert not is_there(folder)


async def test_a_bridge_that_was_refused_before_it_listens_takes_nobody() -> None:
    bridge = Bridge()
    bridge.close()
    folder = Path(await bridge.listen())
    assert not is_there(folder)
