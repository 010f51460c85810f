"""Results in rows: what was measured, the budget, and whether it holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Result:
    """One measured value. `budget` is the most it may be, None where it is only there to compare with."""

    name: str
    value: float
    unit: str
    budget: float | None = None
    note: str = ""

    @property
    def holds(self) -> bool:
        return self.budget is None or self.value <= self.budget

    def row(self) -> tuple[str, str, str, str, str]:
        budget = "" if self.budget is None else f"<= {self.budget:g} {self.unit}"
        verdict = "" if self.budget is None else "ok" if self.holds else "OVER"
        return self.name, f"{self.value:.4g} {self.unit}", budget, verdict, self.note


HEADER = ("what", "measured", "budget", "", "note")


def table(title: str, results: list[Result]) -> str:
    """The results as aligned lines under `title`."""
    return "\n".join([title, *aligned([HEADER, *(result.row() for result in results)]), ""])


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of equally many cells as indented lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def percentile(values: list[float], percent: float) -> float:
    """The value that `percent` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def middle(values: list[float]) -> float:
    """The median."""
    return median(values)
