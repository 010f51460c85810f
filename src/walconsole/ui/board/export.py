"""What a pane shows, as a file: JSON always, CSV beside it where the pane is a table."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from walconsole.domain.records import record
from walconsole.domain.redaction import safe
from walconsole.operator_files.places import places
from walconsole.operator_files.private import make_private, write_new

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import App

    from walconsole.domain.facts.log_line import LogLine
    from walconsole.ui.board.catalogue import PaneSpec
    from walconsole.ui.board.content import Content
    from walconsole.ui.board.messages import SnapshotTaken

_TRIES = 100
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]\d+(?:\.\d+)?(?: [A-Za-z%/]+)?")


@record
class Export:
    """The files to write: a stem, and a text for each suffix."""

    stem: str
    texts: tuple[tuple[str, str], ...]

    def write(self, folder: Path | None = None) -> tuple[str, str]:
        """Write into `folder`, else the current directory, else the data folder.

        Returns why it failed (empty: it did not) and the files that were written.
        """
        problem = ""
        for place in export_folders(folder):
            try:
                return "", ", ".join(str(path) for path in self._write_all(place))
            except OSError as error:
                problem = f"{place}: {error.strerror or error}"
        return problem, ""

    def _write_all(self, folder: Path) -> list[Path]:
        make_export_folder(folder)
        return [_write_new(folder, self.stem, suffix, text) for suffix, text in self.texts]


def write_export(app: App[Any], export: Export) -> None:
    """Write an export beside the work, and say where."""
    problem, where = export.write()
    if problem:
        app.notify(problem, title="not exported", severity="error", markup=False)
    else:
        app.notify(where, title="exported", markup=False)


def export_folders(folder: Path | None = None) -> list[Path]:
    """Where to try to write: `folder`, else the current directory, then the data folder."""
    return [folder] if folder else [Path.cwd(), places(os.environ).data]


def make_export_folder(folder: Path) -> None:
    """Make it where it is missing; the data folder for the operator alone. Raises OSError."""
    if folder == places(os.environ).data:
        make_private(folder)
    else:
        folder.mkdir(parents=True, exist_ok=True)


def _write_new(folder: Path, stem: str, suffix: str, text: str) -> Path:
    """A file that did not exist, readable by its owner alone."""
    for count in range(1, _TRIES):
        path = folder / f"{stem}{'' if count == 1 else f'-{count}'}.{suffix}"
        try:
            write_new(path, text)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{_TRIES} exports of this second exist already")


def stem_of(name: str, taken: SnapshotTaken) -> str:
    """A file name without its ending: what it holds, and when that was true."""
    moment = datetime.fromtimestamp(taken.now, UTC)
    return f"walconsole-{name}-{moment:%Y%m%dT%H%M%SZ}"


def moment_text(at: float) -> str:
    """A moment as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat()


def csv_text(rows: Sequence[Sequence[str]]) -> str:
    """The rows as CSV, none of which a spreadsheet takes for a formula."""
    sheet = io.StringIO()
    csv.writer(sheet, lineterminator="\n").writerows([[_inert(cell) for cell in row] for row in rows])
    return sheet.getvalue()


def _inert(cell: str) -> str:
    """A spreadsheet must not take remote text for a formula; a signed number is none."""
    return f"'{cell}" if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell


def export_pane(spec: PaneSpec, content: Content | None, taken: SnapshotTaken) -> Export:
    """The pane's rows with their labels and values, its sources and ages, and the verdict."""
    rows = [line for line in (content.lines if content else ()) if line.label or line.value]
    document = {
        "pane": spec.title,
        "profile": taken.snapshot.profile_name,
        "at": moment_text(taken.now),
        "verdict": {
            "level": taken.diagnosis.verdict.level.value,
            "text": safe(taken.diagnosis.verdict.text),
        },
        "sources": [
            {"source": stamp.source, "age_s": stamp.age_s, "freshness": stamp.freshness.value}
            for stamp in (content.stamps if content else ())
        ],
        "rows": [
            {"entry": line.entry, "label": safe(line.label), "value": safe(line.value), "stale": line.stale}
            for line in rows
        ],
        "text": [line.text.rstrip() for line in (content.lines if content else ())],
    }
    texts = [("json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")]
    if content and content.table:
        texts.append(("csv", csv_text([[safe(cell) for cell in row] for row in content.table])))
    return Export(stem_of(spec.name, taken), tuple(texts))


def export_log(lines: Sequence[LogLine], taken: SnapshotTaken) -> Export:
    """The lines that pass the filter."""
    rows = [(line.origin, line.stamp, line.level.value, safe(line.text)) for line in lines]
    names = ("origin", "stamp", "level", "text")
    document = {
        "pane": "Log",
        "profile": taken.snapshot.profile_name,
        "at": moment_text(taken.now),
        "lines": [dict(zip(names, row, strict=True)) for row in rows],
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return Export(stem_of("log", taken), (("json", text), ("csv", csv_text([names, *rows]))))
