"""A page as text for a terminal, and as Markdown."""

from collections.abc import Iterator
from textwrap import wrap

from walconsole.domain.standing.mode import FailureMode

NARROWEST = 40


def sections(mode: FailureMode) -> Iterator[tuple[str, str]]:
    """Heading and text of each section that has one."""
    page = mode.page
    named = (
        ("What you see", page.symptom),
        ("What is behind it", page.cause),
        ("How walconsole knows", page.signal),
        ("What to do" if mode.alarms else "Why it is no alarm", page.fix),
        ("What not to do", page.never),
        ("Seen in", page.source),
    )
    return ((heading, text.strip()) for heading, text in named if text)


def page_text(mode: FailureMode, width: int) -> Iterator[str]:
    """Lines at most `width` wide (but for commands, which are never wrapped)."""
    width = max(width, NARROWEST)
    yield from wrap(f"{mode.id}: {mode.page.title}", width)
    for heading, text in sections(mode):
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


def page_markdown(mode: FailureMode) -> str:
    """The page as docs/failures has it."""
    parts = [f"# `{mode.id}`: {mode.page.title}"]
    parts += [f"## {heading}\n\n{text}" for heading, text in sections(mode)]
    return "\n\n".join(parts) + "\n"
