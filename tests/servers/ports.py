"""Ports and conditions to wait for."""

import random
import socket
import time
from collections.abc import Callable

LOOPBACK = "127.0.0.1"
_RANGE = range(18000, 32000)
"""Below Linux's range for outgoing connections, so that nobody takes a port while its server is stopped."""

REST, LONGEST_REST_S = 4, 0.2
"""How many times as long as a look took wait_until rests after it, and how long at most."""

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
    """Return when `condition` holds; raises TimeoutError naming `what` otherwise.

    It is looked at every `every_s`, and what takes long more rarely: most look by a connection of their own,
    and should not keep the processor from what they wait for.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        began = time.monotonic()
        if condition():
            return
        looked = time.monotonic()
        if looked > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s:g} s")
        time.sleep(max(every_s, min(REST * (looked - began), LONGEST_REST_S)))
