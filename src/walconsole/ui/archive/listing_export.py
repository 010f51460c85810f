"""The whole listing of a bucket as a file, written page by page: memory does not grow with it.

Fields: `key`, `size` (bytes), `modified_at` (ISO 8601 in UTC, the store's clock), `etag`. JSON lines
hold each key exactly; in CSV it is written as `export.csv_cell` does.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import os
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from textual.message import Message

from walconsole.errors import ObjectStoreError, WalconsoleError
from walconsole.operator_files.private import open_new
from walconsole.ui.archive.export import csv_cell, exact_json
from walconsole.ui.board.export import export_folders, make_export_folder, moment_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from walconsole.domain.archive.listing import ObjectListing, StoredObject
    from walconsole.domain.profile import BucketRole
    from walconsole.ports import BucketReader

T = TypeVar("T")

_FIELDS = ("key", "size", "modified_at", "etag")
_TRIES = 100
INCOMPLETE = ".incomplete"
"""Ends the file's name while it is written: what a killed console leaves behind is told apart."""


class ListingFormat(StrEnum):
    """The file's ending."""

    CSV = "csv"
    JSON_LINES = "jsonl"


class ListingProgressed(Message):
    """`objects` were written so far, of about `total` (None: not known)."""

    def __init__(self, role: BucketRole, objects: int, total: int | None) -> None:
        self.role, self.objects, self.total = role, objects, total
        super().__init__()


class ListingWritten(Message):
    """All `objects` are in `path`."""

    def __init__(self, role: BucketRole, path: Path, objects: int) -> None:
        self.role, self.path, self.objects = role, path, objects
        super().__init__()


class ListingFailed(Message):
    """`why` there is no file, in one line."""

    def __init__(self, role: BucketRole, why: str) -> None:
        self.role, self.why = role, why
        super().__init__()


async def export_listing(
    reader: BucketReader,
    stem: str,
    form: ListingFormat,
    tell: Callable[[Message], object],
    folder: Path | None = None,
) -> Path | None:
    """Write all keys of a bucket to a new file `stem`.`form`, readable by its owner alone.

    `tell` gets ListingProgressed after each page, then ListingWritten or ListingFailed; a cancelled
    or failed export leaves no file. Into `folder`, else where ui.export writes. Returns the file's
    path, None when it failed.
    """
    role = reader.target.role
    try:
        sheet = _open(stem, form, export_folders(folder))
    except OSError as error:
        tell(ListingFailed(role, f"creating {stem}.{form}: {error.strerror or error}"))
        return None
    try:
        objects = await _copy(reader, sheet, tell)
        path = await _settled(sheet.finish)
    except WalconsoleError as error:
        tell(ListingFailed(role, error.line()))
        return None
    except OSError as error:
        tell(ListingFailed(role, f"writing {sheet.path}: {error.strerror or error}"))
        return None
    finally:
        sheet.discard()
    tell(ListingWritten(role, path, objects))
    return path


async def _copy(reader: BucketReader, sheet: _Sheet, tell: Callable[[Message], object]) -> int:
    """Page after page; how many objects there were."""
    after, objects = "", 0
    while True:
        page = await reader.page(after)
        keys = page.objects.keys
        if (keys and keys[0] <= after) or (page.truncated and not keys):
            raise ObjectStoreError(
                f"listing bucket {reader.target.bucket}",
                "a page does not continue where the one before it ended",
                "export again; if it happens again, the store does not list in key order",
                code="BrokenListing",
            )
        objects += await _settled(sheet.write, page.objects)
        marks = reader.marks
        tell(ListingProgressed(reader.target.role, objects, marks.total if marks is not None else None))
        if not page.truncated:
            return objects
        after = keys[-1]


async def _settled(work: Callable[..., T], *arguments: object) -> T:
    """Do it in a thread; cancelled, wait for the thread first: nobody closes a file that it writes to."""
    job = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        await asyncio.wait([job])
        raise


def _open(stem: str, form: ListingFormat, folders: list[Path]) -> _Sheet:
    """In the first folder that takes it. Raises OSError of the last one."""
    problem: OSError = FileNotFoundError("there is no folder to write to")
    for folder in folders:
        try:
            make_export_folder(folder)
            return _Sheet(folder, stem, form)
        except OSError as error:
            problem = error
    raise problem


class _Sheet:
    """The file while it is written. Used by one thread at a time."""

    def __init__(self, folder: Path, stem: str, form: ListingFormat) -> None:
        self._folder, self._stem, self._form = folder, stem, form
        self.path, handle = self._created()
        self._file = os.fdopen(handle, "w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        if form is ListingFormat.CSV:
            self._writer.writerow(_FIELDS)

    def write(self, objects: ObjectListing) -> int:
        """A page's objects; how many."""
        for at in range(len(objects)):
            self._one(objects[at])
        return len(objects)

    def _one(self, stored: StoredObject) -> None:
        moment = moment_text(stored.modified_at)
        if self._form is ListingFormat.CSV:
            self._writer.writerow((csv_cell(stored.key), stored.size, moment, csv_cell(stored.etag)))
            return
        values = stored.key, stored.size, moment, stored.etag
        self._file.write(exact_json(dict(zip(_FIELDS, values, strict=True))) + "\n")

    def finish(self) -> Path:
        """Give it its name, which no file had before."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        for path in self._names():
            try:
                path.hardlink_to(self.path)
            except FileExistsError:
                continue
            except OSError:  # a file system without hard links
                if path.exists():
                    continue
                self.path.rename(path)
            return path
        raise FileExistsError(f"{_TRIES} exports of this second already exist")

    def discard(self) -> None:
        """Close it, and take the unfinished name away; where that cannot be it stays marked by its name."""
        with contextlib.suppress(OSError):  # a full disk fails once more here
            self._file.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _created(self) -> tuple[Path, int]:
        for path in self._names():
            unfinished = path.with_name(path.name + INCOMPLETE)
            try:
                return unfinished, open_new(unfinished)
            except FileExistsError:
                continue
        raise FileExistsError(f"{_TRIES} exports of this second already exist")

    def _names(self) -> list[Path]:
        counts = ("", *(f"-{count}" for count in range(2, _TRIES + 1)))
        return [self._folder / f"{self._stem}{count}.{self._form.value}" for count in counts]
