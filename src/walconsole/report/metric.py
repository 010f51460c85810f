"""One number of a snapshot: its name with its unit, its meaning, its labels."""

from collections.abc import Iterator
from enum import StrEnum

from walconsole.domain.records import record


class Kind(StrEnum):
    """As Prometheus types them."""

    GAUGE = "gauge"
    COUNTER = "counter"


@record
class Metric:
    """`name` ends in its unit, as Prometheus' conventions have it. What is not known is no metric."""

    name: str
    value: float
    meaning: str
    kind: Kind = Kind.GAUGE
    labels: tuple[tuple[str, str], ...] = ()


def known(name: str, value: float | None, meaning: str) -> Iterator[Metric]:
    """The metric, none where its value is not known."""
    if value is not None:
        yield Metric(name, value, meaning)
