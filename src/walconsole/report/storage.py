"""What each bucket stores and costs, now and in thirty days, as numbers and as a document."""

from collections.abc import Iterator

from walconsole.domain.archive.cost import Price, cost
from walconsole.domain.archive.stored_parts import StoredParts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.storage import FORECAST_DAYS, Storage, assumed_text, stored
from walconsole.report.metric import Metric
from walconsole.report.parts import Document


def storage_metrics(snapshot: Snapshot, now: float) -> Iterator[Metric]:
    """Bytes and money of each copy's parts, now and then."""
    for found in stored(snapshot, now):
        yield from _parts(found, found.now, "storage_bytes", "What each part takes.")
        if found.later is not None:
            yield from _parts(found, found.later, "forecast_storage_bytes", "And will, at this growth.")
    for found in stored(snapshot, now):
        copy = (("copy", found.role.value),)
        price = snapshot.told.price
        yield Metric("storage_cost_month", _month(found.now.total, price), "What it costs.", labels=copy)
        if found.later is not None:
            month = _month(found.later.total, price)
            yield Metric("forecast_storage_cost_month", month, "And will.", labels=copy)


def _parts(found: Storage, parts: StoredParts, name: str, means: str) -> Iterator[Metric]:
    for part, stored_bytes in (("base_backups", parts.backups), ("wal", parts.wal), ("other", parts.other)):
        labels = (("copy", found.role.value), ("part", part))
        yield Metric(name, round(stored_bytes), means, labels=labels)


def storage_documents(snapshot: Snapshot, now: float) -> list[Document]:
    """One for each copy that was listed; bytes, and money a month in `currency`."""
    return [_document(found, snapshot.told.price) for found in stored(snapshot, now)]


def _document(found: Storage, price: Price) -> Document:
    return {
        "copy": found.role.value,
        "currency": price.currency,
        "now": _parts_document(found.now, price),
        "days": FORECAST_DAYS,
        "later": None if found.later is None else _parts_document(found.later, price),
        "why_not": found.why_not or None,
        "assumed": assumed_text(found) or None,
    }


def _parts_document(parts: StoredParts, price: Price) -> Document:
    return {
        "base_backup_bytes": round(parts.backups),
        "wal_bytes": round(parts.wal),
        "other_bytes": round(parts.other),
        "base_backup_cost_month": _month(parts.backups, price),
        "wal_cost_month": _month(parts.wal, price),
        "cost_month": _month(parts.total, price),
    }


def _month(stored_bytes: float, price: Price) -> float:
    return round(cost(stored_bytes, None, price).month, 4)
