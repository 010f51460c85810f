"""`walconsole record` and `walconsole replay`."""

import argparse
import sys
from pathlib import Path

from walconsole.cli.opening import config_file, open_replay, server_session
from walconsole.cli.options import add_target
from walconsole.domain.moments.asking import read_span
from walconsole.process.stop import Stop

RECORD = """\
Writes what is kept of a cluster's past into one file, for somebody else to look at: every screen as it was,
by what the console or a watcher kept. Texts are redacted; names of hosts and buckets, settings and the log's
lines about archiving are in it. Nothing is connected.
"""
REPLAY = """\
Plays a recording on the console's screens: what `walconsole record` wrote, or `e` on the triage screen.
Nothing is connected, nothing can be done, and every screen says that it is a recording.
"""


def declare(command: str, parser: argparse.ArgumentParser) -> None:
    """Their arguments."""
    if command == "replay":
        parser.description = REPLAY
        parser.add_argument("file", metavar="FILE", type=Path, help="the recording")
        return
    parser.description = RECORD
    add_target(parser)
    add = parser.add_argument
    add("file", metavar="FILE", type=Path, help="write it there; it must not be there yet")
    add(
        "--since",
        metavar="SPAN",
        type=_span,
        default=86_400.0,
        help="from how long ago (default 1d; 90s, 2h)",
    )
    add("--until", metavar="SPAN", type=_span, default=0.0, help="until how long ago (default: now)")
    parser.set_defaults(theme=None, interval=None, read_only=True)


def _span(text: str) -> float:
    try:
        return read_span(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def start(options: argparse.Namespace, stop: Stop) -> int:
    """The exit code. Raises WalconsoleError."""
    if options.command == "replay":
        return open_replay(options, config_file(options), stop)
    session = server_session(options)
    from walconsole.session.record import record

    sys.stdout.write(record(session, options.file, options.since, options.until) + "\n")
    return 0
