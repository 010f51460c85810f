"""ports.KeyLedger: a folder of the operator's with one small file for each temporary key.

The console that asked for a key holds a lock on its file for as long as it lives, whatever kills it: what
nobody holds is an orphan. A file is written whole under another name, synced, and renamed with its lock held.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from walconsole.domain.store.temporary_keys import LedgerEntry, parse_noted
from walconsole.errors import RegisterError
from walconsole.operator_files.private import check_private, make_private, replace_held, sync_folder

_SUFFIX = ".json"
_UNFINISHED = ".new"
_LIMIT_BYTES = 64 * 1024


class LedgerFolder:
    """`folder` is made, for its owner alone, with the first entry."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: dict[str, int] = {}
        self._noted: dict[str, float] = {}
        """When each was first noted, by the machine's uptime: a clock that is set does not change that."""

    def note(self, entry: LedgerEntry) -> None:
        """See ports.KeyLedger."""
        if parse_noted(entry.name) is None:
            raise ValueError(f"not a temporary key's name, nor a limited one's: {entry.name!r}")
        try:
            make_private(self.folder)
            self._write(entry)
            sync_folder(self.folder)
        except OSError as error:
            self._deny("writing", self._path(entry.name), error)

    def settle(self, name: str) -> None:
        """See ports.KeyLedger."""
        try:
            self._path(name).unlink(missing_ok=True)
            self._path(name).with_suffix(_UNFINISHED).unlink(missing_ok=True)  # of a console that was killed
            sync_folder(self.folder)
        except FileNotFoundError:
            pass  # no folder either
        except OSError as error:
            self._deny("removing", self._path(name), error)
        self._noted.pop(name, None)
        descriptor = self._held.pop(name, None)
        if descriptor is not None:
            os.close(descriptor)

    def orphans(self) -> tuple[LedgerEntry, ...]:
        """See ports.KeyLedger. What cannot be read, be it root's, still tells the key's name by its own."""
        try:
            check_private(self.folder)
            paths = sorted(self.folder.glob(f"*{_SUFFIX}"))
        except OSError as error:
            self._deny("listing", self.folder, error)
        return tuple(entry for path in paths if (entry := self._orphan(path)) is not None)

    def _write(self, entry: LedgerEntry) -> None:
        path = self._path(entry.name)
        descriptor = replace_held(path, self._as_text(entry).encode(), path.with_suffix(_UNFINISHED))
        before = self._held.get(entry.name)
        self._held[entry.name] = descriptor
        if before is not None:
            os.close(before)

    def _as_text(self, entry: LedgerEntry) -> str:
        uptime = self._noted.setdefault(entry.name, _uptime())
        fields = {
            "name": entry.name,
            "endpoint": entry.endpoint,
            "profile": entry.profile,
            "noted_at": entry.noted_at,
            "access_key": entry.access_key,
            "unknown_since": entry.unknown_since,
            "boot": _boot(),
            "uptime": uptime,
        }
        return f"{json.dumps(fields)}\n"

    def _orphan(self, path: Path) -> LedgerEntry | None:
        name = path.name.removesuffix(_SUFFIX)
        named = parse_noted(name)
        if named is None or name in self._held:
            return None
        by_name = LedgerEntry(name, "", named.profile, named.made_at)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None  # it was settled in this moment
        except OSError:
            return by_name
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_at(descriptor, path):
                return None  # it was written anew, or settled, in this moment
            raw = os.read(descriptor, _LIMIT_BYTES)
        except BlockingIOError:
            return None  # a living console's
        except OSError:
            return by_name
        finally:
            os.close(descriptor)
        return _entry(raw, name) or by_name

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{_SUFFIX}"

    def _deny(self, tried: str, path: Path, error: OSError) -> NoReturn:
        why = error.strerror or "it cannot be done"
        raise RegisterError(
            f"{tried} the ledger of temporary keys {path}", why, "make the folder writable for you"
        ) from None


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _entry(raw: bytes, name: str) -> LedgerEntry | None:
    with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
        fields = json.loads(raw)
        texts = [fields[key] for key in ("endpoint", "profile", "access_key")]
        if fields["name"] == name and all(isinstance(text, str) for text in texts):
            endpoint, profile, access_key = texts
            noted_at, unknown = float(fields["noted_at"]), float(fields.get("unknown_since", 0.0))
            return LedgerEntry(name, endpoint, profile, noted_at, access_key, unknown, _age(fields))
    return None


def _age(fields: Mapping[str, Any]) -> float | None:
    """Seconds since it was noted, None where the machine was started anew since, or does not tell."""
    if not fields.get("boot") or fields["boot"] != _boot():
        return None
    return max(0.0, _uptime() - float(fields["uptime"]))


def _uptime() -> float:
    """Seconds that nobody sets; on Linux those in which the machine slept count too."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _boot() -> str:
    """What tells this start of the machine from others, empty where it has no such thing."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
