"""Checks of several clusters together: the worst first, in every form that one has."""

from collections import Counter
from collections.abc import Iterator, Sequence

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.incidents.model import IncidentLog
from walconsole.domain.records import record
from walconsole.domain.redaction import safe
from walconsole.domain.standing.model import Diagnosis, Level
from walconsole.domain.standing.worsening import RANK
from walconsole.domain.units import plural
from walconsole.report.documents import SCHEMA_VERSION, check_document
from walconsole.report.lines import WORDS, Scrape, exit_code, exposition, for_people
from walconsole.report.metric import Metric
from walconsole.report.parts import Document, iso

_WORST_FIRST = sorted(Level, key=lambda level: -RANK[level])


@record
class Checked:
    """One look at one cluster. `name` tells it from the others, `profile` is its short name."""

    name: str
    profile: str
    snapshot: Snapshot
    diagnosis: Diagnosis
    numbers: tuple[Metric, ...]
    at: float
    remembered: IncidentLog | None = None

    @property
    def level(self) -> Level:
        """Its verdict's."""
        return self.diagnosis.verdict.level


def worst_first(checks: Sequence[Checked]) -> list[Checked]:
    """Critical, warning, unknown, ok; by name among equals."""
    return sorted(checks, key=lambda each: (-RANK[each.level], each.name))


def worst_exit_code(checks: Sequence[Checked]) -> int:
    """The exit code of the worst; what nobody can tell is better than what is known to be wrong."""
    return exit_code(worst_first(checks)[0].diagnosis)


def several_for_people(checks: Sequence[Checked], *, verbose: bool = False) -> Iterator[str]:
    """A line each; `verbose` tells the stories below each."""
    for each in worst_first(checks):
        yield from for_people(each.name, each.diagnosis, verbose=verbose)


def several_for_nagios(checks: Sequence[Checked]) -> Iterator[str]:
    """A summary with performance data, and a line each: a plugin's long output. A bar would end the text."""
    found = Counter(each.level for each in checks)
    told = ", ".join(f"{found[level]:,} {level.value}" for level in _WORST_FIRST if found[level])
    data = " ".join(f"'clusters_{level.value}'={found[level]};;;0" for level in _WORST_FIRST)
    worst = WORDS[worst_first(checks)[0].level]
    yield f"WALCONSOLE {worst} - {plural(len(checks), 'cluster')}: {told} | {data}"
    for line in several_for_people(checks):
        yield line.replace("|", "/")


def several_for_prometheus(checks: Sequence[Checked]) -> Iterator[str]:
    """The text exposition format; every sample has the label `cluster`."""
    labels = ((("cluster", safe(each.name)), ("profile", safe(each.profile))) for each in checks)
    told = zip(labels, checks, strict=True)
    yield from exposition([Scrape(names, one.diagnosis, one.numbers, one.at) for names, one in told])


def several_document(checks: Sequence[Checked], now: float) -> Document:
    """What `walconsole check --all --json` prints: the documents of all, the worst first."""
    return {
        "document": "walconsole check of several",
        "schema_version": SCHEMA_VERSION,
        "checked_at": iso(now),
        "level": worst_first(checks)[0].level.value,
        "exit_code": worst_exit_code(checks),
        "clusters": [
            {"cluster": safe(each.name)}
            | check_document(
                each.profile, each.snapshot, each.diagnosis, each.numbers, each.at, each.remembered
            )
            for each in worst_first(checks)
        ],
    }
