"""`walconsole incidents`: what is remembered of all clusters, and the report of one, whenever it was."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress

from walconsole.config.reader import load
from walconsole.domain.failures import diagnose
from walconsole.domain.incidents.model import IncidentLog
from walconsole.errors import RegisterError, UsageError, WalconsoleError
from walconsole.operator_files.history_file import HistoryFile
from walconsole.operator_files.incident_file import every_log
from walconsole.operator_files.places import file_name_of, places
from walconsole.process.clock import SystemClock
from walconsole.report.incident import report_markdown
from walconsole.report.incident_list import (
    Remembered,
    incident_line,
    incident_list_document,
    newest_first,
    remembered_lines,
)
from walconsole.session.past import KeptPast

_NEAR_S = 900.0
"""A screen that was kept so long before an incident's last bad look tells of it."""


def _logs(environment: Mapping[str, str]) -> tuple[list[tuple[str, IncidentLog]], list[str]]:
    """What is remembered of each, by its name; and what could not be read, a line each.

    The file of a name with capitals is called by a digest of it: whose it is is known by the names that there
    are.
    """
    logs, problems = every_log(environment)
    names = {file_name_of(name): name for name in _names(environment)}
    return [(names.get(stem, stem), log) for stem, log in logs], problems


def _names(environment: Mapping[str, str]) -> Iterator[str]:
    with suppress(WalconsoleError):
        yield from load(places(environment).config_file).profiles
    with suppress(WalconsoleError):
        yield from HistoryFile(environment).clusters()


def named(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """What each is called, and its line; the newest first. What cannot be read is left out. Blocks."""
    now = SystemClock().now()
    return [(each.key, incident_line(each, now)) for each in newest_first(_logs(environment)[0])]


def listed(environment: Mapping[str, str], *, as_json: bool) -> Iterator[str]:
    """A line each, the newest first; or the document."""
    logs, problems = _logs(environment)
    found, now = newest_first(logs), SystemClock().now()
    if as_json:
        yield json.dumps(incident_list_document(found, problems, now), indent=2, ensure_ascii=False)
        return
    yield from (incident_line(each, now) for each in found)
    if not found:
        yield "no incident is remembered"
    yield from problems


def reported(environment: Mapping[str, str], key: str) -> Iterator[str]:
    """The report of the incident with that key, as it was at its last bad look. Raises UsageError."""
    logs, _ = _logs(environment)
    found = [each for each in newest_first(logs) if each.key == key]
    if not found:
        raise UsageError(
            "reporting an incident", f"none is called {key!r}", "walconsole incidents lists them"
        )
    yield from _report(environment, found[0])


def _report(environment: Mapping[str, str], each: Remembered) -> Iterator[str]:
    incident = each.incident
    past = KeptPast(HistoryFile(environment), each.cluster)
    try:
        screen = asyncio.run(past.screen(incident.bad_at))
    except RegisterError as error:  # what is remembered is told all the same
        yield from remembered_lines(each, error.line())
        return
    if screen is None or not incident.opened_at - _NEAR_S <= screen.at <= incident.bad_at:
        yield from remembered_lines(each)
        return
    diagnosis = diagnose(screen.snapshot, screen.at)
    yield from report_markdown(each.cluster, screen.snapshot, diagnosis, screen.at, each.alone)
