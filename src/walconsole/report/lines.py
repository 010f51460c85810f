"""A check as lines: for people, for monitoring plugins' readers, for Prometheus' textfile collector."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from walconsole.domain.redaction import safe
from walconsole.domain.standing.model import Diagnosis, Level, Severity, Story
from walconsole.report.metric import Metric
from walconsole.report.metrics import LEVELS

PREFIX = "walconsole_"
LONGEST_LINE = 4095
"""Of a plugin's output readers take 4 KiB, with what ends it (Monitoring Plugins Development Guidelines)."""
WORDS = {Level.OK: "OK", Level.WARNING: "WARNING", Level.CRITICAL: "CRITICAL", Level.UNKNOWN: "UNKNOWN"}
_UNITS = (("_seconds", "s"), ("_bytes", "B"), ("_total", "c"))
"""Units of performance data by the metric's name (Monitoring Plugins Development Guidelines, 2.6)."""


def exit_code(diagnosis: Diagnosis) -> int:
    """0 ok, 1 warning, 2 critical, 3 unknown."""
    return LEVELS[diagnosis.verdict.level]


def for_people(profile: str, diagnosis: Diagnosis, *, verbose: bool = False) -> Iterator[str]:
    """The verdict on one line; `verbose` tells each story below it."""
    yield safe(f"{profile}: {WORDS[diagnosis.verdict.level]}: {diagnosis.verdict.text}")
    if not verbose:
        return
    for story in diagnosis.stories:
        yield from _told(story)


def _told(story: Story) -> Iterator[str]:
    root = story.root
    yield safe(f"  {story.severity.name.lower()} [{root.rule}] {root.title}")
    for evidence in root.evidence:
        yield safe(f"      {evidence}")
    for line in story.at_risk:
        yield safe(f"      at risk: {line}")
    for each in story.consequences:
        yield safe(f"      so: [{each.rule}] {each.title}")
    yield safe(f"      do: {root.remedy}")


def for_nagios(profile: str, diagnosis: Diagnosis, numbers: Sequence[Metric]) -> str:
    """One line with performance data, as much of it as fits. A bar would end the text, a quote the label."""
    worst = diagnosis.stories[0].root if diagnosis.stories else None
    named = f" [{worst.rule}]" if worst is not None and diagnosis.verdict.level is not Level.OK else ""
    text = safe(f"WALCONSOLE {WORDS[diagnosis.verdict.level]} - {profile}: {diagnosis.verdict.text}{named}")
    line = f"{text.replace('|', '/')} |"
    for each in numbers:
        more = f" {_performance(each)}" if each.name != "status" else ""
        if len(line) + len(more) > LONGEST_LINE:
            break
        line += more
    return line


def _performance(metric: Metric) -> str:
    label = "_".join([metric.name, *(value for _, value in metric.labels)])
    unit = next((unit for ending, unit in _UNITS if metric.name.endswith(ending)), "")
    low = "" if metric.name == "clock_offset_seconds" else ";;;0"
    return f"'{label}'={_number(metric.value)}{unit}{low}"


def _number(value: float) -> str:
    """Without an exponent, which not every reader of performance data knows."""
    return str(int(value)) if float(value).is_integer() else f"{value:.3f}"


def for_prometheus(profile: str, diagnosis: Diagnosis, numbers: Sequence[Metric], at: float) -> Iterator[str]:
    """The text exposition format 0.0.4, every family once, with HELP and TYPE."""
    yield from exposition([Scrape((("profile", safe(profile)),), diagnosis, tuple(numbers), at)])


class Scrape(NamedTuple):
    """What is told of one cluster: its labels, which no other one has, and what was found at `at`."""

    labels: tuple[tuple[str, str], ...]
    diagnosis: Diagnosis
    numbers: tuple[Metric, ...]
    at: float


def exposition(scrapes: Sequence[Scrape]) -> Iterator[str]:
    """The same for several clusters: a family's samples stand together, whosever they are."""
    families: dict[str, list[tuple[Scrape, Metric]]] = {}
    for scrape in scrapes:
        for metric in scrape.numbers:
            families.setdefault(metric.name, []).append((scrape, metric))
    for name, samples in families.items():
        first = samples[0][1]
        yield from _family(name, first.meaning, first.kind.value)
        for scrape, metric in samples:
            yield _sample(name, (*scrape.labels, *metric.labels), _number(metric.value))
    yield from _family("finding", "1 for each finding that the check reports, by id and severity.")
    for scrape in scrapes:
        for rule, severity, root in _rules(scrape.diagnosis):
            yield _sample(
                "finding", (*scrape.labels, ("id", rule), ("severity", severity), ("root", root)), "1"
            )
    yield from _family("check_timestamp_seconds", "When the check was made.")
    for scrape in scrapes:
        yield _sample("check_timestamp_seconds", scrape.labels, f"{scrape.at:.3f}")


def _family(name: str, meaning: str, kind: str = "gauge") -> tuple[str, str]:
    return f"# HELP {PREFIX}{name} {meaning}", f"# TYPE {PREFIX}{name} {kind}"


def _sample(name: str, labels: Sequence[tuple[str, str]], value: str) -> str:
    return f"{PREFIX}{name}{{{_labels(labels)}}} {value}"


def _rules(diagnosis: Diagnosis) -> list[tuple[str, str, str]]:
    """Each rule once, with its worst severity: a family may hold no two samples with the same labels."""
    worst: dict[str, tuple[Severity, bool]] = {}
    for story in diagnosis.stories:
        for each in (story.root, *story.consequences):
            severity, root = worst.get(each.rule, (Severity.NOTE, False))
            worst[each.rule] = max(severity, each.severity), root or each is story.root
    return [(rule, severity.name.lower(), str(root).lower()) for rule, (severity, root) in worst.items()]


def _labels(pairs: Sequence[tuple[str, str]]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
