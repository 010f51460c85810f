"""Write docs/failures and the index in docs/findings.md from the failure modes; `--check` only compares."""

import sys
from collections.abc import Iterator
from pathlib import Path

from walconsole.domain.failures import FAMILIES, MODES
from walconsole.domain.standing.mode import page_markdown

DOCS = Path(__file__).parents[1] / "docs"
INTRODUCTION = """\
# Findings

What walconsole can find wrong, by the id that the findings, `walconsole check` and the exports use. Each is
a record in `src/walconsole/domain/failures/` with a page that `walconsole explain ID` prints; they are
all made from the records by `make docs`.

A finding says what is wrong, its evidence and sources, how sure it is, and what to do. CRITICAL means that
data written now would not survive a lost disk, WARNING that it soon might not, NOTE that it is worth
knowing. Findings are told as stories: the cause first, what follows from it below. Which of them were really
brought about, found and mended in tests stands in [tested-failures.md](tested-failures.md).
"""


def index() -> str:
    """docs/findings.md."""
    parts = [INTRODUCTION]
    for family, modes in FAMILIES:
        rows = [
            f"| [`{mode.id}`](failures/{mode.id}.md) | {_cell(mode.page.title)} | "
            f"{_cell(mode.page.symptom)} |"
            for mode in modes
        ]
        parts.append(
            "\n".join([f"## {family}", "| id | what it means | what you see |", "|---|---|---|", *rows])
            + "\n"
        )
    return "\n".join(parts)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def files() -> Iterator[tuple[Path, str]]:
    """Every file with what it shall hold."""
    yield DOCS / "findings.md", index()
    for mode in MODES.values():
        yield DOCS / "failures" / f"{mode.id}.md", page_markdown(mode)


def stale() -> list[str]:
    """The files that are not as they shall be, and those that no mode has."""
    wanted = dict(files())
    wrong = [
        str(path) for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text
    ]
    return wrong + [str(path) for path in (DOCS / "failures").glob("*.md") if path not in wanted]


def main() -> int:
    """Write them, or with --check say which are stale."""
    if "--check" in sys.argv[1:]:
        for path in stale():
            sys.stderr.write(f"{path} is not what the failure modes say: run `make docs`\n")
        return 1 if stale() else 0
    (DOCS / "failures").mkdir(exist_ok=True)
    for file, text in files():
        file.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
