"""Where base backups lie in a bucket, which keys must be read to know them, and what those say.

One Whereabouts sees every key of a listing, in any order, and keeps those that matter: a repository of
pgBackRest's has an object for each of the cluster's files.
"""

import re
from bisect import insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from walconsole.domain.recovery.backups import (
    BaseBackup,
    Completeness,
    Unreadable,
    Writer,
    against_listing,
)
from walconsole.domain.recovery.barman import read_barman
from walconsole.domain.recovery.label import KEPT_ELSEWHERE, read_label
from walconsole.domain.recovery.ours import MANIFEST, MARKER, expiring_from, read_ours
from walconsole.domain.recovery.pgbackrest import read_pgbackrest
from walconsole.domain.recovery.wal_g import SENTINEL, read_wal_g
from walconsole.domain.wal import Segment

FOLDERS_KEPT = 2000
STANZAS_KEPT = 200
OBJECTS_KEPT = 10_000
"""Of one backup: a multipart tar a tablespace and a manifest are few."""

_UNPACKED = "data/"
"""Barman's own server keeps a data directory as it is; barman-cloud stores tars."""
_INFO, _INFO_COPY, _METADATA = "backup.info", "backup.info.copy", "metadata.json"
_KEYS = (
    (Writer.OURS, r"(?P<place>(?:.*/)?base/)(?P<id>\d{8}T\d{6}Z)/(?P<name>[^/]+)"),
    (
        Writer.BARMAN,
        r"(?P<place>(?:.*/)?base/)(?P<id>\d{8}T\d{6})/(?P<name>[^/]+|data/PG_VERSION|data/global/pg_control)",
    ),
    (
        Writer.PGBACKREST,
        r"(?P<place>(?:.*/)?backup/[^/]+/)(?P<id>)"
        r"(?P<name>(?:\d{8}-\d{6}F(?:_\d{8}-\d{6}[DI])?/)?backup\.(?:info|manifest)(?:\.copy)?)",
    ),
    (
        Writer.WAL_G,
        r"(?P<place>(?:.*/)?basebackups_\d+/)(?P<id>base_[0-9A-F]{24}(?:_D_[0-9A-F]{24})?(?:_\d{1,20})?)"
        r"(?P<name>_backup_stop_sentinel\.json|/metadata\.json|/tar_partitions/[^/]+)",
    ),
    (Writer.PGHOARD, r"(?P<place>(?:.*/)?basebackup/)(?P<id>[^/]+)(?P<name>)"),
    (
        Writer.LABEL,
        r"(?P<place>(?:.*/)?)(?P<id>[0-9A-F]{24}\.[0-9A-F]{8}\.backup)(?P<name>(?:-[0-9a-f]{40})?(?:\.\w{2,5})*)",
    ),
)
_PATTERNS = tuple((writer, re.compile(pattern, re.ASCII | re.DOTALL)) for writer, pattern in _KEYS)
_STANZA = re.compile(r"(?:.*/)?archive/(?P<stanza>[^/]+)/archive\.info(?:\.copy)?", re.DOTALL)
_HINT = re.compile(r"base/\d|/backup\.|basebackup|\.backup|/archive\.info")
"""In every key that one of the patterns matches: a million keys are passed over in a moment."""


def may_be_of_a_backup(key: str) -> bool:
    """Whether `key` (relative to the profile's prefix) is worth to be noted; most are not."""
    return _HINT.search(key) is not None


@dataclass(slots=True)
class Folder:
    """What is listed of one backup, or with pgBackRest of one stanza: sizes in bytes by name."""

    writer: Writer
    place: str
    id: str
    sizes: dict[str, int] = field(default_factory=dict)

    def key(self, name: str) -> str:
        """Relative to the profile's prefix."""
        return f"{self.place}{self.id}{'/' if self.writer in _IN_FOLDERS else ''}{name}"

    @property
    def wanted(self) -> tuple[str, ...]:
        """The keys (relative) that must be read to know it, as far as they are there.

        Labels may be compressed as the segments are: their bytes are to be unpacked first.
        """
        return tuple(self.key(name) for name in self._documents())

    def _documents(self) -> Iterator[str]:
        match self.writer:
            case Writer.PGBACKREST:
                yield from [name for name in (_INFO, _INFO_COPY) if name in self.sizes][:1]
            case Writer.LABEL:
                yield from list(self.sizes)[:1]
            case _:
                documents = _DOCUMENTS.get(self.writer, ())
                yield from (name for name in documents if name in self.sizes)


_IN_FOLDERS = frozenset({Writer.OURS, Writer.BARMAN})
_ENCRYPTED = f"{MARKER}.bin"
"""The marker behind rclone's crypt that leaves names as they are (filename_encryption = off, suffix .bin)."""
_DOCUMENTS = {
    Writer.OURS: (MARKER,),
    Writer.BARMAN: (_INFO,),
    Writer.WAL_G: (SENTINEL, f"/{_METADATA}"),
}


class Whereabouts:
    """Base backups by the keys of a listing. Of each writer's the newest FOLDERS_KEPT are told apart.

    `passed_over` counts keys of older ones, and of backups with very many objects. `stanzas` are the names of
    pgBackRest's stanzas whose archive.info is listed, STANZAS_KEPT at most.
    """

    def __init__(self) -> None:
        self._folders: dict[tuple[Writer, str, str], Folder] = {}
        self._by_age: dict[Writer, list[tuple[str, str]]] = {}
        self.passed_over = 0
        self.stanzas: set[str] = set()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Whereabouts):
            return NotImplemented
        return vars(self) == vars(other)

    def note(self, key: str, size: int) -> None:
        """`key` (relative to the profile's prefix) is listed with `size` bytes."""
        if not may_be_of_a_backup(key):
            return
        stanza = _STANZA.fullmatch(key)
        if stanza is not None:
            if len(self.stanzas) < STANZAS_KEPT:
                self.stanzas.add(stanza["stanza"])
            return
        for writer, pattern in _PATTERNS:
            match = pattern.fullmatch(key)
            if match:
                self._add((writer, match["place"], match["id"]), match["name"], size)
                return

    def _add(self, named: tuple[Writer, str, str], name: str, size: int) -> None:
        folder = self._folders.get(named) or self._new(named)
        if folder is None or len(folder.sizes) >= OBJECTS_KEPT:
            self.passed_over += 1
            return
        folder.sizes[name] = size

    def _new(self, named: tuple[Writer, str, str]) -> Folder | None:
        """A folder in place of the writer's oldest where there are very many; None: it is older than all."""
        writer, place, id = named
        by_age = self._by_age.setdefault(writer, [])
        if len(by_age) >= FOLDERS_KEPT:
            if (id, place) < by_age[0]:
                return None
            oldest, where = by_age.pop(0)
            self.passed_over += len(self._folders.pop((writer, where, oldest)).sizes)
        insort(by_age, (id, place))
        folder = self._folders[named] = Folder(*named)
        return folder

    def relist(
        self, writer: Writer, place: str, objects: Iterable[tuple[str, int]], *, since: str = ""
    ) -> None:
        """All that lies in that place of the writer's was listed anew: keys (relative) and sizes in bytes.

        With `since` from the backup of that id on.
        """
        for named in [named for named in self._folders if named[:2] == (writer, place) and named[2] >= since]:
            del self._folders[named]
            self._by_age[writer].remove((named[2], place))
        for key, size in objects:
            self.note(key, size)

    def folders(self) -> tuple[Folder, ...]:
        """All of them, by place and id."""
        return tuple(self._folders[named] for named in sorted(self._folders))


def read_folder(folder: Folder, contents: Mapping[str, bytes]) -> tuple[BaseBackup | Unreadable, ...]:
    """The backups of a folder: `contents` are those of its `wanted` keys that were read, by key."""
    if folder.writer is Writer.PGBACKREST:
        return _stanza(folder, contents)
    read = _READERS[folder.writer](folder, contents)
    if isinstance(read, Unreadable):
        return (read,)
    return (replace(read, keys=tuple(folder.key(name) for name in sorted(folder.sizes))),)


def _stanza(folder: Folder, contents: Mapping[str, bytes]) -> tuple[BaseBackup | Unreadable, ...]:
    manifests = [name.split("/")[0] for name in folder.sizes if name.endswith("/backup.manifest")]
    for name in (_INFO, _INFO_COPY):
        key = folder.key(name)
        if key in contents:
            return read_pgbackrest(key, folder.place, contents[key], manifests)
    key = folder.key(_INFO)
    if folder.wanted:
        return (Unreadable(key, "it was not read yet"),)
    return read_pgbackrest(key, folder.place, b"[db:history]\n", manifests)


def _ours(folder: Folder, contents: Mapping[str, bytes]) -> BaseBackup | Unreadable:
    key = folder.key(MARKER)
    if key not in contents:
        if _ENCRYPTED in folder.sizes:
            return Unreadable(
                folder.key(_ENCRYPTED), "it is encrypted (rclone crypt): the droplet alone reads it"
            )
        return _half_expired(folder) or _without(folder, MARKER)
    read = read_ours(key, folder.place, folder.id, contents[key])
    if isinstance(read, Unreadable):
        return read
    if MANIFEST not in folder.sizes and read.completeness is Completeness.COMPLETE:
        return replace(read, completeness=Completeness.INCOMPLETE, why=f"its {MANIFEST} is missing")
    return against_listing(read, folder.sizes)


def _half_expired(folder: Folder) -> BaseBackup | None:
    """What retention left of a backup, where it was interrupted after its marker; None for any other."""
    if MARKER in folder.sizes:
        return None
    begun = next((at for name in sorted(folder.sizes) if (at := expiring_from(name)) is not None), None)
    if begun is None:
        return None
    return BaseBackup(
        Writer.OURS,
        folder.id,
        folder.place,
        completeness=Completeness.INCOMPLETE,
        why="retention took its backup.json away, and was interrupted",
        expiring=begun,
    )


def _barman(folder: Folder, contents: Mapping[str, bytes]) -> BaseBackup | Unreadable:
    key = folder.key(_INFO)
    if key not in contents:
        return _without(folder, _INFO)
    read = read_barman(key, folder.place, folder.id, contents[key])
    if isinstance(read, Unreadable) or read.completeness is not Completeness.COMPLETE:
        return read
    if any(name.startswith(_UNPACKED) for name in folder.sizes):
        return _with_any(
            read, folder, (f"{_UNPACKED}global/pg_control",), "its data/global/pg_control is missing"
        )
    return _with_any(read, folder, ("data.", "data_"), "it has neither data.tar nor a data directory")


def _with_any(read: BaseBackup, folder: Folder, beginnings: tuple[str, ...], why: str) -> BaseBackup:
    """Incomplete without any object that begins so and holds anything: the description lists none."""
    if any(size and name.startswith(beginnings) for name, size in folder.sizes.items()):
        return read
    return replace(read, completeness=Completeness.INCOMPLETE, why=why)


def _wal_g(folder: Folder, contents: Mapping[str, bytes]) -> BaseBackup | Unreadable:
    key = folder.key(SENTINEL)
    if key not in contents:
        return _without(folder, SENTINEL)
    metadata = contents.get(folder.key(f"/{_METADATA}"))
    read = read_wal_g(key, folder.place, folder.id, contents[key], metadata)
    if isinstance(read, Unreadable) or read.completeness is not Completeness.COMPLETE:
        return read
    return _with_any(read, folder, ("/tar_partitions/",), "its tar_partitions are missing")


def _pghoard(folder: Folder, _contents: Mapping[str, bytes]) -> BaseBackup:
    """pghoard keeps what it knows of a backup in the object's metadata, which no listing shows."""
    return _unknown(folder, "pghoard's backups are not read")


def _label(folder: Folder, contents: Mapping[str, bytes]) -> BaseBackup | Unreadable:
    """Without its content its name says where replay begins, for segments of any size."""
    read = next((contents[key] for key in folder.wanted if key in contents), None)
    if read is not None:
        return read_label(folder.wanted[0], folder.id, folder.place, read)
    return _unknown(folder, KEPT_ELSEWHERE)


def _without(folder: Folder, document: str) -> BaseBackup:
    if document in folder.sizes:
        return _unknown(folder, f"its {document.removeprefix('_')} was not read yet")
    return BaseBackup(
        folder.writer,
        folder.id,
        folder.place,
        completeness=Completeness.INCOMPLETE,
        why=f"its {document.removeprefix('_')} is missing: it was not finished",
    )


def _unknown(folder: Folder, why: str) -> BaseBackup:
    return BaseBackup(folder.writer, folder.id, folder.place, completeness=Completeness.UNKNOWN, why=why)


_READERS = {
    Writer.OURS: _ours,
    Writer.BARMAN: _barman,
    Writer.WAL_G: _wal_g,
    Writer.PGHOARD: _pghoard,
    Writer.LABEL: _label,
}


def label_backup(place: str, segment: Segment, segment_bytes: int) -> BaseBackup:
    """What the index alone knows of a `.backup` label: the segment in which a base backup began."""
    return BaseBackup(
        Writer.LABEL,
        segment.name(segment_bytes),
        place,
        timeline=segment.timeline,
        start_lsn=segment.start_lsn(segment_bytes),
        segment_bytes=segment_bytes,
        completeness=Completeness.UNKNOWN,
        why=KEPT_ELSEWHERE,
    )
