"""What the contents of a few objects say: .history files, the heads of segments, repeated segments.

Each is read when it appears and after a sweep, not at every poll; what could not be read is said.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from walconsole.domain.archive.comparison import in_common
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.layouts import checksum_of, segment_suffix, split_key
from walconsole.domain.archive.listing import StoredObject
from walconsole.domain.archive.page_header import (
    BEGINNING_BYTES,
    LONG_HEADER_BYTES,
    PageHeader,
    SegmentIdentity,
    read_page_header,
)
from walconsole.domain.archive.timelines import TimelineHistory, parse_history
from walconsole.domain.facts.observed import RepeatedSegment, SharedSegments
from walconsole.domain.redaction import safe
from walconsole.domain.round_trips import ObjectContent
from walconsole.domain.store.answers import PASSING
from walconsole.domain.wal import Segment
from walconsole.errors import ObjectStoreError
from walconsole.observe.bucket.locate import locate
from walconsole.observe.bucket.sampling import oldest_of, sampled
from walconsole.observe.bucket.side_by_side import together
from walconsole.ports import MoreNeededError, ObjectStore, Plain

# -- The same segment under two keys: is it the same content.


def identical(one: StoredObject, other: StoredObject) -> bool | None:
    """Whether two stored segments have the same bytes, None where a listing cannot tell.

    An ETag is the content's MD5 only where it has no dash: a multipart upload's is a checksum of
    checksums (S3's documentation of ETag). Compressed objects of equal content may differ; where both
    names carry the checksum of what is in them (pgBackRest), that says it.
    """
    if one.etag and one.etag == other.etag and one.size == other.size:
        return True
    sums = [checksum_of(split_key(stored.key)[1]) for stored in (one, other)]
    if all(sums):
        return sums[0] == sums[1]
    first, second = (segment_suffix(split_key(stored.key)[1]) for stored in (one, other))
    plain = not first and not second
    if plain and one.size != other.size:
        return False
    if plain and one.etag and other.etag and "-" not in one.etag + other.etag:
        return False
    return None


def _may_be(one: StoredObject, other: StoredObject) -> bool:
    """Whether nothing speaks against the same object under one key; where an ETag is missing, its time."""
    if one.etag and other.etag:
        return (one.etag, one.size) == (other.etag, other.size)
    return (one.modified_at, one.size) == (other.modified_at, other.size)


HEAD_BYTES = (4096, 160 * 1024, 1024 * 1024 + 4096, 4 * 1024 * 1024 + 4096)
"""How much of a segment is fetched, until 40 plain bytes are in it: a compressor's block must be whole.

A plain segment needs the first; gzip and xz too; zstd's blocks are 128 KiB, bzip2's 900, lz4's up to 4 MiB.
"""
WHOLE_BYTES = HEAD_BYTES[2]
"""Of a segment from the midst, and of the oldest, so much is read: those that a forced switch ended are seen
whole.
"""
NEWEST_WHOLE_BYTES = 256 * 1024
"""Of the newest, which is another one every few seconds where much is written: those are larger."""
_IN_LARGE_BLOCKS = (".zst", ".zstd", ".bz2", ".lz4")
"""Of these the first is too little, but for a segment that was hardly written to."""
HISTORY_LIMIT = 256 * 1024
HISTORIES_AT_ONCE = 16
REPEATS_AT_ONCE = 4
REPEATS_KEPT = 1000
PLACES_COMPARED = 4


@dataclass(slots=True)
class Heads:
    """What was read. `version` changes with it. `problems` are by key: why that one could not be read.

    `sampled` are segments from the midst, chosen anew after each sweep; None: not yet.
    `doubted` is what a sweep leaves: under the same keys there may be other objects now. They are shown
    as they were until they are read again. `stored` is by key what a listing last said of an object that is
    read, or compared with another, `replaced` are the keys of those that are others since.
    """

    histories: dict[int, TimelineHistory] = field(default_factory=dict)
    newest: SegmentIdentity | None = None
    oldest: SegmentIdentity | None = None
    repeats: tuple[RepeatedSegment, ...] = ()
    shared: tuple[SharedSegments, ...] = ()
    problems: dict[str, str] = field(default_factory=dict)
    version: int = 0
    compared: set[Segment] = field(default_factory=set)
    doubted: bool = False
    doubted_histories: set[int] = field(default_factory=set)
    stored: dict[str, StoredObject] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    sampled: tuple[SegmentIdentity, ...] | None = None

    def watched(self, newest_key: str) -> set[str]:
        """The keys that a listing is asked about; the newest one's before its object is read, too."""
        return {newest_key, *self.stored, *(identity.key for identity in self.identities)}

    def listed(self, objects: Iterable[StoredObject]) -> bool:
        """What a listing says of watched objects: whether some are to be read again.

        An object is read again once for each change. The listing comes before the reading, so that one that
        is replaced between the two is told by the next listing.
        """
        for now in objects:
            if not _may_be(self.stored.get(now.key, now), now):
                self.replaced.add(now.key)
            self.stored[now.key] = now
        return bool(self.replaced)

    def doubt(self, holding: Holding) -> None:
        """All was listed anew, and `holding` is what there is: read again what was read before."""
        kept = {segment.name(holding.segment_bytes): segment for segment in holding.repeated}
        self.repeats = tuple(each for each in self.repeats if each.name in kept)
        self.compared &= set(kept.values())
        self.compared -= {kept[each.name] for each in self.repeats if each.identical is False}
        self.doubted, self.doubted_histories = True, set(self.histories)

    @property
    def identities(self) -> tuple[SegmentIdentity, ...]:
        """The newest segment's, then the oldest's."""
        return tuple(each for each in (self.newest, self.oldest) if each is not None)

    @property
    def unread(self) -> tuple[str, ...]:
        """One line for each object that could not be read."""
        return tuple(self.problems.values())


async def read_heads(
    heads: Heads,
    holding: Holding,
    others: Sequence[Holding],
    store: ObjectStore,
    plain: Plain,
    now: float,
) -> None:
    """Read what is there and was not read yet; `others` are the bucket's other archives.

    Raises what the store does where it fails itself.
    """
    await _read_histories(heads, holding, store, plain)
    await together(_identify(heads, holding, store, plain, now), _sample(heads, holding, store, plain, now))
    await _compare_repeats(heads, holding, store, now)
    await _compare_places(heads, holding, others, store, now)
    read = (*heads.identities, *(heads.sampled or ()))
    wanted = {*holding.history_keys.values(), *(identity.key for identity in read)}
    heads.problems = {key: problem for key, problem in heads.problems.items() if key in wanted}
    wanted |= {holding.newest_key, *(key for repeat in heads.repeats for key in repeat.keys)}
    heads.stored = {key: stored for key, stored in heads.stored.items() if key in wanted}
    heads.doubted = False
    heads.replaced.clear()


async def _read_histories(heads: Heads, holding: Holding, store: ObjectStore, plain: Plain) -> None:
    gone = [timeline for timeline in heads.histories if timeline not in holding.history_keys]
    for timeline in gone:
        del heads.histories[timeline]
        heads.version += 1
    wanted = [
        timeline
        for timeline in sorted(holding.history_keys)
        if timeline not in heads.histories or timeline in heads.doubted_histories
    ]
    # Those that could not be read come last: many of them must not keep the others from their turn.
    wanted.sort(key=lambda timeline: holding.history_keys[timeline] in heads.problems)
    for timeline in wanted[:HISTORIES_AT_ONCE]:
        key = holding.history_keys[timeline]
        try:
            content = await store.read(key, HISTORY_LIMIT)
            text = plain.whole(key, content.body, HISTORY_LIMIT).decode("utf-8", "replace")
            heads.histories[timeline] = parse_history(timeline, text)
        except ObjectStoreError as error:
            _object_problem(heads, key, error)
        except ValueError as error:
            heads.problems[key] = f"{_name(key)}: {error}"
        else:
            heads.problems.pop(key, None)
        heads.doubted_histories.discard(timeline)
        heads.version += 1


async def _identify(heads: Heads, holding: Holding, store: ObjectStore, plain: Plain, now: float) -> None:
    """The newest and the oldest segment, where they are others than those that were read."""
    newest = holding.newest
    if newest is None:
        return
    name = newest.name(holding.segment_bytes)
    if _is_to_be_read(heads, heads.newest, name):
        heads.newest = await _identity(heads, name, holding.newest_key, store, plain, now, NEWEST_WHOLE_BYTES)
    oldest = oldest_of(holding)
    name = oldest.name(holding.segment_bytes)
    if _is_to_be_read(heads, heads.oldest, name):
        found = await locate(store, holding, oldest, now)
        if found:
            heads.oldest = await _identity(heads, name, found[0].key, store, plain, now, WHOLE_BYTES)


async def _sample(heads: Heads, holding: Holding, store: ObjectStore, plain: Plain, now: float) -> None:
    """Once, and after each sweep: others than before. What cannot be read of the archive its ends tell."""
    if heads.sampled is not None and not heads.doubted:
        return

    unfit = {each.name for each in heads.sampled or () if each.problem}

    async def identified(segment: Segment) -> SegmentIdentity | None:
        found = await locate(store, holding, segment, now)
        name = segment.name(holding.segment_bytes)
        if not found:
            return None
        whole = max(WHOLE_BYTES, found[0].size) if name in unfit else WHOLE_BYTES  # its end was what told
        return await _identity(Heads(), name, found[0].key, store, plain, now, whole)

    heads.sampled = await sampled(holding, heads.sampled or (), identified)


async def read_whole(
    name: str, stored: StoredObject, store: ObjectStore, plain: Plain, now: float
) -> SegmentIdentity:
    """What one object says when it is read to its end, however large it is. Raises what the store does."""
    return await _identity(Heads(), name, stored.key, store, plain, now, stored.size)


def _is_to_be_read(heads: Heads, known: SegmentIdentity | None, name: str) -> bool:
    return known is None or known.name != name or known.key in heads.replaced or heads.doubted


async def _identity(
    heads: Heads, name: str, key: str, store: ObjectStore, plain: Plain, now: float, whole_bytes: int = 0
) -> SegmentIdentity:
    """What the object says. One of at most `whole_bytes` is read whole, that its end is seen."""
    try:
        header, content = await read_header(store, plain, key)
        if content.size is not None and len(content.body) < content.size <= whole_bytes:
            content = await store.read(key, whole_bytes)
    except ObjectStoreError as error:
        return SegmentIdentity(name, key, now, problem=_object_problem(heads, key, error))
    except ValueError as error:
        heads.problems[key] = f"{name}: {error}"
        return SegmentIdentity(name, key, now, problem=str(error))
    heads.problems.pop(key, None)
    size, whole = header.segment_bytes, content.size is not None and len(content.body) == content.size
    if plain.more_than(key, content.body, size, whole=whole):
        # a server refuses a file of another size than a segment's (xlogarchive.c, RestoreArchivedFile)
        return SegmentIdentity(name, key, now, header, f"it unpacks to more than a segment, {size:,} bytes")
    cut = _cut_short(plain, key, content.body, size) if whole else ""
    if cut:
        return SegmentIdentity(name, key, now, header, cut)
    return SegmentIdentity(name, key, now, header, begins=_beginning(plain, key, content.body))


def _cut_short(plain: Plain, key: str, body: bytes, size: int) -> str:
    """Why a compressed object that was read whole is no whole segment; one that is not, its size tells."""
    try:
        count = len(plain.whole(key, body, size))
    except ValueError as error:
        return f"its beginning is whole, and then: {error}"
    return f"it unpacks to {count:,} bytes, and a segment has {size:,}" if len(body) != count < size else ""


def _beginning(plain: Plain, key: str, body: bytes) -> str:
    """See SegmentIdentity.begins; nothing more is read for it."""
    try:
        begins = plain.first_bytes(key, body, BEGINNING_BYTES)
    except ValueError:
        return ""
    return sha256(begins).hexdigest() if len(begins) == BEGINNING_BYTES else ""


async def read_header(store: ObjectStore, plain: Plain, key: str) -> tuple[PageHeader, ObjectContent]:
    """A segment's first page header, and the answer that it was in.

    Raises ValueError that says why it has none, and what the store does.
    """
    *shorter, longest = HEAD_BYTES
    for count in shorter[1:] if key.endswith(_IN_LARGE_BLOCKS) else shorter:
        content = await store.read(key, count)
        try:
            return read_page_header(plain.first_bytes(key, content.body, LONG_HEADER_BYTES)), content
        except MoreNeededError:
            if content.size is not None and content.size <= count:
                if content.size and segment_suffix(split_key(key)[1]):
                    raise ValueError(
                        f"it is cut off: all its {content.size:,} bytes unpack to no page header"
                    ) from None
                raise
    content = await store.read(key, longest)
    return read_page_header(plain.first_bytes(key, content.body, LONG_HEADER_BYTES)), content


def _object_problem(heads: Heads, key: str, error: ObjectStoreError) -> str:
    """Remember why one object could not be read; what is the whole bucket's trouble is raised."""
    if error.meaning in PASSING:  # the bucket's own trouble, not the object's
        raise error
    heads.problems[key] = f"{_name(key)}: {error.why}"
    return error.why


def _name(key: str) -> str:
    return safe(split_key(key)[1])


async def _compare_repeats(heads: Heads, holding: Holding, store: ObjectStore, now: float) -> None:
    """The newest segments that are stored under several keys, a few at a time."""
    other = {each.name for each in heads.repeats if not heads.replaced.isdisjoint(each.keys)}
    heads.compared -= {
        each for each in holding.repeated if other and each.name(holding.segment_bytes) in other
    }
    wanted = [segment for segment in holding.repeated if segment not in heads.compared][-REPEATS_AT_ONCE:]
    found: list[RepeatedSegment] = []
    for segment in wanted:
        copies = await locate(store, holding, segment, now, every=True)
        found += _pairs(segment.name(holding.segment_bytes), copies)
        heads.stored |= {stored.key: stored for stored in copies}
        heads.compared.add(segment)
    if wanted:
        names = {segment.name(holding.segment_bytes) for segment in wanted}
        before = (each for each in heads.repeats if each.name not in names)
        heads.repeats = (*before, *found)[-REPEATS_KEPT:]


async def _compare_places(
    heads: Heads, holding: Holding, others: Sequence[Holding], store: ObjectStore, now: float
) -> None:
    """What the bucket's other archives have in common with the main one, by name and by content."""
    before = {shared.place: shared for shared in heads.shared}
    found: list[SharedSegments] = []
    for other in others[:PLACES_COMPARED]:
        segments, newest = in_common(holding, other)
        if newest is None:
            continue
        place, name = f"{other.place.root}: {other.place.layout}", newest.name(holding.segment_bytes)
        known = before.get(place)
        replaced = any(split_key(key)[1].startswith(name) for key in heads.replaced)
        if known is None or known.newest != name or replaced or heads.doubted:
            mine, theirs = [await locate(store, held, newest, now) for held in (holding, other)]
            same = identical(mine[0], theirs[0]) if mine and theirs else None
        else:
            same = known.identical
        found.append(SharedSegments(place, segments, name, same))
    heads.shared = tuple(found)


def _pairs(name: str, copies: Iterable[StoredObject]) -> Iterator[RepeatedSegment]:
    distinct = list({stored.key: stored for stored in copies}.values())
    for other in distinct[1:]:
        yield RepeatedSegment(name, (distinct[0].key, other.key), identical(distinct[0], other))
