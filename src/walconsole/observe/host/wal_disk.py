"""pg_wal as the host's file system shows it, from the host script's records of one cluster."""

import re

from walconsole.domain.facts.observed import WalDiskFacts
from walconsole.domain.facts.snapshot import Problem
from walconsole.domain.redaction import decode
from walconsole.observe.host.host_script import Group

_DF = re.compile(
    rb"^(?P<device>.+?) +(?:(?P<type>[^\s\d]\S*) +)?(?P<total>\d+) +\d+ +(?P<free>-?\d+) +(?:\d+%|-) +/",
    re.MULTILINE,
)
"""df -P, with -T or without."""
_KIB = 1024


def read_wal_disk(group: Group, data_directory: str, remedy: str) -> WalDiskFacts | Problem | None:
    """The facts, why there are none, or None when this look did not cover this cluster.

    `remedy` says how the SSH user would get to read what it could not.
    """
    if "wal.df" not in group.raw:
        return None
    space = _DF.search(group.raw["wal.df"])
    if space is None:
        said = decode(group.raw["wal.df"]).strip().splitlines()
        return Problem(f"df {data_directory}: {said[-1] if said else 'no answer'}", remedy, "Shell")
    hidden = (group.text("wal.missing") or "").split("\n")
    missing = [f"{data_directory}/{name}: cannot be read; {remedy}" for name in hidden if name]
    files, oldest = group.integer("wal.files"), group.text("wal.oldest")
    stats = _stats(group.raw.get("stat", b""))
    segment_bytes = next((size for name, (_, size) in stats.items() if "/" not in name), None)
    wal_bytes = 0 if files == 0 else files * segment_bytes if files and segment_bytes else None
    oldest_stat = stats.get(f"archive_status/{oldest}.ready")
    return WalDiskFacts(
        directory=group.text("wal.directory") or data_directory,
        device=decode(space["device"]),
        filesystem=decode(space["type"] or b"n/a"),
        total_bytes=int(space["total"]) * _KIB,
        free_bytes=max(0, int(space["free"])) * _KIB,
        wal_bytes=wal_bytes,
        wal_files=files,
        ready_count=group.integer("wal.ready"),
        oldest_ready=oldest,
        oldest_ready_at=float(oldest_stat[0]) if oldest_stat else None,
        missing=tuple(missing),
        strange_count=group.integer("wal.strange") or 0,
        strangers=tuple(name for name in (group.text("wal.strangers") or "").split("/") if name),
    )


def modified_at(group: Group, path: str) -> float | None:
    """The mtime of a file that the script was asked about."""
    stat = _stats(group.raw.get("stat", b"")).get(path)
    return float(stat[0]) if stat else None


def _stats(raw: bytes) -> dict[str, tuple[int, int]]:
    """stat's lines, `mtime size name`, by name."""
    found = {}
    for line in decode(raw).splitlines():
        mtime, _, rest = line.partition(" ")
        size, _, name = rest.partition(" ")
        if mtime.isdigit() and size.isdigit() and len(mtime) < 16 and len(size) < 20:
            found[name] = (int(mtime), int(size))
    return found
