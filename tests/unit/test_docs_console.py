"""The page on the console names every key and every theme."""

from pathlib import Path

import pytest

from walconsole.provision.fixes.base import Fix
from walconsole.provision.fixes.catalogue import KINDS as FIXES
from walconsole.ui.archive.keys import ARCHIVE_ACTIONS
from walconsole.ui.configuration.keys import CONFIGURATION_ACTIONS
from walconsole.ui.keys import ACTIONS, Action
from walconsole.ui.provision.keys import PROVISION_ACTIONS
from walconsole.ui.theming import shipped_folder
from walconsole.ui.triage.keys import TRIAGE_ACTIONS

PAGE = (Path(__file__).parents[2] / "docs" / "console.md").read_text("utf-8")


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.title)
def test_every_key_is_documented(action: Action) -> None:
    row = next((line for line in PAGE.splitlines() if line.endswith(f"| {action.title} |")), "")
    keys = {"^p": "Ctrl-P", "^z": "Ctrl-Z", "S-Tab": "Shift-Tab"}
    assert keys.get(action.sign, action.sign) in row


CONFIGURATION = (Path(__file__).parents[2] / "docs" / "configuration-screen.md").read_text("utf-8")


@pytest.mark.parametrize("action", CONFIGURATION_ACTIONS, ids=lambda action: action.title)
def test_every_key_of_the_configuration_screen_is_documented(action: Action) -> None:
    row = next((line for line in CONFIGURATION.splitlines() if line.endswith(f"| {action.title} |")), "")
    assert {"S-Tab": "Shift-Tab"}.get(action.sign, action.sign) in row


ARCHIVE = (Path(__file__).parents[2] / "docs" / "archive.md").read_text("utf-8")


@pytest.mark.parametrize("action", ARCHIVE_ACTIONS, ids=lambda action: action.title)
def test_every_key_of_the_archive_screen_is_documented(action: Action) -> None:
    row = next((line for line in ARCHIVE.splitlines() if line.endswith(f"| {action.title} |")), "")
    assert {"S-Tab": "Shift-Tab"}.get(action.sign, action.sign) in row


PROVISIONING = (Path(__file__).parents[2] / "docs" / "provisioning.md").read_text("utf-8")


@pytest.mark.parametrize("action", PROVISION_ACTIONS, ids=lambda action: action.title)
def test_every_key_of_the_provisioning_screen_is_documented(action: Action) -> None:
    row = next((line for line in PROVISIONING.splitlines() if line.endswith(f"| {action.title} |")), "")
    assert {"S-Tab": "Shift-Tab"}.get(action.sign, action.sign) in row


TRIAGE = (Path(__file__).parents[2] / "docs" / "triage.md").read_text("utf-8")


@pytest.mark.parametrize("action", TRIAGE_ACTIONS, ids=lambda action: action.title)
def test_every_key_of_the_triage_screen_is_documented(action: Action) -> None:
    row = next((line for line in TRIAGE.splitlines() if line.endswith(f"| {action.title} |")), "")
    assert {"S-Tab": "Shift-Tab"}.get(action.sign, action.sign) in row


@pytest.mark.parametrize("kind", FIXES, ids=lambda kind: kind.id)
def test_every_fix_is_documented(kind: type[Fix]) -> None:
    assert f"| `{kind.id}` |" in TRIAGE


def test_every_theme_is_documented() -> None:
    for path in shipped_folder().glob("*.toml"):
        assert f"`{path.stem}`" in PAGE
