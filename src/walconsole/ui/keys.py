"""Every action, once: its keys, its words in the footer, the palette and the help.

Bindings, footer, palette and help are all made from this table, so that none can forget one.
"""

from __future__ import annotations

from typing import NamedTuple


class Action(NamedTuple):
    """`action` is Textual's name for it, on the app or on the dashboard (`screen.`).

    `keys` are Textual's names, `sign` is how they are written, `hint` the word in the footer
    (empty: not in the footer), `scope` whether it concerns the console, the pane in focus, or the log.
    """

    action: str
    keys: str
    sign: str
    title: str
    hint: str = ""
    scope: str = "console"


ACTIONS = (
    Action("quit", "q,ctrl+c", "q", "Quit", "quit"),
    Action("screen.explain", "question_mark,f1", "?", "Explain the pane in focus", "help", "pane"),
    Action("pause", "p", "p", "Pause or resume reading", "pause"),
    Action("refresh_now", "r", "r", "Read everything now", "refresh"),
    Action("screen.triage", "i", "i", "Triage: the cause, its proof, how to mend it", "triage"),
    Action("screen.configuration", "c", "c", "Configuration: which file wins, which is never read", "config"),
    Action("screen.archive", "b", "b", "Archive: what the buckets really hold", "archive"),
    Action("provision", "s", "s", "Set archiving up: step by step, each asks first", "set up"),
    Action("screen.maximise", "z", "z", "Maximise or restore the pane", "", "pane"),
    Action("screen.filter", "slash", "/", "Filter the log", "filter", "log"),
    Action("screen.hold_log", "space", "space", "Pause or resume the log", "hold", "log"),
    Action("screen.follow", "f", "f", "Follow the log, or stay", "follow", "log"),
    Action("screen.all_lines", "a", "a", "All log lines, or those about archiving", "all", "log"),
    Action("screen.copy_value", "y", "y", "Copy the line's value", "", "pane"),
    Action("screen.export", "e", "e", "Export the pane to a file", "export", "pane"),
    Action("choose_theme", "t", "t", "Choose a theme"),
    Action("pace(-1)", "plus,equals_sign", "+", "Read more often", ""),
    Action("pace(1)", "minus", "-", "Read less often", ""),
    Action("suspend_process", "ctrl+z", "^z", "Suspend; the shell's fg comes back"),
    Action("command_palette", "ctrl+p", "^p", "Command palette", "palette"),
    Action("screen.enter", "enter", "Enter", "Follow the line, or maximise the pane", "", "pane"),
    Action("screen.restore", "escape", "Esc", "Restore the maximised pane", "", "pane"),
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
    Action("screen.jump('archiver')", "1", "1", "Go to Archiver"),
    Action("screen.jump('wal_disk')", "2", "2", "Go to WAL on disk"),
    Action("screen.jump('configuration')", "3", "3", "Go to Configuration"),
    Action("screen.jump('bucket')", "4", "4", "Go to Bucket"),
    Action("screen.jump('droplet')", "5", "5", "Go to Droplet"),
    Action("screen.jump('findings')", "6", "6", "Go to Findings"),
    Action("screen.jump('log')", "7", "7", "Go to Log"),
)


def hints(pane: str) -> tuple[tuple[str, str], ...]:
    """The footer's keys while `pane` is in focus."""
    wanted = [action for action in ACTIONS if action.hint and (action.scope != "log" or pane == "log")]
    return tuple((action.sign, action.hint) for action in wanted)
