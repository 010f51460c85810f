"""The ledger of keys, heard by what remembers: a full-access key that was asked for is on the time line."""

import asyncio
import contextlib

from walconsole.domain.incidents.model import AccessChange, Note, TakenBack
from walconsole.domain.store.temporary_keys import LedgerEntry, parse
from walconsole.ports import Clock, KeyLedger
from walconsole.session.incident_memory import IncidentMemory


class HeardLedger:
    """ports.KeyLedger that does what `ledger` does, and tells `memory` once that is done.

    It is made on the event loop; the ledger's calls are made in threads. A limited key is told of by the step
    that makes it. Nothing that goes wrong with remembering reaches whoever keeps the keys.
    """

    def __init__(self, ledger: KeyLedger, memory: IncidentMemory, clock: Clock) -> None:
        self._ledger, self._memory, self._clock = ledger, memory, clock
        self._loop = asyncio.get_running_loop()

    def note(self, entry: LedgerEntry) -> None:
        """See ports.KeyLedger."""
        self._ledger.note(entry)
        if parse(entry.name) is not None:
            after = "full access, for as long as the steps take"
            self._tell(AccessChange(entry.name, "key", entry.name, "", after, entry.noted_at))

    def settle(self, name: str) -> None:
        """See ports.KeyLedger."""
        self._ledger.settle(name)
        if parse(name) is not None:
            self._tell(TakenBack(name, self._clock.now()))

    def orphans(self) -> tuple[LedgerEntry, ...]:
        """See ports.KeyLedger."""
        return self._ledger.orphans()

    def _tell(self, note: Note) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the session is over
            self._loop.call_soon_threadsafe(self._memory.note, note)
