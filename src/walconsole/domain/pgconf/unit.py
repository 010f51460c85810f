"""Whether the running server is in its systemd unit: by cgroup and main process, not by a unit's file.

A unit file says what would start a server. What does run may have been started beside it (`pg_ctlcluster
--skip-systemctl-redirect`, `pg_ctl` in a terminal): then systemd knows of nothing that runs, and its
`restart` starts a second server, which fails (systemd.unit(5), pg_ctlcluster(1)).
"""

import re
from collections.abc import Mapping

from walconsole.domain.records import record

_VISITORS = re.compile(r"(ssh|sshd|ssh@.*|sshd@.*|sshd-session.*|cron|crond|atd|anacron|dropbear.*)\.service")
"""Services in which people and jobs work: what they leave running there is not theirs (systemd.exec(5))."""
_NAME = re.compile(r"[A-Za-z0-9:_.@\\-]{1,255}\.(service|scope)")
_ASLEEP = frozenset({"inactive", "failed"})


@record
class UnitOfServer:
    """`name` is the unit that starts this server, empty where none does, with systemd's `state` of it.

    `holds` is whether the server that runs now is in it; None where none runs, or that could not be seen.
    `place` is the service or session in which it runs, empty where that is not known.
    """

    name: str
    state: str = ""
    holds: bool | None = None
    place: str = ""


def unit_of(units: Mapping[str, Mapping[str, str]], pid: int | None, cgroup: str) -> UnitOfServer:
    """From what `systemctl show` says of the units that may be the server's, likeliest last.

    `pid` is the postmaster's, None where none runs; `cgroup` is its /proc/PID/cgroup, empty where that could
    not be read.
    """
    place = _place(cgroup)
    by_process = [name for name, told in units.items() if pid and told.get("MainPID") == str(pid)]
    if by_process:
        return UnitOfServer(by_process[0], _state(units, by_process[0]), True, by_process[0])
    expected = tuple(units)[-1] if units else ""
    if pid is None:
        return UnitOfServer(expected, _state(units, expected))
    if place in units and not _VISITORS.fullmatch(place):
        return UnitOfServer(place, _state(units, place), True, place)
    told = units.get(expected, {})
    starts_it = told.get("LoadState") == "loaded"
    empty = told.get("MainPID") == "0"
    seen = bool(place) or (bool(cgroup) and told.get("ActiveState") in _ASLEEP)
    outside = starts_it and seen and empty and place != expected
    return UnitOfServer(expected, _state(units, expected), False if outside else None, place)


def _state(units: Mapping[str, Mapping[str, str]], name: str) -> str:
    return units.get(name, {}).get("ActiveState", "")


def _place(cgroup: str) -> str:
    """The last service or scope of systemd's own hierarchy: of `0::`, with cgroup v1 of `name=systemd`."""
    for line in cgroup.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if (number == "0" and not controllers) or controllers == "name=systemd":
            found = [part for part in path.split("/") if _NAME.fullmatch(part)]
            return found[-1] if found else ""
    return ""
