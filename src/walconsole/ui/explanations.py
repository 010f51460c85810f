"""What each row means: read from explanations.toml when somebody asks."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Explanation:
    """One row: what it means, where it comes from, when to worry (empty: never)."""

    entry: str
    label: str
    means: str
    source: str
    worry: str = ""


@cache
def _table() -> dict[str, list[Explanation]]:
    text = files("walconsole.ui").joinpath("explanations.toml").read_text("utf-8")
    return {
        pane: [Explanation(entry, **parts) for entry, parts in entries.items()]
        for pane, entries in tomllib.loads(text).items()
    }


def explanations(pane: str) -> list[Explanation]:
    """The pane's rows from top to bottom, then what every pane may show."""
    return [*_table()[pane], *_table()["every_pane"]]
