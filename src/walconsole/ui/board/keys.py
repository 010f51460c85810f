"""Every action of every screen, once: its keys, its words in the footer, the palette and the help.

Bindings, footer, palette, help and the documents' lists are all made from this table, so that none can forget
one. A key means one thing wherever a screen takes it, whatever it is done to there: whoever learned it on one
knows it on all. A test has what each means (`tests/unit/test_keys.py`). Dialogs take keys away: there y and n
are yes and no, and letters are typed.
"""

from __future__ import annotations

from textual.binding import Binding, BindingType

from walconsole.ui.board.key_actions import Action, Keys
from walconsole.ui.board.screen_keys import (
    ARCHIVE,
    COMMANDS,
    CONFIGURATION,
    DASHBOARD,
    FLEET,
    MOMENTS,
    PAST_ASK,
    PROVISION,
    RECOVER,
    RECOVERY,
    TRIAGE,
)

SCREENS = {
    "dashboard": Keys(DASHBOARD, inherits=()),
    "archive": Keys(ARCHIVE, panes="1-5"),
    "configuration": Keys(CONFIGURATION, panes="1-4"),
    "provision": Keys(
        PROVISION,
        inherits=(
            "quit",
            "travel",
            "past_ask",
            "choose_theme",
            "show_commands",
            "command_line",
            "command_palette",
        ),
    ),
    "triage": Keys(TRIAGE, panes="1-5"),
    "recovery": Keys(RECOVERY, panes="1-3"),
    "moments": Keys(MOMENTS, panes="1-3"),
    "recover": Keys(RECOVER, panes="1-3"),
    "commands": Keys(COMMANDS, panes="1-2"),
    "fleet": Keys(
        FLEET,
        inherits=(
            "travel",
            "past_ask",
            "choose_theme",
            "command_line",
            "command_palette",
            "suspend_process",
        ),
        panes="1-2",
    ),
}
"""The dashboard's own are the app's, too: what is not `screen.` holds wherever a screen inherits it."""

_ANSWERS = (
    Action("answer(True)", "y", "y", "Agree"),
    Action("answer(False)", "n", "n", "Cancel"),
    Action("app.focus_previous", "left,up", "Left", "Previous"),
    Action("app.focus_next", "right,down", "Right", "Next"),
)

DIALOGS = {
    "dialog": (
        Action("dismiss_empty", "escape", "Esc", "Cancel"),
        Action("app.quit", "ctrl+c", "^c", "Quit"),
    ),
    "command_line": (Action("complete", "tab", "Tab", "Complete the word"),),
    "help": (
        Action("dismiss_empty", "q,question_mark", "q", "Close"),
        Action("scroll(1)", "j", "j", "Down"),
        Action("scroll(-1)", "k", "k", "Up"),
    ),
    "confirm": _ANSWERS,
    "gate": _ANSWERS,
    "host_key": (
        Action("answer(True)", "y", "y", "Trust"),
        Action("answer(False)", "n", "n", "Refuse"),
        *_ANSWERS[2:],
        Action("scroll(1)", "pagedown", "PgDn", "Page down"),
        Action("scroll(-1)", "pageup", "PgUp", "Page up"),
    ),
}
"""What stands over a screen and takes its keys away; each dialog has those of `dialog` besides."""


def own(screen: str) -> tuple[Action, ...]:
    """What the screen itself does."""
    return SCREENS[screen].own


def actions(screen: str) -> tuple[Action, ...]:
    """Everything that a key does while the screen is up."""
    keys = SCREENS[screen]
    taken = {action.sign for action in keys.own}
    inherited = (
        action
        for action in DASHBOARD
        if not _is_of_screen(action)
        and (action.sign not in taken if keys.inherits is None else action.action in keys.inherits)
    )
    return (*keys.own, *inherited)


PAST = (
    Action("travel", "h", "h", "Back to now", "now"),
    Action("past_step(-1)", "left", "Left", "The moment before that is kept", "before"),
    Action("past_step(1)", "right", "Right", "The next moment that is kept", "after"),
    Action("past_change(-1)", "left_square_bracket", "[", "The change of the first line before", "change"),
    Action("past_change(1)", "right_square_bracket", "]", "The next change of the first line", "change"),
    Action("past_play", "p", "p", "Play what is kept, a moment a second; again: stop", "play"),
    Action("past_jump(-3600)", "shift+left", "S-Left", "An hour back", "hour"),
    Action("past_jump(3600)", "shift+right", "S-Right", "An hour forward", "hour"),
    Action("past_jump(-86400)", "ctrl+left", "^Left", "A day back"),
    Action("past_jump(86400)", "ctrl+right", "^Right", "A day forward"),
    PAST_ASK._replace(title="Go to a time: 2026-11-21 03:10, yesterday 14:00, -2h", hint="time"),
)
"""What moves through the past, on every screen that shows it, before the screen's own keys."""

CHANGES = frozenset({
    "provision",
    "screen.fix",
    "screen.dig",
    "screen.go",
    "screen.undo",
    "screen.expire",
    "screen.end_backup",
})  # fmt: skip
"""What leads to a change of the server, its files or its stores: not offered where that is refused."""

ONLY_NOW = (CHANGES - {"provision"}) | {
    "refresh_now",
    "pause",
    "pace(-1)",
    "pace(1)",
    "screen.accept",
    "screen.drill",
    "screen.keep",
    "screen.look",
    "screen.measure",
    "screen.moments",
    "screen.recover",
    "screen.ask",
}
"""What reads anew, or leads to what is done: there is nothing of it while the past is shown.

The screen of steps is there, and shows those of then; what begins them is not.
"""
_HINTS_THEN = {"provision": "steps"}
"""What a key is for in the past, where that is less than now."""


def is_only_now(action: str) -> bool:
    """Whether an action by that name, without `screen.`, is one of ONLY_NOW, whatever its argument."""
    return action.removeprefix("screen.").partition("(")[0] in _NAMES_ONLY_NOW


_NAMES_ONLY_NOW = frozenset(one.removeprefix("screen.").partition("(")[0] for one in ONLY_NOW)


def hints(
    screen: str, pane: str = "", *, read_only: bool = False, past: bool = False
) -> tuple[tuple[str, str], ...]:
    """The footer's keys while `pane` is in focus, the screen's own first; `past`: those that move in it."""
    panes, offered = SCREENS[screen].panes, actions(screen)
    if past:
        moving = {one.sign for one in PAST}
        offered = (*PAST, *(one for one in offered if one.sign not in moving))
    wanted = [
        action
        for action in offered
        if action.hint
        and (action.scope != "log" or pane == "log")
        and not (read_only and action.action in CHANGES and not (past and action.action in _HINTS_THEN))
        and not (past and action.action in ONLY_NOW)
    ]
    then = _HINTS_THEN if past else {}
    found = ((action.sign, then.get(action.action, action.hint)) for action in wanted)
    return (*found, *([(panes, "panes")] if panes else ()))


def bindings(screen: str) -> list[BindingType]:
    """The screen's own, as Textual wants them on it."""
    return [_binding(action) for action in own(screen) if _is_of_screen(action)]


def app_bindings() -> list[BindingType]:
    """What holds on every screen that does not bind the key itself."""
    return [_binding(action) for action in DASHBOARD if not _is_of_screen(action)]


def dialog_bindings(name: str) -> list[BindingType]:
    """A dialog's. Ctrl-C comes before a field in focus, which would copy with it."""
    return [_binding(action, priority=action.keys == "ctrl+c") for action in DIALOGS[name]]


def _is_of_screen(action: Action) -> bool:
    return action.action.startswith("screen.")


def _binding(action: Action, *, priority: bool = False) -> Binding:
    name = action.action.removeprefix("screen.")
    return Binding(action.keys, name, action.title, show=False, priority=priority)
