"""Which file system is seen to be full, where a program says that one is: its words alone prove nothing."""

import re

from walconsole.domain.facts.evidence import FileSystemRoom
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.records import record
from walconsole.domain.standing.model import Proof
from walconsole.domain.wal import DEFAULT_SEGMENT_BYTES

_PATH = re.compile(r"(?<![\w.:/-])/[^\s'\"‘’«»:;,`]+")
_USUAL = ("/tmp", "/var/tmp", "/var/log")  # noqa: S108 - places that commands write to, which are only compared
_SMALL_SEGMENTS = 4
"""A file system that holds fewer was not made for WAL: it is full when a twentieth of it is left."""


@record
class Full:
    """A file system without room at `path` (its mount point): `what` it has none of, and what shows it."""

    path: str
    what: str
    proof: Proof


def seen_full(snapshot: Snapshot, said: str) -> Full | None:
    """The full file system that these words can mean; None where none of those that were looked at is."""
    command = snapshot.command.value
    rooms = command.room if command is not None else ()
    for path in _named(snapshot, said):
        room = _room_of(path, rooms)
        what = _lacking(room, _segment_bytes(snapshot)) if room is not None else ""
        if room is not None and what:
            return Full(
                room.path, what, Proof(_told(room), "df, as the server's user", snapshot.command.read_at)
            )
    return _pg_wal_full(snapshot)


def _named(snapshot: Snapshot, said: str) -> tuple[str, ...]:
    """The absolute paths that the words name, else where commands usually write."""
    named = tuple(match[0] for match in _PATH.finditer(said))
    disk = snapshot.wal_disk.value
    return named or (*((disk.directory,) if disk is not None else ()), *_USUAL)


def _room_of(path: str, rooms: tuple[FileSystemRoom, ...]) -> FileSystemRoom | None:
    """The one that holds `path`: the longest mount point that it lies below."""
    above = [room for room in rooms if f"{path}/".startswith(f"{room.path.rstrip('/')}/")]
    return max(above, key=lambda room: len(room.path), default=None)


def _lacking(room: FileSystemRoom, segment_bytes: int) -> str:
    if room.free_inodes == 0:
        return "inode"
    small = room.total_bytes < _SMALL_SEGMENTS * segment_bytes
    full = room.free_bytes * 20 < room.total_bytes if small else room.free_bytes < segment_bytes
    return "space" if full else ""


def _told(room: FileSystemRoom) -> str:
    inodes = "" if room.free_inodes is None else f", {room.free_inodes:,} inodes"
    return f"{room.path}: {room.free_bytes:,} of {room.total_bytes:,} bytes{inodes} free"


def _pg_wal_full(snapshot: Snapshot) -> Full | None:
    disk = snapshot.wal_disk.value
    if disk is None or disk.free_bytes >= _segment_bytes(snapshot):
        return None
    room = FileSystemRoom(disk.directory, disk.free_bytes, disk.total_bytes)
    return Full(disk.directory, "space", Proof(_told(room), "df", snapshot.wal_disk.read_at))


def _segment_bytes(snapshot: Snapshot) -> int:
    server = snapshot.server.value
    return server.segment_bytes if server is not None else DEFAULT_SEGMENT_BYTES
