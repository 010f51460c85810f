"""The provisioning screen's own actions; the console's (quit, theme, palette) hold there too."""

from walconsole.ui.keys import ACTIONS, Action

PROVISION_ACTIONS = (
    Action("screen.leave", "escape", "Esc", "Back to the dashboard; what runs goes on", "back"),
    Action("screen.explain", "question_mark,f1", "?", "Explain the step", "help", "pane"),
    Action("screen.go", "g", "g", "Go: run the steps, each one asks first", "go"),
    Action("screen.look", "r", "r", "Look again at every step; changes nothing", "look again"),
    Action("screen.copy_commands", "c", "c", "Copy the step's commands, to do it by hand", "copy"),
    Action("screen.export", "e", "e", "Write a transcript (Markdown and JSON)", "transcript"),
    Action("screen.undo", "u", "u", "Undo what was changed, each step asks first", "undo"),
    Action("screen.maximise", "z", "z", "Maximise or restore the pane", "zoom", "pane"),
    Action(
        "screen.enter", "enter", "Enter", "From the steps to the plan, and that over the screen", "", "pane"
    ),
    Action("screen.next_pane(1)", "tab", "Tab", "Next pane"),
    Action("screen.next_pane(-1)", "shift+tab", "S-Tab", "Previous pane"),
    Action("screen.move(1)", "j,down", "j", "Line down", "", "pane"),
    Action("screen.move(-1)", "k,up", "k", "Line up", "", "pane"),
    Action("screen.page(1)", "pagedown,ctrl+f", "PgDn", "Page down", "", "pane"),
    Action("screen.page(-1)", "pageup,ctrl+b", "PgUp", "Page up", "", "pane"),
    Action("screen.ends(0)", "home", "Home", "First line", "", "pane"),
    Action("screen.ends(1)", "G,end", "G", "Last line", "", "pane"),
    Action("screen.jump('steps')", "1", "1", "Go to the steps"),
    Action("screen.jump('plan')", "2", "2", "Go to the plan"),
    Action("screen.jump('events')", "3", "3", "Go to what was done"),
)
SCREEN_ACTIONS = (
    *PROVISION_ACTIONS,
    *(action for action in ACTIONS if action.action in ("quit", "choose_theme", "command_palette")),
)


def hints() -> tuple[tuple[str, str], ...]:
    """The footer's keys."""
    return tuple((action.sign, action.hint) for action in SCREEN_ACTIONS if action.hint)
