"""What is gathered is used: a fact that nobody reads is not asked for over every operator's connection."""

import ast
from dataclasses import fields, is_dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

import walconsole.domain.facts

SOURCE = Path(walconsole.domain.facts.__file__).parents[2]


def _classes() -> list[type]:
    found: dict[str, type] = {}
    for module in iter_modules(walconsole.domain.facts.__path__, "walconsole.domain.facts."):
        for value in vars(import_module(module.name)).values():
            if isinstance(value, type) and is_dataclass(value) and value.__module__ == module.name:
                found[value.__qualname__] = value
    return list(found.values())


def _reads(source: str) -> set[str]:
    """The names of attributes that a module reads: plainly, in a pattern, by getattr with a literal name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(attr=name, ctx=ast.Load()):
                names.add(name)
            case ast.MatchClass(kwd_attrs=named):
                names.update(named)
            case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), *_]):
                names.add(name)
    return names


@cache
def _read_somewhere() -> frozenset[str]:
    """By all of the program. Not when this file is imported: each worker imports it, and one needs it."""
    return frozenset().union(*(_reads(path.read_text("utf-8")) for path in SOURCE.rglob("*.py")))


@pytest.mark.parametrize("kind", _classes(), ids=lambda kind: kind.__name__)
def test_every_fact_is_read_somewhere(kind: type) -> None:
    """By its name alone, wherever it is read: show it where an operator needs it, or ask for it no more."""
    assert [field.name for field in fields(kind) if field.name not in _read_somewhere()] == []


def test_the_check_sees_what_is_a_read_and_what_is_none() -> None:
    source = (
        "made = Facts(written=1)\nmade.stored = made.plain\nmatch made:\n    case Facts(matched=1): pass\n"
    )
    assert _reads(source + "getattr(made, 'named', ())\n") == {"plain", "matched", "named"}
    assert {"ClusterFacts", "BucketFacts", "LogEntry", "Reading", "History"} <= {
        kind.__name__ for kind in _classes()
    }
