"""Mending every hole of every copy from wherever its segments are: another copy, pg_wal, another folder."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace

from walconsole.domain.archive.mending import Mend, Source
from walconsole.domain.profile import BucketRole
from walconsole.domain.redaction import safe
from walconsole.domain.standing.mending import Stretch, lost_stretches
from walconsole.domain.units import bytes_text, duration_text, plural
from walconsole.domain.wal import Segment
from walconsole.errors import BlockedError, ProvisionError
from walconsole.provision.engine.model import (
    Check,
    CheckState,
    Event,
    Fact,
    FactState,
    Moving,
    Plan,
    Printed,
    Proved,
    Risk,
)
from walconsole.provision.engine.site import Site
from walconsole.provision.fixes.base import FixStep
from walconsole.provision.mending.by_console import ConsoleCarrier
from walconsole.provision.mending.by_droplet import DropletCarrier, can_carry
from walconsole.provision.mending.carrier import Brought, Carried, Carrier, Unusable
from walconsole.provision.mending.look import MendLook, look, target_of

COPIES = {BucketRole.PRIMARY: "primary", BucketRole.DR: "DR"}
_SHOWN = 12
_TYPED = 4
"""Segments for which the plan has the commands by hand: each takes a small listing or two."""
_REFUSALS = 3
"""So many in a row, and the copy is left alone: it will refuse the rest as well."""
_BACKUP = (
    "what is in no place any more stays lost: take a new base backup (first-backup), then accept the gap"
)


class MendHoles(FixStep):
    """All gaps of all copies by one plan. What it stores is read back; what is there is never replaced."""

    id = "mend-holes"
    title = "Mend the holes"
    risk = Risk.ADDS
    explanation = (
        "Looks at both buckets, at pg_wal and at the other folders of WAL that are known on the droplet, and "
        "brings every segment that a copy lacks from wherever it still is: what only pg_wal holds first, for "
        "it is recycled. Each file is looked at before it is sent: its size, and the version, timeline, "
        "position and system identifier of its first page must be those of its name. It is stored in the "
        "form of the segments beside it, and read back. A name that holds other content is left as it is. "
        "It can be stopped after any segment, and run again."
    )

    def __init__(self, site: Site, subject: str = "") -> None:
        super().__init__(site, subject)
        self._seen: MendLook | None = None
        self._stored: Counter[BucketRole] = Counter()
        self._done: list[tuple[BucketRole, Segment]] = []

    def _lost(self) -> Mapping[BucketRole, Sequence[Stretch]]:
        """What the finding remembers. Raises ProvisionError where the subject is something else."""
        try:
            return lost_stretches(self._subject)
        except ValueError as error:
            raise ProvisionError(self.title, str(error), "take it from the finding") from None

    async def check(self) -> Check:
        """Everything is looked at anew, each time."""
        self._seen = seen = await look(self._site, self._lost())
        if seen.why_not:
            return Check(CheckState.BLOCKED, seen.why_not, remedy="give the console's role pg_monitor")
        facts = tuple(self._facts(seen))
        if seen.plan.mends:
            return Check(CheckState.NEEDED, self._summary(seen), facts)
        if seen.plan.unmendable:
            count = plural(sum(each.segments for each in seen.plan.unmendable), "segment")
            return Check(
                CheckState.BLOCKED,
                f"{count} can be brought from nowhere: {seen.plan.unmendable[0].why}",
                facts,
                _BACKUP,
            )
        if seen.unread:
            return Check(
                CheckState.BLOCKED, f"cannot tell: {seen.unread[0]}", facts, "see why, and look again"
            )
        return Check(CheckState.DONE, "no copy lacks a segment in mid-chain", facts)

    async def plan(self) -> Plan:
        """How many from where, what goes when, and what stays missing."""
        seen = await self._looked()
        carrier = await self._carrier(seen)
        typed = [await carrier.by_hand(mend) for mend in seen.plan.mends[:_TYPED]]
        return Plan(
            summary=self._summary(seen),
            commands=tuple(command for command in typed if command is not None),
            notes=tuple(self._notes(seen, carrier)),
            cost=" and ".join(
                f"about {bytes_text(seen.bytes_of(role))} more in {self._bucket(role)}"
                for role in COPIES
                if seen.plan.of(role)
            ),
            undo="nothing to undo: objects are added, and none of them is taken away again",
        )

    async def apply(self) -> AsyncIterator[Event]:
        """One segment after the other. Raises ProvisionError at the end where some could not be brought."""
        seen = await self._looked()
        carrier = await self._carrier(seen)
        began, total, failures = self._site.clock.monotonic(), len(seen.plan.mends), Failures()
        self._done.clear()
        for at, mend in enumerate(seen.plan.mends):
            targets = tuple(role for role in mend.targets if not failures.gave_up(role))
            if targets:
                async for event in self._carried(carrier, replace(mend, targets=targets), failures):
                    yield event
            done_bytes = (at + 1) * self._segment_bytes(seen)
            spent = self._site.clock.monotonic() - began
            yield Moving(
                f"{at + 1:,} of {plural(total, 'segment')}",
                spent,
                done_bytes,
                total * self._segment_bytes(seen),
                done_bytes / spent if spent > 0 else None,
                spent / (at + 1) * (total - at - 1),
            )
        if failures:
            raise ProvisionError("mending the holes", failures.why(), failures.remedy())

    async def verify(self) -> AsyncIterator[Event]:
        """By a new listing: what was brought is there. What no place holds is said."""
        anew = await look(self._site, self._lost())
        self._seen = anew
        for role, segment in self._done:
            self._must_be_there(anew, role, segment)
        for role, count in Counter(role for role, _ in self._done).items():
            held = plural(count, "segment that it lacked", "segments that it lacked")
            yield Proved(f"{self._bucket(role)} holds {held}, each read back whole")
        for line in _left(anew):
            yield Printed(line)

    def _must_be_there(self, anew: MendLook, role: BucketRole, segment: Segment) -> None:
        """Raises ProvisionError."""
        tried = "looking at what was brought"
        copy = next((each for each in anew.copies if each.role is role), None)
        if copy is None:
            why = "; ".join(anew.unread) or anew.why_not or f"{self._bucket(role)} could not be listed"
            raise ProvisionError(tried, why, "each object was read back; look again once it answers")
        held = copy.held.get(segment.timeline)
        if held is None or segment.number not in held:
            name = segment.name(self._segment_bytes(anew))
            why = f"{name} was stored in {self._bucket(role)} and read back, and a new listing lacks it"
            raise ProvisionError(tried, why, "find out who deletes there; then run this step again")

    # One segment.

    async def _carried(self, carrier: Carrier, mend: Mend, failures: "Failures") -> AsyncIterator[Event]:
        told: set[BucketRole] = set()
        unusable: list[str] = []
        name = self._name(mend.segment)
        async for news in carrier.carry(mend):
            match news:
                case Unusable(source, why):
                    unusable.append(f"{self._place(source)}: {why}")
                    yield Printed(f"{name} is not taken from {self._place(source)}: {why}")
                case Brought(role, state, words):
                    told.add(role)
                    if news.well:
                        self._done.append((role, mend.segment))
                        failures.well(role)
                        there = (
                            "is there already, the same" if state is Carried.THERE else "stored, read back"
                        )
                        yield Printed(f"{name} in {self._bucket(role)}: {there}")
                    else:
                        failures.note(role, name, words)
                        yield Printed(f"{name} is not in {self._bucket(role)}: {words}")
                case _:
                    yield news
        for role in mend.targets:
            if role not in told:
                why = "; ".join(unusable) or "it ended before it came to that"
                failures.nowhere(name, why)

    def _place(self, source: Source) -> str:
        if source.role is not None:
            return self._bucket(source.role)
        return "pg_wal" if source.own else safe(source.folder)

    def _bucket(self, role: BucketRole) -> str:
        return target_of(self._site, role).bucket

    def _name(self, segment: Segment) -> str:
        return segment.name(self._segment_bytes(self._seen))

    def _segment_bytes(self, seen: MendLook | None) -> int:
        server = seen.snapshot.server.value if seen is not None else None
        if server is None:
            raise AssertionError("nothing is planned without the server")
        return server.segment_bytes

    # The plan.

    async def _looked(self) -> MendLook:
        if self._seen is None:
            self._seen = await look(self._site, self._lost())
        if not self._seen.plan.mends:
            raise BlockedError(self.title, "there is nothing that can be brought", "look again")
        return self._seen

    async def _carrier(self, seen: MendLook) -> Carrier:
        if await can_carry(self._site):
            return DropletCarrier(self._site, seen)
        if self._site.own is None or self._site.plain is None:
            raise BlockedError(self.title, "the droplet has no rclone, or not the keys to both copies")
        return ConsoleCarrier(self._site, seen)

    def _summary(self, seen: MendLook) -> str:
        parts = [
            f"{plural(len(seen.plan.of(role)), 'segment')} into {self._bucket(role)}"
            for role in COPIES
            if seen.plan.of(role)
        ]
        total = plural(len(seen.plan.mends), "segment")
        froms = Counter(self._place(mend.sources[0]) for mend in seen.plan.mends)
        where = ", ".join(f"{count:,} from {place}" for place, count in froms.items())
        return f"bring back {total}: {' and '.join(parts)} ({where})"

    def _facts(self, seen: MendLook) -> Iterator[Fact]:
        for mend in seen.plan.mends[:_SHOWN]:
            to = " and ".join(self._bucket(role) for role in mend.targets)
            word = f"into {to}, from {self._place(mend.sources[0])}{_when(mend)}"
            yield Fact(self._name(mend.segment), word, FactState.WARNING if mend.urgent else FactState.NOTE)
        more = len(seen.plan.mends) + seen.plan.left - _SHOWN
        if more > 0:
            yield Fact("and", f"{more:,} more", FactState.NOTE)
        for each in seen.plan.unmendable[:_SHOWN]:
            names = self._range(each.timeline, each.first, each.last)
            yield Fact(names, f"stays missing in {self._bucket(each.role)}: {each.why}", FactState.WARNING)
        for why in seen.unread:
            yield Fact("not seen", safe(why), FactState.UNKNOWN)

    def _range(self, timeline: int, first: int, last: int) -> str:
        ends = [self._name(Segment(timeline, number)) for number in dict.fromkeys((first, last))]
        return " to ".join(ends)

    def _notes(self, seen: MendLook, carrier: Carrier) -> Iterator[str]:
        yield f"carried {carrier.way}; each is looked at before it is sent, and read back after"
        for role in COPIES:
            if seen.plan.of(role) and seen.is_empty(role):
                yield f"{self._bucket(role)} is empty of WAL: it is stored there as the other copy stores it"
        if len(seen.plan.mends) > _TYPED:
            yield f"the commands are those of the first {_TYPED} segments; they do not look at the content"
        if seen.plan.urgent:
            times = [mend.goes_in_s for mend in seen.plan.urgent]
            known = [each for each in times if each is not None]
            when = (
                f"the first in about {duration_text(min(known))}" if known else "soon, nobody can know when"
            )
            alone = plural(len(times), "segment is", "segments are")
            yield f"{alone} in pg_wal alone, to be recycled {when}: these come first"
        for each in seen.plan.unmendable[:_SHOWN]:
            names = self._range(each.timeline, each.first, each.last)
            yield f"{names} stays missing in {self._bucket(each.role)}: {each.why}"
        if len(seen.plan.unmendable) > _SHOWN:
            yield f"and {len(seen.plan.unmendable) - _SHOWN:,} more gaps stay"
        if seen.plan.left:
            yield f"{plural(seen.plan.left, 'segment')} more will come when this step is run again"
        for why in seen.unread:
            yield f"not looked at: {safe(why)}"


def _when(mend: Mend) -> str:
    if not mend.urgent:
        return ""
    if mend.goes_in_s is None:
        return ", recycled nobody knows when"
    return f", recycled in about {duration_text(mend.goes_in_s)}"


def _left(seen: MendLook) -> Iterator[str]:
    count = sum(each.segments for each in seen.plan.unmendable)
    if count:
        yield f"{plural(count, 'segment stays', 'segments stay')} missing: {_BACKUP}"
    if seen.plan.mends:
        more = len(seen.plan.mends) + seen.plan.left
        yield f"{plural(more, 'segment')} more can be brought: run this again"


class Failures:
    """What could not be brought. A copy that refuses several in a row is not asked any more."""

    def __init__(self) -> None:
        self._refused: list[str] = []
        self._lost: list[str] = []
        self._in_a_row: Counter[BucketRole] = Counter()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._refused or self._lost)

    def well(self, role: BucketRole) -> None:
        """The copy took one."""
        self._in_a_row[role] = 0

    def note(self, role: BucketRole, name: str, why: str) -> None:
        """The copy did not take it."""
        self._in_a_row[role] += 1
        self._refused.append(f"{name} ({COPIES[role]}): {why}")

    def nowhere(self, name: str, why: str) -> None:
        """No source of it was whole."""
        self._lost.append(f"{name}: {why}")

    def gave_up(self, role: BucketRole) -> bool:
        """Whether the copy refused so often that the rest is not tried."""
        return self._in_a_row[role] >= _REFUSALS

    def why(self) -> str:
        """In one line: how many, and the first."""
        parts = [_some(self._refused, "not stored")] if self._refused else []
        parts += [_some(self._lost, "not whole anywhere")] if self._lost else []
        return "; ".join(parts)

    def remedy(self) -> str:
        """What to do about it."""
        if self._refused:
            return (
                "see why the copy refuses (d asks it call by call); then run this again, it goes on from here"
            )
        return _BACKUP


def _some(lines: Sequence[str], what: str) -> str:
    distinct = list(dict.fromkeys(lines))
    more = f" and {len(distinct) - 1} more" if len(distinct) > 1 else ""
    return f"{what}: {distinct[0]}{more}"
