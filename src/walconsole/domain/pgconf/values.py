"""A setting's text as the server understands it: parse_and_validate_value() of guc.c.

`stored` gives the value in the words of pg_settings.setting, so that two texts mean the same
exactly when their stored forms are equal: `60`, `60s` and `1min` for archive_timeout.
"""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum

from walconsole.domain.records import record


class VarType(StrEnum):
    """pg_settings.vartype. OTHER is a word that no known version says: its values are compared as text."""

    BOOL = "bool"
    INTEGER = "integer"
    REAL = "real"
    STRING = "string"
    ENUM = "enum"
    OTHER = "other"


class Context(StrEnum):
    """pg_settings.context: who may change it when. The order is the server's.

    OTHER is a word that no known version says: what puts a new value in force is taken to be a restart.
    """

    INTERNAL = "internal"
    POSTMASTER = "postmaster"
    SIGHUP = "sighup"
    SUPERUSER_BACKEND = "superuser-backend"
    BACKEND = "backend"
    SUPERUSER = "superuser"
    USER = "user"
    OTHER = "other"


@record
class SettingMeta:
    """A row of pg_settings as far as it does not depend on the configuration.

    `unit` is the base unit (`s`, `8kB`), `minimum` and `maximum` are in it. `boot` is the built-in
    default in the words of `setting`; None where the server computes it.
    """

    name: str
    vartype: VarType
    context: Context
    boot: str | None
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()


class BadValueError(ValueError):
    """The server would not take this text; str() says why."""


_INT_MAX, _INT_MIN = 2**31 - 1, -(2**31)
_LONG_MAX, _LONG_MIN = 2**63 - 1, -(2**63)
_SMALLEST_NORMAL = 2.2250738585072014e-308
_SPACE = " \t\n\v\f\r"

_INTEGER = re.compile(rf"[{_SPACE}]*([+-]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))")
_FLOAT = re.compile(
    rf"[{_SPACE}]*[+-]?(?:0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?[0-9]+)?"
    r"|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:inf(?:inity)?|nan(?:\([0-9A-Za-z_]*\))?))"
)

_KB, _MB, _GB = 1024.0, 1024.0**2, 1024.0**3
_MEMORY = (("TB", 1024.0**4), ("GB", _GB), ("MB", _MB), ("kB", _KB), ("B", 1.0))
_TIME = (
    ("d", 86400e6), ("h", 3600e6), ("min", 60e6), ("s", 1e6), ("ms", 1e3), ("us", 1.0),
)  # fmt: skip
_BASES = {"B": 1.0, "kB": _KB, "MB": _MB, "ms": 1e3, "s": 1e6, "min": 60e6}


def _units(base: str) -> tuple[tuple[str, float], ...]:
    """The units that go with a base unit, greatest first, and how many base units each one is."""
    blocks = re.fullmatch(r"([0-9]+)kB", base)
    size = float(blocks[1]) * _KB if blocks else _BASES[base]
    table = _TIME if base in ("ms", "s", "min") else _MEMORY
    return tuple((unit, width / size) for unit, width in table)


def _in_base(number: float, unit: str, base: str) -> float:
    """convert_to_base_unit(): a fraction is rounded to whole numbers of the next smaller unit."""
    units = _units(base)
    for index, (name, factor) in enumerate(units):
        if name == unit:
            value = number * factor
            if index + 1 < len(units):
                smaller = units[index + 1][1]
                value = _rint(value / smaller) * smaller
            return value
    names = ", ".join(f'"{name}"' for name, _ in reversed(units))
    raise BadValueError(f"unit {unit!r} is not one of {names}")


def _rint(value: float) -> float:
    return value if value in (float("inf"), float("-inf")) else float(round(value))


def _number(text: str) -> tuple[float, str]:
    """strtod(): the number at the beginning and the rest."""
    found = _FLOAT.match(text)
    if found is None:
        raise BadValueError("not a number")
    digits = found[0].strip(_SPACE).lower()
    if "nan" in digits:
        raise BadValueError("not a number")
    try:
        number = float.fromhex(digits) if "0x" in digits else float(digits)
    except OverflowError:
        raise BadValueError("out of a double's range") from None
    infinite = "inf" in digits
    underflow = abs(number) < _SMALLEST_NORMAL and bool(re.search("[1-9a-f]", digits.partition("e")[0]))
    if (number in (float("inf"), float("-inf")) and not infinite) or (underflow and "0x" not in digits):
        raise BadValueError("out of a double's range")
    return number, text[found.end() :]


def _integer(text: str) -> tuple[float, str]:
    """strtol() in any base, or strtod() where that stops at a fraction, an exponent or overflows."""
    found = _INTEGER.match(text)
    rest = text[found.end() :] if found else text.lstrip(_SPACE)
    if found is None:
        if rest[:1] in (".", "e", "E"):
            return _number(text)
        raise BadValueError("not a whole number")
    sign, hexadecimal, octal, decimal = found.groups()
    number = int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(decimal)
    number = -number if sign == "-" else number
    if rest[:1] in (".", "e", "E") or not _LONG_MIN <= number <= _LONG_MAX:
        return _number(text)
    return float(number), rest


def _with_unit(number: float, rest: str, meta: SettingMeta) -> float:
    unit = rest.strip(_SPACE)
    if not unit:
        return number
    if meta.unit is None:
        raise BadValueError(f"takes no unit, and {unit!r} follows the number")
    return _in_base(number, unit, meta.unit)


def _in_range(number: float, meta: SettingMeta) -> None:
    low, high = meta.minimum, meta.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        unit = f" {meta.unit}" if meta.unit else ""
        raise BadValueError(f"{number:.15g}{unit} is outside the valid range ({low:.15g} .. {high:.15g})")


def _stored_integer(text: str, meta: SettingMeta) -> str:
    number = _rint(_with_unit(*_integer(text), meta))
    if not _INT_MIN <= number <= _INT_MAX:
        raise BadValueError("exceeds the integer range")
    _in_range(number, meta)
    return str(int(number))


def _stored_real(text: str, meta: SettingMeta) -> str:
    number = _with_unit(*_number(text), meta)
    _in_range(number, meta)
    return f"{number:g}"


_SYNONYMS = (("true", 1, "on"), ("false", 1, "off"), ("yes", 1, "on"), ("no", 1, "off"))


def _stored_bool(text: str, _meta: SettingMeta) -> str:
    """parse_bool(): any beginning of true, false, yes, no; on, off, of; 1, 0."""
    folded = text.lower() if text.isascii() else text
    for word, shortest, value in (*_SYNONYMS, ("on", 2, "on"), ("off", 2, "off")):
        if len(folded) >= shortest and word.startswith(folded):
            return value
    if folded in ("1", "0"):
        return "on" if folded == "1" else "off"
    raise BadValueError("not a Boolean: on, off, true, false, yes, no, 1 or 0")


_ON_OFF = {"true": "on", "yes": "on", "1": "on", "false": "off", "no": "off", "0": "off"}
_LEVELS = {"debug": "debug2", "info": "info"}
_HIDDEN: Mapping[str, Mapping[str, str]] = {
    "client_min_messages": _LEVELS,
    "log_min_messages": _LEVELS,
    "log_min_error_statement": _LEVELS,
    "icu_validation_level": _LEVELS,
    "trace_recovery_messages": _LEVELS,
    "wal_level": {"archive": "replica", "hot_standby": "replica"},
    "wal_compression": {"on": "pglz", "true": "pglz", "yes": "pglz", "1": "pglz"},
    "huge_pages": _ON_OFF,
}
"""Words that the server takes and pg_settings.enumvals does not list, and what they mean."""


def _stored_enum(text: str, meta: SettingMeta) -> str:
    folded = text.lower() if text.isascii() else text
    for choice in meta.choices:
        if choice.lower() == folded:
            return _HIDDEN.get(meta.name, {}).get(folded, choice)
    hidden = _HIDDEN.get(meta.name, {}).get(folded)
    if hidden is None and "on" in meta.choices and "off" in meta.choices:
        hidden = _ON_OFF.get(folded)
    if hidden is None and "off" in meta.choices and folded in ("false", "no", "0"):
        hidden = "off"
    if hidden is None:
        raise BadValueError(f"not one of {', '.join(meta.choices)}")
    return hidden


_PARSERS: Mapping[VarType, Callable[[str, SettingMeta], str]] = {
    VarType.BOOL: _stored_bool,
    VarType.INTEGER: _stored_integer,
    VarType.REAL: _stored_real,
    VarType.ENUM: _stored_enum,
}


def stored(text: str, meta: SettingMeta) -> str:
    """The value as pg_settings.setting would show it. Raises BadValueError with the reason."""
    parser = _PARSERS.get(meta.vartype)
    return text if parser is None else parser(text, meta)


def same(one: str, other: str, meta: SettingMeta | None) -> bool:
    """Whether two texts mean the same to the server; without `meta` whether they are equal."""
    if meta is None:
        return one == other
    try:
        return stored(one, meta) == stored(other, meta)
    except BadValueError:
        return False


def readable(text: str, meta: SettingMeta | None) -> str:
    """A value in the words of pg_settings.setting as SHOW words it: `16384` blocks of 8kB are `128MB`."""
    if meta is None or meta.unit is None or meta.vartype not in (VarType.INTEGER, VarType.REAL):
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    if number <= 0:
        return text
    for unit, factor in _units(meta.unit):
        if number % factor == 0 or (factor < 1 and float(number / factor).is_integer()):
            return f"{number / factor:.15g}{unit}"
    return text
