"""Every failure mode is one record with all its parts, and the documents are what the records say."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from scripts.write_failure_pages import stale
from walconsole.cli.explain import explain
from walconsole.domain.failures import FAMILIES, LOOKS, MODES
from walconsole.domain.standing.mode import NARROWEST, FailureMode, page_text
from walconsole.domain.standing.refusals import REFUSALS
from walconsole.domain.store.answers import Meaning

INTEGRATION = Path(__file__).parents[1] / "integration"
DOCS = Path(__file__).parents[2] / "docs"
LISTED = [mode for _, modes in FAMILIES for mode in modes]


def test_each_id_is_declared_once() -> None:
    assert sorted(mode.id for mode in LISTED) == sorted(MODES)


def test_what_the_store_refuses_is_a_failure_mode() -> None:
    assert REFUSALS.keys() == set(Meaning)
    assert {known.rule for known in REFUSALS.values()} <= MODES.keys()


@pytest.mark.parametrize("mode", LISTED, ids=lambda mode: mode.id)
def test_a_mode_has_all_its_parts(mode: FailureMode) -> None:
    page = mode.page
    assert all((page.title, page.symptom, page.cause, page.signal, page.fix))
    assert all(len(line) <= NARROWEST or line.startswith("      ") for line in page_text(mode, NARROWEST))
    assert set(mode.explains) <= {each.id for each in LISTED if each.alarms} - {mode.id}
    assert len(set(mode.explains)) == len(mode.explains)
    assert mode.look is None or mode.look in LOOKS


@pytest.mark.parametrize("mode", [mode for mode in LISTED if not mode.alarms], ids=lambda mode: mode.id)
def test_what_is_no_alarm_leads_to_nothing(mode: FailureMode) -> None:
    assert (mode.explains, mode.risk, mode.late, mode.untried) == ((), None, None, "")


def test_no_two_modes_are_told_at_the_same_late_place() -> None:
    late = [mode.late for mode in LISTED if mode.late is not None]
    assert len(set(late)) == len(late)


def test_explain_lists_every_mode_and_prints_its_page(capsys: pytest.CaptureFixture[str]) -> None:
    explain(None)
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed if line.startswith("  ") and line[2] != " "] == list(MODES)
    for mode in LISTED:
        explain(mode.id)
        assert capsys.readouterr().out.startswith(f"{mode.id}: ")


def test_the_documents_are_what_the_records_say() -> None:
    assert stale() == []


def _brought_about() -> set[str]:
    """By the markers of the tests on real servers, which fail where it is not found in them."""
    names = sorted(path.stem for path in INTEGRATION.glob("test_failures_*.py"))
    modules = [import_module(f"tests.integration.{name}") for name in names]
    tests = [value for module in modules for name, value in vars(module).items() if name.startswith("test_")]
    marks = [mark for test in tests for mark in getattr(test, "pytestmark", ())]
    return {rule for mark in marks if mark.name == "failure_mode" for rule in mark.args}


def test_a_mode_is_brought_about_on_real_servers_or_says_why_not() -> None:
    found = _brought_about()
    assert found == {mode.id for mode in LISTED if mode.alarms and not mode.untried}
    assert len(found) > 40


def test_the_page_of_what_was_brought_about_has_a_row_for_each() -> None:
    """Written by a run (`make tested-failures`): a mode that is new is not in it until the next one."""
    page = (DOCS / "tested-failures.md").read_text("utf-8")
    table = page.partition("## The kinds")[0]
    rows = set(re.findall(r"^\| [^|]+ \| \[`([a-z0-9-]+)`\]\(failures/", table, re.MULTILINE))
    assert _brought_about() - rows == set(), "run `make tested-failures`"
    assert rows <= MODES.keys()


def test_the_kinds_are_tried_in_many_ways() -> None:
    """Other languages and formats of the log, other tools' words, other stores' documented refusals."""
    page = (DOCS / "tested-failures.md").read_text("utf-8").partition("## The kinds")[2]

    def named(what: str) -> set[str]:
        (row,) = re.findall(rf"^\| {what} \((.*)\) \| \d+ \|$", page, re.MULTILINE)
        return set(row.split("; "))

    languages = named("whatever the language the end is one and the words before it are the cause")
    assert len(languages) >= 10
    assert {"stderr", "csvlog", "jsonlog"} <= named("the archivers own error is told with detail and hint")
    tools = {name.split(",")[0].split(" ")[0] for name in named("a tools words for a stores answer")}
    assert {"aws", "s3cmd", "mc", "s5cmd", "wal-g", "barman", "pgbackrest", "rclone"} <= tools
    assert len(named("what a maker documents")) >= 8
    ways = [int(count) for count in re.findall(r" \| (\d+) \|$", page, re.MULTILINE)]
    assert re.search(rf"kinds in {sum(ways)} ways\.", page)
    assert sum(ways) >= 30
