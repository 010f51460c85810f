"""Ports and conditions to wait for."""

import random
import socket
import time
from collections.abc import Callable

LOOPBACK = "127.0.0.1"
_RANGE = range(18000, 32000)
"""Below Linux's range for outgoing connections, so that nobody takes a port while its server is stopped."""

_random = random.SystemRandom()
_given: set[int] = set()


def free_port() -> int:
    """A port on loopback that nobody listens on, and that was not given out before by this process."""
    for port in _random.sample(_RANGE, 200):
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError(f"no free port between {_RANGE.start} and {_RANGE.stop}")


def answers(port: int) -> bool:
    """Whether something accepts a connection on loopback's `port`."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def wait_until(
    condition: Callable[[], bool], what: str, timeout_s: float = 15.0, every_s: float = 0.01
) -> None:
    """Return when `condition` holds; raises TimeoutError naming `what` otherwise."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s:g} s")
        time.sleep(every_s)
