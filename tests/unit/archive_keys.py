"""Keys of every layout, plausible and strange; each listed with its own size and time."""

from collections import Counter
from collections.abc import Sequence

from hypothesis import strategies as st

from walconsole.domain.archive.index import Archive, ArchiveIndex
from walconsole.domain.archive.listing import StoredObject
from walconsole.domain.wal import Segment

SHA1 = "0123456789abcdef0123456789abcdef01234567"


def size_of(key: str) -> int:
    """Every key has a size of its own, which for one of a thousand is none."""
    return sum(map(ord, key)) % 1000


def time_of(key: str) -> float:
    """Every key has a time of its own."""
    return float(sum(at * code for at, code in enumerate(map(ord, key), 1)))


class Listed:
    """A listing of keys; `asked` counts what was asked of it."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys
        self.asked = Counter[str]()

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, position: int) -> StoredObject:
        key = self.keys[position]
        return StoredObject(key, size_of(key), time_of(key))

    def stored_bytes(self, start: int, stop: int) -> int:
        self.asked["stored_bytes"] += 1
        return sum(map(size_of, self.keys[start:stop]))

    def outside(self, start: int, stop: int, least: int, most: int) -> Sequence[tuple[int, int]]:
        sizes = ((at, size_of(self.keys[at])) for at in range(start, stop))
        return [(at, size) for at, size in sizes if not least <= size <= most]

    def modified_at(self, position: int) -> float:
        self.asked["modified_at"] += 1
        return time_of(self.keys[position])


def folded(*pages: Sequence[str], prefix: str = "") -> ArchiveIndex:
    """The index of these pages with their listings."""
    index = ArchiveIndex(prefix)
    for page in pages:
        index.fold(page, Listed(page))
    return index


def only(index: ArchiveIndex) -> Archive:
    """The one archive that there is."""
    (archive,) = index.archives.values()
    return archive


def names(*numbers: int, timeline: int = 1, suffix: str = "") -> list[str]:
    """Segments' names."""
    return [Segment(timeline, number).name() + suffix for number in numbers]


directories = st.sampled_from([
    "", "wal/", "2026/08/01/", "2026/08/02/", "wal_005/", "0000000100000001/", "x/0000000100000001/",
    "main/wals/0000000100000001/", "main/wals/", "archive/a/15-1/0000000100000001/", "archive/a/15-2/",
    "site/xlog/", "site/timeline/", "basebackups_005/b/", "a/pg_wal/", "/", "\ud83d\ude00/",
])  # fmt: skip
whole = st.builds(
    lambda timeline, number, suffix: Segment(timeline, number).name() + suffix,
    st.integers(1, 2),
    st.integers(250, 270),
    st.sampled_from(["", ".gz", f"-{SHA1}.zst", ".zst.gpg"]),
)
strange = st.one_of(
    st.text(alphabet="0123456789ABCDEF./\n\x00%é\ud800z-", max_size=30),
    st.sampled_from([
        "0000000100000000000001FF", "000000010000000000000000", "00000002.history", "00000003.history.gz",
        "000000010000000100000002.00000028.backup", "000000010000000100000003.partial.gz", "archive.info",
        "000000010000000100000002.00000028.backup.gz", "FFFFFFFFFFFFFFFF000000FF", "0" * 24, "F" * 24,
    ]),
)  # fmt: skip
some_keys = st.lists(st.builds(str.__add__, directories, st.one_of(whole, whole, strange)), unique=True)
