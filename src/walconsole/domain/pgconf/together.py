"""Settings that are each right and together keep the server from starting: PostmasterMain()."""

from collections.abc import Callable, Iterator

Value = Callable[[str], str | None]
"""A setting's value at a start in the words of pg_settings, None where it is not known."""

_TARGETS = (
    "recovery_target", "recovery_target_lsn", "recovery_target_name", "recovery_target_time",
    "recovery_target_xid",
)  # fmt: skip


def fatal_together(value: Value) -> Iterator[str]:
    """Why a start would fail, one line each; nothing where a value is not known."""
    if value("wal_level") == "minimal":
        mode, senders = value("archive_mode"), value("max_wal_senders")
        if mode not in (None, "off"):
            yield f"wal_level = minimal with archive_mode = {mode}: WAL archival cannot be enabled then"
        if _number(senders) > 0:
            yield f"wal_level = minimal with max_wal_senders = {senders}: WAL streaming requires replica"
        if value("summarize_wal") == "on":
            yield "wal_level = minimal with summarize_wal = on: WAL cannot be summarized then"
    reserved = _number(value("superuser_reserved_connections")) + _number(value("reserved_connections"))
    most = value("max_connections")
    if most is not None and reserved >= _number(most) > 0:
        yield f"max_connections = {most} is not more than the {reserved} connections that are reserved"
    targets = [name for name in _TARGETS if value(name)]
    if len(targets) > 1:
        yield f"{' and '.join(targets)} are set: at most one recovery target may be"


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else 0
