"""A snapshot as a document of plain values, and back: what a screen needs to be shown again.

A slot that was never asked is left out. What a reading's value looks like follows from its type
(domain.kept.values); of one that is still the same value, what was made of it before is taken.
"""

from dataclasses import replace
from functools import cache
from typing import Any, get_args, get_type_hints

from walconsole.domain.facts.history import History
from walconsole.domain.facts.snapshot import SLOTS, AnySlot, Problem, Reading, Snapshot, Told
from walconsole.domain.kept.values import Decode, Encode, decoder, encoder
from walconsole.domain.recovery.keep import Keep

Document = dict[str, Any]

_FIELDS: dict[str, Any] = {
    "source": str,
    "read_at": float | None,
    "cadence_s": float,
    "problem": Problem | None,
    "failing_since": float | None,
}
_UNREAD = {name: getattr(Reading(SLOTS[0]), name) for name in _FIELDS}


class SnapshotWriter:
    """Makes documents of snapshots that follow each other."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[object, Any]] = {}

    def document(self, snapshot: Snapshot) -> Document:
        """What was made of a value stays the same object for as long as the value does."""
        slots = {
            slot.name: self._reading(slot, slot.of(snapshot))
            for slot in SLOTS
            if slot.of(snapshot) != Reading(slot)
        }
        return {
            "profile_name": snapshot.profile_name,
            "began_at": snapshot.began_at,
            "taken_at": snapshot.taken_at,
            "slots": slots,
            "history": self._once("history", snapshot.history, encoder(History)),
            "told": self._once("told", snapshot.told, encoder(Told)),
        }

    def _reading(self, slot: AnySlot, reading: Reading[Any]) -> Document:
        made = {
            name: encoder(kind)(value)
            for name, kind in _FIELDS.items()
            if (value := getattr(reading, name)) != _UNREAD[name]
        }
        if reading.value is not None:
            made["value"] = self._once(slot.name, reading.value, encoder(fact_type(slot)))
        return made

    def _once(self, name: str, value: object, encode: Encode) -> Any:
        before = self._made.get(name)
        if before is not None and before[0] is value:
            return before[1]
        made = encode(value)
        self._made[name] = value, made
        return made


class SnapshotReader:
    """Makes snapshots of documents that follow each other."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[object, Any]] = {}

    def snapshot(self, document: object) -> Snapshot:
        """What the document says. Raises ValueError, which says where it is odd."""
        if not isinstance(document, dict) or not isinstance(document.get("slots", {}), dict):
            raise ValueError("it is no snapshot")
        try:
            begun = Snapshot(
                decoder(str)(document.get("profile_name"), "profile_name"),
                _moment(document.get("began_at"), "began_at"),
                _moment(document.get("taken_at"), "taken_at"),
                history=self._once("history", document.get("history", {}), decoder(History)),
                told=self._once("told", document.get("told", {}), decoder(Told)),
            )
            known = {slot.name: slot for slot in SLOTS}
            readings: dict[str, Any] = {
                name: self._reading(known[name], one)
                for name, one in document.get("slots", {}).items()
                if name in known  # a newer walconsole may read more
            }
            return replace(begun, **readings) if readings else begun
        except (TypeError, KeyError, RecursionError) as error:
            raise ValueError(f"it is no snapshot: {type(error).__name__}") from None

    def _reading(self, slot: AnySlot, document: object) -> Reading[Any]:
        if not isinstance(document, dict):
            raise ValueError(f"{slot.name} is no object")
        read: dict[str, Any] = {}
        for name, kind in _FIELDS.items():
            if name in document:
                read[name] = decoder(kind)(document[name], f"{slot.name}.{name}")
        for name in ("read_at", "failing_since"):
            if read.get(name) is not None:
                _moment(read[name], f"{slot.name}.{name}")
        if document.get("value") is not None:
            read["value"] = self._once(slot.name, document["value"], decoder(fact_type(slot)))
        return Reading(slot, **read)

    def _once(self, name: str, document: object, decode: Decode) -> Any:
        before = self._made.get(name)
        if before is not None and before[0] is document:
            return before[1]
        made = decode(document, name)
        self._made[name] = document, made
        return made


def _moment(value: object, where: str) -> float:
    at: float = decoder(float)(value, where)
    if not 0 <= at < 253_402_300_799:
        raise ValueError(f"{where} is no time that can be shown")
    return at


@cache
def fact_type(slot: AnySlot) -> Any:
    """The type of the facts that fill the slot."""
    return get_args(get_type_hints(Snapshot, localns={"Keep": Keep})[slot.name])[0]
