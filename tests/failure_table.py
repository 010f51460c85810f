"""The table of failure modes that were really brought about: in a run's summary, and as a page of docs/.

A row is `failure|found|seconds|mended`, reported by the tests as the property `failure`. Below it stand the
cases of each kind: what a test with the marker `cases` holds, by its name, and in how many ways.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

Row = Sequence[str]
Kinds = Mapping[str, Mapping[str, Sequence[str]]]
"""Of each kind what holds, in words, with a name for each of its ways, empty where it has none."""

_HEAD = """\
# Failures that were really brought about

Each row is a real system (a Debian cluster, OpenSSH, two Ceph object gateways, rclone) that
archives, broken on purpose by `tests/integration/test_failures_*.py`, watched by the console's own
observation. *Found* is the id of the cause that the worst story names, with its evidence; *after*
the seconds from the moment at which it was broken (a failing archive command is tried at once; what
needs time by its nature takes that: a hang counts from 30 s on, a disk is watched before its end is
foretold); *mended* what put it right, and after how many seconds nothing alarmed any more and
everything that had waited was archived. Written by `make tested-failures` from a run of those
tests.

A few are brought about in a way of their own: a clock that is off by a front that answers as S3
does then, requests to slow down by a front that answers 503, an orphaned `.ready` file with the
archiver held still (PostgreSQL 15 and later take such files away by themselves), an archive that
never received anything by looking at it as it will be in five minutes. What must not alarm (an idle
server, failures long since recovered, counters that were reset, a promotion, a `.partial` file, an
accepted gap, somebody else's prefix) is tested beside them.

| what was broken | found | after | mended |
|---|---|---|---|
"""
_KINDS = """\

## The kinds, in more ways

What cannot be brought about here (other vendors' stores, other languages' logs, tools that are not
installed) is given to the parts that read it, word for word as those print or document it. Each row
is a test of `tests/unit`, by its name; *ways* is in how many it is tried.
"""


def rows(reporter: pytest.TerminalReporter) -> list[Row]:
    """Of the tests that passed, in the order in which they ended. A fixture tells them.

    What is found a second time in one way is one row.
    """
    table: dict[tuple[str, str], Row] = {}
    for text in _told(reporter, "failure"):
        row = text.split("|")
        before = table.get((row[0], row[1]))
        if before is None or not before[3]:
            table[row[0], row[1]] = row if before is None else [*before[:3], row[3]]
    return list(table.values())


def note_case(item: pytest.Item) -> None:
    """A test with the marker `cases` tells its kind, what it holds, and its way, where that has a name."""
    kind, among = item.get_closest_marker("cases"), item.get_closest_marker("among")
    if kind is None or not isinstance(item, pytest.Function):
        return
    what = item.originalname.removeprefix("test_").replace("_", " ")
    name = ""
    if among is not None:
        name = str(item.callspec.params[among.args[0]]) if among.args else item.callspec.id
    item.user_properties.append(("case", json.dumps([kind.args[0], what, name])))


def kinds(reporter: pytest.TerminalReporter) -> Kinds:
    """The cases that passed."""
    found: dict[str, dict[str, list[str]]] = {}
    for text in _told(reporter, "case"):
        kind, what, name = json.loads(text)
        found.setdefault(kind, {}).setdefault(what, []).append(name)
    return {kind: dict(sorted(found[kind].items())) for kind in sorted(found)}


def _told(reporter: pytest.TerminalReporter, prop: str) -> Iterator[str]:
    passed = {report.nodeid for report in reporter.stats.get("passed", [])}
    for report in reporter.stats.get("", []):
        if getattr(report, "when", "") == "teardown" and report.nodeid in passed:
            yield from (str(value) for name, value in report.user_properties if name == prop)


def tell(reporter: pytest.TerminalReporter, table: Sequence[Row]) -> None:
    """What was broken, what was found, in how many seconds, and what mended it."""
    reporter.section("failure modes, really brought about")
    for failure, found, seconds, green in table:
        reporter.line(f"{failure:54} {found:28} {seconds:>5} s   {green}")


def tell_kinds(reporter: pytest.TerminalReporter, found: Kinds) -> None:
    """The cases of each kind: what holds, and in how many ways."""
    reporter.section("the kinds, in more ways")
    for kind, cases in found.items():
        reporter.line(f"{kind}: {_count(cases)} ways")
        for what, ways in cases.items():
            reporter.line(f"  {len(ways):4}  {what}{_among(ways)}")


def write(path: Path, table: Sequence[Row], found: Kinds) -> None:
    """As a page, by what was found."""
    lines = [
        f"| {failure} | [`{rule}`](failures/{rule}.md) | {seconds} s | {green or 'with the next test'} |"
        for failure, rule, seconds, green in sorted(table, key=lambda row: (row[1], row[0]))
    ]
    count = len({row[1] for row in table})
    path.write_text(
        f"{_HEAD}{chr(10).join(lines)}\n\n{len(table)} failures, {count} failure modes.\n"
        f"{chr(10).join(_page(found))}\n",
        "utf-8",
    )


def _page(found: Kinds) -> Iterator[str]:
    yield _KINDS.rstrip("\n")
    for kind, cases in found.items():
        yield from ("", f"### {kind}", "", "| what holds | ways |", "|---|---|")
        for what, ways in cases.items():
            said = f"{what}{_among(ways)}".replace("|", "\\|")
            yield f"| {said} | {len(ways)} |"
    yield from ("", f"{len(found)} kinds in {sum(map(_count, found.values()))} ways.")


def _count(cases: Mapping[str, Sequence[str]]) -> int:
    return sum(map(len, cases.values()))


def _among(names: Sequence[str]) -> str:
    named = dict.fromkeys(name for name in names if name)
    return f" ({'; '.join(named)})" if named else ""
