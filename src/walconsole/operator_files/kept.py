"""Where the console keeps what outlives a session: saved indexes, and the gaps that were accepted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from walconsole.domain.archive.gaps import AcceptedGap
from walconsole.domain.profile import BucketTarget
from walconsole.operator_files.gap_register import GapFile
from walconsole.operator_files.index_cache import IndexFile
from walconsole.ports import GapRegister, IndexShelf


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """`shelf` gives the place for one bucket's index."""

    shelf: Callable[[BucketTarget], IndexShelf]
    register: GapRegister


class NoShelf:
    """ports.IndexShelf that keeps nothing: what an embedded droplet held is gone when it ends."""

    def load(self) -> bytes | None:
        """Nothing was saved."""
        return None

    def save(self, document: bytes) -> None:
        """Forget it."""


class SessionRegister:
    """ports.GapRegister for this session alone."""

    def __init__(self) -> None:
        self._accepted: list[AcceptedGap] = []

    def accepted(self) -> Sequence[AcceptedGap]:
        """Those of this session."""
        return tuple(self._accepted)

    def accept(self, gap: AcceptedGap) -> None:
        """Add one."""
        self._accepted.append(gap)

    def withdraw(self, gap: AcceptedGap) -> None:
        """Take it back."""
        if gap in self._accepted:
            self._accepted.remove(gap)


def on_disk(environment: Mapping[str, str]) -> KeptFiles:
    """In the operator's cache and configuration folders."""
    return KeptFiles(lambda target: IndexFile(target, environment), GapFile(environment))


def for_this_session() -> KeptFiles:
    """Nowhere."""
    return KeptFiles(lambda _: NoShelf(), SessionRegister())
