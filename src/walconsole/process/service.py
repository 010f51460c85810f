"""What a service tells systemd (sd_notify(3)): a datagram to the socket that it names."""

import os
import socket
from collections.abc import Mapping


def notify(environment: Mapping[str, str], *told: str) -> bool:
    """Tell it `READY=1`, `STATUS=…`, `WATCHDOG=1`, `STOPPING=1`; whether there was anybody to tell."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    place = f"\0{address[1:]}" if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)  # a manager that reads nothing holds up no watch
            sender.sendto("\n".join(told).encode("utf-8", "replace"), place)
    except OSError:
        return False
    return True


def watchdog_s(environment: Mapping[str, str]) -> float | None:
    """How often it wants to hear that this process lives, half of its limit; None where it does not."""
    limit, whose = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not limit.isdecimal() or int(limit) == 0 or (whose and whose != str(os.getpid())):
        return None
    return int(limit) / 2_000_000
