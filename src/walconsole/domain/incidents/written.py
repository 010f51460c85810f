"""What is remembered, as a JSON document and back. It is read strictly: what is odd in it is not believed."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from walconsole.domain.incidents.model import IncidentLog

DOCUMENT, VERSION = "walconsole incidents", 1
_LATEST = 253_402_300_799.0
"""The end of the year 9999, the last that Python's datetime knows."""
_MOST = 1e18
_LONGEST_TEXT, _MOST_ITEMS = 4096, 1000
_NOT_KEPT = frozenset({"problem"})


class NewerError(ValueError):
    """A newer walconsole wrote it: it is not damaged, and not ours to replace."""


def document_of(log: IncidentLog) -> dict[str, object]:
    """Plain values, as json.dumps takes them."""
    return {"document": DOCUMENT, "version": VERSION, **plain(log)}


def log_of(document: object) -> IncidentLog:
    """Raises ValueError, which says where it is odd; NewerError for another version."""
    if not isinstance(document, dict) or document.get("document") != DOCUMENT:
        raise ValueError("it is no document of this kind")
    version = document.get("version")
    if isinstance(version, int) and version > VERSION:
        raise NewerError(f"it has version {version}, and this walconsole knows {VERSION}")
    if version != VERSION:
        raise ValueError("it has no version")
    rest = {name: value for name, value in document.items() if name not in ("document", "version")}
    read: IncidentLog = record_of(IncidentLog, rest, "it")
    return read


def plain(value: Any) -> Any:
    """A dataclass as plain values, as json.dumps takes them."""
    if is_dataclass(value):
        return {
            one.name: plain(getattr(value, one.name)) for one in fields(value) if one.name not in _NOT_KEPT
        }
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value.value if isinstance(value, StrEnum) else value


def record_of(kind: type[Any], value: object, where: str) -> Any:
    """An instance of `kind`, a dataclass; `where` names it. Raises ValueError, which says where it is odd."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} is no object")
    hints = get_type_hints(kind)
    if unknown := set(value) - (set(hints) - _NOT_KEPT):
        raise ValueError(f"{where} has an unknown field {min(map(str, unknown))!r}")
    try:
        return kind(**{name: _value(hints[name], each, f"{where}.{name}") for name, each in value.items()})
    except TypeError:
        raise ValueError(f"{where} misses a field") from None


def _value(kind: Any, value: object, where: str) -> Any:
    if get_origin(kind) is UnionType:
        some = next(each for each in get_args(kind) if each is not NoneType)
        return None if value is None else _value(some, value, where)
    if get_origin(kind) is tuple:
        if not isinstance(value, list) or len(value) > _MOST_ITEMS:
            raise ValueError(f"{where} is no list, or too long a one")
        return tuple(_value(get_args(kind)[0], each, f"{where}[{at}]") for at, each in enumerate(value))
    if is_dataclass(kind) and isinstance(kind, type):
        return record_of(kind, value, where)
    if kind in (int, float):
        return _number(kind, value, where)
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise ValueError(f"{where} is no text, or too long a one")
    try:
        return kind(value)  # a text, or one of an enumeration's
    except ValueError:
        raise ValueError(f"{where} is none of {', '.join(kind)}") from None


def _number(kind: type[Any], value: object, where: str) -> Any:
    fits = int if kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, fits) or not _is_sane(value, where):
        raise ValueError(f"{where} is no number that can be")
    return kind(value)


def _is_sane(value: Any, where: str) -> bool:
    """A time must be one that can be shown; a span or a count of bytes only finite."""
    is_time = where.rpartition(".")[2].endswith(("at", "since"))
    return math.isfinite(value) and 0 <= value <= (_LATEST if is_time else _MOST)
