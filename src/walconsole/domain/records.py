"""Frozen dataclasses that are quick to define, for modules that the console imports before its first frame.

`dataclass(frozen=True)` writes and compiles six methods for each class: for those of a profile that is longer
than all else the console does of its own until then. Here the methods are shared; a record is a dataclass in
every other way (fields, replace, asdict, match, slots, equality, hash). Making one takes a little longer.
"""

from dataclasses import MISSING, FrozenInstanceError, dataclass
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def record(kind: type[T]) -> type[T]:
    """`dataclass(frozen=True, slots=True)`, for fields that are plain: none has a factory."""
    made = dataclass(init=False, repr=False, eq=False, slots=True)(kind)
    for name, method in _methods(made).items():
        if name not in kind.__dict__:
            setattr(made, name, method)
    return made


class _Signature:
    """What inspect.signature says of the class, made when it is asked for."""

    def __get__(self, instance: object, kind: type[Any]) -> object:
        from inspect import Parameter, Signature

        return Signature(
            [
                Parameter(
                    name,
                    Parameter.POSITIONAL_OR_KEYWORD,
                    default=Parameter.empty if one.default is MISSING else one.default,
                    annotation=one.type,
                )
                for name, one in kind.__dataclass_fields__.items()
            ]
        )


def _methods(kind: type[Any]) -> dict[str, Any]:
    fields = kind.__dataclass_fields__
    names = tuple(fields)
    checked = getattr(kind, "__post_init__", None)
    defaults = {name: one.default for name, one in fields.items() if one.default is not MISSING}

    def init(self: Any, *values: Any, **named: Any) -> None:
        given = dict(zip(names, values, strict=False)) | named
        if len(given) != len(values) + len(named) or not given.keys() <= fields.keys():
            raise TypeError(f"{kind.__name__}() takes {', '.join(names)}, each once")
        complete = defaults | given
        missing = [name for name in names if name not in complete]
        if missing:
            raise TypeError(f"{kind.__name__}() misses {', '.join(missing)}")
        for name in names:
            object.__setattr__(self, name, complete[name])
        if checked is not None:
            checked(self)

    init.__annotations__ = {name: one.type for name, one in fields.items()} | {"return": None}

    def values_of(self: Any) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in names)

    def equal(self: Any, other: object) -> Any:
        return values_of(self) == values_of(other) if other.__class__ is self.__class__ else NotImplemented

    def shown(self: Any) -> str:
        shown_fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({shown_fields})"

    def refuse(self: Any, name: str, *value: object) -> None:
        raise FrozenInstanceError(f"cannot change field {name!r}")

    return {
        "__init__": init,
        "__signature__": _Signature(),
        "__eq__": equal,
        "__hash__": lambda self: hash(values_of(self)),
        "__repr__": shown,
        "__setattr__": refuse,
        "__delattr__": refuse,
        "__reduce__": lambda self: (self.__class__, values_of(self)),  # copy would set the fields one by one
    }
