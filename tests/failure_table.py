"""The table of failure modes that were really brought about: in a run's summary, and as a page of docs/.

A row is `failure|found|seconds|mended`, reported by the tests as the property `failure`.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

Row = Sequence[str]

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
archiver held still (PostgreSQL 15 and later take such files away by themselves). What must not
alarm (an idle server, failures long since recovered, counters that were reset, a promotion, a
`.partial` file, an accepted gap, somebody else's prefix) is tested beside them.

| what was broken | found | after | mended |
|---|---|---|---|
"""


def rows(reporter: pytest.TerminalReporter) -> list[Row]:
    """Of the tests that passed, in the order in which they ended. A fixture tells them."""
    passed = {report.nodeid for report in reporter.stats.get("passed", [])}
    return [
        str(value).split("|")
        for report in reporter.stats.get("", [])
        if getattr(report, "when", "") == "teardown" and report.nodeid in passed
        for name, value in report.user_properties
        if name == "failure"
    ]


def tell(reporter: pytest.TerminalReporter, table: Sequence[Row]) -> None:
    """What was broken, what was found, in how many seconds, and what mended it."""
    reporter.section("failure modes, really brought about")
    for failure, found, seconds, green in table:
        reporter.line(f"{failure:54} {found:28} {seconds:>5} s   {green}")


def write(path: Path, table: Sequence[Row]) -> None:
    """As a page, by what was found."""
    lines = [
        f"| {failure} | [`{found}`](failures/{found}.md) | {seconds} s | {green or 'with the next test'} |"
        for failure, found, seconds, green in sorted(table, key=lambda row: (row[1], row[0]))
    ]
    count = len({row[1] for row in table})
    path.write_text(
        f"{_HEAD}{chr(10).join(lines)}\n\n{len(table)} failures, {count} failure modes.\n", "utf-8"
    )
