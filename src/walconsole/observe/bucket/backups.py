"""What base backups in a bucket say of themselves: their places listed again, their descriptions read once.

A poll lists only the main archive's newest keys, so each place in which backups lie is listed with every
check, and where the installed script stores them even before the first is there.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from walconsole.domain.archive.layouts import place_of
from walconsole.domain.archive.listing import StoredObject
from walconsole.domain.records import record
from walconsole.domain.recovery.backups import BaseBackup, Unreadable, Writer
from walconsole.domain.recovery.hostile import LONGEST, LONGEST_LIST
from walconsole.domain.recovery.ours import FOLDER
from walconsole.domain.recovery.whereabouts import Folder, Whereabouts, read_folder
from walconsole.domain.redaction import safe
from walconsole.domain.store.answers import PASSING
from walconsole.errors import ObjectStoreError
from walconsole.ports import ObjectStore, Plain

AT_ONCE = 16
READ_EACH_TIME = 400
"""The newest descriptions first; what is left is read with the next check."""
LABELS_READ = 16
"""The newest. Where replay begins an older one's name tells, and no label tells where its backup is."""
PAGES_LISTED = 4
"""Of a place with more keys than these pages hold only the newest backups are listed again."""
NEWEST_LISTED = 100
PLACES_LISTED = 8


@record
class _Document:
    """A description as it was read: `of` tells one object under its key from another."""

    of: tuple[object, ...]
    content: bytes
    why: str = ""


@dataclass(slots=True)
class KnownBackups:
    """What was read. `found` is None before that, and the same tuple while nothing has changed.

    `doubted`: all was listed anew, and each description is read again. `stamps` is by key (relative) what the
    last listing of its place said of an object.
    """

    found: tuple[BaseBackup | Unreadable, ...] | None = None
    documents: dict[str, _Document] = field(default_factory=dict)
    stamps: dict[str, tuple[object, ...]] = field(default_factory=dict)
    doubted: bool = False

    @property
    def worth_another_look(self) -> bool:
        """Whether a few descriptions could not be read: what a key lacks may be given to it any moment."""
        return 0 < sum(isinstance(each, Unreadable) for each in self.found or ()) <= AT_ONCE


async def read_backups(
    known: KnownBackups,
    whereabouts: Whereabouts,
    root: str,
    prefix: str,
    store: ObjectStore,
    plain: Plain,
    *,
    just_listed: bool = False,
) -> bool:
    """List and read what may be new; whether anything is. `root` is the main archive's folder.

    `just_listed`: the whole bucket was. Raises what the store does where it fails itself.
    """
    if not just_listed:
        await _list_places(known, whereabouts, prefix, store)
    folders = tuple(_told_apart(whereabouts.folders(), root))
    if known.doubted:
        known.documents.clear()
        known.doubted = False
    await _read(known, folders, prefix, store, plain)
    for folder in folders:
        if folder.writer is Writer.PGBACKREST:
            await _look_for_manifests(known, folder, prefix, store)
    found = tuple(each for folder in folders for each in _described(known, folder))
    if found == known.found:
        return False
    known.found = found
    return True


# -- Listing.


async def _list_places(
    known: KnownBackups, whereabouts: Whereabouts, prefix: str, store: ObjectStore
) -> None:
    known_ids: dict[tuple[Writer, str], list[str]] = {(Writer.OURS, FOLDER): []}
    for folder in whereabouts.folders():
        if folder.writer is not Writer.LABEL:
            known_ids.setdefault((folder.writer, folder.place), []).append(folder.id)
    stamps: dict[str, tuple[object, ...]] = {}
    for (writer, place), ids in list(known_ids.items())[:PLACES_LISTED]:
        if writer is Writer.PGBACKREST:
            listed, _ = await _list(store, prefix, f"{place}backup.inf", f"{place}backup.info", pages=1)
            _note(whereabouts, listed)
        else:
            listed = await _list_place(whereabouts, writer, place, ids, prefix, store)
        stamps |= {key: (each.size, each.etag or each.modified_at) for key, each in listed.items()}
    known.stamps = stamps


async def _list_place(
    whereabouts: Whereabouts, writer: Writer, place: str, ids: Sequence[str], prefix: str, store: ObjectStore
) -> dict[str, StoredObject]:
    """From the first backup on, else from as far back as a few pages hold: what is gone there is seen."""
    listed: dict[str, StoredObject] = {}
    for since in ("", *ids[-NEWEST_LISTED:][:1], *ids[-1:]):
        listed, whole = await _list(store, prefix, f"{place}{since}", place, pages=PAGES_LISTED)
        if whole:
            whereabouts.relist(writer, place, [(key, each.size) for key, each in listed.items()], since=since)
            return listed
    _note(whereabouts, listed)
    return listed


def _note(whereabouts: Whereabouts, listed: Mapping[str, StoredObject]) -> None:
    for key, stored in listed.items():
        whereabouts.note(key, stored.size)


async def _list(
    store: ObjectStore, prefix: str, after: str, within: str, *, pages: int, keys_each: int = 1000
) -> tuple[dict[str, StoredObject], bool]:
    """Objects by their keys (relative) after `after` that begin with `within`; whether they are all."""
    found: dict[str, StoredObject] = {}
    start_after = prefix + after
    for _ in range(pages):
        page = await store.page(start_after=start_after, max_keys=keys_each)
        keys = page.objects.keys
        here = [at for at, key in enumerate(keys) if key.startswith(prefix + within)]
        found |= {keys[at][len(prefix) :]: page.objects[at] for at in here}
        if not page.truncated or len(here) < len(keys) or not keys or keys[-1] <= start_after:
            return found, True
        start_after = keys[-1]
    return found, False


async def _look_for_manifests(known: KnownBackups, folder: Folder, prefix: str, store: ObjectStore) -> None:
    """Of backups that the stanza's list has and the last sweep had not: each lies among its many files."""
    listed = (known.documents[key].content for key in folder.wanted if key in known.documents)
    ids = [match.decode("ascii") for content in listed for match in _IN_STANZA.findall(content)]
    missing = [id for id in ids if f"{id}/backup.manifest" not in folder.sizes]
    for id in missing[-AT_ONCE:]:
        manifest = f"{folder.place}{id}/backup.manifest"
        found, _ = await _list(store, prefix, manifest[:-1], manifest, pages=1, keys_each=1)
        folder.sizes |= {f"{id}/backup.manifest": each.size for key, each in found.items() if key == manifest}


_IN_STANZA = re.compile(rb"(?m)^(\d{8}-\d{6}F(?:_\d{8}-\d{6}[DI])?)=")


def _told_apart(folders: Sequence[Folder], root: str) -> Iterator[Folder]:
    """All but the labels of other archives, and old ones."""
    labels = [each for each in folders if each.writer is Writer.LABEL and _root_of(each.place) == root]
    kept = {each.key("") for each in labels[-LABELS_READ:]}
    yield from (each for each in folders if each.writer is not Writer.LABEL or each.key("") in kept)


def _root_of(directory: str) -> str | None:
    place = place_of(directory)
    return None if place is None else place.root


# -- Reading.


async def _read(
    known: KnownBackups, folders: Sequence[Folder], prefix: str, store: ObjectStore, plain: Plain
) -> None:
    wanted = {key: (folder, _size(folder, key)) for folder in folders for key in folder.wanted}
    known.documents = {key: read for key, read in known.documents.items() if key in wanted}
    due = [
        (folder, key, of)
        for key, (folder, size) in wanted.items()
        if _is_new(known.documents.get(key), of := known.stamps.get(key, (size,)))
    ][-READ_EACH_TIME:]
    for at in range(0, len(due), AT_ONCE):
        some = due[at : at + AT_ONCE]
        read = await asyncio.gather(
            *(_document(folder, key, of, prefix, store, plain) for folder, key, of in some)
        )
        for (_, key, _), document in zip(some, read, strict=True):
            if isinstance(document, ObjectStoreError):
                raise document
            known.documents[key] = document


def _size(folder: Folder, key: str) -> int:
    return folder.sizes[key.removeprefix(folder.key(""))]


def _is_new(read: _Document | None, of: tuple[object, ...]) -> bool:
    """Whether another object may be there than the one that was read, or its reading failed."""
    return read is None or bool(read.why) or read.of != of


async def _document(
    folder: Folder, key: str, of: tuple[object, ...], prefix: str, store: ObjectStore, plain: Plain
) -> _Document | ObjectStoreError:
    """What was read; the error where it is the whole bucket's trouble."""
    limit = LONGEST_LIST if folder.writer is Writer.PGBACKREST else LONGEST
    try:
        content = await store.read(prefix + key, limit + 1)
        body = plain.whole(key, content.body, limit) if folder.writer is Writer.LABEL else content.body
    except ObjectStoreError as error:
        return error if error.meaning in PASSING else _Document(of, b"", error.why)
    except ValueError as error:
        return _Document(of, b"", str(error))
    return _Document(of, body)


def _described(known: KnownBackups, folder: Folder) -> Iterator[BaseBackup | Unreadable]:
    """A folder's backups; what could not be read of it stands for what may be there."""
    documents = {key: known.documents[key] for key in folder.wanted if key in known.documents}
    failed = next(((key, read.why) for key, read in documents.items() if read.why), None)
    if failed is not None:
        if folder.writer is not Writer.LABEL:  # a label's name says all that is asked of one
            yield Unreadable(safe(failed[0]), safe(failed[1]))
        return
    yield from read_folder(folder, {key: read.content for key, read in documents.items()})
