"""What a watcher keeps of one profile: what was told, and what is still to be told.

The file has its whole size from the beginning, in two halves that are written in turn, in place: a disk that
is full later takes nothing away, and a write that was cut leaves the other half. Whoever watches holds its
lock (flock) for as long as it lives, and its time of modification is the watcher's heartbeat.
"""

import errno
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from walconsole.domain.facts.evidence import WatcherFacts
from walconsole.domain.notices.outbox import Kept, document_of, kept_of
from walconsole.errors import BusyError, RegisterError
from walconsole.operator_files.places import WATCH, file_name_of, places
from walconsole.operator_files.private import (
    check_private,
    keep_aside,
    locked_within,
    make_private,
    open_in_place,
    sync_folder,
)

HALF_BYTES = 128 * 1024
LOCK_PATIENCE_S = 2.0
_MAGIC = "walconsole-watch-1"
_MOST_KEPT_ASIDE = 5
_ONLY_TO_READ = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def path_of(profile: str, environment: Mapping[str, str]) -> Path:
    """Where what its watcher keeps lies."""
    return places(environment).state / WATCH / f"{file_name_of(profile)}.state"


class WatchFile:
    """Held by the watcher from `hold` to `close`. Every call blocks."""

    def __init__(self, profile: str, environment: Mapping[str, str]) -> None:
        self.path = path_of(profile, environment)
        self._profile = profile
        self._handle: int | None = None
        self._only_to_read = ""
        self._number = 0

    def hold(self) -> Kept:
        """Lock and read it; it is made if need be. Raises RegisterError, BusyError where another watches.

        Where it is there and nothing can be written it is read all the same: what was told is known then,
        and it is `write` that fails.
        """
        try:
            handle = self._open()
        except OSError as error:
            self.close()
            self._deny("opening", error.strerror or str(error))
        try:
            self._number, kept = _newest(handle)
        except OSError as error:
            self.close()
            self._deny("reading", error.strerror or str(error))
        except ValueError as error:
            return self._anew(str(error))
        return kept

    def _open(self) -> int:
        """Opened and locked. Raises OSError, BusyError."""
        try:
            make_private(self.path.parent)
            self._handle = handle = open_in_place(self.path)
            self._only_to_read = ""
            self._lock(handle)
            _reserve(handle)
            sync_folder(self.path.parent)
        except OSError as error:
            self.close()
            if error.errno not in _ONLY_TO_READ:
                raise
            self._handle = handle = _open_to_read(self.path, error)
            self._only_to_read = error.strerror or str(error)
            self._lock(handle)
        return handle

    def write(self, kept: Kept) -> None:
        """On the disk when this returns. Raises RegisterError; what was written last is as it was then.

        One that was taken away meanwhile is made anew: whoever looks for the watcher finds that by its name.
        """
        handle = self._held_to_write()
        text = _fitting(kept)
        number = self._number + 1
        head = f"{_MAGIC} {number} {len(text)} {hashlib.sha256(text).hexdigest()}\n".encode()
        try:
            _write_all(handle, head + text, (number % 2) * HALF_BYTES)
            os.fdatasync(handle)
        except OSError as error:
            self._deny("writing", error.strerror or str(error))
        self._number = number

    def _held_to_write(self) -> int:
        """Raises RegisterError; where it can still be read it is held all the same."""
        if self._handle is None or self._only_to_read or not self._is_there(self._handle):
            self.close()
            try:
                self.hold()
            except BusyError as error:
                self._deny("writing", error.why)
        if self._handle is None or self._only_to_read:
            self._deny("writing", self._only_to_read)
        return self._handle

    def _is_there(self, handle: int) -> bool:
        """Whether it is this file that has its name."""
        with suppress(OSError):
            return os.path.samestat(os.fstat(handle), os.lstat(self.path))
        return False

    def beat(self) -> None:
        """The watcher lives. Takes no room on the disk. Raises RegisterError where it cannot be noted."""
        handle = self._handle  # a write in its thread may let go of it meanwhile
        if handle is None or self._only_to_read:
            return
        try:
            os.utime(handle)
        except OSError as error:
            self._deny("noting that it lives", error.strerror or str(error))

    def close(self) -> None:
        """Let go of it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _lock(self, handle: int) -> None:
        """Wait a moment: a console may look whether somebody watches."""
        if not locked_within(handle, LOCK_PATIENCE_S):
            self.close()
            why = "another watcher of it runs on this machine"
            raise BusyError(f"watching {self._profile}", why, "end that one first")

    def _anew(self, why: str) -> Kept:
        """An empty one, where what is there cannot be read; that is kept aside."""
        self.close()
        try:
            keep_aside(self.path, _MOST_KEPT_ASIDE)
        except OSError as error:
            self._deny("reading", f"{why}, and it cannot be moved away: {error.strerror}")
        return self.hold()

    def _deny(self, tried: str, why: str) -> NoReturn:
        remedy = "see to the file and its folder: until then a notice may be told twice, or not at all"
        raise RegisterError(f"{tried} what is watched in {self.path}", why, remedy) from None


def watcher_of(profile: str, environment: Mapping[str, str]) -> WatcherFacts:
    """Whether a watcher of it runs on this machine. Blocks. Raises RegisterError."""
    path = path_of(profile, environment)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return WatcherFacts()
    except OSError as error:
        raise RegisterError(f"looking at {path}", error.strerror or str(error)) from None
    try:
        beat_at = os.fstat(handle).st_mtime
        _, kept = _newest(handle)
        if not kept.began_at:
            return WatcherFacts()
        return WatcherFacts(kept.began_at, _is_held(handle), beat_at, kept.stopped_at, len(kept.outbox))
    except (OSError, ValueError) as error:
        raise RegisterError(f"looking at {path}", str(error)) from None
    finally:
        os.close(handle)


def _is_held(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _open_to_read(path: Path, why_not: OSError) -> int:
    """Raises OSError: why it cannot be written where it cannot be read either, or is not ours."""
    try:
        check_private(path.parent)
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        raise why_not from None
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        os.close(handle)
        raise why_not
    return handle


def _reserve(handle: int) -> None:
    """Give it its size, with room on the disk for all of it. Raises OSError."""
    if os.fstat(handle).st_size < 2 * HALF_BYTES:
        _write_all(handle, b"\0" * (2 * HALF_BYTES), 0)
        os.fsync(handle)


def _write_all(handle: int, content: bytes, offset: int) -> None:
    rest = memoryview(content)
    while rest:
        written = os.pwrite(handle, rest, offset)
        rest, offset = rest[written:], offset + written


def _newest(handle: int) -> tuple[int, Kept]:
    """The newer half that is whole, with its number. Raises ValueError where neither of them is."""
    raw = [os.pread(handle, HALF_BYTES, half * HALF_BYTES) for half in (0, 1)]
    whole = sorted((found for found in map(_whole, raw) if found is not None), key=lambda each: each[0])
    if not whole:
        if any(each.strip(b"\0") for each in raw):
            raise ValueError("neither of its halves is whole")
        return 0, Kept()
    number, text = whole[-1]
    return number, kept_of(json.loads(text))


def _whole(raw: bytes) -> tuple[int, bytes] | None:
    head, _, rest = raw.partition(b"\n")
    parts = head.decode("ascii", "replace").split(" ")
    if len(parts) != 4 or parts[0] != _MAGIC or not (parts[1].isdecimal() and parts[2].isdecimal()):
        return None
    text = rest[: int(parts[2])]
    return (int(parts[1]), text) if hashlib.sha256(text).hexdigest() == parts[3] else None


def _fitting(kept: Kept) -> bytes:
    """As much as fits: outbox.MOST_NOTICES of usual length do; of longer ones the oldest are left out."""
    while True:
        text = json.dumps(document_of(kept), ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) < HALF_BYTES - 256 or not kept.outbox:
            return text
        kept = replace(kept, outbox=kept.outbox[1:], left_out=kept.left_out + 1)
