"""The archive screen's own actions; the console's (quit, pause, theme, palette) hold there too."""

from walconsole.ui.keys import ACTIONS, Action

ARCHIVE_ACTIONS = (
    Action("screen.leave", "escape", "Esc", "Back one step", "back"),
    Action("screen.explain", "question_mark,f1", "?", "Explain the pane in focus", "help", "pane"),
    Action("screen.next_gap", "g", "g", "Next gap", "gap"),
    Action("screen.jump_to", "slash", "/", "Go to a segment, an LSN or a time", "go to"),
    Action("screen.enter", "enter", "Enter", "Go on: into the cell, to its key, to the object", "in", "pane"),
    Action("screen.accept", "a", "a", "Accept the gap as lost, or take that back", "accept"),
    Action("screen.switch_bucket", "b", "b", "Keys of the other bucket", "bucket"),
    Action("screen.measure", "m", "m", "Measure what zstd would make of it", "zstd"),
    Action("screen.export", "e", "e", "Export gaps, index or listing", "export"),
    Action("screen.copy_value", "y", "y", "Copy the name or the key", "copy", "pane"),
    Action("screen.maximise", "z", "z", "Maximise or restore the pane", "zoom", "pane"),
    Action("refresh_now", "r", "r", "Sweep both buckets anew, and read everything now", "sweep"),
    Action("screen.next_pane(1)", "tab", "Tab", "Next pane"),
    Action("screen.next_pane(-1)", "shift+tab", "S-Tab", "Previous pane"),
    Action("screen.move(1)", "j,down", "j", "Line or timeline down", "", "pane"),
    Action("screen.move(-1)", "k,up", "k", "Line or timeline up", "", "pane"),
    Action("screen.sideways(-1)", "h,left", "h", "Cell to the left", "", "pane"),
    Action("screen.sideways(1)", "l,right", "l", "Cell to the right", "", "pane"),
    Action("screen.page(1)", "pagedown,ctrl+f", "PgDn", "Page down", "", "pane"),
    Action("screen.page(-1)", "pageup,ctrl+b", "PgUp", "Page up", "", "pane"),
    Action("screen.ends(0)", "home", "Home", "First cell or line", "", "pane"),
    Action("screen.ends(1)", "G,end", "G", "Last cell or line", "", "pane"),
    Action("screen.jump('coverage')", "1", "1", "Go to Coverage"),
    Action("screen.jump('answers')", "2", "2", "Go to Archive"),
    Action("screen.jump('primary')", "3", "3", "Go to the primary bucket's keys"),
    Action("screen.jump('dr')", "4", "4", "Go to the DR bucket's keys"),
    Action("screen.jump('object')", "5", "5", "Go to the object"),
)

_OWN = {action.sign for action in ARCHIVE_ACTIONS}

SCREEN_ACTIONS = (
    *ARCHIVE_ACTIONS,
    *(action for action in ACTIONS if not action.action.startswith("screen.") and action.sign not in _OWN),
)
"""Everything that a key does while the screen is up."""


def hints() -> tuple[tuple[str, str], ...]:
    """The footer's keys, its own first."""
    return (*((action.sign, action.hint) for action in SCREEN_ACTIONS if action.hint), ("1-5", "panes"))
