"""Every rule has a page, every page that alarms is a rule, and the documents are what the pages say."""

import re
from pathlib import Path

import pytest

from scripts.write_failure_pages import stale
from walconsole.domain import failures, standing
from walconsole.domain.failures.pages import FAMILIES, PAGES
from walconsole.domain.failures.refusals import CODES
from walconsole.domain.failures.writing import NARROWEST, page_text
from walconsole.domain.standing.stories import EXPLAINS

FOLDERS = (Path(failures.__file__).parent, Path(standing.__file__).parent)


def _rule_ids() -> set[str]:
    """The ids in the source: a Finding's first argument, and those in the tables of refusals."""
    ids = {known.rule for known in CODES.values()}
    for module in (path for folder in FOLDERS for path in folder.glob("*.py")):
        text = module.read_text(encoding="utf-8")
        for first in re.findall(r"\bFinding\(\s*([^,]*),", text):
            ids |= set(re.findall(r'"([a-z0-9-]+)"', first))
        ids |= set(re.findall(r'\("([a-z]+-[a-z0-9-]+)", "', text))
        ids |= set(re.findall(r'_REFUSALS\.get\([^(]*\("([a-z0-9-]+)"', text))
    return ids


def test_every_rule_has_a_page_and_every_page_that_alarms_is_a_rule() -> None:
    assert {page.rule for page in PAGES.values() if page.alarms} == _rule_ids()
    assert len(_rule_ids()) > 36


def test_what_is_no_alarm_is_no_rule() -> None:
    assert not {page.rule for page in PAGES.values() if not page.alarms} & _rule_ids()


def test_causes_and_consequences_are_rules() -> None:
    told = {*EXPLAINS, *(effect for effects in EXPLAINS.values() for effect in effects)}
    assert told <= _rule_ids()


def test_every_page_is_in_one_family() -> None:
    rules = [page.rule for _, pages in FAMILIES for page in pages]
    assert sorted(rules) == sorted(PAGES)


def test_the_documents_are_what_the_pages_say() -> None:
    assert stale() == []


@pytest.mark.parametrize("rule", sorted(PAGES))
def test_a_page_is_whole_and_fits_a_narrow_terminal(rule: str) -> None:
    page = PAGES[rule]
    assert page.title
    assert page.symptom
    assert page.cause
    assert page.signal
    assert page.fix
    assert all(len(line) <= NARROWEST or line.startswith("      ") for line in page_text(page, NARROWEST))
