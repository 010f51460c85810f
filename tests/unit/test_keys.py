"""The table of keys, and what follows from it: bindings, footer, help, and the documents' lists."""

import re
from pathlib import Path

import pytest
from textual.screen import Screen

from scripts.write_reference import KEY_PAGES, NAMES, key_tables, with_tables
from walconsole.ui.app import WalconsoleApp
from walconsole.ui.archive.screen import ArchiveScreen
from walconsole.ui.board.catalogue import PANES
from walconsole.ui.board.key_actions import Action
from walconsole.ui.board.keys import (
    CHANGES,
    DIALOGS,
    ONLY_NOW,
    PAST,
    SCREENS,
    actions,
    hints,
    is_only_now,
    own,
)
from walconsole.ui.commands.screen import CommandsScreen
from walconsole.ui.configuration.screen import ConfigurationScreen
from walconsole.ui.dashboard.screen import Dashboard
from walconsole.ui.dialogs.command_line import CommandLine
from walconsole.ui.dialogs.connecting import HostKeyScreen
from walconsole.ui.dialogs.dialog import Confirm, Dialog
from walconsole.ui.dialogs.help import HelpScreen
from walconsole.ui.fleet.screen import FleetScreen
from walconsole.ui.provisioning.gate_bar import GateBar
from walconsole.ui.provisioning.screen import ProvisionScreen
from walconsole.ui.recovery.moment_screen import MomentScreen
from walconsole.ui.recovery.recover_screen import RecoverScreen
from walconsole.ui.recovery.screen import RecoveryScreen
from walconsole.ui.triage.screen import TriageScreen

DOCS = Path(__file__).parents[2] / "docs"
CLASSES: dict[str, type[Screen[None]]] = {
    "dashboard": Dashboard,
    "archive": ArchiveScreen,
    "configuration": ConfigurationScreen,
    "provision": ProvisionScreen,
    "triage": TriageScreen,
    "recovery": RecoveryScreen,
    "moments": MomentScreen,
    "recover": RecoverScreen,
    "commands": CommandsScreen,
    "fleet": FleetScreen,
}
OVER = {
    "command_line": CommandLine,
    "dialog": Dialog,
    "help": HelpScreen,
    "confirm": Confirm,
    "gate": GateBar,
    "host_key": HostKeyScreen,
}


# A key that is free on one screen is not free: vim's habits stay (g and G are the first and the last line), a
# capital letter is for what has consequences, or for more of the same.
MEANINGS = {
    key: (meaning, frozenset(actions.split()))
    for key, meaning, actions in (
        ("q", "quit", "quit"),
        ("?", "explain", "explain"),
        ("r", "read anew", "refresh_now look"),
        ("i", "triage", "triage"),
        ("c", "configuration", "configuration"),
        ("b", "archive", "archive"),
        ("v", "recovery", "recovery"),
        ("s", "set archiving up", "provision"),
        ("p", "pause reading", "pause"),
        ("z", "maximise", "maximise"),
        ("/", "find in the list: filter it, or go there", "filter find"),
        ("space", "hold the log", "hold_log"),
        ("F", "follow the log", "follow"),
        ("a", "all, or those that matter", "all_lines all_settings all_commands everything"),
        ("W", "wrap lines", "wrap"),
        ("V", "mark lines", "mark"),
        ("y", "copy the line or what is marked", "copy_value"),
        ("Y", "copy the commands", "copy_commands"),
        ("e", "write to a file", "export"),
        ("t", "theme", "choose_theme"),
        ("+", "read more often", "pace"),
        ("-", "read less often", "pace"),
        ("^z", "suspend", "suspend_process"),
        ("!", "commands that were run", "show_commands"),
        (":", "a command by its name", "command_line"),
        ("^p", "a command by its words", "command_palette"),
        ("Enter", "go on", "enter"),
        ("Esc", "back one step", "leave restore"),
        ("n", "next gap", "next_gap"),
        ("A", "accept as lost", "accept"),
        ("B", "the other bucket", "switch_bucket"),
        ("m", "measure compression", "measure"),
        ("w", "what if", "what_if"),
        ("d", "difference", "difference"),
        ("x", "execute the steps", "go"),
        ("u", "undo", "undo"),
        ("f", "fix", "fix"),
        ("P", "probe deeper", "dig"),
        ("J", "the next of what is wrong", "next_story"),
        ("K", "the one before of what is wrong", "next_story"),
        ("O", "turn the order round", "turn_order"),
        ("#", "groups in the list", "group"),
        ("C", "other columns", "columns"),
        ("o", "open where it is", "go_there"),
        ("<", "a longer time", "span"),
        (">", "a shorter time", "span"),
        ("D", "retention: delete", "expire"),
        ("M", "find the moment", "moments"),
        ("U", "go back to a moment: recover", "recover"),
        ("R", "restore drill", "drill"),
        ("T", "ask for a time", "ask past_ask"),
        ("I", "with the event, or before it", "keep"),
        ("X", "end what runs", "end_backup"),
        ("Tab", "next pane", "next_pane"),
        ("S-Tab", "previous pane", "next_pane"),
        ("j", "down", "move"),
        ("k", "up", "move"),
        ("h", "the past, or now again", "travel"),
        ("Left", "left", "sideways"),
        ("Right", "right", "sideways"),
        ("PgDn", "page down", "page"),
        ("PgUp", "page up", "page"),
        ("g", "first", "ends"),
        ("G", "last", "ends"),
        *((str(digit), f"pane {digit}", "jump") for digit in range(1, 10)),
    )
}
"""What a key means, and the actions that mean so."""


def _method(action: Action) -> str:
    return f"action_{re.split(r'[.(]', action.action.removeprefix('screen.').removeprefix('app.'))[0]}"


@pytest.mark.parametrize("screen", SCREENS)
def test_every_action_exists_and_no_key_means_two_things(screen: str) -> None:
    keys = [key for action in actions(screen) for key in action.keys.split(",")]
    assert len(keys) == len(set(keys))
    for action in actions(screen):
        owner = CLASSES[screen] if action.action.startswith("screen.") else WalconsoleApp
        assert hasattr(owner, _method(action)), action


def test_no_key_has_two_meanings_on_any_two_screens() -> None:
    for screen in SCREENS:
        for action in actions(screen):
            meaning, meant = MEANINGS[action.sign]
            assert _method(action).removeprefix("action_") in meant, (screen, action.sign, meaning)


def test_no_key_is_bound_under_another_sign_elsewhere() -> None:
    signs: dict[str, set[str]] = {}
    for screen in SCREENS:
        for action in actions(screen):
            for key in action.keys.split(","):
                signs.setdefault(key, set()).add(MEANINGS[action.sign][0])
    assert {key: found for key, found in signs.items() if len(found) > 1} == {}


def test_every_meaning_is_taken_somewhere_and_has_one_key() -> None:
    taken = {action.sign for screen in SCREENS for action in actions(screen)}
    assert set(MEANINGS) - taken == {"6", "7", "8", "9"} - taken
    words = [meaning for meaning, _ in MEANINGS.values()]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("name", DIALOGS)
def test_every_dialogs_action_exists_and_no_key_means_two_things(name: str) -> None:
    keys = [key for action in DIALOGS[name] for key in action.keys.split(",")]
    assert len(keys) == len(set(keys))
    for action in DIALOGS[name]:
        owner = WalconsoleApp if action.action.startswith("app.") else OVER[name]
        assert hasattr(owner, _method(action)), action


@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_binds_what_the_table_says_and_nothing_else(screen: str) -> None:
    """With what it inherits: Textual looks at the screen first, then at the app."""
    bound: dict[str, str] = {}
    for owner in (WalconsoleApp, CLASSES[screen]):
        for binding in owner.BINDINGS:
            keys, action, *_ = (
                binding if isinstance(binding, tuple) else (binding.key, binding.action, binding.description)
            )
            bound |= dict.fromkeys(keys.split(","), action)
    said = {key: one.action.removeprefix("screen.") for one in actions(screen) for key in one.keys.split(",")}
    if screen in (
        "provision",
        "fleet",
    ):  # there the app's others do what they do elsewhere, and are not offered
        bound = {key: action for key, action in bound.items() if key in said}
    assert bound == said


@pytest.mark.parametrize("screen", SCREENS)
def test_the_footer_says_what_the_table_says(screen: str) -> None:
    shown = dict(hints(screen, "log"))
    assert {action.sign: action.hint for action in actions(screen) if action.hint}.items() <= shown.items()
    assert CLASSES[screen] is Dashboard or CLASSES[screen].actions == actions(screen)  # type: ignore[attr-defined]  # PanesScreen's


@pytest.mark.parametrize("screen", SCREENS)
def test_a_read_only_footer_offers_nothing_that_changes(screen: str) -> None:
    offered = {action.sign for action in actions(screen) if action.hint and action.action in CHANGES}
    signs = {sign for sign, _ in hints(screen, read_only=True)}
    assert not signs & offered
    assert signs | offered == {sign for sign, _ in hints(screen)}


@pytest.mark.parametrize("screen", SCREENS)
def test_the_footer_of_the_past_offers_what_moves_and_nothing_that_reads_or_changes(
    screen: str,
) -> None:
    shown = hints(screen, past=True)
    assert shown[: len(moves := [(one.sign, one.hint) for one in PAST if one.hint])] == tuple(moves)
    only_now = {action.sign for action in actions(screen) if action.action in ONLY_NOW}
    assert not (only_now - {one.sign for one in PAST}) & {sign for sign, _ in shown}
    assert len({sign for sign, _ in shown}) == len(shown)


def test_what_moves_in_the_past_exists_and_is_not_refused_there() -> None:
    keys = [key for action in PAST for key in action.keys.split(",")]
    assert len(keys) == len(set(keys))
    for action in PAST:
        assert hasattr(WalconsoleApp, _method(action)), action
        assert not is_only_now(action.action)
    assert all(is_only_now(action) for action in ONLY_NOW)
    assert is_only_now("pace(1)")


def test_what_changes_is_in_the_table() -> None:
    assert {action.action for screen in SCREENS for action in own(screen)} >= CHANGES | ONLY_NOW


def test_where_panes_have_digits_the_footer_counts_them() -> None:
    for screen, keys in SCREENS.items():
        digits = [action.sign for action in own(screen) if action.action.startswith("screen.jump(")]
        assert keys.panes in ("", f"{digits[0]}-{digits[-1]}")


def test_the_dashboard_s_digits_are_its_panes() -> None:
    jumps = {
        action.sign: action.action for action in own("dashboard") if action.action.startswith("screen.jump(")
    }
    assert jumps == {str(pane.number): f"screen.jump('{pane.name}')" for pane in PANES}
    assert [pane.number for pane in PANES] == list(range(1, len(PANES) + 1))


@pytest.mark.parametrize("name", KEY_PAGES)
def test_the_documents_have_the_table(name: str) -> None:
    text = (DOCS / name).read_text("utf-8")
    assert with_tables(text, key_tables(name)) == text
    titles = set(re.findall(r"^\| `.+` \| (.+) \|$", text, re.MULTILINE))
    for screen in KEY_PAGES[name]:
        assert {action.title for action in own(screen)} <= titles


def test_every_screen_has_a_page() -> None:
    assert sorted(screen for screens in KEY_PAGES.values() for screen in screens) == sorted(SCREENS)


def test_every_key_has_a_name_in_the_documents() -> None:
    longer = {
        key.rpartition("+")[2]
        for screen in SCREENS
        for action in own(screen)
        for key in action.keys.split(",")
        if len(key.rpartition("+")[2]) > 1
    }
    assert longer - NAMES.keys() == set()


def test_an_explanation_names_no_key_that_does_something_else() -> None:
    """`h and l go to the next cell` stayed when h became the past."""
    told = re.compile(r"\b([A-Za-z])(?: and ([A-Za-z]))? (go|goes|move|moves|copies|wraps|accepts|asks)\b")
    bound = {
        key: {each.action for screen in SCREENS for each in actions(screen) if key in each.keys.split(",")}
        for key in {key for screen in SCREENS for each in actions(screen) for key in each.keys.split(",")}
    }
    text = (Path(__file__).parents[2] / "src/walconsole/ui/explanations.toml").read_text("utf-8")
    for one, other, does in told.findall(text):
        for key in filter(None, (one, other)):
            assert key in bound, f"{key} {does}"
            assert not (does in ("go", "move") and "travel" in bound[key]), f"{key} leads to the past"
