"""What an action of a screen is, those that many screens have, and how a screen's table is made of them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Action(NamedTuple):
    """`action` is Textual's name for it, on the app or on the screen (`screen.`).

    `keys` are Textual's names, `sign` is how they are written, `hint` the word in the footer
    (empty: not in the footer), `scope` whether it concerns the console, the pane in focus, or the log.
    `word` is what is typed after `:` (empty: as command_line.py makes it of the action), `takes` what may
    follow that (empty: nothing): it answers the line or the list that the action opens.
    """

    action: str
    keys: str
    sign: str
    title: str
    hint: str = ""
    scope: str = "console"
    word: str = ""
    takes: str = ""


class Keys(NamedTuple):
    """A screen's `own` actions; `inherits` are the console's that hold there too, by name (None: all that
    the screen does not do differently), `panes` the hint that a digit goes to a pane (empty: none).
    """

    own: tuple[Action, ...]
    inherits: tuple[str, ...] | None = None
    panes: str = ""


EXPLAIN = Action("screen.explain", "question_mark,f1", "?", "Explain the pane in focus", "help", "pane")
ZOOM = Action("screen.maximise", "z", "z", "Maximise or restore the pane", "zoom", "pane")
MARK = Action("screen.mark", "V", "V", "Mark lines, to copy several at once", "", "pane")
COPY = Action(
    "screen.copy_value", "y", "y", "Copy the line, or those that are marked", "copy", "pane", "copy"
)
FIND = Action("screen.find", "slash", "/", "Filter the list in focus", "filter", "pane", "filter", "text")
_MOVES = (
    Action("screen.next_pane(1)", "tab", "Tab", "Next pane"),
    Action("screen.next_pane(-1)", "shift+tab", "S-Tab", "Previous pane"),
    Action("screen.move(1)", "j,down", "j", "Line down", "", "pane"),
    Action("screen.move(-1)", "k,up", "k", "Line up", "", "pane"),
    Action("screen.sideways(-1)", "left", "Left", "Left", "", "pane"),
    Action("screen.sideways(1)", "right,l", "Right", "Right", "", "pane"),
    Action("screen.page(1)", "pagedown,ctrl+f", "PgDn", "Page down", "", "pane"),
    Action("screen.page(-1)", "pageup,ctrl+b", "PgUp", "Page up", "", "pane"),
    Action("screen.ends(0)", "g,home", "g", "First line", "", "pane"),
    Action("screen.ends(1)", "G,end", "G", "Last line", "", "pane"),
)
"""How the operator moves, on every screen."""


def table(
    own: tuple[Action, ...],
    panes: Mapping[str, str],
    *,
    titles: Mapping[str, str] = MappingProxyType({}),
    sideways: bool = True,
) -> tuple[Action, ...]:
    """A screen's own actions, the keys that move where it has no others for them, a digit for each pane.

    `panes` are their names with how they are called; `titles` say what a move, by its sign, does there.
    `sideways`: whether anything is as wide as that.
    """
    taken = {key for action in own for key in action.keys.split(",")}
    moves = []
    for move in _MOVES:
        keys = [key for key in move.keys.split(",") if key not in taken]
        if keys and (sideways or not move.action.startswith("screen.sideways")):
            sign = move.sign if move.keys.startswith(keys[0]) else keys[0].capitalize()
            title = titles.get(move.sign, move.title)
            moves.append(move._replace(keys=",".join(keys), sign=sign, title=title))
    jumps = (
        Action(f"screen.jump('{name}')", str(number), str(number), f"Go to {called}")
        for number, (name, called) in enumerate(panes.items(), 1)
    )
    return (*own, *moves, *jumps)
