"""`walconsole provision` and the commands that are run like it: their arguments, and what is made of them."""

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from walconsole.cli.opening import open_screen, server_session
from walconsole.cli.options import add_on, add_target, other_host
from walconsole.domain.profile import Engine, Profile, SshTarget
from walconsole.droplet.choices import MOST_ARCHIVE_TIMEOUT_S, Compression, DropletChoices
from walconsole.errors import UsageError
from walconsole.process.stop import Stop
from walconsole.session.wish import Session

if TYPE_CHECKING:
    from walconsole.domain.standing.model import Fix

PROVISION = """\
Sets continuous archiving up: buckets, grants, the archive command, the drop-in, the verifier, a restart,
the proof that a segment arrived, and the first base backup. Without --plan or --apply it opens the console
at that screen.
"""
BACKUP = """\
Takes a base backup now, by the script that provisioning installs (it is put there where it is missing), shows
how far it is, and reads it in every copy. A run that is under way already is followed. The script goes on by
itself where the connection is cut; ended by a signal the command ends it, and nothing of it stays. Needs
--plan, or --apply with --confirm.
"""
DRILL = """\
Makes a restore drill now, by a script that is put onto the droplet where it is missing: the newest base
backup is restored into a folder of its own, the WAL is replayed up to this moment, the result is read and
taken away again. What was proved is stored beside the backups, in every copy. A drill that is under way
already is followed; ended by a signal the command ends it, and nothing of it stays. --on makes it on another
host, which proves what is left once the droplet is gone. Needs --plan, or --apply with --confirm.
"""
EXPIRE = """\
Deletes the base backups that no rule of the profile (keep) keeps, and the WAL that none of those which stay
needs, in both buckets. The plan says what goes, what stays and by which rule, and what can be restored before
and after. Just before anything is deleted everything is listed and planned anew; more than was shown never
goes. --schedule has it done after each good base backup, by systemd on this machine. Needs --plan, or --apply
with --confirm.
"""
FIX = """\
Makes one fix that a finding offers (`walconsole check --json` has its step and subject), or ends the base
backup that runs (--step end-backup): looked at first, its plan shown, verified at the end. Needs --plan, or
--apply with --confirm.
"""
PROBE = """\
Digs deeper than `walconsole check`: the way to the store (name, TCP, TLS, clock, large packets), each call
to the store by itself from the droplet and from here, and the archive command run by hand on the file that
waits. The last two write: an object that is taken away again, and the object that PostgreSQL wants in the
archive. Needs --plan, or --apply with --confirm. Exit code 0: nothing was found.
"""
UNDO = """\
Takes back what `walconsole provision` changed, the last first. It never deletes a bucket or an object.
"""


def declare(command: str, parser: argparse.ArgumentParser) -> None:
    """The arguments of each of these commands."""
    about = {
        "provision": PROVISION,
        "undo": UNDO,
        "backup": BACKUP,
        "drill": DRILL,
        "expire": EXPIRE,
        "fix": FIX,
        "probe": PROBE,
    }
    parser.description = about[command]
    add_target(parser)
    if command == "fix":
        add_fix_options(parser)
    elif command == "probe":
        add_probe_options(parser)
    elif command == "backup":
        add_backup_options(parser)
    elif command == "expire":
        add_expire_options(parser)
    elif command == "drill":
        add_drill_options(parser)
    else:
        add_options(parser, undo=command == "undo")
        if command == "undo":
            add_on(parser, undo=True)


def start(options: argparse.Namespace, stop: Stop) -> int:
    """Without a screen, or `provision` with one; the exit code. Raises WalconsoleError."""
    session = server_session(options)
    if options.command == "expire" and (options.schedule or options.unschedule or options.system):
        return _schedule(options, session)
    if options.plan or options.apply:
        return run(options, session, stop)
    return open_screen(replace(session, provisioning=options.command == "provision"), stop)


def add_options(parser: argparse.ArgumentParser, *, undo: bool) -> None:
    """What all of them take, and what `provision` takes besides."""
    what = parser.add_mutually_exclusive_group(required=undo)
    what.add_argument("--plan", action="store_true", help="print what would be done, and change nothing")
    what.add_argument("--apply", action="store_true", help="do it, without a screen; needs --confirm")
    agreed = "the profile as typed, or its `name`: yes to every gate"
    parser.add_argument("--confirm", metavar="NAME", default="", help=agreed)
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of text")
    if undo:
        return
    _add_confirm_replace(parser)
    parser.add_argument(
        "--engine",
        choices=tuple(Engine),
        help="what is set up: this console's own scripts by rclone, or pgBackRest (default: the profile's)",
    )
    parser.add_argument(
        "--compression",
        choices=tuple(Compression),
        default=Compression.AUTO.value,
        help="how segments are compressed (default auto: zstd where the droplet has it, else gzip)",
    )
    parser.add_argument("--no-dr", action="store_true", help="archive to the primary bucket alone")
    parser.add_argument(
        "--archive-timeout",
        metavar="SECONDS",
        type=int,
        default=DropletChoices().archive_timeout_s,
        help="archive_timeout: after how long an unfinished segment is archived (default 60)",
    )


def _add_confirm_replace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--confirm-replace",
        metavar="WHAT",
        action="append",
        default=[],
        help="yes to replacing something that is another tool's; the plan names it; may be repeated",
    )


def add_backup_options(parser: argparse.ArgumentParser) -> None:
    """What `backup` takes."""
    add_options(parser, undo=True)
    _add_confirm_replace(parser)
    parser.add_argument(
        "--no-dr", action="store_true", help="as given to `provision`: there is no second copy"
    )


def add_expire_options(parser: argparse.ArgumentParser) -> None:
    """What `expire` takes."""
    add_options(parser, undo=True)
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--after-backup",
        action="store_true",
        help="as the schedule calls it: only where each copy has a base backup that it had not the last time,"
        " and no base backup, drill or recovery goes on; else it says so, and ends with 0",
    )
    how.add_argument(
        "--schedule",
        action="store_true",
        help="install systemd units on this machine that run it so every six hours; --plan shows them",
    )
    how.add_argument("--unschedule", action="store_true", help="take these units away")
    parser.add_argument(
        "--system", action="store_true", help="with both: units of the system, with a user of their own"
    )


def _schedule(options: argparse.Namespace, session: Session) -> int:
    from walconsole.session.expiry_unit import ScheduleWish, schedule

    if not (options.schedule or options.unschedule):
        raise UsageError("walconsole expire", "--system is for --schedule and --unschedule", "leave it away")
    if options.name or options.cluster:
        why = "--name and --cluster are not handed to the run by the schedule"
        raise UsageError("scheduling retention", why, "say it in the profile")
    wish = ScheduleWish(options.apply, options.confirm, options.config, options.system, options.unschedule)
    return schedule(session, wish)


def add_drill_options(parser: argparse.ArgumentParser) -> None:
    """What `drill` takes."""
    add_backup_options(parser)
    add_on(parser)


def add_fix_options(parser: argparse.ArgumentParser) -> None:
    """What `fix` takes."""
    parser.add_argument("--step", metavar="ID", required=True, help="the fix, as a finding names it")
    parser.add_argument("--subject", metavar="WHAT", default="", help="the file, setting, segment or process")
    add_options(parser, undo=True)
    _add_confirm_replace(parser)


def add_probe_options(parser: argparse.ArgumentParser) -> None:
    """What `probe` takes."""
    only = "one of the four (default: all)"
    parser.add_argument("--only", choices=tuple(_PROBES), default="all", help=only)
    parser.add_argument("--subject", metavar="WHAT", default="", help="the WAL file for --only command")
    add_options(parser, undo=True)


_PROBES = {
    "all": "probes",
    "network": "probe-network",
    "calls": "probe-calls",
    "command": "probe-command",
    "seconds": "probe-seconds",
}


def choices(options: argparse.Namespace, profile: Profile) -> DropletChoices:
    """How the droplet shall archive. Raises UsageError."""
    defaults = DropletChoices.for_profile(profile)
    if options.command in ("backup", "drill"):
        return replace(defaults, to_dr=defaults.to_dr and not options.no_dr)
    if options.command != "provision":
        return defaults
    try:
        return replace(
            defaults,
            compression=Compression(options.compression),
            to_dr=defaults.to_dr and not options.no_dr,
            archive_timeout_s=options.archive_timeout,
        )
    except ValueError as error:
        raise UsageError(
            "reading --archive-timeout", str(error), f"use 1 to {MOST_ARCHIVE_TIMEOUT_S}"
        ) from None


def _offer(options: argparse.Namespace) -> "Fix | None":
    """The fix or the probes that are asked for."""
    from walconsole.domain.standing.model import Fix  # with the facts: not before the first frame

    if options.command == "fix":
        return Fix("", step=options.step, subject=options.subject)
    if options.command == "probe":
        return Fix("", step=_PROBES[options.only], subject=options.subject)
    return None


def _on(options: argparse.Namespace, profile: Profile) -> SshTarget | None:
    """Another host, for a drill, or for what is taken back there; the profile names one for drills alone."""
    if options.command == "drill":
        return other_host(options.on, profile)
    return other_host(options.on, profile) if options.command == "undo" and options.on else None


def run(options: argparse.Namespace, session: Session, stop: Stop) -> int:
    """Without a screen; the exit code. Raises WalconsoleError."""
    from walconsole.session.provision import ProvisionWish, provision

    if not isinstance(session.target, Profile):
        raise UsageError(f"walconsole {options.command}", "no server is named", "name a profile or a host")
    wish = ProvisionWish(
        choices(options, session.target),
        apply=options.apply,
        undo=options.command == "undo",
        confirm=options.confirm,
        replace=tuple(getattr(options, "confirm_replace", ())),
        json=options.json,
        offer=_offer(options),
        backup=options.command == "backup",
        drill=options.command == "drill",
        expire=options.command == "expire",
        after_backup=getattr(options, "after_backup", False),
        on=_on(options, session.target),
    )
    return provision(session, wish, stop)
