"""`walconsole recover`: its arguments, and what is made of them."""

import argparse
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from walconsole.cli.opening import server_session
from walconsole.cli.options import HERE, add_on, add_target, other_host
from walconsole.domain.profile import Profile, SshTarget
from walconsole.domain.recovery.recover_asked import read_identity, read_timeline
from walconsole.domain.recovery.recover_plan import RecoveryWish
from walconsole.domain.recovery.recover_target import (
    IN_PLACE,
    RecoverTo,
    RecoveryPlace,
    RecoveryTarget,
    read_into,
    read_step,
    read_target,
)
from walconsole.droplet.choices import DropletChoices
from walconsole.errors import UsageError
from walconsole.process.stop import Stop

if TYPE_CHECKING:
    from walconsole.session.recovering import Part

ABOUT = """\
Recovers the cluster, phase by phase. --plan says which base backup, what it takes, what is lost, and what is
in the way; nothing is changed. --apply restores it beside the old files, replays to the target by a private
server, pauses there, and prints what --look and --count ask: nothing of it counts yet. From there: --step-to
a later target, --look-only, --dump a table or a database, --promote it to its end (in force, archived, backed
up), or --give-up: the old server again. Without any of these it says where a recovery stands. All that
changes anything needs --confirm. Interrupted anywhere, the same command goes on.
"""
EPILOG = """\
examples:
  walconsole recover shop --to '2026-11-28 14:02:00Z' --into 15/restored --plan
  walconsole recover shop --to-lsn 0/203A4D0 --in-place --count orders --apply --confirm shop
  walconsole recover shop --step-to '2026-11-28 14:05:00Z' --confirm shop
  walconsole recover shop --promote --confirm shop
  walconsole recover shop --on root@spare --to-latest --into 15/restored --plan
"""
_PART = r'(?:"(?:[^"\x00-\x1f]|"")+"|[\w$]+)'
_TABLE = re.compile(rf"(?=.{{1,200}}\Z){_PART}(?:\.{_PART}){{0,2}}")
"""A name as SQL has it: "My Orders", public.orders."""
_WHOLE = "database"
"""What --dump is given for all of it."""


def declare(command: str, parser: argparse.ArgumentParser) -> None:
    """The arguments."""
    parser.description, parser.epilog = ABOUT, EPILOG
    add_target(parser)
    _add_targets(parser)
    add_on(parser)
    _add_phases(parser)
    add = parser.add_argument
    add("--look", metavar="SQL", action="append", default=[], help="ask the paused server; may be repeated")
    add("--count", metavar="TABLE", action="append", default=[], help="count its rows there; may be repeated")
    add("--in-database", metavar="NAME", default="", help="for --look, --count and --dump (the profile's)")
    add("--confirm", metavar="NAME", default="", help="the profile's name: yes to every gate")
    add(
        "--confirm-replace",
        metavar="WHAT",
        action="append",
        default=[],
        help="yes to replacing a script that is not this console's; the plan names it",
    )
    add("--json", action="store_true", help="one JSON object a line instead of text")


class _Once(argparse.Action):
    """Of two targets in one line the last would win without a word."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        """Raises ArgumentError for the second one."""
        if getattr(namespace, self.dest) is not None:
            raise argparse.ArgumentError(self, "it is said twice")
        setattr(namespace, self.dest, values)


def _timeline(text: str) -> int:
    try:
        return read_timeline(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _add_targets(parser: argparse.ArgumentParser) -> None:
    target = parser.add_mutually_exclusive_group()
    target.add_argument(
        "--to", metavar="TIME", action=_Once, help="a time with its zone: '2026-11-28 14:02:00Z'"
    )
    target.add_argument(
        "--to-lsn", metavar="LSN", action=_Once, help="a place in the WAL (default: just before it)"
    )
    target.add_argument("--to-xid", metavar="XID", action=_Once, help="a transaction")
    target.add_argument("--to-name", metavar="NAME", action=_Once, help="a restore point")
    target.add_argument("--to-immediate", action="store_true", help="the end of the base backup")
    target.add_argument("--to-latest", action="store_true", help="all that is archived, and was kept")
    side = parser.add_mutually_exclusive_group()
    side.add_argument("--before", action="store_true", help="stop just before the target")
    side.add_argument("--through", action="store_true", help="replay what stands at the target, too")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--into",
        metavar="VERSION/NAME|/PATH",
        action=_Once,
        help="a new cluster beside the old one, or a data directory",
    )
    where.add_argument("--in-place", action="store_true", help="in its place: the old files are moved aside")
    parser.add_argument("--timeline", metavar="NUMBER", type=_timeline, help="the timeline (the server's)")
    parser.add_argument("--backup", metavar="ID", default="", help="the base backup to begin with")
    parser.add_argument(
        "--identity",
        metavar="PATH",
        default="",
        help="age's secret keys, a file on the host, to decrypt it (default: the profile's drills.identity)",
    )


def _add_phases(parser: argparse.ArgumentParser) -> None:
    plan = "print what would be done, and change nothing; also of what goes on: --promote --plan"
    parser.add_argument("--plan", action="store_true", help=plan)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--apply", action="store_true", help="restore, replay, pause at the target, look")
    what.add_argument(
        "--step-to", metavar="TARGET", action=_Once, help="a later time, LSN, xid, name, or latest"
    )
    what.add_argument("--look-only", action="store_true", help="ask the paused server once more")
    what.add_argument("--dump", metavar="TABLE|database", help="write a part of the paused copy into a file")
    what.add_argument("--promote", action="store_true", help="go on to the end with what was recovered")
    what.add_argument("--give-up", action="store_true", help="end it, and start the old server again")


def start(options: argparse.Namespace, stop: Stop) -> int:
    """The exit code. Raises WalconsoleError."""
    session = server_session(options)
    if not isinstance(session.target, Profile):
        raise UsageError("walconsole recover", "no server is named", "name a profile or a host")
    wish = asked_wish(options)
    part, applies = asked_part(options)
    from walconsole.session.provision import ProvisionWish, provision  # with the steps: not for --help
    from walconsole.session.recovering import RecoverAsked

    asked = RecoverAsked(
        part,
        wish,
        _later(options),
        tuple(options.look),
        tuple(options.count),
        options.in_database,
        "" if options.dump in (None, _WHOLE) else options.dump,
    )
    chosen = DropletChoices.for_profile(session.target)
    wanted = ProvisionWish(
        chosen,
        apply=applies,
        confirm=options.confirm,
        replace=tuple(options.confirm_replace),
        json=options.json,
        recover=asked,
        on=_on(options, session.target),
        on_told=bool(options.on),
    )
    return provision(session, wanted, stop)


def _on(options: argparse.Namespace, profile: Profile) -> SshTarget | None:
    """The other host, None for the droplet. Raises UsageError: in place is the droplet's."""
    on = other_host(options.on, profile)
    if options.in_place and options.on not in ("", HERE):
        why = "--in-place takes the old files' place, which are on the droplet"
        raise UsageError("walconsole recover", why, "say --into VERSION/NAME or /PATH with --on")
    return None if options.in_place else on


def asked_part(options: argparse.Namespace) -> "tuple[Part, bool]":
    """The phase that is asked for, and whether it is more than a plan. Raises UsageError for both."""
    if options.plan and options.apply:
        raise UsageError("walconsole recover", "--plan and --apply are two things", "say one of them")
    from walconsole.session.recovering import Part

    parts = {
        "apply": Part.TO_THE_PAUSE,
        "step_to": Part.FURTHER,
        "look_only": Part.LOOK,
        "dump": Part.DUMP,
        "promote": Part.ONWARDS,
        "give_up": Part.BACK,
    }
    return next(
        ((part, not options.plan) for name, part in parts.items() if getattr(options, name)),
        (Part.TO_THE_PAUSE, False),
    )


def asked_wish(options: argparse.Namespace) -> RecoveryWish | None:
    """What is asked for anew; None where what was begun is gone on with. Raises UsageError."""
    tables = tuple(options.count)
    for table in (*tables, *([options.dump] if options.dump else [])):
        if not _TABLE.fullmatch(table):
            raise UsageError("reading the name of a table", f"{table!r} is none", "write SCHEMA.TABLE")
    target, place = _target(options), _place(options)
    if target is None and place is None:
        return None
    if target is None or place is None:
        missing = (
            "where to: --to, --to-lsn, …"
            if target is None
            else "where: --into VERSION/NAME, /PATH, or --in-place"
        )
        raise UsageError("walconsole recover", "half of it is missing", f"say {missing}")
    try:
        identity = read_identity(options.identity)
    except ValueError as error:
        raise UsageError("reading --identity", f"{options.identity!r} is none", str(error)) from None
    looks = tuple(options.look)
    return RecoveryWish(target, place, options.backup, looks, tables, options.in_database, identity)


def _target(options: argparse.Namespace) -> RecoveryTarget | None:
    given = {
        RecoverTo.TIME: options.to,
        RecoverTo.LSN: options.to_lsn,
        RecoverTo.XID: options.to_xid,
        RecoverTo.NAME: options.to_name,
        RecoverTo.IMMEDIATE: options.to_immediate,
        RecoverTo.LATEST: options.to_latest,
    }
    for to, value in given.items():
        if value:
            try:
                text = "" if value is True else value
                return read_target(to, text, inclusive=_side(options), timeline=options.timeline)
            except ValueError as error:
                raise UsageError("reading the target", f"{value!r} is none", str(error)) from None
    return None


def _later(options: argparse.Namespace) -> RecoveryTarget | None:
    if not options.step_to:
        return None
    try:
        return read_step(options.step_to, inclusive=_side(options))
    except ValueError as error:
        raise UsageError("reading --step-to", f"{options.step_to!r} is no target", str(error)) from None


def _side(options: argparse.Namespace) -> bool | None:
    return False if options.before else True if options.through else None


def _place(options: argparse.Namespace) -> RecoveryPlace | None:
    if options.in_place:
        return IN_PLACE
    try:
        return read_into(options.into) if options.into else None
    except ValueError as error:
        raise UsageError("reading --into", f"{options.into!r} is no place", str(error)) from None
