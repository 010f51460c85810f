"""What restore drills have proved, as one snapshot says, and what a restore would take now by their rates."""

from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.recovery.drill_plan import Forecast, forecast
from walconsole.domain.recovery.drill_result import Drills, Outcome, drills_of
from walconsole.domain.recovery.hostile import RefusedError, identifier_of
from walconsole.domain.recovery.recoverability import Recoverability
from walconsole.domain.recovery.words import Drill


def drills(snapshot: Snapshot) -> Drills | None:
    """Those of the server's cluster, from whichever copy was read, and from its host; None where none was.

    Of another tool's archive a drill's result lies on the host alone.
    """
    read = [
        bucket.drills
        for bucket in (snapshot.primary.value, snapshot.dr.value)
        if bucket is not None and bucket.drills is not None
    ]
    host = snapshot.host.value
    if host is not None and host.drills:
        read.append(host.drills)
    if not read:
        return None
    return drills_of((each for found in read for each in found), _identifier(snapshot))


def _identifier(snapshot: Snapshot) -> int | None:
    server = snapshot.server.value
    try:
        return None if server is None else identifier_of(str(server.system_identifier), "system_identifier")
    except RefusedError:
        return None  # a role that may not ask


def proved(found: Drills | None) -> Drill | None:
    """What the first line says of it: nothing where a newer drill found that it cannot be restored."""
    if found is None or found.good is None or found.good.restore_s is None:
        return None
    if found.newest is not None and found.newest.outcome is Outcome.FAILED:
        return None
    return Drill(found.good.ended, found.good.restore_s)


def restore_forecast(found: Drills | None, recovery: Recoverability | None) -> Forecast | None:
    """What a restore of the newest usable base backup to the newest moment would take; None: not known."""
    window = recovery.window if recovery is not None else None
    newest = recovery.newest_usable if recovery is not None else None
    if found is None or window is None or newest is None:
        return None
    backup = newest.held.backup
    return forecast(
        found.good,
        stored_bytes=backup.stored_bytes,
        unpacked_bytes=backup.unpacked_bytes,
        wal_bytes=max(0, window.until_lsn - (backup.start_lsn or 0)),
    )
