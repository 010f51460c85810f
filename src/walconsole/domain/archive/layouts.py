"""Where WAL files lie in a bucket: the key layouts of the known writers, and the names in their keys.

A key is `PREFIX` + directory + name + suffix. The directory tells the layout, the name what
PostgreSQL called the file, the suffix what the writer did to it (compression, encryption, a
checksum in the name).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from walconsole.domain.archive.dated import dated_folder
from walconsole.domain.records import record
from walconsole.domain.wal import Segment, WalNameKind

LOG_BYTES = 2**32


class Layout(StrEnum):
    """Who writes like this."""

    FLAT = "NAME"
    DATED = "DATE/NAME"
    WAL_G = "WAL-G, wal_NNN/NAME"
    BARMAN = "barman-cloud, SERVER/wals/TIMELINE+LOG/NAME"
    PGBACKREST = "pgBackRest, archive/STANZA/VERSION-ID/TIMELINE+LOG/NAME"
    PGHOARD = "pghoard, SITE/xlog/NAME"
    BY_LOG = "TIMELINE+LOG/NAME"
    NESTED = "FOLDER/NAME"


GROUPED_LAYOUTS = frozenset({Layout.BY_LOG, Layout.BARMAN, Layout.PGBACKREST})
"""Those with a folder for each timeline and log."""


def log_folder(like: str, of: str, name: str) -> str:
    """The folder of `name` where the name `of` lies in `like` (relative, with its slash).

    Sixteen digits are timeline and log, eight the log, or else the timeline; any other part stays as it is.
    """
    slices = (slice(0, 16), slice(8, 16), slice(0, 8))
    parts = like.split("/")
    for at, part in enumerate(parts):
        own = next((each for each in slices if part and of[each] == part), None)
        if own is not None:
            parts[at] = (
                name[:8] if own.stop == 16 and own.start == 8 and _is_timeline(parts, at, of) else name[own]
            )
    return "/".join(parts)


def _is_timeline(parts: list[str], at: int, of: str) -> bool:
    """Whether it is the timeline's folder above the log's, where both have one number."""
    return of[:8] == parts[at] and at + 2 < len(parts) and parts[at + 1] == of[8:16]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One archive's whereabouts in a bucket: all keys of one layout below `root`.

    `root` is relative to the profile's prefix, empty or ending in a slash. Names under different
    roots may belong to different clusters and are never joined into one run.
    """

    layout: Layout
    root: str = ""


@record
class ArchivedName:
    """A key's name: `text` as PostgreSQL wrote it; `segment` is None for a history file.

    `suffix` is what the writer added.
    """

    text: str
    kind: WalNameKind
    timeline: int
    segment: Segment | None
    suffix: str


_SUFFIX = (
    r"(?:-[0-9a-f]{40})?"
    r"(?:\.(?:gz|zst|zstd|lz4|bz2|xz|lzma|lzo|br|snappy|sz|deflate|gpg|pgp|age|enc|aes|bin))*"
)
_NAMED_ALIKE = re.compile(
    r"(?P<before>(?!base)[A-Za-z0-9._-]{0,24}?[a-z._-])?(?P<name>[0-9A-F]{24})(?P<end>$|(?=[^0-9A-Za-z/]))"
)
_CHECKSUM_LENGTH = 41
_BASENAME = re.compile(
    r"(?:(?P<history>[0-9A-F]{8})\.history"
    r"|(?P<segment>[0-9A-F]{24})(?:(?:\.(?:gz|lz4))?(?P<partial>\.partial)|\.[0-9A-F]{8}\.(?P<backup>backup))?)"
    rf"(?P<suffix>{_SUFFIX})"
)
_BASE_BACKUPS = re.compile(
    r"(?:^|/)(?:basebackups_\d+/|base/\d{8}T\d{6}Z?/|backup/[^/]+/\d{8}-\d{6}F|pg_data/"
    r"|basebackup(?:_delta)?(?:_chunk)?/)|/pg_wal/",
    re.ASCII,
)
"""A folder `pg_wal` below another is a data directory's; one that stands alone may be an archive."""
_LAYOUTS = (  # pghoard's folders are from its FileTypePrefixes; its base backups' are above
    (Layout.WAL_G, re.compile(r"((?:.*/)?wal_\d{3}/)", re.DOTALL | re.ASCII)),
    (Layout.BARMAN, re.compile(r"((?:.*/)?wals/)(?:[0-9A-F]{16}/)?", re.DOTALL | re.ASCII)),
    (Layout.PGBACKREST, re.compile(r"((?:.*/)?\d+(?:\.\d+)?-\d+/)(?:[0-9A-F]{16}/)?", re.DOTALL | re.ASCII)),
    (Layout.PGHOARD, re.compile(r"((?:.*/)?)(?:xlog|timeline)/", re.DOTALL | re.ASCII)),
    (
        Layout.BY_LOG,
        re.compile(
            r"((?:.*?/)??)(?:[0-9A-F]{16}|[0-9A-F]{8}\.history|(?:0[0-9A-F]{7}/)?0[0-9A-F]{7})/",
            re.DOTALL | re.ASCII,
        ),
    ),
    (Layout.NESTED, re.compile(r"((?:.*/)?[^/]*/)", re.DOTALL | re.ASCII)),
)
"""After folders by date. A folder without a name (`wal//NAME`) is one, too."""


@lru_cache(maxsize=1024)
def place_of(directory: str) -> Place | None:
    """The place that `directory` (relative, empty or ending in a slash) belongs to.

    None for the base backups of the known writers: they hold files that are named like WAL.
    """
    if not directory:
        return Place(Layout.FLAT)
    if _BASE_BACKUPS.search(directory):
        return None
    dated = dated_folder(directory)
    if dated is not None:
        return Place(Layout.DATED, dated.root)
    for layout, pattern in _LAYOUTS:
        match = pattern.fullmatch(directory)
        if match:
            return Place(layout, match[1])
    return None


@lru_cache(maxsize=1024)
def holds_base_backup(directory: str) -> bool:
    """Whether `directory` (relative) lies in a base backup of one of the known writers."""
    return _BASE_BACKUPS.search(directory) is not None


def split_key(key: str) -> tuple[str, str]:
    """Directory (with its slash) and basename."""
    cut = key.rfind("/") + 1
    return key[:cut], key[cut:]


def archived_name(basename: str, segment_bytes: int) -> ArchivedName | None:
    """What `basename` says, or None when no archiver writes it.

    Raises ValueError for the name of a segment that cannot exist with this wal_segment_size
    (or that never exists: segment 0 of log 0).
    """
    match = _BASENAME.fullmatch(basename)
    if match is None:
        return None
    suffix = match["suffix"]
    text = basename[: len(basename) - len(suffix)]
    if match["history"]:
        return ArchivedName(text, WalNameKind.HISTORY, int(match["history"], 16), None, suffix)
    segment = Segment.parse(match["segment"], segment_bytes)
    if segment.number == 0:
        raise ValueError(f"{text} cannot exist: PostgreSQL never writes the first segment of all")
    kind = WalNameKind.SEGMENT
    if match["partial"]:
        kind = WalNameKind.PARTIAL
    elif match["backup"]:
        kind = WalNameKind.BACKUP
    return ArchivedName(text, kind, segment.timeline, segment, suffix)


def segment_named(basename: str, segment_bytes: int) -> Segment | None:
    """The segment whose name `basename` holds, behind a short word at most (`wal_…`), whatever follows it.

    None where it holds none, or is called as tools call a base backup (`base_…`).
    """
    match = _NAMED_ALIKE.match(basename)
    try:
        return None if match is None else Segment.parse(match["name"], segment_bytes)
    except ValueError:
        return None


def segment_suffix(basename: str) -> str | None:
    """The suffix of a basename that is a whole segment's, None for any other."""
    match = _BASENAME.fullmatch(basename)
    if match is None or match["segment"] is None or match["partial"] or match["backup"]:
        return None
    return match["suffix"]


def checksum_of(basename: str) -> str:
    """The checksum of its content that a segment's name carries (pgBackRest's SHA-1), or nothing."""
    suffix = segment_suffix(basename) or ""
    return suffix[1:_CHECKSUM_LENGTH] if suffix.startswith("-") else ""


def without_checksum(suffix: str) -> str:
    """What is left of a suffix where its checksum, which differs from segment to segment, is left out."""
    return suffix[_CHECKSUM_LENGTH:] if suffix.startswith("-") else suffix


@lru_cache(maxsize=256)
def names_pattern(suffix: str, segment_bytes: int) -> re.Pattern[str]:
    """Matches lines that are all `NAME` + `suffix`, each a segment that this segment size can have.

    A checksum in the suffix may differ from line to line; every line has the same length.
    """
    checksum = r"-[0-9a-f]{40}+" if suffix.startswith("-") else ""
    line = rf"[0-9A-F]{{16}}+{_low_field(segment_bytes)}{checksum}{re.escape(without_checksum(suffix))}\n"
    return re.compile(rf"(?:{line})*+")  # possessive throughout: no backtracking, a third of the time


def _low_field(segment_bytes: int) -> str:
    """The last eight digits of a name: below 2**32 / segment size, which is a power of two."""
    bits = (LOG_BYTES // segment_bytes).bit_length() - 1
    whole, odd = divmod(bits, 4)
    zeros = 8 - whole - (1 if odd else 0)
    leading = f"[0-{(1 << odd) - 1}]" if odd else ""
    return f"{'0' * zeros}{leading}[0-9A-F]{{{whole}}}+"
