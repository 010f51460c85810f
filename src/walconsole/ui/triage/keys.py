"""The triage screen's own actions; the console's (quit, refresh, theme, palette) hold there too."""

from walconsole.ui.keys import ACTIONS, Action

TRIAGE_ACTIONS = (
    Action("screen.leave", "escape", "Esc", "Back to the dashboard", "back"),
    Action(
        "screen.explain", "question_mark,f1", "?", "Explain the failure mode under the cursor", "help", "pane"
    ),
    Action("screen.fix", "f", "f", "Mend it: look, show the plan, ask, do, verify", "fix"),
    Action("screen.dig", "d", "d", "Dig deeper: the way to the store, call by call, by hand", "dig"),
    Action("screen.copy_commands", "y", "y", "Copy the commands, or the line", "copy"),
    Action("screen.go_there", "o", "o", "Open where it is: configuration, archive", "open"),
    Action("screen.export", "e", "e", "Write the incident report: Markdown, JSON, SVG", "report"),
    Action("screen.maximise", "z", "z", "Maximise or restore the pane", "zoom", "pane"),
    Action("screen.enter", "enter", "Enter", "Go on: story, evidence, fix", "", "pane"),
    Action("screen.next_pane(1)", "tab", "Tab", "Next pane"),
    Action("screen.next_pane(-1)", "shift+tab", "S-Tab", "Previous pane"),
    Action("screen.move(1)", "j,down", "j", "Line down", "", "pane"),
    Action("screen.move(-1)", "k,up", "k", "Line up", "", "pane"),
    Action("screen.span(1)", "h,left", "h", "A longer time line", "", "pane"),
    Action("screen.span(-1)", "l,right", "l", "A shorter time line", "", "pane"),
    Action("screen.page(1)", "pagedown,ctrl+f", "PgDn", "Page down", "", "pane"),
    Action("screen.page(-1)", "pageup,ctrl+b", "PgUp", "Page up", "", "pane"),
    Action("screen.ends(0)", "g,home", "g", "First line", "", "pane"),
    Action("screen.ends(1)", "G,end", "G", "Last line", "", "pane"),
    Action("screen.jump('story')", "1", "1", "Go to the story"),
    Action("screen.jump('evidence')", "2", "2", "Go to the evidence"),
    Action("screen.jump('remedy')", "3", "3", "Go to the fix"),
    Action("screen.jump('times')", "4", "4", "Go to the time line"),
)

_OWN = {action.sign for action in TRIAGE_ACTIONS}

SCREEN_ACTIONS = (
    *TRIAGE_ACTIONS,
    *(action for action in ACTIONS if not action.action.startswith("screen.") and action.sign not in _OWN),
)
"""Everything that a key does while the screen is up."""


def hints() -> tuple[tuple[str, str], ...]:
    """The footer's keys, its own first."""
    return (*((action.sign, action.hint) for action in SCREEN_ACTIONS if action.hint), ("1-4", "panes"))
