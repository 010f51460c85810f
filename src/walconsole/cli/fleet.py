"""`walconsole fleet`: the list of many clusters."""

from argparse import ArgumentParser, Namespace

from walconsole.cli.opening import open_fleet, server_sessions
from walconsole.cli.options import add_targets
from walconsole.process.stop import Stop

ABOUT = """\
Many clusters in one list, the worst first: verdict, recovery point, what can be restored, the last base
backup and drill, what waits, when the disk is full. Without a name every profile of the configuration file.
Enter opens a cluster's console, Esc comes back.
"""


def declare(command: str, parser: ArgumentParser) -> None:
    """Its arguments."""
    parser.description = ABOUT
    add_targets(parser)


def start(options: Namespace, stop: Stop) -> int:
    """Open it; the exit code. Raises WalconsoleError."""
    return open_fleet(server_sessions(options), stop)
