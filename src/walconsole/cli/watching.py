"""`walconsole watch`: its arguments, and what is made of them."""

import argparse
import os
from collections.abc import Mapping
from dataclasses import replace

from walconsole.cli.opening import config_file, session
from walconsole.cli.table import BY_NAME
from walconsole.config.choose import choose
from walconsole.process.stop import Stop
from walconsole.session.wish import Session

ABOUT = """\
Watches without a screen, for days: the console's observer, as a service. It never writes to a droplet and
asks nothing. It serves /metrics and /healthz on this machine, keeps what happens, and tells whom the profile
names ([profiles.NAME.notify]) when the verdict gets worse, once a day while it is bad, and when it is well.
"""
LISTEN = ("127.0.0.1", 9791)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def declare(command: str, parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.description = ABOUT
    add = parser.add_argument
    add(
        "profiles",
        nargs="*",
        metavar="PROFILE",
        help="profiles of the configuration file, or hosts; without any every profile, else DEPLOY_HOST",
    )
    add(
        "--listen",
        metavar="[HOST:]PORT",
        type=_listen,
        default=LISTEN,
        help="where /metrics and /healthz are served, on this machine alone, or none"
        f" (default {LISTEN[0]}:{LISTEN[1]})",
    )
    add(
        "--every",
        metavar="SECONDS",
        type=_every,
        default=5.0,
        help="seconds between two readings of SQL, 1 to 16 (default 5); the rest follows",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--test", action="store_true", help="tell a test by each way, say how it went, and end")
    what.add_argument(
        "--install", action="store_true", help="show a hardened systemd unit, ask, write it, and end"
    )
    add("--system", action="store_true", help="with --install: a unit of the system, with a user of its own")
    add("--plan", action="store_true", help="with --install: show it, and write nothing")
    add("--confirm", metavar="NAME", default="", help="with --install: the unit's name: yes to writing it")


def start(options: argparse.Namespace, stop: Stop) -> int:
    """The exit code. Raises WalconsoleError."""
    if options.install:
        from walconsole.session.watch_unit import UnitWish, install

        return install(
            UnitWish(tuple(options.profiles), options.config, options.system), options.plan, options.confirm
        )
    sessions = _sessions(options)
    from walconsole.session.watch import WatchWish, try_ways, watch  # with the facts: not for --help

    if options.test:
        return try_ways(sessions)
    return watch(sessions, WatchWish(options.listen, options.every), stop)


def _sessions(options: argparse.Namespace) -> list[Session]:
    """One for each profile that was named. Raises ConfigError, UsageError."""
    file = config_file(options)
    environment: Mapping[str, str] = dict(os.environ)
    named = options.profiles or list(file.profiles) or [None]
    resolved = [choose(target, file, environment, commands=tuple(BY_NAME)) for target in named]
    made = session(options, file, resolved[0].profile)
    return [
        replace(
            made,
            target=each.profile,
            called=each.fallback_name,
            read_only=True,
            notes=(*made.notes, *each.notes),
            resolved=each,
        )
        for each in resolved
    ]


def _listen(text: str) -> tuple[str, int] | None:
    if text == "none":
        return None
    host, _, port = text.rpartition(":")
    host = host.strip("[]") or LISTEN[0]
    if host not in _LOOPBACK:
        raise argparse.ArgumentTypeError(f"must be on this machine: {', '.join(_LOOPBACK)}, or none")
    if not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise argparse.ArgumentTypeError("must end in a port, 0 to 65535 (0: any that is free), or be none")
    return host, int(port)


def _every(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 16:
        raise argparse.ArgumentTypeError(f"must be 1 to 16 seconds, not {text!r}")
    return value
