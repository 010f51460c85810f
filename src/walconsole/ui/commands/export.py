"""The commands that were run, as files: JSON with the whole of each, CSV with a line each."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from walconsole.ui.board.export import Export, csv_text, moment_text
from walconsole.ui.commands.rows import TITLES, cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from walconsole.command_register import CommandEntry


def export_commands(entries: Sequence[CommandEntry], now: float) -> Export:
    """The newest first. What they hold was made safe before it was kept."""
    document = {
        "pane": "Commands",
        "at": moment_text(now),
        "commands": [
            {
                "kind": entry.kind.value,
                "where": entry.where,
                "exit_status": entry.status,
                "problem": entry.problem,
                "running": entry.running,
                "count": entry.count,
                "times": [{"at": moment_text(ran.at), "seconds": ran.seconds} for ran in entry.times],
                "command": entry.text,
            }
            for entry in entries
        ],
    }
    rows = [TITLES, *(cells(entry, now) for entry in entries)]
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    stem = f"walconsole-commands-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}"
    return Export(stem, (("json", text), ("csv", csv_text(rows))))
