"""What lasts is taken out of the collector's sight, and what of it was dropped is found in the end."""

import gc
import weakref
from argparse import Namespace
from collections.abc import Iterator

import pytest

from walconsole.cli import main, running
from walconsole.process.garbage import REVIEWED_EVERY_S, SOON_S, Lasting
from walconsole.process.stop import Stop


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    yield
    gc.unfreeze()


class Knot:
    """In a cycle with itself."""

    def __init__(self) -> None:
        self.itself = self


def test_what_is_new_is_found_though_the_rest_is_not_gone_through() -> None:
    lasting = Lasting(0.0)
    before = Knot()
    lasting.collect(0.0)
    assert gc.get_freeze_count() > 1000
    late = Knot()
    seen_before, seen_late = weakref.ref(before), weakref.ref(late)
    del before, late
    lasting.collect(10.0)
    assert seen_late() is None
    assert seen_before() is not None
    lasting.collect(REVIEWED_EVERY_S)
    assert seen_before() is None
    assert gc.get_freeze_count() > 1000


def test_what_is_new_is_gone_through_once() -> None:
    lasting = Lasting(0.0)
    lasting.collect(0.0)
    kept = [Knot() for _ in range(3000)]
    lasting.collect(10.0)
    assert len(gc.get_objects()) < len(kept)


def test_what_was_dropped_is_found_soon() -> None:
    lasting = Lasting(0.0)
    large = Knot()
    lasting.collect(10.0)
    seen = weakref.ref(large)
    del large
    lasting.dropped(20.0)
    lasting.collect(19.0 + SOON_S)
    assert seen() is not None
    lasting.collect(20.0 + SOON_S)
    assert seen() is None


class Starting:
    """A command's module that only notes whether garbage is looked for when it starts."""

    def __init__(self) -> None:
        self.collects: list[bool] = []

    def start(self, options: Namespace, stop: Stop) -> int:
        self.collects.append(gc.isenabled())
        return 0


@pytest.mark.parametrize(
    ("words", "collects"),
    [
        (["root@db1"], False),
        (["check", "root@db1"], False),
        (["fleet"], False),
        (["explain", "holes"], True),
        (["watch"], True),
    ],
)
def test_what_imports_on_is_started_without_looking_for_garbage(
    words: list[str], collects: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = Starting()
    monkeypatch.setattr(running, "module_of", lambda named: command)
    monkeypatch.setattr(running, "leave", lambda status: status)
    assert main(words) == 0
    assert command.collects == [collects]
    assert gc.isenabled()
