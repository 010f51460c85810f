"""docs/verdicts.md tells of every verdict that the program can reach, of every source and every mode."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import walconsole.domain
from scripts.write_verdict_page import MADE, PAGE, page, stale
from tests.data.facts import NOW
from tests.data.snapshots import STATES
from walconsole.domain.facts.snapshot import SLOTS
from walconsole.domain.failures import MODES, diagnose
from walconsole.domain.standing.model import Level
from walconsole.domain.standing.unseen import NEEDED
from walconsole.errors import PLUGIN_EXIT_CODES

DOMAIN = Path(walconsole.domain.__path__[0])
TEXT = PAGE.read_text("utf-8")
_WORDS = 10
"""Letters: a part of a sentence that is shorter is no clause's own."""


def _parts(text: ast.expr) -> Iterator[str]:
    """The words of a text between what is filled in."""
    for each in ast.walk(text):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def _clauses() -> Iterator[tuple[str, list[str]]]:
    """Where each verdict is made, with the parts of its sentence that are its own."""
    for path in sorted(DOMAIN.rglob("*.py")):
        text = path.read_text("utf-8")
        if "Verdict(" not in text:
            continue
        for function in ast.walk(ast.parse(text)):
            if not isinstance(function, ast.FunctionDef):
                continue
            assigned: dict[str, list[str]] = {}
            for each in ast.walk(function):
                if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
                    assigned.setdefault(each.targets[0].id, []).extend(_parts(each.value))
            for each in ast.walk(function):
                if isinstance(each, ast.Call) and getattr(each.func, "id", "") == "Verdict":
                    said = each.args[1]
                    names = {one.id for one in ast.walk(said) if isinstance(one, ast.Name)}
                    parts = [*_parts(said), *(part for name in names for part in assigned.get(name, ()))]
                    own = [part.strip(" ;:,") for part in parts]
                    yield f"{path.name}: {function.name}", [part for part in own if len(part) >= _WORDS]


CLAUSES = [(where, parts) for where, parts in _clauses() if parts]


def test_there_are_as_many_clauses_as_ever() -> None:
    assert len(CLAUSES) > 45


@pytest.mark.parametrize(("where", "parts"), CLAUSES, ids=[where for where, _ in CLAUSES])
def test_each_clause_is_on_the_page(where: str, parts: list[str]) -> None:
    told = " ".join(TEXT.split())
    lacking = [part for part in parts if " ".join(part.split()) not in told]
    assert not lacking, f"{where}: docs/verdicts.md says nothing of {lacking}"


def test_its_tables_are_what_the_program_says() -> None:
    assert stale() == []
    assert page(TEXT) == TEXT
    assert set(re.findall(r"<!-- made: (\w+) -->", TEXT)) == set(MADE)


def test_every_mode_source_level_and_exit_code_is_in_it() -> None:
    assert [mode for mode in MODES if f"[`{mode}`](failures/{mode}.md)" not in TEXT] == []
    assert [slot.name for slot in SLOTS if f"| `{slot.name}` |" not in TEXT] == []
    assert [slot.name for slot in NEEDED if f"| `{slot.name}` | {slot.words}" not in TEXT] == []
    for level in Level:
        assert re.search(rf"^\| {level.value.upper()} \| \d ", TEXT, re.MULTILINE)
    assert all(f" {code} (" in TEXT for code in PLUGIN_EXIT_CODES)


def test_every_link_leads_somewhere() -> None:
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", TEXT)]
    assert [link for link in links if not (PAGE.parent / link).exists()] == []


@pytest.mark.parametrize("state", sorted(STATES))
def test_what_the_states_of_the_pictures_say_is_on_the_page(state: str) -> None:
    """The first words of each first line, up to what is filled in; or it is a story's own title."""
    snapshot = STATES[state]()
    said = diagnose(snapshot, NOW)
    titles = [story.root.title for story in said.stories]
    head = re.split(r"[0-9:,;]", said.verdict.text)[0].strip()
    assert head in " ".join(TEXT.split()) or any(said.verdict.text.startswith(title) for title in titles)
