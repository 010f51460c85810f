"""model.Record in a file of the operator's: one JSON object a line, on the disk before a change is made.

It holds what was changed and where the earlier file is kept on the droplet: no contents, and no secret. Two
consoles at once append whole lines; taking one back is a line as well, so that nothing is ever rewritten.

One file has what was changed for a deployment on all its hosts: production's, the one on which it was
recovered, and the next, once the profile names that. What lies on a host is taken back there alone.
"""

import dataclasses
import fcntl
import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from walconsole.errors import RegisterError
from walconsole.operator_files.private import check_private, make_private, open_appending, sync_folder
from walconsole.provision.engine.model import Change, ChangeKind

_LIMIT_BYTES = 16 * 1024 * 1024
_UNDONE = "undone"
_TEXTS = ("step", "what", "before", "after", "kept")
_HOST = "host"
_ON_A_HOST = frozenset(
    {ChangeKind.FILE, ChangeKind.SCHEDULE, ChangeKind.SETTING, ChangeKind.RESTART, ChangeKind.DATA}
)
"""The rest (buckets, grants, keys) is the deployment's, whichever host is asked to take it back."""


class RecordFile:
    """`path` is made, for its owner alone, with the first change.

    `host` is where these changes are made (`root@spare`). Entries of earlier consoles name none: they are
    those of the profile's own host, which one that is opened for another (`beside`) leaves alone.
    """

    def __init__(self, path: Path, host: str = "", *, beside: bool = False) -> None:
        self.path = path
        self._host, self._beside = host, beside

    def add(self, change: Change) -> None:
        """See model.Record."""
        self._append(self._as_entry(change))

    def undone(self, change: Change) -> None:
        """See model.Record."""
        self._append({_UNDONE: self._as_entry(change)})

    def on(self, host: str) -> "RecordFile":
        """See model.Record."""
        return RecordFile(self.path, host, beside=host != self._host)

    def changes(self) -> tuple[Change, ...]:
        """See model.Record. A last line without an end was never agreed on: its change was not made."""
        return tuple(change for host, change in self._made() if self._is_here(host))

    def elsewhere(self) -> Mapping[str, int]:
        """See model.Record."""
        return Counter(host for host, _ in self._made() if host and not self._is_here(host))

    def _is_here(self, host: str) -> bool:
        return host in ("", self._host) if not self._beside else host == self._host

    def _made(self) -> list[tuple[str, Change]]:
        *lines, _ = self._text().split("\n")
        made: list[tuple[str, Change]] = []
        for number, line in enumerate(lines, 1):
            entry = self._entry(number, line)
            if _UNDONE not in entry:
                made.append(self._change(number, entry))
                continue
            gone = self._change(number, entry[_UNDONE])
            found = next((each for each in (gone, ("", gone[1])) if each in made), None)
            if found is not None:
                made.remove(found)
        return made

    def _as_entry(self, change: Change) -> dict[str, object]:
        on = {_HOST: self._host} if self._host and change.kind in _ON_A_HOST else {}
        return {**dataclasses.asdict(change), **on}

    def _text(self) -> str:
        try:
            check_private(self.path.parent)
            handle = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as file:
                raw = file.read(_LIMIT_BYTES + 1)
        except FileNotFoundError:
            return ""
        except OSError as error:
            self._deny("reading", error.strerror or "it cannot be read")
        if len(raw) > _LIMIT_BYTES:
            self._deny("reading", f"it is larger than {_LIMIT_BYTES} bytes")
        return raw.decode("utf-8", "replace")

    def _entry(self, number: int, line: str) -> dict[str, object]:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            entry = None
        if not isinstance(entry, dict):
            self._deny("reading", f"line {number} is no JSON object")
        return entry

    def _change(self, number: int, entry: object) -> tuple[str, Change]:
        """Where it was made, empty where that is not told, and what."""
        if not isinstance(entry, dict):
            self._deny("reading", f"line {number} names no change")
        texts = {name: entry.get(name) for name in _TEXTS}
        at, kind, host = entry.get("at"), entry.get("kind"), entry.get(_HOST, "")
        if not all(isinstance(text, str) for text in (*texts.values(), host)) or kind not in tuple(
            ChangeKind
        ):
            self._deny("reading", f"line {number} is no change")
        if not isinstance(at, int | float):
            self._deny("reading", f"line {number} has no time")
        change = Change(**texts, kind=ChangeKind(str(kind)), at=float(at))  # type: ignore[arg-type]  # all are str
        return str(host), change

    def _append(self, entry: object) -> None:
        line = json.dumps(entry, ensure_ascii=True).encode() + b"\n"
        try:
            make_private(self.path.parent)
            with os.fdopen(open_appending(self.path, readable=True), "r+b", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                _drop_unended(file.fileno())
                file.write(line)
                os.fsync(file.fileno())
            sync_folder(self.path.parent)
        except OSError as error:
            self._deny("writing", error.strerror or "it cannot be written")

    def _deny(self, tried: str, why: str) -> NoReturn:
        remedy = "make it readable and writable for you, or move it aside: then nothing of it can be undone"
        raise RegisterError(f"{tried} the record of changes {self.path}", why, remedy) from None


class SessionRecord:
    """model.Record for this session alone: what the embedded droplet was goes with it."""

    def __init__(self) -> None:
        self._made: list[Change] = []

    def add(self, change: Change) -> None:
        """See model.Record."""
        self._made.append(change)

    def changes(self) -> tuple[Change, ...]:
        """See model.Record."""
        return tuple(self._made)

    def undone(self, change: Change) -> None:
        """See model.Record."""
        if change in self._made:
            self._made.remove(change)

    def on(self, host: str) -> "SessionRecord":
        """See model.Record."""
        return SessionRecord()

    def elsewhere(self) -> Mapping[str, int]:
        """See model.Record."""
        return {}


def record_file(state: Path, profile: str, host: str = "") -> RecordFile:
    """The record of a deployment, in the console's state folder, of what is changed on its `host`.

    Raises ValueError for no profile's name.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", profile):
        raise ValueError(f"not a profile's name: {profile!r}")
    return RecordFile(state / "provision" / f"{profile}.jsonl", host)


def _drop_unended(descriptor: int) -> None:
    """Cut off a last line that a killed console did not end."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        whole = os.pread(descriptor, size, 0).rfind(b"\n") + 1
        os.ftruncate(descriptor, whole)
