"""A record is a frozen dataclass in every way but how long its definition takes."""

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, fields, replace
from inspect import signature

import pytest

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
