"""The table of keys, and what follows from it: bindings, footer, help, and the documents' lists."""

import re
from pathlib import Path

import pytest
from textual.screen import Screen

from scripts.write_reference import KEY_PAGES, NAMES, key_tables, with_tables
from walconsole.ui.app import WalconsoleApp
from walconsole.ui.archive.screen import ArchiveScreen
from walconsole.ui.board.keys import CHANGES, DIALOGS, SCREENS, Action, actions, hints, own
from walconsole.ui.configuration.screen import ConfigurationScreen
from walconsole.ui.dashboard.screen import Dashboard
from walconsole.ui.dialogs.connecting import HostKeyScreen
from walconsole.ui.dialogs.dialog import Confirm, Dialog
from walconsole.ui.dialogs.help import HelpScreen
from walconsole.ui.provisioning.gate_bar import GateBar
from walconsole.ui.provisioning.screen import ProvisionScreen
from walconsole.ui.recovery.moment_screen import MomentScreen
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
}
OVER = {"dialog": Dialog, "help": HelpScreen, "confirm": Confirm, "gate": GateBar, "host_key": HostKeyScreen}


def _method(action: Action) -> str:
    return f"action_{re.split(r'[.(]', action.action.removeprefix('screen.').removeprefix('app.'))[0]}"


@pytest.mark.parametrize("screen", SCREENS)
def test_every_action_exists_and_no_key_means_two_things(screen: str) -> None:
    keys = [key for action in actions(screen) for key in action.keys.split(",")]
    assert len(keys) == len(set(keys))
    for action in actions(screen):
        owner = CLASSES[screen] if action.action.startswith("screen.") else WalconsoleApp
        assert hasattr(owner, _method(action)), action


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
    if screen == "provision":  # there the app's others do what they do elsewhere, and are not offered
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


def test_what_changes_is_in_the_table() -> None:
    assert {action.action for screen in SCREENS for action in own(screen)} >= CHANGES


def test_where_panes_have_digits_the_footer_counts_them() -> None:
    for screen, keys in SCREENS.items():
        digits = [action.sign for action in own(screen) if action.action.startswith("screen.jump(")]
        assert keys.panes in ("", f"{digits[0]}-{digits[-1]}")


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
