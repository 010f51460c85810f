"""ports.IncidentShelf: what is remembered of one profile's incidents, in a small file of the operator's.

Every note is folded into what the file says at that moment, under a lock, and the file replaced as a whole:
consoles beside each other and one that was killed lose nothing but their own last seconds.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NoReturn

from walconsole.domain.incidents.follow import follow
from walconsole.domain.incidents.model import IncidentLog, Note, SetAside
from walconsole.domain.incidents.written import NewerError, document_of, log_of
from walconsole.errors import RegisterError
from walconsole.operator_files.places import INCIDENTS, file_name_of, places
from walconsole.operator_files.private import (
    keep_aside,
    locked_within,
    make_private,
    open_appending,
    replace_text,
)

LIMIT_BYTES = 1024 * 1024
LOCK_PATIENCE_S = 2.0
_MOST_KEPT_ASIDE = 5


class IncidentFile:
    """`profile` is its name, or that of the host it was made for. `environ` says where the state lies."""

    def __init__(self, profile: str, environ: Mapping[str, str]) -> None:
        self.path = places(environ).state / INCIDENTS / f"{file_name_of(profile)}.json"

    def note(self, notes: Sequence[Note], at: float) -> IncidentLog:
        """See ports.IncidentShelf."""
        with self._locked():
            before = self._read(at)
            after = follow(before, notes)
            if _without_look(after) != _without_look(before):
                self._write(after)
            return after

    def _read(self, at: float) -> IncidentLog:
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as file:
                raw = file.read(LIMIT_BYTES + 1)
        except FileNotFoundError:
            return IncidentLog()
        except OSError as error:
            self._deny("reading", error.strerror or "it cannot be read")
        if len(raw) > LIMIT_BYTES:
            return self._set_aside(at, f"it is larger than {LIMIT_BYTES} bytes")
        try:
            return log_of(json.loads(raw))
        except NewerError as error:
            self._deny("reading", str(error))
        except (ValueError, RecursionError) as error:
            return self._set_aside(at, str(error) or type(error).__name__)

    def _set_aside(self, at: float, why: str) -> IncidentLog:
        """An empty log that says where the unreadable one is now."""
        try:
            kept = keep_aside(self.path, _MOST_KEPT_ASIDE)
        except OSError as error:
            self._deny("putting aside", error.strerror or "it cannot be renamed")
        log = IncidentLog(set_aside=(SetAside(at, str(kept), why[:400]),))
        self._write(log)
        return log

    def _write(self, log: IncidentLog) -> None:
        text = json.dumps(document_of(log), indent=1, ensure_ascii=True, allow_nan=False) + "\n"
        try:
            replace_text(self.path, text)
        except OSError as error:
            self._deny("writing", error.strerror or "it cannot be written")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            make_private(self.path.parent)
            handle = open_appending(self.path.with_suffix(".lock"))
        except OSError as error:
            self._deny("opening", error.strerror or "its folder cannot be used")
        try:
            self._lock(handle)
            yield
        finally:
            os.close(handle)

    def _lock(self, handle: int) -> None:
        try:
            locked = locked_within(handle, LOCK_PATIENCE_S)
        except OSError as error:
            self._deny("locking", error.strerror or "it cannot be locked")
        if not locked:
            self._deny("locking", "another console holds it")

    def _deny(self, tried: str, why: str) -> NoReturn:
        remedy = "see to the file and its folder: the incident is remembered by this session alone until then"
        raise RegisterError(f"{tried} what is remembered in {self.path}", why, remedy) from None


def every_log(environ: Mapping[str, str]) -> tuple[list[tuple[str, IncidentLog]], list[str]]:
    """What is remembered of each profile, by the name of its file; and what could not be read, a line each.

    Nothing is locked or changed: a file is only ever replaced as a whole.
    """
    logs: list[tuple[str, IncidentLog]] = []
    problems: list[str] = []
    for path in sorted((places(environ).state / INCIDENTS).glob("*.json")):
        try:
            with path.open("rb") as file:
                raw = file.read(LIMIT_BYTES + 1)
            if len(raw) > LIMIT_BYTES:
                raise ValueError(f"it is larger than {LIMIT_BYTES} bytes")
            logs.append((path.stem, log_of(json.loads(raw))))
        except (OSError, ValueError, RecursionError) as error:
            problems.append(f"{path}: {getattr(error, 'strerror', None) or error}")
    return logs, problems


class SessionIncidents:
    """ports.IncidentShelf for this session alone."""

    def __init__(self) -> None:
        self._log = IncidentLog()

    def note(self, notes: Sequence[Note], at: float) -> IncidentLog:
        """See ports.IncidentShelf."""
        del at
        self._log = follow(self._log, notes)
        return self._log


def _without_look(log: IncidentLog) -> IncidentLog:
    """What is worth a write: that a healthy server was looked at again is not."""
    return replace(log, looked_at=None) if log.open is None else log
