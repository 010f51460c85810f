"""docs/development.md, followed by its letter in a copy of the sources.

What it asks for is enough, and who leaves a part of it out is told by the tests that it names.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.walkthroughs import MODE, WALKS, Edit, Walk

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/development.md").read_text("utf-8")
PARTS = (
    "src",
    "tests",
    "docs",
    "scripts",
    "themes",
    "pyproject.toml",
    "README.md",
    "CHANGELOG.md",
    "Makefile",
)
pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """All that the tests of the page need, without what was compiled."""
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def section(heading: str) -> str:
    """What stands below it."""
    return PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def commands(walk: Walk) -> list[str]:
    """What the section has one run, without a server: the arguments of `make test`."""
    named = re.findall(r"^    make test ARGS='(.+)'$", section(walk.heading), re.MULTILINE)
    return [arguments for arguments in named if "tests/integration" not in arguments]


def run(copy: Path, *words: str, seconds: float = 200.0) -> subprocess.CompletedProcess[str]:
    """With Python, in the copy and by its sources."""
    own = os.environ | {"PYTHONPATH": f"{copy / 'src'}:{copy}", "PYTHONDONTWRITEBYTECODE": "1"}
    own.pop("PYTEST_ADDOPTS", None)
    return subprocess.run(
        [sys.executable, *words],
        cwd=copy,
        env=own,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )


def make_docs(copy: Path) -> Iterator[str]:
    """By the scripts that the Makefile calls for it; what they say where they fail."""
    recipe = (copy / "Makefile").read_text("utf-8").partition("\ndocs: ")[2].partition("\n\n")[0]
    scripts = re.findall(r"/python (scripts/\w+\.py)$", recipe, re.MULTILINE)
    assert scripts
    for script in scripts:
        done = run(copy, script)
        if done.returncode != 0:
            yield done.stdout + done.stderr


def told(copy: Path, walk: Walk) -> Iterator[str]:
    """What the section's own commands say of what is wrong, in the end of their output."""
    named = commands(walk)
    assert named, f"'{walk.heading}' names no test"
    for arguments in named:
        words = [word.strip("\"'") for word in re.findall(r"\"[^\"]*\"|\S+", arguments)]
        done = run(copy, "-m", "pytest", "-q", "-x", "-n0", "-p", "no:cacheprovider", *words)
        if done.returncode != 0:
            yield done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.heading)
def test_what_it_asks_for_is_enough(walk: Walk, copy: Path) -> None:
    for edit in walk.edits:
        edit.make(copy)
    assert [*(make_docs(copy) if walk.documents else ()), *told(copy, walk)] == []


@pytest.mark.parametrize(
    ("walk", "left_out"),
    [
        pytest.param(walk, edit, id=f"{walk.heading}, {number}")
        for walk in WALKS
        for number, edit in enumerate(walk.edits)
        if edit.told
    ],
)
def test_who_leaves_a_part_of_it_out_is_told(walk: Walk, left_out: Edit, copy: Path) -> None:
    for edit in walk.edits:
        if edit is not left_out:
            edit.make(copy)
    missing = [*(make_docs(copy) if walk.documents else ()), *told(copy, walk)]
    assert missing


@pytest.mark.parametrize("walk", [walk for walk in WALKS if walk.documents], ids=lambda walk: walk.heading)
def test_who_forgets_make_docs_is_told(walk: Walk, copy: Path) -> None:
    for edit in walk.edits:
        edit.make(copy)
    assert list(told(copy, walk))


@pytest.mark.server
def test_the_new_failure_mode_is_brought_about_as_the_page_says(copy: Path) -> None:
    for edit in MODE.edits:
        edit.make(copy)
    reproduction = next(edit.file for edit in MODE.edits if "integration" in edit.file)
    done = run(copy, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", reproduction, seconds=290.0)
    assert "1 passed" in done.stdout, done.stdout[-3000:] + done.stderr[-1000:]
