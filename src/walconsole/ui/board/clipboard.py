"""What goes to the clipboard: several lines at once, safe to paste."""

from __future__ import annotations

from typing import TYPE_CHECKING

from walconsole.domain.redaction import safe
from walconsole.domain.units import plural

if TYPE_CHECKING:
    from textual.app import App

    from walconsole.ui.board.pane import Pane


def copy_marked(app: App[None], pane: Pane) -> bool:
    """Copy the pane's marked rows and mark none any more; False where none are marked."""
    rows = pane.marked
    if not rows:
        return False
    text = "\n".join(safe(line) for line in pane.copied(rows).split("\n"))
    pane.toggle_mark()
    app.copy_to_clipboard(f"{text}\n")
    app.notify(plural(len(rows), "line"), title="copied", markup=False, timeout=3)
    return True
