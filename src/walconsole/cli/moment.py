"""`walconsole moment`: its arguments, and what is made of them."""

import argparse

from walconsole.cli.opening import server_session
from walconsole.cli.options import add_target
from walconsole.domain.moments.asking import read_span
from walconsole.domain.moments.span import MOST_SEGMENTS
from walconsole.domain.wal import parse_lsn
from walconsole.process.stop import Stop

ABOUT = """\
Finds the moment to go back to: what was dropped, truncated, rewritten, deleted or updated around a time, by
the archived WAL, with the target of a recovery to just before it, what would be lost, and the commands. The
WAL is brought into a private folder on the droplet and read there by pg_waldump; the folder goes at the end,
and nothing of production is changed. Without --confirm it says how much that takes, and ends with 11.
"""
EPILOG = """\
times:
  2026-11-29T14:02:00Z, "2026-11-29 14:02", 14:02 (today's or yesterday's): without a zone in UTC
"""
MOST_ASKED = 4096


def declare(command: str, parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.description, parser.epilog = ABOUT, EPILOG
    add_target(parser)
    add = parser.add_argument
    add("--around", metavar="TIME", required=True, help="about when it happened")
    add(
        "--within",
        metavar="SPAN",
        type=_span,
        default=600.0,
        help="how far before and after (default 10min; 90s, 2h)",
    )
    add(
        "--table",
        metavar="NAME",
        default="",
        help="events about it alone: a part of a name, an OID, an xid, a word",
    )
    add(
        "--all", dest="everything", action="store_true", help="list inserts, checkpoints and the like as well"
    )
    add(
        "--event",
        metavar="LSN",
        type=_lsn,
        help="answer for the event at that place (default: the newest of the worst)",
    )
    add("--with", dest="keeping", action="store_true", help="go back to just after it, not to just before")
    add(
        "--segments",
        metavar="COUNT",
        type=_count,
        default=MOST_SEGMENTS,
        help=f"read at most so many (default {MOST_SEGMENTS})",
    )
    agreed = "the profile as typed, or its `name`: yes to the room that it takes"
    add("--confirm", metavar="NAME", default="", help=agreed)
    add("--json", action="store_true", help="a JSON document")


def start(options: argparse.Namespace, stop: Stop) -> int:
    """The exit code. Raises WalconsoleError."""
    session = server_session(options)
    from walconsole.session.moment import MomentWish, find_moment  # with the facts: not for --help

    wish = MomentWish(
        around=options.around,
        within_s=options.within,
        about=options.table,
        everything=options.everything,
        event=options.event,
        keeping=options.keeping,
        most=options.segments,
        confirm=options.confirm,
        json=options.json,
    )
    return find_moment(session, wish, stop)


def _span(text: str) -> float:
    try:
        return read_span(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _lsn(text: str) -> int:
    try:
        return parse_lsn(text)
    except ValueError:
        raise argparse.ArgumentTypeError("write a place in the WAL as 0/203A4D0") from None


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_ASKED:
        raise argparse.ArgumentTypeError(f"must be 1 to {MOST_ASKED}")
    return int(text)
