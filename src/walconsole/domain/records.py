"""Frozen dataclasses that are quick to define: a program defines hundreds, and calls few of their methods.

`dataclass(frozen=True)` writes and compiles six methods for each class, before it is known which will be
called: that was more than half of what a check computes until it looks. Here each is compiled when it is
first called, or is the same for all; `__init__` sets the slots themselves, and is quicker than a dataclass's.
A record is a dataclass in every other way: fields, replace, asdict, match, slots, equality, hash.
"""

from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, dataclass, field
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(kind: type[T]) -> type[T]:
    """`dataclass(frozen=True, slots=True)` where `__init__` takes every field; its heirs are records, too."""
    own = set(kind.__dict__)
    kind.__doc__ = kind.__doc__ or kind.__name__  # or dataclass writes the signature there, which takes long
    inherits = any(hasattr(base, "__dataclass_params__") for base in kind.__mro__[1:])  # what is frozen, too
    made = dataclass(init=False, repr=False, eq=False, slots=True, frozen=inherits)(kind)
    for name, method in _methods(made).items():
        if name not in own:
            setattr(made, name, method)
    made.__dataclass_params__.frozen = True  # type: ignore[attr-defined]  # to who asks, and to what inherits
    return made


class _Signature:
    """What inspect.signature says of the class, made when it is asked for."""

    def __get__(self, instance: object, kind: type[Any]) -> object:
        from inspect import signature

        return signature(dataclass(type(kind.__name__, (), _declared(kind))))


def _declared(kind: type[Any]) -> dict[str, Any]:
    """A body of a class with the same fields."""
    fields = kind.__dataclass_fields__
    made = {name: one.default_factory for name, one in fields.items() if one.default_factory is not MISSING}
    plain = {name: one.default for name, one in fields.items() if one.default is not MISSING}
    factories = {name: field(default_factory=factory) for name, factory in made.items()}
    return {"__annotations__": {name: one.type for name, one in fields.items()}, **plain, **factories}


def _methods(kind: type[Any]) -> dict[str, Any]:
    return {
        "__init__": _when_called(kind, "__init__", _initializer),
        "__signature__": _Signature(),
        "__eq__": _when_called(kind, "__eq__", _equality),
        "__hash__": _when_called(kind, "__hash__", _hash),
        "__repr__": _shown,
        "__setattr__": _refuse,
        "__delattr__": _refuse,
        "__reduce__": _rebuilt,  # copy would set the fields one by one
    }


_Written = tuple[str, dict[str, Any]]
"""A function's parameters and body, and the values that it names."""


def _when_called(kind: type[Any], name: str, write: Callable[[type[Any]], _Written]) -> Callable[..., Any]:
    """A method that has itself compiled, and is that from then on."""

    def method(self: Any, *values: Any, **named: Any) -> Any:
        text, scope = write(kind)
        exec(f"def {name}{text}", scope)  # noqa: S102  # names of our own classes' fields, as dataclass does it
        compiled = scope[name]
        compiled.__qualname__ = f"{kind.__qualname__}.{name}"
        setattr(kind, name, compiled)
        return compiled(self, *values, **named)

    return method


def _initializer(kind: type[Any]) -> _Written:
    scope: dict[str, Any] = {"_none_given": object()}
    taken, lines = ["self"], []
    for name, one in kind.__dataclass_fields__.items():
        scope[f"_set_{name}"] = getattr(kind, name).__set__
        value, parameter = name, name
        if one.default is not MISSING:
            scope[f"_default_{name}"] = one.default
            parameter = f"{name}=_default_{name}"
        elif one.default_factory is not MISSING:
            scope[f"_make_{name}"] = one.default_factory
            parameter = f"{name}=_none_given"
            value = f"_make_{name}() if {name} is _none_given else {name}"
        taken.append(parameter)
        lines.append(f"_set_{name}(self, {value})")
    if hasattr(kind, "__post_init__"):
        lines.append("self.__post_init__()")
    return f"({', '.join(taken)}): {'; '.join(lines) or 'pass'}", scope


def _equality(kind: type[Any]) -> _Written:
    same = f"{_compared(kind, 'self')} == {_compared(kind, 'other')}"
    return f"(self, other): return {same} if other.__class__ is self.__class__ else NotImplemented", {}


def _hash(kind: type[Any]) -> _Written:
    return f"(self): return hash({_compared(kind, 'self')})", {}


def _compared(kind: type[Any], which: str) -> str:
    """The tuple of one's fields that tell whether two are equal."""
    names = [name for name, one in kind.__dataclass_fields__.items() if one.compare]
    return f"({''.join(f'{which}.{name}, ' for name in names)})"


def _rebuilt(self: Any) -> tuple[type[Any], tuple[Any, ...]]:
    return self.__class__, tuple(getattr(self, name) for name in self.__dataclass_fields__)


def _shown(self: Any) -> str:
    fields = self.__dataclass_fields__
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name, one in fields.items() if one.repr)
    return f"{self.__class__.__qualname__}({shown})"


def _refuse(self: object, name: str, *value: object) -> None:
    raise FrozenInstanceError(f"cannot change field {name!r}")
