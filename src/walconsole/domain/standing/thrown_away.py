"""Whether the archive command says yes and stores nothing, by its own words and its scripts'."""

from walconsole.domain.archivers.discovery import stores_nothing
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.redaction import safe
from walconsole.domain.standing.archiver import ArchiverState
from walconsole.domain.standing.exposure import Agreement
from walconsole.domain.standing.streaming import streamed_to

_SAYS_YES = (ArchiverState.WORKING, ArchiverState.IDLE, ArchiverState.BEHIND, ArchiverState.NEVER)


def thrown_away_by(snapshot: Snapshot, state: ArchiverState, agreement: Agreement) -> str:
    """That command; empty for any other, where WAL is streamed to somebody, and where the archive has it.

    A server that shall be able to archive later without a restart is given `/bin/true` for the time being.
    """
    settings = snapshot.settings.value
    if settings is None or settings.value("archive_library") or state not in _SAYS_YES:
        return ""
    command = (settings.value("archive_command") or "").strip()
    found = snapshot.discovery.value
    followed = found is not None and found.stores_nothing and found.judged == safe(command)
    if not (stores_nothing(command) or followed) or streamed_to(snapshot) or agreement.ok:
        return ""
    return command
