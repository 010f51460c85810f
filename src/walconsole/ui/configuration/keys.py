"""The configuration screen's own actions; the console's (quit, refresh, theme, palette) hold there too."""

from walconsole.ui.keys import ACTIONS, Action

CONFIGURATION_ACTIONS = (
    Action("screen.leave", "escape", "Esc", "Back to the dashboard", "back"),
    Action("screen.explain", "question_mark,f1", "?", "Explain the pane in focus", "help", "pane"),
    Action("screen.search", "slash", "/", "Search settings by name or value", "search"),
    Action("screen.all_settings", "a", "a", "All settings, or those about archiving", "all"),
    Action("screen.what_if", "w", "w", "Where to set name=value so that it wins", "what if"),
    Action("screen.difference", "d", "d", "A dead file against what is in force", "diff"),
    Action("screen.copy_place", "y", "y", "Copy path:line", "copy"),
    Action("screen.export", "e", "e", "Export every chain to a file", "export"),
    Action("screen.maximise", "z", "z", "Maximise or restore the pane", "zoom", "pane"),
    Action("screen.enter", "enter", "Enter", "Go on: from the list to the chain, to the file", "", "pane"),
    Action("screen.next_pane(1)", "tab", "Tab", "Next pane"),
    Action("screen.next_pane(-1)", "shift+tab", "S-Tab", "Previous pane"),
    Action("screen.move(1)", "j,down", "j", "Line down", "", "pane"),
    Action("screen.move(-1)", "k,up", "k", "Line up", "", "pane"),
    Action("screen.sideways(-1)", "h,left", "h", "Left", "", "pane"),
    Action("screen.sideways(1)", "l,right", "l", "Right", "", "pane"),
    Action("screen.page(1)", "pagedown,ctrl+f", "PgDn", "Page down", "", "pane"),
    Action("screen.page(-1)", "pageup,ctrl+b", "PgUp", "Page up", "", "pane"),
    Action("screen.ends(0)", "g,home", "g", "First line", "", "pane"),
    Action("screen.ends(1)", "G,end", "G", "Last line", "", "pane"),
    Action("screen.jump('settings')", "1", "1", "Go to Settings"),
    Action("screen.jump('files')", "2", "2", "Go to Files"),
    Action("screen.jump('detail')", "3", "3", "Go to the chain"),
    Action("screen.jump('file')", "4", "4", "Go to the file"),
)

_OWN = {action.sign for action in CONFIGURATION_ACTIONS}

SCREEN_ACTIONS = (
    *CONFIGURATION_ACTIONS,
    *(action for action in ACTIONS if not action.action.startswith("screen.") and action.sign not in _OWN),
)
"""Everything that a key does while the screen is up."""


def hints() -> tuple[tuple[str, str], ...]:
    """The footer's keys, its own first."""
    return (*((action.sign, action.hint) for action in SCREEN_ACTIONS if action.hint), ("1-4", "panes"))
