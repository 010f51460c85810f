"""`walconsole check` and `walconsole report`: one look, and what it says; or one look at each of several."""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures import diagnose
from walconsole.domain.incidents.follow import follow, look_of
from walconsole.domain.incidents.model import IncidentLog, Look
from walconsole.domain.profile import Profile
from walconsole.domain.records import record
from walconsole.domain.standing.unseen import of_one_look
from walconsole.errors import RegisterError, UsageError, WalconsoleError
from walconsole.operator_files.kept import on_disk
from walconsole.operator_files.private import replace_text
from walconsole.ports import IncidentShelf
from walconsole.process import loop as event_loop
from walconsole.process.clock import SystemClock
from walconsole.process.logs import start_logging
from walconsole.process.stderr import say
from walconsole.process.stop import Stop
from walconsole.report.documents import check_document
from walconsole.report.incident import report_document, report_markdown
from walconsole.report.lines import for_nagios, for_people, for_prometheus
from walconsole.report.metrics import metrics
from walconsole.report.several import (
    Checked,
    several_document,
    several_for_nagios,
    several_for_people,
    several_for_prometheus,
    worst_exit_code,
)
from walconsole.session.one_look import look_once
from walconsole.session.wish import Session

_log = logging.getLogger(__name__)

BEGUN_AT_ONCE = 8
"""Looks that begin at the same time, of several."""
BEGINNING_S = 2.0
"""So long each counts as one that begins: a dead host keeps no other from its turn."""


_MakeLines = Callable[[Sequence[Checked]], Iterator[str]]


class Format(StrEnum):
    """What is printed."""

    PEOPLE = "people"
    VERBOSE = "verbose"
    JSON = "json"
    PROMETHEUS = "prometheus"
    NAGIOS = "nagios"
    REPORT = "md"
    REPORT_JSON = "report-json"


@record
class CheckWish:
    """What the command line asks for. `output` None: standard output. `limit_s` is each look's own."""

    format: Format = Format.PEOPLE
    output: Path | None = None
    limit_s: float = 10.0


def check(session: Session, wish: CheckWish, stop: Stop) -> int:
    """Look once and print it; the exit code, 0 to 3. Raises WalconsoleError for what cannot be written."""
    return _check([session], wish, stop, lambda checks: _lines(checks[0], wish.format))


def check_several(sessions: Sequence[Session], wish: CheckWish, stop: Stop) -> int:
    """Look at each once and print all; the exit code of the worst. Raises WalconsoleError as `check`."""
    return _check(sessions, wish, stop, lambda checks: _lines_of_several(checks, wish.format))


def _check(sessions: Sequence[Session], wish: CheckWish, stop: Stop, lines: _MakeLines) -> int:
    first = sessions[0]
    if not all(isinstance(session.target, Profile) for session in sessions):
        raise UsageError("checking", "the embedded droplet has no command line", "name a profile or a host")
    os.umask(0o077)
    start_logging(first.log_file, chosen=first.log_chosen)
    for note in first.notes:
        say(note)
    return event_loop.run(lambda: _run(sessions, wish, stop, lines))


async def _run(sessions: Sequence[Session], wish: CheckWish, stop: Stop, lines: _MakeLines) -> int:
    stop.attach(asyncio.get_running_loop(), lambda: None)
    looking = asyncio.create_task(_look_at_all(sessions, wish.limit_s))
    asked = asyncio.create_task(stop.requested.wait(), name="asked to end")
    await asyncio.wait([looking, asked], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not looking.done():
        looking.cancel()
        await asyncio.wait([looking])
        return stop.exit_code
    checks = looking.result()
    _deliver("".join(f"{line}\n" for line in lines(checks)), wish.output)
    return worst_exit_code(checks)


async def _look_at_all(sessions: Sequence[Session], limit_s: float) -> list[Checked]:
    """In the order of `sessions`. None waits for another's end, or for a dead host."""
    beginning = asyncio.Semaphore(BEGUN_AT_ONCE)
    async with asyncio.TaskGroup() as tasks:
        looks = [
            tasks.create_task(_in_turn(session, limit_s, beginning, alone=len(sessions) == 1))
            for session in sessions
        ]
    return [look.result() for look in looks]


async def _in_turn(session: Session, limit_s: float, beginning: asyncio.Semaphore, *, alone: bool) -> Checked:
    async with beginning:
        look = asyncio.ensure_future(_look(session, limit_s, alone=alone))
        try:
            await asyncio.wait([look], timeout=BEGINNING_S)
        except asyncio.CancelledError:
            look.cancel()
            await asyncio.wait([look])
            raise
    return await look


async def _look(session: Session, limit_s: float, *, alone: bool) -> Checked:
    """One look, assessed. What goes wrong with it among several is told, and ends no other."""
    profile, clock, environment = session.target, SystemClock(), session.environment
    assert isinstance(profile, Profile)  # noqa: S101  # _check has refused anything else
    name, kept = session.called or profile.name, on_disk(environment)
    try:
        snapshot, refused = await look_once(profile, clock, environment, kept, limit_s, session.resolved)
    except WalconsoleError as error:
        if alone:
            raise
        snapshot, refused = Snapshot(profile.name, clock.now(), clock.now()), (error.line(),)
    except Exception as error:
        if alone:
            raise
        _log.exception("looking at %s", name)
        why = f"{type(error).__name__} inside walconsole: this is a bug, the log file has the details"
        snapshot, refused = Snapshot(profile.name, clock.now(), clock.now()), (why,)
    for line in refused:
        say(line if alone else f"{name}: {line}")
    now = clock.now()
    diagnosis = of_one_look(diagnose(snapshot, now), snapshot, limit_s)
    shelf = kept.incidents(profile.kept_under)
    remembered = await asyncio.to_thread(_remembered, shelf, look_of(snapshot, diagnosis, now))
    numbers = metrics(snapshot, diagnosis, now)
    return Checked(name, profile.name, snapshot, diagnosis, numbers, now, remembered)


def _remembered(shelf: IncidentShelf, look: Look) -> IncidentLog:
    """What is remembered after this look. That it cannot be kept changes no verdict."""
    try:
        return shelf.note((look,), look.at)
    except RegisterError as error:
        _log.warning("%s", error.line())
        return replace(follow(IncidentLog(), (look,)), problem=error.line())


def _lines(one: Checked, form: Format) -> Iterator[str]:
    name, told = one.profile, (one.profile, one.snapshot, one.diagnosis)
    match form:
        case Format.JSON:
            yield json.dumps(check_document(*told, one.numbers, one.at, one.remembered), indent=2)
        case Format.PROMETHEUS:
            yield from for_prometheus(name, one.diagnosis, one.numbers, one.at)
        case Format.NAGIOS:
            yield for_nagios(name, one.diagnosis, one.numbers)
        case Format.REPORT:
            yield from report_markdown(*told, one.at, one.remembered)
        case Format.REPORT_JSON:
            yield json.dumps(report_document(*told, one.at, one.remembered), indent=2)
        case _:
            yield from for_people(name, one.diagnosis, verbose=form is Format.VERBOSE)


def _lines_of_several(checks: Sequence[Checked], form: Format) -> Iterator[str]:
    match form:
        case Format.JSON:
            yield json.dumps(several_document(checks, SystemClock().now()), indent=2)
        case Format.PROMETHEUS:
            yield from several_for_prometheus(checks)
        case Format.NAGIOS:
            yield from several_for_nagios(checks)
        case _:
            yield from several_for_people(checks, verbose=form is Format.VERBOSE)


def _deliver(text: str, output: Path | None) -> None:
    """Print it, or put it in the place of the file as a whole: a collector never reads half of it."""
    if output is None:
        sys.stdout.write(text)
        return
    try:
        replace_text(output, text, 0o644)  # a collector runs as another user; nothing in it is secret
    except OSError as error:
        raise UsageError(
            f"writing {output}", error.strerror or str(error), "name a file that can be written"
        ) from None
