"""What documents are made of."""

from datetime import UTC, datetime

Document = dict[str, object]


def iso(at: float | None) -> str | None:
    """ISO 8601 in UTC to the millisecond, None for none."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
