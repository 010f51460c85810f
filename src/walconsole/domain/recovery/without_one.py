"""What is to be done where no base backup leads anywhere: nothing of before can be had, but of what comes."""

from collections.abc import Mapping
from shlex import join

from walconsole.domain.recovery.backups import BaseBackup, Writer
from walconsole.domain.recovery.held import Stop, StopKind

_PUT_BACK = "put it back, where any copy or the server's pg_wal has it; else "
_FIRST: Mapping[StopKind, str] = {
    StopKind.SEGMENT_MISSING: _PUT_BACK,
    StopKind.HISTORY_MISSING: _PUT_BACK,
    StopKind.SEGMENT_DAMAGED: "where the other copy has it whole, copy it over; else ",
    StopKind.HISTORY_UNREAD: "look again once it can be read; else ",
    StopKind.PARENT_MISSING: _PUT_BACK,
}


def take_one(profile: str) -> str:
    """What an operator types for a base backup now."""
    return join(("walconsole", "backup", profile, "--apply", "--confirm", profile))


def of_what_comes(profile: str) -> str:
    """The remedy where nothing of before can be had."""
    how = "take a base backup while the server runs, from which what comes can be restored"
    return f"{how}: {take_one(profile)}"


def where_it_stops(stop: Stop, backup: BaseBackup, profile: str) -> str:
    """The remedy where the newest one leads nowhere, and no other does."""
    if backup.writer is Writer.LABEL:
        return (
            "a .backup label has no files: where these are kept, restore them by hand, and the WAL from here "
            f"(docs/recovery.md); {of_what_comes(profile)}"
        )
    return f"{_FIRST.get(stop.kind, '')}{of_what_comes(profile)}"
