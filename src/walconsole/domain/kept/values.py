"""Facts as plain values for JSON and back, by their types: one codec for every frozen value of the domain.

What goes out is redacted. What comes in is from a file that anybody may have written: it is checked against
the types, its texts are cleaned, its numbers bounded, and whatever does not fit is a ValueError that names
the place. A field that has its default is left out.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from walconsole.domain.archive.continuity import Continuity
from walconsole.domain.archive.gaps import AcceptedGap
from walconsole.domain.archive.holding import Holding
from walconsole.domain.archive.page_header import SegmentIdentity
from walconsole.domain.archive.runs import Runs
from walconsole.domain.archive.timelines import TimelineHistory
from walconsole.domain.archive.times import StoredTimes
from walconsole.domain.pgconf.loading import InForce
from walconsole.domain.pgconf.resolution import Resolution, RoleSetting, ServerStart
from walconsole.domain.pgconf.start import Launch
from walconsole.domain.pgconf.tree import ConfigTree
from walconsole.domain.pgconf.values import SettingMeta
from walconsole.domain.recovery.backups import BaseBackup, Unreadable
from walconsole.domain.recovery.drill_result import DrillResult
from walconsole.domain.redaction import decode as decode_bytes
from walconsole.domain.redaction import may_hold_secret, printable, redact
from walconsole.domain.wal import check_segment_bytes

Encode = Callable[[Any], Any]
Decode = Callable[[object, str], Any]

LONGEST_TEXT = 4 << 20
MOST_ITEMS = 1 << 20
_LATEST = 253_402_300_799.0
"""The end of the year 9999, the last that Python's datetime knows."""
_MOST, _MOST_WHOLE = sys.float_info.max, 1 << 100
"""PostgreSQL has settings whose maximum is the highest double there is."""
_NAMED_LATER = {
    each.__name__: each
    for each in (
        Continuity, AcceptedGap, Holding, SegmentIdentity, TimelineHistory, InForce, Resolution, RoleSetting,
        ServerStart, Launch, ConfigTree, SettingMeta, BaseBackup, Unreadable, DrillResult,
    )
}  # fmt: skip
"""What the facts import for the type checker alone."""


def kept_text(text: str) -> str:
    """Redacted and printable, by lines: a file's text keeps them."""
    return redact(clean_text(text)) if may_hold_secret(text) else clean_text(text)


def clean_text(text: str) -> str:
    """Printable, by lines."""
    return text if text.isprintable() else "\n".join(printable(line) for line in text.split("\n"))


@cache
def hints_of(kind: Any) -> Mapping[str, Any]:
    """The types of its fields, in their order."""
    hints = get_type_hints(kind, localns=_NAMED_LATER)
    names = kind._fields if _is_named_tuple(kind) else [one.name for one in fields(kind)]
    return {name: hints[name] for name in names}


def _is_named_tuple(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def _options(kind: Any) -> list[Any]:
    return [each for each in get_args(kind) if each is not NoneType]


def _is_tuple_of_any_length(kind: Any) -> bool:
    return len(get_args(kind)) == 2 and get_args(kind)[1] is Ellipsis


# -- Out.


@cache
def encoder(kind: Any) -> Encode:
    """What makes a plain value of one of that type. Raises TypeError for a type that it does not know."""
    origin = get_origin(kind)
    if origin is UnionType:
        return _union_encoder(_options(kind))
    if origin is tuple:
        return _tuple_encoder(kind)
    if origin is not None and issubclass(origin, Mapping):
        each, by_text = encoder(get_args(kind)[1]), get_args(kind)[0] is str
        return lambda value: {
            kept_text(key) if by_text else str(key): each(one) for key, one in value.items()
        }
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass_encoder(kind)
    if _is_named_tuple(kind):
        parts = [encoder(hint) for hint in hints_of(kind).values()]
        return lambda value: [part(one) for part, one in zip(parts, value, strict=True)]
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return lambda value: value.value
    found: Encode = _ENCODERS[kind]
    return found


def _union_encoder(options: list[Any]) -> Encode:
    if len(options) == 1:
        one = encoder(options[0])
        return lambda value: None if value is None else one(value)
    by_type = {option: encoder(option) for option in options}
    return lambda value: (
        None if value is None else {"is": type(value).__name__, "it": by_type[type(value)](value)}
    )


def _tuple_encoder(kind: Any) -> Encode:
    if _is_tuple_of_any_length(kind):
        each = encoder(get_args(kind)[0])
        return lambda value: [each(one) for one in value]
    parts = [encoder(part) for part in get_args(kind)]
    return lambda value: [part(one) for part, one in zip(parts, value, strict=True)]


def _dataclass_encoder(kind: Any) -> Encode:
    hints = hints_of(kind)
    parts = [(one.name, encoder(hints[one.name]), one.default) for one in fields(kind)]

    def encode(value: Any) -> Any:
        found = {}
        for name, part, default in parts:
            one = getattr(value, name)
            if one is not default:
                found[name] = part(one)
        return found

    return encode


def _finite(value: float) -> float:
    """Raises ValueError for what is no number: JSON has none of it."""
    if not -_MOST <= value <= _MOST:
        raise ValueError(f"{value} cannot be kept")
    return float(value)


_ENCODERS: dict[Any, Encode] = {
    str: kept_text,
    int: int,
    float: _finite,
    bool: bool,
    bytes: lambda value: kept_text(decode_bytes(value)),
    Runs: lambda runs: [[first for first, _ in runs], [last for _, last in runs]],
    StoredTimes: lambda times: {
        str(timeline): [list(part) for part in zip(*times.samples(timeline), strict=True)]
        for timeline in times.timelines()
    },
}


# -- In.


@cache
def decoder(kind: Any) -> Decode:
    """What makes one of that type of a plain value; `where` names it. Raises ValueError."""
    origin = get_origin(kind)
    if origin is UnionType:
        return _union_decoder(_options(kind))
    if origin is tuple:
        return _tuple_decoder(kind)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping_decoder(*get_args(kind))
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass_decoder(kind)
    if _is_named_tuple(kind):
        parts = [decoder(hint) for hint in hints_of(kind).values()]
        return lambda value, where: kind(*_parts(parts, value, where))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        members = {each.value: each for each in kind}
        return lambda value, where: members[_member(value, members, where)]
    return _DECODERS[kind]


def _member(value: object, members: Mapping[str, Any], where: str) -> str:
    if not isinstance(value, str) or value not in members:
        raise ValueError(f"{where} is none of {', '.join(members)}")
    return value


def _union_decoder(options: list[Any]) -> Decode:
    if len(options) == 1:
        one = decoder(options[0])
        return lambda value, where: None if value is None else one(value, where)
    by_name = {option.__name__: decoder(option) for option in options}

    def decode(value: object, where: str) -> Any:
        if value is None:
            return None
        tagged = _object(value, where)
        return by_name[_member(tagged.get("is"), by_name, where)](tagged.get("it"), where)

    return decode


def _tuple_decoder(kind: Any) -> Decode:
    if _is_tuple_of_any_length(kind):
        each = decoder(get_args(kind)[0])
        return lambda value, where: tuple([each(one, where) for one in _list(value, where)])
    parts = [decoder(part) for part in get_args(kind)]
    return lambda value, where: tuple(_parts(parts, value, where))


def _mapping_decoder(key_kind: Any, value_kind: Any) -> Decode:
    each, key = decoder(value_kind), _text if key_kind is str else _number_in_text
    return lambda value, where: {
        key(name, where): each(one, f"{where}.{name[:40]}") for name, one in _object(value, where).items()
    }


def _dataclass_decoder(kind: Any) -> Decode:
    hints = hints_of(kind)
    parts = {name: _field_decoder(name, hint) for name, hint in hints.items()}
    required = frozenset(
        one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING
    )

    def decode(value: object, where: str) -> Any:
        found = _object(value, where)
        if unknown := found.keys() - parts.keys():
            raise ValueError(f"{where} has an unknown field {clean_text(min(unknown))[:40]!r}")
        if missing := required - found.keys():
            raise ValueError(f"{where} misses {min(missing)}")
        return kind(**{name: parts[name](one, f"{where}.{name}") for name, one in found.items()})

    return decode


def _field_decoder(name: str, kind: Any) -> Decode:
    """Some numbers are more than that, by their names: a time is shown, a segment's size is divided by."""
    plain = decoder(kind)
    if name == "segment_bytes":
        return lambda value, where: None if value is None else check_segment_bytes(plain(value, where))
    if name.endswith(("_at", "since", "clock")) and float in (kind, *get_args(kind)):
        return lambda value, where: _time(plain(value, where), where)
    return plain


def _time(value: float | None, where: str) -> float | None:
    if value is not None and not 0 <= value <= _LATEST:
        raise ValueError(f"{where} is no time that can be shown")
    return value


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > MOST_ITEMS:
        raise ValueError(f"{where} is no object, or too large a one")
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > MOST_ITEMS:
        raise ValueError(f"{where} is no list, or too long a one")
    return value


def _parts(parts: list[Decode], value: object, where: str) -> list[Any]:
    values = _list(value, where)
    if len(values) != len(parts):
        raise ValueError(f"{where} has {len(values)} parts, and should have {len(parts)}")
    return [part(one, where) for part, one in zip(parts, values, strict=True)]


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise ValueError(f"{where} is no text, or too long a one")
    return clean_text(value)


def _whole(value: object, where: str) -> int:
    if type(value) is not int or abs(value) > _MOST_WHOLE:
        raise ValueError(f"{where} is no number that can be")
    return value


def _number_in_text(value: object, where: str) -> int:
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 20:
        raise ValueError(f"{where} has a key that is no number")
    return int(value)


def _real(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_MOST <= value <= _MOST:
        raise ValueError(f"{where} is no number that can be")
    return float(value)


def _truth(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{where} is neither true nor false")
    return value


def _runs(value: object, where: str) -> Runs:
    firsts, lasts = _parts([_numbers, _numbers], value, where)
    return Runs.from_intervals(firsts, lasts)


def _numbers(value: object, where: str) -> list[int]:
    return [_whole(each, where) for each in _list(value, where)]


def _times(value: object, where: str) -> StoredTimes:
    times = StoredTimes()
    for timeline, samples in _object(value, where).items():
        numbers, stored = _parts([_numbers, _list], samples, where)
        for number, at in zip(numbers, stored, strict=True):
            if number < 0:
                raise ValueError(f"{where} has a number below 0")
            moment = _time(_real(at, where), where)
            times.note(_number_in_text(timeline, where), number, moment or 0.0)
    return times


_DECODERS: dict[Any, Decode] = {
    str: _text,
    int: _whole,
    float: _real,
    bool: _truth,
    bytes: lambda value, where: _text(value, where).encode("utf-8", "replace"),
    Runs: _runs,
    StoredTimes: _times,
}
