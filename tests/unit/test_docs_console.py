"""The page on triage names every fix, the one on the console every theme."""

from pathlib import Path

import pytest

from walconsole.provision.fixes.base import FixStep
from walconsole.provision.fixes.catalogue import KINDS as FIXES
from walconsole.ui.board.theming import shipped_folder

PAGE = (Path(__file__).parents[2] / "docs" / "console.md").read_text("utf-8")


TRIAGE = (Path(__file__).parents[2] / "docs" / "triage.md").read_text("utf-8")


@pytest.mark.parametrize("kind", FIXES, ids=lambda kind: kind.id)
def test_every_fix_is_documented(kind: type[FixStep]) -> None:
    assert f"| `{kind.id}` |" in TRIAGE


def test_every_theme_is_documented() -> None:
    for path in shipped_folder().glob("*.toml"):
        assert f"`{path.stem}`" in PAGE
