"""A record is a frozen dataclass in every way but how long its definition takes."""

import copy
import pickle
import re
from collections.abc import Callable, Sequence
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from inspect import signature
from pathlib import Path
from typing import Generic, TypeVar

import pytest

import walconsole
from walconsole.domain.records import record


@record
class Quick:
    """Fields with and without defaults."""

    name: str
    port: int | None = None
    tags: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"


@dataclass(frozen=True, slots=True)
class Usual:
    """The same."""

    name: str
    port: int | None = None
    tags: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"


ONE = Quick("a", 22)


def test_it_is_made_shown_compared_and_hashed_like_a_dataclass() -> None:
    usual = Usual("a", 22)
    assert (ONE.name, ONE.port, ONE.tags) == (usual.name, usual.port, usual.tags)
    assert repr(ONE) == repr(usual).replace("Usual", "Quick")
    assert str(ONE) == str(usual)
    assert Quick(name="a", port=22, tags=()) == ONE
    assert hash(Quick("a", 22)) == hash(ONE) == hash(usual)
    assert Quick("a", 23) != ONE
    other: object = usual
    assert other != ONE
    assert signature(Quick).parameters == signature(Usual).parameters
    assert {ONE: 1}[Quick("a", 22)] == 1


def test_it_is_replaced_listed_and_matched_like_a_dataclass() -> None:
    assert replace(ONE, port=1) == Quick("a", 1)
    assert [field.name for field in fields(Quick)] == ["name", "port", "tags"]
    assert asdict(ONE) == {"name": "a", "port": 22, "tags": ()}
    match ONE:
        case Quick(name, port):
            assert (name, port) == ("a", 22)
    assert not hasattr(ONE, "__dict__")


@pytest.mark.parametrize("change", [lambda: setattr(ONE, "name", "b"), lambda: delattr(ONE, "name")])
def test_it_cannot_be_changed(change: object) -> None:
    with pytest.raises(FrozenInstanceError):
        change()  # type: ignore[operator]  # a lambda
    assert ONE.name == "a"


@pytest.mark.parametrize("made", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])  # noqa: S301  # ours
def test_it_is_copied(made: object) -> None:
    assert made(ONE) == ONE  # type: ignore[operator]  # a function


@pytest.mark.parametrize(
    ("values", "named"), [((), {}), (("a", 1, (), 2), {}), (("a",), {"name": "b"}), (("a",), {"prot": 1})]
)
def test_what_does_not_fit_is_refused(values: tuple[object, ...], named: dict[str, object]) -> None:
    for kind in (Quick, Usual):
        with pytest.raises(TypeError):
            kind(*values, **named)  # type: ignore[arg-type]  # that is what is tried


@record
class Positive:
    """What is checked when it is made."""

    number: int

    def __post_init__(self) -> None:
        if self.number <= 0:
            raise ValueError(f"not positive: {self.number}")


def test_it_is_checked_when_it_is_made_and_when_it_is_replaced() -> None:
    with pytest.raises(ValueError, match="not positive"):
        Positive(0)
    one = Positive(1)
    with pytest.raises(ValueError, match="not positive"):
        replace(one, number=-1)


T = TypeVar("T")


@record
class QuickParts(Generic[T]):
    """Fields that a factory fills, that are not shown, that do not count where two are compared."""

    first: T
    found: Sequence[int] = field(default_factory=list)
    secret: str = field(default="", repr=False)
    seen_at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class UsualParts(Generic[T]):
    """The same."""

    first: T
    found: Sequence[int] = field(default_factory=list)
    secret: str = field(default="", repr=False)
    seen_at: float = field(default=0.0, compare=False)


def test_a_factory_fills_each_anew_and_what_is_hidden_stays_so() -> None:
    assert QuickParts(1).found is not QuickParts(1).found
    one, usual = QuickParts[int](1, secret="s"), UsualParts(1, secret="s")
    assert repr(one) == repr(usual).replace("Usual", "Quick")
    assert "secret" not in repr(one)
    assert one == replace(one, seen_at=3.0) != replace(one, secret="t")
    assert hash(replace(one, found=())) == hash(replace(one, found=(), seen_at=3.0))
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)
    assert str(signature(QuickParts)) == str(signature(UsualParts))
    assert copy.copy(replace(one, seen_at=3.0)).seen_at == 3.0


@record
class Heir(Quick):
    """What inherits is a record, too."""

    more: int = 0


def test_an_heir_has_the_fields_of_both() -> None:
    heir = Heir("a", more=2)
    assert (heir.name, heir.port, heir.more) == ("a", None, 2)
    assert (heir == Heir("a", more=2), heir == Quick("a"), Quick("a") == heir) == (True, False, False)
    assert str(heir) == "a:None"
    assert not hasattr(heir, "__dict__")


@record
class Nothing:
    """A record without a field."""


def test_it_may_have_no_field() -> None:
    assert Nothing() == Nothing()
    assert repr(Nothing()).endswith("Nothing()")
    assert len({Nothing(), Nothing()}) == 1


def test_no_method_is_compiled_before_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []

    def note(text: str, *scope: object) -> None:
        if text.partition("\n")[2].strip() != "return ()":  # since 3.13 a maker of no methods at all
            compiled.append(text)
        exec(text, *scope)  # type: ignore[arg-type]  # noqa: S102  # what it is given

    monkeypatch.setattr("walconsole.domain.records.exec", note, raising=False)
    monkeypatch.setattr("dataclasses.exec", note, raising=False)

    @record
    class Late:
        number: int

    assert compiled == []
    calls: list[Callable[[], object]] = [
        lambda: Late(1), lambda: Late(2), lambda: Late(1) == Late(2), lambda: hash(Late(1)),
    ]  # fmt: skip
    for call in calls * 2:
        call()
    assert [text.partition("(")[0] for text in compiled] == ["def __init__", "def __eq__", "def __hash__"]


def test_the_package_has_no_frozen_dataclass_that_could_be_a_record() -> None:
    package = Path(walconsole.__file__).parent
    usual = "@dataclass(frozen=True, slots=True)\n"
    for path in package.rglob("*.py"):
        for body in path.read_text(encoding="utf-8").split(usual)[1:]:
            of_class = re.split(r"\n(?=\S)", body.partition("\n")[2])[0]
            assert "init=False" in of_class, f"{path.relative_to(package)}: {body.partition(chr(10))[0]}"
