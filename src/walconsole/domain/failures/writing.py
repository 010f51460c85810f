"""A page as text for a terminal, and as Markdown."""

from collections.abc import Iterator
from textwrap import wrap

from walconsole.domain.standing.page import Page

NARROWEST = 40


def sections(page: Page) -> Iterator[tuple[str, str]]:
    """Heading and text of each section that has one."""
    named = (
        ("What you see", page.symptom),
        ("What is behind it", page.cause),
        ("How walconsole knows", page.signal),
        ("What to do" if page.alarms else "Why it is no alarm", page.fix),
        ("What not to do", page.never),
        ("Seen in", page.source),
    )
    return ((heading, text.strip()) for heading, text in named if text)


def page_text(page: Page, width: int) -> Iterator[str]:
    """Lines at most `width` wide (but for commands, which are never wrapped)."""
    width = max(width, NARROWEST)
    yield from wrap(f"{page.rule}: {page.title}", width)
    for heading, text in sections(page):
        yield ""
        yield f"{heading}"
        for block in text.split("\n\n"):
            if block.startswith("```"):
                yield from (f"      {line}" for line in block.splitlines()[1:-1])
            else:
                yield from wrap(
                    block.replace("\n", " ").replace("`", ""),
                    width,
                    initial_indent="  ",
                    subsequent_indent="  ",
                )


def page_markdown(page: Page) -> str:
    """The page as docs/failures has it."""
    parts = [f"# `{page.rule}`: {page.title}"]
    parts += [f"## {heading}\n\n{text}" for heading, text in sections(page)]
    return "\n\n".join(parts) + "\n"
