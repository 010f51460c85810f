"""How the operator left the list of clusters: its columns, its order, its groups. A file of the state's."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from walconsole.domain.records import record
from walconsole.operator_files.places import places
from walconsole.operator_files.private import check_private, make_private, replace_text

_MOST_BYTES = 10_000


@record
class ListView:
    """By the columns' titles, so that a file of another release says what it can.

    `columns` empty: those of the beginning. `order` is the column that the list is in the order of, `group`
    what brings clusters together; both empty for the beginning's.
    """

    columns: tuple[str, ...] = ()
    order: str = ""
    backwards: bool = False
    group: str = ""


class ListViews(Protocol):
    """Where it is remembered."""

    def recall(self) -> ListView:
        """As it was left; the beginning's where nothing is remembered or can be read."""
        ...

    def remember(self, view: ListView) -> str | None:
        """Write it down; why it could not be."""
        ...


class ListViewFile:
    """ListViews on the disk. `environ` says where the state lies."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.path: Path = places(environ).list_view

    def recall(self) -> ListView:
        """See ListViews."""
        try:
            check_private(self.path.parent)
            with self.path.open("rb") as file:
                return _read(json.loads(file.read(_MOST_BYTES)))
        except (OSError, ValueError, RecursionError):
            return ListView()

    def remember(self, view: ListView) -> str | None:
        """See ListViews."""
        try:
            make_private(self.path.parent)
            replace_text(self.path, json.dumps(asdict(view), ensure_ascii=False) + "\n")
        except OSError as error:
            return f"{self.path}: {error.strerror or error}"
        return None


def _read(found: object) -> ListView:
    """What is odd in it is left out."""
    if not isinstance(found, dict):
        return ListView()
    columns = found.get("columns")
    texts = [each for each in columns if isinstance(each, str)] if isinstance(columns, list) else []
    order, group = found.get("order"), found.get("group")
    return ListView(
        tuple(texts),
        order if isinstance(order, str) else "",
        found.get("backwards") is True,
        group if isinstance(group, str) else "",
    )
