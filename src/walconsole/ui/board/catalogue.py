"""The panes, in the order of their keys. Only names: what draws them is imported when it first draws."""

from typing import NamedTuple


class PaneSpec(NamedTuple):
    """`number` is its key, `name` its module in ui/dashboard, its id on the screen and its explanations'."""

    number: int
    name: str
    title: str


PANES = (
    PaneSpec(1, "archiver", "Archiver"),
    PaneSpec(2, "wal_disk", "WAL on disk"),
    PaneSpec(3, "configuration", "Configuration"),
    PaneSpec(4, "bucket", "Bucket"),
    PaneSpec(5, "droplet", "Droplet"),
    PaneSpec(6, "findings", "Findings"),
    PaneSpec(7, "log", "Log"),
)
