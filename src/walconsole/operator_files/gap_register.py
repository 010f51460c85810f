"""ports.GapRegister: a TOML file of the operator's, `accepted-gaps.toml`, one [[gap]] for each.

Adding appends to the file's text, so that comments stay; taking back removes that one table. Two
consoles at once take turns by a lock beside the file.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime

from walconsole.domain.archive.gaps import AcceptedGap
from walconsole.errors import RegisterError
from walconsole.operator_files.places import places
from walconsole.operator_files.private import (
    check_private,
    locked_within,
    make_private,
    open_appending,
    replace_text,
)

LOCK_PATIENCE_S = 3.0
LIMIT_BYTES = 4 * 1024 * 1024
_HEADING = """\
# Gaps in the archive that somebody knows to be lost. walconsole shows them and does not alarm.
# Written by its archive screen (A); may be edited by hand.
"""
_TABLE = re.compile(r"^\s*\[\[\s*gap\s*\]\]\s*(?:#.*)?$", re.MULTILINE)
_ANY_TABLE = re.compile(r"^\s*\[", re.MULTILINE)
_NAME = re.compile(r"[0-9A-F]{24}")
_TEXTS = ("endpoint", "bucket", "root", "first", "last", "reason", "by")
_OPTIONAL = frozenset({"by", "root"})


class GapFile:
    """`environ` says where the operator's configuration lies."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.path = places(environ).accepted_gaps

    def accepted(self) -> Sequence[AcceptedGap]:
        """All gaps of the file, none where there is no file. Raises RegisterError."""
        return self._parsed(self._text())

    def accept(self, gap: AcceptedGap) -> None:
        """Append one. Raises RegisterError; the file stays as it was."""
        written = self._as_written(gap)
        with self._locked():
            text = self._text()
            if written in self._parsed(text):
                return
            if text and not text.endswith("\n"):
                text += "\n"
            self._replace(f"{text or _HEADING}\n{_table(gap)}")

    def withdraw(self, gap: AcceptedGap) -> None:
        """Remove one, where it is there. Raises RegisterError; the file stays as it was."""
        written = self._as_written(gap)
        with self._locked():
            text = self._text()
            every = self._parsed(text)
            if written not in every:
                return
            at = every.index(written)
            left = _without(text, at, len(every))
            if left is None or not self._holds(left, every[:at] + every[at + 1 :]):
                raise self._error("writing", f"gap {at + 1} cannot be told from the text around it")
            self._replace(left)

    def _holds(self, text: str, gaps: Sequence[AcceptedGap]) -> bool:
        try:
            return self._parsed(text) == gaps
        except RegisterError:
            return False

    def _as_written(self, gap: AcceptedGap) -> AcceptedGap:
        """As it is read again: a time in the file has whole microseconds."""
        return self._parsed(_table(gap))[0]

    def _text(self) -> str:
        try:
            check_private(self.path.parent)
            with self.path.open("rb") as file:
                raw = file.read(LIMIT_BYTES + 1)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise self._denied("reading", error) from None
        if len(raw) > LIMIT_BYTES:
            raise self._error("reading", f"it is larger than {LIMIT_BYTES} bytes")
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise self._error("reading", "it is not UTF-8") from None

    def _parsed(self, text: str) -> tuple[AcceptedGap, ...]:
        try:
            document = tomllib.loads(text)
        except ValueError as error:  # also of Python's own, for an integer of too many digits
            raise self._error("reading", str(error)) from None
        except RecursionError:
            raise self._error("reading", "it is nested too deeply") from None
        tables = document.pop("gap", [])
        if document or not isinstance(tables, list):
            raise self._error("reading", "it may hold [[gap]] tables and nothing else")
        return tuple(self._gap(at, table) for at, table in enumerate(tables, 1))

    def _gap(self, at: int, table: object) -> AcceptedGap:
        if not isinstance(table, dict):
            raise self._error("reading", f"gap {at} is no table")
        unknown = set(table) - {field.name for field in fields(AcceptedGap)}
        if unknown:
            raise self._error("reading", f"gap {at} has an unknown key {min(unknown)!r}")
        texts = {name: table.get(name, "" if name in _OPTIONAL else None) for name in _TEXTS}
        wrong = [name for name, value in texts.items() if not isinstance(value, str)]
        if wrong:
            raise self._error("reading", f"gap {at} has no text {wrong[0]}")
        first, last = str(texts["first"]), str(texts["last"])
        if not (_NAME.fullmatch(first) and _NAME.fullmatch(last) and first[:8] == last[:8] and first <= last):
            raise self._error("reading", f"gap {at}: first and last are segments of one timeline, in order")
        named = {name: str(value) for name, value in texts.items()}
        return AcceptedGap(accepted_at=self._accepted_at(at, table.get("accepted_at")), **named)

    def _accepted_at(self, at: int, moment: object) -> float:
        if not isinstance(moment, datetime):
            raise self._error("reading", f"gap {at} has no time accepted_at, as 2026-05-10T14:00:00Z")
        try:
            return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC).timestamp()
        except OverflowError:
            why = f"gap {at}: accepted_at is no time between the years 1 and 9999"
            raise self._error("reading", why) from None

    def _replace(self, text: str) -> None:
        """In one step, once it is known that what is written can be read again."""
        self._parsed(text)
        try:
            replace_text(self.path.resolve(), text)  # the operator may keep it elsewhere, behind a link
        except OSError as error:
            raise self._denied("writing", error) from None

    def _lock(self, handle: int) -> None:
        try:
            locked = locked_within(handle, LOCK_PATIENCE_S)
        except OSError as error:
            raise self._denied("locking", error) from None
        if not locked:
            remedy = "try again; end the other console if it hangs"
            raise RegisterError(
                f"locking the accepted gaps in {self.path}", "another console holds them", remedy
            )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            make_private(self.path.parent)
            handle = open_appending(self.path.with_suffix(".lock"))
        except OSError as error:
            raise self._denied("writing", error) from None
        try:
            self._lock(handle)
            yield
        finally:
            os.close(handle)

    def _denied(self, doing: str, error: OSError) -> RegisterError:
        remedy = "see to the folder and its permissions: nothing was changed"
        return RegisterError(f"{doing} the accepted gaps in {self.path}", str(error.strerror), remedy)

    def _error(self, doing: str, why: str) -> RegisterError:
        remedy = "correct the file by hand: nothing in it was changed"
        return RegisterError(f"{doing} the accepted gaps in {self.path}", why, remedy)


def _table(gap: AcceptedGap) -> str:
    moment = datetime.fromtimestamp(gap.accepted_at, UTC).isoformat().replace("+00:00", "Z")
    lines = [f"{name} = {_quoted(getattr(gap, name))}" for name in _TEXTS]
    return "\n".join(["[[gap]]", *lines, f"accepted_at = {moment}"]) + "\n"


def _quoted(text: str) -> str:
    """A TOML basic string: what it does not allow is escaped."""
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable():
        return char
    return f"\\U{0xFFFD if 0xD800 <= ord(char) < 0xE000 else ord(char):08X}"


def _without(text: str, position: int, count: int) -> str | None:
    """The text without its [[gap]] table number `position`, None where it has not `count` of them.

    Comments between that table's last line and the next table stay: they are the next one's.
    """
    starts = [match.start() for match in _TABLE.finditer(text)]
    if len(starts) != count:
        return None
    start = starts[position]
    following = _ANY_TABLE.search(text, text.index("]]", start) + 2)
    stop = following.start() if following else len(text)
    lines = re.findall(r"[^\n]*\n|[^\n]+", text[start:stop])
    while lines[-1].strip() == "" or lines[-1].lstrip().startswith("#"):
        stop -= len(lines.pop())
    before, rest = text[:start].rstrip("\n"), text[stop:].lstrip("\n")
    return f"{before}\n\n{rest}" if before and rest else f"{before or rest}\n".lstrip("\n")
