"""What a folder holds, as keys in the order in which S3 lists them: from what find prints, kept small.

A key is a file's path below the folder. Files of one directory are kept together, for a directory is what is
listed again when it changed; a million keys take about 45 MB while they are kept, and twice that while they
are sorted.
"""

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from walconsole.domain.archive.listing import StoredObject
from walconsole.domain.redaction import decode

CLOCK = "printf 'c%s\\0000\\0000\\000' \"$(date +%s)\"\n"
STATUS = "printf 'e%s\\0000\\0000\\000' \"$?\"\n"
_ASIDE = (
    "lost+found", ".snapshot", ".zfs", "'#recycle'", "@eaDir", "@Recycle", "'.Trash-*'", "'$RECYCLE.BIN'",
)  # fmt: skip
PRUNED = rf"\( -type d \( {' -o '.join(f'-name {each}' for each in _ASIDE)} \) -prune \)"
"""What file systems and their servers keep beside the files: what a check of the disk found, which only root
may enter, earlier states, what was deleted. None of it is in the archive.
"""
FIND = rf"{PRUNED} -o \( -type f -printf 'f%P\0%s\0%T@\0' \) -o \( -type d -printf 'd%P\0%s\0%T@\0' \)"
"""find(1): three fields a file or directory, each ended by NUL, which no name can hold: a letter and the path
below the starting point, the size in bytes, the time of the last change of its contents in seconds. CLOCK and
STATUS print records of the same form.
"""
_FIELDS = 3
SETTLING_S = 2.0
"""A file that was written to within this time may be in the middle of being copied."""


class FindReader:
    """Reads what find prints, as it comes: `feed` chunks, then `end`. Raises ValueError for anything else.

    A path that find prints is below `below` (empty, or with a slash at its end). `shallow`: only that
    directory's own files are listed, and `directories` are those in it. `clock` is the host's when it began,
    `status` what find ended with, both None before they came; `rest` is what is no record.
    """

    def __init__(self, below: str = "", *, shallow: bool = False) -> None:
        self.clock: float | None = None
        self.status: int | None = None
        self.rest = b""
        self.directories: set[str] = set()
        self._below, self._shallow = below, shallow
        self._packs: dict[bytes, _Pack] = {}

    def feed(self, chunk: bytes) -> None:
        """Some more of it."""
        fields = (self.rest + chunk).split(b"\0")
        whole = (len(fields) - 1) // _FIELDS * _FIELDS
        self.rest = b"\0".join(fields[whole:])
        packs = self._packs
        for named, size, at in zip(
            fields[0:whole:_FIELDS], fields[1:whole:_FIELDS], fields[2:whole:_FIELDS], strict=True
        ):
            if named[:1] == b"f":
                cut = max(1, named.rfind(b"/") + 1)
                pack = packs.get(named[1:cut]) or self._pack(named[1:cut])
                pack.names.append(named[cut:])
                pack.sizes.append(int(size))
                pack.times.append(float(at))
                if len(pack.names) == RUN_FILES:
                    pack.pack_up()
            else:
                self._special(named[:1], named[1:], float(at))

    def _special(self, kind: bytes, value: bytes, at: float) -> None:
        if kind == b"d":
            directory = value + b"/" if value else b""
            if self._shallow and directory:
                self.directories.add(self._below + decode_path(directory))
            else:
                self._pack(directory).changed_at = at
        elif kind == b"c":
            self.clock = float(value)
        elif kind == b"e":
            self.status = int(value)
        else:
            raise ValueError(f"find printed {decode(kind + value[:80])!r}")

    def _pack(self, directory: bytes) -> "_Pack":
        return self._packs.setdefault(directory, _Pack(self._below + decode_path(directory)))

    def end(self, into: "FolderListing", segment_bytes: int | None = None) -> bool:
        """All came: it takes the place of what `into` knew. Whether segments that settle were left out."""
        packs, now = self._packs.values(), self.clock
        came = sum(pack.files for pack in packs)
        blocks = {pack.directory: pack.sorted(now, segment_bytes) for pack in packs}
        into.replace(blocks, now)
        return sum(map(len, blocks.values())) < came


def decode_path(raw: bytes) -> str:
    """A path as a key; bytes that are no UTF-8 survive, and come back by `encode_path`."""
    return raw.decode("utf-8", "surrogateescape")


def encode_path(path: str) -> bytes:
    """The bytes that the host knows it by."""
    return path.encode("utf-8", "surrogateescape")


RUN_FILES = 16_384
"""So many of a directory are held one by one, at most: joined, names take a third of that."""
_STRIDE = 1024


class _Files:
    """Files of one directory in the order of their names, packed: the names joined, and where each begins."""

    __slots__ = ("_names", "_starts", "sizes", "times")

    def __init__(
        self, names: bytearray, starts: Sequence[int], sizes: "array[int]", times: "array[float]"
    ) -> None:
        self._names, self._starts, self.sizes, self.times = names, starts, sizes, times

    def __len__(self) -> int:
        return len(self.sizes)

    def name(self, at: int) -> bytes:
        """One file's name."""
        return bytes(self._names[self._starts[at] : self._starts[at + 1] - 1])

    def joined(self, start: int, stop: int) -> bytes:
        """The names of files `start` up to, not including, `stop`, at least one, with NUL between them."""
        return bytes(self._names[self._starts[start] : self._starts[stop] - 1])

    def upto(self, name: bytes) -> int:
        """How many of them come before, or are, that name."""
        return bisect_right(range(len(self)), name, key=self.name)


class _Packing:
    """Files that come in the order of their names, some at a time.

    While all names are of one length, as WAL's are, where each begins need not be held.
    """

    def __init__(self) -> None:
        self._names = bytearray()
        self._lengths: set[int] = set()
        self._starts: array[int] | None = None
        self._sizes, self._times = array("q"), array("d")

    def add(self, names: Sequence[bytes], sizes: "array[int]", times: "array[float]", keep: "_Keep") -> None:
        """These in their order, as far as `keep` has them."""
        order = sorted(range(len(names)), key=names.__getitem__)
        if keep is not None:
            order = [at for at in order if keep(names[at], sizes[at], times[at])]
        lengths = self._lengths | {len(names[at]) + 1 for at in order}
        if self._starts is None and len(lengths) > 1:
            self._starts = array("Q", self._evenly())
        self._lengths = lengths
        for at in order:
            self._names += names[at] + b"\0"
            if self._starts is not None:
                self._starts.append(len(self._names))
        self._sizes.extend(sizes[at] for at in order)
        self._times.extend(times[at] for at in order)

    def _evenly(self) -> range:
        return range(0, len(self._names) + 1, next(iter(self._lengths), 1))

    def packed(self) -> _Files:
        """All of them."""
        starts = self._evenly() if self._starts is None else self._starts
        return _Files(self._names, starts, self._sizes, self._times)


_Keep = Callable[[bytes, int, float], bool] | None


class _Pack:
    """The files of one directory as they came; of many, those that came before as sorted runs."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.changed_at = 0.0
        self.names: list[bytes] = []
        self.sizes, self.times = array("q"), array("d")
        self._runs: list[_Files] = []
        self._newest = 0.0

    def __bool__(self) -> bool:
        return True

    @property
    def files(self) -> int:
        """How many came."""
        return len(self.names) + sum(map(len, self._runs))

    def pack_up(self) -> None:
        """Make a run of what came since the last."""
        self._newest = max(self._newest, *self.times)
        packing = _Packing()
        packing.add(self.names, self.sizes, self.times, None)
        self._runs.append(packing.packed())
        self.names, self.sizes, self.times = [], array("q"), array("d")

    def sorted(self, host_now: float | None, segment_bytes: int | None) -> "Block":
        newest = max(self._newest, max(self.times, default=0.0))
        keep: _Keep = None
        if host_now is not None and newest > host_now - SETTLING_S:
            now = host_now

            def keep(name: bytes, size: int, at: float) -> bool:
                return _is_settled(name, size, at, now, segment_bytes)

        if self._runs and self.names:
            self.pack_up()
        packing = _Packing()
        if self._runs:
            _merge(self._runs, packing, keep)
            self._runs = []
        else:
            packing.add(self.names, self.sizes, self.times, keep)
        return Block(self.directory, packing.packed(), self.changed_at, newest)


def _merge(runs: Sequence[_Files], packing: _Packing, keep: _Keep) -> None:
    """All of them into one, a stretch of the names at a time: only that many are ever held by themselves."""
    marks = sorted(run.name(at) for run in runs for at in range(0, len(run), _STRIDE))
    each = RUN_FILES // _STRIDE
    begun = [0] * len(runs)
    for last in (*marks[each::each], None):
        names: list[bytes] = []
        sizes, times = array("q"), array("d")
        for number, run in enumerate(runs):
            start = begun[number]
            stop = begun[number] = len(run) if last is None else run.upto(last)
            if start < stop:
                names += run.joined(start, stop).split(b"\0")
                sizes += run.sizes[start:stop]
                times += run.times[start:stop]
        packing.add(names, sizes, times, keep)


def _is_settled(name: bytes, size: int, at: float, host_now: float, segment_bytes: int | None) -> bool:
    """Whether nobody is writing it any more: a plain segment is whole by its size, or by its age.

    Everything else is listed as it is: no size tells of it that it was cut short.
    """
    if at <= host_now - SETTLING_S or at > host_now + SETTLING_S or not _SEGMENT.fullmatch(name):
        return True
    return size == segment_bytes if segment_bytes else size >= _LEAST_SEGMENT and not size & (size - 1)


_SEGMENT = re.compile(rb"[0-9A-F]{24}")
_LEAST_SEGMENT = 1024 * 1024
"""wal_segment_size is a power of two, 1 MiB at least (initdb)."""


class Block(_Files):
    """The files of one directory in the order of their names, packed; `ends` are its first and last key.

    `changed_at` is when the directory changed last, `newest_at` its newest file, both by the folder's clock.
    """

    __slots__ = ("changed_at", "directory", "ends", "newest_at")

    def __init__(self, directory: str, files: _Files, changed_at: float, newest_at: float) -> None:
        super().__init__(files._names, files._starts, files.sizes, files.times)
        self.directory, self.changed_at, self.newest_at = directory, changed_at, newest_at
        mine = encode_path(directory)
        self.ends = (mine + self.name(0), mine + self.name(len(self) - 1)) if len(self) else (b"", b"")

    def keys(self, start: int, stop: int) -> list[str]:
        """The keys of files `start` up to, not including, `stop`."""
        if start >= stop:
            return []
        names = decode_path(self.joined(start, stop)).split("\0")
        return [self.directory + name for name in names] if self.directory else names

    def after(self, wanted: bytes) -> int:
        """How many of its files come before, or are, a key."""
        mine = encode_path(self.directory)
        if not wanted.startswith(mine):
            return 0 if wanted < mine else len(self)
        return self.upto(wanted[len(mine) :])


class FolderListing:
    """All that is known of a folder; `page` is what S3 would list."""

    def __init__(self) -> None:
        self.blocks: dict[str, Block] = {}
        self.host_now = 0.0
        self._ordered: list[Block] | None = None

    def __len__(self) -> int:
        return sum(len(block) for block in self.blocks.values())

    def replace(self, blocks: Mapping[str, Block], host_now: float | None) -> None:
        """These directories are so now; `host_now` is the host's clock when they were listed."""
        self.blocks |= blocks
        self._ordered = None
        if host_now is not None:
            self.host_now = host_now

    def forget(self, directories: Iterable[str]) -> None:
        """These are gone, with all below them."""
        for gone in directories:
            for name in [each for each in self.blocks if each.startswith(gone)]:
                del self.blocks[name]
        self._ordered = None

    def children(self, directory: str) -> set[str]:
        """The directories that lie in that one, with their slashes."""
        deeper = (name for name in self.blocks if name.startswith(directory) and name != directory)
        return {name for name in deeper if name.find("/", len(directory)) == len(name) - 1}

    def page(self, start_after: str, count: int) -> tuple["FolderPage", bool]:
        """The first `count` files after a key, and whether more follow."""
        wanted = encode_path(start_after)
        parts: list[tuple[Block, int, int]] = []
        held, upto = 0, b""
        for block in self._in_order():
            if block.ends[1] <= wanted:
                continue
            if held > count and block.ends[0] > upto:
                break
            start = block.after(wanted)
            stop = min(len(block), start + count + 1)
            parts.append((block, start, stop))
            held += stop - start
            upto = max(upto, encode_path(block.directory) + block.name(stop - 1))
        if len(parts) == 1 or (parts and _follow_one_another(parts)):
            return _joined(parts, count), held > count
        return _merged(parts, count), held > count

    def _in_order(self) -> list[Block]:
        if self._ordered is None:
            filled = (block for block in self.blocks.values() if len(block))
            self._ordered = sorted(filled, key=lambda block: block.ends[0])
        return self._ordered


_Part = tuple[Block, int, int]


def _follow_one_another(parts: Sequence[_Part]) -> bool:
    """Whether every block ends before the next one begins."""
    return all(one[0].ends[1] < other[0].ends[0] for one, other in pairwise(parts))


def _joined(parts: Sequence[_Part], count: int) -> "FolderPage":
    keys: list[str] = []
    sizes, times = array("q"), array("d")
    for block, start, stop in parts:
        stop = min(stop, start + count - len(keys))
        keys += block.keys(start, stop)
        sizes += block.sizes[start:stop]
        times += block.times[start:stop]
    return FolderPage(keys, sizes, times)


def _merged(parts: Sequence[_Part], count: int) -> "FolderPage":
    rows = [
        (encode_path(key), key, block.sizes[start + at], block.times[start + at])
        for block, start, stop in parts
        for at, key in enumerate(block.keys(start, stop))
    ]
    rows = sorted(rows)[:count]
    sizes, times = array("q", [row[2] for row in rows]), array("d", [row[3] for row in rows])
    return FolderPage([row[1] for row in rows], sizes, times)


class FolderPage:
    """One page of it: an ObjectListing."""

    def __init__(self, keys: list[str], sizes: "array[int]", times: "array[float]") -> None:
        self.keys: Sequence[str] = keys
        self._sizes, self._times = sizes, times

    def stored_bytes(self, start: int, stop: int) -> int:
        """The sum of the sizes of those files."""
        return sum(self._sizes[start:stop])

    def outside(self, start: int, stop: int, least: int, most: int) -> Sequence[tuple[int, int]]:
        """Positions and sizes of those that have not from `least` to `most` bytes."""
        sizes = self._sizes[start:stop]
        if not sizes or (min(sizes) >= least and max(sizes) <= most):
            return ()
        return [(start + at, size) for at, size in enumerate(sizes) if not least <= size <= most]

    def modified_at(self, position: int) -> float:
        """When one of them was changed last."""
        return self._times[position]

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[StoredObject]:
        return (self[at] for at in range(len(self)))

    def __getitem__(self, position: int) -> StoredObject:
        return StoredObject(self.keys[position], self._sizes[position], self._times[position])
