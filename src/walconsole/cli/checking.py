"""`walconsole check` and `walconsole report`: their arguments, and what is made of them."""

import argparse
from collections.abc import Callable
from pathlib import Path

from walconsole.cli.opening import means_several, server_session, server_sessions
from walconsole.cli.options import add_target, add_targets
from walconsole.errors import PLUGIN_UNKNOWN, WalconsoleError
from walconsole.process.garbage import collect_nothing
from walconsole.process.stderr import say
from walconsole.process.stop import Stop
from walconsole.session.wish import Session

CHECK = """\
Looks once at everything the console looks at, and says what it says: archiving works, or not, and why.
It changes nothing, asks nothing, and needs one SSH connection. For cron, monitoring plugins and Prometheus.
Of several it says a line each, the worst first, and ends as the worst does.
"""
REPORT = """\
Looks once and writes the incident report: the causes with their evidence, what is at risk, what to do, and
a time line. Redacted: it can be pasted into a post-mortem.
"""
LONGEST_LIMIT_S = 600.0


def declare(command: str, parser: argparse.ArgumentParser) -> None:
    """The arguments of the two commands."""
    parser.description = CHECK if command == "check" else REPORT
    (add_targets if command == "check" else add_target)(parser)
    (add_check_options if command == "check" else add_report_options)(parser)


def start(options: argparse.Namespace, stop: Stop) -> int:
    """The exit code, as monitoring plugins have them."""
    collect_nothing()  # until all is imported that looks: `wiring` collects again
    if means_several(options):
        return as_plugin(lambda: _run_several(options, stop))
    return as_plugin(lambda: run(options, server_session(options), stop))


def _run_several(options: argparse.Namespace, stop: Stop) -> int:
    sessions = server_sessions(options)
    from walconsole.session.check import CheckWish, Format, check_several

    return check_several(sessions, CheckWish(Format(options.format), options.output, options.timeout), stop)


def add_check_options(parser: argparse.ArgumentParser) -> None:
    """What `check` takes."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", dest="format", action="store_const", const="json", help="a JSON document")
    form.add_argument(
        "--prometheus",
        dest="format",
        action="store_const",
        const="prometheus",
        help="metrics for node_exporter's textfile collector",
    )
    form.add_argument(
        "--nagios", dest="format", action="store_const", const="nagios", help="one line with performance data"
    )
    form.add_argument(
        "--verbose",
        dest="format",
        action="store_const",
        const="verbose",
        help="the findings below the verdict",
    )
    parser.set_defaults(format="people")
    _add_common(parser)


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """What `report` takes."""
    parser.add_argument(
        "--format", choices=("md", "json"), default="md", help="Markdown (default), or a JSON document"
    )
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", metavar="FILE", type=Path, help="write it there, all at once")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=10.0,
        help="after this long it says what it has not seen (default 10)",
    )
    parser.set_defaults(theme=None, interval=None, read_only=True)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= LONGEST_LIMIT_S:
        raise argparse.ArgumentTypeError(f"must be 0.1 to {LONGEST_LIMIT_S:g} seconds, not {text!r}")
    return value


def as_plugin(run: Callable[[], int]) -> int:
    """Its exit code; 3 for an error, after its line."""
    try:
        return run()
    except WalconsoleError as error:
        say(error.line())
        return PLUGIN_UNKNOWN


def run(options: argparse.Namespace, session: Session, stop: Stop) -> int:
    """The exit code. Raises WalconsoleError."""
    from walconsole.session.check import CheckWish, Format, check

    form = Format(options.format)
    if options.command == "report":
        form = Format.REPORT_JSON if form is Format.JSON else Format.REPORT
    return check(session, CheckWish(form, options.output, options.timeout), stop)
