"""A slot is declared once, in Snapshot: all that speaks of every slot follows from that line."""

import ast
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

import walconsole
from tests.data.facts import NOW, healthy
from walconsole.domain.facts.observed import ConfigFiles
from walconsole.domain.facts.snapshot import SLOTS, AnySlot, Problem, Reading, Slot, Snapshot, failed, fold
from walconsole.domain.standing.unseen import ASKED, NEEDED
from walconsole.observe.poller.probe import Fact
from walconsole.report.documents import source_documents
from walconsole.report.incident import not_seen
from walconsole.ui.board.catalogue import PANES

SOURCE = Path(walconsole.__file__).parent
EMPTY = Snapshot("shithub", began_at=NOW, taken_at=NOW)


def test_the_slots_are_the_fields_of_the_snapshot() -> None:
    hints = get_type_hints(Snapshot)
    declared = [
        field.name for field in fields(Snapshot) if getattr(hints[field.name], "__origin__", None) is Slot
    ]
    assert [slot.name for slot in SLOTS] == declared
    assert [repr(slot) for slot in SLOTS] == [f"Snapshot.{name}" for name in declared]
    for slot in SLOTS:
        (kind,) = get_args(hints[slot.name])
        assert kind.__module__.startswith("walconsole.domain.facts")
        assert kind.__dataclass_params__.frozen


@pytest.mark.parametrize("slot", SLOTS, ids=repr)
def test_it_begins_unread_and_a_fold_changes_it_alone(
    slot: AnySlot,
) -> None:
    assert slot.of(EMPTY) == getattr(EMPTY, slot.name) == Reading(slot)
    reading = failed(slot.of(EMPTY), Problem("why"), NOW, "test", 1.0)
    after = fold(EMPTY, reading, NOW + 1)
    assert slot.of(after) is reading
    assert [other for other in SLOTS if other.of(after) is not other.of(EMPTY)] == [slot]


def test_every_slot_is_in_what_tells_of_all_of_them() -> None:
    assert [document["source"] for document in source_documents(EMPTY, NOW)] == [slot.name for slot in SLOTS]
    looked_at = {slot.name for slot in SLOTS if slot.shown} | {slot.name for slot in (*NEEDED, *ASKED)}
    assert {line.partition(":")[0].replace(" ", "_") for line in not_seen(EMPTY)} == looked_at
    assert EMPTY.whole is False
    assert healthy(catalogue=Reading(Snapshot.catalogue, problem=Problem("why"))).whole is True


@pytest.mark.parametrize("slot", SLOTS, ids=repr)
def test_a_finding_on_it_leads_to_a_pane(slot: AnySlot) -> None:
    assert slot.about.value in {pane.name for pane in PANES}


def test_every_slot_has_a_probe_that_fills_it() -> None:
    filled: set[str] = set()
    for path in (SOURCE / "observe").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assign) and any(_named(target) == "slots" for target in node.targets):
                filled |= {
                    part.attr
                    for part in ast.walk(node.value)
                    if isinstance(part, ast.Attribute) and _named(part.value) == "Snapshot"
                }
    assert filled == {slot.name for slot in SLOTS}


def test_a_slot_takes_facts_of_its_own_kind_alone() -> None:
    """mypy refuses any other, wherever the fact is made: were the ignore not needed, mypy would say so."""
    facts: list[Fact] = [Fact(Snapshot.link, ConfigFiles(()), NOW, "test")]  # type: ignore[misc]
    assert facts[0].slot is Snapshot.link


def test_no_other_class_can_hold_a_slot_as_its_attribute() -> None:
    with pytest.raises((TypeError, RuntimeError)) as raised:
        type("Pane", (), {"filled_by": Snapshot.host})
    cause: BaseException = (
        raised.value.__cause__ or raised.value
    )  # Python 3.11 wraps what __set_name__ raises
    assert "Snapshot.host is a descriptor of Snapshot: Pane.filled_by" in str(cause)
    assert Snapshot.host.name == "host"


def _named(node: Any) -> str:
    return getattr(node, "attr", "") or getattr(node, "id", "")
