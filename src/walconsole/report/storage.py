"""What each bucket stores and costs, now and in thirty days, as numbers and as a document."""

from collections.abc import Iterator

from walconsole.domain.archive.cost import Price, cost
from walconsole.domain.archive.stored_parts import StoredParts
from walconsole.domain.facts.snapshot import Snapshot
from walconsole.domain.standing.storage import FORECAST_DAYS, Storage, assumed_text, stored
from walconsole.report.metric import Metric
from walconsole.report.parts import Document


def storage_metrics(snapshot: Snapshot, now: float) -> Iterator[Metric]:
    """Bytes of each copy's base backups and WAL, and of all in thirty days; costs are in the document."""
    for found in stored(snapshot, now):
        copy = ("copy", found.role.value)
        for part, stored_bytes in (("base_backups", found.now.backups), ("wal", found.now.wal)):
            labels = (copy, ("part", part))
            yield Metric("storage_bytes", round(stored_bytes), "What each part takes.", labels=labels)
        if found.later is not None:
            then = round(found.later.total)
            yield Metric("forecast_storage_bytes", then, "What all takes in 30 days.", labels=(copy,))


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
