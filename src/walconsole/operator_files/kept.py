"""What outlives a session beside log and ledger: an index of each bucket, accepted gaps, incidents."""

import hashlib
import logging
import os
import stat
from collections.abc import Callable, Mapping, Sequence

from walconsole.domain.archive.gaps import AcceptedGap
from walconsole.domain.profile import BucketTarget
from walconsole.domain.records import record
from walconsole.operator_files.gap_register import GapFile
from walconsole.operator_files.incident_file import IncidentFile, SessionIncidents
from walconsole.operator_files.places import places
from walconsole.operator_files.private import check_private, make_private, replace_bytes
from walconsole.ports import GapRegister, IncidentShelf, IndexShelf

_log = logging.getLogger(__name__)

LIMIT_BYTES = 64 * 1024 * 1024


class IndexFile:
    """`environ` says where the operator's cache lies."""

    def __init__(self, target: BucketTarget, environ: Mapping[str, str]) -> None:
        named = "\n".join((target.endpoint, target.bucket, target.prefix))
        digest = hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()
        self.path = places(environ).cache / f"index-{digest[:32]}"

    def load(self) -> bytes | None:
        """What was saved; None where there is nothing, or nothing that is ours to trust."""
        try:
            return self._read()
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("the saved index %s cannot be read: %s", self.path, error.strerror)
            return None

    def _read(self) -> bytes | None:
        check_private(self.path.parent)
        handle = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_size > LIMIT_BYTES:
                _log.warning("the saved index %s is not used: it is no small file of this user's", self.path)
                return None
            return file.read(LIMIT_BYTES)

    def save(self, document: bytes) -> None:
        """Replace it in one step; where that fails the next session lists anew."""
        try:
            make_private(self.path.parent)
            replace_bytes(self.path, document)
        except OSError as error:
            _log.warning("the index cannot be saved as %s: %s", self.path, error.strerror)


@record
class KeptFiles:
    """`shelf` gives the place for one bucket's index, `incidents` that for one profile's, by its name."""

    shelf: Callable[[BucketTarget], IndexShelf]
    register: GapRegister
    incidents: Callable[[str], IncidentShelf]


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
    return KeptFiles(
        lambda target: IndexFile(target, environment),
        GapFile(environment),
        lambda profile: IncidentFile(profile, environment),
    )


def for_this_session() -> KeptFiles:
    """Nowhere."""
    return KeptFiles(lambda _: NoShelf(), SessionRegister(), lambda _: SessionIncidents())
