"""`walconsole check` and `walconsole report`: one look, and what it says."""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.failures import Diagnosis, diagnose
from walconsole.domain.incidents.follow import follow, look_of
from walconsole.domain.incidents.model import IncidentLog, Look
from walconsole.domain.profile import Profile
from walconsole.domain.standing.unseen import of_one_look
from walconsole.errors import RegisterError, UsageError
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
from walconsole.report.lines import exit_code, for_nagios, for_people, for_prometheus
from walconsole.report.metrics import metrics
from walconsole.session.one_look import look_once
from walconsole.session.wish import Session

_log = logging.getLogger(__name__)


class Format(StrEnum):
    """What is printed."""

    PEOPLE = "people"
    VERBOSE = "verbose"
    JSON = "json"
    PROMETHEUS = "prometheus"
    NAGIOS = "nagios"
    REPORT = "md"
    REPORT_JSON = "report-json"


@dataclass(frozen=True, slots=True)
class CheckWish:
    """What the command line asks for. `output` None: standard output."""

    format: Format = Format.PEOPLE
    output: Path | None = None
    limit_s: float = 10.0


def check(session: Session, wish: CheckWish, stop: Stop) -> int:
    """Look once and print it; the exit code, 0 to 3. Raises WalconsoleError for what cannot be written."""
    profile = session.target
    if not isinstance(profile, Profile):
        raise UsageError("checking", "the embedded droplet has no command line", "name a profile or a host")
    os.umask(0o077)
    start_logging(session.log_file, chosen=session.log_chosen)
    for note in session.notes:
        say(note)
    return event_loop.run(lambda: _run(profile, wish, stop, session.environment))


async def _run(profile: Profile, wish: CheckWish, stop: Stop, environment: Mapping[str, str]) -> int:
    stop.attach(asyncio.get_running_loop(), lambda: None)
    clock, kept = SystemClock(), on_disk(environment)
    looking = asyncio.create_task(look_once(profile, clock, environment, kept, wish.limit_s))
    asked = asyncio.create_task(stop.requested.wait(), name="asked to end")
    await asyncio.wait([looking, asked], return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not looking.done():
        looking.cancel()
        await asyncio.wait([looking])
        return stop.exit_code
    snapshot, refused = looking.result()
    for line in refused:
        say(line)
    now = clock.now()
    diagnosis = of_one_look(diagnose(snapshot, now), snapshot, wish.limit_s)
    shelf = kept.incidents(profile.name)
    remembered = await asyncio.to_thread(_remembered, shelf, look_of(snapshot, diagnosis, now))
    lines = _lines(profile, snapshot, diagnosis, wish.format, now, remembered)
    _deliver("".join(f"{line}\n" for line in lines), wish.output)
    return exit_code(diagnosis)


def _remembered(shelf: IncidentShelf, look: Look) -> IncidentLog:
    """What is remembered after this look. That it cannot be kept changes no verdict."""
    try:
        return shelf.note((look,), look.at)
    except RegisterError as error:
        _log.warning("%s", error.line())
        return replace(follow(IncidentLog(), (look,)), problem=error.line())


def _lines(
    profile: Profile,
    snapshot: Snapshot,
    diagnosis: Diagnosis,
    form: Format,
    now: float,
    remembered: IncidentLog,
) -> Iterator[str]:
    numbers = metrics(snapshot, diagnosis, now)
    match form:
        case Format.JSON:
            yield json.dumps(
                check_document(profile.name, snapshot, diagnosis, numbers, now, remembered), indent=2
            )
        case Format.PROMETHEUS:
            yield from for_prometheus(profile.name, diagnosis, numbers, now)
        case Format.NAGIOS:
            yield for_nagios(profile.name, diagnosis, numbers)
        case Format.REPORT:
            yield from report_markdown(profile.name, snapshot, diagnosis, now, remembered)
        case Format.REPORT_JSON:
            yield json.dumps(report_document(profile.name, snapshot, diagnosis, now, remembered), indent=2)
        case _:
            yield from for_people(profile.name, diagnosis, verbose=form is Format.VERBOSE)


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
