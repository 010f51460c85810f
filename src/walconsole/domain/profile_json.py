"""A profile as JSON and back: how the sandbox's process tells the console where its droplet is.

Strict both ways: a missing field that has no default, a field that is not known and a value of another
type are each a ValueError that names the place (`profile.ssh.port: wanted int, got "x"`).
"""

import dataclasses
import json
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from walconsole.domain.profile import Profile


def profile_to_json(profile: Profile) -> str:
    """One line of JSON; every field stands in it."""
    return json.dumps(dataclasses.asdict(profile), ensure_ascii=True, separators=(",", ":"))


def profile_from_json(text: str) -> Profile:
    """The profile that `profile_to_json` wrote. Raises ValueError where the text is anything else."""
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"profile: not JSON: {error}") from None
    profile = _decode(Profile, value, "profile")
    assert isinstance(profile, Profile)  # noqa: S101  # for the type checker: _decode builds what it is told
    return profile


def _decode(wanted: Any, value: object, where: str) -> Any:
    if get_origin(wanted) is UnionType:
        return _decode_optional(wanted, value, where)
    if get_origin(wanted) is tuple:
        return _decode_tuple(wanted, value, where)
    if dataclasses.is_dataclass(wanted):
        return _decode_dataclass(wanted, value, where)
    if issubclass(wanted, StrEnum):
        if isinstance(value, str) and value in tuple(wanted):
            return wanted(value)
        raise _mismatch(where, " or ".join(f'"{member}"' for member in wanted), value)
    return _decode_plain(wanted, value, where)


def _decode_plain(wanted: type, value: object, where: str) -> object:
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is wanted:  # not isinstance: true is an int to Python, and no port
        return value
    raise _mismatch(where, wanted.__name__, value)


def _decode_optional(wanted: Any, value: object, where: str) -> object:
    (inner,) = (option for option in get_args(wanted) if option is not NoneType)
    return None if value is None else _decode(inner, value, where)


def _decode_tuple(wanted: Any, value: object, where: str) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise _mismatch(where, "a list", value)
    return tuple(_decode(get_args(wanted)[0], each, f"{where}[{i}]") for i, each in enumerate(value))


def _decode_dataclass(wanted: Any, value: object, where: str) -> object:
    if not isinstance(value, dict):
        raise _mismatch(where, "an object", value)
    hints = get_type_hints(wanted)
    if unknown := sorted(value.keys() - hints.keys()):
        raise ValueError(f"{where}.{unknown[0]}: no such field")
    fields = {name: _decode(hints[name], value[name], f"{where}.{name}") for name in hints if name in value}
    for field in dataclasses.fields(wanted):
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and field.name not in fields:
            raise ValueError(f"{where}.{field.name}: missing")
    return wanted(**fields)


def _mismatch(where: str, wanted: str, value: object) -> ValueError:
    shown = json.dumps(value, ensure_ascii=True)
    return ValueError(f"{where}: wanted {wanted}, got {shown if len(shown) <= 60 else shown[:60] + '…'}")
