"""The table of keys: each screen's own actions, its panes, and how they are called."""

from __future__ import annotations

from walconsole.ui.board.key_actions import COPY, EXPLAIN, FIND, MARK, ZOOM, Action, table

PAST_ASK = Action(
    "past_ask", "T", "T", "The past at a time that is typed: yesterday 14:00", "", word="at", takes="time"
)
DASHBOARD = table(
    (
        Action("quit", "q,ctrl+c", "q", "Quit", "quit"),
        EXPLAIN,
        # in a narrow footer the first ones alone are shown: what an incident takes
        Action("screen.triage", "i", "i", "Triage: the cause, its proof, how to mend it", "triage"),
        Action("screen.recovery", "v", "v", "Recovery: to which moments a restore can go", "recovery"),
        Action("screen.archive", "b", "b", "Archive: what the buckets really hold", "archive"),
        Action(
            "screen.configuration", "c", "c", "Configuration: which file wins, which is never read", "config"
        ),
        Action("refresh_now", "r", "r", "Read everything now", "refresh", word="refresh"),
        Action("provision", "s", "s", "Set archiving up: step by step, each asks first", "set up"),
        Action("pause", "p", "p", "Pause or resume reading"),
        Action("travel", "h", "h", "The past: every screen as it was; again: back to now", "past"),
        PAST_ASK,
        Action("screen.maximise", "z", "z", "Maximise or restore the pane", "", "pane"),
        Action("screen.filter", "slash", "/", "Filter the log", "filter", "log", takes="text"),
        Action("screen.hold_log", "space", "space", "Pause or resume the log", "hold", "log"),
        Action("screen.follow", "F", "F", "Follow the log, or stay", "follow", "log"),
        Action("screen.all_lines", "a", "a", "All log lines, or those about archiving", "all", "log"),
        Action("screen.wrap", "W", "W", "Wrap the log's lines, or cut them", "wrap", "log"),
        MARK,
        COPY._replace(hint=""),
        Action("screen.export", "e", "e", "Export the pane to a file", "", "pane"),
        Action("choose_theme", "t", "t", "Choose a theme", word="theme", takes="theme"),
        Action("pace(-1)", "plus,equals_sign", "+", "Read more often", word="faster"),
        Action("pace(1)", "minus", "-", "Read less often", word="slower"),
        Action("suspend_process", "ctrl+z", "^z", "Suspend; the shell's fg comes back"),
        Action(
            "show_commands",
            "exclamation_mark",
            "!",
            "Every command that was run, here and there",
            word="commands",
        ),
        Action("command_line", "colon", ":", "A command by its name, typed: Tab completes it", "command"),
        Action("command_palette", "ctrl+p", "^p", "A command by its words: the palette", word="palette"),
        Action("screen.enter", "enter", "Enter", "Follow the line, or maximise the pane", "", "pane"),
        Action(
            "screen.restore",
            "escape",
            "Esc",
            "Restore the maximised pane; back to the list of clusters",
            "",
            "pane",
        ),
    ),
    {
        "archiver": "Archiver",
        "wal_disk": "WAL on disk",
        "configuration": "Configuration",
        "bucket": "Bucket",
        "droplet": "Droplet",
        "findings": "Findings",
        "log": "Log",
    },
)
ARCHIVE = table(
    (
        Action("screen.leave", "escape", "Esc", "Back one step", "back"),
        EXPLAIN,
        Action("screen.next_gap", "n", "n", "Next gap", "gap"),
        Action(
            "screen.find",
            "slash",
            "/",
            "Filter the list in focus; in coverage and keys go to a segment, an LSN or a time",
            "find",
            takes="text",
        ),
        Action(
            "screen.enter", "enter", "Enter", "Go on: into the cell, to its key, to the object", "in", "pane"
        ),
        Action("screen.fix", "f", "f", "Mend the holes of both copies, from wherever segments are", "mend"),
        Action("screen.accept", "A", "A", "Accept the gap as lost, or take that back", "accept"),
        Action("screen.switch_bucket", "B", "B", "Keys of the other bucket", "bucket"),
        Action("screen.measure", "m", "m", "Measure what zstd would make of it", "zstd"),
        Action("screen.export", "e", "e", "Export gaps, index or listing", "export"),
        MARK,
        COPY._replace(title="Copy the name or the key, or the marked lines"),
        ZOOM,
        Action(
            "refresh_now",
            "r",
            "r",
            "Sweep both buckets anew, and read everything now",
            "sweep",
            word="refresh",
        ),
    ),
    {
        "coverage": "Coverage",
        "answers": "Archive",
        "primary": "the primary bucket's keys",
        "dr": "the DR bucket's keys",
        "object": "the object",
    },
    titles={
        "j": "Line or timeline down",
        "k": "Line or timeline up",
        "Left": "Cell to the left",
        "Right": "Cell to the right",
        "g": "First cell or line",
        "G": "Last cell or line",
    },
)
CONFIGURATION = table(
    (
        Action("screen.leave", "escape", "Esc", "Back to the dashboard", "back"),
        EXPLAIN,
        FIND._replace(title="Filter the list in focus; settings by name or value", scope="console"),
        Action("screen.all_settings", "a", "a", "All settings, or those about archiving", "all"),
        Action(
            "screen.what_if",
            "w",
            "w",
            "Where to set name=value so that it wins",
            "what if",
            takes="name=value",
        ),
        Action("screen.difference", "d", "d", "A dead file against what is in force", "diff"),
        MARK,
        COPY._replace(title="Copy path:line, or the marked lines"),
        Action("screen.export", "e", "e", "Export every chain to a file", "export"),
        ZOOM,
        Action(
            "screen.enter", "enter", "Enter", "Go on: from the list to the chain, to the file", "", "pane"
        ),
    ),
    {"settings": "Settings", "files": "Files", "detail": "the chain", "file": "the file"},
)
PROVISION = table(
    (
        Action("screen.leave", "escape", "Esc", "Back to the dashboard; what runs goes on", "back"),
        Action("screen.explain", "question_mark,f1", "?", "Explain the step", "help", "pane"),
        Action("screen.go", "x", "x", "Execute the steps, each one asks first", "execute"),
        Action("screen.look", "r", "r", "Look again at every step; changes nothing", "look again"),
        Action("screen.copy_commands", "Y", "Y", "Copy the step's commands, to do it by hand", "copy"),
        FIND._replace(hint=""),
        MARK,
        COPY._replace(hint=""),
        Action("screen.export", "e", "e", "Write a transcript (Markdown and JSON)", "transcript"),
        Action("screen.undo", "u", "u", "Undo what was changed, each step asks first", "undo"),
        ZOOM,
        Action(
            "screen.enter",
            "enter",
            "Enter",
            "From the steps to the plan, and that over the screen",
            "",
            "pane",
        ),
    ),
    {"steps": "the steps", "plan": "the plan", "events": "what was done"},
    sideways=False,
)
TRIAGE = table(
    (
        Action("screen.leave", "escape", "Esc", "Back to the dashboard", "back"),
        Action(
            "screen.explain",
            "question_mark,f1",
            "?",
            "Explain the failure mode under the cursor",
            "help",
            "pane",
        ),
        Action("screen.fix", "f", "f", "Mend it: look, show the plan, ask, do, verify", "fix"),
        Action("screen.dig", "P", "P", "Probe deeper: the way to the store, call by call, by hand", "probe"),
        Action("screen.copy_commands", "Y", "Y", "Copy the fix's commands, to do it by hand", "copy"),
        Action("screen.next_story(1)", "J,right_square_bracket", "J", "The next story", "story", "pane"),
        Action("screen.next_story(-1)", "K,left_square_bracket", "K", "The story before", "", "pane"),
        FIND._replace(hint=""),
        MARK,
        COPY._replace(hint="", title="Copy the line, of a fix its commands, or the marked lines"),
        Action("screen.go_there", "o", "o", "Open where it is: configuration, archive", "open"),
        Action("screen.export", "e", "e", "Write the incident report: Markdown, JSON, SVG", "report"),
        ZOOM,
        Action("screen.enter", "enter", "Enter", "Go on: story, evidence, fix", "", "pane"),
        Action("screen.span(1)", "less_than_sign", "<", "A longer time line", "", "pane"),
        Action("screen.span(-1)", "greater_than_sign", ">", "A shorter time line", "", "pane"),
    ),
    {
        "story": "the story",
        "evidence": "the evidence",
        "remedy": "the fix",
        "times": "the time line",
        "log": "the log",
    },
)
RECOVERY = table(
    (
        Action("screen.leave", "escape", "Esc", "Back one step", "back"),
        EXPLAIN,
        Action(
            "screen.enter", "enter", "Enter", "Go on: window, base backup, what is told of it", "in", "pane"
        ),
        Action("screen.copy_commands", "Y", "Y", "Copy the commands that restore by hand", "copy commands"),
        Action(
            "screen.moments", "M", "M", "Find the moment: what happened when, where to go back to", "moment"
        ),
        Action("screen.recover", "U", "U", "Go back to a moment: recover, step by step", "recover"),
        Action("screen.archive", "b", "b", "Archive: what the buckets really hold", "archive"),
        Action("screen.drill", "R", "R", "Prove it: a restore drill: plan, ask, do, verify", "drill"),
        Action("screen.expire", "D", "D", "Retention: show what no rule keeps, ask, delete", "expire"),
        Action("screen.export", "e", "e", "Export windows and base backups, JSON and CSV", "export"),
        FIND._replace(hint=""),
        MARK,
        COPY,
        Action(
            "screen.end_backup",
            "X",
            "X",
            "End the base backup that runs: plan, ask, do, verify",
            "end backup",
        ),
        ZOOM,
    ),
    {"window": "the window", "backups": "the base backups", "detail": "what is told of one"},
    titles={"Left": "Commands to the left", "Right": "Commands to the right"},
)

MOMENTS = table(
    (
        Action("screen.leave", "escape", "Esc", "Back one step; what is read now is given up", "back"),
        EXPLAIN,
        Action("screen.ask", "T", "T", "Ask for a time: says what it takes, then reads", "ask", takes="time"),
        Action("screen.recover", "U", "U", "Go back to just before the event: recover", "recover"),
        Action(
            "screen.filter", "slash", "/", "Events about a table, a number, a word", "filter", takes="text"
        ),
        Action("screen.everything", "a", "a", "Inserts, small updates, checkpoints too, or not", "all"),
        Action("screen.keep", "I", "I", "Go back to just before the event, or to just after it", "with"),
        Action(
            "screen.enter", "enter", "Enter", "Go on: to the event's target, loss, commands", "in", "pane"
        ),
        Action("screen.copy_commands", "Y", "Y", "Copy the commands that restore to it", "copy commands"),
        Action("screen.export", "e", "e", "Export the events, JSON and CSV", "export"),
        Action("screen.copy_value", "y", "y", "Copy the line's value", "copy", "pane"),
        ZOOM,
    ),
    {"search": "what was asked", "events": "the events", "answer": "what is told of one"},
    titles={"Left": "Commands to the left", "Right": "Commands to the right"},
)

RECOVER = table(
    (
        Action("screen.leave", "escape", "Esc", "Back one step; what goes on there goes on", "back"),
        EXPLAIN,
        Action(
            "screen.go", "x", "x", "Execute: begin, go on, open what is paused; each asks first", "execute"
        ),
        Action(
            "screen.ask", "T", "T", "A target: a time, LSN, transaction; at the pause a later one", "target"
        ),
        Action("screen.dig", "P", "P", "Look into the paused copy: a read-only query", "look into it"),
        Action(
            "screen.export", "e", "e", "Dump a table or a database of the paused copy: asks first", "dump"
        ),
        Action("screen.undo", "u", "u", "Give the recovery up: asks first", "give up"),
        Action(
            "screen.enter", "enter", "Enter", "Choose the line anew: what, to where, where", "choose", "pane"
        ),
        Action("screen.keep", "I", "I", "Stop before what stands at the target, or after it", "with"),
        Action("screen.moments", "M", "M", "Find the moment, and take the one just before it", "moment"),
        Action("screen.look", "r", "r", "Read anew where it stands", "look again"),
        Action("screen.copy_commands", "Y", "Y", "Copy the command that does the same", "copy"),
        COPY._replace(hint="", title="Copy the line"),
        ZOOM,
    ),
    {"aim": "what and where to", "forecast": "what it takes", "way": "the way"},
    sideways=False,
)

COMMANDS = table(
    (
        Action("screen.leave", "escape", "Esc", "Back to where it was opened", "back"),
        EXPLAIN,
        FIND,
        Action("screen.all_commands", "a", "a", "All, or those that did not end with 0", "all"),
        Action("screen.enter", "enter", "Enter", "Go on: the whole of the command", "in", "pane"),
        MARK,
        COPY,
        Action("screen.copy_commands", "Y", "Y", "Copy the whole command", "copy whole"),
        Action("screen.export", "e", "e", "Export the list, JSON and CSV", "export"),
        ZOOM,
        Action("refresh_now", "r", "r", "Read everything now", "refresh", word="refresh"),
    ),
    {"commands": "the commands", "detail": "the whole of one"},
    titles={"Left": "Left", "Right": "Right"},
)

FLEET = table(
    (
        Action("quit", "q,ctrl+c", "q", "Quit", "quit"),
        Action("screen.leave", "escape", "Esc", "Back one step: the filter, the list as it was", "", "pane"),
        EXPLAIN,
        Action("screen.enter", "enter", "Enter", "Go on: to the console of the cluster", "open", "pane"),
        Action("screen.next_story(1)", "J,right_square_bracket", "J", "The next in trouble", "next", "pane"),
        Action("screen.next_story(-1)", "K,left_square_bracket", "K", "The one before", "", "pane"),
        FIND._replace(title="Filter: a name, a state (!ok), a tag (#eu), a host", scope="console"),
        Action("screen.everything", "a", "a", "All clusters, or those in trouble", "all"),
        Action("screen.turn_order", "O", "O", "Turn the order round", "order"),
        Action("screen.group", "number_sign", "#", "Together by tag, with standbys, or not", "group"),
        Action("screen.triage", "i", "i", "Incidents of all clusters; Enter writes a report", "incidents"),
        Action("screen.columns", "C", "C", "Columns: a set of them, or one by one", "columns"),
        Action("screen.look", "r", "r", "Look at the cluster now", "look"),
        COPY._replace(title="Copy the line of the pane"),
        Action("screen.export", "e", "e", "Export the list, JSON and CSV", "export"),
        ZOOM,
    ),
    {"clusters": "the clusters", "cluster": "what is told of one"},
    titles={"Left": "Order by the column before", "Right": "Order by the next column"},
)
