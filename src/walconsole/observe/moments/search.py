"""From a time to what happened around it: which WAL that takes, whether there is room, and the reading
itself.
"""

from collections.abc import Awaitable, Callable

from walconsole.domain.archive.layouts import Layout
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.moments.found import FoundMoments
from walconsole.domain.moments.span import (
    MOST_SEGMENTS,
    NothingToReadError,
    WalSpan,
    refused_for_room,
    wal_span,
)
from walconsole.domain.records import record
from walconsole.domain.recovery.recoverability import Recoverability
from walconsole.domain.standing.assessment import Assessment
from walconsole.domain.units import bytes_text, plural
from walconsole.observe.moments.finding import MomentError, MomentFinder, Room, Server, Told

MAJORS = (13, 18)
"""PostgreSQL's releases whose pg_waldump is understood."""
_TRIED = "finding the moment"


@record
class SearchPlan:
    """What a search reads, and where it stands meanwhile. Times are seconds since the epoch."""

    around: float
    within_s: float
    span: WalSpan
    server: Server
    room: Room

    def lines(self) -> tuple[str, ...]:
        """What is agreed to, in words."""
        names = self.span.names
        free = "" if self.room.free is None else f"; {bytes_text(self.room.free)} are free there"
        return (
            f"{plural(len(names), 'archived segment')}, {names[0]} to {names[-1]}, are brought to the droplet"
            f" and read there by pg_waldump of PostgreSQL {self.server.major}, with the lowest priority.",
            f"They take at most {bytes_text(self.span.room_bytes)} in a private folder in {self.room.folder}"
            f" for as long as it takes{free}. Then the folder goes.",
            "Nothing of the server, its configuration and the archive is changed.",
            *self.span.notes,
        )


class MomentSearch:
    """`snapshot` is what is known of server and archive; `close` ends what the finder has open on the
    droplet.
    """

    def __init__(
        self,
        finder: MomentFinder,
        snapshot: Callable[[], Snapshot],
        now: Callable[[], float],
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._finder, self._snapshot, self._now, self._close = finder, snapshot, now, close

    async def rest(self) -> None:
        """Have nothing open on the droplet until it is asked again."""
        if self._close is not None:
            await self._close()

    async def plan(self, around: float, within_s: float, most: int = MOST_SEGMENTS) -> SearchPlan:
        """Changes nothing. Raises MomentError for what cannot be, and what Shell raises."""
        snapshot = self._snapshot()
        found = _archive(snapshot, self._now())
        server = _server(snapshot, found)
        try:
            span = wal_span(found, around - within_s, around + within_s, most=most)
        except NothingToReadError as nothing:
            raise MomentError(_TRIED, str(nothing), "ask for another time") from None
        room = await self._finder.room()
        refused = refused_for_room(span.room_bytes, room.free, room.total)
        if refused:
            raise MomentError(f"making room in {room.folder} on the droplet", refused)
        return SearchPlan(around, within_s, span, server, room)

    async def run(self, plan: SearchPlan, told: Told = lambda progress: None) -> FoundMoments:
        """Bring it, read it, name it. Raises MomentError, and what Shell raises."""
        collected = await self._finder.read(plan.span, plan.server, told)
        names = await self._finder.names(collected)
        return FoundMoments(plan.around, plan.within_s, plan.span, collected, names)


def _archive(snapshot: Snapshot, now: float) -> Recoverability:
    restorable = Assessment(snapshot, now).recovery
    if restorable is None:
        problems = (each.problem for each in (snapshot.primary, snapshot.dr))
        why = next((each.why for each in problems if each is not None), "it was not listed to its end")
        raise MomentError(_TRIED, f"the archive is not known: {why}", "mend that, or wait, and try again")
    read = [each.value for each in (snapshot.primary, snapshot.dr) if each.value is not None]
    if not any(each.layout == Layout.FLAT.value for each in read):
        layouts = ", ".join(sorted({each.layout for each in read})) or "no layout that is known"
        raise MomentError(
            _TRIED,
            f"the WAL is stored in another tool's layout ({layouts})",
            "bring the segments with that tool's own command, and read them with pg_waldump by hand",
        )
    return restorable.found


def _server(snapshot: Snapshot, found: Recoverability) -> Server:
    """The running server's version, else that of a base backup."""
    known = snapshot.server.value
    nums = [each.backup.server_version_num for each in found.backups]
    num = known.version_num if known is not None else next((each for each in reversed(nums) if each), None)
    if num is None:
        raise MomentError(
            _TRIED, "which PostgreSQL wrote the WAL is not known", "start the server, try again"
        )
    major = num // 10_000
    if not MAJORS[0] <= major <= MAJORS[1]:
        why = (
            f"what pg_waldump of PostgreSQL {major} prints is not known here ({MAJORS[0]} to {MAJORS[1]} are)"
        )
        raise MomentError(_TRIED, why)
    host = snapshot.host.value
    cluster = host.cluster if host is not None else None
    told = known.data_directory if known is not None else None
    return Server(major, told or (cluster.data_directory if cluster is not None else ""))
