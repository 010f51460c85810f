"""The console beside another program, in rows: what each took, and the ratio."""

from dataclasses import dataclass

from benchmarks.cost import Cost
from benchmarks.report import aligned

_HEADER = ("keys", "a page", "against", "seconds", "", "processor s", "", "peak MiB", "", "note")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `ours` and `theirs` cost for the same work."""

    keys: str
    page: str
    against: str
    ours: Cost
    theirs: Cost
    note: str = ""

    @property
    def times_as_long(self) -> float:
        """Their seconds by ours."""
        return self.theirs.seconds / self.ours.seconds

    def row(self) -> tuple[str, ...]:
        """Cells under the header."""
        return (
            self.keys,
            self.page,
            self.against,
            *_pair(self.ours.seconds, self.theirs.seconds),
            *_pair(self.ours.cpu_s, self.theirs.cpu_s),
            *_pair(self.ours.rss_mib, self.theirs.rss_mib),
            self.note,
        )


def _pair(ours: float, theirs: float) -> tuple[str, str]:
    return f"{_figure(ours)} / {_figure(theirs)}", f"{theirs / ours:.3g} x"


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def comparisons(title: str, rows: list[Comparison]) -> str:
    """The rows as aligned lines under `title`."""
    return "\n".join([title, *aligned([_HEADER, *(row.row() for row in rows)])])
