"""What a verdict rests on: no verdict is better than what was read.

`NEEDED` are the sources without which nobody can say that archiving works: each says of itself alone what
none of the others does (a swallowed segment shows in the bucket alone, a full disk on the host alone).
`ASKED` are those that say why something is wrong, and a few things that are wrong before anything fails: a
look that ends must have their answer, whatever it is, for what they refuse to tell shows elsewhere too.
The rest (the link, `production`, `compared`) is looked at where and when there is something to look at.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from walconsole.domain.facts.evidence import PolicyFacts
from walconsole.domain.facts.observed import BucketFacts
from walconsole.domain.facts.snapshot import SLOTS, AnySlot, Freshness, Need, Problem, Reading, Snapshot
from walconsole.domain.records import record
from walconsole.domain.standing.model import Diagnosis, Level, Severity, Story, Verdict

NEEDED = tuple(slot for slot in SLOTS if slot.need is Need.VERDICT)
ASKED = tuple(slot for slot in SLOTS if slot.need is Need.ANSWER)

_NO_MORE = "; cannot tell more: "
_WHY, _NOTHING = "cannot tell: ", "looking: "
"""How a verdict begins that says why nothing can be seen, and one that says that nothing was seen yet."""
_BUCKETS = frozenset({Snapshot.primary, Snapshot.dr})
_ALSO_THE_SERVERS = frozenset({"silent-loss", "archive-frozen", "foreign-writer", "odd-segment-size"})
"""Found in a bucket, and only by comparing it with what the server says."""


@record
class Unseen:
    """A source that was not read: `problem` says why, None where it gave no answer yet."""

    slot: AnySlot
    name: str
    problem: Problem | None = None


def unseen(snapshot: Snapshot) -> tuple[Unseen, ...]:
    """The needed sources that were never read, or failed last, and a bucket that is not listed to its end."""
    return tuple(_not_read(snapshot, NEEDED, failed=True))


def was_asked(snapshot: Snapshot) -> bool:
    """Whether every needed source has answered something, be it that it cannot be read."""
    return all(slot.of(snapshot).freshness is not Freshness.UNREAD for slot in NEEDED)


def unanswered(snapshot: Snapshot) -> tuple[Unseen, ...]:
    """The same, and what else a look that ends must have had an answer from."""
    asked = () if snapshot.settings.value is None else _not_read(snapshot, ASKED, failed=False)
    return (*unseen(snapshot), *asked)  # without settings there is no command to look at


def _not_read(snapshot: Snapshot, slots: tuple[AnySlot, ...], *, failed: bool) -> Iterator[Unseen]:
    for slot in slots:
        if slot not in snapshot.slots:
            continue  # there is no second copy, and none is wanted
        reading = slot.of(snapshot)
        if reading.freshness is Freshness.UNREAD or (failed and reading.problem is not None):
            yield Unseen(slot, slot.words, reading.problem)
        elif isinstance(reading.value, BucketFacts) and not _is_whole(reading.value):
            yield Unseen(slot, slot.words)


def _is_whole(bucket: BucketFacts) -> bool:
    return bucket.complete and not bucket.doubted and bucket.backups is not None


def never_blind(said: Verdict, snapshot: Snapshot) -> Verdict:
    """The verdict, which is not OK while something that it needs was not read."""
    missing = unseen(snapshot)
    if said.level is not Level.OK or not missing:
        return said
    return Verdict(Level.UNKNOWN, f"{said.text}{_NO_MORE}{_told(missing)}")


def admitting(said: Verdict, snapshot: Snapshot) -> Verdict:
    """An OK names what could deny it and could not be read, where most keys may not read it: no warning."""
    both = (("the bucket's", snapshot.policy), ("the DR bucket's", snapshot.dr_policy))
    whose = [name for name, reading in both if _is_refused(reading)]
    if said.level is not Level.OK or not whose:
        return said
    rules = f"{whose[0]} lifecycle rules cannot be read with this key"
    if len(whose) > 1:
        rules = "lifecycle rules cannot be read with these keys"
    return replace(said, text=f"{said.text}; {rules}")


def _is_refused(reading: Reading[PolicyFacts]) -> bool:
    return reading.problem is not None or (reading.value is not None and bool(reading.value.missing))


def tells_why(verdict: Verdict) -> bool:
    """Whether it is the reason why nobody can tell, and not that somebody is still looking."""
    return verdict.level is Level.UNKNOWN and verdict.text.startswith(_WHY)


def of_one_look(diagnosis: Diagnosis, snapshot: Snapshot, limit_s: float) -> Diagnosis:
    """The diagnosis of a look that has ended after at most `limit_s`: what it did not see is unknown.

    What is CRITICAL stays so: it follows from what was read.
    """
    missing = unanswered(snapshot)
    said = diagnosis.verdict
    if not missing or said.level is Level.CRITICAL:
        return diagnosis
    known = said.text.partition(_NO_MORE)[0]
    text = f"cannot tell: {_told(missing, f' within {limit_s:g} s')}"
    if known.startswith(_WHY):  # nothing else was seen, and that is the reason
        text = f"{known}; {_told(missing, f' within {limit_s:g} s', known)}"
    elif not known.startswith(_NOTHING):
        text += f"; so far {_without(missing, known)}"
    return replace(diagnosis, verdict=Verdict(Level.UNKNOWN, text))


def no_finding(snapshot: Snapshot, said: Verdict) -> tuple[str, bool]:
    """What is said where no rule found anything, and whether it is good news: not while something is unread.

    A rule says nothing of a source that was not read.
    """
    missing = unseen(snapshot)
    if len(missing) == len(NEEDED) and not any(each.problem for each in missing):
        return "nothing was read yet", False
    if missing:
        return f"nothing is wrong in what was read; {_told(missing)}", False
    if said.level is not Level.OK:
        return "no rule found anything beside what the first line says", False
    return "nothing is wrong that the console knows of", True


def _told(missing: tuple[Unseen, ...], within: str = " yet", known: str = "") -> str:
    """What was not read, and why: one reason once, and not again where `known` says it already."""
    silent = [each.name for each in missing if each.problem is None]
    many = len(silent) > 1 or any(each.slot.many for each in missing if each.problem is None)
    waits = [f"{_listed(silent)} {'were' if many else 'was'} not read{within}"]
    refused: dict[str, list[str]] = {}
    for each in missing:
        if each.problem is not None:
            refused.setdefault(each.problem.reason, []).append(each.name)
    told = [
        f"{_listed(names)} could not be read {'for that reason' if reason in known else f'({reason})'}"
        for reason, names in refused.items()
    ]
    return "; ".join([*(waits if silent else []), *told])


def _without(missing: tuple[Unseen, ...], known: str) -> str:
    """What is known, without what was said of a source that was not read."""
    for each in missing:
        if each.problem is not None:
            known = known.replace(f"; the bucket could not be read: {each.problem.reason}", "")
    return known


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def proved(story: Story, snapshot: Snapshot) -> bool:
    """Whether something CRITICAL in it follows from a bucket that was read now, whatever else is unseen."""
    return any(
        finding.severity is Severity.CRITICAL
        and finding.slot in _BUCKETS
        and finding.rule not in _ALSO_THE_SERVERS
        and finding.slot.of(snapshot).freshness is Freshness.OK
        for finding in (story.root, *story.consequences)
    )
