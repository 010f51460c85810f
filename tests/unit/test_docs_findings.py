"""Every rule is in docs/findings.md, and every row there is a rule."""

import re
from pathlib import Path

import pytest

from walconsole.domain import diagnosis

DIAGNOSIS = Path(diagnosis.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "findings.md"


def _rule_ids() -> set[str]:
    """The ids in the source: a Finding's first argument, and the table of the bucket's refusals."""
    ids: set[str] = set()
    for module in DIAGNOSIS.glob("*.py"):
        text = module.read_text(encoding="utf-8")
        ids |= set(re.findall(r'Finding\(\s*"([a-z0-9-]+)"', text))
        ids |= set(re.findall(r'\("([a-z]+-[a-z0-9-]+)", "', text))
        ids |= set(re.findall(r'_REFUSALS\.get\([^(]*\("([a-z0-9-]+)"', text))
    return ids


@pytest.mark.parametrize("rule", sorted(_rule_ids()))
def test_every_rule_has_a_row(rule: str) -> None:
    assert f"| `{rule}` |" in PAGE.read_text(encoding="utf-8")


def test_every_row_is_a_rule() -> None:
    rows = set(re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert rows == _rule_ids()
    assert len(rows) > 15
