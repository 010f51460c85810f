"""`walconsole incidents`: its arguments, and what is made of them."""

import argparse
import os
import sys

from walconsole.process.stop import Stop

ABOUT = """\
What is remembered of incidents on this machine, over all clusters, the newest first: by consoles, checks and
watchers. With the name of one, its report as Markdown: as the screens were at its last bad look, where those
are kept, else what is remembered. Nothing is connected.
"""


def declare(command: str, parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.description = ABOUT
    parser.add_argument(
        "incident", nargs="?", metavar="INCIDENT", help="CLUSTER/TIME, as the list has it: its report"
    )
    parser.add_argument("--json", action="store_true", help="the list as a JSON document")


def start(options: argparse.Namespace, stop: Stop) -> int:
    """The exit code. Raises WalconsoleError."""
    from walconsole.session.incidents import listed, reported

    lines = (
        reported(os.environ, options.incident)
        if options.incident
        else listed(os.environ, as_json=options.json)
    )
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0
