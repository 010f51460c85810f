"""Fill the table of docs/your-archive.md from what is tried of each tool: the tests' own rows."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.data.tried_tools import KINDS, TRIED  # beside this folder

PAGE = Path(__file__).parents[1] / "docs" / "your-archive.md"
_BLOCK = re.compile(r"(<!-- made: tools -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """The page with its table made anew."""
    table = "\n".join(_table())
    return _BLOCK.sub(lambda match: f"{match[1]}{table}\n{match[2]}", text)


def _table() -> Iterator[str]:
    yield f"| tool | found and judged | {' | '.join(KINDS)} | tests |"
    yield f"|---|---|{'---|' * len(KINDS)}---|"
    for each in TRIED:
        how = "on a real server" if each.real else "by its words and files"
        rules = " | ".join(f"[`{rule}`](failures/{rule}.md)" for rule in each.failures)
        yield f"| {each.tool} | {how} | {rules} | `{each.tests}` |"


if __name__ == "__main__":
    before = PAGE.read_text(encoding="utf-8")
    after = filled(before)
    PAGE.write_text(after, encoding="utf-8")
    sys.stdout.write(f"{PAGE.name}: {'as it was' if before == after else 'written'}\n")
