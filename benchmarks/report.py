"""Results in rows: what was measured, the budget, and whether it holds."""

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
    rows = [HEADER, *(result.row() for result in results)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([title, *(f"  {line}" for line in lines), ""])


def percentile(values: list[float], percent: float) -> float:
    """The value that `percent` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def middle(values: list[float]) -> float:
    """The median."""
    return median(values)
