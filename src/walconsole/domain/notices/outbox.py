"""What is still to be told, by which ways: nothing is lost, and whoever can tell a repeat is told it once.

A way takes its notices in their order. Before a way is tried that is noted (`begun`): where the end of a try
was never seen, the next one is a repeat, which has the same id and says so.
"""

from collections.abc import Sequence
from dataclasses import field, replace

from walconsole.domain.incidents.written import plain, record_of
from walconsole.domain.notices.deciding import Notice, NoticeKind, Standing
from walconsole.domain.records import record
from walconsole.domain.standing.model import Level

MOST_NOTICES = 40
"""Beyond it reminders are left out first, then the oldest: who was unreachable for weeks is told the rest."""
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 900.0
DOCUMENT, VERSION = "walconsole watch", 1


@record
class Posted:
    """A notice, with the ways that it is still to be told by, and those of them that were tried."""

    notice: Notice
    ways: tuple[str, ...]
    begun: tuple[str, ...] = ()


@record
class Kept:
    """What a watcher keeps of one cluster, whatever ends it.

    `began_at` is since when it watches, `looked_at` when it last looked, both in seconds since the epoch;
    `stopped_at` is when it ended in good order, None while it runs. `left_out` counts notices that were
    never told.
    """

    standing: Standing = field(default_factory=Standing)
    outbox: tuple[Posted, ...] = ()
    began_at: float = 0.0
    looked_at: float = 0.0
    stopped_at: float | None = None
    left_out: int = 0


def posted(kept: Kept, notice: Notice, ways: Sequence[str]) -> Kept:
    """With that notice to be told."""
    if not ways:
        return kept
    outbox = (*kept.outbox, Posted(notice, tuple(ways)))
    while len(outbox) > MOST_NOTICES:
        still = next((one for one in outbox if one.notice.kind is NoticeKind.STILL), outbox[0])
        outbox = tuple(one for one in outbox if one is not still)
        kept = replace(kept, left_out=kept.left_out + 1)
    return replace(kept, outbox=outbox)


def taken_up(before: Kept, now: Kept) -> Kept:
    """What an earlier watcher left, found only after this one had begun without it.

    What that one told and this one did not see goes on: its incident is to be ended by the one that is told
    of it. Where both have told, each has an incident of its own, and this one's is the one that goes on.
    """
    mine, theirs = now.standing, before.standing
    standing = replace(mine, incidents=mine.incidents + theirs.incidents)
    if theirs.told is not Level.OK and mine.told is Level.OK:
        quiet_s = theirs.quiet_s + mine.quiet_s
        standing = replace(theirs, level=mine.level, quiet_s=quiet_s, incidents=standing.incidents)
    left_out, outbox = before.left_out + now.left_out, (*before.outbox, *now.outbox)
    return replace(now, standing=standing, outbox=outbox, left_out=left_out)


def by_ways(kept: Kept, ways: Sequence[str]) -> Kept:
    """Without the ways that the profile has no more."""
    outbox = (replace(one, ways=tuple(way for way in one.ways if way in ways)) for one in kept.outbox)
    return replace(kept, outbox=tuple(one for one in outbox if one.ways))


def next_for(kept: Kept, way: str) -> Posted | None:
    """The oldest notice that is to be told by that way."""
    return next((one for one in kept.outbox if way in one.ways), None)


def begun(kept: Kept, notice_id: str, way: str) -> Kept:
    """It is about to be told by that way."""
    return replace(
        kept,
        outbox=tuple(
            replace(one, begun=(*one.begun, way))
            if one.notice.id == notice_id and way not in one.begun
            else one
            for one in kept.outbox
        ),
    )


def told(kept: Kept, notice_id: str, way: str) -> Kept:
    """It was told by that way."""
    outbox = (
        replace(one, ways=tuple(each for each in one.ways if each != way))
        if one.notice.id == notice_id
        else one
        for one in kept.outbox
    )
    return replace(kept, outbox=tuple(one for one in outbox if one.ways))


def not_told(kept: Kept, notice_id: str, way: str) -> Kept:
    """It is known that nobody was told: the next try is no repeat."""
    return replace(
        kept,
        outbox=tuple(
            replace(one, begun=tuple(each for each in one.begun if each != way))
            if one.notice.id == notice_id
            else one
            for one in kept.outbox
        ),
    )


def pause_s(failures: int) -> float:
    """How long to wait after so many failures in a row."""
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(max(0, failures - 1), 10))


def document_of(kept: Kept) -> dict[str, object]:
    """Plain values, as json.dumps takes them."""
    return {"document": DOCUMENT, "version": VERSION, **plain(kept)}


def kept_of(document: object) -> Kept:
    """Raises ValueError, which says where it is odd."""
    if not isinstance(document, dict) or document.get("document") != DOCUMENT:
        raise ValueError("it is no document of this kind")
    if document.get("version") != VERSION:
        raise ValueError(f"it has version {document.get('version')!r}, and this walconsole knows {VERSION}")
    rest = {name: value for name, value in document.items() if name not in ("document", "version")}
    read: Kept = record_of(Kept, rest, "it")
    return read
