"""The page on triage names every fix, the one on the console every theme."""

import re
from pathlib import Path

import pytest

from walconsole.config.writer import example
from walconsole.provision.fixes.base import FixStep
from walconsole.provision.fixes.catalogue import KINDS as FIXES
from walconsole.ui.board.theming import shipped_folder

_NAMED = re.compile(r"""(?:\btheme\s*=\s*["']|--theme[= ])([a-z0-9][a-z0-9-]*)""")

PAGE = (Path(__file__).parents[2] / "docs" / "console.md").read_text("utf-8")


TRIAGE = (Path(__file__).parents[2] / "docs" / "triage.md").read_text("utf-8")


@pytest.mark.parametrize("kind", FIXES, ids=lambda kind: kind.id)
def test_every_fix_is_documented(kind: type[FixStep]) -> None:
    assert f"| `{kind.id}` |" in TRIAGE


def test_every_theme_is_documented() -> None:
    for path in shipped_folder().glob("*.toml"):
        assert f"`{path.stem}`" in PAGE


def test_every_theme_that_is_named_exists() -> None:
    root = Path(__file__).parents[2]
    texts = {
        path: path.read_text("utf-8") for path in (root / "docs").rglob("*") if path.suffix in (".md", ".1")
    }
    texts[Path("config init")] = example()
    texts[root / "README.md"] = (root / "README.md").read_text("utf-8")
    there = {path.stem for path in shipped_folder().glob("*.toml")}
    named = {name: path for path, text in texts.items() for name in _NAMED.findall(text)}
    assert named, "no theme is named at all: the pattern is wrong"
    assert {name: path for name, path in named.items() if name not in there} == {}
