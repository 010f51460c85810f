"""The options that several commands share."""

import argparse
from collections.abc import Callable
from pathlib import Path

from walconsole import __version__
from walconsole.cli.table import Takes
from walconsole.config import checks
from walconsole.domain.profile import Profile, SshTarget
from walconsole.errors import UsageError

HERE = "here"
"""The droplet itself, where the profile names another host."""

DEFAULTS = {
    "config": None,
    "name": None,
    "cluster": None,
    "target": None,
    "targets": (),
    "hosts": None,
    "tag": (),
    "all": False,
    "theme": None,
    "interval": None,
    "read_only": False,
    "log_file": None,
}
"""What holds where an option is not given, or a command does not take it."""


def shared(takes: Takes) -> argparse.ArgumentParser:
    """A parent for the parsers of a command and of what stands before it.

    It sets nothing that was not given, so that neither of the two overrules the other with a default.
    """
    parser = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    parser.add_argument("--version", action="version", version=f"walconsole {__version__}")
    add_shared(parser, takes)
    return parser


def add_shared(parser: argparse.ArgumentParser, takes: Takes) -> list[argparse.Action]:
    """--config, and what belongs to `takes`; the options themselves."""
    add = parser.add_argument
    added = [
        add("--config", metavar="FILE", type=Path, help="the configuration file (`walconsole config path`)")
    ]
    if Takes.SERVER in takes:
        added += [_add_name(parser), _add_cluster(parser)]
    if Takes.SCREEN in takes:
        added += _add_screen(parser)
    if Takes.LOG in takes:
        added.append(
            add("--log-file", metavar="FILE", type=Path, help="where messages and tracebacks go"),
        )
    return added


def _add_name(parser: argparse.ArgumentParser) -> argparse.Action:
    return parser.add_argument(
        "--name",
        type=checked(checks.short_name),
        help="the short name that the defaults come from: buckets NAME-wal, NAME-wal-dr and so on"
        " (default: the profile's name, else the host's first label)",
    )


def _add_cluster(parser: argparse.ArgumentParser) -> argparse.Action:
    return parser.add_argument(
        "--cluster",
        metavar="VERSION/NAME",
        type=checked(checks.cluster_or_port),
        help="the cluster on a host that has several, as pg_lsclusters shows it: 15/main; or the port of one"
        " that it does not list (default: the profile's, else the only one)",
    )


def _add_screen(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    add = parser.add_argument
    return [
        add("--theme", metavar="NAME", help="the theme to begin with"),
        add(
            "--interval",
            metavar="SECONDS",
            type=checked(lambda text: checks.between(0.25, 16, "seconds")(number(text))),
            help="seconds between two readings of SQL, 0.25 to 16 (default 1); the rest follows",
        ),
        add("--read-only", action="store_true", help="take away everything that changes anything"),
    ]


def add_target(parser: argparse.ArgumentParser) -> None:
    """Which server."""
    parser.add_argument(
        "target",
        nargs="?",
        metavar="PROFILE | [user@]host[:port]",
        default=argparse.SUPPRESS,
        help="a profile of the configuration file, else a host ([::1]:22 for IPv6 with a port);"
        " without it DEPLOY_HOST or the default profile",
    )


def add_on(parser: argparse.ArgumentParser, *, undo: bool = False) -> None:
    """On which host a drill or a recovery is made, or what they changed is taken back (`undo`)."""
    made = "make it on another host; here: on the droplet (default: the profile's recovery.host, or here)"
    undone = "what a drill or a recovery changed on another host (default: on the profile's own)"
    parser.add_argument("--on", metavar="[user@]host[:port]|here", default="", help=undone if undo else made)


def other_host(given: str, profile: Profile) -> SshTarget | None:
    """What --on names, else the profile; None for the droplet itself. Raises UsageError."""
    if not given:
        return profile.spare
    if given == HERE:
        return None
    try:
        return profile.ssh.instead(checks.destination(given))
    except checks.UnfitError as unfit:
        raise UsageError("reading --on", f"the destination {unfit}", "write [user@]host[:port]") from None


def add_targets(parser: argparse.ArgumentParser, *, many: bool = True) -> None:
    """Which servers; `many` adds the other ways to name them."""
    parser.add_argument(
        "targets",
        nargs="*",
        metavar="PROFILE | [user@]host[:port]",
        default=argparse.SUPPRESS,
        help="profiles of the configuration file, else hosts ([::1]:22 for IPv6 with a port), or patterns of"
        " them ('db-*'); without any DEPLOY_HOST or the default profile",
    )
    if not many:
        return
    parser.add_argument("--all", action="store_true", default=argparse.SUPPRESS, help="every profile")
    parser.add_argument(
        "--hosts",
        metavar="FILE",
        type=Path,
        default=argparse.SUPPRESS,
        help="those that the file lists: a profile or a host a line, # begins a comment",
    )
    parser.add_argument(
        "--tag",
        action="append",
        default=argparse.SUPPRESS,
        help="of them those with this tag in their profile; several: any of them",
    )


def number(text: str) -> float:
    """Raises UnfitError."""
    try:
        return float(text)
    except ValueError:
        raise checks.UnfitError(f"must be a number, not {checks.shown(text)}") from None


def checked(check: Callable[[str], object]) -> Callable[[str], object]:
    """A check as argparse wants it."""

    def convert(text: str) -> object:
        try:
            return check(text)
        except checks.UnfitError as unfit:
            raise argparse.ArgumentTypeError(str(unfit)) from None

    return convert
