"""The way to an endpoint as it was found from one side: name, connection, TLS, clock, large packets. Pure."""

import re
from collections.abc import Sequence

from walconsole.domain.records import record

_OF_TLS = re.compile(r"\bSSL|\bTLS|certificate", re.IGNORECASE)
SLOW_S = 2.0
SKEW_S = 60.0
"""S3 refuses at 15 minutes; a clock that is a minute off is on its way there."""


@record
class Reach:
    """What one side found out about HOST:PORT.

    Seconds are of the name's resolution, the TCP connection and the TLS handshake, each by itself; None
    where it did not come to that, or could not be looked at. `problem` is in which stage it failed and how;
    `skew_s` is the store's clock less this side's. `large` tells whether a packet of the interface's whole
    MTU went through, None where nothing answered pings at all. `missing` says what could not be looked at.
    """

    host: str
    addresses: tuple[str, ...] = ()
    name_s: float | None = None
    connect_s: float | None = None
    tls_s: float | None = None
    status: int | None = None
    skew_s: float | None = None
    mtu: int | None = None
    large: bool | None = None
    problem: str = ""
    missing: tuple[str, ...] = ()


def lines(side: str, reach: Reach) -> tuple[str, ...]:
    """What was found, a line for each stage."""
    told = [f"{side}: {reach.host} is {', '.join(reach.addresses) or 'not resolved'}{_took(reach.name_s)}"]
    stages = [f"TCP{_took(reach.connect_s)}"] if reach.connect_s is not None else []
    stages += [f"TLS{_took(reach.tls_s)}"] if reach.tls_s is not None else []
    stages += [f"HTTP {reach.status}"] if reach.status is not None else []
    stages += [f"its clock {reach.skew_s:+.0f} s"] if reach.skew_s is not None else []
    if stages:
        told.append(f"{side}: " + ", ".join(stages))
    if reach.mtu is not None:
        large = "" if reach.large is None and reach.missing else f", {_LARGE[reach.large]}"
        told.append(f"{side}: MTU {reach.mtu}{large}")
    told += [f"{side}: not looked at: {text}" for text in reach.missing]
    if reach.problem:
        told.append(f"{side}: {reach.problem}")
    return tuple(told)


def _took(seconds: float | None) -> str:
    return "" if seconds is None else f" in {seconds * 1000:.0f} ms"


_LARGE = {
    True: "a packet that large went through",
    False: "a packet that large did not go through, a small one did",
    None: "whether a packet that large goes through was not told (no answer to pings)",
}


def judge(droplet: Reach, here: Reach | None) -> tuple[str, str]:
    """What is wrong with the droplet's way to the endpoint, and what to do; empty where nothing is."""
    if droplet.problem:
        elsewhere = "" if here is None or here.problem else "; from here it is reached"
        return f"{droplet.host}: {droplet.problem}{elsewhere}", _remedy(droplet)
    if droplet.large is False:
        return (
            f"{droplet.host}: packets of the interface's whole MTU ({droplet.mtu}) do not get through",
            "uploads will hang: set the interface's MTU to the path's (tracepath HOST tells it)",
        )
    if droplet.skew_s is not None and abs(droplet.skew_s) > SKEW_S:
        return (
            f"the droplet's clock is {abs(droplet.skew_s):.0f} s {'slow' if droplet.skew_s > 0 else 'fast'}",
            "let it keep its time: timedatectl set-ntp true (S3 refuses at 15 minutes)",
        )
    slow = [
        f"{stage} takes {seconds:.1f} s"
        for stage, seconds in (
            ("the name", droplet.name_s),
            ("TCP", droplet.connect_s),
            ("TLS", droplet.tls_s),
        )
        if seconds is not None and seconds > SLOW_S
    ]
    if slow:
        return f"{droplet.host}: {', '.join(slow)}", "look at the resolver and at the network's losses"
    return "", ""


def _remedy(reach: Reach) -> str:
    if not reach.addresses:
        return "check the endpoint's name in rclone's configuration, and /etc/resolv.conf on the droplet"
    shaking = _OF_TLS.search(reach.problem) is not None  # curl tells no time of the connection then
    if reach.connect_s is None and not shaking:
        return "check the port and a firewall on the way (ufw, nftables, a cloud firewall's outbound rules)"
    if reach.tls_s is None:
        return "check the droplet's CA certificates (update-ca-certificates), its clock, a proxy on the way"
    return "look what answers there: it does not answer as S3 does"


def skew(date_s: float | None, asked_at: float, answered_at: float) -> float | None:
    """The store's clock less ours. Its Date has whole seconds: less than one apart is not apart."""
    if date_s is None:
        return None
    if asked_at - 1.0 <= date_s <= answered_at:
        return 0.0
    return date_s - answered_at if date_s > answered_at else date_s + 1.0 - asked_at


def addresses(texts: Sequence[str]) -> tuple[str, ...]:
    """Each once, in order."""
    return tuple(dict.fromkeys(texts))
