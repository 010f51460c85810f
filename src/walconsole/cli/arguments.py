"""What may stand on the command line, and its help."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from walconsole import __version__
from walconsole.cli import checking, provisioning
from walconsole.config import checks
from walconsole.errors import EXIT_CODES

COMMANDS = ("demo", "config", "provision", "undo", "fix", "probe", "check", "report", "explain")

_ABOUT = """\
The operator's console for PostgreSQL continuous archiving: whether a point-in-time recovery
would work right now, how much would be lost, why, and what to do.
"""
_MORE = """\
commands:
  walconsole demo        the console on an embedded droplet, for trying it out
  walconsole config      the configuration file: init, path, check, show
  walconsole provision   set continuous archiving up, by a screen or without one
  walconsole undo        take back what `provision` and `fix` changed
  walconsole fix         make one fix that a finding offers
  walconsole probe       dig deeper: the way to the store, call by call, the archive command by hand
  walconsole check       look once, say it in a line, JSON or metrics; exit 0 to 3 as plugins do
  walconsole report      the incident report, for a post-mortem
  walconsole explain     a failure mode: what it means, how to see it, what to do
                         (each has its own --help)

environment:
  DEPLOY_HOST, PRIMARY_REGION, DR_REGION, PROD_RW_KEY_NAME, WAL_BUCKET, WAL_DR_BUCKET
                         the deployment; they stand above the profile
  DIGITALOCEAN_TOKEN, DIGITALOCEAN_ACCESS_TOKEN
                         the API token, else doctl's own configuration
  NO_COLOR, TERM, COLORTERM, XDG_CONFIG_HOME, XDG_STATE_HOME
                         as usual
"""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments; `command` is `open` or one of COMMANDS. Ends the program for --help and for errors."""
    rest = list(arguments)
    command = _command_in(rest)
    if command is not None:
        rest.remove(command)
    parser = _PARSERS[command]()
    return parser.parse_args(rest, argparse.Namespace(command=command or "open"))


def _command_in(arguments: Sequence[str]) -> str | None:
    """The command, when the first argument that is neither an option nor an option's value is one."""
    options = {
        "--config", "--theme", "--interval", "--log-file", "--name", "--scenario", "--load", "--confirm",
        "--confirm-replace", "--compression", "--archive-timeout", "--output", "--timeout", "--format",
        "--step", "--subject", "--only",
    }  # fmt: skip
    is_value = False
    for argument in arguments:
        if is_value or argument.startswith("-"):
            is_value = not is_value and argument in options
            continue
        return argument if argument in COMMANDS else None
    return None


def _parser(
    program: str, about: str, more: str, kind: type[argparse.ArgumentParser] = argparse.ArgumentParser
) -> argparse.ArgumentParser:
    parser = kind(
        program,
        description=about,
        epilog=f"{more}\n{_exit_codes()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"walconsole {__version__}")
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="the configuration file (`walconsole config path`)"
    )
    return parser


def _exit_codes() -> str:
    lines = [f"  {code:<7} {meaning}" for code, meaning in EXIT_CODES.items()]
    signals = "  128+N   ended by signal N (129 hang-up, 130 Ctrl-C, 143 TERM)"
    unreached = "The console itself never ends with 4 to 7: it keeps trying, and ends with 0 when it is left."
    return "\n".join(["exit codes:", *lines, signals, unreached])


def _add_console_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--theme", metavar="NAME", help="the theme to begin with")
    parser.add_argument(
        "--interval",
        metavar="SECONDS",
        type=_option(lambda text: checks.between(0.25, 16, "seconds")(_number(text))),
        help="seconds between two readings of SQL, 0.25 to 16 (default 1); the rest follows",
    )
    parser.add_argument("--read-only", action="store_true", help="take away everything that changes anything")
    parser.add_argument("--log-file", metavar="FILE", type=Path, help="where messages and tracebacks go")


def _open_parser() -> argparse.ArgumentParser:
    parser = _parser("walconsole", _ABOUT, _MORE)
    parser.usage = (
        f"walconsole [PROFILE | [user@]host[:port]] [options]\n       walconsole {{{','.join(COMMANDS)}}} ..."
    )
    _add_target(parser)
    _add_console_options(parser)
    return parser


def _provision_parser() -> argparse.ArgumentParser:
    parser = _parser("walconsole provision", provisioning.PROVISION, "")
    _add_target(parser)
    provisioning.add_options(parser, undo=False)
    _add_console_options(parser)
    return parser


def _undo_parser() -> argparse.ArgumentParser:
    parser = _parser("walconsole undo", provisioning.UNDO, "")
    _add_target(parser)
    provisioning.add_options(parser, undo=True)
    _add_console_options(parser)
    return parser


def _fix_parser() -> argparse.ArgumentParser:
    parser = _parser("walconsole fix", provisioning.FIX, "")
    _add_target(parser)
    provisioning.add_fix_options(parser)
    _add_console_options(parser)
    return parser


def _probe_parser() -> argparse.ArgumentParser:
    parser = _parser("walconsole probe", provisioning.PROBE, "")
    _add_target(parser)
    provisioning.add_probe_options(parser)
    _add_console_options(parser)
    return parser


def _check_parser() -> argparse.ArgumentParser:
    parser = _parser("walconsole check", checking.CHECK, checking.CODES, kind=checking.PluginParser)
    _add_target(parser)
    checking.add_check_options(parser)
    return parser


def _report_parser() -> argparse.ArgumentParser:
    parser = _parser("walconsole report", checking.REPORT, checking.CODES, kind=checking.PluginParser)
    _add_target(parser)
    checking.add_report_options(parser)
    return parser


def _explain_parser() -> argparse.ArgumentParser:
    parser = _parser("walconsole explain", "Prints the page of a failure mode, or lists them all.", "")
    parser.add_argument("rule", nargs="?", metavar="ID", help="as findings name it, `key-403`")
    return parser


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target",
        nargs="?",
        metavar="PROFILE | [user@]host[:port]",
        help="a profile of the configuration file, else a host ([::1]:22 for IPv6 with a port);"
        " without it DEPLOY_HOST or the default profile",
    )
    parser.add_argument(
        "--name",
        type=_option(checks.short_name),
        help="the short name that the defaults come from: buckets NAME-wal, NAME-wal-dr and so on"
        " (default: the profile's name, else the host's first label)",
    )


def _demo_parser() -> argparse.ArgumentParser:
    from walconsole.sandbox.scenario import EVERY_SCENARIO, PRACTICE, SCENARIOS

    states = [f"  {one.name:<9} {one.summary}" for one in SCENARIOS.values()]
    failures = [f"  {one.name:<25} {one.summary}" for one in PRACTICE.values()]
    scenarios = "\n".join(
        ["scenarios:", *states, "one failure mode each, to practise triage (key i):", *failures]
    )
    about = "The console on an embedded droplet: a real PostgreSQL, SSH server and S3, loopback only."
    parser = _parser("walconsole demo", about, f"{scenarios}\n")
    parser.add_argument(
        "--scenario", choices=EVERY_SCENARIO, default="incident", metavar="NAME", help="default: incident"
    )
    parser.add_argument(
        "--load",
        metavar="N",
        type=_option(lambda text: checks.between(0, 600, "segments a minute")(_number(text))),
        help="WAL segments written a minute, 0 to 600 (default: the scenario's own)",
    )
    parser.add_argument(
        "--serve", action="store_true", help="no console: say how to connect, and run until Ctrl-C"
    )
    _add_console_options(parser)
    return parser


def _config_parser() -> argparse.ArgumentParser:
    actions = """\
actions:
  init    write a commented example; never overwrites
  path    print where the configuration file is
  check   say with line numbers what is wrong in it
  show    print every value that holds for a profile or host, and where it comes from
"""
    parser = _parser("walconsole config", "The configuration file.", actions)
    parser.add_argument("action", choices=("init", "path", "check", "show"))
    parser.add_argument("target", nargs="?", metavar="PROFILE | HOST", help="for show")
    return parser


_PARSERS: dict[str | None, Callable[[], argparse.ArgumentParser]] = {
    None: _open_parser,
    "demo": _demo_parser,
    "config": _config_parser,
    "provision": _provision_parser,
    "undo": _undo_parser,
    "fix": _fix_parser,
    "probe": _probe_parser,
    "check": _check_parser,
    "report": _report_parser,
    "explain": _explain_parser,
}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise checks.UnfitError(f"must be a number, not {checks.shown(text)}") from None


def _option(check: Callable[[str], object]) -> Callable[[str], object]:
    """A check as argparse wants it."""

    def convert(text: str) -> object:
        try:
            return check(text)
        except checks.UnfitError as unfit:
            raise argparse.ArgumentTypeError(str(unfit)) from None

    return convert
