"""`walconsole moment`: one look, a plan, the reading of the WAL, and the answer."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace

from walconsole.domain.archivers.instead import OwnStep
from walconsole.domain.moments.asking import read_time
from walconsole.domain.moments.by_target import with_target
from walconsole.domain.moments.found import Answer, FoundMoments
from walconsole.domain.moments.words import answer_lines, covers_text
from walconsole.domain.profile import Profile
from walconsole.domain.records import record
from walconsole.domain.recovery.recover_target import IN_PLACE, RecoveryTarget, read_into, recover_command
from walconsole.domain.wal import format_lsn
from walconsole.droplet.names import rclone_names
from walconsole.errors import RefusedError, UsageError
from walconsole.observe.moments.finding import MomentFinder, Progress
from walconsole.observe.moments.search import MomentSearch, SearchPlan
from walconsole.operator_files.kept import on_disk
from walconsole.process import loop as event_loop
from walconsole.process.cleanup import Cleanups
from walconsole.process.clock import SystemClock
from walconsole.process.logs import start_logging
from walconsole.process.stderr import say
from walconsole.process.stop import Stop
from walconsole.report.moments import event_lines, moments_document
from walconsole.session.one_look import NobodyThere, look_once
from walconsole.session.wish import Session
from walconsole.ui.recovery import detail_rows
from walconsole.ui.recovery.picture import RecoveryPicture, picture_of

LONGEST_LOOK_S = 120.0
_TELLS_EVERY_S = 2.0


@record
class MomentWish:
    """What the command line asks for. `around` as it was written; `event` is a place in the WAL, None: the
    worst.
    """

    around: str
    within_s: float
    about: str = ""
    everything: bool = False
    event: int | None = None
    keeping: bool = False
    most: int = 64
    confirm: str = ""
    json: bool = False


def find_moment(session: Session, wish: MomentWish, stop: Stop) -> int:
    """Find it and say it; the exit code. Raises WalconsoleError."""
    profile = session.target
    if not isinstance(profile, Profile):
        raise UsageError(
            "finding a moment", "the embedded droplet has no command line", "use the demo's screen"
        )
    try:
        around = read_time(wish.around, SystemClock().now())
    except ValueError as error:
        raise UsageError("reading --around", f"{wish.around!r} is no time", str(error)) from None
    if wish.confirm and not session.agreed(wish.confirm):
        raise UsageError("finding a moment", f"--confirm is not {profile.name}", "give the profile's name")
    wish = replace(wish, confirm=profile.name if wish.confirm else "")
    if wish.confirm and (profile.read_only or session.read_only):
        raise UsageError(
            "finding a moment",
            "the session is read-only: nothing may be brought to the droplet",
            "leave read_only away",
        )
    os.umask(0o077)
    start_logging(session.log_file, chosen=session.log_chosen)
    for note in session.notes:
        say(note)
    return event_loop.run(lambda: _run(session, profile, wish, around, stop))


async def _run(session: Session, profile: Profile, wish: MomentWish, around: float, stop: Stop) -> int:
    stop.attach(asyncio.get_running_loop(), lambda: None)
    finding = asyncio.create_task(_find(session, profile, wish, around), name="finding the moment")
    asked = asyncio.create_task(stop.requested.wait(), name="asked to end")
    await asyncio.wait([finding, asked], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not finding.done():
        finding.cancel()
        await asyncio.wait([finding])
        return stop.exit_code
    sys.stdout.write("".join(f"{line}\n" for line in finding.result()))
    return 0


async def _find(session: Session, profile: Profile, wish: MomentWish, around: float) -> tuple[str, ...]:
    from walconsole.session.dialling import ssh_shell  # asyncssh: not where it is refused
    from walconsole.session.wiring import finding_of

    clock, environment, resolved = SystemClock(), session.environment, session.resolved
    async with Cleanups() as cleanups:
        shell = ssh_shell(profile, NobodyThere(), clock, cleanups)
        if resolved is not None:
            finding = finding_of(resolved, shell, clock)
            profile = await finding.settle()
            finding.refuse(OwnStep.MOMENT)
        snapshot, refused = await look_once(
            profile, clock, environment, on_disk(environment), LONGEST_LOOK_S, resolved, shell
        )
        for line in refused:
            say(line)
        search = MomentSearch(MomentFinder(profile, shell), lambda: snapshot, clock.now)
        plan = await search.plan(around, wish.within_s, wish.most)
        _agree(profile, plan, wish)
        found = await search.run(plan, _teller(clock))
    return tuple(_told(found, wish, picture_of(snapshot, clock.now()), profile))


def _agree(profile: Profile, plan: SearchPlan, wish: MomentWish) -> None:
    """The gate: what it takes is said, and agreed to on the command line."""
    for line in plan.lines():
        say(line)
    if wish.confirm != profile.name:
        raise RefusedError(
            "bringing the WAL to the droplet",
            "that was not confirmed",
            f"add --confirm {profile.name}, its name",
        )


def _teller(clock: SystemClock) -> "_Teller":
    return _Teller(clock)


class _Teller:
    """Says how far it is, every other second."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock, self._last = clock, clock.monotonic()

    def __call__(self, progress: Progress) -> None:
        """See finding.Told."""
        if self._clock.monotonic() - self._last < _TELLS_EVERY_S:
            return
        self._last = self._clock.monotonic()
        say(progress.said or f"{progress.records:,} records read")


def _told(found: FoundMoments, wish: MomentWish, picture: RecoveryPicture, profile: Profile) -> Iterator[str]:
    moments = found.moments(wish.about, everything=wish.everything)
    chosen = found.worst(moments) if wish.event is None else found.at(wish.event)
    if wish.event is not None and chosen is None:
        raise UsageError(
            "choosing the event", f"there is none at {format_lsn(wish.event)}", "give an LSN of the list"
        )
    answer = None if chosen is None else found.answer(chosen, keeping=wish.keeping)
    commands = None if answer is None else _commands(answer, picture, profile)
    recover = "" if answer is None else _recover(answer, picture, profile)
    if wish.json:
        document = moments_document(profile.name, found, moments, answer, commands, recover)
        yield json.dumps(document, indent=2)
        return
    yield f"read: {covers_text(found)}"
    for doubt in found.doubts:
        yield f"note: {doubt}"
    yield from event_lines(found, moments)
    if answer is None:
        yield "nothing of it takes anything away; --event LSN chooses one, --all lists the rest"
        return
    yield ""
    yield from (f"{label:<12}{text}" for label, text in answer_lines(answer, found.names))
    yield f"{'recover':<12}{recover}"
    if commands is not None:
        yield ""
        yield commands


def _recover(answer: Answer, picture: RecoveryPicture, profile: Profile) -> str:
    """The command that recovers to the target, beside the old cluster; it plans, and changes nothing."""
    found = picture.together
    version = found.cluster.server_version_num if found is not None else None
    place = IN_PLACE if version is None else read_into(f"{version // 10_000}/restored")
    return recover_command(profile.name, RecoveryTarget.of(answer.targets[0]), place, "--plan")


def _commands(answer: Answer, picture: RecoveryPicture, profile: Profile) -> str:
    """The shell that restores to the target; or why there is none."""
    made = detail_rows.commands_before(picture, answer.moment.lsn, rclone_names(profile))
    return made if isinstance(made, str) else detail_rows.text_of(with_target(made, answer.targets[0]))
